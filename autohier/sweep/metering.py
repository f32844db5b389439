"""Measuring how long a clip takes in each kind of stage, on the device that trials would run on."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np
import torch

from autohier.core.failures import is_out_of_memory
from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.forms import Contents, network_options, open_form
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
from autohier.data.splits import Split
from autohier.data.store.reader import ClipStore
from autohier.errors import OutOfMemoryError
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.space import Space

_PREPARED_PX = 256
"""Side of the frames that `autohier prepare` keeps."""
_MOST_BATCHES = 4
_SMALL_PX = 64
"""Where frames or maps are smaller, a clip may be pooled to one value, of which batch norm cannot take a
deviation."""
_PATIENCE_S = 1.0
"""What an epoch of the measured clips should take on a CPU; one of a single clip may take longer."""
_EPOCHS = 3
"""Epochs of a measurement: in the first a device does what it does once, the quicker of the others counts."""
_STANDSTILL = 1e-12
"""A learning rate with which no loss diverges."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one clip takes."""

    training_s: float
    validating_s: float


class Meter:
    """Measures every kind of stage on the same clips.

    Args:
        space: what is trained.
        device: on what.
        feed: its clips, all of them.
        contents: what they hold.
    """

    def __init__(self, space: Space, device: Device, feed: Feed, contents: Contents) -> None:
        self._space, self._device, self._feed, self._contents = space, device, feed, contents
        self._fewest = 1 if feed.clip_shape[-1] >= _SMALL_PX else 2
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
        """Seconds of a clip in training and in validation.

        Raises:
            OutOfMemoryError: where a batch does not fit; a sweep would train it in halves.
        """
        if kind in self._known:
            return self._known[kind]
        try:
            return self._measure(kind, epochs=self._epochs)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"a batch of {stage_label(kind, 1)} must fit the memory to be measured",
                got=f"{self._space.optimisation.batch_size} clips",
                remedy="measure with half as many, as a sweep would train: --set optimisation.batch_size=...",
            ) from error

    def _measure(self, kind: StageKind, *, epochs: int) -> Pace:
        optimisation, device, feed = self._space.optimisation, self._device, self._truncated_feed()
        hierarchy = (
            Hierarchy.flat(self._space.num_classes) if kind == "pass-1" else any_hierarchy(self._space)
        )
        loss = HierarchicalLoss(hierarchy, [1.0] * len(hierarchy.assignments), device.torch_device)
        network = build(self._space, self._contents, hierarchy)
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
        filters = network.recognizer.prunable_filters()
        pruning, search = self._space.pruning, self._space.search
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


def open_prepared(space: Space, store: ClipStore, device: str) -> tuple[Device, Feed]:
    """What a trial would work with.

    Raises:
        InputError: where space and clips do not fit together.
    """
    trial = open_trial(
        space.setting(FLAT_CHOICE, seed=0),
        clips=store,
        stages=StageStore(store.folder),  # neither read nor written
        reporter=Reporters(),
        device=device,
        num_threads=_num_threads(),
    )
    return trial.context.device, trial.feed


def open_made_up(space: Space, device_name: str) -> tuple[Device, Feed]:
    """The same, of made-up clips in the form of the space's."""
    num_threads, numerics, clips = _num_threads(), space.numerics, space.clips
    device = open_device(
        device_name,
        precision=numerics.precision,
        deterministic=numerics.deterministic,
        compile_network=numerics.compile,
        num_threads=num_threads,
    )
    contents, batch_size = contents_of(space), space.optimisation.batch_size
    rows = np.arange(_MOST_BATCHES * batch_size)
    store = MadeUpClips.of(
        len(rows),
        num_classes=space.num_classes,
        size_px=_PREPARED_PX,
        channels=contents.channels or 3,
        joint_layout=contents.joint_layout,
    )
    feed = Feed(
        open_form(clips, store, contents),
        Split(rows, rows, rows),
        test_sets=clips.test_sets,
        batch_size=batch_size,
        device=device.torch_device,
        num_threads=num_threads,
    )
    return device, feed


def build(space: Space, contents: Contents, hierarchy: Hierarchy) -> HierarchicalRecognizer:
    """The space's recognizer with random weights, which cost as much as any."""
    recognizer = space.recognizer
    return build_recognizer(
        recognizer.name,
        num_classes=space.num_classes,
        superclasses=hierarchy.num_superclasses[:-1],
        **network_options(recognizer, space.clips, contents),
    )


def any_hierarchy(space: Space) -> Hierarchy:
    """Superclasses of neighbouring classes: what they hold costs nothing."""
    num_classes, counts = space.num_classes, space.allowed_counts[: space.search.levels]
    levels = [[label * count // num_classes for label in range(num_classes)] for count in counts]
    return Hierarchy.from_lists([*levels, range(num_classes)])


@dataclass(frozen=True, slots=True)
class PublishedContents:
    """What a dataset's clips hold, prepared or not. Implements core.stages.forms.Contents."""

    channels: int
    joint_layout: str


def contents_of(space: Space) -> PublishedContents:
    """What the clips of a space's dataset hold."""
    reader = open_dataset(space.dataset, modality=space.clips.modality)
    return PublishedContents(reader.channels, reader.joint_layout.name)


def _num_threads() -> int:
    """Cores beside one accelerator; without any a trial holds one core, as it does in a sweep."""
    cores = os.cpu_count() or 1
    return max(1, cores // torch.accelerator.device_count()) if torch.accelerator.is_available() else 1


def device_text(device: Device) -> str:
    """How people know a device."""
    if device.torch_device.type == "cpu":
        return "one core of this machine"
    is_cuda = device.torch_device.type == "cuda"
    return torch.cuda.get_device_name(device.torch_device) if is_cuda else str(device.torch_device)
