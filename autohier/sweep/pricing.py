"""What epochs cost on this machine's device: measured on a few clips, scaled to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from autohier.core.pruning import FilterMasks
from autohier.core.stages.result import StageKind, stage_label
from autohier.data.protocols import PROTOCOLS, find_protocol
from autohier.data.splits import SplitSizes, published_split_sizes
from autohier.data.store.paths import MANIFEST, plain_name, prepare_command, store_folder
from autohier.data.store.reader import ClipStore
from autohier.errors import MissingDataError
from autohier.settings.space import Space
from autohier.sweep.metering import (
    Meter,
    Pace,
    any_hierarchy,
    build,
    contents_of,
    device_text,
    open_made_up,
    open_prepared,
)
from autohier.sweep.simulation import EpochCosts

Say = Callable[[str], None]
"""Told what goes on."""


@dataclass(frozen=True, slots=True)
class SweepClips:
    """The clips that a sweep would read."""

    sizes: SplitSizes
    origin: str
    """Where the sizes are from, in words."""
    store: ClipStore | None = None
    """None where the dataset is not prepared."""


def find_clips(space: Space, data: Path) -> SweepClips:
    """What a sweep would read, prepared or not.

    Raises:
        MissingDataError: where clips are neither prepared nor their number published.
        InputError: where space and clips do not fit together.
    """
    folder = store_folder(data, space.dataset, space.clips.modality)
    if (folder / MANIFEST).is_file():
        store = ClipStore.open(folder)
        _, feed = open_prepared(space, store, "cpu")
        split = feed.split
        sizes = SplitSizes(len(split.train), len(split.validation), len(split.test))
        return SweepClips(sizes, f"prepared in {folder}", store)
    protocol = space.protocol
    dataset = plain_name(space.dataset)
    published = dataset in PROTOCOLS and published_split_sizes(
        find_protocol(dataset, PROTOCOLS[dataset], protocol.name),
        validation="paper" if protocol.validation == "paper" else "clean",
        held_out=protocol.held_out or (),
    )
    if not published:
        raise MissingDataError(
            f"{space.dataset} must be prepared, as its number of clips is not published",
            remedy=f"run '{prepare_command(folder)}'",
        )
    if space.num_folds > 1:
        num_training = published.train + published.validation
        num_held_out = round(num_training / space.num_folds)
        published = SplitSizes(num_training - num_held_out, num_held_out, published.test)
    return SweepClips(published, "the published numbers")


def measure_costs(space: Space, clips: SweepClips, say: Say) -> tuple[EpochCosts, str]:
    """Train every kind of stage on a few clips; some seconds, half a minute on a slow device.

    Args:
        space: what would be trained.
        clips: on what; where they are not prepared, frames are made up.
        say: told before each measurement.

    Returns:
        What epochs cost, and how that was found, in words.

    Raises:
        InputError: where the recognizer cannot be built.
    """
    device, feed = open_prepared(space, clips.store, "auto") if clips.store else open_made_up(space, "auto")
    contents = clips.store.manifest if clips.store else contents_of(space)
    meter, name = Meter(space, device, feed, contents), device_text(device)
    if device.torch_device.type == "cpu":
        say(f"trying how fast {name} is")
        meter.be_patient()
    paces: dict[StageKind, Pace] = {}
    kinds: tuple[StageKind, ...] = ("pass-1", "pass-2", "prune")
    for kind in kinds:
        say(f"measuring {stage_label(kind, 1)} on {name}")
        paces[kind] = meter.pace(kind)
    which = f"{'prepared' if clips.store else 'made-up'} clip{'s' * (meter.num_clips > 1)}"
    return (
        scale(paces, clips.sizes, test_sets=space.clips.test_sets),
        f"measured on {name} with {meter.num_clips} {which}",
    )


def scale(paces: Mapping[StageKind, Pace], sizes: SplitSizes, *, test_sets: int) -> EpochCosts:
    """What whole epochs cost.

    Args:
        paces: of a clip in each kind of stage.
        sizes: clips of the whole split.
        test_sets: frame sets that a finished stage and the test split are scored on.
    """
    epochs = {
        kind: pace.training_s * sizes.train + pace.validating_s * sizes.validation
        for kind, pace in paces.items()
    }
    scoring_s = test_sets * paces["pass-2"].validating_s
    return EpochCosts(
        pass_1_s=epochs["pass-1"],
        pass_2_s=epochs["pass-2"],
        pruning_s=epochs["prune"],
        closing_s=scoring_s * sizes.validation,
        reading_s=scoring_s * sizes.test,
    )


def stage_bytes(space: Space, clips: SweepClips) -> int:
    """What a pruned stage holds on disk: weights in float32 and masks; they are counted, not made."""
    contents = clips.store.manifest if clips.store else contents_of(space)
    with torch.device("meta"):
        network = build(space, contents, any_hierarchy(space))
        masks = FilterMasks.all_alive(network.recognizer.prunable_filters())
    tensors = [*network.state_dict().values(), *masks.to_state().values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
