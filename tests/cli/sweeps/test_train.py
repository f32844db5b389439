"""``autohier train``: one config from the command line, and its errors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import Evaluation, mean_class_accuracy
from autohier.core.trial import evaluate_on_test, run_trial
from autohier.data.store.reader import ClipStore
from support.command_line import Autohier
from support.fakes.fake_packages import installed_example
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial, tiny_config
from support.sources.tiny_datasets import write_ntu_clip

QUICK = ("--threads", 1, "--device", "cpu", "--set", "pass_1.epochs=1", "--set", "passes=1")


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """Return the path of a user's own space file."""
    return Path(shutil.copy(SPACE_FILE, tmp_path / "mine.toml"))


def test_it_runs_the_initial_config_with_overrides_and_prints_accuracies(
    autohier: Autohier, space: Path, tiny_data: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    command = ("train", space, "--data", tiny_data, "--out", tmp_path / "out", *QUICK, "--test")
    ended = autohier(*command)
    assert (ended.code, ended.err) == (0, "")
    # The same config in Python reuses all stages from the command's stage store.
    trial = open_tiny_trial(tiny_config("pass_1.epochs=1", passes=1), tiny_clips, tmp_path / "out" / "stages")
    outcome = run_trial(trial)
    assert all(stage.reused for stage in outcome.stages)
    lines = ended.out.splitlines()
    labels = [
        *("pass 1, epoch 1: ", "pass 1: "),
        *("pass 2, epoch 1: ", "pass 2: "),
        *("prune 1, epoch 1: ", "prune 1: "),
    ]
    config, *lines = lines
    assert config == (
        "config: superclasses 2/3, weight_ratio 0.5, scope layerwise, ratio 0.25, passes 1, seed 0; "
        "inflated-resnet18 on frames of demo; protocol cross-subject, validation clean"
    )
    kept = lines[len(labels)]
    assert [re.sub(r"training loss .*|validation.*", "", line) for line in lines[: len(labels)]] == labels
    dense, best = outcome.chain[0], outcome.kept
    assert kept == (
        f"kept {best.label}: validation accuracy {100 * best.accuracy:.2f}% "
        f"(pass 1 {100 * outcome.pass_1.accuracy:.2f}%, pass 2 {100 * dense.accuracy:.2f}%), "
        f"parameters {dense.cost.parameters:,} -> {best.cost.parameters:,}, "
        f"multiply-adds {dense.cost.multiply_adds:,} -> {best.cost.multiply_adds:,}"
    )
    names = ("2 superclasses", "3 superclasses", "classes")

    def levels_of(each: StageResult | Evaluation) -> str:
        shares = zip(
            each.stack_accuracies, each.stack_top5_accuracies, each.stack_mean_class_accuracies, strict=True
        )
        return "  by level: " + "; ".join(
            f"{name}: top-1 {100 * a:.1f}%, top-5 {100 * b:.1f}%, mean class {100 * c:.1f}%"
            for name, (a, b, c) in zip(names, shares, strict=True)
        )

    tested = [evaluation for name, evaluation in evaluate_on_test(trial, outcome) if "pass 1" not in name]
    assert [line for line in lines if line.startswith("  by level: ")] == [
        levels_of(best),
        *map(levels_of, tested),
    ]
    assert [line for line in lines if line.startswith("test accuracy")] == [
        f"test accuracy of {name}: {100 * evaluation.accuracy:.2f}% of 48 clips, "
        f"top-5 {100 * evaluation.stack_top5_accuracies[-1]:.2f}%, "
        f"mean class {100 * mean_class_accuracy(evaluation.confusion_KK):.2f}%"
        for name, evaluation in evaluate_on_test(trial, outcome)
    ]

    assert lines[-1] == "printed only, not recorded; 'autohier search' and 'autohier evaluate' record theirs"
    result = lines[len(labels) + 2 : len(labels) + 4]
    assert result == [
        f"result: 1 network of {best.label} in {tmp_path / 'out' / 'stages'}",
        f"export: autohier compact {best.key[:12]} --file recognizer.safetensors --out {tmp_path / 'out'}",
    ]

    again = autohier(*command[:-1])
    assert again.code == 0
    assert again.out.splitlines() == [
        config,
        *(
            f"{stage.label}: validation accuracy {100 * stage.accuracy:.2f}%, reused from the stage store"
            for stage in outcome.stages
        ),
        kept,
        levels_of(best),
        *result,
    ]


def test_a_single_superclass_count_is_one_level(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    command = ("train", space, "--data", tiny_data, "--out", tmp_path, *QUICK[:-1], "passes=0")
    error = autohier(*command, "--set", "superclasses=3").error
    assert error == (
        "the config must suit tiny, but it has 1 level, not 2: "
        "write e.g. superclasses=2/3, or change search.levels in the space"
    )
    space.write_text(space.read_text().replace("levels = 2", "levels = 1").replace("[2, 3]", "[3]"))
    assert autohier(*command).code == 0
    (stage,) = tmp_path.glob("stages/pass-2/*/stage.json")
    hierarchy = json.loads(stage.read_text())["stage"]["hierarchy"]
    assert [len(set(level)) for level in hierarchy] == [3, 6]


def test_a_variant_is_selected_by_name(
    autohier: Autohier, space: Path, tiny_data: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    space.write_text(
        space.read_text() + "[search.variants.plain]\n[search.variants.slow]\npass_2.epochs = 3\n"
    )
    command = ("train", space, "--data", tiny_data, "--out", tmp_path, *QUICK[:-1], "passes=0")
    assert autohier(*command, "--set", "variant=slow").code == 0
    # Overrides also apply to the variant.
    assert autohier(*command, "--set", "variant=slow", "--set", "pass_2.epochs=2").code == 0
    for epochs in (3, 2):
        config = tiny_config("pass_1.epochs=1", f"pass_2.epochs={epochs}", passes=0)
        outcome = run_trial(open_tiny_trial(config, tiny_clips, tmp_path / "stages"))
        assert all(stage.reused for stage in outcome.stages)
    error = autohier(*command, "--set", "variant=fast").error
    assert error == "unknown variant 'fast': valid are plain, slow"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("dmo",), r"^unknown search space 'dmo': did you mean 'demo'\?$"),
        (
            ("none.toml",),
            r"^the file of a search space must exist, but got /.*/none\.toml: correct the path",
        ),
        (("SPACE", "--set", "pass_1.epoch=3"), r"unknown setting 'pass_1\.epoch': did you mean 'epochs'\?$"),
        (("SPACE", "--set", "pass1.epochs=3"), r"unknown setting 'pass1': did you mean 'pass_1'\?$"),
        (
            ("SPACE", "--set", "ratio=2"),
            r"^tiny, hyperparameters: ratio must be less than 1, but got 2: did you mean 0\.02\?$",
        ),
        (("SPACE", "--set", "superclasses=3/2"), r"must be positive and must not descend, but got 3/2$"),
        (
            ("SPACE", "--set", "superclasses=a/b"),
            r"value 1 of superclasses must be a whole number, but got 'a'",
        ),
        (
            ("SPACE", "--set", "initial=[]"),
            r"every hyperparameter must be given, but got none of superclasses, weight_ratio",
        ),
        (("SPACE", "--set", "epochs"), r"^--set takes key=value, but got epochs"),
        (
            ("SPACE", "--device", "warp"),
            r"^--device must name a device that torch .*, but got warp; torch finds",
        ),
        (("SPACE", "--set", "num_classes=12"), r"^num_classes must be that of the data, 6, but got 12"),
        (("SPACE", "--set", "recognizer.name=resnet18"), r"did you mean 'inflated-resnet18'\?$"),
        (("SPACE", "--set", "recognizer.weights=no.pth"), r"^recognizer\.weights must name a file"),
        (("SPACE", "--set", "optimisation.learning_rate=1e30"), r"^the losses of epoch 1 must be finite"),
        (("SPACE", "--set", "superclasses=[1,2,3,4]"), r"must suit tiny, but it has 4 levels, not 2"),
        (("SPACE", "--set", "superclasses=3/27"), r"its counts 3/27 are above the 6 classes: write e\.g\. "),
        (
            ("SPACE", "--set", "weightratio=1"),
            r"^unknown setting 'weightratio': did you mean 'weight_ratio'\? Hyperparameters are ",
        ),
        (("SPACE", "--out", "FILE"), r"Not a directory"),
        (
            ("ntu60",),
            r"^ntu60 is not prepared: no store at .*ntu60: run 'autohier prepare ntu60 --source DIR",
        ),
        (("utd_mhad",), r"^utd-mhad-depth is not prepared: .* prepare utd-mhad --modality depth --source"),
    ],
)
def test_errors_are_one_line(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path, arguments: tuple[str, ...], error: str
) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    named = [{"SPACE": space, "FILE": file}.get(argument, argument) for argument in arguments]
    common = ("--data", tiny_data, "--threads", 1, "--device", "cpu", "--out", tmp_path / "out")
    assert re.search(error, autohier("train", *common, *named).error)


