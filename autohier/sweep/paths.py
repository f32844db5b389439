"""The folder of a sweep: names every path in it once, and keeps ``sweep.json``.

::

    sweeps/
      stages/                    finished stages, shared by all sweeps in here
      fusions/                   see fusion.paths
      NAME/
        sweep.json               plan and provenance of the sweep
        study.journal            the Optuna study, which decides what is left to run
        study.mark               of the last driver, if the study is in a database; see study.ownership
        driver.lock              locked by the running driver
        driver.lock.N            the same on a file system without locks; see file_lock
        driver.txt               process and host of the driver; stays if it is killed
        report.html              the page of the sweep
        driver.log               warnings and failures, with tracebacks
        records/                 Parquet: trials, stages, epochs, tests, work; notes of own epochs
        tensorboard/             one run per trial
        ray/                     Ray Tune's own files; never read
        scheduler.reports        reports of the last driver's trials to the trial scheduler
        machines/                files that driver and machines leave for each other, while a sweep runs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from autohier.config.file_format import SWEEP_FORMAT, check_format
from autohier.config.frozen import validate
from autohier.config.plain_names import is_plain_name
from autohier.config.search.searched_weights import locate_weights, placed_values, relocated_space
from autohier.config.storage_url import without_password
from autohier.config.stored_settings import SETTINGS_REVISION, fill_stored_space
from autohier.config.sweep import SWEEP_NAME_MARKS, Provenance, SweepPlan
from autohier.data.store.paths import prepare_command, store_folder
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, MissingDataError, damage_text, nearest
from autohier.files import open_regular, write_atomically
from autohier.sweep.locking.file_lock import lock_files
from autohier.sweep.locking.sweep_lock import holder_file
from autohier.sweep.relocation import (
    STAGES,
    GivenFolders,
    folders_around,
    locate_plan,
    out_of_paths,
    out_of_places,
    place_earlier_plan,
    place_in,
    place_plan,
)
from autohier.text import shell_words

_ABSOLUTE_PATHS = (None, 1)
"""Revisions of ``sweep.json`` in which all paths are absolute."""
_FOR_ALL, _FOR_OWNER = 0o666, 0o600
"""Permissions, before the umask."""


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """Paths of one sweep."""

    path: Path

    @property
    def plan_file(self) -> Path:
        """Plan and provenance."""
        return self.path / "sweep.json"

    @property
    def journal_file(self) -> Path:
        """The study, unless it has a storage URL."""
        return self.path / "study.journal"

    @property
    def lock_file(self) -> Path:
        """Locked by the running driver."""
        return self.path / "driver.lock"

    @property
    def log_file(self) -> Path:
        """Warnings and failures."""
        return self.path / "driver.log"

    @property
    def records(self) -> Path:
        """Parquet parts."""
        return self.path / "records"

    @property
    def tensorboard(self) -> Path:
        """One run per trial."""
        return self.path / "tensorboard"

    @property
    def ray(self) -> Path:
        """Ray Tune's own files."""
        return self.path / "ray"

    @property
    def mark_file(self) -> Path:
        """Mark of the last driver of a study in a database; see sweep.study.storages.ownership."""
        return self.path / "study.mark"

    @property
    def machines(self) -> Path:
        """Files that show driver and machines that they share this folder."""
        return self.path / "machines"

    @property
    def scheduler_file(self) -> Path:
        """Reports to the trial scheduler, from which its process starts again."""
        return self.path / "scheduler.reports"

    @property
    def resume_command(self) -> str:
        """Command that resumes the sweep, from the current folder."""
        return shell_words("autohier", "resume", relative_path(self.path))

    @property
    def view_command(self) -> str:
        """Command that shows the sweep's curves, from the current folder."""
        return shell_words("tensorboard", "--logdir", relative_path(self.tensorboard))

    def write_plan(self, plan: SweepPlan, provenance: Provenance) -> None:
        """Write ``sweep.json``, replacing an older one.

        The password of a database is left out. If there is a database, only the user may read the file.
        """
        outs = folders_around(self.path)
        placed = place_plan(plan, outs)
        place = partial(place_in, out_of_paths(plan, outs))
        space = placed_values(placed.space, place)
        storage = None if placed.storage is None else without_password(placed.storage)
        content = {
            "version": SWEEP_FORMAT,
            "settings_revision": SETTINGS_REVISION,
            "plan": placed.model_dump(mode="json") | {"storage": storage, "space": space},
            "provenance": provenance.model_dump(mode="json"),
        }
        mode = _FOR_ALL if storage is None else _FOR_OWNER
        write_atomically(self.plan_file, json.dumps(content, indent=1).encode(), mode=mode)

    def discard_unstarted(self) -> None:
        """Remove the files of a sweep that failed before its first trial, so that its name is free."""
        if self.tensorboard.exists():
            return
        own = (self.plan_file, self.journal_file, self.mark_file, self.log_file)
        for path in (*own, self.lock_file, holder_file(self.lock_file), *lock_files(self.lock_file)):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # a folder with other files stays
            self.path.rmdir()

    def read_plan(self) -> tuple[SweepPlan, Provenance]:
        """Read ``sweep.json``, with the paths that hold where the sweep lies now.

        Raises:
            InputError: if the folder holds no sweep, or a damaged one.
        """
        outs = folders_around(self.path)
        try:
            with open_regular(self.plan_file) as file:
                content = json.loads(file.read())
            plan, provenance = dict(content["plan"]), dict(content["provenance"])
            out = out_of_places(str(plan.get("stage_folder")), outs)
            plan["space"] = locate_weights(plan["space"], lambda place: str(out / place))
        except FileNotFoundError as error:
            raise InputError("a sweep must exist", got=self.path.absolute(), hint=self._hint()) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{self.plan_file} must be a sweep's description",
                got=damage_text(error),
                hint="put a copy of the file in its place, or start another sweep, which reuses the stages",
            ) from error
        check_format(content, expected=SWEEP_FORMAT, path=self.plan_file)
        origin = str(self.plan_file)
        if "settings_revision" not in content and isinstance(plan.get("space"), dict):
            plan = plan | {"space": fill_stored_space(plan["space"])}
        # A sweep of an earlier version keeps its winner.
        stored = validate(SweepPlan, {"choose": "highest", "confirm": "none"} | plan, origin=origin)
        if content.get("settings_revision") in _ABSOLUTE_PATHS:
            stored = place_earlier_plan(stored)
        located = locate_plan(self._with_name(stored), outs)
        return located, validate(Provenance, provenance, origin=origin)

    def _hint(self) -> str:
        """Return which sweeps are next to this folder, which holds none."""
        others = [path.parent.name for path in sorted(self.path.parent.glob("*/sweep.json"))]
        if others:
            return nearest(self.path.name, others)
        return "no sweep is there; name its folder with --out, or start one with 'autohier search'"

    def _with_name(self, plan: SweepPlan) -> SweepPlan:
        """Return a plan with the name that its folder has now, if that is the name of a sweep."""
        name = self.path.absolute().name
        return plan.model_copy(update={"name": name}) if is_plain_name(name, marks=SWEEP_NAME_MARKS) else plan


