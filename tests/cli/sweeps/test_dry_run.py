"""``autohier search --dry-run``, and several faults of a search at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.data.store.reader import ClipStore
from support.command_line import Autohier
from support.sources.tiny_clips import SPACE_FILE


def test_a_dry_run_prints_the_space_and_starts_nothing(
    autohier: Autohier, tmp_path: Path, tiny_clips: ClipStore
) -> None:
    out, data = tmp_path / "sweeps", tiny_clips.folder.parent
    options = ("--set", "pass_1.epochs=7", "--trials", 9, "--out", out, "--data", data, "--name", "mine")
    shown = autohier("search", SPACE_FILE, *options, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert not out.exists()
    assert f"# sweep mine in {out}/mine: 9 trials" in shown.out
    assert "# epochs of a trial at most: pass 1 7, " in shown.out
    assert "# initial config: " in shown.out
    path = tmp_path / "resolved.toml"
    path.write_text(shown.out)
    loaded = load_space(str(path))
    assert loaded.pass_1.epochs == 7
    # The validation that auto becomes for these clips is resolved.
    assert loaded.protocol.validation != "auto"


def test_a_dry_run_needs_no_clips_but_says_so(autohier: Autohier, tmp_path: Path) -> None:
    shown = autohier(
        "search", "utd-mhad-skeleton", "--dry-run", "--data", tmp_path, "--out", tmp_path / "out"
    )
    assert shown.code == 0
    assert "# not checked against its clips: utd-mhad-skeleton is not prepared" in shown.out
    assert list(tmp_path.iterdir()) == []
    assert "one new sweep" in autohier("search", "demo", "--dry-run", "--protocols", "all").error


def test_all_faults_are_reported_at_once(autohier: Autohier, tmp_path: Path) -> None:
    changes = ("--set", "pass_1.epochs=-1", "--set", "no-key", "--set", "name.x=1", "--set", "pass_2.epoch=3")
    error = autohier("search", "demo", "--sampler", "best", *changes, "--data", tmp_path).error
    assert error.startswith("5 faults: ")
    for fault in (
        "unknown sampler 'best'",
        "pass_1.epochs must be greater than 0, but got -1",
        "--set takes key=value, but got no-key",
        "'name' is a value, not a group of settings",
        "unknown setting 'pass_2.epoch': did you mean 'epochs'?",
    ):
        assert fault in error
    single = autohier("search", "demo", "--set", "no-key").error
    assert single == "--set takes key=value, but got no-key: write e.g. --set pass_1.epochs=5"


@pytest.mark.parametrize("command", ["search", "check"])
def test_names_of_prepared_stores_name_their_spaces(command: str, autohier: Autohier, tmp_path: Path) -> None:
    options = ("--dry-run", "--out", tmp_path) if command == "search" else ()
    shown = autohier(command, "ntu60-skeleton", "--data", tmp_path, *options)
    assert (shown.code, shown.err) == (0, "")
    assert "ntu60_skeleton" in shown.out
    unknown = autohier(command, "mine-skeleton", "--data", tmp_path).error
    assert "'autohier init mine-skeleton --out mine-skeleton.toml' writes one" in unknown


def test_a_space_may_name_the_store_as_its_dataset(tmp_path: Path) -> None:
    text = 'name = "mine"\ndataset = "mine-skeleton"\nnum_classes = 12\n'
    recognizer = '[recognizer]\nname = "st-gcn"\n[clips]\ninput = "skeletons"\n'
    path = tmp_path / "mine.toml"
    for modality in ("", 'modality = "skeleton"\n'):
        path.write_text(text + recognizer + modality)
        space = load_space(str(path))
        assert (space.dataset, space.clips.modality) == ("mine", "skeleton")
    path.write_text(text + recognizer + 'modality = "rgb"\n')
    assert load_space(str(path)).dataset == "mine-skeleton"


@pytest.mark.parametrize(
    ("given", "objective", "second"),
    [
        ("accuracy,multiply-adds", "accuracy", "multiply-adds"),
        ("multiply-adds, mean-class", "mean-class", "multiply-adds"),
        ("mean-class", "mean-class", None),
    ],
)
def test_objectives_are_settings_of_the_space(
    autohier: Autohier, tmp_path: Path, given: str, objective: str, second: str | None
) -> None:
    folders = ("--data", tmp_path, "--out", tmp_path / "out")
    shown = autohier("search", "demo", "--objectives", given, "--dry-run", *folders)
    assert shown.code == 0
    assert (f"# objectives: {objective} and {second}" in shown.out) == (second is not None)
    path = tmp_path / "resolved.toml"
    path.write_text(shown.out)
    search = load_space(str(path)).search
    assert (search.objective, search.second_objective) == (objective, second)


@pytest.mark.parametrize(
    "given", ["multiply-adds", "accuracy,mean-class", "accuracy,latency", "accuracy,accuracy", ""]
)
def test_other_objectives_are_refused(autohier: Autohier, given: str) -> None:
    error = autohier("search", "demo", "--objectives", given, "--dry-run").error
    assert error.startswith("--objectives must name accuracy or mean-class, alone or with multiply-adds")
    assert "write e.g. --objectives accuracy,multiply-adds" in error