def test_missing_given_superclasses_are_an_error(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    changes = ("--set", "hierarchy=given", "--set", "superclasses=4/5")
    ended = autohier("train", space, "--data", tiny_data, "--out", tmp_path / "out", *changes)
    assert ended.error.endswith("but got none among 4/5: --set superclasses=2/3")
    assert not (tmp_path / "out").exists()


def test_unprepared_clips_suggest_the_command(autohier: Autohier, space: Path, tmp_path: Path) -> None:
    ended = autohier("train", space, "--data", tmp_path / "none")
    assert ended.error == (
        f"demo is not prepared: no store at {tmp_path / 'none' / 'demo'}: "
        f"run 'autohier prepare demo --data {tmp_path / 'none'}'"
    )


def test_clips_of_another_version_are_an_error(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    manifest = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 99}))
    ended = autohier("train", space, "--data", tmp_path / "data")
    assert re.search(r"must be of version \d, but got 99: delete it and run 'autohier prepare", ended.error)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (
            {"conv1.weight": torch.zeros(8, 3, 7, 7)},
            r"^2D weights must fit the recognizer, but got \d+ mismatches",
        ),
        (
            {"features.0.weight": torch.zeros(64, 3, 3, 3)},
            r"^2D weights must fit the recognizer, but got \d+ mismatches: conv1\.weight is missing",
        ),
        (None, r"must be a \.safetensors or \.pth file that contains only tensors"),
    ],
)
def test_weights_of_another_network_are_an_error(
    autohier: Autohier,
    space: Path,
    tiny_data: Path,
    tmp_path: Path,
    content: dict[str, torch.Tensor] | None,
    error: str,
) -> None:
    path = tmp_path / "2d.safetensors"
    if content is None:
        path.write_text("not weights")
    else:
        save_file(content, path)
    common = ("--data", tiny_data, "--out", tmp_path / "out", *QUICK)
    assert re.search(error, autohier("train", space, *common, "--set", f"recognizer.weights={path}").error)


