"""Measuring the time of a clip in each kind of stage, on the device that trials would use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Final

import numpy as np
import torch

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.failures import is_out_of_memory
from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import FilterMasks, choose_filters
from autohier.core.stages.builders import (
    network_options,
    open_clip_input,
    optimizer_builder,
    schedule_builder,
)
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.clip_readings import Clips, Contents
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.setup.trial_setup import open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import Device, open_device
from autohier.core.training.evaluation import evaluate
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.data.datasets.registry import open_dataset
from autohier.data.inputs.shapes import shapes_of
from autohier.data.inputs.synthetic import SyntheticClips
from autohier.data.joint_layout import JointLayout
from autohier.data.splits import Split
from autohier.data.store.reader import ClipStore
from autohier.errors import OutOfMemoryError
from autohier.machine import usable_cores
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer

_PREPARED_PX = 256
"""Shorter side of the frames that `autohier prepare` writes."""
_MAX_BATCHES = 4
_SMALL_PX = 64
"""Below this size a clip may be pooled to a single value, for which batch norm has no deviation."""
_MAX_EPOCH_S = 1.0
"""Time that an epoch of the measured clips should take on a CPU; one of a single clip may take longer."""
_EPOCHS = 3
"""Epochs of a measurement: the first one warms the device up, the fastest of the others counts."""
_TINY_RATE = 1e-12
"""Learning rate at which no loss diverges."""


@dataclass(frozen=True, slots=True)
class ClipTime:
    """Seconds per clip in training and in validation."""

    training_s: float
    validation_s: float


class Profiler:
    """Measures every kind of stage on the same clips.

    Args:
        space: search space of the sweep.
        device: of the trials.
        data_loader: of all clips.
        store: the clips.
        contents: modality of the clips.
    """

    def __init__(
        self, space: SearchSpace, device: Device, data_loader: DataLoader, store: Clips, contents: Contents
    ) -> None:
        self._space, self._device, self._data_loader = space, device, data_loader
        self._store, self._contents = store, contents
        smallest_px = min(shape[-1] for shape in shapes_of(data_loader.clip_shape))
        self._min_clips = 1 if smallest_px >= _SMALL_PX else 2
        self._measured: dict[StageKind, ClipTime] = {}
        self._epochs = _EPOCHS
        self.num_clips = min(_MAX_BATCHES * data_loader.batch_size, data_loader.num_clips("train"))
        """Training clips of a measurement."""

    def limit_clips(self, kind: StageKind) -> None:
        """Measure with fewer clips if the device is slow, so that an epoch of a kind takes about a second."""
        max_clips, self.num_clips = self.num_clips, min(self._min_clips, self.num_clips)
        trial = self._measure(kind, epochs=1)
        if trial.training_s * self.num_clips > _MAX_EPOCH_S:
            self._measured[kind], self._epochs = trial, 1
            return
        affordable = _MAX_EPOCH_S / self.clip_time(kind).training_s
        self.num_clips = max(self.num_clips, min(int(affordable), max_clips))

    def clip_time(self, kind: StageKind) -> ClipTime:
        """Return the time of a clip in a kind of stage.

        Raises:
            OutOfMemoryError: if a batch does not fit into memory; a sweep would train it in micro-batches.
        """
        if kind in self._measured:
            return self._measured[kind]
        try:
            return self._measure(kind, epochs=self._epochs)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"a batch of {kind.label(1)} must fit into memory to be measured",
                got=f"{self._space.optimisation.batch_size} clips",
                hint="measure with half the batch size, as a sweep would: --set optimisation.batch_size=...",
            ) from error

    def _measure(self, kind: StageKind, *, epochs: int) -> ClipTime:
        config = kind.own_config(self._space.config(FLAT_PARAMS, seed=0))
        space = self._space.model_copy(update={"recognizer": config.recognizer, "clips": config.clips})
        optimisation, device, data_loader = space.optimisation, self._device, self._few_clips()
        if space.clips != self._space.clips:
            clip_input = open_clip_input(space.clips, self._store, self._contents)
            data_loader = replace(data_loader, clip_input=clip_input)
        hierarchy = kind.own_hierarchy(example_hierarchy(space))
        network = build(space, self._contents, hierarchy)
        loss = HierarchicalLoss(
            hierarchy,
            [1.0] * len(hierarchy.assignments),
            device.torch_device,
            pathway_weights=network.pathway_weights,
        )
        masks = self._masks(network) if kind.is_pruning else None
        history = train(
            device.prepare(network),
            data_loader,
            loss,
            epochs=epochs,
            optimizer=optimizer_builder(optimisation.starting_at(_TINY_RATE)),
            schedule=schedule_builder(optimisation),
            seed=0,
            after_step=partial(masks.apply, network.recognizer.prunable_filters()) if masks else _nothing,
            autocast=device.autocast,
            clip_norm=optimisation.clip_norm,
            frozen=[network.recognizer.get_submodule(name) for name in kind.frozen],
        )
        epoch_s = min(metrics.seconds for metrics in history[1:] or history)
        validation_s = min(
            self._validation_seconds(network, data_loader, loss) for _ in history[1:] or history
        )
        validation_clip_s = validation_s / data_loader.num_clips("validation")
        training_clip_s = (epoch_s - validation_s) / data_loader.clips_per_epoch
        # Training includes a forward pass; if it seems faster, other processes slowed the validation.
        return ClipTime(max(training_clip_s, validation_clip_s), validation_clip_s)

    def _validation_seconds(
        self, network: HierarchicalRecognizer, data_loader: DataLoader, loss: HierarchicalLoss
    ) -> float:
        started = perf_counter()
        evaluate(network, data_loader, "validation", loss, num_sets=1, autocast=self._device.autocast)
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

    def _few_clips(self) -> DataLoader:
        split = self._data_loader.split
        few = replace(
            split, train=split.train[: self.num_clips], validation=split.validation[: self.num_clips]
        )
        return replace(self._data_loader, split=few)


def _nothing() -> None:
    """Do nothing after a step of a stage that is not pruned."""


def open_prepared(space: SearchSpace, store: ClipStore, device: str) -> tuple[Device, DataLoader]:
    """Open the device and the data loader of a trial.

    Raises:
        InputError: if search space and clips do not fit together.
    """
    config = space.config(FLAT_PARAMS, seed=0)
    # An epoch takes as long from starting weights.
    untrained = config.recognizer.model_copy(update={"start": None})
    trial = open_trial(
        config.model_copy(update={"recognizer": untrained}),
        clips=store,
        stages=StageStore(store.folder),  # neither read nor written
        callback=CallbackList(),
        device=device,
        num_threads=_num_threads(),
    )
    return trial.context.device, trial.data_loader


def synthetic_clips(space: SearchSpace) -> SyntheticClips:
    """Generate clips of a search space whose dataset is not prepared."""
    contents = contents_of(space)
    return SyntheticClips.generate(
        _MAX_BATCHES * space.optimisation.batch_size,
        num_classes=space.num_classes,
        size_px=_PREPARED_PX,
        channels=contents.channels or 3,
        layout=contents.layout,
    )


def open_synthetic(
    space: SearchSpace, device_name: str, store: Clips | None = None
) -> tuple[Device, DataLoader]:
    """Open a device and a data loader of synthetic clips with the clip input of the search space."""
    num_threads, numerics, clips = _num_threads(), space.numerics, space.clips
    device = open_device(
        device_name,
        precision=numerics.precision,
        deterministic=numerics.deterministic,
        compile_network=numerics.compile,
        num_threads=num_threads,
    )
    contents, batch_size = contents_of(space), space.optimisation.batch_size
    rows = np.arange(_MAX_BATCHES * batch_size)
    data_loader = DataLoader(
        open_clip_input(clips, store or synthetic_clips(space), contents),
        Split(rows, rows, rows),
        test_sets=clips.test_sets,
        test_flip=clips.test_flip,
        batch_size=batch_size,
        device=device.torch_device,
        num_threads=num_threads,
    )
    return device, data_loader


def build(space: SearchSpace, contents: Contents, hierarchy: Hierarchy) -> HierarchicalRecognizer:
    """Build the search space's recognizer with random weights."""
    recognizer = space.recognizer
    return build_recognizer(
        recognizer.name,
        num_classes=hierarchy.num_targets,
        superclasses=hierarchy.num_superclasses[:-1],
        heads=space.pass_2.heads,
        **network_options(recognizer, space.clips, contents),
    )


