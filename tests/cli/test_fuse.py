"""``autohier fuse`` and ``autohier evaluate`` on finished sweeps of tiny clips."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from autohier.core.fusion import average, likeliest_weights, share_clips
from autohier.core.prediction import predict_test, predict_validation
from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import Predictions
from autohier.core.trial import run_trial
from autohier.data.datasets.reader import ClipSource
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from autohier.records.interval import wilson_interval
from autohier.records.reader import read_records, read_rows
from autohier.records.schema import ReadingRow
from autohier.settings.fusion import Fusion, Member
from autohier.sweep.driver import _unread_winner
from autohier.sweep.fusing import fuse
from autohier.sweep.members import find_member, open_member
from command_line import Autohier, Ended
from finished_sweeps import finish_sweep
from tiny_clips import CLASS_NAMES, CLIPS_PER_SUBJECT, ColourReader, prepare_tiny_clips


@dataclass(frozen=True, slots=True)
class FewerClips(ColourReader):
    """The same clips without the first repetition of subjects 9 (validation) and 2 (test)."""

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
    """Sweeps of two seeds, of fewer clips, of paper validation and of folds; each test names its fusions."""
    folder = tmp_path_factory.mktemp("sweeps")
    finish_sweep(folder, "colours", tiny_data, seeds=(0, 1))
    finish_sweep(folder, "fewer", fewer_data, "optimisation.learning_rate=1e-3")
    finish_sweep(folder, "leaks", tiny_data, "protocol.validation=paper")
    finish_sweep(folder, "folds", tiny_data, "protocol.validation=folds", "protocol.num_folds=2")
    return folder


@pytest.fixture
def run(autohier: Autohier, out: Path) -> Callable[..., Ended]:
    """A command on these sweeps."""

    def in_out(*arguments: object) -> Ended:
        return autohier(*arguments, "--out", out, "--device", "cpu", "--threads", 1)

    return in_out


def open_again(out: Path, name: str) -> OpenTrial:
    return open_member(find_member(name, out), reporter=Reporters(), device="cpu", num_threads=1)


def kept_of(trial: OpenTrial) -> StageResult:
    return run_trial(trial).kept


def on_validation(out: Path, *names: str) -> tuple[Predictions, ...]:
    """What trials take the validation clips for that they share."""
    trials = [open_again(out, name) for name in names]
    return share_clips([predict_validation(trial, kept_of(trial)) for trial in trials])


def on_test(out: Path, *names: str, refitted: bool) -> list[Predictions]:
    trials = [open_again(out, name) for name in names]
    return [predict_test(trial, kept_of(trial), refitted=refitted) for trial in trials]


def said(told: Predictions) -> str:
    """How an accuracy is told: with its number of clips and its interval."""
    low, high = wilson_interval(told.accuracy, len(told.clip_ids))
    return (
        f"accuracy {told.accuracy:.1%} of {len(told.clip_ids)} clips, 95% interval {low:.1%} to {high:.1%}; "
        f"mean class accuracy {told.mean_class_accuracy:.1%}"
    )


def read_fusion(out: Path, name: str) -> Fusion:
    return Fusion.model_validate_json((out / "fusions" / name / "fusion.json").read_bytes())


SEEDS = ("colours:t0000", "colours:t0001")
UNLIKE = ("colours:t0000", "fewer:t0000")


class TestFuse:
    def test_weights_are_found_on_validation_and_kept_with_what_the_members_are(
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
        assert [member.setting.seed for member in fusion.members] == [0, 1]
        assert said(together) in ended.out
        assert "weights were found on these clips" in ended.out
        for name, weight, each in zip(SEEDS, weights, alone, strict=True):
            assert re.search(rf"{name} +{weight:.3f} +24 +{each.accuracy:.1%}", ended.out)

    @pytest.mark.parametrize(("text", "shares"), [("equal", (0.5, 0.5)), ("3,1", (0.75, 0.25))])
    def test_weights_may_be_given(
        self, run: Callable[..., Ended], out: Path, text: str, shares: tuple[float, ...]
    ) -> None:
        ended = run("fuse", *SEEDS, "--weights", text, "--name", f"weighed-{text}")
        assert "were found" not in ended.out
        fusion = read_fusion(out, f"weighed-{text}")
        assert tuple(member.weight for member in fusion.members) == shares
        assert fusion.accuracy == average(on_validation(out, *SEEDS), shares).accuracy
        assert fusion.weighting == ("equal" if text == "equal" else "given")

    def test_clips_that_a_member_lacks_are_left_out_of_validation(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        ended = run("fuse", *UNLIKE, "--name", "lacking")
        num_lacking = len(CLASS_NAMES)
        assert f"left out: {num_lacking} validation clips that not all of them have" in ended.out
        assert read_fusion(out, "lacking").num_clips == CLIPS_PER_SUBJECT - num_lacking

    def test_a_sweep_stands_for_its_best_trial(self, run: Callable[..., Ended], out: Path) -> None:
        run("fuse", "colours", "fewer", "--name", "best")
        accuracies = [each.accuracy for name in SEEDS for each in on_validation(out, name)]
        # Two seeds of one setting: ranked by their own accuracy, the first of equals.
        assert read_fusion(out, "best").members[0].name == SEEDS[int(np.argmax(accuracies))]

    def test_what_it_gives_is_told_by_class(self, run: Callable[..., Ended], out: Path) -> None:
        alone = on_validation(out, *SEEDS)
        together = average(alone, (1, 1))
        best = max(alone, key=lambda each: each.accuracy)
        ended = run("fuse", *SEEDS, "--weights", "equal", "--name", "by-class")
        won = int((together.is_right & ~best.is_right).sum())
        lost = int((best.is_right & ~together.is_right).sum())
        assert f"{won} clips won, {lost} lost" in ended.out
        gains = together.class_accuracies - best.class_accuracies
        for name, gain in zip(CLASS_NAMES, gains, strict=True):
            assert bool(re.search(rf"{name} .*{re.escape(f'{100 * gain:+.1f}')}", ended.out)) == (gain != 0)


class TestEvaluate:
    def test_members_are_refit_and_what_some_lack_is_scored_by_the_others(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        run("fuse", *UNLIKE, "--weights", "2,1", "--name", "refitted")
        ended = run("evaluate", "refitted")
        assert ended.code == 0, ended.err
        alone = on_test(out, *UNLIKE, refitted=True)
        together = average(alone, (2, 1))
        assert len(together.clip_ids) == 2 * CLIPS_PER_SUBJECT
        assert said(together) in ended.out
        assert f"{len(CLASS_NAMES)} clips are scored by those members that have them" in ended.out
        (row,) = read_rows(out / "fusions" / "refitted" / "records", ReadingRow)
        assert (row.trial, row.stage, row.validation) == ("refitted", "fusion, refit", "clean")
        assert (row.accuracy, row.num_clips) == (together.accuracy, 2 * CLIPS_PER_SUBJECT)
        assert "before" not in ended.out

    def test_a_second_reading_of_the_same_networks_is_told(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        run("fuse", *UNLIKE, "--name", "twice")
        first, other, second = (
            run("evaluate", "twice", option) for option in ("--no-refit", "--refit", "--no-refit")
        )
        weights = [member.weight for member in read_fusion(out, "twice").members]
        told = average(on_test(out, *UNLIKE, refitted=False), weights)
        assert "before" not in first.out + other.out
        assert f"was read with this model before: {told.accuracy:.1%} at" in second.out
        rows = read_rows(out / "fusions" / "twice" / "records", ReadingRow)
        assert sorted(row.stage for row in rows) == ["fusion", "fusion", "fusion, refit"]
        for name, refitted in ((name, refitted) for name in UNLIKE for refitted in (True, False)):
            (alone,) = on_test(out, name, refitted=refitted)
            sweep, _, trial = name.partition(":")
            kept = read_records(out / sweep / "records").tests_of(trial)
            stage = "pass 2, refit" if refitted else "pass 2"
            assert (stage, alone.accuracy) in {(row.stage, row.accuracy) for row in kept}

    def test_a_trial_is_evaluated_alone_and_its_sweep_keeps_the_reading(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        ended = run("evaluate", "colours:t0001", "--no-refit")
        (alone,) = on_test(out, "colours:t0001", refitted=False)
        assert said(alone) in ended.out
        assert "won" not in ended.out
        records = read_records(out / "colours" / "records")
        (row,) = records.tests_of("t0001")
        assert (row.stage, row.accuracy) == ("pass 2", alone.accuracy)
        # Such a reading is not the one that a sweep makes of its winner.
        assert _unread_winner(records) == records.ranked()[0]

    def test_validation_is_read_as_it_was_fused_and_nothing_is_kept(
        self, run: Callable[..., Ended], out: Path
    ) -> None:
        run("fuse", *UNLIKE, "--name", "validated")
        ended = run("evaluate", "validated", "--split", "validation")
        assert f"accuracy {read_fusion(out, 'validated').accuracy:.1%} of 18 clips" in ended.out

    def test_folds_take_every_training_clip_for_something(self, run: Callable[..., Ended], out: Path) -> None:
        (told,) = on_validation(out, "folds")
        assert len(told.clip_ids) == 4 * CLIPS_PER_SUBJECT
        assert said(told) in run("evaluate", "folds", "--split", "validation").out

    def test_paper_validation_is_not_refit(self, run: Callable[..., Ended], out: Path) -> None:
        ended = run("evaluate", "leaks")
        assert said(*on_test(out, "leaks", refitted=False)) in ended.out
        (row,) = read_records(out / "leaks" / "records").tests
        assert (row.stage, row.validation) == ("pass 2", "paper")


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("fuse", "colours"), "two trials or more, but got 1"),
            (("fuse", "colours", "nothing"), "a sweep must exist, but got .*nothing"),
            (("fuse", "colours", "nothing:t0000"), "a sweep must exist, but got .*nothing"),
            (
                ("fuse", "colours", "fewer:t0009"),
                "must be complete, but got t0009: 'autohier status .*fewer'",
            ),
            (("fuse", "colours:t0000", "colours:t0000"), "fused with others, but got colours:t0000, colours"),
            (("fuse", *SEEDS, "--weights", "1,2,3"), "2 numbers.*got 1,2,3: write e.g. --weights 2,1"),
            (("fuse", *SEEDS, "--weights", "1,-2"), "none negative.*got 1,-2"),
            (("fuse", *SEEDS, "--weights", "0,0"), "not all 0, for colours:t0000, .*:t0001, but got 0,0"),
            (("fuse", *SEEDS, "--weights", "1,nan"), "2 numbers"),
            (("fuse", *SEEDS, "--weights", "1e308,1e308"), "2 numbers"),
            (("fuse", *SEEDS, "--name", "colours"), "a name of its own, but got the sweep colours"),
            (("fuse", *SEEDS, "--weights", "best"), "search, equal or numbers, but got best"),
            (("fuse", "colours", "leaks"), "the same validation, but got paper .* in leaks:t0000, and clean"),
            (
                ("evaluate", "colours", "--split", "validation", "--refit"),
                "--refit trains on validation clips: leave",
            ),
            (("evaluate", "leaks", "--refit"), "--refit would train on paper's validation clips"),
            (("evaluate", "folds", "--no-refit"), "folds have no network of their own to test"),
            (("fuse", "colours", "folds"), r"same validation, but got folds validation on \[1, 7\] in folds"),
            (
                ("evaluate", "nothing"),
                "a fusion, or a trial of a sweep, but got 'nothing', .*: valid are .*colours",
            ),
            (("evaluate", "colour"), "which is neither in .*: did you mean 'colours'"),
            (("evaluate", "colour:t0000"), "which is neither in .*: did you mean 'colours'"),
            (("evaluate", "colours:each"), "one model .* fuse colours:each --name NAME', then evaluate NAME"),
        ],
    )
    def test_what_cannot_be_is_told_in_one_line(
        self, run: Callable[..., Ended], arguments: tuple[str, ...], error: str
    ) -> None:
        assert re.search(error, run(*arguments).error)

    def test_fusions_are_not_fused(self, run: Callable[..., Ended]) -> None:
        run("fuse", *UNLIKE, "--weights", "equal", "--name", "pair")
        told = "a fusion is of trials alone, but got the fusion pair: name colours:t0000 fewer:t0000$"
        assert re.search(told, run("fuse", "pair", "leaks").error)

    @pytest.mark.parametrize(
        ("fact", "other", "told"),
        [
            ("dataset", "ntu60", "the same dataset, but got ntu60 in fewer:t0000, and demo in colours:t0000"),
            ("class_names", ("red", "blue"), "the same classes, but got red in fewer.*, and dark red in col"),
            ("class_names", CLASS_NAMES[:5], "the same classes, but got nothing in fewer.*, and bright blue"),
        ],
    )
    def test_datasets_that_differ_are_told_of_before_anything_is_predicted(
        self, out: Path, fact: str, other: object, told: str
    ) -> None:
        members = [find_member(name, out) for name in UNLIKE]

        def opened(member: Member) -> OpenTrial:
            trial = open_again(out, member.name)
            if member is members[0]:
                return trial
            clips = trial.context.clips
            store = ClipStore(clips.folder, clips.manifest.model_copy(update={fact: other}), clips._shards)
            return replace(trial, context=replace(trial.context, clips=store))

        said: list[str] = []
        with pytest.raises(InputError, match=told):
            fuse(members, "equal", opened, said.append)
        assert said == []

    def test_other_held_out_subjects_are_told_of(self, out: Path) -> None:
        members = [find_member(name, out) for name in UNLIKE]
        protocol = members[1].setting.protocol.model_copy(update={"held_out": (3, 7)})
        setting = members[1].setting.model_copy(update={"protocol": protocol})
        members[1] = members[1].model_copy(update={"setting": setting})
        with pytest.raises(InputError, match=r"validation, but got clean validation on \[3, 7\] in fewer"):
            fuse(
                members,
                "equal",
                partial(open_member, reporter=Reporters(), device="cpu", num_threads=1),
                print,
            )

    def test_what_may_be_collected_is_told(self, run: Callable[..., Ended], tmp_path: Path) -> None:
        ended = run("fuse", *SEEDS, "--name", tmp_path / "elsewhere")
        assert (tmp_path / "elsewhere" / "fusion.json").is_file()
        assert ended.out.count("'store collect' may remove what colours:t000") == 2

    def test_a_store_that_is_gone_is_told_of_and_not_trained_anew(
        self, run: Callable[..., Ended], out: Path, tmp_path: Path
    ) -> None:
        folder = shutil.copytree(out / "colours", tmp_path / "moved")
        plan = (folder / "sweep.json").read_text().replace(str(out / "stages"), str(tmp_path / "gone"))
        (folder / "sweep.json").write_text(plan)
        assert (
            "the stage store of moved:t0000 must be where it was" in run("evaluate", f"{folder}:t0000").error
        )

    def test_a_fusion_is_not_replaced(self, run: Callable[..., Ended], out: Path) -> None:
        (out / "fusions" / "there").mkdir(parents=True)
        assert "a folder of its own" in run("fuse", *SEEDS, "--name", "there").error

    def test_a_damaged_fusion_is_told_of(self, run: Callable[..., Ended], tmp_path: Path) -> None:
        for content, error in (("{", "must be a fusion's description"), ("{}", "members: Field required")):
            (tmp_path / "fusion.json").write_text(content)
            assert error in run("evaluate", tmp_path).error

    def test_clips_must_be_those_that_were_trained_with(
        self, run: Callable[..., Ended], out: Path, fewer_data: Path, tmp_path: Path
    ) -> None:
        run("fuse", *SEEDS, "--name", "moved")
        content = (out / "fusions" / "moved" / "fusion.json").read_text()
        for clips, error in ((fewer_data / "demo", "must be those that"), (tmp_path, "is not prepared")):
            told = json.loads(content)
            told["members"][1]["clip_folder"] = str(clips)
            (tmp_path / "fusion.json").write_text(json.dumps(told))
            assert error in run("evaluate", tmp_path).error
