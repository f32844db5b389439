"""Report of an evaluation on clips of other prepared datasets: accuracy, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autohier.deploy.measurements.other_clips import OtherClips
from autohier.deploy.measurements.other_predictions import OtherResult
from autohier.reports.fusion import accuracy_text
from autohier.text import plural, shown

_NUM_NAMES = 12
"""Maximum number of classes that a line names."""


def scope_text(used: Sequence[OtherClips]) -> str:
    """Return which clips were evaluated, e.g. "all clips of data/other"."""
    return "; ".join(f"{clips.scope} of {clips.store.folder}" for clips in used)


def other_lines(result: OtherResult, model: str, num_classes: int) -> Iterator[str]:
    """Yield the accuracy of a model on other clips, and what was left out, unlike or not recorded."""
    yield f"{model} on {scope_text(result.used)}: {accuracy_text(result.predictions)}"
    for clips in result.used:
        yield from _class_lines(clips, num_classes)
    yield from (f"note: {note}" for note in result.notes)
    yield "not recorded: a result on other clips is no test result of the sweep"


def _class_lines(clips: OtherClips, num_classes: int) -> Iterator[str]:
    """Yield how the classes of a store match those of the model, and what was left out."""
    num_matched, num_there = num_classes - len(clips.missing), len(clips.store.manifest.class_names)
    yield f"{clips.store.folder} has clips of {num_matched} of the model's {num_classes} classes, by name"
    if clips.respelled:
        yield "  spelled differently: " + _some([f"{one} = {other}" for one, other in clips.respelled])
    if clips.unknown:
        number = plural(sum(number for _, number in clips.unknown), "clip")
        names = _some([f"{name} ({number:,})" for name, number in clips.unknown])
        unknown = f"{len(clips.unknown)} of its {num_there} classes, unknown to the model"
        yield f"  left out: {number} of {unknown}: {names}"
    if clips.missing:
        classes = plural(len(clips.missing), "class", "classes")
        yield f"  no clips of {classes} that the model may still guess: {_some(clips.missing)}"
    if clips.num_trained:
        number = plural(clips.num_trained, "clip has", "clips have")
        yield f"  WARNING: {number} the id of a clip that trained the model: the accuracy may be too high"


def _some(names: Sequence[str]) -> str:
    text = ", ".join(map(shown, names[:_NUM_NAMES]))
    return f"{text} and {len(names) - _NUM_NAMES} more" if len(names) > _NUM_NAMES else text
