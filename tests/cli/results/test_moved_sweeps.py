"""Sweeps, fusions and clips that were moved or copied: every command finds what it needs, or says what."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from autohier.config.fusion import Member
from autohier.core.stages.callbacks import CallbackList
from autohier.errors import InputError, MissingDataError
from autohier.fusion.fit import fuse
from autohier.fusion.members import open_member
from autohier.fusion.paths import FusionFolder, free_fusion
from autohier.fusion.selection import find_member
from autohier.sweep import api
from autohier.sweep.api import resume_sweep
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.fakes.fake_driver import FakeDriver
from support.sources.changed_records import change_record, read_values
from support.sweep_runs.finished_sweeps import finish_sweep
from support.sweep_runs.whole_trials import write_2d_weights

QUICK = ("--split", "validation", "--device", "cpu", "--threads", 1)


@dataclass(frozen=True)
class Moved:
    """A sweep and a fusion of its two trials, and their clips, after both moved."""

    out: Path
    data: Path
    old: Path
    """Folder in which they were."""
    accuracy: float
    """Validation accuracy of the fusion."""


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Moved:
    home = tmp_path_factory.mktemp("places")
    old, new = home / "old", home / "new"
    shutil.copytree(tiny_data, old / "data")
    finish_sweep(old / "sweeps", "colours", old / "data", seeds=(0, 1))
    members = [find_member(f"colours:t000{seed}", old / "sweeps") for seed in (0, 1)]
    opener = partial(open_member, callback=CallbackList(), device="cpu", num_threads=1)
    fusion, _ = fuse(members, "equal", opener, print)
    free_fusion("both", old / "sweeps").write(fusion)
    new.mkdir()
    (old / "sweeps").rename(new / "results")
    (old / "data").rename(new / "clips")
    return Moved(new / "results", new / "clips", old, fusion.accuracy)


@pytest.fixture
def copy(moved: Moved, tmp_path: Path) -> Moved:
    """A copy of the moved sweep and fusion, which a test may change."""
    out = shutil.copytree(moved.out, tmp_path / "results")
    return Moved(out, moved.data, moved.old, moved.accuracy)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    monkeypatch.setattr(api, "drive", fake)
    return fake


def num_stages(out: Path) -> int:
    return len(list((out / "stages").glob("*/*/stage.json")))


def test_a_fusion_names_its_members_relative_to_out(moved: Moved) -> None:
    members = json.loads((moved.out / "fusions" / "both" / "fusion.json").read_text())["members"]
    for member in members:
        assert (member["sweep"], member["stage_folder"]) == ("colours", "stages")
        assert member["clip_folder"] == str(moved.old / "data" / "demo")


@pytest.mark.parametrize("model", ["both", "colours:t0001"])
def test_moved_models_are_evaluated_on_moved_clips(autohier: Autohier, moved: Moved, model: str) -> None:
    before = num_stages(moved.out)
    ended = autohier("evaluate", model, "--out", moved.out, "--data", moved.data, *QUICK)
    assert ended.code == 0, ended.err
    if model == "both":
        assert f"accuracy {moved.accuracy:.1%} of 24 clips" in ended.out
    assert num_stages(moved.out) == before, "trained again"
    assert not moved.old.joinpath("sweeps").exists()


def test_moved_clips_are_named_with_the_option_that_finds_them(autohier: Autohier, moved: Moved) -> None:
    error = autohier("evaluate", "both", "--out", moved.out, *QUICK).error
    assert (
        f"the prepared clips of colours:t0000 must exist, but got nothing at {moved.old}/data/demo" in error
    )
    assert "name the folder of the prepared datasets with --data" in error
    assert "stage store" not in error


def test_other_clips_are_refused(autohier: Autohier, moved: Moved, tmp_path: Path) -> None:
    data = shutil.copytree(moved.data, tmp_path / "data")
    manifest = data / "demo" / "manifest.json"
    change_record(manifest, class_names=["pale red", *read_values(manifest)["class_names"][1:]])
    error = autohier("evaluate", "both", "--out", moved.out, "--data", data, *QUICK).error
    assert f"the clips in {data}/demo must be those that the sweep started with" in error
    assert "with --data" in error


class TestCopiedAlone:
    """A sweep without the stages and the clips next to it."""

    @pytest.fixture
    def alone(self, moved: Moved, tmp_path: Path) -> Path:
        return shutil.copytree(moved.out / "colours", tmp_path / "alone")

    def test_one_error_says_what_it_misses(self, autohier: Autohier, alone: Path) -> None:
        error = autohier("evaluate", f"{alone}:t0000", *QUICK).error
        assert "the stage store and the prepared clips of alone:t0000 must exist" in error
        assert f"nothing at {alone.parent}/stages and nothing at" in error
        assert "'stages' with --out and name the folder of the prepared datasets with --data" in error
        with pytest.raises(MissingDataError, match="the stage store and the prepared clips of alone must"):
            resume_sweep(alone)
        assert not (alone.parent / "stages").exists()

    def test_out_and_data_say_where_they_are(self, autohier: Autohier, moved: Moved, alone: Path) -> None:
        before = num_stages(moved.out)
        places = ("--out", moved.out, "--data", moved.data)
        assert autohier("evaluate", f"{alone}:t0000", *places, *QUICK).code == 0
        assert num_stages(moved.out) == before

    def test_status_needs_neither(self, autohier: Autohier, alone: Path) -> None:
        ended = autohier("status", alone)
        assert ended.code == 0
        assert ended.out.startswith("sweep alone of tiny")

    def test_stages_of_other_sweeps_next_to_it_are_not_taken(
        self, autohier: Autohier, moved: Moved, alone: Path
    ) -> None:
        (alone.parent / "stages").mkdir()
        ended = autohier("evaluate", f"{alone}:t0000", "--out", moved.out, "--data", moved.data, *QUICK)
        assert ended.code == 0
        assert list((alone.parent / "stages").iterdir()) == []


class TestResume:
    def test_a_moved_sweep_continues_where_it_is(self, copy: Moved, driver: FakeDriver) -> None:
        resume_sweep("colours", out=copy.out, data=copy.data)
        resume_sweep(copy.out / "colours")
        for plan in driver.driven:
            assert plan.stage_folder == str(copy.out / "stages")
            assert plan.data_folder == str(copy.data)
        assert not copy.old.joinpath("sweeps").exists()

    def test_a_sweep_copied_alone_continues_with_the_given_stages(
        self, copy: Moved, driver: FakeDriver, tmp_path: Path
    ) -> None:
        alone = shutil.copytree(copy.out / "colours", tmp_path / "deep" / "alone")
        resume_sweep(alone, out=copy.out, data=copy.data)
        resume_sweep(alone)
        assert [plan.stage_folder for plan in driver.driven] == [str(copy.out / "stages")] * 2

    def test_a_file_with_absolute_paths_never_leads_to_the_old_place(
        self, copy: Moved, driver: FakeDriver, tmp_path: Path
    ) -> None:
        file = copy.out / "colours" / "sweep.json"
        content = json.loads(file.read_text())
        old = tmp_path / "old" / "stages"
        old.mkdir(parents=True)
        content["settings_revision"] = 1
        content["plan"] |= {"stage_folder": str(old), "data_folder": str(copy.data)}
        file.write_text(json.dumps(content))
        resume_sweep("colours", out=copy.out)
        assert driver.driven[0].stage_folder == str(copy.out / "stages")
        assert SweepFolder(copy.out / "colours").read_plan()[0] == driver.driven[0]


class TestWeights:
    """Files of 2D weights, as if the network had been inflated from them."""

    def test_missing_ones_are_named_by_every_command_that_needs_them(
        self, autohier: Autohier, copy: Moved
    ) -> None:
        file = copy.out / "colours" / "sweep.json"
        content = json.loads(file.read_text())
        content["plan"]["space"]["recognizer"]["weights"] = "imagenet.pth"
        file.write_text(json.dumps(content))
        places = ("--out", copy.out, "--data", copy.data)
        missing = f"must exist, but got nothing at {copy.out}/imagenet.pth: put the file there"
        error = autohier("resume", "colours", *places).error
        assert f"the 2D weights of colours {missing}" in error
        assert "with --pretrained" in error
        error = autohier("evaluate", "colours:t0000", *places, *QUICK).error
        assert f"the 2D weights of colours:t0000 {missing}" in error

    def test_moved_ones_are_named_and_must_have_the_same_content(
        self, autohier: Autohier, copy: Moved, driver: FakeDriver, tmp_path: Path
    ) -> None:
        file = copy.out / "colours" / "sweep.json"
        content = json.loads(file.read_text())
        content["plan"]["space"]["recognizer"]["weights"] = "imagenet.pth"
        file.write_text(json.dumps(content))
        new = tmp_path / "new" / "imagenet.pth"
        new.parent.mkdir()
        moved = write_2d_weights(tmp_path / "moved.safetensors", width=0.125)
        state = load_file(moved)
        torch.save(state, new)
        places = ("--out", copy.out, "--data", copy.data)
        assert autohier("resume", "colours", *places, "--pretrained", new.parent).code == 0
        (plan,) = driver.driven
        assert plan.space.recognizer.weights_path == new
        assert json.loads(file.read_text())["plan"]["space"]["recognizer"]["weights"] == str(new)
        again = new.rename(tmp_path / "again.pth")
        error = autohier("resume", "colours", *places, "--pretrained", moved).error
        assert "the weights must be those that the sweep started with, but got other content" in error
        assert len(driver.driven) == 1
        assert autohier("resume", "colours", *places, "--pretrained", again).code == 0
        assert driver.driven[1].weights_sha256 == plan.weights_sha256
        again.unlink()
        error = autohier("evaluate", "colours:t0000", *places, *QUICK, "--pretrained", tmp_path / "new").error
        assert f"must exist, but got nothing at {tmp_path}/new/again.pth" in error

    def test_searched_ones_are_found_where_they_moved(
        self, autohier: Autohier, copy: Moved, tmp_path: Path
    ) -> None:
        file = copy.out / "colours" / "sweep.json"
        content = json.loads(file.read_text())
        moved = write_2d_weights(tmp_path / "moved.safetensors", width=0.125)
        space = content["plan"]["space"]
        space["search"]["settings"] = {"recognizer.weights": ["/gone/imagenet.pth"]}
        space["moved_weights"] = {"/gone/imagenet.pth": str(moved)}
        file.write_text(json.dumps(content))
        places = ("--out", copy.out, "--data", copy.data)
        error = autohier("evaluate", "colours:t0000", *places, *QUICK).error
        # The file is read; the trials of this sweep started from random weights instead.
        assert "must have the weights that its network started from" in error
        moved.unlink()
        error = autohier("evaluate", "colours:t0000", *places, *QUICK).error
        assert f"the 2D weights of colours:t0000 must exist, but got nothing at {moved}" in error

    def test_those_of_a_fusion_move_along(self, copy: Moved, tmp_path: Path) -> None:
        folder = FusionFolder(copy.out / "fusions" / "both")
        fusion = folder.read()
        weights = str(copy.out / "imagenet.pth")

        def inflated(member: Member) -> Member:
            own = member.config.recognizer.model_copy(update={"weights": weights})
            return member.model_copy(update={"config": member.config.model_copy(update={"recognizer": own})})

        folder.write(fusion.model_copy(update={"members": tuple(map(inflated, fusion.members))}))
        assert weights not in folder.file.read_text()
        copy.out.rename(tmp_path / "again")
        moved = FusionFolder(tmp_path / "again" / "fusions" / "both").read()
        paths = [member.config.recognizer.weights_path for member in moved.members]
        assert paths == [tmp_path / "again" / "imagenet.pth"] * 2


class TestCopiesInAFusion:
    @pytest.fixture
    def run(self, autohier: Autohier, copy: Moved) -> Autohier:
        shutil.copytree(copy.out / "colours", copy.out / "again")
        return partial(autohier, "fuse", "--out", copy.out, "--data", copy.data, "--device", "cpu")

    def test_a_copied_trial_counts_once(self, run: Autohier, copy: Moved) -> None:
        ended = run("colours:t0000", "again:t0000", "colours:t0001", "--weights", "equal", "--name", "three")
        assert ended.code == 0, ended.err
        assert re.search(
            r"omitted: again:t0000 has the same network as colours:t0000, which counts", ended.out
        )
        fusion = json.loads((copy.out / "fusions" / "three" / "fusion.json").read_text())
        names = [(member["sweep"], member["trial"], member["weight"]) for member in fusion["members"]]
        assert names == [("colours", "t0000", 0.5), ("colours", "t0001", 0.5)]

    def test_given_weights_need_different_networks(self, run: Autohier) -> None:
        error = run("colours:t0000", "again:t0000", "--weights", "2,1").error
        assert re.search(r"different networks .* the same stages in colours:t0000 and again:t0000", error)

    def test_a_copy_alone_is_no_second_member(self, run: Autohier) -> None:
        assert (
            "a fusion must have at least two members, but got 1" in run("colours:t0000", "again:t0000").error
        )


def test_a_fusion_is_refused_as_a_member_by_names_that_hold_now(autohier: Autohier, moved: Moved) -> None:
    ended = autohier("fuse", "both", "colours:t0000", "--out", moved.out)
    assert "name its members: colours:t0000 colours:t0001" in ended.error


def test_a_fusion_copied_alone_finds_its_members_in_out(
    autohier: Autohier, moved: Moved, tmp_path: Path
) -> None:
    alone = shutil.copytree(moved.out / "fusions" / "both", tmp_path / "alone")
    ended = autohier("evaluate", alone, "--out", moved.out, "--data", moved.data, *QUICK)
    assert ended.code == 0, ended.err
    assert (
        "the stage store of colours:t0000 must exist"
        in autohier("evaluate", alone, "--data", moved.data, *QUICK).error
    )


def test_compact_and_store_read_a_moved_store(autohier: Autohier, moved: Moved, tmp_path: Path) -> None:
    key = find_member("colours:t0000", moved.out).stage_keys[-1][0]
    file = tmp_path / "network.safetensors"
    assert autohier("compact", key[:12], "--file", file, "--out", moved.out).code == 0
    assert file.is_file()
    listed = autohier("store", "--out", moved.out)
    assert "colours: t0000" in listed.out
    kept = autohier("store", "collect", "--keep-gb", 0, "--dry-run", "--out", moved.out)
    assert "would remove 0 of" in kept.out


def test_resume_needs_the_clips_that_the_sweep_started_with(copy: Moved, tmp_path: Path) -> None:
    data = shutil.copytree(copy.data, tmp_path / "data")
    manifest = data / "demo" / "manifest.json"
    change_record(manifest, class_names=["pale red", *read_values(manifest)["class_names"][1:]])
    with pytest.raises(InputError, match="must be those that the sweep started with"):
        resume_sweep("colours", out=copy.out, data=data)
