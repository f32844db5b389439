"""The reporter that draws a running trial's curves and pictures for TensorBoard.

Its tags, in the run of the trial; the step is the number of epochs of the whole chain so far:

* ``loss/train``, ``loss/validation``: weighted sums over the stacks, every epoch;
* ``loss_stack/l``, ``accuracy_stack/l``: cross-entropy in training and validation accuracy of headed stack
  l, every epoch; stacks count from 1 at the front, also in pass 1, which has the last one alone;
* ``learning_rate``: every epoch;
* ``stage/accuracy``, ``stage/parameters``, ``stage/multiply_adds``: after every stage;
* ``confusion``: after every stage; ``hierarchy``: after pass 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.records.event_files import CurvesFile, begin_anew, event, image, scalar
from autohier.records.images import confusion_picture, hierarchy_picture
from autohier.settings.choice import Choice


class TensorBoardReporter:
    """Writes the curves of one trial, in the trial's own process. Implements core.stages.reporter.Reporter.

    A trial that runs again begins its curves anew, in a file of its own. The earlier file stays, as a
    TensorBoard that is reading it would lose the run; its points are not shown any more. Nor are those of a
    stage that began anew.

    Args:
        run_folder: the trial's folder below the TensorBoard root; its name is the run's.
        choice: what the trial drew; tells how many headed stacks there are.
        class_names: one per class, for the pictures; numbers stand in where there are none.

    Raises:
        OSError: where the folder cannot be written; so do the methods.
    """

    def __init__(self, run_folder: Path, choice: Choice, class_names: Sequence[str] = ()) -> None:
        self._num_stacks = len(choice.superclasses) + 1
        self._class_names = tuple(class_names)
        self._step = self._steps_finished = 0
        self._file = CurvesFile(run_folder)
        self._file.write(begin_anew())

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        """See Reporter."""

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        """See Reporter."""
        if self._step > self._steps_finished:
            self._step = self._steps_finished
            self._file.write(begin_anew(self._step + 1))

    def epoch_finished(
        self,
        kind: StageKind,  # noqa: ARG002
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,  # noqa: ARG002
    ) -> None:
        """See Reporter."""
        self._step += 1
        self._write(
            [
                scalar("loss/train", metrics.loss),
                scalar("loss/validation", metrics.validation_loss),
                *self._per_stack("loss_stack", metrics.stack_losses),
                *self._per_stack("accuracy_stack", metrics.stack_accuracies),
                scalar("learning_rate", metrics.learning_rate),
            ]
        )

    def stage_finished(self, result: StageResult) -> None:
        """See Reporter."""
        self._steps_finished = self._step
        assignments = result.hierarchy.assignments
        values = [
            scalar("stage/accuracy", result.accuracy),
            scalar("stage/parameters", result.cost.parameters),
            scalar("stage/multiply_adds", result.cost.multiply_adds),
            image("confusion", confusion_picture(result.confusion_KK, assignments, self._class_names)),
        ]
        if result.kind == "pass-2":
            values.append(image("hierarchy", hierarchy_picture(assignments, self._class_names)))
        self._write(values)

    def close(self) -> None:
        """Finish the event file; the reporter takes nothing after this."""
        self._file.close()

    def _per_stack(self, group: str, values: Sequence[float]) -> list[Summary.Value]:
        first = self._num_stacks - len(values) + 1
        return [scalar(f"{group}/{stack}", value) for stack, value in enumerate(values, start=first)]

    def _write(self, values: list[Summary.Value]) -> None:
        self._file.write(event(self._step, values))
