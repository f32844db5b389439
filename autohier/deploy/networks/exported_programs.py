"""Programs of an exported network for other runtimes: ``.pt2`` (torch.export) and ``.onnx``, each checked.

Both take a batch of any size of what the clip input gives the network, and return the scores of every head,
front to back, before softmax. If the network reads named inputs, a ``.pt2`` program takes a dict of them, and
the inputs of an ``.onnx`` program have their names.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from autohier.data.inputs.named import ClipBatch, map_clips, tensors_of
from autohier.errors import AutohierError, InputError, nearest
from autohier.files import write_atomically

Program = Literal["pt2", "onnx"]
OPSET: Final = 18
"""Version of ONNX's operators."""
INPUT: Final = "clips"
_CHECKED_BATCHES: Final = (1, 7)
_TOLERANCE: Final = 1e-4
"""Largest difference of a score, relative to the largest score of its batch."""
_PACKAGES: Final = ("onnx", "onnxscript", "onnxruntime")


class ExportError(AutohierError):
    """A program cannot be written, or does not compute what the network computes."""


class _WithTuple(nn.Module):
    """Network whose scores are a tuple, as the formats require."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: ClipBatch) -> tuple[Tensor, ...]:
        """Return the scores of every head."""
        return tuple(self.network(clips))


def parse_programs(text: str) -> tuple[Program, ...]:
    """Return the formats in a text such as "pt2,onnx"; none for "none".

    Raises:
        InputError: if a format is unknown.
    """
    names = [] if text.strip() == "none" else [name.strip() for name in text.split(",")]
    known: dict[str, Program] = {"pt2": "pt2", "onnx": "onnx"}
    for name in names:
        if name not in known:
            raise InputError(f"unknown format {name!r}", hint=nearest(name, [*known, "none"]))
    return tuple(known[name] for name in dict.fromkeys(names))


def require_packages(programs: Sequence[Program]) -> None:
    """Check that the packages that write and run ONNX programs are installed.

    Raises:
        InputError: if one is not.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if "onnx" in programs and missing:
        raise InputError(
            "the format onnx needs the packages of the extra deploy",
            got=f"without {', '.join(missing)}",
            hint="install autohier[deploy], or leave onnx out of --formats",
        )


def write_program(network: nn.Module, clips: ClipBatch, path: Path, program: Program) -> None:
    """Write a network as a program and compare their scores.

    Time: tracing takes seconds to a minute, and the check two forward passes of 1 and of 7 clips.

    Args:
        network: on the CPU, in evaluation mode; maps a batch of clips to one ``scores_BS`` per head.
        clips: clips to trace with and to compare scores on; repeated if there are few.
        path: file to write.
        program: format of the file.

    Raises:
        ExportError: if the network cannot be traced, or a score differs by more than 1e-4 of the largest.
        OSError: if the file cannot be written.
    """
    wrapped = _WithTuple(network).eval()
    batches = [map_clips(partial(_repeated, number=size), clips) for size in _CHECKED_BATCHES]
    try:
        with torch.no_grad(), _quiet():
            size = {0: torch.export.Dim("batch", min=1)}
            dynamic = dict.fromkeys(clips, size) if isinstance(clips, dict) else size
            exported = torch.export.export(wrapped, (batches[1],), dynamic_shapes=(dynamic,))
            names = tuple(clips) if isinstance(clips, dict) else (INPUT,)
            run = _write_pt2(exported, path) if program == "pt2" else _write_onnx(exported, names, path)
            for batch in batches:
                _compare(wrapped(batch), run(batch), path)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        path.unlink(missing_ok=True)
        raise ExportError(
            f"the network must be possible to write as {program}",
            got=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
            hint="leave this format out of --formats",
        ) from error


def _repeated(clips: Tensor, *, number: int) -> Tensor:
    """Return a number of clips, repeated if there are fewer."""
    return torch.cat([clips] * (-(-number // len(clips))))[:number]


def _write_pt2(exported: Any, path: Path) -> Callable[[ClipBatch], Sequence[Tensor]]:  # noqa: ANN401
    torch.export.save(exported, path)
    loaded = torch.export.load(path).module()
    return lambda batch: tuple(loaded(batch))


def _write_onnx(
    exported: Any,  # noqa: ANN401
    names: tuple[str, ...],
    path: Path,
) -> Callable[[ClipBatch], Sequence[Tensor]]:
    import onnxruntime  # noqa: PLC0415  an extra

    program = torch.onnx.export(
        exported, input_names=list(names), opset_version=OPSET, dynamo=True, verbose=False, optimize=True
    )
    if program is None:
        raise ExportError("torch must return an ONNX program", hint="leave onnx out of --formats")
    write_atomically(path, program.model_proto.SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(batch: ClipBatch) -> list[Tensor]:
        given = zip(names, tensors_of(batch), strict=True)
        scores = session.run(None, {name: tensor.numpy() for name, tensor in given})
        return [torch.from_numpy(np.asarray(each)) for each in scores]

    return run


def _compare(expected: Sequence[Tensor], got: Sequence[Tensor], path: Path) -> None:
    for own, other in zip(expected, got, strict=True):
        difference = float((own - other).abs().max() / own.abs().max().clamp_min(1e-12))
        if not difference <= _TOLERANCE:
            path.unlink(missing_ok=True)
            raise ExportError(
                f"{path.name} must give the scores of the network to {_TOLERANCE:g}",
                got=f"{difference:.2g}",
                hint="leave this format out of --formats",
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's reports of the tracing, which users cannot act on, off the console."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
