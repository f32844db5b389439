"""The kinds of record rows, which define the Parquet schemas of their files.

Annotations describe the columns and their units; the Parquet files carry these descriptions as ``doc``
metadata. Accuracies are shares in [0, 1]. Stacks are listed front to back; the last one predicts the classes.
Multiply-adds are those of one forward pass over one clip. Times are UTC.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from autohier.errors import FailureClass

State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL", "REQUEUED"]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial: its hyperparameters, state, results and cost."""

    trial: Annotated[str, "name of the trial in its sweep, e.g. t0007"]
    number: Annotated[int | None, "number in the study; null for confirmations"]
    trial_index: Annotated[int | None, "index in the sweep, from 0; null if the sweep did not sample it"]
    state: Annotated[State, "RUNNING, COMPLETE, PRUNED (stopped early), FAIL or REQUEUED (will run again)"]
    reason: Annotated[str | None, "why it was stopped or failed"]
    failure: Annotated[FailureClass | None, "class of the failure, e.g. out of memory; null unless it failed"]
    source: Annotated[str, "paper of an initial config, or what else proposed the config, e.g. sampled"]
    dataset: Annotated[str, "dataset of the clips"]
    protocol: Annotated[str, "the dataset's split, e.g. cross-subject"]
    validation: Annotated[
        str,
        "kind of validation: clean (held-out training subjects), folds (cross-validation over them) or paper "
        "(a tenth of the test split)",
    ]
    variant: Annotated[str, "sampled variant of the search space; empty if it has none"]
    params: Annotated[
        str,
        'JSON of the hyperparameters in search.settings, e.g. {"pass_2.epochs":20}; empty if there are none',
    ]
    superclasses: Annotated[str, "sampled superclass counts, front to back, e.g. 2/6/20"]
    weight_ratio: Annotated[float, "sampled rho of the loss weights rho**(L - l)"]
    stack_weights: Annotated[str, "loss weights of the stacks, front to back, e.g. 1/8 1/4 1/2 1"]
    scope: Annotated[str, "scope in which filters are ranked for pruning: global or layerwise"]
    ratio: Annotated[float, "share of the unpruned filters that one pruning pass removes"]
    passes: Annotated[int, "sampled maximum number of pruning passes"]
    seed: Annotated[int, "seed of the trial"]
    started_at: Annotated[datetime, "start of the trial, UTC"]
    finished_at: Annotated[datetime | None, "end of the trial, UTC"] = None
    objective: Annotated[str, "measurement that the sweep maximizes: accuracy or mean-class"] = "accuracy"
    accuracy: Annotated[float | None, "validation accuracy of the kept pass"] = None
    top5_accuracy: Annotated[float | None, "validation top-5 accuracy of the kept pass"] = None
    mean_class_accuracy: Annotated[
        float | None, "mean of the classes' validation accuracies, of the kept pass"
    ] = None
    pass_1_accuracy: Annotated[float | None, "validation accuracy after pass 1"] = None
    pass_2_accuracy: Annotated[float | None, "validation accuracy after pass 2"] = None
    num_validation_clips: Annotated[
        int | None, "number of validation clips, which the accuracies are shares of"
    ] = None
    kept_pass: Annotated[int | None, "pruning pass of the kept network; 0 is pass 2, unpruned"] = None
    passes_trained: Annotated[int | None, "number of finished pruning passes"] = None
    parameters: Annotated[int | None, "parameters of the kept network, without pruned filters"] = None
    multiply_adds: Annotated[int | None, "multiply-adds of the kept network, without pruned filters"] = None
    dense_parameters: Annotated[int | None, "parameters after pass 2, unpruned"] = None
    dense_multiply_adds: Annotated[int | None, "multiply-adds after pass 2, unpruned"] = None
    epochs_computed: Annotated[int | None, "number of epochs that the trial trained itself"] = None
    epochs_reused: Annotated[
        int | None, "number of epochs reused from the stage store, of finished and unfinished stages"
    ] = None
    seconds_computed: Annotated[float | None, "seconds that the trial's own stages and epochs took"] = None
    seconds_reused: Annotated[
        float | None, "seconds that the reused stages and epochs took when they were computed"
    ] = None
    accelerators: Annotated[
        float,
        "accelerators that the trial held, or its share of one; multiplied by seconds: accelerator-seconds",
    ] = 0.0
    stage_keys: Annotated[tuple[str, ...], "stage store keys of the finished stages, in order"] = ()
    rung_epochs: Annotated[
        tuple[int, ...], "epochs of pass 2 after which the scheduler compared the trial; empty if none did"
    ] = ()
    rung_values: Annotated[tuple[float, ...], "values of the objective after these epochs"] = ()
    role: Annotated[
        str,
        "search; of a confirmation: nominee, control (nothing pruned) or flat (no superclasses either)",
    ] = "search"
    confirms: Annotated[str, "name of the trial that a confirmation repeats with a fresh seed"] = ""
    right_clips: Annotated[
        str, "of a confirmation: 1 for each validation clip that it gets right, else 0, ordered by clip id"
    ] = ""

    @property
    def value(self) -> float | None:
        """Value of the objective; None if the trial is not complete."""
        return self.mean_class_accuracy if self.objective == "mean-class" else self.accuracy


