"""Evaluating what is finished, a fusion or a trial alone, and keeping its readings of the test split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autohier.core.fusion import Fused, share_clips
from autohier.core.stages.result import stage_label
from autohier.core.training.metrics import Predictions
from autohier.errors import InputError
from autohier.records.reader import read_rows
from autohier.records.rows import model_reading_row
from autohier.records.schema import ReadingRow
from autohier.records.writer import RecordWriter
from autohier.settings.frozen import nearest
from autohier.settings.fusion import Member
from autohier.sweep.folder import SweepFolder
from autohier.sweep.fusions import find_fusion, read_fusions
from autohier.sweep.members import (
    EACH_VARIANT,
    Opener,
    Say,
    SplitName,
    find_member,
    is_of_sweep,
    predict_member,
)


@dataclass(frozen=True, slots=True)
class Model:
    """A fusion, or a finished trial alone, that is its only member."""

    name: str
    network: str
    """What of it is read: "fusion", or the pass that the trial kept."""
    members: tuple[Member, ...]
    records: Path
    """Where its readings of the test split are kept."""

    def refits(self, split: SplitName, wanted: bool | None) -> bool:
        """Whether its members are refit on all training clips before they are read; None lets the split say.

        Raises:
            InputError: where what is wanted says nothing, or cannot be.
        """
        validation = self.members[0].setting.protocol.validation
        if split == "validation":
            if wanted:
                raise InputError("--refit trains on validation clips", remedy="leave it out for that split")
            return False
        if validation == "paper" and wanted:
            raise InputError(
                "--refit would train on paper's validation clips, which test", remedy="leave it out"
            )
        if validation == "folds" and wanted is False:
            raise InputError("folds have no network of their own to test", remedy="leave --no-refit out")
        return validation != "paper" if wanted is None else wanted


def find_model(name: str, out: Path) -> Model:
    """What people call a model: a fusion by its name below ``out`` or its path, or a trial; see find_member.

    Raises:
        InputError: where there is neither, or several, or it cannot be read.
    """
    folder = find_fusion(name, out)
    if folder is not None:
        return Model(folder.path.name, "fusion", folder.read().members, folder.records)
    if not is_of_sweep(name, out):
        sweeps = [path.name for path in sorted(out.glob("*")) if SweepFolder(path).plan_file.is_file()]
        known = [*read_fusions(out), *sweeps]
        raise InputError(
            "a model must be a fusion, or a trial of a sweep",
            got=f"{name!r}, which is neither in {out}",
            remedy=nearest(name, known) if known else "start with 'autohier search'",
        )
    if name.endswith(f":{EACH_VARIANT}"):
        raise InputError(
            "one model is evaluated at a time",
            got=name,
            remedy=f"fuse them with 'autohier fuse {name} --name NAME', then evaluate NAME",
        )
    return _alone(find_member(name, out))


def _alone(member: Member) -> Model:
    kept = stage_label("prune" if member.kept_pass else "pass-2", member.kept_pass)
    return Model(member.trial, kept, (member,), SweepFolder(Path(member.sweep)).records)


def evaluate_model(model: Model, split: SplitName, *, refitted: bool, opened: Opener, say: Say) -> Fused:
    """What a model takes the clips of a split for; costs one evaluation of each member.

    On validation these are the clips that all members have, on the test split those that any has.

    Args:
        model: a fusion or a trial.
        split: "validation" or "test".
        refitted: read the networks that are refit on all training clips; trains those that are not there.
        opened: opens a member.
        say: told what comes next.

    Raises:
        InputError: where a member's clips are not those that it was trained with.
        MissingDataError: where they are gone.
        TrialError: where training what is gone from the store fails.
    """
    told = [
        predict_member(member, split, refitted=refitted, opened=opened, say=say) for member in model.members
    ]
    return Fused.of(
        share_clips(told) if split == "validation" else told,
        [member.weight for member in model.members],
        [member.accuracy for member in model.members],
    )


def keep_readings(model: Model, fused: Fused, *, refitted: bool) -> tuple[ReadingRow, ...]:
    """Keep what a model scored on the test split; of a fusion also its members, in their own sweeps.

    Returns:
        Earlier readings of the model.

    Raises:
        OSError: where its folder cannot be written.
    """
    if len(model.members) > 1:
        for member, predictions in zip(model.members, fused.members, strict=True):
            if SweepFolder(Path(member.sweep)).plan_file.is_file():  # its networks lie elsewhere
                _keep(_alone(member), predictions, refitted=refitted)
    return _keep(model, fused.together, refitted=refitted)


def _keep(model: Model, predictions: Predictions, *, refitted: bool) -> tuple[ReadingRow, ...]:
    network = model.network + (", refit" if refitted else "")
    protocol = model.members[0].setting.protocol
    row = model_reading_row(
        model.name, network, protocol.name, protocol.validation, predictions, datetime.now(UTC)
    )
    readings = read_rows(model.records, ReadingRow)
    RecordWriter(model.records).model_read(row)
    return tuple(each for each in readings if (each.trial, each.stage) == (row.trial, row.stage))
