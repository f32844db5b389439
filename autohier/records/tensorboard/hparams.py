"""TensorBoard's HPARAMS table of all trials of a sweep, including failed and stopped ones.

The columns are declared once, in the root folder, and every trial fills all of them: TensorBoard takes its
columns from the first declaration that it reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb

from autohier.config.search.ranges import SearchRanges
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.config.trial.overrides import is_number, value_text
from autohier.core.stages.result import StageResult
from autohier.records.schema import State, TrialRow
from autohier.records.statistics import wilson_interval
from autohier.records.tensorboard.event_files import (
    BEGUN_FILE,
    BEST_VALIDATION,
    ENDED_FILE,
    event,
    scalar,
    write_event_file,
)

STATE: Final = "trial/state"
_KEPT: Final = "trial/kept_pass"
_LAST_COST: Final = "stage/multiply_adds"
_LOW, _HIGH = "trial/accuracy_low", "trial/accuracy_high"
METRICS = {
    BEST_VALIDATION: "highest validation accuracy so far, after an epoch or a stage; also of a running, "
    "stopped or failed trial, 0 before its first epoch ended",
    STATE: "3: running, 2: complete, 1: stopped, 0: failed",
    _KEPT: "pruning pass of the kept network; 0 is pass 2, unpruned, and any trial that is not complete",
    _LAST_COST: "multiply-adds of one clip after the last stage; also of a running, stopped or failed "
    "trial, 0 before its first stage ended",
    _LOW: "lower end of the 95% Wilson interval of the kept pass, or of the last stage of a trial that was "
    "stopped or failed; 0 if nothing is known yet",
    _HIGH: "upper end of this interval; 1 if nothing is known yet",
    "trial/accuracy": "validation accuracy of the kept pass, of a complete trial",
    "trial/top5_accuracy": "validation top-5 accuracy of the kept pass",
    "trial/mean_class_accuracy": "mean of the classes' validation accuracies, of the kept pass",
    "trial/pass_1_accuracy": "validation accuracy after pass 1",
    "trial/pass_2_accuracy": "validation accuracy after pass 2",
    "trial/parameters": "parameters of the kept network, without pruned filters",
    "trial/multiply_adds": "multiply-adds of the kept network for one clip, without pruned filters",
}
"""Columns of a trial's results, with their descriptions: tags of scalars.

