"""Predictions as text and as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autohier.deploy.prediction import ClipFailure, Prediction
from autohier.files import write_atomically
from autohier.records.statistics import wilson_interval
from autohier.text import plural, shown


def prediction_lines(found: Sequence[Prediction | ClipFailure]) -> Iterator[str]:
    """Yield a line per clip: its classes with their confidences, and its superclasses."""
    width = max((len(shown(each.clip_id)) for each in found), default=0)
    for each in found:
        name = shown(each.clip_id).ljust(width)
        if isinstance(each, ClipFailure):
            yield f"{name}  not read: {shown(each.reason)}"
            continue
        pairs = zip(each.classes, each.confidences, strict=True)
        yield f"{name}  " + ", ".join(f"{shown(label)} {confidence:.1%}" for label, confidence in pairs)


def accuracy_line(found: Sequence[Prediction | ClipFailure], true: Mapping[str, str]) -> str:
    """Return a line with the accuracy on clips of known class; clips that cannot be read are left out."""
    right = [each.classes[0] == true[each.clip_id] for each in found if isinstance(each, Prediction)]
    if not right:
        return "accuracy: no clip could be read"
    low, high = wilson_interval(sum(right) / len(right), len(right))
    return (
        f"accuracy: {sum(right) / len(right):.1%} (95% interval {100 * low:.1f} to {100 * high:.1f}; "
        f"{plural(len(right), 'clip')})"
    )


def write_predictions(
    path: Path, found: Sequence[Prediction | ClipFailure], true: Mapping[str, str] | None = None
) -> None:
    """Write predictions as CSV, a row per clip.

    The columns are ``clip``, ``error``, if classes are known ``true``, then for the k-th class ``class_k``,
    ``confidence_k`` and ``probability_k``, then for the k-th superclass head ``superclass_k`` and
    ``superclass_probability_k``. Superclasses are numbered as in ``model.json``.

    Args:
        path: file to write.
        found: the predictions.
        true: class of each clip by its id; empty if classes are unknown.

    Raises:
        OSError: if the file cannot be written.
    """
    predictions = [each for each in found if isinstance(each, Prediction)]
    top = max((len(each.classes) for each in predictions), default=0)
    heads = max((len(each.superclasses) for each in predictions), default=0)
    names = ["clip", "error", *(["true"] if true else [])]
    for rank in range(1, top + 1):
        names += [f"class_{rank}", f"confidence_{rank}", f"probability_{rank}"]
    for head in range(1, heads + 1):
        names += [f"superclass_{head}", f"superclass_probability_{head}"]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    for each in found:
        writer.writerow(_row(each) | ({"true": true[each.clip_id]} if true else {}))
    write_atomically(path, buffer.getvalue().encode("utf-8", "surrogateescape"))


def _row(each: Prediction | ClipFailure) -> dict[str, object]:
    if isinstance(each, ClipFailure):
        return {"clip": each.clip_id, "error": each.reason}
    row: dict[str, object] = {"clip": each.clip_id}
    values = zip(each.classes, each.confidences, each.probabilities, strict=True)
    for rank, (label, confidence, probability) in enumerate(values, start=1):
        row |= {f"class_{rank}": label, f"confidence_{rank}": f"{confidence:.6f}"}
        row[f"probability_{rank}"] = f"{probability:.6f}"
    for head, guess in enumerate(each.superclasses, start=1):
        row[f"superclass_{head}"] = guess.index
        row[f"superclass_probability_{head}"] = f"{guess.probability:.6f}"
    return row
