"""Stage kinds: the steps of a trial, e.g. pass 1, as classes that packages can add.

A package adds a kind through an entry point of the group ``autohier.stage_kinds`` that names an
`autohier.extensions.Extension` whose builder is a subclass of `StageKind`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from autohier.config.trial.hyperparameters import Hyperparameters
    from autohier.config.trial.trial_config import TrialConfig
    from autohier.core.hierarchy.hierarchy import Hierarchy
    from autohier.core.stages.context import StageContext, TrainingJob
    from autohier.core.stages.inputs import BaseInputs, StageInputs
    from autohier.core.stages.result import StageResult


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """Inputs of a stage, and the function that prepares its training."""

    inputs: StageInputs
    """Everything that the result of the stage depends on. The stage key is a digest of the inputs."""
    prepare: Callable[[StageContext], TrainingJob]
    """Builds the training job. It reads the inputs and the parents' weights, and nothing else.

    Raises StageDamagedError if the weights of a parent are missing or damaged.
    """


class StageKind(ABC):
    """One kind of stage, e.g. pass 1.

    A kind has no state: all instances of a class are equal, and an instance may be pickled. Every method is a
    pure function of its arguments. ``ancestors`` are the earlier stages of the trial, oldest first; a stage
    starts from the weights of the last, or of those that `StageInputs.parents` names.
    """

    name: ClassVar[str]
    """Lower case letters, digits and hyphens: a folder of the stage store, and ``kind`` in the records."""
    version: ClassVar[int]
    """Bump when the kind computes something else, so that stages of the old version are not reused."""
    is_flat: ClassVar[bool] = False
    """True for a network with one head, before the stages with superclasses: pass 1, or a base of `joint`."""
    is_pruning: ClassVar[bool] = False
    """True if the stage prunes filters; ``pass_index`` counts such stages."""
    frozen: ClassVar[tuple[str, ...]] = ()
    """Modules of the recognizer that the stage does not train; "" is all of it. Their parameters and buffers
    stay as the parents' are, and their batch norms compute as in evaluation."""

    @property
    def starts_chain(self) -> bool:
        """True for the first stage with superclasses, e.g. pass 2, which pruning passes follow."""
        return not self.is_flat and not self.is_pruning

    def label(self, pass_index: int) -> str:  # noqa: ARG002
        """Return the display name, e.g. "pass 1" or "prune 3"."""
        return self.name.replace("-", " ")

    def own_config(self, config: TrialConfig) -> TrialConfig:
        """Return the trial's config with the network and the clips that the stage trains."""
        return config

    def target_level(self, num_levels: int) -> int:
        """Return the level that the last head scores: 0 is the coarsest, the last are the classes."""
        return num_levels - 1

    def own_hierarchy(self, hierarchy: Hierarchy) -> Hierarchy:
        """Return what the stage trains of the hierarchy of the trial's last stage."""
        return hierarchy.level(self.target_level(len(hierarchy.assignments))) if self.is_flat else hierarchy

    @abstractmethod
    def epochs(self, config: TrialConfig) -> int:
        """Return the number of epochs of the stage, per fold."""

    @abstractmethod
    def sampled(self, params: Hyperparameters) -> tuple[object, ...]:
        """Return the sampled values that the result depends on.

        Two trials of one sweep and seed share the stage if these and the pass index are equal.
        """

    @abstractmethod
    def hierarchy(
        self, config: TrialConfig, ancestors: Sequence[StageResult], given: Mapping[int, tuple[int, ...]]
    ) -> Hierarchy:
        """Return the hierarchy of superclasses to train the stage with.

        Args:
            config: the trial's config.
            ancestors: earlier stages of the trial.
            given: the dataset's own superclasses by their number; empty unless the config uses them.
        """

    @abstractmethod
    def plan(
        self,
        config: TrialConfig,
        base: BaseInputs,
        ancestors: Sequence[StageResult],
        hierarchy: Hierarchy,
        rates: tuple[float, ...],
    ) -> PlannedStage:
        """Collect the inputs of the stage.

        Args:
            config: the trial's config.
            base: inputs that all stages of a trial share, with the network and the clips of `own_config`.
            ancestors: earlier stages of the trial.
            hierarchy: superclasses to train with.
            rates: learning rate of every epoch; empty if the schedule decides.
        """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"<stage kind {self.name}>"


def values_without(values: Sequence[object], names: Collection[str]) -> tuple[object, ...]:
    """Return sampled values without the settings of these names, which a stage does not read.

    Args:
        values: of a config, of which searched settings are tuples of pairs of name and value.
        names: names of settings, e.g. "recognizer.width".
    """
    return tuple(
        tuple(pair for pair in value if pair[0] not in names) if isinstance(value, tuple) else value
        for value in values
    )
