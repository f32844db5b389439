"""The folder of a sweep: names every path in it once, and keeps ``sweep.json``.

::

    sweeps/
      stages/                    finished stages, shared by all sweeps in here
      fusions/                   see sweep.fusions
      NAME/
        sweep.json               what the sweep was started with, and with which versions
        study.journal            the Optuna study: the truth of the sweep
        driver.lock              held by the driver that runs
        driver.log               warnings and failures, with tracebacks
        records/                 Parquet: trials, stages, epochs, tests
        tensorboard/             one run per trial
        ray/                     Ray Tune's own files; never read
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autohier.data.store.paths import store_folder
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.files import write_atomically
from autohier.settings.frozen import validate
from autohier.settings.sweep import Provenance, SweepPlan


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """Paths of one sweep."""

    path: Path

    @property
    def plan_file(self) -> Path:
        """What the sweep was started with."""
        return self.path / "sweep.json"

    @property
    def journal_file(self) -> Path:
        """The study, unless it lies at a storage URL."""
        return self.path / "study.journal"

    @property
    def lock_file(self) -> Path:
        """Held by the running driver."""
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

    def write_plan(self, plan: SweepPlan, provenance: Provenance) -> None:
        """Keep what the sweep is; a raised number of trials replaces the old file."""
        content = {"plan": plan.model_dump(mode="json"), "provenance": provenance.model_dump(mode="json")}
        write_atomically(self.plan_file, json.dumps(content, indent=1).encode())

    def discard_unbegun(self) -> None:
        """Take away what a sweep that could not begin has left, so that its name is free; else do nothing."""
        if self.tensorboard.exists():
            return
        for path in (self.plan_file, self.journal_file, self.lock_file, self.log_file):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # a folder that holds something else stays
            self.path.rmdir()

    def read_plan(self) -> tuple[SweepPlan, Provenance]:
        """What the sweep is.

        Raises:
            InputError: where the folder holds no sweep, or one that cannot be read.
        """
        try:
            content = json.loads(self.plan_file.read_bytes())
            plan, provenance = content["plan"], content["provenance"]
        except FileNotFoundError as error:
            raise InputError(
                "a sweep must exist", got=self.path, remedy="start one with 'autohier search'"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.plan_file} must be a sweep's description", got=error) from error
        origin = str(self.plan_file)
        return validate(SweepPlan, plan, origin=origin), validate(Provenance, provenance, origin=origin)


def stage_folder(out: Path) -> Path:
    """Where the sweeps in a folder keep their finished stages."""
    return out / "stages"


def clip_folder(plan: SweepPlan) -> Path:
    """Where the clips of a sweep lie."""
    return store_folder(Path(plan.data_folder), plan.space.dataset, plan.space.clips.modality)


def check_same_clips(clips: ClipStore, fingerprint: str | None) -> None:
    """Check that clips are those that a sweep began with; None stands for any.

    Raises:
        InputError: where they are not.
    """
    if fingerprint not in (None, clips.fingerprint):
        raise InputError(
            f"the clips in {clips.folder} must be those that the sweep began with",
            got=f"fingerprint {clips.fingerprint[:12]}, not {fingerprint[:12]}",
            remedy="prepare them as they were, or start a new sweep",
        )


def find_sweep(name: str, out: Path) -> SweepFolder:
    """The folder of a sweep given by its name below ``out`` or by its path."""
    own = SweepFolder(Path(name))
    return own if own.plan_file.is_file() else SweepFolder(out / name)


def free_folder(name: str, out: Path) -> SweepFolder:
    """The folder that a new sweep will have.

    Raises:
        InputError: where there is a sweep of that name already.
    """
    folder = SweepFolder(out / name)
    if folder.plan_file.exists():
        raise InputError(
            "a new sweep must have a name of its own",
            got=f"{name!r}, which is in {folder.path}",
            remedy=f"choose another --name, or go on with 'autohier resume {folder.path}'",
        )
    return folder
