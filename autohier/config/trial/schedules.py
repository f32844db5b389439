"""Learning-rate schedules: their settings, and the registry that packages extend.

A package adds a schedule through an entry point of the group ``autohier.learning_rate_schedules``. The entry
point names an `autohier.extensions.Extension` whose builder is a `ScheduleBuilder` of
`autohier.core.training.schedules`, and whose settings class is a subclass of `ScheduleSettings`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt

from autohier.config.frozen import FrozenModel
from autohier.errors import InputError
from autohier.extensions import Extension, Registry

Fraction = Annotated[float, Field(gt=0, lt=1)]


class ScheduleSettings(FrozenModel):
    """Options of a schedule; the builder receives them as keyword arguments.

    An option that is also a setting of ``[optimisation]`` takes its value from there. Stage keys hold the
    options of the schedule in use only.
    """

    follows_validation: ClassVar[bool] = False
    """True if the rate depends on the validation loss. A refit, which has no validation clips, then repeats
    the rates of the trial."""


class PlateauSettings(ScheduleSettings):
    """Options of plateau."""

    follows_validation = True
    lr_patience: PositiveInt = 2
    """Epochs without a lower validation loss before the rate drops."""
    lr_factor: Fraction = 0.1
    """Factor of the rate when it drops."""


class MultiStepSettings(ScheduleSettings):
    """Options of multi-step."""

    lr_steps: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.6, 0.8)
    """Shares of a stage's epochs after which the rate drops."""
    lr_factor: Fraction = 0.1
    """Factor of the rate when it drops."""


SCHEDULES = Registry(
    "autohier.learning_rate_schedules",
    "learning-rate schedule",
    {
        "plateau": Extension("autohier.core.training.schedules:plateau", PlateauSettings),
        "cosine": Extension("autohier.core.training.schedules:cosine", ScheduleSettings),
        "multi-step": Extension("autohier.core.training.schedules:multi_step", MultiStepSettings),
        "one-cycle": Extension("autohier.core.training.schedules:one_cycle", ScheduleSettings),
    },
)


def find_schedule_settings(name: str) -> type[ScheduleSettings]:
    """Return the settings class of a schedule.

    Raises:
        InputError: if the schedule is unknown, or its settings class is not a `ScheduleSettings`.
    """
    settings = SCHEDULES.find(name).settings or ScheduleSettings
    if not issubclass(settings, ScheduleSettings):
        raise InputError(
            f"the settings of learning-rate schedule {name!r} must be a subclass of ScheduleSettings",
            got=settings.__name__,
            hint="fix the package that registers it",
        )
    return settings
