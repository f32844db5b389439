"""Trial callback that writes a trial's curves and pictures for TensorBoard.

Tags in the trial's run; the step is the number of epochs in the trial so far:

* ``loss/train``, ``loss/validation``: weighted sums over the heads, every epoch;
* ``loss_stack/l``, ``accuracy_stack/l``: training cross-entropy and validation accuracy of the head of level
  l, every epoch; levels count from 1, the coarsest, also in pass 1, which has only the last one, and in a
  base of the recipe joint, which has only its own;
* ``top5_stack/l``, ``mean_class_stack/l``: validation top-5 and mean class accuracy of the head of level l,
  every epoch;
* ``loss/auxiliary``: loss besides the cross-entropies, e.g. a regularizer of attention, in epochs that have
  one; part of ``loss/train``;
* ``learning_rate``: every epoch;
* ``best_validation``: highest validation accuracy of the classes so far, after every epoch and stage;
* ``stage/accuracy``, ``stage/mean_class_accuracy``, ``stage/parameters``, ``stage/multiply_adds``: after
  every stage;
* ``stage/accuracy_stack/l``, ``stage/top5_stack/l``, ``stage/mean_class_stack/l``: the same of the head of
  level l, over all frame sets of a test, after every stage;
* ``stage/accuracy_pathway/NAME``: of each pathway alone, if the network has several, after every stage;
* ``confusion``: after every stage; ``hierarchy``: after pass 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.records.tensorboard.confusion_matrix import confusion_picture
from autohier.records.tensorboard.event_files import (
    BEST_VALIDATION,
    CurvesFile,
    event,
    image,
    restart_event,
    scalar,
)
from autohier.records.tensorboard.hierarchy_diagram import hierarchy_picture


class TensorBoardCallback(TrialCallback):
    """Writes the curves of one trial, in the trial's own process.

    A trial that runs again writes a new file. The earlier file stays, because a TensorBoard that reads it
    would lose the run, but its points are no longer shown. Neither are the points of a restarted stage.

    Args:
        run_folder: the trial's folder in the TensorBoard root, named like the run.
        params: hyperparameters of the trial, which determine the number of heads.
        class_names: one per class, for the pictures; numbers if empty.

    Raises:
        OSError: if the folder cannot be written, also in the methods.
    """

    def __init__(self, run_folder: Path, params: Hyperparameters, class_names: Sequence[str] = ()) -> None:
        self._num_stacks = len(params.superclasses) + 1
        self._class_names = tuple(class_names)
        self._step = self._steps_finished = 0
        self._best = self._best_finished = 0.0
        self._file = CurvesFile(run_folder)
        self._file.write(restart_event())

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        """See `TrialCallback`."""
        if self._step > self._steps_finished:
            self._step, self._best = self._steps_finished, self._best_finished
            self._file.write(restart_event(self._step + 1))

    def on_epoch_end(
        self,
        kind: StageKind,
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,  # noqa: ARG002
    ) -> None:
        """See `TrialCallback`."""
        self._step += 1
        self._compare(kind, metrics.accuracy)
        self._write(
            [
                scalar("loss/train", metrics.loss),
                scalar("loss/validation", metrics.validation_loss),
                *self._per_stack(kind, "loss_stack", metrics.stack_losses),
                *self._per_stack(kind, "accuracy_stack", metrics.stack_accuracies),
                *self._per_stack(kind, "top5_stack", metrics.stack_top5_accuracies),
                *self._per_stack(kind, "mean_class_stack", metrics.stack_mean_class_accuracies),
                *([scalar("loss/auxiliary", metrics.auxiliary_loss)] if metrics.auxiliary_loss else []),
                scalar("learning_rate", metrics.learning_rate),
                scalar(BEST_VALIDATION, self._best),
            ]
        )

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        kind = result.kind
        self._compare(kind, result.accuracy)
        self._steps_finished, self._best_finished = self._step, self._best
        assignments = result.hierarchy.assignments
        values = [
            scalar(BEST_VALIDATION, self._best),
            scalar("stage/accuracy", result.accuracy),
            scalar("stage/mean_class_accuracy", result.mean_class_accuracy),
            *self._per_stack(kind, "stage/accuracy_stack", result.stack_accuracies),
            *self._per_stack(kind, "stage/top5_stack", result.stack_top5_accuracies),
            *self._per_stack(kind, "stage/mean_class_stack", result.stack_mean_class_accuracies),
            *(
                scalar(f"stage/accuracy_pathway/{name}", value)
                for name, value in result.pathway_accuracies.items()
            ),
            scalar("stage/parameters", result.cost.parameters),
            scalar("stage/multiply_adds", result.cost.multiply_adds),
            image("confusion", confusion_picture(result.confusion_KK, assignments, self._class_names)),
        ]
        if kind.starts_chain:
            values.append(image("hierarchy", hierarchy_picture(assignments, self._class_names)))
        self._write(values)

    def close(self) -> None:
        """Close the event file; the callback must not be called afterwards."""
        self._file.close()

    def _compare(self, kind: StageKind, accuracy: float) -> None:
        if kind.target_level(self._num_stacks) == self._num_stacks - 1:
            self._best = max(self._best, accuracy)

    def _per_stack(self, kind: StageKind, group: str, values: Sequence[float]) -> list[Summary.Value]:
        first = kind.target_level(self._num_stacks) - len(values) + 2
        return [scalar(f"{group}/{stack}", value) for stack, value in enumerate(values, start=first)]

    def _write(self, values: list[Summary.Value]) -> None:
        self._file.write(event(self._step, values))
