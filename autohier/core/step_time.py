"""Time of a training step of a trial, by any number of processes that train together."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from autohier.core.stages.builders import optimizer_builder, schedule_builder
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.replicas import SOLO, Replicas
from autohier.core.trial import plan_pass_1

_WARM_UP = 2
"""First steps, which warm the device and the data loader up and do not count."""
_TINY_RATE = 1e-12
"""Learning rate at which no loss diverges."""


def time_step(
    trial: TrialSetup, num_steps: int, *, micro_batches: int = 1, replicas: Replicas = SOLO
) -> float:
    """Return the seconds of an optimizer step of the trial's first stage, with the reading of its clips.

    Nothing is stored. Every rank must call this with the same arguments.

    Args:
        trial: the trial.
        num_steps: number of steps to average over; a few more are trained to warm up.
        micro_batches: number of parts that each batch is computed in; see `train_epochs`.
        replicas: the processes that train together.

    Raises:
        LostProcessError: if another rank has ended.
    """
    kind, stage = plan_pass_1(trial)
    context, inputs = trial.of_kind(kind).context, stage.inputs
    job = stage.prepare(context)
    job.network.dropout.p = job.optimisation.dropout
    optimisation = job.optimisation.starting_at(_TINY_RATE)
    clock = _Clock(num_steps, context.device.torch_device)
    train(
        context.device.prepare(job.network),
        _steps_of(context.data_loader(inputs.base, inputs.optimisation), _WARM_UP + num_steps),
        HierarchicalLoss(
            job.hierarchy,
            job.weights,
            context.device.torch_device,
            label_smoothing=job.optimisation.label_smoothing,
            pathway_weights=job.network.pathway_weights,
        ),
        epochs=1,
        optimizer=optimizer_builder(optimisation),
        schedule=schedule_builder(optimisation),
        seed=job.seed,
        after_step=clock.after_step,
        autocast=context.device.autocast,
        micro_batches=micro_batches,
        clip_norm=job.optimisation.clip_norm,
        replicas=replicas,
        frozen=[job.network.recognizer.get_submodule(name) for name in kind.frozen],
    )
    return clock.step_s


def _steps_of(data_loader: DataLoader, number: int) -> DataLoader:
    """Return a data loader whose epoch has a number of batches, as large as those of a real epoch."""
    num_clips = -(-data_loader.clips_per_epoch // data_loader.num_training_batches)
    train_rows = data_loader.split.train
    split = replace(
        data_loader.split,
        train=np.resize(train_rows, number * num_clips),
        validation=train_rows[:1],  # an epoch ends with a validation, which is not timed
    )
    return replace(data_loader, split=split, batch_size=num_clips, repeats=1)


class _Clock:
    """Measures the steps after the first ones."""

    def __init__(self, num_steps: int, device: torch.device) -> None:
        self._num_steps, self._device = num_steps, device
        self._count, self._started = 0, 0.0
        self.step_s = 0.0
        """Mean time of a step."""

    def after_step(self) -> None:
        """Note the end of a step."""
        self._count += 1
        if self._count == _WARM_UP:
            self._started = self._now()
        elif self._count == _WARM_UP + self._num_steps:
            self.step_s = (self._now() - self._started) / self._num_steps

    def _now(self) -> float:
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)  # steps are computed after they are asked for
        return time.perf_counter()
