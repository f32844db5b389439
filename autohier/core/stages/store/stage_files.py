"""Files of one stored stage: writing them, and reading them with every check.

A folder that does not hold exactly these files, or files that do not describe the stage of its kind and key,
is damaged. Names and keys inside the files are compared only; they never become paths.

Legend: K classes.
"""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from autohier.core.stages.inputs import StageInputs
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.stage_key import stage_key_content
from autohier.core.stages.store.file_names import (
    CONFUSION_FILE,
    CONTENTS,
    EPOCHS_FILE,
    MODEL_FILE,
    STAGE_FILE,
)
from autohier.core.stages.store.identity_check import check_identity
from autohier.core.stages.store.measurements import check_measurements, read_result
from autohier.digest import digest, digest_file
from autohier.errors import DivergedError, StageDamagedError, damage_text
from autohier.files import naming_file, open_regular

_DAMAGE_ERRNOS = frozenset(
    {None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EIO}
)
"""Errors of missing, malformed and unreadable files: a stage that stayed in its place would be trained again
for every trial. Others, such as too many open files, do not mean a damaged stage."""
_MAX_EPOCHS = 1_000_000
"""Number of epochs beyond which a file is damaged; it bounds the memory of reading."""


def write_stage(
    folder: Path, result: StageResult, inputs: StageInputs, weights: Mapping[str, Tensor]
) -> None:
    """Write all files of a stage into an empty folder.

    Raises:
        DivergedError: if a weight is not finite.
        OSError: if the folder cannot be written.
    """
    unusable = find_not_finite(weights)
    if unusable is not None:
        raise DivergedError(
            f"the weights of {result.label} must be finite",
            got=f"others in {unusable}",
            hint="lower optimisation.learning_rate",
        )
    # Bytes that Python writes: libraries that write files themselves make them readable for their owner
    # only, ignore a failed flush, or raise other errors.
    for name, content in _contents(result, weights):
        with naming_file(folder / name):
            (folder / name).write_bytes(content)
    description = _describe(result) | {
        "inputs": inputs.model_dump(mode="json"),
        "key_content": stage_key_content(result.kind, inputs),
        "versions": {"autohier": version("autohier"), "torch": torch.__version__},
        "files": {name: _content(folder / name) for name in CONTENTS},
    }
    stage = {"stage": description, "sha256": digest(description)}
    (folder / STAGE_FILE).write_text(json.dumps(stage, indent=1))


