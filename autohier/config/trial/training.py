"""Settings of training: optimisation, the stages of a trial, and numerics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from autohier.config.frozen import FrozenModel, validate
from autohier.config.key_defaults import KeyDefault
from autohier.config.trial.overrides import Overrides
from autohier.config.trial.schedules import Fraction, ScheduleSettings, find_schedule_settings
from autohier.errors import InputError

NumEpochs = Annotated[PositiveInt, Field(le=1_000_000)]


HeadPlacement = Literal["stacks", "last"]
"""Features that the heads read: that of one stack each, the last ones of the network, or all the last."""


class OptimisationSettings(FrozenModel):
    """Optimizer, regularization and learning-rate schedule of all stages; each stage starts with new ones."""

    optimizer: Annotated[Literal["adam", "sgd"], KeyDefault("adam")] = "adam"
    """adam, or sgd with momentum."""
    momentum: Annotated[float, Field(ge=0, lt=1), KeyDefault(0.9)] = 0.9
    """sgd: momentum."""
    nesterov: Annotated[bool, KeyDefault(True)] = True
    """sgd: Nesterov's momentum, which looks one step ahead."""
    batch_size: Annotated[PositiveInt, Field(le=1_000_000)] = 16
    """Clips per training step."""
    repeats: Annotated[PositiveInt, Field(le=10_000), KeyDefault(1)] = 1
    """Times that an epoch reads each training clip, with new frames and augmentation each time (PYSKL:
    RepeatDataset)."""
    learning_rate: PositiveFloat = 1e-4
    """Initial learning rate of a stage (one-cycle: the highest); pass_2 and pruning may set their own."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay: the factor of the l2 term that is added to the gradient."""
    clip_norm: Annotated[PositiveFloat | None, KeyDefault(None)] = None
    """Gradient clipping: largest l2 norm of the gradient of all weights together; None does not clip."""
    dropout: Annotated[float, Field(ge=0, lt=1), KeyDefault(0.0)] = 0.0
    """Probability that a channel of a stack's feature is dropped before its head, in training."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1), KeyDefault(0.0)] = 0.0
    """Share of each training target that is spread evenly over all classes, or superclasses, of its head. The
    validation loss is not smoothed."""
    class_weights: Annotated[Literal["equal", "balanced"], KeyDefault("equal")] = "equal"
    """Weights of training clips in the loss. balanced: all classes, or superclasses, of a head weigh the
    same; a clip of a class with n of the N clips, where S classes have clips, weighs N / (S n)."""
    schedule: str = "plateau"
    """plateau lowers the rate when the validation loss stalls (HAC); cosine lowers it to zero in a stage;
    multi-step lowers it after lr_steps; one-cycle raises it to learning_rate first, for networks that start
    from random weights. Packages may add others."""
    lr_patience: PositiveInt = 2
    """plateau: epochs without a lower validation loss before the rate drops."""
    lr_factor: Fraction = 0.1
    """plateau, multi-step: factor of the rate when it drops."""
    lr_steps: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.6, 0.8)
    """multi-step: shares of a stage's epochs after which the rate drops: (0.6, 0.8) of 20 are 12 and 16."""
    warmup_epochs: Annotated[int, Field(ge=0), KeyDefault(0)] = 0
    """Warm-up: in the first n epochs of a stage, at most half of them, the rate of the schedule is multiplied
    by 1/n, 2/n, ..., n/n. one-cycle has its own."""
    schedule_options: Overrides = ()
    """Options of a schedule from an installed package, by name."""

    @model_validator(mode="after")
    def _check_pairs(self) -> OptimisationSettings:
        # Rules relate two settings each, so that a space can check all values of searched settings in pairs.
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0, but got 0; set nesterov=false")
        if self.warmup_epochs and self.schedule == "one-cycle":
            raise ValueError(
                f"one-cycle has a warm-up of its own, but got warmup_epochs={self.warmup_epochs}; "
                "set it to 0, or choose another schedule"
            )
        return self

    @model_validator(mode="after")
    def _schedule_is_known(self) -> OptimisationSettings:
        try:
            self.schedule_settings  # noqa: B018  built to be checked
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def schedule_settings(self) -> ScheduleSettings:
        """Options of the schedule.

        Raises:
            InputError: if the schedule or an option is unknown, or a value is invalid.
        """
        settings = find_schedule_settings(self.schedule)
        shared = {name: getattr(self, name) for name in ("lr_patience", "lr_factor", "lr_steps")}
        own = {name: value for name, value in shared.items() if name in settings.model_fields}
        return validate(settings, own | dict(self.schedule_options), origin="schedule_options")

    @property
    def follows_validation(self) -> bool:
        """True if the learning rate depends on the validation loss."""
        return find_schedule_settings(self.schedule).follows_validation

    def starting_at(self, learning_rate: float | None) -> OptimisationSettings:
        """Return a copy with another initial learning rate; None returns the settings unchanged."""
        return self if learning_rate is None else self.model_copy(update={"learning_rate": learning_rate})


class Pass1Settings(FrozenModel):
    """Pass 1: training with cross-entropy after the last stack only."""

    epochs: NumEpochs = 20
    """Epochs of pass 1."""
    attention_epochs: NumEpochs = 10
    """Epochs of the whole network before pass 2 in the recipe attention (P-I3D: 10), which learn the
    attention."""


class Pass2Settings(FrozenModel):
    """Pass 2: training with a weighted cross-entropy after every stack that has a head."""

    epochs: NumEpochs = 20
    """Epochs of pass 2."""
    learning_rate: PositiveFloat | None = None
    """Initial learning rate of pass 2; None takes optimisation.learning_rate."""
    heads: HeadPlacement = "stacks"
    """Features that the heads read. stacks: each level has a stack of its own (HAC); last: all levels read
    the last stack, as in multi-task learning."""
    start: Literal["pass-1", "initial"] = "pass-1"
    """Initial weights: those that pass 1 ended with, or those that it started from (HAC does not say)."""


class PruningSettings(FrozenModel):
    """Pruning: settings that all passes share; scope, ratio and pass count are sampled."""

    epochs: NumEpochs = 10
    """Epochs of retraining after each pruning pass."""
    learning_rate: PositiveFloat | None = None
    """Initial learning rate of each retraining; None takes optimisation.learning_rate."""
    norm: Literal["l2", "layer-mean"] = "l2"
    """Rank of a filter: its l2 norm (HAC), or its l2 norm divided by the mean norm of its layer."""
    floor: PositiveInt = 1
    """Smallest number of filters that a layer keeps."""
    ties: Literal["drop", "hold"] = "drop"
    """Stop rule for a pass below the best that equals the previous one: drop counts it as a bad pass; hold
    does not count it."""


class NumericsSettings(FrozenModel):
    """Numerics: settings that change the last bits of a result."""

    precision: Literal["float32", "bf16"] = "float32"
    """bf16: autocast on accelerators; the CPU always computes in float32."""
    deterministic: bool = True
    """Use deterministic kernels only."""
    compile: bool = False
    """Compile networks with torch.compile on accelerators."""
