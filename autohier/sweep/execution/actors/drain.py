"""Handing a trial or a stage back when its machine is about to end, after the next epoch checkpoint."""

from __future__ import annotations

from typing import Any

import ray

from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.training.metrics import EpochMetrics
from autohier.sweep.execution.cluster.admission import DRAINED, HandedBack


class DrainCallback(TrialCallback):
    """Ends the work of this process after an epoch if its machine is drained: it continues on another one.

    Args:
        table: actor of the `AdmissionTable`; None on a machine that is never drained, the driver's own.
    """

    def __init__(self, table: Any) -> None:  # noqa: ANN401  actor handle
        self._table = table

    def on_epoch_end(
        self,
        kind: StageKind,  # noqa: ARG002
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,  # noqa: ARG002
        *,
        reused: bool,
    ) -> None:
        """See `TrialCallback`."""
        if self._table is None or reused:
            return
        node = ray.get_runtime_context().get_node_id()
        if ray.get(self._table.verdict.remote(node)) == DRAINED:
            raise HandedBack(DRAINED)