def relative_path(path: Path) -> Path:
    """Return a path relative to the current folder if it lies in it, for commands that users copy."""
    cwd = Path.cwd()
    return path.relative_to(cwd) if path.is_relative_to(cwd) else path


def stage_folder(out: Path) -> Path:
    """Return the stage store that the sweeps in a folder share."""
    return out / STAGES


def clip_folder(plan: SweepPlan) -> Path:
    """Return the folder of the sweep's prepared clips."""
    return store_folder(Path(plan.data_folder), plan.space.dataset, plan.space.clips.modality)


def override_places(plan: SweepPlan, given: GivenFolders) -> SweepPlan:
    """Return a plan with the folders that the user names in place of the stored ones."""
    folders = {
        "data_folder": given.data and str(given.data.resolve()),
        "stage_folder": given.out and str(stage_folder(given.out.resolve())),
    }
    changes: dict[str, object] = {name: folder for name, folder in folders.items() if folder}
    if given.weights is not None:
        changes["space"] = relocated_space(plan.space, given.weights)
    return plan.model_copy(update=changes)


def require_places(subject: str, *, stages: Path, clips: Path) -> None:
    """Check that the stages and the clips of a sweep exist.

    Args:
        subject: the sweep or the trial, for the error.
        stages: its stage store.
        clips: its clip store.

    Raises:
        MissingDataError: if one or both do not exist, e.g. as the sweep was copied without them.
    """
    needed = {
        stages: ("stage store", "name the folder that holds its 'stages' with --out"),
        clips: ("prepared clips", "name the folder of the prepared datasets with --data"),
    }
    missing = {path: texts for path, texts in needed.items() if not path.is_dir()}
    if missing:
        what = " and the ".join(name for name, _ in missing.values())
        ways = " and ".join(way for _, way in missing.values())
        again = prepare_command(clips) if clips in missing else shell_words("mkdir", stages)
        raise MissingDataError(
            f"the {what} of {subject} must exist",
            got=" and ".join(f"nothing at {path}" for path in missing),
            hint=f"{ways}; or make {'the clips' if clips in missing else 'the stages'} again with '{again}'",
        )


def check_same_clips(clips: ClipStore, fingerprint: str | None) -> None:
    """Check that a sweep is resumed with the clips that it started with; None allows any.

    Raises:
        InputError: if the fingerprints differ.
    """
    if fingerprint not in (None, clips.fingerprint):
        raise InputError(
            f"the clips in {clips.folder} must be those that the sweep started with",
            got=f"fingerprint {clips.fingerprint[:12]}, not {fingerprint[:12]}",
            hint="name the folder of those with --data, prepare them as before, or start a new sweep",
        )


def check_same_weights(stored: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Check that a sweep is resumed with the 2D weights or the starting weights that it started with.

    Args:
        stored: digest of the weights by variant, when the sweep started; empty if it was not recorded.
        found: the same now.

    Raises:
        InputError: if they differ.
    """
    differing = [name for name, sha256 in stored.items() if found.get(name, sha256) != sha256]
    if differing:
        of_variants = f" of {', '.join(differing)}" if any(differing) else ""
        raise InputError(
            f"the weights{of_variants} must be those that the sweep started with",
            got="other content",
            hint="name the file or stage of those with --pretrained, or start a new sweep",
        )


def find_sweep(name: str, out: Path) -> SweepFolder:
    """Return the folder of a sweep, given by its path or by its name below ``out``."""
    own, below = SweepFolder(Path(name)), SweepFolder(out / name)
    return own if own.plan_file.is_file() and not below.plan_file.is_file() else below


def free_folder(name: str, out: Path) -> SweepFolder:
    """Return the folder of a new sweep.

    Raises:
        InputError: if a sweep of that name exists.
    """
    folder = SweepFolder(out / name)
    if folder.plan_file.exists():
        raise InputError(
            "a new sweep must have a name of its own",
            got=f"{name!r}, which is in {folder.path}",
            hint=f"choose another --name, or continue it with '{folder.resume_command}'",
        )
    return folder


def time_name(prefix: str) -> str:
    """Return a default name with the time in UTC, e.g. "demo-20260102-150405"."""
    return f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
