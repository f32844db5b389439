"""A linear learning-rate schedule. Importing this package does not import torch."""

from typing import Annotated

from pydantic import Field

from autohier.config.trial.schedules import ScheduleSettings
from autohier.extensions import Extension


class LinearSettings(ScheduleSettings):
    """Options of linear."""

    end: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of the initial rate in the last epoch."""


extension = Extension("autohier_linear.schedule:build", LinearSettings)
