"""The callback; replace the file by a client of your tracker, e.g. W&B or MLflow."""

import json
from pathlib import Path

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics


class JsonLogger(TrialCallback):
    """Writes a line per epoch and per stage."""

    def __init__(self, path: Path, config: TrialConfig) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")
        self._write(event="start", params=config.params.model_dump(mode="json"), seed=config.seed)

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:
        """See `TrialCallback`."""
        values = {"kind": kind.name, "index": pass_index, "epoch": metrics.epoch, "loss": metrics.loss}
        self._write(event="epoch", reused=reused, **values)

    def on_stage_end(self, result: StageResult) -> None:
        """See `TrialCallback`."""
        self._write(event="stage", label=result.label, accuracy=result.accuracy, reused=result.reused)

    def close(self) -> None:
        """Close the file; the trial calls this at its end."""
        self._file.close()

    def _write(self, **values: object) -> None:
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()


def build(trial: str, sweep_folder: Path, config: TrialConfig) -> JsonLogger:
    """Return the callback of one trial, in the trial's process."""
    return JsonLogger(sweep_folder / "json" / f"{trial}.jsonl", config)
