"""The four kinds of record rows; from each follows the Parquet schema of its files.

Every column is written down once: its name, its type and, in the annotation, what it means and in which
unit. The meaning travels into the Parquet file as the field's ``doc`` metadata. Accuracies are shares in
[0, 1]; stacks are listed front to back, the last one holds the classes; multiply-adds are those of one
forward pass over one clip; times are UTC.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from autohier.errors import FailureClass

State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL", "TAKEN BACK"]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial: what it drew, where it stands, what it reached and what it cost."""

    trial: Annotated[str, "name of the trial in its sweep, e.g. t0007"]
    number: Annotated[
        int | None, "number in the study; none where the study did not draw it (a confirmation)"
    ]
    ask: Annotated[int | None, "place among the study's asks, from 0; free observations have numbers, no ask"]
    state: Annotated[State, "RUNNING, COMPLETE, PRUNED (stopped early), FAIL or TAKEN BACK (to run again)"]
    reason: Annotated[str | None, "why it was stopped or failed"]
    failure: Annotated[FailureClass | None, "class of its failure, e.g. out of memory; none unless it failed"]
    source: Annotated[str, "the paper of a known setting, or what else proposed it, e.g. drawn"]
    dataset: Annotated[str, "dataset the clips are from"]
    protocol: Annotated[str, "the dataset's split, e.g. cross-subject"]
    validation: Annotated[
        str, "clean (held-out training subjects), folds (each in turn) or paper (a tenth of the test split)"
    ]
    variant: Annotated[str, "drawn variant of the space; empty where it has none"]
    settings: Annotated[
        str, 'drawn training settings, JSON by name, e.g. {"pass_2.epochs":20}; empty where none are searched'
    ]
    superclasses: Annotated[str, "drawn superclass counts, front to back, e.g. 2/6/20"]
    weight_ratio: Annotated[float, "drawn rho of the loss weights rho**(L - l)"]
    stack_weights: Annotated[str, "loss weights of the stacks, front to back, e.g. 1/8 1/4 1/2 1"]
    scope: Annotated[str, "where filters are ranked: altogether or by-layer"]
    ratio: Annotated[float, "share of the filters still alive that one pass prunes"]
    passes: Annotated[int, "drawn cap of pruning passes"]
    seed: Annotated[int, "seed of the trial"]
    started_at: Annotated[datetime, "UTC"]
    finished_at: Annotated[datetime | None, "UTC"] = None
    accuracy: Annotated[float | None, "validation accuracy of the kept pass"] = None
    pass_1_accuracy: Annotated[float | None, "validation accuracy after pass 1"] = None
    pass_2_accuracy: Annotated[float | None, "validation accuracy after pass 2"] = None
    num_validation_clips: Annotated[int | None, "clips that the accuracies are shares of"] = None
    kept_pass: Annotated[int | None, "pruning pass that was kept; 0 is pass 2, unpruned"] = None
    passes_trained: Annotated[int | None, "pruning passes that were finished"] = None
    parameters: Annotated[int | None, "of the kept pass, dead filters removed"] = None
    multiply_adds: Annotated[int | None, "of the kept pass, dead filters removed"] = None
    dense_parameters: Annotated[int | None, "of pass 2"] = None
    dense_multiply_adds: Annotated[int | None, "of pass 2"] = None
    epochs_computed: Annotated[int | None, "epochs the trial trained itself"] = None
    epochs_spared: Annotated[int | None, "epochs it found in the stage store, finished stages or not"] = None
    seconds_computed: Annotated[float | None, "seconds its own epochs and stages took"] = None
    seconds_spared: Annotated[float | None, "seconds the found stages and epochs once took"] = None
    accelerators: Annotated[
        float, "accelerators the trial held, or its share of one; times seconds: accelerator seconds"
    ] = 0.0
    stage_keys: Annotated[tuple[str, ...], "stage store keys of the finished stages, in order"] = ()


@dataclass(frozen=True, slots=True)
class StageRow:
    """One finished stage of a trial."""

    trial: Annotated[str, "name of the trial"]
    kind: Annotated[str, "pass-1, pass-2 or prune"]
    pass_index: Annotated[int, "0 for pass 1 and pass 2, k for the k-th pruning pass"]
    label: Annotated[str, "pass 1, pass 2, prune 3, ..."]
    key: Annotated[str, "sha256 that names it in the stage store; with folds, of their keys"]
    parent_key: Annotated[str | None, "key of the stage it started from"]
    superclasses: Annotated[str, "superclass counts of its hierarchy, e.g. 2/6/20; empty in pass 1"]
    assignments: Annotated[str, "JSON: the superclass of every class, for every headed stack"]
    accuracy: Annotated[float, "validation accuracy after the stage"]
    stack_accuracies: Annotated[tuple[float, ...], "validation accuracy of every headed stack"]
    parameters: Annotated[int, "dead filters removed"]
    multiply_adds: Annotated[int, "dead filters removed"]
    num_epochs: Annotated[int, "epochs it was trained"]
    seconds: Annotated[float, "seconds it took whoever computed it"]
    reused: Annotated[bool, "true where it was found in the stage store"]
    store_keys: Annotated[tuple[str, ...], "its names in the stage store, one per fold"]


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of a trial, of finished stages and of the one it was cut short in."""

    trial: Annotated[str, "name of the trial"]
    kind: Annotated[str, "pass-1, pass-2 or prune"]
    pass_index: Annotated[int, "0 for pass 1 and pass 2, k for the k-th pruning pass"]
    epoch: Annotated[int, "within its stage, from 0"]
    step: Annotated[int, "epochs of the whole chain so far, this one included"]
    learning_rate: Annotated[float, "rate the epoch was trained with"]
    loss: Annotated[float, "training: weighted sum of the stacks' cross-entropies, in nats per clip"]
    stack_losses: Annotated[tuple[float, ...], "training: cross-entropy of every headed stack, in nats"]
    validation_loss: Annotated[float, "validation: weighted sum, in nats per clip"]
    stack_accuracies: Annotated[tuple[float, ...], "validation accuracy of every headed stack"]
    accuracy: Annotated[float, "validation accuracy in the original classes"]
    seconds: Annotated[float, "training and validation"]
    num_clips: Annotated[int, "training clips seen"]


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One reading of the test split."""

    trial: Annotated[str, "name of the trial whose network was read, or of the fusion"]
    stage: Annotated[str, "pass 1, pass 2, prune 3, ... or fusion; those that are refit say so"]
    protocol: Annotated[str, "the dataset's split"]
    validation: Annotated[str, "clean, folds or paper: what the choice of this network was made on"]
    accuracy: Annotated[float, "test accuracy in the original classes"]
    num_clips: Annotated[int, "test clips"]
    stack_accuracies: Annotated[
        tuple[float, ...], "test accuracy of every headed stack; of a model that was evaluated the last alone"
    ]
    low: Annotated[float, "lower end of the accuracy's 95% Wilson interval"]
    high: Annotated[float, "upper end of it"]
    read_at: Annotated[datetime, "UTC"]


Row = TrialRow | StageRow | EpochRow | ReadingRow

ROW_FOLDERS: dict[type[Row], str] = {
    TrialRow: "trials",
    StageRow: "stages",
    EpochRow: "epochs",
    ReadingRow: "tests",
}
"""Where the part files of each kind lie, below the records folder."""

_ARROW_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def parquet_schema(row_type: type[Row]) -> pa.Schema:
    """The Parquet schema of a kind of row; every field carries its meaning as ``doc`` metadata."""
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
