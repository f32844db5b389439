"""Sweeps whose study, records and stage store agree, as a driver leaves them; nothing was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from autohier.config.search.loading import load_space
from autohier.core.pruning import Cost
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.trial import finish
from autohier.errors import FailureClass
from autohier.records.schema import EvaluationRow, TrialRow
from autohier.records.trial_rows import complete_row, started_row, unfinished_row
from autohier.records.writer import RecordWriter
from autohier.sweep.execution.messages import TrialFacts
from autohier.sweep.paths import SweepFolder
from autohier.sweep.recovery.record_repair import test_values
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import Measurements, SampledTrial, SweepStudy
from support.fakes.fake_outcomes import NUM_CLIPS, fake_inputs, fake_outcome
from support.sweep_runs.plans import make_plan, make_provenance

TESTED_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class RecordedSweep:
    """A sweep in a folder, with one trial for each call of `complete`, `stop` and `fail`."""

    folder: SweepFolder
    study: SweepStudy
    store: StageStore
    overrides: tuple[str, ...] = ()

    def reopened(self) -> RecordedSweep:
        """Return the sweep as the next driver opens it."""
        return open_recorded_sweep(self.folder.path.parent, *self.overrides)

    def complete(self, *chain: int, reused: Sequence[bool] = (), older: bool = False) -> SampledTrial:
        """Record a trial whose pass 2 and pruning passes get these numbers of 120 clips right.

        Args:
            chain: numbers of clips.
            reused: for each stage, if it was reused; by default pass 1 was.
            older: True omits from the study what older versions did not record.
        """
        sampled = self._sample()
        stages = self._publish(chain, reused)
        outcome = finish(sampled.config, stages)
        self._writer.write_ended(complete_row(self._start(sampled), outcome, datetime.now(UTC)), stages)
        facts = TrialFacts(
            kept_pass=outcome.kept_pass,
            parameters=outcome.kept.cost.parameters,
            multiply_adds=outcome.kept.cost.multiply_adds,
            stages=tuple(stage.key for stage in stages),
            epochs_reused=outcome.epochs(reused=True),
            epochs_computed=outcome.epochs(reused=False),
            chain_multiply_adds=tuple(stage.cost.multiply_adds for stage in outcome.chain),
            stage_epochs_reused=() if older else tuple(stage.epochs_reused for stage in stages),
        )
        self.study.record_complete(sampled, _measured(chain), asdict(facts))
        return sampled

    def stop(self, *chain: int, reused: Sequence[bool] = ()) -> SampledTrial:
        """Record a trial that was stopped after these passes, or within pass 2; see `complete`."""
        sampled = self._sample()
        stages = self._publish(chain or (60,), reused)[: len(chain) + 1]
        row = unfinished_row(
            self._start(sampled), "PRUNED", reason="too weak", at=datetime.now(UTC), stages=stages
        )
        self._writer.write_ended(row, stages)
        measured = replace(_measured(chain), rungs={0: 0.5})
        facts = {
            "stages": [stage.key for stage in stages],
            "epochs_reused": sum(stage.epochs_reused for stage in stages),
            "stage_epochs_reused": [stage.epochs_reused for stage in stages],
        }
        self.study.record_pruned(sampled, measured, "too weak", facts)
        return sampled

    def fail(self, failure: FailureClass = "bug") -> SampledTrial:
        """Record a trial that failed."""
        sampled = self._sample()
        row = unfinished_row(
            self._start(sampled), "FAIL", reason="broken", failure=failure, at=datetime.now(UTC)
        )
        self._writer.write_ended(row, ())
        self.study.record_failure(sampled, "broken", failure)
        return sampled

    def test(self, sampled: SampledTrial, accuracy: float) -> None:
        """Record the test results of a trial."""
        row = EvaluationRow(
            sampled.name, "pass 1", "cross-subject", "clean", accuracy, 48, (accuracy,), 0.0, 1.0, TESTED_AT
        )
        self.study.record_tests(sampled.name, test_values([row]))
        self._writer.write_test_results(sampled.name, [row])

    @property
    def _writer(self) -> RecordWriter:
        return RecordWriter(self.folder.records)

    def _sample(self) -> SampledTrial:
        sampled = self.study.next_trial()
        assert sampled is not None
        return sampled

    def _start(self, sampled: SampledTrial) -> TrialRow:
        return started_row(
            sampled.config,
            trial=sampled.name,
            number=sampled.trial.number,
            trial_index=sampled.index,
            source=sampled.source,
            at=datetime.now(UTC),
            accelerators=0.5,
        )

    def _publish(self, chain: Sequence[int], reused: Sequence[bool] = ()) -> tuple[StageResult, ...]:
        stages = fake_outcome(72, tuple(chain)).stages
        if reused:
            pairs = zip(stages, reused, strict=True)
            stages = tuple(replace(stage, reused=is_reused) for stage, is_reused in pairs)
        for stage in stages:
            stored = replace(stage, cost=Cost(stage.cost.parameters, stage.cost.multiply_adds))
            self.store.publish(stored, fake_inputs(stage), {"conv.weight": torch.ones(3)})
        return stages


def open_recorded_sweep(out: Path, *overrides: str, **changes: Any) -> RecordedSweep:
    """Open the sweep of the demo in a folder, or begin it.

    Args:
        out: folder that holds its folder.
        overrides: of the demo's space.
        changes: of its plan.
    """
    folder = SweepFolder(out / "sweep")
    space = load_space("demo", overrides)
    plan = make_plan(out, space=space, stage_folder=str(out / "stages"), scheduler="none", **changes)
    folder.write_plan(plan, make_provenance())
    study = SweepStudy(plan, open_storage(None, folder.journal_file))
    return RecordedSweep(folder, study, StageStore(out / "stages"), overrides)


def _measured(chain: Sequence[int]) -> Measurements:
    accuracies = [right / NUM_CLIPS for right in chain]
    return Measurements(accuracies, {step: max(accuracies[: step + 1]) for step in range(len(accuracies))})
