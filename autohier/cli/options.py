"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from autohier.errors import InputError

SEARCH = "Search"
RESULT = "Result"
MACHINES = "Machines"
FOLDERS = "Folders"
"""Groups of options in the help of the commands that have many."""

SpaceName = Annotated[
    str,
    typer.Argument(metavar="SPACE", help="Shipped search space (listed by autohier spaces) or a TOML file."),
]
SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="Name or folder of a sweep.")]
DatasetStore = Annotated[
    str, typer.Argument(metavar="DATASET", help="Prepared dataset, by the name of its store.")
]
DataFolder = Annotated[
    Path,
    typer.Option("--data", rich_help_panel=FOLDERS, metavar="DIR", help="Folder of the prepared datasets."),
]
OutFolder = Annotated[
    Path,
    typer.Option(
        "--out", rich_help_panel=FOLDERS, metavar="DIR", help="Folder of the sweeps and of their stage store."
    ),
]
GivenData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        rich_help_panel=FOLDERS,
        metavar="DIR",
        help="Folder of the prepared datasets; by default the one that the sweep used.",
    ),
]
OtherData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        rich_help_panel=FOLDERS,
        metavar="DIR|OTHER",
        help="Another prepared dataset to measure on, by its name or folder; repeatable for models that read "
        "several. Or the folder of the prepared datasets; by default the one that the sweep used.",
    ),
]
GivenOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        rich_help_panel=FOLDERS,
        metavar="DIR",
        show_default="sweeps",
        help="Folder of the sweeps and of their stage store; also finds the stages of a sweep that was "
        "copied without them.",
    ),
]
GivenWeights = Annotated[
    Path | None,
    typer.Option(
        "--pretrained",
        rich_help_panel=FOLDERS,
        metavar="FILE|DIR",
        help="File or stage of the weights that networks start from, or its folder, if it has moved since "
        "the sweep started.",
    ),
]
SubjectPattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Regular expression whose group finds the subject in the id of a pyskl or custom clip.",
    ),
]
DropDuplicates = Annotated[
    bool,
    typer.Option(
        "--drop-duplicates",
        rich_help_panel=SEARCH,
        help="Leave out training clips with the content of a test or validation clip.",
    ),
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--start",
        rich_help_panel=SEARCH,
        metavar="WEIGHTS",
        help="Trained network to start from, all but its heads: SWEEP, SWEEP:TRIAL, the folder of a stage or "
        "of an exported model, or a file.",
    ),
]
ClipsPerClass = Annotated[
    int | None,
    typer.Option(
        "--clips-per-class",
        rich_help_panel=SEARCH,
        metavar="N",
        min=1,
        help="Train on N clips of each class, sampled by the seed; validation and test clips stay.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        rich_help_panel=SEARCH,
        metavar="KEY=VALUE",
        help="Override of the search space, e.g. pass_1.epochs=5; repeatable.",
    ),
]
DeviceName = Annotated[str, typer.Option(metavar="NAME", help="Device that computes: auto, cpu, cuda, ...")]
NumThreads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Number of CPU threads; by default one per usable core."),
]
PresentModality = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Modality: rgb, depth or skeleton; by default the dataset's own, or the only one prepared.",
    ),
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--reader-option",
        metavar="NAME=VALUE",
        help="Setting of a dataset reader from an installed package; repeatable.",
    ),
]
LayoutOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE.toml",
        help="Joint layout of a pyskl or custom dataset's poses, if it does not follow from their number.",
    ),
]
PoseUnitsOption = Annotated[
    str,
    typer.Option(
        metavar="WORDS",
        help="Units of a pyskl or custom dataset's poses, separated by commas: 0..1, -1..1, centimeters, "
        "millimeters, percent-scores, swapped-size, swapped-axes, image=WIDTHxHEIGHT.",
    ),
]
Sampler = Annotated[
    str,
    typer.Option(
        rich_help_panel=SEARCH,
        metavar="NAME",
        help="Sampler of hyperparameters: tpe, gp, random, or one that an installed package adds.",
    ),
]
SchedulerName = Annotated[
    str,
    typer.Option(
        rich_help_panel=SEARCH,
        metavar="NAME",
        help="Trial scheduler: successive-halving, promising, asha, none, or one of an installed package.",
    ),
]
StagesOption = Annotated[
    str | None,
    typer.Option(
        "--stages",
        rich_help_panel=FOLDERS,
        metavar="URL",
        help="Object storage to which finished stages are copied, e.g. s3://BUCKET/FOLDER, and from which "
        "missing ones are read; kept for all sweeps of --out. Credentials come from the environment.",
    ),
]
Objectives = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=SEARCH,
        metavar="NAMES",
        help="What to search for: accuracy (by default) or mean-class; accuracy,multiply-adds seeks the "
        "Pareto front of both. The winner is the most accurate.",
    ),
]
MaxMultiplyAdds = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=RESULT,
        metavar="COUNT",
        help="Bound on the multiply-adds of one clip, e.g. 2G or 500M: every trial keeps its best pass "
        "within it, and the winner is chosen among these.",
    ),
]
ChooseOption = Annotated[
    Literal["cautious", "model", "highest"],
    typer.Option(
        rich_help_panel=RESULT,
        help="What ranks the trials: model (estimates that take the luck out of the accuracies), cautious "
        "(the same, but the first config wins unless another is better with 70% probability) or highest "
        "(the measured accuracies).",
    ),
]
ConfirmOption = Annotated[
    str,
    typer.Option(
        rich_help_panel=RESULT,
        metavar="auto|none|KxS",
        help="After the search, train the best K trials and a control again with S fresh seeds, e.g. 4x2; "
        "auto: at most a quarter of the search's epochs, if a gain is to be expected.",
    ),
]
DecideOption = Annotated[
    Literal["fresh", "pooled"],
    typer.Option(
        rich_help_panel=RESULT,
        help="What decides among confirmed trials: the fresh seeds alone, or a model of them and the search.",
    ),
]
BudgetEpochs = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=SEARCH,
        metavar="N",
        min=1,
        help="Maximum number of training epochs; with a confirmation, a fifth of them is reserved for it. "
        "Running trials finish.",
    ),
]
BudgetHours = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=SEARCH,
        metavar="HOURS",
        min=0,
        help="Maximum hours of training of the search and its confirmation, summed over trials. An hour on "
        "several accelerators counts as one hour.",
    ),
]
REFITS = typer.Option(
    rich_help_panel=RESULT,
    metavar="N",
    min=1,
    help="Refits of the winner, each with a seed of its own; their mean test accuracy is the result.",
)

