"""``autohier robustness MODEL...``: accuracy on clips that are corrupted at test time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import DeviceName, GivenOut, GivenWeights, NumThreads, OtherData
from autohier.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from autohier.cli.models.named_models import ModelRequest
    from autohier.data.store.reader import ClipStore
    from autohier.deploy.measurements.measured_parts import MeasuredPart
    from autohier.deploy.measurements.robustness import Condition, Robustness
    from autohier.reports.evaluations.robustness import RobustnessRow

SplitName = Literal["validation", "test"]


def robustness(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Fusions (name or folder), SWEEP (its best trial), SWEEP:TRIAL, or folders of exported "
            "models, whose clips --data names; several are compared.",
        ),
    ],
    *,
    split: Annotated[
        SplitName,
        typer.Option(help="Split to measure on; test also records the accuracy on clips as they are."),
    ] = "validation",
    refit: Annotated[
        bool | None,
        typer.Option(
            "--refit/--no-refit",
            help="On the test split, whether to measure networks trained on all training clips; by default "
            "as autohier evaluate.",
        ),
    ] = None,
    data: OtherData = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Corruptions, separated by commas: drop, noise, rate, occlusion; or none."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of what is random.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Figure to write: .png, .svg or .pdf.")
    ] = None,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
    out: GivenOut = None,
    pretrained: GivenWeights = None,
    device: DeviceName = "auto",
    threads: NumThreads = None,
) -> None:
    """Measure models on clips with dropped or noisy joints, fewer frames, or occluded frames.

    --data OTHER, the same clips prepared with poses of another source, measures the model on these poses,
    too. Of an exported model, the first --data names the clips to measure on.
    """
    import logging

    # It warns of a home folder that is missing or read-only, and draws nevertheless.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from autohier.cli.models.named_models import ModelRequest
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.files import check_new_file, write_atomically
    from autohier.reports.evaluations.robustness import RobustnessRow, legend_lines, robustness_table

    for_programs = is_for_programs(as_json=as_json, as_csv=as_csv)
    conditions = _find_conditions(only)
    if figure is not None:
        from autohier.reports.evaluations.robustness_figure import draw_robustness, figure_format

        file_format = figure_format(figure)
        check_new_file(figure, option="--figure")
    if len(set(models)) < len(models):
        raise InputError("each model must be named once", got=", ".join(models))
    console = open_console(for_programs=for_programs)
    rows: list[RobustnessRow] = []
    for name in models:
        request = ModelRequest(
            name, refit, tuple(data or ()), out, pretrained, device=device, threads=threads, console=console
        )
        rows += _measure(request, split, conditions, seed)
    if for_programs:
        print_rows({"robustness": rows}, RobustnessRow, rows, as_json=as_json)
    else:
        console.print(robustness_table(rows))
        for line in legend_lines(rows):
            console.print(line, soft_wrap=True)
    if figure is not None:
        write_atomically(figure, draw_robustness(rows, file_format))
        console.print(f"figure written to {figure}", soft_wrap=True)


def _find_conditions(only: str | None) -> list[Condition]:
    """Return the conditions of the named kinds of corruption; all by default.

    Raises:
        InputError: if a kind is unknown.
    """
    from autohier.deploy.measurements.robustness import CORRUPTIONS

    names = list(CORRUPTIONS) if only is None else [name.strip() for name in only.split(",")]
    names = [] if names == ["none"] else names
    for name in names:
        if name not in CORRUPTIONS:
            raise InputError(f"unknown corruption {name!r}", hint=nearest(name, [*CORRUPTIONS, "none"]))
    return [condition for name in dict.fromkeys(names) for condition in CORRUPTIONS[name]]


def _measure(
    request: ModelRequest, split: SplitName, conditions: Sequence[Condition], seed: int
) -> Iterator[RobustnessRow]:
    """Yield the rows of one model; record its accuracy on test clips as they are."""
    from autohier.deploy.measurements.robustness import Condition, measure_robustness
    from autohier.deploy.trained_models import is_exported
    from autohier.reports.evaluations.robustness import robustness_rows

    opened = _open_exported(request) if is_exported(request.name) else _open_own(request, split)
    poses = [Condition("poses", store.folder.name, poses=store) for store in opened.poses]
    with request.console.status(f"measuring {request.name}") as status:
        found = measure_robustness(
            opened.parts,
            [*conditions, *poses],
            classes=opened.classes,
            seed=seed,
            only_shared=split == "validation",
            on_progress=lambda text: status.update(f"measuring {text}"),
        )
    opened.record(found)
    for note in found.notes:
        request.console.print(f"note: {note}", soft_wrap=True)
    yield from robustness_rows(request.name, opened.clips, found.measured)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model with the clips that measure it."""

    parts: Iterable[MeasuredPart]
    classes: tuple[str, ...]
    clips: str
    """The clips in words."""
    poses: Sequence[ClipStore]
    """Stores with other poses."""
    record: Callable[[Robustness], None]


def _open_own(request: ModelRequest, split: SplitName) -> _Opened:
    """Open a trial or a fusion with its own clips."""
    from autohier.cli.models.given_data import other_stores
    from autohier.core.late_fusion import Fused
    from autohier.deploy.measurements.measured_parts import own_parts
    from autohier.fusion.evaluate import save_test_results
    from autohier.fusion.members import class_names
    from autohier.reports.evaluations.test_results import earlier_lines

    found = request.find()
    refitted = found.refits(split, request.refit)

    def record(robustness: Robustness) -> None:
        if split == "validation":
            return
        weights = [member.weight for member in found.members]
        fused = Fused.of(robustness.members, weights, [member.accuracy for member in found.members])
        recorded = save_test_results(found, fused, refitted=refitted)
        line = f"{request.name}: the accuracy on test clips as they are is recorded in {found.records}"
        for each in (line, *earlier_lines(recorded.result, recorded.earlier)):
            request.console.print(each, soft_wrap=True)

    return _Opened(
        own_parts(found, split, refitted=refitted, opener=request.opener(), log=lambda _: None),
        class_names(found.members[0]),
        f"{split} clips",
        other_stores(request.data, [Path(member.clip_folder).parent for member in found.members]),
        record,
    )


def _open_exported(request: ModelRequest) -> _Opened:
    """Open an exported model with the clips of the first prepared dataset that ``--data`` names."""
    from autohier.deploy.measurements.measured_parts import other_parts
    from autohier.deploy.measurements.other_clips import choose_clips

    model, stores = request.open_with_others()
    if not stores:
        raise InputError(
            "an exported model has no clips of its own",
            got=request.name,
            hint="name a prepared dataset with --data, or the trial in place of the model",
        )
    clips = choose_clips(model, stores[0], takes_own=True)
    return _Opened(
        other_parts(model, [clips]),
        model.classes,
        f"{clips.scope} of {clips.store.folder.name}",
        stores[1:],
        lambda _: None,
    )