@dataclass(frozen=True, slots=True)
class StageRow:
    """One finished stage of a trial."""

    trial: Annotated[str, "name of the trial"]
    kind: Annotated[str, "kind of the stage: pass-1, pass-2, prune, element-base, ..."]
    pass_index: Annotated[int, "k for the k-th pruning pass, 0 for other stages"]
    label: Annotated[str, "label of the stage: pass 1, pass 2, prune 3, ..."]
    key: Annotated[str, "stage key (SHA-256); with cross-validation, the digest of its folds' keys"]
    parent_key: Annotated[str | None, "key of the stage that it starts from; null if it starts from several"]
    superclasses: Annotated[str, "superclass counts of its hierarchy, e.g. 2/6/20; empty in pass 1"]
    assignments: Annotated[str, "JSON: the superclass of every class, for every head"]
    accuracy: Annotated[float, "validation accuracy after the stage"]
    stack_accuracies: Annotated[tuple[float, ...], "validation accuracy of every head"]
    parameters: Annotated[int, "parameters after the stage, without pruned filters"]
    multiply_adds: Annotated[int, "multiply-adds after the stage, without pruned filters"]
    num_epochs: Annotated[int, "number of epochs in the stage"]
    seconds: Annotated[float, "seconds that computing the stage took"]
    reused: Annotated[bool, "true if the stage was reused from the stage store"]
    store_keys: Annotated[tuple[str, ...], "keys in the stage store, one per fold"]
    stack_top5_accuracies: Annotated[tuple[float, ...], "validation top-5 accuracy of every head"] = ()
    stack_mean_class_accuracies: Annotated[
        tuple[float, ...], "mean of the superclasses' validation accuracies, of every head"
    ] = ()
    parent_keys: Annotated[
        tuple[str, ...], "keys of the stages that it starts from, if they are several"
    ] = ()
    is_flat: Annotated[
        bool | None,
        "true before pass 2: pass 1, or a base of the recipe joint; null in records of older versions",
    ] = None
    pathways: Annotated[tuple[str, ...], "names of the pathways, if the network has several"] = ()
    pathway_accuracies: Annotated[
        tuple[float, ...], "validation accuracy of the class head of each of these pathways alone"
    ] = ()


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of a trial, in a finished stage or in the stage in which it ended."""

    trial: Annotated[str, "name of the trial"]
    kind: Annotated[str, "kind of the stage: pass-1, pass-2, prune, element-base, ..."]
    pass_index: Annotated[int, "k for the k-th pruning pass, 0 for other stages"]
    epoch: Annotated[int, "index in its stage, from 0"]
    step: Annotated[int, "number of epochs in the trial so far, including this one"]
    learning_rate: Annotated[float, "learning rate of the epoch"]
    loss: Annotated[
        float,
        "training loss: weighted sum of the stacks' cross-entropies and the auxiliary loss, in nats per clip",
    ]
    stack_losses: Annotated[tuple[float, ...], "training cross-entropy of every head, in nats per clip"]
    validation_loss: Annotated[
        float, "validation loss: weighted sum of the stacks' cross-entropies, in nats per clip"
    ]
    stack_accuracies: Annotated[tuple[float, ...], "validation accuracy of every head"]
    accuracy: Annotated[float, "validation accuracy over the classes (not superclasses)"]
    seconds: Annotated[float, "seconds of training and validation"]
    num_clips: Annotated[int, "number of training clips read, repeats included"]
    stack_top5_accuracies: Annotated[tuple[float, ...], "validation top-5 accuracy of every head"] = ()
    stack_mean_class_accuracies: Annotated[
        tuple[float, ...], "mean of the superclasses' validation accuracies, of every head"
    ] = ()
    auxiliary_loss: Annotated[
        float, "training loss besides the cross-entropies, e.g. a regularizer of attention; 0 without any"
    ] = 0.0
    waited_s: Annotated[float, "seconds of these in which training had no clips to compute with"] = 0.0


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One test result: an evaluation on the test split."""

    trial: Annotated[str, "name of the evaluated trial or fusion"]
    stage: Annotated[
        str, "evaluated network: pass 1, pass 2, prune 3, ... or fusion, followed by ', refit' if it is refit"
    ]
    protocol: Annotated[str, "the dataset's split"]
    validation: Annotated[str, "kind of validation that chose the network: clean, folds or paper"]
    accuracy: Annotated[float, "test accuracy over the classes (not superclasses)"]
    num_clips: Annotated[int, "number of test clips"]
    stack_accuracies: Annotated[
        tuple[float, ...],
        "test accuracy of every head; of a fusion, over the classes only",
    ]
    accuracy_low: Annotated[float, "lower end of the accuracy's 95% Wilson interval"]
    accuracy_high: Annotated[float, "upper end of the accuracy's 95% Wilson interval"]
    evaluated_at: Annotated[datetime, "time of the evaluation, UTC"]
    stack_top5_accuracies: Annotated[
        tuple[float, ...], "test top-5 accuracy of the stacks of stack_accuracies"
    ] = ()
    stack_mean_class_accuracies: Annotated[
        tuple[float, ...], "mean of the superclasses' test accuracies, of the stacks of stack_accuracies"
    ] = ()
    refit_seed: Annotated[int | None, "seed of a further refit; null for networks of the trial's seed"] = None
    pathways: Annotated[tuple[str, ...], "names of the pathways, if the network has several"] = ()
    pathway_accuracies: Annotated[
        tuple[float, ...], "test accuracy of the class head of each of these pathways alone"
    ] = ()


