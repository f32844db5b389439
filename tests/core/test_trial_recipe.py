"""Tests of a trial's training recipe: seeds, schedules, starting weights, NaN losses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autohier.core.hierarchy import balanced_partition
from autohier.core.training import loop
from autohier.core.training.metrics import EpochMetrics
from autohier.core.training.schedules import plateau
from autohier.core.trial import TrialOutcome, train_pass_1
from autohier.data.store.reader import ClipStore
from autohier.errors import DivergedError
from autohier.models import build_recognizer
from support.fakes.fake_stages import FakeRunner
from support.sources.tiny_clips import (
    open_tiny_trial,
    tiny_config,
)
from support.sweep_runs.whole_trials import (
    STANDSTILL,
    masks_of,
    run,
    weights_of,
    write_2d_weights,
)

HEADS_ON_LAST = {"stack4_level1": (2, 64), "stack4_level2": (3, 64), "stack4": (6, 64)}
"""Shapes of the heads for superclass counts 2/3, at width 1/8."""


class TestRecipe:
    def test_every_stage_is_trained_with_its_own_settings_and_seed(
        self, tiny_clips: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[dict[str, Any]] = []

        def train_epochs(*arguments: Any, **recipe: Any) -> Iterator[EpochMetrics]:
            given.append(recipe)
            return loop.train_epochs(*arguments, **recipe)

        monkeypatch.setattr("autohier.core.stages.training.train_epochs", train_epochs)
        config = tiny_config(
            *("optimisation.weight_decay=1e-3", "optimisation.lr_patience=3", "optimisation.lr_factor=0.3"),
            *("pass_2.learning_rate=2e-3", "pruning.learning_rate=1e-3"),
            *("pass_1.epochs=1", "pass_2.epochs=2", "pruning.epochs=1"),
        )
        run(config, tiny_clips, tmp_path)
        assert [recipe["optimizer"].keywords["learning_rate"] for recipe in given] == [3e-3, 2e-3, 1e-3, 1e-3]
        assert [recipe["epochs"] for recipe in given] == [1, 2, 1, 1]
        for recipe in given:
            assert recipe["optimizer"].keywords["weight_decay"] == 1e-3
            assert recipe["schedule"].func is plateau
            assert recipe["schedule"].keywords == {"lr_patience": 3, "lr_factor": 0.3}
        seeds = [recipe["seed"] for recipe in given]
        given.clear()
        train_pass_1(open_tiny_trial(tiny_config("pass_1.epochs=1", seed=1), tiny_clips, tmp_path))
        assert len({*seeds, given[0]["seed"]}) == 5

    def test_clips_are_read_as_the_setting_says(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        clips: dict[str, float] = {
            "num_frames": 3,
            "resize_px": 15,
            "crop_px": 13,
            "min_scale": 0.5,
            "flip": False,
            "test_sets": 4,
        }
        overrides = [f"clips.{name}={str(value).lower()}" for name, value in clips.items()]
        config = tiny_config("optimisation.batch_size=7", *overrides)
        data_loader = open_tiny_trial(config, tiny_clips, tmp_path).data_loader
        assert data_loader.test_sets == clips.pop("test_sets")
        assert {name: getattr(data_loader.clip_input, name) for name in clips} == clips
        assert data_loader.batch_size == 7
        assert data_loader.clip_shape == (3, 3, 13, 13)

    def test_superclasses_of_equal_cost_follow_from_the_seed(self, tiny_clips: ClipStore) -> None:
        runner, drawn = FakeRunner(), {}
        for seed in range(4):
            trial = open_tiny_trial(tiny_config(seed=seed, passes=0), tiny_clips, Path("nowhere"))
            outcome = runner.run_trial(trial)
            drawn[seed] = outcome.chain[0].hierarchy.assignments[0]
            assert drawn[seed] == tuple(balanced_partition(runner.confusion_KK, 2, seed=seed).tolist())
        assert len(set(drawn.values())) > 1

    def test_the_network_is_the_one_of_the_setting(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        config = tiny_config(
            "recognizer.width=0.25", "recognizer.initialisation=fan-out", *STANDSTILL, seed=4
        )
        expected = build_recognizer(
            "inflated-resnet18", num_classes=6, width=0.25, initialisation="fan-out", seed=4
        )
        pass_1 = train_pass_1(open_tiny_trial(config, tiny_clips, tmp_path))
        found = weights_of(tmp_path, pass_1)
        for name, parameter in expected.named_parameters():
            torch.testing.assert_close(found[name], parameter.detach(), rtol=0, atol=1e-20)

    def test_a_pruning_pass_begins_with_its_filters_dead(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        # All clips in one batch, all their frames, nothing cropped or mirrored, nothing learnt: both epochs
        # see the same clips, and have the same loss where the network of the first was pruned already.
        config = tiny_config(
            *("optimisation.batch_size=72", "clips.num_frames=4", "clips.crop_px=16", "clips.flip=false"),
            *("pass_1.epochs=1", "pruning.epochs=2", "pruning.learning_rate=1e-30"),
            passes=1,
            ratio=0.5,
        )
        *_, prune_1 = run(config, tiny_clips, tmp_path).stages
        first, second = prune_1.epochs
        assert first.stack_losses == pytest.approx(second.stack_losses, rel=1e-4)


class TestStart:
    """With a rate too small to change a weight, a stage ends with what it started from."""

    @pytest.mark.usefixtures("outcome")
    @pytest.mark.parametrize("start", ["pass-1", "initial"])
    def test_pass_2_starts_from(self, tiny_clips: ClipStore, folder: Path, start: str) -> None:
        config = tiny_config(f"pass_2.start={start}", "pass_2.learning_rate=1e-30", passes=0)
        pass_1, pass_2 = run(config, tiny_clips, folder).stages
        initial = build_recognizer(
            "inflated-resnet18", num_classes=6, superclasses=(2, 3), width=0.125, seed=0
        ).state_dict()
        expected = weights_of(folder, pass_1) if start == "pass-1" else initial
        assert pass_2.parent_key == (pass_1.key if start == "pass-1" else None)
        after = weights_of(folder, pass_2)
        for name in ("recognizer.conv1.weight", "recognizer.layer4.1.bn2.weight", "heads.stack4.weight"):
            assert torch.equal(after[name], expected[name])
        # The heads of the superclasses are new either way.
        assert torch.equal(after["heads.stack2.weight"], initial["heads.stack2.weight"])
        assert not torch.equal(
            initial["heads.stack4.weight"], weights_of(folder, pass_1)["heads.stack4.weight"]
        )

    def test_a_pruning_pass_inherits_what_it_does_not_prune(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
    ) -> None:
        _, _, prune_1 = run(tiny_config("pruning.learning_rate=1e-30", passes=1), tiny_clips, folder).stages
        before, after = weights_of(folder, outcome.chain[0]), weights_of(folder, prune_1)
        for layer, mask_F in masks_of(folder, prune_1).items():
            name = f"recognizer.{layer}.weight"
            assert torch.equal(after[name], before[name] * mask_F.view(-1, 1, 1, 1, 1))
        assert torch.equal(after["heads.stack2.weight"], before["heads.stack2.weight"])

    @pytest.mark.usefixtures("outcome")
    def test_heads_on_the_last_stack_share_pass_1_and_are_pruned(
        self, tiny_clips: ClipStore, folder: Path
    ) -> None:
        config = tiny_config("pass_2.heads=last", "pass_2.learning_rate=1e-30", passes=1)
        outcome = run(config, tiny_clips, folder)
        pass_1, pass_2, prune_1 = outcome.stages
        assert [stage.reused for stage in outcome.stages] == [True, False, False]
        assert [stage.heads for stage in outcome.stages] == ["stacks", "last", "last"]
        before, after = weights_of(folder, pass_1), weights_of(folder, pass_2)
        assert torch.equal(after["heads.stack4.weight"], before["heads.stack4.weight"])
        shapes = {name: tuple(after[f"heads.{name}.weight"].shape) for name in HEADS_ON_LAST}
        assert shapes == HEADS_ON_LAST
        trial = open_tiny_trial(config, tiny_clips, folder)
        for stage in (pass_1, pass_2, prune_1):
            loaded = trial.load_network(stage).state_dict()
            assert all(
                torch.equal(loaded[name], tensor)
                for name, tensor in weights_of(folder, stage).items()
                if not name.startswith("alive.")
            )

    def test_pass_1_starts_from_2d_weights(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        path = write_2d_weights(tmp_path / "2d.safetensors", width=0.125)
        config = tiny_config(f"recognizer.weights={path}", *STANDSTILL)
        pass_1 = train_pass_1(open_tiny_trial(config, tiny_clips, tmp_path))
        kernel = weights_of(tmp_path, pass_1)["recognizer.layer1.0.conv1.weight"]
        assert (kernel[:, :, 1] == 0.5).all()
        assert kernel[:, :, [0, 2]].abs().max() < 1e-20


class TestDivergence:
    @pytest.mark.parametrize(
        ("override", "kept"),
        [
            ("optimisation.learning_rate=1e30", 0),
            ("pass_2.learning_rate=1e30", 1),
            ("pruning.learning_rate=1e30", 2),
        ],
    )
    def test_it_ends_the_trial_and_finished_stages_stay(
        self, tiny_clips: ClipStore, tmp_path: Path, override: str, kept: int
    ) -> None:
        config = tiny_config("pass_1.epochs=1", override)
        with pytest.raises(
            DivergedError, match=r"^the losses of epoch 1 must be finite, but got .*: lower optimisation"
        ) as caught:
            run(config, tiny_clips, tmp_path)
        assert "\n" not in str(caught.value)
        assert sorted(path.parent.parent.name for path in tmp_path.glob("*/*/stage.json")) == sorted(
            ("pass-1", "pass-2", "prune")[:kept]
        )
        assert not list(tmp_path.rglob("*.tmp"))