Parallel = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=MACHINES,
        metavar="N",
        min=1,
        help="Trials in parallel; by default up to the machines' capacity.",
    ),
]
CpusPerTrial = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=MACHINES,
        metavar="X",
        help="Processor cores of a trial; by default 1, or its GPUs' part of the cores.",
    ),
]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=MACHINES,
        metavar="X",
        help="GPUs of a trial, e.g. 0.5; by default 1 if there are GPUs.",
    ),
]
ScalingOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=MACHINES,
        metavar="W:E|measure",
        help="Lend accelerators stage by stage, to one stage up to W, which train it W x E times as fast; "
        "measure: W and E are measured on the machines first; by default a trial holds its own.",
    ),
]
LocalClips = Annotated[
    Path | None,
    typer.Option(
        "--local-clips",
        rich_help_panel=MACHINES,
        metavar="DIR",
        help="Folder on every machine's own disk, to which the prepared clips are copied once; automatic: "
        "that of $AUTOHIER_LOCAL_CLIPS, or none.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=MACHINES,
        metavar="HOST:PORT",
        help="Address of a running Ray cluster; by default this machine.",
    ),
]
FAILURES_IN_A_ROW = typer.Option(
    rich_help_panel=MACHINES,
    metavar="N",
    min=1,
    help="Number of consecutive failures of one class that stops the sweep.",
)

MAX_SEED = 2**31 - 1
DEFAULT_DATA = Path("data")
DEFAULT_OUT = Path("sweeps")


def with_protocol(
    overrides: list[str] | None, *, drop_duplicates: bool, clips_per_class: int | None, start: str | None
) -> list[str]:
    """Return the overrides, then the settings of --drop-duplicates, --clips-per-class and --start."""
    further = {
        "protocol.drop_duplicates": "true" if drop_duplicates else None,
        "protocol.clips_per_class": clips_per_class,
        # In quotes, as the name of a sweep may look like a number.
        "recognizer.start": None if start is None else json.dumps(start, ensure_ascii=False),
    }
    return [
        *(overrides or ()),
        *(f"{name}={value}" for name, value in further.items() if value is not None),
    ]


def with_aims(
    overrides: list[str] | None, *, objectives: str | None, max_multiply_adds: str | None
) -> list[str]:
    """Return the overrides, then the settings of --objectives and --max-multiply-adds.

    Raises:
        InputError: if the objectives are not one to maximize, and at most one to minimize.
    """
    bound = [] if max_multiply_adds is None else [f"search.max_multiply_adds={max_multiply_adds}"]
    return [*(overrides or ()), *_objective_settings(objectives), *bound]


def _objective_settings(objectives: str | None) -> Iterator[str]:
    if objectives is None:
        return
    from autohier.config.trial.trial_config import Objective, SecondObjective

    names = [name.strip() for name in objectives.split(",")]
    first = [name for name in names if name in get_args(Objective)]
    second = [name for name in names if name in get_args(SecondObjective)]
    if len(first) != 1 or len(second) > 1 or len(first) + len(second) < len(names):
        raise InputError(
            f"--objectives must name {' or '.join(get_args(Objective))}, alone or with multiply-adds",
            got=objectives,
            hint="write e.g. --objectives accuracy,multiply-adds",
        )
    yield f"search.objective={first[0]}"
    yield f"search.second_objective={''.join(second) or 'none'}"


def parse_reader_options(texts: list[str] | None) -> dict[str, object]:
    """Return the settings of a dataset reader that the command line gives, by name.

    Raises:
        InputError: if a text is not ``NAME=VALUE``.
    """
    from autohier.config.search.loading import parse_override

    return dict(
        parse_override(text, option="--reader-option", example="unit_m=0.001") for text in texts or ()
    )
