"""Plan and provenance of a sweep: the content of its ``sweep.json``."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, ValidationInfo, field_validator

from autohier.config.frozen import FrozenModel
from autohier.config.plain_names import check_plain_name
from autohier.config.scaling import MeasuredScaling, check_scaling
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep_extensions import SAMPLERS, TRIAL_SCHEDULERS
from autohier.errors import InputError
from autohier.text import plural

SQLITE: Final = "sqlite:///"
"""Storage URLs of database files, before the path."""
SWEEP_NAME_MARKS: Final = "._-"
LOCAL_CLIPS_VARIABLE: Final = "AUTOHIER_LOCAL_CLIPS"
"""Environment variable with the folder of copies of the clips on a machine, if the plan names none."""
ChoiceRule = Literal["cautious", "model", "highest"]
DecisionRule = Literal["fresh", "pooled"]
_DEFAULT_TRIALS: Final = 32
UNLIMITED_TRIALS: Final = 10_000
"""Number of trials of a search that its budget ends."""
_SEARCH_SHARE: Final = 0.8
"""An automatic confirmation trains at most a quarter of the search's epochs."""


def default_trials(budget_epochs: int | None, budget_hours: float | None) -> int:
    """Return the number of trials of a search that is not given one."""
    return UNLIMITED_TRIALS if budget_epochs or budget_hours else _DEFAULT_TRIALS


def finished_text(num_finished: int, target: int) -> str:
    """Return how many trials have ended: "7 of 64 trials", or "7 trials" if only a budget limits them."""
    if target >= UNLIMITED_TRIALS:
        return plural(num_finished, "trial")
    return f"{num_finished} of {plural(target, 'trial')}"