def _contents(result: StageResult, weights: Mapping[str, Tensor]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files of a stage, except its description."""
    yield MODEL_FILE, save({name: tensor.contiguous() for name, tensor in weights.items()})
    rows = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([asdict(epoch) for epoch in result.epochs]), rows)
    yield EPOCHS_FILE, rows.getvalue()
    confusion = io.BytesIO()
    np.save(confusion, np.ascontiguousarray(result.confusion_KK, dtype=np.int64))
    yield CONFUSION_FILE, confusion.getvalue()


def read_stage(path: Path, kind: StageKind, key: str) -> StageResult:
    """Read a stage, and check that its files are whole and those of the stage with this kind and key.

    Raises:
        StageDamagedError: if anything differs from a stage of that kind and key as `write_stage` writes it.
        OSError: if the files cannot be read at present.
    """
    with _damage(f"the stage {key[:12]} must be complete and in the current format"):
        _check_names(path)
        description = read_description(path)
        check_identity(description, kind, key)
        _check_contents(path, description)
        rows = _read_rows(path / EPOCHS_FILE)
        confusion_KK = _read_confusion(
            path / CONFUSION_FILE, num_classes=len(set(description["hierarchy"][-1]))
        )
        result = read_result(description, kind, rows, confusion_KK)
        check_measurements(result)
        unusable = find_not_finite(load_file(path / MODEL_FILE))
        if unusable is not None:
            raise StageDamagedError(
                f"the weights of stage {key[:12]} must be finite", got=f"others in {unusable}"
            )
    return result


def read_description(path: Path) -> dict[str, Any]:
    """Read the description of a finished stage from its ``stage.json``.

    Raises:
        StageDamagedError: if it is missing or differs from what was published.
        OSError: if it cannot be read at present.
    """
    with _damage(f"the stage {path.name[:12]} must be complete"):
        with open_regular(path / STAGE_FILE) as file:
            stage = json.loads(file.read())
        description: dict[str, Any] = stage["stage"]
        if stage["sha256"] != digest(description):
            raise StageDamagedError(f"the {STAGE_FILE} of stage {path.name[:12]} must match its digest")
    return description


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a stage, on the CPU.

    Raises:
        StageDamagedError: if they cannot be read.
    """
    try:
        with open_regular(path / MODEL_FILE):
            weights: dict[str, Tensor] = load_file(path / MODEL_FILE)
    except Exception as error:
        raise StageDamagedError(
            "a stage's weights must be readable", got=damage_text(error), hint="run the trial again"
        ) from error
    return weights


def read_published_weights(path: Path, description: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a stage, on the CPU, after a check that they are those that were published.

    Args:
        path: folder of the stage.
        description: of the stage; see `read_description`.

    Raises:
        StageDamagedError: if they are missing or differ.
    """
    with _damage(f"the weights of stage {path.name[:12]} must be complete"):
        if description["files"][MODEL_FILE] != _content(path / MODEL_FILE):
            raise StageDamagedError(f"the weights of stage {path.name[:12]} must match their digest")
    return read_weights(path)


def find_not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds NaN or an infinity; None if all are finite."""
    return next((name for name, tensor in weights.items() if not bool(tensor.isfinite().all())), None)


@contextmanager
def _damage(rule: str) -> Iterator[None]:
    """Turn every error that a damaged file causes into StageDamagedError.

    Readers of files raise almost anything on damaged bytes, e.g. EOFError, RecursionError or an error of
    Arrow. Only errors of the system that say nothing about the file pass.
    """
    try:
        yield
    except (StageDamagedError, MemoryError):
        raise
    except OSError as error:
        if error.errno not in _DAMAGE_ERRNOS:
            raise
        raise StageDamagedError(rule, got=error) from error
    except KeyError as error:
        raise StageDamagedError(rule, got=f"nothing under {error.args[0]!r}") from error
    except Exception as error:
        raise StageDamagedError(rule, got=damage_text(error)) from error


def _check_names(path: Path) -> None:
    names = {entry.name for entry in path.iterdir()}
    if names != {STAGE_FILE, *CONTENTS}:
        raise StageDamagedError(
            f"the stage {path.name[:12]} must hold {', '.join((STAGE_FILE, *CONTENTS))} and nothing else",
            got=", ".join(sorted(names)) or "an empty folder",
        )


def _check_contents(path: Path, description: Mapping[str, Any]) -> None:
    stated = description["files"]
    damaged = [name for name in CONTENTS if stated[name] != _content(path / name)]
    if damaged or len(stated) != len(CONTENTS):
        raise StageDamagedError(
            f"the files of stage {path.name[:12]} must match their digests",
            got=", ".join(damaged or sorted(stated)),
        )


def _content(path: Path) -> dict[str, Any]:
    with open_regular(path):
        return {"bytes": path.stat().st_size, "sha256": digest_file(path)}


def _read_rows(path: Path) -> list[dict[str, Any]]:
    file = pq.ParquetFile(path)
    if file.metadata.num_rows > _MAX_EPOCHS:
        raise StageDamagedError(
            f"a stage has at most {_MAX_EPOCHS:,} epochs", got=f"{file.metadata.num_rows:,}"
        )
    rows: list[dict[str, Any]] = file.read().to_pylist()
    return rows


def _read_confusion(path: Path, *, num_classes: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    # The header is checked before the array is made: it may state a size that no memory holds.
    with open_regular(path) as file:
        np.lib.format.read_magic(file)
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if (shape, fortran_order, dtype) != ((num_classes, num_classes), False, np.dtype(np.int64)):
            raise StageDamagedError(
                f"a confusion matrix must be {num_classes} x {num_classes} whole numbers",
                got=f"{dtype} of shape {shape}",
            )
        return np.frombuffer(file.read(), dtype=np.int64).reshape(shape).copy()


def _describe(result: StageResult) -> dict[str, Any]:
    return {
        "kind": result.kind.name,
        "key": result.key,
        "parent_key": result.parent_key,
        "parent_keys": result.parent_keys,
        "pass_index": result.pass_index,
        "hierarchy": result.hierarchy.as_lists(),
        "heads": result.heads,
        "stack_accuracies": result.stack_accuracies,
        "stack_top5_accuracies": result.stack_top5_accuracies,
        "stack_mean_class_accuracies": result.stack_mean_class_accuracies,
        "pathway_accuracies": dict(result.pathway_accuracies),
        "cost": asdict(result.cost),
        "seconds": result.seconds,
    }