@pytest.mark.parametrize("arguments", [(), ("SPACE", "--threads", "0"), ("SPACE", "--seed", "-1")])
def test_invalid_arguments_are_one_line(autohier: Autohier, space: Path, arguments: tuple[str, ...]) -> None:
    ended = autohier("train", *(space if argument == "SPACE" else argument for argument in arguments))
    assert ended.error.endswith("(see 'autohier train --help')")


def test_a_process_exits_with_2_and_without_a_traceback(space: Path, tmp_path: Path) -> None:
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


def test_a_store_of_skeletons_has_no_frames_to_read(autohier: Autohier, tmp_path: Path) -> None:
    for clip_id in ("S001C001P001R001A001", "S001C001P002R001A001"):
        write_ntu_clip(tmp_path / "source", clip_id)
    options = ("--source", tmp_path / "source", "--data", tmp_path, "--modality", "skeleton")
    assert autohier("prepare", "ntu60", *options).code == 0
    ended = autohier("train", "ntu60", "--data", tmp_path, "--set", "clips.modality=skeleton")
    assert ended.error.startswith(
        "inflated-resnet50 must have clips with frames, but got clips prepared without"
    )


def test_it_follows_the_recipe_of_a_package(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    command = ("train", SPACE_FILE, "--data", tiny_data, "--out", tmp_path / "out", *QUICK)
    with installed_example("autohier-stage-kind", tmp_path / "site"):
        ended = autohier(*command, "--set", "recipe=heads-only")
    assert (ended.code, ended.err) == (0, "")
    assert [line.partition(": ")[0] for line in ended.out.splitlines()[2:-4:2]] == [
        *("pass 1", "heads only", "prune 1"),
    ]
    assert ", heads only " in ended.out.splitlines()[-4]


def epochs_of(out: str) -> list[str]:
    return [line.partition(": ")[0] for line in out.splitlines() if "epoch" in line]


def test_folds_are_named_and_reused_ones_said(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    folds = ("--set", "protocol.validation=folds", "--set", "protocol.num_folds=2")
    command = ("train", SPACE_FILE, "--data", tiny_data, "--out", tmp_path, *QUICK[:-1], "passes=0", *folds)
    assert epochs_of(autohier(*command).out) == [
        *("pass 1 of fold 1, epoch 1", "pass 1 of fold 2, epoch 1"),
        *("pass 2 of fold 1, epoch 1", "pass 2 of fold 2, epoch 1"),
    ]
    shutil.rmtree(next(tmp_path.glob("stages/pass-1/*")))
    out = autohier(*command, "--test").out
    (trained,) = re.findall(r"\npass 1 of fold (\d), epoch 1", out)
    (reused,) = re.findall(r"\npass 1 of fold (\d): reused from the stage store\n", out)
    assert {trained, reused} == {"1", "2"}
    # A refit has no folds.
    assert epochs_of(out)[-2:] == ["pass 1, epoch 1", "pass 2, epoch 1"]


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, autohier: Autohier, tiny_data: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autohier.core.trial.run_trial", interrupt)
    ended = autohier("train", SPACE_FILE, "--data", tiny_data, "--out", tiny_data.parent / "interrupted")
    assert (ended.code, ended.err) == (130, "interrupted; run the same command to continue\n")


def test_it_warns_as_check_does(autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path) -> None:
    changes = ("optimisation.learning_rate=20", "optimisation.batch_size=100000", "clips.num_frames=100")
    own = ("ratio=0.9", "weight_ratio=1e3")
    options = ("--data", tiny_data, *(part for each in changes for part in ("--set", each)))
    checked = autohier("check", space, *options)
    command = ("train", space, *options, "--out", tmp_path / "out", *QUICK, "--set", "passes=0")
    ended = autohier(*command, *(part for each in own for part in ("--set", each)))

    def warnings(out: str) -> list[str]:
        lines = out.splitlines()
        return [f"{line} {fix}" for line, fix in pairwise(lines) if line.startswith("WARNING")]

    # The comparison of trials and the lists of the search are no matter of one config; its own values are.
    of_space = {text for text in warnings(checked.out) if "trials are compared" not in text}
    assert len(of_space) == 3
    of_config = set(warnings(ended.out)) - of_space
    assert of_space < set(warnings(ended.out))
    assert sorted(line.split("  fix: ")[0] for line in of_config) == [
        "WARNING: ratio = 0.9 is outside its usual range, 0 to 0.5; was 0.009 meant? ",
        "WARNING: weight_ratio = 1000 is outside its usual range, 0.01 to 100; was 10 meant? ",
    ]
    assert ended.out.index("WARNING") < ended.out.index("config: ")


def test_the_lists_of_the_search_are_no_matter_of_one_config(
    autohier: Autohier, space: Path, tiny_data: Path, tmp_path: Path
) -> None:
    command = ("train", space, "--data", tiny_data, "--out", tmp_path / "out", *QUICK, "--set", "passes=0")
    ended = autohier(*command, "--set", "search.ratios=[0.25, 0.8]", "--set", "search.max_seeds=90")
    assert "WARNING" not in ended.out
