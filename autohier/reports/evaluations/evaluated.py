"""An evaluation for other programs: the model's accuracy, and the prediction of each clip as rows and CSV.

Legend: N clips, K classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from autohier.core.training.metrics import Predictions
from autohier.files import write_atomically
from autohier.records.statistics import wilson_interval


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """Accuracy of a model on some clips."""

    model: Annotated[str, "name of the fusion, SWEEP:TRIAL, or the name of an exported model"]
    clips: Annotated[str, "evaluated clips, e.g. test clips, or all clips of data/other"]
    refit: Annotated[bool, "true if its networks were refit on all training clips"]
    num_clips: Annotated[int, "number of clips"]
    accuracy: Annotated[float, "accuracy over the classes"]
    accuracy_low: Annotated[float, "lower end of its 95% Wilson interval"]
    accuracy_high: Annotated[float, "upper end of its 95% Wilson interval"]
    top5_accuracy: Annotated[float, "share of clips whose class is among the five most probable"]
    mean_class_accuracy: Annotated[float, "mean accuracy over the classes that have clips"]
    recorded: Annotated[bool, "true if it was recorded as a test result"]


@dataclass(frozen=True, slots=True)
class ClipPrediction:
    """Prediction for one evaluated clip."""

    clip: Annotated[str, "id of the clip"]
    true: Annotated[str, "its class"]
    classes: Annotated[tuple[str, ...], "five most probable classes, the best first"]
    probabilities: Annotated[tuple[float, ...], "their probabilities, averaged over frame sets and networks"]
    superclasses: Annotated[
        tuple[int, ...],
        "most probable superclass of each superclass head, of the network of the highest weight; numbered as "
        "in the hierarchy of model.json",
    ]
    superclass_probabilities: Annotated[tuple[float, ...], "their probabilities"]


def evaluated_model(
    predictions: Predictions, *, model: str, clips: str, refit: bool, recorded: bool
) -> EvaluatedModel:
    """Return the accuracy of predictions as a row."""
    low, high = wilson_interval(predictions.accuracy, len(predictions.clip_ids))
    return EvaluatedModel(
        model=model,
        clips=clips,
        refit=refit,
        num_clips=len(predictions.clip_ids),
        accuracy=predictions.accuracy,
        accuracy_low=low,
        accuracy_high=high,
        top5_accuracy=predictions.top5_accuracy,
        mean_class_accuracy=predictions.mean_class_accuracy,
        recorded=recorded,
    )


def clip_predictions(
    predictions: Predictions, classes: Sequence[str], heaviest: Predictions, *, top: int = 5
) -> Iterator[ClipPrediction]:
    """Yield the prediction of each clip.

    Args:
        predictions: predictions of a model.
        classes: name of every class.
        heaviest: predictions of its network of the highest weight, whose superclasses are shown.
        top: number of most probable classes.
    """
    rows = {clip_id: row for row, clip_id in enumerate(heaviest.clip_ids)}
    best_NK = np.argsort(-predictions.probabilities_NK, axis=1, kind="stable")[:, :top]
    for row, clip_id in enumerate(predictions.clip_ids):
        own = rows.get(clip_id)
        guesses = [] if own is None else [head_NS[own] for head_NS in heaviest.superclasses]
        yield ClipPrediction(
            clip=clip_id,
            true=classes[predictions.labels_N[row]],
            classes=tuple(classes[best] for best in best_NK[row]),
            probabilities=tuple(predictions.probabilities_NK[row, best_NK[row]].tolist()),
            superclasses=tuple(int(guess_S.argmax()) for guess_S in guesses),
            superclass_probabilities=tuple(float(guess_S.max()) for guess_S in guesses),
        )


def write_clip_predictions(path: Path, rows: Sequence[ClipPrediction]) -> None:
    """Write predictions of clips as CSV, a row per clip.

    The columns are ``clip``, ``true``, then for the k-th class ``class_k`` and ``probability_k``, then for
    the k-th superclass head ``superclass_k`` and ``superclass_probability_k``.

    Raises:
        OSError: if the file cannot be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    num_classes = max((len(row.classes) for row in rows), default=0)
    num_heads = max((len(row.superclasses) for row in rows), default=0)
    names = ["clip", "true", *_numbered(num_classes, "class", "probability")]
    writer.writerow([*names, *_numbered(num_heads, "superclass", "superclass_probability")])
    for row in rows:
        guesses = [
            *zip(row.classes, row.probabilities, strict=True),
            *zip(row.superclasses, row.superclass_probabilities, strict=True),
        ]
        cells = [cell for name, probability in guesses for cell in (name, f"{probability:.6f}")]
        writer.writerow([row.clip, row.true, *cells, *[""] * (2 * (num_heads - len(row.superclasses)))])
    write_atomically(path, buffer.getvalue().encode("utf-8", "surrogateescape"))


def _numbered(number: int, *names: str) -> list[str]:
    return [f"{name}_{index}" for index in range(1, number + 1) for name in names]