@dataclass(frozen=True, slots=True)
class WorkRow:
    """Work of a sweep outside its trials: pass 1 that all trials share, or refits of the best trial."""

    name: Annotated[str, "'pass 1', or 'refit of ' or 'further refits of ' and the name of the trial"]
    complete: Annotated[bool, "true if the work is finished"]
    stage: Annotated[str, "label of the last stage that trained, e.g. pass 1 of fold 2; empty if none did"]
    accuracy: Annotated[float | None, "validation accuracy after the last epoch; null in a refit"]
    epochs_computed: Annotated[int, "number of epochs that the sweep trained"]
    epochs_reused: Annotated[int, "number of epochs reused from the stage store"]
    seconds_computed: Annotated[float, "seconds that the trained epochs took"]
    seconds_reused: Annotated[float, "seconds that the reused epochs took when they were computed"]
    accelerators: Annotated[float, "accelerators that the work held, or its share of one"]
    updated_at: Annotated[datetime, "time of the last epoch, UTC"]


Row = TrialRow | StageRow | EpochRow | EvaluationRow | WorkRow

ROW_FOLDERS: dict[type[Row], str] = {
    TrialRow: "trials",
    StageRow: "stages",
    EpochRow: "epochs",
    EvaluationRow: "tests",
    WorkRow: "work",
}
"""Folder of each kind's part files, in the records folder."""

_ARROW_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def missing_columns(row_type: type[Row], names: Iterable[str]) -> dict[str, Any]:
    """Return the values of columns that a file of an older version lacks, those that have a default."""
    present = set(names)
    return {
        field.name: field.default
        for field in fields(row_type)
        if field.name not in present and field.default is not MISSING
    }


def parquet_schema(row_type: type[Row]) -> pa.Schema:
    """Return the Parquet schema of a kind of row; ``doc`` metadata describes every field."""
    return _SCHEMAS[row_type]


def _column(name: str, annotation: object) -> pa.Field:
    column_type, doc = get_args(annotation)
    members = get_args(column_type) if get_origin(column_type) in {Union, types.UnionType} else (column_type,)
    required = [member for member in members if member is not types.NoneType]
    nullable = len(required) < len(members)
    return pa.field(name, _arrow_type(required[0]), nullable=nullable, metadata={"doc": doc})


def _arrow_type(annotation: object) -> pa.DataType:
    if get_origin(annotation) is tuple:
        return pa.list_(_arrow_type(get_args(annotation)[0]))
    plain = str if get_origin(annotation) is Literal else annotation
    return _ARROW_TYPES[plain]  # type: ignore[index]


def _schema(row_type: type[Row]) -> pa.Schema:
    hints = get_type_hints(row_type, include_extras=True)
    return pa.schema([_column(field.name, hints[field.name]) for field in fields(row_type)])


_SCHEMAS = {row_type: _schema(row_type) for row_type in ROW_FOLDERS}
