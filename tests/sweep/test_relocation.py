"""Paths in ``sweep.json``: relative to ``--out`` where they lie in it, so that it may be moved or copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.search.searched_weights import located_values, present_weights
from autohier.config.sweep import SweepPlan
from autohier.config.trial.weights_files import require_weights
from autohier.errors import MissingDataError
from autohier.sweep.paths import SweepFolder, find_sweep, override_places
from autohier.sweep.relocation import GivenFolders
from support.sweep_runs.plans import make_plan, make_provenance


def write(out: Path, name: str = "sweep", **changes: object) -> SweepFolder:
    """Write a sweep in ``out``, whose stage store exists; its data lie next to ``out``."""
    (out / "stages").mkdir(parents=True, exist_ok=True)
    values = {"stage_folder": str(out / "stages"), "data_folder": str(out.parent / "data"), **changes}
    folder = SweepFolder(out / name)
    folder.write_plan(make_plan(out, name=name, **values), make_provenance())
    return folder


def stored(folder: SweepFolder) -> dict[str, object]:
    plan: dict[str, object] = json.loads(folder.plan_file.read_text())["plan"]
    return plan


def write_as_before(folder: SweepFolder, **paths: object) -> None:
    """Change a sweep's file to what versions with absolute paths wrote."""
    content = json.loads(folder.plan_file.read_text())
    content["settings_revision"] = 1
    content["plan"] |= paths
    folder.plan_file.write_text(json.dumps(content))


def read(folder: SweepFolder) -> SweepPlan:
    return folder.read_plan()[0]


def test_what_lies_in_out_is_relative_to_it(tmp_path: Path) -> None:
    out = tmp_path / "sweeps"
    folder = write(out, warm_from=(str(out / "first"), "/other/second"), storage=f"sqlite:///{out}/study.db")
    plan = stored(folder)
    assert (plan["stage_folder"], plan["warm_from"]) == ("stages", ["first", "/other/second"])
    assert (plan["data_folder"], plan["storage"]) == (str(tmp_path / "data"), "sqlite:///study.db")
    assert str(out) not in json.dumps(plan)


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_moved_or_copied_out_names_its_own_folders(tmp_path: Path, how: object) -> None:
    out, new = tmp_path / "sweeps", tmp_path / "elsewhere" / "results"
    write(out, warm_from=(str(out / "first"),), storage=f"sqlite:///{out}/study.db")
    new.parent.mkdir()
    how(out, new)  # type: ignore[operator]
    plan = read(SweepFolder(new / "sweep"))
    assert plan.stage_folder == str(new / "stages")
    assert plan.warm_from == (str(new / "first"),)
    assert plan.storage == f"sqlite:///{new}/study.db"
    assert plan.data_folder == str(tmp_path / "data")


def test_data_in_out_moves_along(tmp_path: Path) -> None:
    out = tmp_path / "all"
    write(out, data_folder=str(out / "data"))
    out.rename(tmp_path / "new")
    assert read(SweepFolder(tmp_path / "new" / "sweep")).data_folder == str(tmp_path / "new" / "data")


def test_paths_are_absolute_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "sweeps"
    write(out)
    for cwd, path in ((tmp_path, "sweeps/sweep/"), (out, "sweep"), (out / "sweep", ".")):
        monkeypatch.chdir(cwd)
        plan = read(find_sweep(path, Path("sweeps")))
        assert (plan.stage_folder, plan.name) == (str(out / "stages"), "sweep")


def test_a_linked_out_names_its_target(tmp_path: Path) -> None:
    write(tmp_path / "disk")
    (tmp_path / "sweeps").symlink_to("disk")
    folder = find_sweep("sweep", tmp_path / "sweeps")
    assert read(folder).stage_folder == str(tmp_path / "disk" / "stages")
    folder.write_plan(*folder.read_plan())
    assert stored(folder)["stage_folder"] == "stages"


def test_a_linked_sweep_has_the_stages_next_to_its_target(tmp_path: Path) -> None:
    write(tmp_path / "theirs")
    (tmp_path / "own" / "stages").mkdir(parents=True)
    (tmp_path / "own" / "sweep").symlink_to(tmp_path / "theirs" / "sweep")
    assert read(SweepFolder(tmp_path / "own" / "sweep")).stage_folder == str(tmp_path / "theirs" / "stages")


def test_a_sweep_on_another_disk_has_the_stages_next_to_its_link(tmp_path: Path) -> None:
    out = tmp_path / "sweeps"
    write(out)
    (tmp_path / "disk").mkdir()
    (out / "sweep").rename(tmp_path / "disk" / "sweep")
    (out / "sweep").symlink_to(tmp_path / "disk" / "sweep")
    folder = SweepFolder(out / "sweep")
    assert read(folder).stage_folder == str(out / "stages")
    folder.write_plan(*folder.read_plan())
    assert stored(folder)["stage_folder"] == "stages"


