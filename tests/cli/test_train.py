"""``autohier train``: one setting from the command line, and every way to get it wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from autohier.core.trial import read_tests, run_trial
from autohier.data.store.reader import ClipStore
from command_line import Autohier
from tiny_clips import SPACE_FILE, open_tiny_trial, tiny_setting
from tiny_datasets import write_ntu_clip

QUICK = ("--threads", 1, "--device", "cpu", "--set", "pass_1.epochs=1", "--set", "passes=1")


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A user's own space file."""
    return Path(shutil.copy(SPACE_FILE, tmp_path / "mine.toml"))


def test_it_runs_the_known_setting_as_changed_and_tells_what_it_found(
    autohier: Autohier, space: Path, tiny_data: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    command = ("train", space, "--data", tiny_data, "--out", tmp_path / "out", *QUICK, "--test")
    ended = autohier(*command)
    assert (ended.code, ended.err) == (0, "")
    # The same setting by its own words: all of it lies in the store that the command wrote to.
    trial = open_tiny_trial(
        tiny_setting("pass_1.epochs=1", passes=1), tiny_clips, tmp_path / "out" / "stages"
    )
    outcome = run_trial(trial)
    assert all(stage.reused for stage in outcome.stages)
    lines = ended.out.splitlines()
    told = [
        *("pass 1, epoch 1: ", "pass 1: "),
        *("pass 2, epoch 1: ", "pass 2: "),
        *("prune 1, epoch 1: ", "prune 1: "),
    ]
    kept = lines[len(told)]
    assert [re.sub(r"loss .*|validation.*", "", line) for line in lines[: len(told)]] == told
    dense, best = outcome.chain[0], outcome.kept
    assert kept == (
        f"kept {best.label}: validation {100 * best.accuracy:.2f}% "
        f"(pass 1 {100 * outcome.pass_1.accuracy:.2f}%, pass 2 {100 * dense.accuracy:.2f}%), "
        f"parameters {dense.cost.parameters:,} -> {best.cost.parameters:,}, "
        f"multiply-adds {dense.cost.multiply_adds:,} -> {best.cost.multiply_adds:,}"
    )
    assert [line for line in lines if line.startswith("test")] == [
        f"test, {name}: {100 * evaluation.accuracy:.2f}% of 48 clips"
        for name, evaluation in read_tests(trial, outcome)
    ]

    again = autohier(*command[:-1])
    assert again.code == 0
    assert again.out.splitlines() == [
        *(
            f"{stage.label}: validation {100 * stage.accuracy:.2f}%, found in the stage store"
            for stage in outcome.stages
        ),
        kept,
    ]


def test_a_single_count_is_a_hierarchy_of_one_level(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    command = ("train", space, "--data", tiny_data, "--out", tmp_path, *QUICK[:-1], "passes=0")
    assert autohier(*command, "--set", "superclasses=3").code == 0
    (stage,) = tmp_path.glob("stages/pass-2/*/stage.json")
    hierarchy = json.loads(stage.read_text())["told"]["hierarchy"]
    assert [len(set(level)) for level in hierarchy] == [3, 6]


def test_a_variant_is_run_by_its_name(
    autohier: Autohier, space: Path, tiny_data: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    space.write_text(
        space.read_text() + "[search.variants.plain]\n[search.variants.slow]\npass_2.epochs = 3\n"
    )
    command = ("train", space, "--data", tiny_data, "--out", tmp_path, *QUICK[:-1], "passes=0")
    assert autohier(*command, "--set", "variant=slow").code == 0
    # What is changed by hand holds in the variant too.
    assert autohier(*command, "--set", "variant=slow", "--set", "pass_2.epochs=2").code == 0
    for epochs in (3, 2):
        setting = tiny_setting("pass_1.epochs=1", f"pass_2.epochs={epochs}", passes=0)
        outcome = run_trial(open_tiny_trial(setting, tiny_clips, tmp_path / "stages"))
        assert all(stage.reused for stage in outcome.stages)
    told = autohier(*command, "--set", "variant=fast").error
    assert told == "unknown variant, but got 'fast': valid are plain, slow"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("dmo",), r"^unknown space, but got 'dmo': did you mean 'demo'\?$"),
        (("none.toml",), r"^a space file must exist, but got none\.toml: or name one of"),
        (("SPACE", "--set", "pass_1.epoch=3"), r"unknown setting 'pass_1\.epoch': did you mean 'epochs'\?$"),
        (("SPACE", "--set", "pass1.epochs=3"), r"unknown setting 'pass1': did you mean 'pass_1'\?$"),
        (("SPACE", "--set", "ratio=2"), r"^tiny, one setting: ratio: Input .* less than 1, but got 2$"),
        (("SPACE", "--set", "superclasses=3/2"), r"must be positive and ascend, but got 3/2$"),
        (("SPACE", "--set", "superclasses=a/b"), r"superclasses\.0: Input should be a valid integer"),
        (
            ("SPACE", "--set", "known=[]"),
            r"each value must be given, but got none of superclasses, weight_ratio",
        ),
        (("SPACE", "--set", "epochs"), r"^--set takes key=value, but got epochs"),
        (("SPACE", "--device", "warp"), r"^--device must be one that this machine has, but got warp"),
        (("SPACE", "--set", "num_classes=12"), r"^num_classes must be that of the data, 6, but got 12"),
        (("SPACE", "--set", "recognizer.name=resnet18"), r"did you mean 'inflated-resnet18'\?$"),
        (("SPACE", "--set", "recognizer.weights=no.pth"), r"^recognizer\.weights must name a file"),
        (("SPACE", "--set", "optimisation.learning_rate=1e30"), r"^the losses of epoch 1 must be finite"),
        (("SPACE", "--set", "superclasses=[1,2,3,4]"), r"carries 1 to 4 heads, but got 5"),
        (("SPACE", "--out", "FILE"), r"Not a directory"),
        (
            ("ntu60",),
            r"^ntu60 is not prepared: no store at .*ntu60: run 'autohier prepare ntu60 --source DIR",
        ),
        (("utd_mhad",), r"^utd-mhad-depth is not prepared: .* prepare utd-mhad --modality depth --source"),
    ],
)
def test_what_is_wrong_is_told_on_one_line(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    named = [{"SPACE": space, "FILE": file}.get(argument, argument) for argument in arguments]
    common = ("--data", tiny_data, "--threads", 1, "--device", "cpu", "--out", tmp_path / "out")
    assert re.search(told, autohier("train", *common, *named).error)


def test_a_run_without_the_given_superclasses_that_it_wants_is_refused(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    changes = ("--set", "hierarchy=given", "--set", "superclasses=4/5")
    ended = autohier("train", space, "--data", tiny_data, "--out", tmp_path / "out", *changes)
    assert ended.error.endswith("but got none among 4/5: --set superclasses=2/3")
    assert not (tmp_path / "out").exists()


def test_clips_that_are_not_prepared_are_told_with_the_command(
    autohier: Autohier, space: Path, tmp_path: Path
) -> None:
    ended = autohier("train", space, "--data", tmp_path / "none")
    assert ended.error == (
        f"demo is not prepared: no store at {tmp_path / 'none' / 'demo'}: "
        f"run 'autohier prepare demo --data {tmp_path / 'none'}'"
    )


def test_clips_of_another_version_are_told(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    manifest = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 99}))
    ended = autohier("train", space, "--data", tmp_path / "data")
    assert re.search(r"must be of version 3, but got 99: delete it and run 'autohier prepare", ended.error)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"conv1.weight": torch.zeros(8, 3, 7, 7)},
            r"^2D weights must fit the recognizer, but got \d+ mismatches",
        ),
        (
            {"features.0.weight": torch.zeros(64, 3, 3, 3)},
            r"^2D weights must fit the recognizer, but got \d+ mismatches: conv1\.weight is missing",
        ),
        (None, r"must be a \.safetensors or \.pth file of tensors alone"),
    ],
)
def test_weights_of_another_network_are_told(
    autohier: Autohier,
    space: Path,
    tiny_data: Path,
    tmp_path: Path,
    content: dict[str, torch.Tensor] | None,
    told: str,
) -> None:
    path = tmp_path / "2d.safetensors"
    if content is None:
        path.write_text("not weights")
    else:
        save_file(content, path)
    common = ("--data", tiny_data, "--out", tmp_path / "out", *QUICK)
    assert re.search(told, autohier("train", space, *common, "--set", f"recognizer.weights={path}").error)


