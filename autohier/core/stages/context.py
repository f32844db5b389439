"""Stage context (store, clips, device, callback) and training job of a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from autohier.config.trial.training import HeadPlacement, OptimisationSettings
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.stages.builders import open_clip_input
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.checks.started_clips import started_clips_text
from autohier.core.stages.executor import Executor
from autohier.core.stages.inputs import BaseInputs, NetworkInputs
from autohier.core.stages.setup.splits import split_for
from autohier.core.stages.setup.starting_weights import Start, read_starts
from autohier.core.stages.store.single_flight import NO_LEASES, Leases
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import Device
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.models import build_recognizer, count_parameters
from autohier.models.hierarchical import HierarchicalRecognizer


@dataclass(frozen=True, slots=True)
class StageContext:
    """Store, clips, device and callback that every stage uses.

    It holds no settings: a stage reads its settings from its inputs alone, so that its key covers them.
    """

    store: StageStore
    clips: ClipStore
    """The clips whose fingerprint is BaseInputs.data."""
    device: Device
    """The device whose numerics are BaseInputs.numerics."""
    callback: TrialCallback
    num_threads: int = 1
    weights_path: Path | None = None
    """The 2D weights that NetworkInputs.weights_sha256 names."""
    start_paths: Mapping[str, Path] = field(default_factory=dict)
    """Stage folder or file of the starting weights that NetworkInputs.start_sha256 names, by pathway."""
    leases: Leases = NO_LEASES
    """Decides which process trains a stage that several processes need."""
    executor: Executor | None = None
    """Computes in other processes; None computes in this one."""

    def data_loader(self, base: BaseInputs, optimisation: OptimisationSettings) -> DataLoader:
        """Return the data loader of a stage, with the split and the frame sampling of its inputs."""
        return DataLoader(
            open_clip_input(base.clips, self.clips, self.clips.manifest),
            split_for(self.clips, base.training_clips),
            test_sets=base.clips.test_sets,
            test_flip=base.clips.test_flip,
            batch_size=optimisation.batch_size,
            device=self.device.torch_device,
            num_threads=self.num_threads,
            repeats=optimisation.repeats,
        )

    def build(
        self, network: NetworkInputs, hierarchy: Hierarchy, *, seed: int, heads: HeadPlacement = "stacks"
    ) -> HierarchicalRecognizer:
        """Build a recognizer with a head for every level of a hierarchy, untrained."""
        return self.build_headed(network, hierarchy.num_superclasses, seed=seed, heads=heads)

    def build_headed(
        self, network: NetworkInputs, num_outputs: Sequence[int], *, seed: int, heads: HeadPlacement
    ) -> HierarchicalRecognizer:
        """Build a recognizer with heads of these numbers of outputs, coarse to fine.

        It is untrained, or starts from the 2D weights or the starting weights that its inputs name.

        Raises:
            InputError: if these do not fit.
        """
        built = build_recognizer(
            network.name,
            num_classes=num_outputs[-1],
            superclasses=num_outputs[:-1],
            heads=heads,
            weights=self.weights_path if network.weights_sha256 else None,
            inflation=network.inflation,
            seed=seed,
            **network.options,
        )
        if self.start_paths:
            self._fit_start(built, network)
        return built

    def describe_start(self, network: NetworkInputs, bases: Sequence[BaseInputs]) -> str:
        """Return what a recognizer starts from, a line for each pathway; empty for random weights.

        Warnings follow if the weights were trained on clips that the trial measures.

        Args:
            network: the recognizer.
            bases: inputs of the trial, or of each of its folds.

        Raises:
            InputError: if the starting weights do not fit.
        """
        if not self.start_paths:
            return ""
        built = build_recognizer(network.name, num_classes=network.num_classes, seed=0, **network.options)
        start, text = self._fit_start(built, network)
        trained_on = [weights.trained_on for weights in start.of_pathways.values()]
        warnings = [started_clips_text(clips, self.clips, bases) for clips in trained_on]
        return "\n".join([text, *filter(None, dict.fromkeys(warnings))])

    def _fit_start(self, built: HierarchicalRecognizer, network: NetworkInputs) -> tuple[Start, str]:
        """Load the starting weights into a recognizer, and return them with what was loaded."""
        start, layout = read_starts(self.start_paths, network.name), network.options.get("layout")
        if start.digest_for(layout) != network.start_sha256:
            raise InputError(
                "recognizer.start must not change while a trial runs",
                got=f"another content of {', '.join(map(str, self.start_paths.values()))}",
                hint="put the weights back, or start a new trial",
            )
        return start, start.fit_into(built, layout)

    def count_parameters(
        self, network: NetworkInputs, superclasses: Sequence[int], heads: HeadPlacement
    ) -> int:
        """Return the number of parameters of a recognizer that is not built; see `build_headed`."""
        return count_parameters(
            network.name,
            num_classes=network.num_classes,
            superclasses=superclasses,
            heads=heads,
            **network.options,
        )


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Network in its starting state, and the settings of its training."""

    network: HierarchicalRecognizer
    hierarchy: Hierarchy
    weights: tuple[float, ...]
    """Loss weight of every head."""
    optimisation: OptimisationSettings
    epochs: int
    rates: tuple[float, ...]
    """Learning rate of every epoch; empty if the schedule decides."""
    seed: int
    after_step: Callable[[], None] = lambda: None
    """Called after every optimizer step."""
    extra_tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors to store together with the network's weights."""
