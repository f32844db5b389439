"""What epochs cost on this machine's device: measured on a few clips, scaled to all of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.opening import open_trial
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageKind, stage_label
from autohier.core.stages.store import StageStore
from autohier.core.training.devices import Device, open_device
from autohier.core.training.evaluation import evaluate
from autohier.core.training.feed import Feed
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.data.datasets.registry import open_dataset
from autohier.data.made_up import MadeUpClips
from autohier.data.splits import Split, SplitSizes, default_held_out, published_split_sizes
from autohier.data.store.paths import MANIFEST, store_folder
from autohier.data.store.reader import ClipStore
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.space import Space
from autohier.sweep.simulation import EpochCosts

_PREPARED_PX = 256
"""Side of the frames that `autohier prepare` keeps."""
_MOST_BATCHES = 4
_SMALL_PX = 64
"""Below, a clip may be pooled to one value, of which batch norm cannot take a deviation."""
_PATIENCE_S = 1.0
"""What an epoch of the measured clips should take on a CPU; one of a single clip may take longer."""
_EPOCHS = 3
"""Epochs of a measurement: in the first a device does what it does once, the quicker of the others counts."""
_STANDSTILL = 1e-12
"""A learning rate with which no loss diverges."""

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


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one clip takes."""

    training_s: float
    validating_s: float


def find_clips(space: Space, data: Path) -> SweepClips:
    """What a sweep would read, prepared or not.

    Raises:
        MissingDataError: where clips are neither prepared nor their number published.
        InputError: where space and clips do not fit together.
    """
    folder = store_folder(data, space.dataset, space.clips.modality)
    if (folder / MANIFEST).is_file():
        store = ClipStore.open(folder)
        _, feed = _open_prepared(space, store, "cpu")
        sizes = SplitSizes(*(feed.num_clips(part) for part in ("train", "validation", "test")))
        return SweepClips(sizes, f"prepared in {folder}", store)
    protocol = space.protocol
    sizes = published_split_sizes(
        dataset=space.dataset,
        protocol=protocol.name,
        validation=protocol.validation,
        held_out=protocol.held_out or default_held_out(space.dataset, protocol.name),
    )
    return SweepClips(sizes, "the published numbers")


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
    device, feed = _open_prepared(space, clips.store, "auto") if clips.store else _open_made_up(space, "auto")
    meter, name = Meter(space, device, feed), _device_text(device)
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


def scale(paces: dict[StageKind, Pace], sizes: SplitSizes, *, test_sets: int) -> EpochCosts:
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