def test_a_renamed_sweep_has_its_new_name(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for name, expected in (("renamed", "renamed"), ("no name", "sweep")):
        plan = read(SweepFolder(folder.path.rename(tmp_path / name)))
        assert (plan.name, plan.study_name) == (expected, "sweep")
        folder = SweepFolder(tmp_path / name)


class TestEarlierFiles:
    """Files with absolute paths, in which the stage store shows where ``--out`` was."""

    def test_a_moved_out_is_read_at_its_new_place(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "sweeps")
        write_as_before(
            folder,
            stage_folder="/old/sweeps/stages",
            data_folder="/old/data",
            warm_from=["/old/sweeps/first"],
            storage="sqlite:////old/sweeps/study.db",
        )
        plan = read(folder)
        out = tmp_path / "sweeps"
        assert plan.stage_folder == str(out / "stages")
        assert plan.warm_from == (str(out / "first"),)
        assert plan.storage == f"sqlite:///{out}/study.db"
        assert plan.data_folder == "/old/data"

    def test_a_copy_does_not_name_the_old_place(self, tmp_path: Path) -> None:
        old = tmp_path / "sweeps"
        folder = write(old)
        write_as_before(folder, stage_folder=str(old / "stages"))
        assert read(folder).stage_folder == str(old / "stages")
        shutil.copytree(old, tmp_path / "copy")
        copy = SweepFolder(tmp_path / "copy" / "sweep")
        assert read(copy).stage_folder == str(tmp_path / "copy" / "stages")


def test_a_name_in_out_comes_before_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = write(tmp_path / "here"), write(tmp_path / "there")
    monkeypatch.chdir(tmp_path / "here")
    assert find_sweep("sweep", tmp_path / "there").path == there.path
    assert find_sweep("sweep", tmp_path / "gone").path.resolve() == here.path


def test_weights_in_out_are_relative_to_it_and_move_along(tmp_path: Path) -> None:
    out = tmp_path / "sweeps"

    def weights(path: Path) -> SweepPlan:
        variants = "search.variants={plain={}, other={recognizer={weights='/other/variant.pth'}}}"
        space = load_space("demo", [f"recognizer.weights={path}", variants, "initial=[]"])
        return make_plan(out, space=space)

    for path, place in (
        (out / "imagenet.pth", "imagenet.pth"),
        (tmp_path / "its.pth", str(tmp_path / "its.pth")),
    ):
        folder = write(out, space=weights(path).space)
        space = stored(folder)["space"]
        assert isinstance(space, dict)
        assert space["recognizer"]["weights"] == place
        assert space["search"]["variants"]["other"] == {"recognizer.weights": "/other/variant.pth"}
        assert read(folder).space == weights(path).space
    write(out, space=weights(out / "imagenet.pth").space)
    shutil.copytree(out, tmp_path / "new")
    moved = read(SweepFolder(tmp_path / "new" / "sweep"))
    assert moved.space == weights(tmp_path / "new" / "imagenet.pth").space


def searched(out: Path, *paths: Path | str) -> SweepPlan:
    """Return the plan of a sweep that searches its 2D weights, and tries the first of them first."""
    table = [str(path) for path in paths]
    initial = (
        "{source='mine', superclasses=[2, 4], weight_ratio=0.5, scope='global', ratio=0.1, passes=1, "
        f"settings={{'recognizer.weights'='{table[0]}'}}}}"
    )
    settings = f"search.settings={{'recognizer.weights'={table}}}"
    return make_plan(out, space=load_space("demo", [settings, f"initial=[{initial}]"]))


def weights_of(plan: SweepPlan) -> list[tuple[object, Path | None]]:
    """Return each value that the search may sample, and the file that a trial with it reads."""
    configs = [plan.space.config(flat, seed=0) for flat in plan.space.flat_params_by_network().values()]
    return [
        (dict(config.params.settings)["recognizer.weights"], config.recognizer.weights_path)
        for config in configs
    ]


def test_searched_weights_keep_their_values_and_are_found_where_they_moved(tmp_path: Path) -> None:
    out, new = tmp_path / "sweeps", tmp_path / "new"
    inside, outside = out / "a.pth", tmp_path / "b.pth"
    plan = searched(out, inside, outside)
    folder = write(out, space=plan.space)
    for path in (inside, outside):
        path.touch()
    assert read(folder).space == plan.space
    out.rename(new)
    outside.rename(tmp_path / "c.pth")
    moved = read(SweepFolder(new / "sweep"))
    # The study and the records of its trials hold these values.
    assert moved.space.search == plan.space.search
    assert moved.space.initial == plan.space.initial
    assert weights_of(moved) == [(str(inside), new / "a.pth"), (str(outside), outside)]
    with pytest.raises(MissingDataError, match=f"got nothing at {outside}: .* with --pretrained"):
        require_weights("it", located_values(moved.space))
    given = override_places(moved, GivenFolders(weights=tmp_path / "c.pth"))
    expected = [(str(inside), new / "a.pth"), (str(outside), tmp_path / "c.pth")]
    assert weights_of(given) == expected
    assert present_weights(given.space) == (str(new / "a.pth"), str(tmp_path / "c.pth"))
    require_weights("it", located_values(given.space))
    again = SweepFolder(new / "sweep")
    again.write_plan(given, make_provenance())
    assert weights_of(read(again)) == expected
