"""Costs of epochs on this machine's device: measured on a few clips and scaled to the dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.protocol import ProtocolSettings
from autohier.core.pruning import FilterMasks
from autohier.core.recipes.chain import stage_kinds
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.setup.trial_setup import resolve_protocol
from autohier.data.names import plain_name
from autohier.data.protocols import PROTOCOLS, find_protocol
from autohier.data.splits import SplitSizes, published_split_sizes
from autohier.data.store.paths import MANIFEST, prepare_command, store_folder
from autohier.data.store.reader import ClipStore
from autohier.data.validation_choice import too_small_reason
from autohier.errors import MissingDataError
from autohier.sweep.planning.profiler import (
    ClipTime,
    Profiler,
    build,
    contents_of,
    device_text,
    example_hierarchy,
    open_prepared,
    open_synthetic,
    synthetic_clips,
)
from autohier.sweep.planning.simulation.results import EpochCosts

Say = Callable[[str], None]
"""Called with a line about each step."""


@dataclass(frozen=True, slots=True)
class SweepClips:
    """The clips that a sweep would read."""

    sizes: SplitSizes
    origin: str
    """Origin of the sizes, in words."""
    protocol: ProtocolSettings
    """Protocol of the search space, with ``auto`` validation decided."""
    store: ClipStore | None = None
    """None if the dataset is not prepared."""


def find_clips(space: SearchSpace, data: Path) -> SweepClips:
    """Return the clips that a sweep would read, or their published number if they are not prepared.

    Raises:
        MissingDataError: if the clips are not prepared and their number is not published.
        InputError: if search space and clips do not fit together.
    """
    folder = store_folder(data, space.dataset, space.clips.modality)
    if (folder / MANIFEST).is_file():
        store = ClipStore.open(folder)
        _, data_loader = open_prepared(space, store, "cpu")
        split = data_loader.split
        sizes = SplitSizes(len(split.train), len(split.validation), len(split.test))
        protocol = resolve_protocol(space.protocol, store).protocol
        return SweepClips(sizes, f"prepared in {folder}", protocol, store)
    return _published_clips(space, folder)


def _published_clips(space: SearchSpace, folder: Path) -> SweepClips:
    dataset, protocol = plain_name(space.dataset), space.protocol
    published = dataset in PROTOCOLS and published_split_sizes(
        find_protocol(dataset, PROTOCOLS[dataset], protocol.name),
        validation="paper" if protocol.validation == "paper" else "clean",
        held_out=protocol.held_out or (),
    )
    if not published:
        raise MissingDataError(
            f"{space.dataset} must be prepared, since its number of clips is not published",
            hint=f"run '{prepare_command(folder)}'",
        )
    if protocol.validation == "auto":
        is_small = protocol.held_out is None and too_small_reason(published.validation, space.num_classes)
        protocol = protocol.model_copy(update={"validation": "folds" if is_small else "clean"})
    if protocol.validation == "folds":
        num_training = published.train + published.validation
        num_held_out = round(num_training / protocol.num_folds)
        published = SplitSizes(num_training - num_held_out, num_held_out, published.test)
    if protocol.clips_per_class is not None:
        num_training = min(published.train, protocol.clips_per_class * space.num_classes)
        published = SplitSizes(num_training, published.validation, published.test)
    return SweepClips(published, "the published numbers", protocol)


def measure_epoch_costs(space: SearchSpace, clips: SweepClips, say: Say) -> tuple[EpochCosts, str]:
    """Train every kind of stage on a few clips; takes some seconds, half a minute on a slow device.

    Args:
        space: search space of the sweep.
        clips: of the sweep; if they are not prepared, synthetic frames take their place.
        say: called before each measurement.

    Returns:
        Costs of the epochs, and their origin in words.

    Raises:
        InputError: if the recognizer cannot be built.
    """
    contents = clips.store.manifest if clips.store else contents_of(space)
    store = clips.store or synthetic_clips(space)
    device, data_loader = (
        open_prepared(space, clips.store, "auto") if clips.store else open_synthetic(space, "auto", store)
    )
    profiler, name = Profiler(space, device, data_loader, store, contents), device_text(device)
    kinds = tuple(dict.fromkeys(stage_kinds(space.config(FLAT_PARAMS, seed=0), 1)))
    if device.torch_device.type == "cpu":
        say(f"testing the speed of {name}")
        profiler.limit_clips(kinds[0])
    times: dict[StageKind, ClipTime] = {}
    for kind in kinds:
        say(f"measuring {kind.label(1)} on {name}")
        times[kind] = profiler.clip_time(kind)
    which = f"{'prepared' if clips.store else 'synthetic'} clip{'s' * (profiler.num_clips > 1)}"
    return (
        scale(times, clips.sizes, test_views=space.clips.test_views, repeats=space.optimisation.repeats),
        f"measured on {name} with {profiler.num_clips} {which}",
    )


def scale(
    times: Mapping[StageKind, ClipTime], sizes: SplitSizes, *, test_views: int, repeats: int = 1
) -> EpochCosts:
    """Return the costs of whole epochs.

    Args:
        times: of one clip in each kind of stage of a trial, in their order.
        sizes: number of clips in each split.
        test_views: forward passes over a split to evaluate a finished stage: frame sets, and mirrored ones.
        repeats: times that an epoch reads each training clip.
    """
    epochs = {
        kind: time.training_s * repeats * sizes.train + time.validation_s * sizes.validation
        for kind, time in times.items()
    }
    pass_1 = next(kind for kind in times if kind.is_flat)
    pass_2 = next(kind for kind in times if kind.starts_chain)
    scoring_s = test_views * times[pass_2].validation_s
    return EpochCosts(
        pass_1_s=epochs[pass_1],
        pass_2_s=epochs[pass_2],
        pruning_s=epochs[PRUNE],
        closing_s=scoring_s * sizes.validation,
        reading_s=scoring_s * sizes.test,
        own_s={} if set(times) == {PASS_1, PASS_2, PRUNE} else {kind.name: epochs[kind] for kind in times},
    )


def stage_bytes(space: SearchSpace, clips: SweepClips) -> int:
    """Return the size of a pruned stage on disk: float32 weights and masks, counted without allocating."""
    contents = clips.store.manifest if clips.store else contents_of(space)
    with torch.device("meta"):
        network = build(space, contents, example_hierarchy(space))
        masks = FilterMasks.all_alive(network.recognizer.prunable_filters())
    tensors = [*network.state_dict().values(), *masks.to_state().values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