def stage_bytes(space: Space) -> int:
    """What a pruned stage holds on disk: weights in float32 and masks; they are counted, not made."""
    with torch.device("meta"):
        network = _build(space, _channels(space), _hierarchy(space))
        masks = FilterMasks.all_alive(network.recognizer.prunable_filters())
    tensors = [*network.state_dict().values(), *masks.to_state().values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Meter:
    """Measures every kind of stage on the same clips.

    Args:
        space: what is trained.
        device: on what.
        feed: its clips, all of them.
    """

    def __init__(self, space: Space, device: Device, feed: Feed) -> None:
        self._space, self._device, self._feed = space, device, feed
        self._fewest = 1 if space.clips.crop_px >= _SMALL_PX else 2
        self._known: dict[StageKind, Pace] = {}
        self._epochs = _EPOCHS
        self.num_clips = min(_MOST_BATCHES * feed.batch_size, feed.num_clips("train"))
        """Training clips of a measurement."""

    def be_patient(self) -> None:
        """Measure with no more clips than a slow device gets through in some seconds."""
        most, self.num_clips = self.num_clips, min(self._fewest, self.num_clips)
        tried = self._measure("pass-1", epochs=1)
        if tried.training_s * self.num_clips > _PATIENCE_S:
            self._known["pass-1"], self._epochs = tried, 1
            return
        affordable = _PATIENCE_S / self.pace("pass-1").training_s
        self.num_clips = max(self.num_clips, min(int(affordable), most))

    def pace(self, kind: StageKind) -> Pace:
        """Seconds of a clip in training and in validation."""
        return self._known.get(kind) or self._measure(kind, epochs=self._epochs)

    def _measure(self, kind: StageKind, *, epochs: int) -> Pace:
        optimisation, device, feed = self._space.optimisation, self._device, self._truncated_feed()
        hierarchy = Hierarchy.flat(self._space.num_classes) if kind == "pass-1" else _hierarchy(self._space)
        loss = HierarchicalLoss(hierarchy, [1.0] * len(hierarchy.assignments), device.torch_device)
        network = _build(self._space, feed.channels, hierarchy)
        masks = self._masks(network) if kind == "prune" else None
        history = train(
            device.prepare(network),
            feed,
            loss,
            epochs=epochs,
            learning_rate=_STANDSTILL,
            weight_decay=0.0,
            schedule=optimisation.schedule,
            lr_patience=optimisation.lr_patience,
            lr_factor=optimisation.lr_factor,
            seed=0,
            after_step=partial(masks.apply, network.recognizer.prunable_filters()) if masks else _nothing,
            autocast=device.autocast,
        )
        epoch_s = min(metrics.seconds for metrics in history[1:] or history)
        validating_s = min(self._seconds_to_validate(network, feed, loss) for _ in history[1:] or history)
        validating_clip_s = validating_s / feed.num_clips("validation")
        training_clip_s = (epoch_s - validating_s) / feed.num_clips("train")
        # Training goes forward too; where it seems quicker, other processes slowed the validation.
        return Pace(max(training_clip_s, validating_clip_s), validating_clip_s)

    def _seconds_to_validate(
        self, network: HierarchicalRecognizer, feed: Feed, loss: HierarchicalLoss
    ) -> float:
        started = perf_counter()
        evaluate(network, feed, "validation", loss, num_sets=1, autocast=self._device.autocast)
        return perf_counter() - started

    def _masks(self, network: HierarchicalRecognizer) -> FilterMasks:
        filters, pruning, search = (
            network.recognizer.prunable_filters(),
            self._space.pruning,
            self._space.search,
        )
        return FilterMasks(
            choose_filters(
                filters,
                FilterMasks.all_alive(filters).alive,
                ratio=max(search.ratios),
                scope=search.scopes[0],
                norm=pruning.norm,
                floor=pruning.floor,
            )
        )

    def _truncated_feed(self) -> Feed:
        split = self._feed.split
        few = replace(
            split, train=split.train[: self.num_clips], validation=split.validation[: self.num_clips]
        )
        return replace(self._feed, split=few)


def _nothing() -> None:
    """Follows a step of a stage that is not pruned."""


def _open_prepared(space: Space, store: ClipStore, device: str) -> tuple[Device, Feed]:
    trial = open_trial(
        space.setting(FLAT_CHOICE, seed=0),
        clips=store,
        stages=StageStore(store.folder),  # neither read nor written
        reporter=Reporters(),
        device=device,
        num_threads=_num_threads(),
    )
    return trial.context.device, trial.feed


def _open_made_up(space: Space, device_name: str) -> tuple[Device, Feed]:
    num_threads, numerics, clips = _num_threads(), space.numerics, space.clips
    device = open_device(
        device_name,
        precision=numerics.precision,
        deterministic=numerics.deterministic,
        compile_network=numerics.compile,
        num_threads=num_threads,
    )
    channels, batch_size = _channels(space), space.optimisation.batch_size
    rows = np.arange(_MOST_BATCHES * batch_size)
    store = MadeUpClips.of(len(rows), num_classes=space.num_classes, size_px=_PREPARED_PX, channels=channels)
    feed = Feed(
        store=store,
        split=Split(rows, rows, rows),
        channels=channels,
        num_frames=clips.num_frames,
        resize_px=clips.resize_px,
        crop_px=clips.crop_px,
        min_scale=clips.min_scale,
        flip=clips.flip,
        test_sets=clips.test_sets,
        batch_size=batch_size,
        device=device.torch_device,
        num_threads=num_threads,
    )
    return device, feed


def _build(space: Space, channels: int, hierarchy: Hierarchy) -> HierarchicalRecognizer:
    recognizer = space.recognizer
    return build_recognizer(
        recognizer.name,
        num_classes=space.num_classes,
        superclasses=hierarchy.num_superclasses[:-1],
        width=recognizer.width,
        in_channels=channels,
        initialisation=recognizer.initialisation,
    )


def _hierarchy(space: Space) -> Hierarchy:
    """Superclasses of neighbouring classes: what they hold costs nothing."""
    num_classes, counts = space.num_classes, space.allowed_counts[: space.search.levels]
    levels = [[label * count // num_classes for label in range(num_classes)] for count in counts]
    return Hierarchy.from_lists([*levels, range(num_classes)])


def _channels(space: Space) -> int:
    return open_dataset(space.dataset, modality=space.clips.modality).channels


def _num_threads() -> int:
    """Cores beside one accelerator; without any a trial holds one core, as it does in a sweep."""
    cores = os.cpu_count() or 1
    return max(1, cores // torch.accelerator.device_count()) if torch.accelerator.is_available() else 1


def _device_text(device: Device) -> str:
    """How people know a device."""
    if device.torch_device.type == "cpu":
        return "one core of this machine"
    is_cuda = device.torch_device.type == "cuda"
    return torch.cuda.get_device_name(device.torch_device) if is_cuda else str(device.torch_device)
