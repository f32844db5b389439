"""A search space fitted to a prepared dataset, as commented TOML for a user to edit."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from autohier.config.frozen import validate
from autohier.config.search.counts import allowed_counts, decode_counts
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.protocol import ProtocolSettings
from autohier.core.stages.setup.trial_setup import resolve_protocol
from autohier.data.splits import split_masks
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.sampling import evenly_spaced
from autohier.errors import InputError

_FEW_CLIPS, _MANY_CLIPS = 2_000, 20_000
"""Training clips below which a narrow network is proposed, and from which a wide one is."""
_SAMPLED_CLIPS = 200
_PERSON_SHARE = 0.1
"""Share of the clips that must show a second person for the recognizer to read two."""
_LEVELS = ((8, 2), (4, 1), (0, 0))
"""Levels of superclasses by the smallest number of classes."""


@dataclass(frozen=True, slots=True)
class _Size:
    """Network and training that suit a number of training clips."""

    width: float
    epochs: tuple[int, int, int]
    """Of pass 1, pass 2 and a pruning pass."""
    max_passes: int


def _size(num_training: int) -> _Size:
    if num_training < _FEW_CLIPS:
        return _Size(0.25, (40, 20, 10), 3)
    if num_training < _MANY_CLIPS:
        return _Size(0.5, (40, 20, 10), 5)
    return _Size(1.0, (80, 40, 10), 7)


ClipContent = Literal["frames", "skeletons"]


def fit_space(store: ClipStore, name: str, clip_input: ClipContent | None = None) -> str:
    """Return a search space for the clips of a store, as TOML that `load_space` reads.

    Reads the skeletons of at most 200 clips. Recognizer, width, frames and epochs follow from what the store
    holds and from the number of its training clips; they are a start, as in the shipped spaces, and were not
    tuned on these clips.

    Args:
        store: the prepared dataset.
        name: name of the space.
        clip_input: what networks read; by default frames, or skeletons if the store has no frames.

    Raises:
        InputError: if there are fewer than two classes, the clips cannot be divided, or they lack what
            networks should read.
    """
    text = "\n".join(_lines(store, name, clip_input or _usual_input(store))) + "\n"
    validate(SearchSpace, tomllib.loads(text), origin=f"the space for {store.manifest.dataset}")
    return text


def _usual_input(store: ClipStore) -> ClipContent:
    return "frames" if store.manifest.channels else "skeletons"


def _lines(store: ClipStore, name: str, clip_input: ClipContent) -> Iterator[str]:
    manifest = store.manifest
    num_classes = len(manifest.class_names)
    if num_classes < 2:
        raise InputError("a search needs at least two classes", got=", ".join(manifest.class_names))
    protocol = manifest.protocols[0].name
    resolved = resolve_protocol(ProtocolSettings(name=protocol), store)
    num_training = int(split_masks(store.clips, manifest.protocol(protocol))[0].sum())
    size = _size(num_training)
    counts = f"{num_classes} classes, {len(store):,} clips, {num_training:,} in the training split"
    yield f"# {manifest.dataset}: {counts}."
    yield "# Edit it, then: autohier check FILE, autohier plan FILE, autohier search FILE."
    yield f"name = {_quoted(name)}"
    yield f"dataset = {_quoted(manifest.dataset)}"
    yield f"num_classes = {num_classes}"
    if manifest.levels:
        named = ", ".join(f"{level.num_superclasses} of {level.name}" for level in manifest.levels)
        yield f'# hierarchy = "given"  # for counts of the dataset\'s own superclasses: {named}'
    yield from ("", "[protocol]")
    others = [each.name for each in manifest.protocols[1:]]
    yield f"name = {_quoted(protocol)}" + (f"  # or {', '.join(map(_quoted, others))}" if others else "")
    reason = f", because {resolved.reason}" if resolved.reason else ""
    yield f'validation = "auto"  # here {resolved.protocol.validation}{reason}'
    if clip_input == "frames":
        yield from _frame_lines(store, size)
    else:
        yield from _skeleton_lines(store, size)
    yield from _training_lines(size, num_training)
    yield from _search_lines(num_classes, size)
    if clip_input == "skeletons":
        yield from _variant_lines(store, size)
    yield from _initial_lines(num_classes)


def _frame_lines(store: ClipStore, size: _Size) -> Iterator[str]:
    manifest = store.manifest
    if not manifest.channels:
        raise InputError("--input frames needs clips with frames", got=f"skeletons alone in {store.folder}")
    side = manifest.size_px if size.width == 1 else min(manifest.size_px, 64)
    yield from ("", "[clips]")
    if manifest.modality != "rgb":
        yield f"modality = {_quoted(manifest.modality)}"
    yield f"num_frames = {min(8, manifest.max_frames)}"
    yield f"resize_px = {side}  # frames are stored with {manifest.size_px}"
    yield f"crop_px = {side * 7 // 8}"
    yield _flip_line(sided=manifest.sided)
    yield from ("", "[recognizer]")
    if size.width == 1:
        yield 'name = "inflated-resnet50"'
        yield '# weights = "resnet50.safetensors"  # a 2D ResNet to inflate; its rate is then about 1e-4'
    else:
        yield 'name = "inflated-resnet18"  # 34, 50 and 101 are larger'
        yield f"width = {size.width}  # 1 is the published network"


def _skeleton_lines(store: ClipStore, size: _Size) -> Iterator[str]:
    lengths = store.skeleton_lengths()
    if not any(lengths) or not any(store.skeleton(row).num_visible_persons for row in _sampled(store)):
        raise InputError(
            "--input skeletons needs clips with poses",
            got=f"none in {store.folder}",
            hint="find them with autohier poses, and prepare the clips again",
        )
    half = 2 ** int(math.log2(max(float(np.median(lengths)), 8)))
    yield from ("", "[clips]", 'input = "skeletons"', f"modality = {_quoted(store.manifest.modality)}")
    yield f"num_frames = {min(half, 64)}  # the median clip has {int(np.median(lengths))}"
    yield f"num_persons = {_num_persons(store)}"
    yield _flip_line(sided=store.manifest.sided)
    yield from ("", "[recognizer]")
    yield 'name = "tcn"  # temporal convolutions, which train fast; or "st-gcn", "st-gcn++"'
    yield f"width = {size.width}  # 1 is the published network"


def _flip_line(*, sided: bool) -> str:
    if sided:
        return "flip = false  # true mirrors half of the training clips: wrong if classes have a side"
    return "flip = true"


def _num_persons(store: ClipStore) -> int:
    shows_two = [store.skeleton(row).num_visible_persons > 1 for row in _sampled(store)]
    return 2 if sum(shows_two) > _PERSON_SHARE * len(shows_two) else 1


def _sampled(store: ClipStore) -> tuple[int, ...]:
    return evenly_spaced(len(store), _SAMPLED_CLIPS)


def _training_lines(size: _Size, num_training: int) -> Iterator[str]:
    batch_size = 16 if num_training < _MANY_CLIPS else 64
    rate = 2e-3
    pass_1, pass_2, pruning = size.epochs
    yield from ("", "[optimisation]", f"batch_size = {batch_size}", f"learning_rate = {rate}")
    yield 'schedule = "one-cycle"  # for networks that start from random weights'
    yield from ("", "[pass_1]", f"epochs = {pass_1}")
    yield from ("", "[pass_2]", f"epochs = {pass_2}", f"learning_rate = {rate / 2}")
    yield from ("", "[pruning]", f"epochs = {pruning}", f"learning_rate = {rate / 4}")


def _search_lines(num_classes: int, size: _Size) -> Iterator[str]:
    levels = _num_levels(num_classes)
    yield from ("", "[search]", f"levels = {levels}  # stacks before the last that get superclasses")
    if levels:
        counts = ", ".join(map(str, allowed_counts(num_classes, levels)))
        yield f"# allowed numbers of superclasses: {counts}"
    yield f"max_passes = {size.max_passes}  # pruning passes"


def _variant_lines(store: ClipStore, size: _Size) -> Iterator[str]:
    yield from ("", "# A trial samples one variant; an empty table changes nothing.")
    yield "[search.variants.joint]"
    for stream in ("bone", "joint-motion", "bone-motion"):
        yield from ("", f"[search.variants.{stream}]", f'clips.stream = "{stream}"')
    yield from ("", "[search.variants.graph]", 'recognizer.name = "st-gcn++"')
    yield f"recognizer.width = {size.width}"  # another name drops the options of the space's recognizer
    if store.manifest.layout.planar:
        yield from ("", "[search.variants.heatmaps]", 'recognizer.name = "pose-slowonly-small"')
        yield from ('clips.input = "heatmaps"', "clips.num_frames = 16")
        if store.manifest.sided:
            yield "clips.flip = false"


def _initial_lines(num_classes: int) -> Iterator[str]:
    levels = _num_levels(num_classes)
    # Each count in the middle, on a log scale, of what remains for it and the counts after it.
    fanouts = [1 / (levels + 1 - level) for level in range(levels)]
    counts = decode_counts(fanouts, allowed_counts(num_classes, levels))
    for source, ratio in (("counts that grow evenly, as in HAC", 0.1), ("control: nothing is pruned", 0.0)):
        yield from ("", "[[initial]]", f"source = {_quoted(source)}")
        yield f"superclasses = {list(counts)}"
        yield from ("weight_ratio = 0.5", 'scope = "layerwise"', f"ratio = {ratio}", "passes = 2")


def _num_levels(num_classes: int) -> int:
    return next(levels for smallest, levels in _LEVELS if num_classes >= smallest)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
