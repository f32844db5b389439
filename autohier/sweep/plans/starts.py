"""Find what ``recognizer.start`` names: the unpruned network of a finished trial, a folder or a file.

A plan holds the folder of the stage or the path of the file, so that a sweep starts from the same weights
whenever it continues, even if another trial of the named sweep has become its best.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from autohier.config.frozen import validate
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.weights_files import convert_starts, find_starts
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.setup.starting_weights import check_network
from autohier.core.stages.store.file_names import MODEL_FILE, STAGE_FILE
from autohier.core.stages.store.identity_check import is_stage_key
from autohier.errors import InputError, error_about
from autohier.sweep.finished_trials import RecordedSweep, read_sweep, split_trial_name
from autohier.text import shell_words

_SETTING = "recognizer.start"


def resolve_starts(space: SearchSpace, out: Path) -> SearchSpace:
    """Return a space in which every ``recognizer.start`` is the absolute path of a stage folder or a file.

    Args:
        space: the loaded space.
        out: folder of the sweeps.

    Raises:
        InputError: if one names nothing.
    """
    values: dict[str, object] = space.model_dump(mode="json")
    if not find_starts(values):
        return space
    resolved = convert_starts(values, lambda text: str(find_start(text, out)))
    return validate(SearchSpace, cast("dict[str, object]", resolved), origin=space.name)


def check_networks(space: SearchSpace) -> None:
    """Check every network that a space can sample, with its starting weights, before any clips exist.

    Args:
        space: as `resolve_starts` returns it.

    Raises:
        InputError: if a network cannot be built, or starting weights cannot be read or do not fit.
    """
    for network, flat in space.flat_params_by_network().items():
        config = space.config(flat, seed=0)
        with error_about(network):
            check_network(config.recognizer, space.search.levels, config.pass_2.heads)


def find_start(text: str, out: Path) -> Path:
    """Return the absolute path of the stage folder, the folder of a model, or the file that a text names.

    Args:
        text: SWEEP, SWEEP:TRIAL or SWEEP:VARIANT, with the sweep by its name below ``out`` or by its path;
            else a path. The file of a stage's weights is its stage.
        out: folder of the sweeps.

    Raises:
        InputError: if it names nothing, or the trial has no unpruned network in its stage store.
    """
    folder, selector = split_trial_name(text, out)
    if folder.plan_file.is_file():
        return _unpruned_stage(read_sweep(folder), selector)
    path = Path(text).expanduser()
    if path.exists():
        resolved = path.resolve()
        # The folder of a stage also says which clips and joints its weights were trained on.
        is_of_stage = resolved.name == MODEL_FILE and (resolved.parent / STAGE_FILE).is_file()
        return resolved.parent if is_of_stage else resolved
    raise InputError(
        f"{_SETTING} must name a sweep, a stage, an exported model or a file",
        got=f"{text!r}, which is no sweep in {out} and no path",
        hint="'autohier list' shows the sweeps; name their folder with --out",
    )


def start_stages(plan: SweepPlan) -> Iterator[str]:
    """Yield the keys of the stages that the trials of a sweep start from."""
    for start in find_starts(plan.space.model_dump(mode="json")):
        if is_stage_key(Path(start).name):
            yield Path(start).name


def _unpruned_stage(sweep: RecordedSweep, selector: str | None) -> Path:
    """Return the folder of the last stage of a trial that is not pruned; of the first fold if it has several.

    Filters that were pruned are zero, and training hardly revives them.
    """
    if "@" in (selector or ""):
        raise InputError(
            f"{_SETTING} takes the unpruned network of a trial, so its name has no pass",
            got=selector,
            hint="leave out what follows the @",
        )
    trial = sweep.complete_trial(selector)
    stages = [row for row in sweep.records.stages_of(trial.trial) if not find_stage_kind(row.kind).is_pruning]
    if not stages:
        raise InputError(
            f"{_SETTING} must name a trial with a stage that is not pruned",
            got=f"{sweep.folder.path.name}:{trial.trial}",
            hint="name the folder of a stage",
        )
    path = Path(sweep.plan.stage_folder) / stages[-1].kind / stages[-1].store_keys[0]
    if not (path / STAGE_FILE).is_file():
        raise InputError(
            f"{stages[-1].label} of {sweep.folder.path.name}:{trial.trial} must be in the stage store",
            got=f"nothing at {path}",
            hint=f"'{shell_words('autohier', 'evaluate', sweep.folder.path)}' trains its stages again",
        )
    return path.resolve()