@pytest.mark.parametrize("arguments", [(), ("SPACE", "--threads", "0"), ("SPACE", "--seed", "-1")])
def test_a_wrong_use_is_told_with_the_usage(
    autohier: Autohier, space: Path, arguments: tuple[str, ...]
) -> None:
    ended = autohier("train", *(space if argument == "SPACE" else argument for argument in arguments))
    assert ended.code == 2
    assert "Usage: autohier train" in ended.err
    assert "Traceback" not in ended.err


def test_in_a_process_of_its_own_it_ends_with_2_and_no_traceback(space: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from autohier.cli.main import main; main()",
            "train",
            space,
            "--data",
            tmp_path,
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(r"autohier: demo is not prepared: [^\n]*\n", ended.stderr)


def test_skeletons_alone_cannot_be_looked_at(autohier: Autohier, tmp_path: Path) -> None:
    for clip_id in ("S001C001P001R001A001", "S001C001P002R001A001"):
        write_ntu_clip(tmp_path / "source", clip_id)
    options = ("--source", tmp_path / "source", "--data", tmp_path, "--modality", "skeleton")
    assert autohier("prepare", "ntu60", *options).code == 0
    ended = autohier("train", "ntu60", "--data", tmp_path, "--set", "clips.modality=skeleton")
    assert ended.error.startswith(
        "inflated-resnet50 must have frames to look at, but got clips prepared without"
    )