def example_hierarchy(space: SearchSpace) -> Hierarchy:
    """Return superclasses of neighboring classes; which classes they hold does not change the cost."""
    num_classes, counts = space.num_classes, space.allowed_counts[: space.search.levels]
    levels = [[label * count // num_classes for label in range(num_classes)] for count in counts]
    return Hierarchy.from_lists([*levels, range(num_classes)])


@dataclass(frozen=True, slots=True)
class PublishedContents:
    """Channels and joints of a dataset's clips. Implements `core.stages.builders.Contents`."""

    channels: int
    layout: JointLayout


def contents_of(space: SearchSpace) -> PublishedContents:
    """Return the channels and joints of the clips of a search space."""
    reader = open_dataset(space.dataset, modality=space.clips.modality)
    return PublishedContents(reader.channels, reader.joint_layout)


def _num_threads() -> int:
    """Return the cores per accelerator; without accelerators one, as for a trial of a sweep."""
    cores = usable_cores()
    return max(1, cores // torch.accelerator.device_count()) if torch.accelerator.is_available() else 1


CPU_NAME: Final = "one core of this machine"


def device_text(device: Device) -> str:
    """Return the name of a device, for messages."""
    if device.torch_device.type == "cpu":
        return CPU_NAME
    is_cuda = device.torch_device.type == "cuda"
    return torch.cuda.get_device_name(device.torch_device) if is_cuda else str(device.torch_device)
