"""Selection of finished trials by name: SWEEP, SWEEP:VARIANT, SWEEP:each, SWEEP:TRIAL or SWEEP:TRIAL@PASS."""

from __future__ import annotations

from pathlib import Path

from autohier.config.fusion import Member
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.fusion.members import Log
from autohier.fusion.paths import find_fusion
from autohier.fusion.relocation import locate_member
from autohier.records.reader import chain_rows, params_of
from autohier.records.schema import TrialRow
from autohier.sweep.finished_trials import RecordedSweep, read_sweep, split_trial_name
from autohier.sweep.paths import clip_folder
from autohier.sweep.relocation import STORED, GivenFolders
from autohier.text import shell_words

EACH_VARIANT = "each"
"""Takes the place of a trial's name in SWEEP:each."""


def find_member(name: str, out: Path, given: GivenFolders = STORED) -> Member:
    """Return one finished trial.

    Args:
        name: SWEEP (its best trial), SWEEP:VARIANT (best trial of the variant), SWEEP:TRIAL, or
            SWEEP:TRIAL@PASS (another pass of its chain than the one that it kept); the sweep by its name
            below ``out`` or by its path.
        out: folder of the sweeps.
        given: folders that the user names.

    Raises:
        InputError: if the sweep does not exist, or the trial is not complete.
    """
    sweep, selector = _open(name, out, given)
    return _named_member(sweep, selector, given)


def find_members(name: str, out: Path, log: Log, given: GivenFolders = STORED) -> list[Member]:
    """Return the finished trials that a name selects.

    SWEEP:each selects the best trial of each variant, best first; any other name one trial, as `find_member`.

    Args:
        name: see `find_member`.
        out: folder of the sweeps.
        log: called with a line if variants have no complete trial.
        given: folders that the user names.

    Raises:
        InputError: if the sweep does not exist, or a trial is not complete.
    """
    sweep, selector = _open(name, out, given)
    if selector != EACH_VARIANT:
        return [_named_member(sweep, selector, given)]
    best: dict[str, TrialRow] = {}
    for row in sweep.records.ranked():
        best.setdefault(row.variant, row)
    missing = [variant for variant in sweep.plan.space.search.variants if variant not in best]
    if missing:
        log(f"omitted from {name}, no complete trial: {', '.join(missing)}")
    return [_member(sweep, row, given) for row in best.values() or [sweep.complete_trial(None)]]


def has_sweep(name: str, out: Path) -> bool:
    """Return whether the sweep in a trial's name exists."""
    return split_trial_name(name, out)[0].plan_file.is_file()


def _named_member(sweep: RecordedSweep, selector: str | None, given: GivenFolders) -> Member:
    """Return a trial as a fusion member, with the pass that the user named, if any."""
    member = _member(sweep, sweep.complete_trial(selector), given)
    return member.model_copy(update={"pass_name": (selector or "").partition("@")[2]})


def _member(sweep: RecordedSweep, row: TrialRow, given: GivenFolders) -> Member:
    """Return a complete trial as a fusion member."""
    stages = sweep.records.up_to_pass(row.trial, row.kept_pass or 0)
    clips = clip_folder(sweep.plan)
    member = Member(
        sweep=str(sweep.folder.path.resolve()),
        trial=row.trial,
        config=sweep.plan.space.config(params_of(row), seed=row.seed),
        stage_keys=tuple(stage.store_keys for stage in stages),
        num_flat=max(1, len(stages) - len(chain_rows(stages))),
        stage_folder=sweep.plan.stage_folder,
        clip_folder=str(clips),
        clips_fingerprint=sweep.plan.clips_fingerprint or ClipStore.open(clips).fingerprint,
        accuracy=row.accuracy or 0.0,
    )
    return locate_member(member, (), given)


def _open(name: str, out: Path, given: GivenFolders) -> tuple[RecordedSweep, str | None]:
    """Return the sweep in a name, and the name's part after the colon."""
    folder, selector = split_trial_name(name, out)
    if not folder.plan_file.is_file() and (fusion := find_fusion(name, out)):
        members = shell_words(*(_full_name(member, out) for member in fusion.read(given).members))
        raise InputError(
            "fusion members must be trials", got=f"the fusion {name}", hint=f"name its members: {members}"
        )
    return read_sweep(folder), selector


def _full_name(member: Member, out: Path) -> str:
    """Return a name that selects a member: with the path of its sweep unless that is in ``out``."""
    is_below = Path(member.sweep).parent == out.resolve()
    return member.name if is_below else f"{member.sweep}:{member.selector}"