TensorBoard first shows five of them, and its parallel coordinates leave out trials without a value in a shown
column; so every trial has values of the first ones from its start. The group of those that are not curves is
the last on TensorBoard's page of curves.
"""
_GROUP = "trial/"
_RUNNING = 3
_BEGUN: Final = {BEST_VALIDATION: 0.0, STATE: _RUNNING, _KEPT: 0, _LAST_COST: 0, _LOW: 0.0, _HIGH: 1.0}
"""Values of a trial that has measured nothing yet."""

# A stopped trial ended as intended; TensorBoard has no separate status for it.
_STATUS: dict[State, int] = {
    "RUNNING": api_pb2.STATUS_RUNNING,
    "COMPLETE": api_pb2.STATUS_SUCCESS,
    "PRUNED": api_pb2.STATUS_SUCCESS,
    "FAIL": api_pb2.STATUS_FAILURE,
    "REQUEUED": api_pb2.STATUS_FAILURE,
}
_STATE_NUMBERS: dict[State, int] = {"COMPLETE": 2, "PRUNED": 1, "FAIL": 0, "REQUEUED": 0}


def write_experiment(root_folder: Path, ranges: SearchRanges) -> None:
    """Declare the columns, in the TensorBoard root.

    Args:
        root_folder: the folder whose subfolders are the trials' runs.
        ranges: ranges of the hyperparameters.

    Raises:
        OSError: if the folder cannot be written, also in the functions below.
    """
    columns = [
        _column("superclasses", "superclass counts of the levels, coarse to fine", str, shown=True),
        *(_column(f"M{n}", f"superclass count of level {n}", float) for n in range(1, ranges.levels + 1)),
        _column("weight_ratio", "rho of the loss weights rho^(L-l)", float, ranges.weight_ratios, shown=True),
        _column("scope", "scope in which filters are ranked for pruning", str, ranges.scopes, shown=True),
        _column(
            "ratio",
            "share of the unpruned filters that one pruning pass removes",
            float,
            ranges.ratios,
            shown=True,
        ),
        _column(
            "passes", "maximum number of pruning passes", float, range(ranges.max_passes + 1), shown=True
        ),
        _column("seed", "seed of the trial", float),
        *_searched_columns(ranges),
    ]
    metrics = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=tag),
            display_name=tag.removeprefix(_GROUP).replace("_", " "),
            description=description,
        )
        for tag, description in METRICS.items()
    ]
    experiment = api_pb2.Experiment(hparam_infos=columns, metric_infos=metrics)
    value = _plugin_value(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment))
    write_event_file(root_folder / BEGUN_FILE, [event(0, [value])])


def write_trial_started(run_folder: Path, trial: str, params: Hyperparameters, seed: int) -> None:
    """Write the hyperparameters of a running trial, and remove the final state of an earlier run.

    Args:
        run_folder: the trial's folder in the TensorBoard root.
        trial: name of the trial, and of its row in the table.
        params: hyperparameters of the trial.
        seed: seed of the trial.
    """
    (run_folder / ENDED_FILE).unlink(missing_ok=True)
    values: dict[str, str | int | float] = {
        "superclasses": params.counts_text,
        **{f"M{n}": count for n, count in enumerate(params.superclasses, start=1)},
        "weight_ratio": params.weight_ratio,
        "scope": params.scope,
        "ratio": params.ratio,
        "passes": params.passes,
        "seed": seed,
        **({"variant": params.variant} if params.variant else {}),
        **{name: value if is_number(value) else value_text(value) for name, value in params.settings},
    }
    summary = hparams_pb(values, trial_id=trial)
    numbers = [scalar(tag, number) for tag, number in _BEGUN.items()]
    write_event_file(run_folder / BEGUN_FILE, [event(0, [*summary.value, *numbers])])


def write_trial_finished(run_folder: Path, state: State, metrics: Mapping[str, float]) -> None:
    """Write the final state of a trial.

    Args:
        run_folder: the trial's folder in the TensorBoard root.
        state: final state; a stopped trial (PRUNED) is a success for TensorBoard, and differs by `STATE`.
        metrics: its values of `METRICS`; a failed trial may have none.
    """
    ended = plugin_data_pb2.SessionEndInfo(status=_STATUS[state], end_time_secs=time.time())
    value = _plugin_value(
        metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=ended)
    )
    numbers = [scalar(tag, number) for tag, number in {STATE: _STATE_NUMBERS[state], **metrics}.items()]
    write_event_file(run_folder / ENDED_FILE, [event(0, [value, *numbers])])


def metrics_of(row: TrialRow, stages: Sequence[StageResult] = ()) -> dict[str, float]:
    """Return the metrics that a trial has when it ends, by column; its curves hold `BEST_VALIDATION`.

    Args:
        row: the trial's row.
        stages: its finished stages; the last one gives the interval of a trial that is not complete.
    """
    names = {tag: tag.removeprefix(_GROUP) for tag in METRICS}
    measured = {tag: getattr(row, name) for tag, name in names.items() if tag != STATE and hasattr(row, name)}
    if row.accuracy is not None and row.num_validation_clips:
        measured |= _interval(row.accuracy, row.num_validation_clips)
    elif stages:
        measured |= _interval(stages[-1].accuracy, int(stages[-1].confusion_KK.sum()))
    return {tag: float(number) for tag, number in measured.items() if number is not None}


def _interval(accuracy: float, num_clips: int) -> dict[str, float]:
    return dict(zip((_LOW, _HIGH), wilson_interval(accuracy, num_clips), strict=True))


def _searched_columns(ranges: SearchRanges) -> Iterator[api_pb2.HParamInfo]:
    if ranges.variants:
        yield _column("variant", "variant of the search space", str, tuple(ranges.variants), shown=True)
    for name, table in ranges.settings.items():
        description = f"value of {name}"
        if all(map(is_number, table)):
            yield _column(name, description, float, table)
        else:
            yield _column(name, description, str, map(value_text, table))


def _column(
    name: str,
    description: str,
    kind: type[str] | type[float],
    domain: Iterable[str] | Iterable[float] = (),
    *,
    shown: bool = False,
) -> api_pb2.HParamInfo:
    # TensorBoard first shows five columns: the ones marked as differing, then by name.
    data_type = api_pb2.DATA_TYPE_STRING if kind is str else api_pb2.DATA_TYPE_FLOAT64
    info = api_pb2.HParamInfo(name=name, description=description, type=data_type, differs=shown)
    info.domain_discrete.extend(domain)
    return info


def _plugin_value(tag: str, content: plugin_data_pb2.HParamsPluginData) -> Summary.Value:
    return Summary.Value(
        tag=tag, metadata=metadata.create_summary_metadata(content), tensor=metadata.NULL_TENSOR
    )
