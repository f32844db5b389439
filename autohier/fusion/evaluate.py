"""Evaluation of a fusion or of a single finished trial, and recording of its test results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from autohier.config.fusion import Member
from autohier.core.late_fusion import Fused, share_clips
from autohier.core.recipes.chain import chain_label
from autohier.core.training.metrics import Predictions
from autohier.errors import InputError, nearest
from autohier.fusion.members import Log, MemberOpener, SplitName, predict_member
from autohier.fusion.paths import find_fusion, read_fusions
from autohier.fusion.selection import EACH_VARIANT, find_member, has_sweep
from autohier.records.parts import read_whole_tests
from autohier.records.rows import model_evaluation_row
from autohier.records.schema import EvaluationRow
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder
from autohier.sweep.relocation import STORED, GivenFolders
from autohier.sweep.shown_tests import show_test_results
from autohier.text import shell_words

FUSION: Final = "fusion"
"""Name of the network of a fusion, in its test results."""


@dataclass(frozen=True, slots=True)
class Model:
    """A fusion, or a single finished trial as its only member."""

    name: str
    network: str
    """Evaluated network: "fusion", or the kept pass of the trial."""
    members: tuple[Member, ...]
    records: Path
    """Folder of the records that hold its test results."""

    def refits(self, split: SplitName, wanted: bool | None) -> bool:
        """Return whether to evaluate members that are refit on all training clips.

        Args:
            split: "validation" or "test".
            wanted: the user's choice; None decides by the split and by the kind of validation.

        Raises:
            InputError: if the user's choice is impossible or would leak validation clips.
        """
        validation = self.members[0].config.protocol.validation
        if split == "validation":
            if wanted:
                raise InputError("--refit trains on the validation clips", hint="omit it for this split")
            return False
        if validation == "paper" and wanted:
            raise InputError(
                "--refit would train on paper validation clips, which are test clips", hint="omit --refit"
            )
        if validation == "folds" and wanted is False:
            raise InputError(
                "a cross-validated trial has no single network to test without a refit",
                hint="omit --no-refit",
            )
        return validation != "paper" if wanted is None else wanted


def find_model(name: str, out: Path, given: GivenFolders = STORED) -> Model:
    """Return a fusion, by its name below ``out`` or its path, or a trial (see `find_member`).

    Args:
        name: of the fusion or the trial.
        out: folder of sweeps and fusions.
        given: folders that the user names.

    Raises:
        InputError: if the name is unknown, selects several trials, or its file is invalid.
    """
    folder = find_fusion(name, out)
    if folder is not None:
        members = folder.read(given).members
        return Model(folder.path.absolute().name, FUSION, members, folder.records)
    if not has_sweep(name, out):
        sweeps = [path.name for path in sorted(out.glob("*")) if SweepFolder(path).plan_file.is_file()]
        known = [*read_fusions(out), *sweeps]
        raise InputError(
            "a model must be a fusion, or a trial of a sweep",
            got=f"{name!r}, which is not in {out}",
            hint=nearest(name, known) if known else "start with 'autohier search'",
        )
    if name.endswith(f":{EACH_VARIANT}"):
        raise InputError(
            "only one model can be evaluated at a time",
            got=name,
            hint=f"fuse them with '{shell_words('autohier', 'fuse', name)} --name NAME', then evaluate NAME",
        )
    return _single(find_member(name, out, given))


def _single(member: Member) -> Model:
    kept = chain_label(member.config, member.kept_pass)
    return Model(member.trial, kept, (member,), SweepFolder(Path(member.sweep)).records)


def evaluate_model(
    model: Model, split: SplitName, *, refitted: bool, opener: MemberOpener, log: Log
) -> Fused:
    """Predict a split with a model, which costs one evaluation of each member.

    The validation clips are those that all members share, the test clips those that any member has.

    Args:
        model: a fusion or a trial.
        split: "validation" or "test".
        refitted: use networks that are refit on all training clips; trains those that are missing.
        opener: opens a member.
        log: called with lines of progress.

    Raises:
        InputError: if a member's clips changed since it was trained.
        MissingDataError: if its clips or its stage store do not exist.
        TrialError: if a stage is missing from the store, and training it fails.
    """
    predictions = [
        predict_member(member, split, refitted=refitted, opener=opener, log=log) for member in model.members
    ]
    return Fused.of(
        share_clips(predictions) if split == "validation" else predictions,
        [member.weight for member in model.members],
        [member.accuracy for member in model.members],
    )


@dataclass(frozen=True, slots=True)
class RecordedTest:
    """A test result that was recorded now, and the results that its records folder held before."""

    result: EvaluationRow
    earlier: tuple[EvaluationRow, ...]


def save_test_results(model: Model, fused: Fused, *, refitted: bool) -> RecordedTest:
    """Record the test result of a model; of a fusion also those of its members, in their own sweeps.

    Returns:
        The result of the model, and the earlier results of the same fusion or sweep.

    Raises:
        OSError: if a records folder cannot be written.
    """
    if len(model.members) > 1:
        for member, predictions in zip(model.members, fused.members, strict=True):
            if SweepFolder(Path(member.sweep)).plan_file.is_file():  # else the sweep was moved or removed
                _record(_single(member), predictions, refitted=refitted)
    # A fusion has no superclasses, but a single member has.
    own = fused.predictions if len(model.members) > 1 else fused.members[0]
    return _record(model, own, refitted=refitted)


def _record(model: Model, predictions: Predictions, *, refitted: bool) -> RecordedTest:
    network = model.network + (", refit" if refitted else "")
    protocol = model.members[0].config.protocol
    row = model_evaluation_row(
        model.name, network, protocol.name, protocol.validation, predictions, datetime.now(UTC)
    )
    earlier = read_whole_tests(model.records)
    RecordWriter(model.records).add_test_result(row)
    if model.network != FUSION:
        (member,) = model.members
        num_levels = len(member.config.params.superclasses) + 1
        show_test_results(SweepFolder(Path(member.sweep)), model.name, num_levels)
    return RecordedTest(row, earlier)
