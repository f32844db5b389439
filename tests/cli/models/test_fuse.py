"""``autohier fuse`` and ``autohier evaluate`` on finished sweeps of tiny clips."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from autohier.config.fusion import Fusion, Member
from autohier.core.late_fusion import average, likeliest_weights, share_clips
from autohier.core.prediction import predict_test, predict_validation
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.metrics import Predictions
from autohier.core.trial import run_trial
from autohier.data.datasets.base import ClipSource
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.fusion.fit import fuse
from autohier.fusion.members import open_member
from autohier.fusion.selection import find_member
from autohier.records.reader import read_records, read_rows
from autohier.records.schema import EvaluationRow
from autohier.records.statistics import wilson_interval
from support.command_line import Autohier, Ended
from support.sources.tiny_clips import CLASS_NAMES, CLIPS_PER_SUBJECT, ColourReader, prepare_tiny_clips
from support.sweep_runs.finished_sweeps import finish_sweep
from support.sweep_runs.tensorboard_pages import open_tensorboard


@dataclass(frozen=True, slots=True)
class FewerClips(ColourReader):
    """Reader of the same clips without the first repetition of subjects 9 (validation) and 2 (test)."""

    def find_clips(self, source: Path) -> list[ClipSource]:
        return [
            clip
            for clip in ColourReader.find_clips(self, source)
            if clip.replication or clip.subject not in {2, 9}
        ]


@pytest.fixture(scope="module")
def fewer_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("fewer")
    prepare_tiny_clips(data, FewerClips())
    return data


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, fewer_data: Path) -> Path:
    """Sweeps of two seeds, of fewer clips, of paper validation and of cross-validation."""
    folder = tmp_path_factory.mktemp("sweeps")
    finish_sweep(folder, "colours", tiny_data, seeds=(0, 1))
    finish_sweep(folder, "fewer", fewer_data, "optimisation.learning_rate=1e-3")
    finish_sweep(folder, "leaks", tiny_data, "protocol.validation=paper")
    finish_sweep(folder, "folds", tiny_data, "protocol.validation=folds", "protocol.num_folds=2")
    return folder


@pytest.fixture
def run(autohier: Autohier, out: Path) -> Callable[..., Ended]:
    """Return a function that runs a command on these sweeps."""

    def in_out(*arguments: object) -> Ended:
        return autohier(*arguments, "--out", out, "--device", "cpu", "--threads", 1)

    return in_out


def open_again(out: Path, name: str) -> TrialSetup:
    return open_member(find_member(name, out), callback=CallbackList(), device="cpu", num_threads=1)


def kept_of(trial: TrialSetup) -> StageResult:
    return run_trial(trial).kept


def on_validation(out: Path, *names: str) -> tuple[Predictions, ...]:
    """Return the predictions of trials on the validation clips that they share."""
    trials = [open_again(out, name) for name in names]
    return share_clips([predict_validation(trial, kept_of(trial)) for trial in trials])


def on_test(out: Path, *names: str, refitted: bool) -> list[Predictions]:
    trials = [open_again(out, name) for name in names]
    return [predict_test(trial, kept_of(trial), refitted=refitted) for trial in trials]


def printed(predictions: Predictions) -> str:
    """Return an accuracy as it is printed, with its number of clips and its interval."""
    low, high = wilson_interval(predictions.accuracy, len(predictions.clip_ids))
    return (
        f"accuracy {predictions.accuracy:.1%} of {len(predictions.clip_ids)} clips, "
        f"95% interval {low:.1%} to {high:.1%}; "
        f"top-5 {predictions.top5_accuracy:.1%}; mean class accuracy {predictions.mean_class_accuracy:.1%}"
    )


def read_fusion(out: Path, name: str) -> Fusion:
    return Fusion.model_validate_json((out / "fusions" / name / "fusion.json").read_bytes())


SEEDS = ("colours:t0000", "colours:t0001")
UNLIKE = ("colours:t0000", "fewer:t0000")


class TestFuse:
    def test_weights_are_fit_on_validation_and_stored_with_the_members(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        ended = run("fuse", *SEEDS, "--name", "searched")
        assert ended.code == 0, ended.err
        alone = on_validation(out, *SEEDS)
        weights = likeliest_weights(alone)
        together = average(alone, weights)
        fusion = read_fusion(out, "searched")
        assert [member.weight for member in fusion.members] == pytest.approx(weights)
        assert [member.accuracy for member in fusion.members] == [each.accuracy for each in alone]
        assert (fusion.accuracy, fusion.num_clips) == (together.accuracy, CLIPS_PER_SUBJECT)
        assert fusion.weighting == "search"
        assert [file.name for file in (out / "fusions" / "searched").iterdir()] == ["fusion.json"]
        assert [member.name for member in fusion.members] == [*SEEDS]
        assert [member.config.seed for member in fusion.members] == [0, 1]
        assert printed(together) in ended.out
        assert "these clips also chose the members and the weights" in ended.out
        for name, weight, each in zip(SEEDS, weights, alone, strict=True):
            assert re.search(rf"{name} +{weight:.3f} +24 +{each.accuracy:.1%}", ended.out)

    @pytest.mark.parametrize(("text", "shares"), [("equal", (0.5, 0.5)), ("3,1", (0.75, 0.25))])
    def test_weights_may_be_given(
        self, run: Callable[..., Ended], out: Path, text: str, shares: tuple[float, ...]
    ) -> None:
        ended = run("fuse", *SEEDS, "--weights", text, "--name", f"weighed-{text}")
        assert "also chose" not in ended.out
        fusion = read_fusion(out, f"weighed-{text}")
        assert tuple(member.weight for member in fusion.members) == shares
        assert fusion.accuracy == average(on_validation(out, *SEEDS), shares).accuracy
        assert fusion.weighting == ("equal" if text == "equal" else "given")

    def test_validation_omits_clips_that_a_member_lacks(self, run: Callable[..., Ended], out: Path) -> None:
        ended = run("fuse", *UNLIKE, "--name", "lacking")
        num_lacking = len(CLASS_NAMES)
        assert f"omitted: {num_lacking} validation clips that not all members have" in ended.out
        assert read_fusion(out, "lacking").num_clips == CLIPS_PER_SUBJECT - num_lacking

    def test_a_sweep_selects_its_best_trial(self, run: Callable[..., Ended], out: Path) -> None:
        run("fuse", "colours", "fewer", "--name", "best")
        # Two seeds of one config: the first one stands for it, whichever was luckier.
        assert read_fusion(out, "best").members[0].name == SEEDS[0]

    def test_class_accuracies_are_compared(self, run: Callable[..., Ended], out: Path) -> None:
        alone = on_validation(out, *SEEDS)
        together = average(alone, (1, 1))
        best = max(alone, key=lambda each: each.accuracy)
        ended = run("fuse", *SEEDS, "--weights", "equal", "--name", "by-class")
        won = int((together.is_right & ~best.is_right).sum())
        lost = int((best.is_right & ~together.is_right).sum())
        assert f"{won} clips newly correct, {lost} newly wrong" in ended.out
        gains = together.class_accuracies - best.class_accuracies
        for name, gain in zip(CLASS_NAMES, gains, strict=True):
            assert bool(re.search(rf"{name} .*{re.escape(f'{100 * gain:+.1f}')}", ended.out)) == (gain != 0)


class TestEvaluate:
    def test_members_are_refit_and_predict_the_clips_that_they_have(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        run("fuse", *UNLIKE, "--weights", "2,1", "--name", "refitted")
        ended = run("evaluate", "refitted")
        assert ended.code == 0, ended.err
        alone = on_test(out, *UNLIKE, refitted=True)
        together = average(alone, (2, 1))
        assert len(together.clip_ids) == 2 * CLIPS_PER_SUBJECT
        assert printed(together) in ended.out
        assert f"{len(CLASS_NAMES)} clips are predicted only by the members that have them" in ended.out
        (row,) = read_rows(out / "fusions" / "refitted" / "records", EvaluationRow)
        assert (row.trial, row.stage, row.validation) == ("refitted", "fusion, refit", "clean")
        assert (row.accuracy, row.num_clips) == (together.accuracy, 2 * CLIPS_PER_SUBJECT)
        assert "before" not in ended.out

    def test_a_second_evaluation_of_the_same_networks_is_a_warning(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        run("fuse", *UNLIKE, "--name", "twice")
        first, other, second = (
            run("evaluate", "twice", option) for option in ("--no-refit", "--refit", "--no-refit")
        )
        weights = [member.weight for member in read_fusion(out, "twice").members]
        fused = average(on_test(out, *UNLIKE, refitted=False), weights)
        assert "before" not in first.out + other.out
        assert "\nthe same as before (1 time, last 20" in second.out
        assert "WARNING" not in second.out
        assert f"accuracy {fused.accuracy:.1%} of" in second.out
        rows = read_rows(out / "fusions" / "twice" / "records", EvaluationRow)
        assert sorted(row.stage for row in rows) == ["fusion", "fusion", "fusion, refit"]
        for name, refitted in ((name, refitted) for name in UNLIKE for refitted in (True, False)):
            (alone,) = on_test(out, name, refitted=refitted)
            sweep, _, trial = name.partition(":")
            kept = read_records(out / sweep / "records").tests_of(trial)
            stage = "pass 2, refit" if refitted else "pass 2"
            assert (stage, alone.accuracy) in {(row.stage, row.accuracy) for row in kept}

    def test_a_trial_is_evaluated_alone_and_its_sweep_records_the_result(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        ended = run("evaluate", "colours:t0001", "--no-refit")
        (alone,) = on_test(out, "colours:t0001", refitted=False)
        assert printed(alone) in ended.out
        assert "compared" not in ended.out
        records = read_records(out / "colours" / "records")
        (row,) = records.tests_of("t0001")
        assert (row.stage, row.accuracy) == ("pass 2", alone.accuracy)
        levels = (*alone.levels, alone)
        assert [level.probabilities_NK.shape[1] for level in levels] == [2, 3, 6]
        assert row.stack_accuracies == tuple(level.accuracy for level in levels)
        assert row.stack_top5_accuracies == tuple(level.top5_accuracy for level in levels)
        assert row.stack_mean_class_accuracies == tuple(level.mean_class_accuracy for level in levels)
        said = " ".join(ended.out.split())
        assert f"by level: 2 superclasses: top-1 {levels[0].accuracy:.1%}, top-5 100.0%, mean class" in said
        assert f"; classes: top-1 {alone.accuracy:.1%}, top-5 {alone.top5_accuracy:.1%}" in said
        curves = open_tensorboard(out / "colours" / "tensorboard")
        tested = curves("scalars/scalars", run="t0001", tag="test/pass-2/accuracy_stack/3")
        assert [point[1:] for point in tested] == [[0, pytest.approx(alone.accuracy)]]
        # The sweep still evaluates its winner itself.
        assert records.untested_winner() == records.ranked()[0]

    def test_validation_accuracy_is_that_of_the_fit(self, run: Callable[..., Ended], out: Path) -> None:
        run("fuse", *UNLIKE, "--name", "validated")
        ended = run("evaluate", "validated", "--split", "validation")
        assert f"accuracy {read_fusion(out, 'validated').accuracy:.1%} of 18 clips" in ended.out

    def test_cross_validated_trials_predict_every_training_clip(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        (predictions,) = on_validation(out, "folds")
        assert len(predictions.clip_ids) == 4 * CLIPS_PER_SUBJECT
        said = run("evaluate", "folds", "--split", "validation").out
        assert printed(predictions) in said
        assert "of all folds together; 'autohier status' shows" in " ".join(said.split())

    def test_paper_validation_is_not_refit(self, run: Callable[..., Ended], out: Path) -> None:
        ended = run("evaluate", "leaks")
        assert printed(*on_test(out, "leaks", refitted=False)) in ended.out
        (row,) = read_records(out / "leaks" / "records").tests
        assert (row.stage, row.validation) == ("pass 2", "paper")


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("fuse", "colours"), "at least two members, but got 1"),
            (("fuse", "colours", "nothing"), "a sweep must exist, but got .*nothing"),
            (("fuse", "colours", "nothing:t0000"), "a sweep must exist, but got .*nothing"),
            (
                ("fuse", "colours", "fewer:t0009"),
                "must be complete, but got t0009: 'autohier status .*fewer'",
            ),
            (
                ("fuse", "colours:t0000", "colours:t0000"),
                "fusion members must differ, but got colours:t0000, colours",
            ),
            (("fuse", *SEEDS, "--weights", "1,2,3"), "2 numbers.*got 1,2,3: write e.g. --weights 2,1"),
            (("fuse", *SEEDS, "--weights", "1,-2"), "none negative.*got 1,-2"),
            (("fuse", *SEEDS, "--weights", "0,0"), "not all 0, for colours:t0000, .*:t0001, but got 0,0"),
            (("fuse", *SEEDS, "--weights", "1,nan"), "2 numbers"),
            (("fuse", *SEEDS, "--weights", "1e308,1e308"), "2 numbers"),
            (("fuse", *SEEDS, "--name", "colours"), "must not be that of a sweep, but got colours"),
            (("fuse", *SEEDS, "--weights", "best"), "search, equal or numbers, but got best"),
            (("fuse", "colours", "leaks"), "the same validation, but got paper .* in leaks:t0000, and clean"),
            (
                ("evaluate", "colours", "--split", "validation", "--refit"),
                "--refit trains on the validation clips: omit",
            ),
            (("evaluate", "leaks", "--refit"), "--refit would train on paper validation clips"),
            (("evaluate", "folds", "--no-refit"), "a cross-validated trial has no single network to test"),
            (("fuse", "colours", "folds"), r"same validation, but got folds validation on \[1, 7\] in folds"),
            (
                ("evaluate", "nothing"),
                "a fusion, or a trial of a sweep, but got 'nothing', .*: valid are .*colours",
            ),
            (("evaluate", "colour"), "which is not in .*: did you mean 'colours'"),
            (("evaluate", "colour:t0000"), "which is not in .*: did you mean 'colours'"),
            (
                ("evaluate", "colours:each"),
                "only one model .* fuse colours:each --name NAME', then evaluate NAME",
            ),
        ],
    )
    def test_errors_are_one_line(
        self, run: Callable[..., Ended], arguments: tuple[str, ...], error: str
    ) -> None:
        assert re.search(error, run(*arguments).error)

    def test_fusions_cannot_be_members(self, run: Callable[..., Ended]) -> None:
        run("fuse", *UNLIKE, "--weights", "equal", "--name", "pair")
        error = "must be trials, but got the fusion pair: name its members: colours:t0000 fewer:t0000$"
        assert re.search(error, run("fuse", "pair", "leaks").error)

    @pytest.mark.parametrize(
        ("field", "other", "error"),
        [
            ("dataset", "ntu60", "the same dataset, but got ntu60 in fewer:t0000, and demo in colours:t0000"),
            ("class_names", ("red", "blue"), "the same classes, but got red in fewer.*, and dark red in col"),
            ("class_names", CLASS_NAMES[:5], "the same classes, but got nothing in fewer.*, and bright blue"),
        ],
    )
    def test_different_datasets_are_rejected_before_prediction(
        self, out: Path, field: str, other: object, error: str
    ) -> None:
        members = [find_member(name, out) for name in UNLIKE]

        def opener(member: Member) -> TrialSetup:
            trial = open_again(out, member.name)
            if member is members[0]:
                return trial
            clips = trial.context.clips
            store = ClipStore(clips.folder, clips.manifest.model_copy(update={field: other}), clips._shards)
            return replace(trial, context=replace(trial.context, clips=store))

        lines: list[str] = []
        with pytest.raises(InputError, match=error):
            fuse(members, "equal", opener, lines.append)
        assert lines == []

    def test_different_held_out_subjects_are_rejected(self, out: Path) -> None:
        members = [find_member(name, out) for name in UNLIKE]
        protocol = members[1].config.protocol.model_copy(update={"held_out": (3, 7)})
        config = members[1].config.model_copy(update={"protocol": protocol})
        members[1] = members[1].model_copy(update={"config": config})
        with pytest.raises(InputError, match=r"validation, but got clean validation on \[3, 7\] in fewer"):
            fuse(
                members,
                "equal",
                partial(open_member, callback=CallbackList(), device="cpu", num_threads=1),
                print,
            )

    def test_a_fusion_elsewhere_warns_that_stages_may_be_collected(
        self, run: Callable[..., Ended], tmp_path: Path
    ) -> None:
        ended = run("fuse", *SEEDS, "--name", tmp_path / "elsewhere")
        assert (tmp_path / "elsewhere" / "fusion.json").is_file()
        assert ended.out.count("'store collect' may remove stages of colours:t000") == 2

    def test_an_existing_fusion_is_not_replaced(self, run: Callable[..., Ended], out: Path) -> None:
        (out / "fusions" / "there" / "records").mkdir(parents=True)
        assert "the folder of a new fusion must not exist" in run("fuse", *SEEDS, "--name", "there").error

    def test_a_damaged_fusion_is_an_error(self, run: Callable[..., Ended], tmp_path: Path) -> None:
        for content, error in (
            ("{", "must be a fusion's description"),
            ('{"version": 2}', "members, weighting, accuracy, num_clips and created_at must be given"),
            ('{"version": 1}', "fusion.json was written by autohier 0.1: read it with autohier 0.1"),
        ):
            (tmp_path / "fusion.json").write_text(content)
            assert error in run("evaluate", tmp_path).error

    def test_changed_clips_are_an_error(
        self, run: Callable[..., Ended], out: Path, fewer_data: Path, tmp_path: Path
    ) -> None:
        run("fuse", *SEEDS, "--name", "moved")
        content = (out / "fusions" / "moved" / "fusion.json").read_text()
        for clips, error in ((fewer_data / "demo", "must be those that"), (tmp_path, "is not prepared")):
            fusion = json.loads(content)
            fusion["members"][1]["clip_folder"] = str(clips)
            (tmp_path / "fusion.json").write_text(json.dumps(fusion))
            assert error in run("evaluate", tmp_path).error