class SweepPlan(FrozenModel):
    """Plan of a sweep: the space, how it is searched, and the machines it runs on."""

    name: str
    """Name of the sweep and of its folder."""
    space: SearchSpace
    """Search space, with --set overrides applied."""
    trials: Annotated[PositiveInt, Field(le=100_000)]
    """Number of trials in the sweep; ``resume --trials`` raises it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the sampler, and of all trials."""
    sampler: str = "tpe"
    """Registered name of the sampler; see `SAMPLERS`."""
    scheduler: str = "successive-halving"
    """Registered name of the trial scheduler, which stops weak trials at rungs; see `TRIAL_SCHEDULERS`."""
    choose: ChoiceRule = "cautious"
    """What ranks the trials: the estimates of a noise model, or the highest measured value. cautious takes
    the estimates, but the first initial config wins unless another is better with enough certainty."""
    budget_epochs: PositiveInt | None = None
    """Epochs that the search and its confirmation may train; None sets no limit."""
    budget_hours: PositiveFloat | None = None
    """Hours of training, summed over trials, of the search and its confirmation; None sets no limit."""
    confirm: str = "auto"
    """How the best trials are confirmed with fresh seeds: "4x2" (the best four with two seeds each), auto or
    none."""
    decide: DecisionRule = "pooled"
    """What decides among confirmed trials: fresh seeds alone, or the model of fresh and searched seeds."""
    refits: PositiveInt = 1
    """Number of refits of the winner, each with another seed, whose mean test accuracy is the result."""
    callbacks: tuple[str, ...] = ()
    """Names of the installed callbacks that every trial calls."""
    warm_from: tuple[str, ...] = ()
    """Folders of earlier sweeps whose results the study starts with. This path and the following ones are
    absolute; in ``sweep.json`` those in ``--out`` are relative to it."""
    storage: str | None = None
    """Optuna storage URL; None keeps the study in the sweep's own journal file."""
    study_name: str
    """Name of the Optuna study, unique among the sweeps that share a storage."""
    data_folder: str
    """Folder of prepared datasets."""
    clips_fingerprint: str | None = None
    """Fingerprint of the clip store that the sweep started with."""
    weights_sha256: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the 2D weights or the starting weights that the sweep started with, by variant."""
    num_shared_test_clips: Annotated[int, Field(ge=0)] = 0
    """Number of test clips with the content of a clip that trains."""
    num_left_out_clips: Annotated[int, Field(ge=0)] = 0
    """Number of training clips that are left out, as they have the content of a test clip."""
    stage_folder: str
    """Folder of the stage store, shared by the sweeps in one output folder."""
    local_clips: str | None = None
    """Folder on every machine's own disk to which the clips are copied; None takes the one in the machine's
    environment, and without any the clips are read where they are."""
    parallel: PositiveInt | None = None
    """Trials that run at a time; None runs all that the machines hold."""
    cpus_per_trial: PositiveFloat | None = None
    """CPU cores per trial; None takes one or, if trials hold GPUs, a trial's share of the machine's cores."""
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    """GPUs per trial; None takes one if there is any."""
    scaling: Annotated[str, AfterValidator(check_scaling)] | None = None
    """Width and efficiency of data-parallel stages, "8:0.8", on accelerators that are lent stage by stage;
    "measure" finds them when the sweep starts. None has every trial hold its accelerators for as long as it
    runs."""
    measured_scaling: MeasuredScaling | None = None
    """Scaling that a driver measured; a later driver on the same machines takes it over."""
    failures_in_a_row: PositiveInt = 5
    """Failure limit: consecutive failures of one class that stop the sweep, as their cause is not the
    config."""
    ray_address: str | None = None
    """Address of a running Ray cluster; None starts Ray on this machine."""

    @property
    def limits_text(self) -> str:
        """Text of what ends the search, e.g. "64 trials or 500 epochs"."""
        trials = "" if self.trials >= UNLIMITED_TRIALS and self.has_budget else plural(self.trials, "trial")
        epochs = plural(self.budget_epochs, "epoch") if self.budget_epochs else ""
        hours = f"{self.budget_hours:g} hours of training" if self.budget_hours else ""
        return " or ".join(text for text in (trials, epochs, hours) if text)

    @property
    def has_budget(self) -> bool:
        """True if a number of epochs or hours may end the search."""
        return self.budget_epochs is not None or self.budget_hours is not None

    @property
    def search_share(self) -> float:
        """Share of the budget that the search may use; the rest is for the confirmation."""
        return 1.0 if self.confirm == "none" else _SEARCH_SHARE

    @field_validator("name")
    @classmethod
    def _check_not_reserved(cls, name: str) -> str:
        if name in {"stages", "fusions"}:
            raise ValueError(f"{name!r} is the folder of all {name}; choose another name")
        return check_plain_name(name, marks=SWEEP_NAME_MARKS)

    @field_validator("confirm")
    @classmethod
    def _check_confirm(cls, confirm: str) -> str:
        if re.fullmatch(r"auto|none|[1-9]\d{0,3}x[1-9]\d{0,3}", confirm) is None:
            raise ValueError(
                f"must be auto, none, or numbers of trials and of seeds, but got {confirm!r}: write e.g. 4x2"
            )
        return confirm

    @field_validator("sampler", "scheduler")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        registry = SAMPLERS if info.field_name == "sampler" else TRIAL_SCHEDULERS
        try:
            registry.find(name)
        except InputError as error:
            raise ValueError(str(error)) from error
        return name

    @field_validator("space")
    @classmethod
    def _check_variants_differ(cls, space: SearchSpace) -> SearchSpace:
        try:
            space.require_different_variants()
        except InputError as error:
            raise ValueError(str(error)) from error
        return space

    @field_validator("ray_address")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if address and "://" in address:
            raise ValueError(
                f"write the cluster's address as host:port, on one of its machines, not as {address}"
            )
        return address


class DataOrigin(FrozenModel):
    """Clips of a sweep, and the source files that they were prepared from."""

    store: str
    """Folder of the clip store."""
    fingerprint: str
    """Fingerprint of the clip store."""
    source: str | None = None
    """Folder or file that the store was prepared from; None if the store does not say."""
    source_digest: str | None = None
    """Digest over the labels, the sizes of the videos and the content of the skeletons of the source."""


class Provenance(FrozenModel):
    """Code, environment, machine, data and command that a sweep's numbers come from."""

    autohier: str
    """Version of autohier."""
    python: str
    """Version of Python."""
    torch: str
    """Version of PyTorch."""
    ray: str
    """Version of Ray."""
    optuna: str
    """Version of Optuna."""
    extensions: dict[str, str] = Field(default_factory=dict)
    """Package and version of every extension, by kind and name, e.g. "sampler tpe"."""
    git_commit: str | None
    """Commit of autohier's own code, with ``+changes`` if its checkout had uncommitted ones; None if the
    package was installed without a commit, i.e. as a release."""
    environment: str | None = None
    """Digest over the name and version of every installed package."""
    devices: tuple[str, ...] = ()
    """Accelerators of the machine that started the sweep, with their driver; without any the processor."""
    data: DataOrigin | None = None
    """Clips and their source."""
    command: tuple[str, ...]
    """Command line that started the sweep."""
    created_at: str
    """UTC, ISO 8601."""
