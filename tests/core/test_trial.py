"""A whole trial, trained on the tiny clips: each step of the method, and what is shared between trials."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autohier.core.hierarchy import balanced_partition
from autohier.core.recipes.base import StageRequest, run_recipe
from autohier.core.recipes.chain import by_stop_rule, open_recipe
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import (
    TrialOutcome,
    evaluate_on_test,
    find_pass_1,
    finish,
    run_trial,
    train_pass_1,
)
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError
from support.fakes.fake_stages import FakeRunner
from support.sources.tiny_clips import (
    CLASS_NAMES,
    CLIPS_PER_SUBJECT,
    REPLICATIONS,
    TEST_SUBJECTS,
    TRAINING_SUBJECTS,
    VALIDATION_SUBJECTS,
    open_tiny_trial,
    tiny_config,
)
from support.sweep_runs.whole_trials import (
    CONFIG,
    LAYERS,
    masks_of,
    probabilities_by_hand,
    rebuilt,
    run,
    weights_of,
    write_2d_weights,
)


class TestStepsOfTheMethod:
    def test_they_come_in_order(self, outcome: TrialOutcome) -> None:
        assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1", "prune 2"]
        assert outcome.pass_1 is outcome.stages[0]
        assert outcome.chain == outcome.stages[1:]
        parents = [None, *(stage.key for stage in outcome.stages)]
        assert [stage.parent_key for stage in outcome.stages] == parents[:-1]

    def test_pass_1_has_the_classes_alone(self, outcome: TrialOutcome, folder: Path) -> None:
        assert outcome.pass_1.hierarchy.assignments == (tuple(range(6)),)
        heads = {name for name in weights_of(folder, outcome.pass_1) if name.startswith("heads.")}
        assert heads == {"heads.stack4.weight", "heads.stack4.bias"}
        assert all(len(epoch.stack_losses) == 1 for epoch in outcome.pass_1.epochs)

    def test_its_confusion_is_that_of_the_validation_clips(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
    ) -> None:
        network = rebuilt(outcome.pass_1, weights_of(folder, outcome.pass_1))
        rows = np.flatnonzero(np.isin(tiny_clips.clips.subject, VALIDATION_SUBJECTS))
        confusion_KK = np.zeros((6, 6), dtype=int)
        for row, (probabilities_K,) in zip(
            rows, probabilities_by_hand(network, tiny_clips, rows), strict=True
        ):
            confusion_KK[tiny_clips.clips.label[row], probabilities_K.argmax()] += 1
        assert outcome.pass_1.confusion_KK.tolist() == confusion_KK.tolist()
        assert confusion_KK.sum(axis=1).tolist() == [REPLICATIONS] * 6
        assert outcome.pass_1.accuracy == pytest.approx(np.trace(confusion_KK) / CLIPS_PER_SUBJECT)

    def test_superclasses_are_the_balanced_partition_of_that_confusion(self, outcome: TrialOutcome) -> None:
        *levels, classes = outcome.chain[0].hierarchy.assignments
        assert len(levels) == len(CONFIG.params.superclasses) == 2
        for level, count in zip(levels, CONFIG.params.superclasses, strict=True):
            expected = balanced_partition(outcome.pass_1.confusion_KK, count, seed=CONFIG.seed)
            assert level == tuple(expected.tolist())
            assert sorted(level) == sorted([*range(count)] * (6 // count))
        assert classes == tuple(range(6))
        assert {stage.hierarchy for stage in outcome.chain} == {outcome.chain[0].hierarchy}

    def test_pass_2_weighs_a_loss_after_every_headed_stack(self, outcome: TrialOutcome, folder: Path) -> None:
        for stage in outcome.chain:
            tensors = weights_of(folder, stage)
            heads = [tensors[f"heads.stack{number}.weight"].shape[0] for number in (2, 3, 4)]
            assert heads == [2, 3, 6]
            for epoch in stage.epochs:
                first, second, last = epoch.stack_losses
                # w_l = rho^(L - l) with rho 1/2.
                assert epoch.loss == pytest.approx(first / 4 + second / 2 + last, rel=1e-5)

    def test_the_kept_pass_is_the_best_and_the_earliest_of_equals(self, outcome: TrialOutcome) -> None:
        accuracies = [stage.accuracy for stage in outcome.chain]
        assert outcome.accuracy == max(accuracies)
        assert outcome.kept_pass == accuracies.index(max(accuracies))
        assert outcome.kept is outcome.chain[outcome.kept_pass]

    def test_a_pruned_network_costs_less(self, outcome: TrialOutcome) -> None:
        costs = [stage.cost for stage in outcome.chain]
        assert costs[0].parameters > costs[1].parameters > costs[2].parameters
        assert costs[0].multiply_adds > costs[1].multiply_adds > costs[2].multiply_adds


class TestPruning:
    def test_by_layer_leaves_the_rounded_share_of_every_layer(
        self, outcome: TrialOutcome, folder: Path
    ) -> None:
        # A quarter goes: 8 -> 6 -> 4 (1.5 is rounded to 2), 16 -> 12 -> 9, 32 -> 24 -> 18, 64 -> 48 -> 36.
        for stage, left in zip(
            outcome.chain[1:], ({8: 6, 16: 12, 32: 24, 64: 48}, {8: 4, 16: 9, 32: 18, 64: 36}), strict=True
        ):
            counts = sorted((len(mask_F), int(mask_F.sum())) for mask_F in masks_of(folder, stage).values())
            assert counts == sorted((size, left[size]) for size, num in LAYERS.items() for _ in range(num))

    def test_global_pruning_leaves_the_rounded_share_of_all(
        self, tiny_clips: ClipStore, folder: Path
    ) -> None:
        # 32 + 80 + 160 + 320 = 592 filters; a quarter of them goes twice: 592 - 148 = 444, 444 - 111 = 333.
        stages = run(tiny_config(scope="global"), tiny_clips, folder).chain
        assert not masks_of(folder, stages[0])
        alive = [sum(int(mask_F.sum()) for mask_F in masks_of(folder, each).values()) for each in stages[1:]]
        assert alive == [444, 333]
        assert len({int(mask_F.sum()) / len(mask_F) for mask_F in masks_of(folder, stages[1]).values()}) > 1

    def test_dead_filters_are_the_weakest_of_the_parent_and_stay_dead(
        self, outcome: TrialOutcome, folder: Path
    ) -> None:
        for parent, stage in zip(outcome.chain, outcome.chain[1:], strict=False):
            before, were = weights_of(folder, parent), masks_of(folder, parent)
            for layer, mask_F in masks_of(folder, stage).items():
                were_F = were.get(layer, torch.ones_like(mask_F))
                assert not (mask_F & ~were_F).any()
                norm_F = before[f"recognizer.{layer}.weight"].flatten(1).norm(dim=1)
                assert norm_F[mask_F].min() >= norm_F[were_F & ~mask_F].max()

    def test_dead_filters_are_exactly_zero_after_retraining_and_the_others_are_not(
        self, outcome: TrialOutcome, folder: Path
    ) -> None:
        for stage in outcome.chain[1:]:
            tensors = weights_of(folder, stage)
            filters = rebuilt(stage, tensors).recognizer.prunable_filters()
            masks = masks_of(folder, stage)
            assert {each.name for each in filters} == set(masks)
            for each in filters:
                mask_F = masks[each.name]
                for parameter in (each.convolution.weight, each.norm.weight, each.norm.bias):
                    assert not parameter[~mask_F].any()
                assert each.convolution.weight[mask_F].flatten(1).any(dim=1).all()
                assert each.norm.weight[mask_F].all()

    def test_ratio_0_retrains_and_prunes_nothing(self, tiny_clips: ClipStore, folder: Path) -> None:
        pass_2, prune_1 = run(tiny_config(ratio=0.0, passes=1), tiny_clips, folder).chain
        assert all(mask_F.all() for mask_F in masks_of(folder, prune_1).values())
        assert prune_1.cost == pass_2.cost
        before, after = weights_of(folder, pass_2), weights_of(folder, prune_1)
        assert not torch.equal(before["heads.stack4.weight"], after["heads.stack4.weight"])

    def test_no_passes_end_with_pass_2(self, tiny_clips: ClipStore, folder: Path) -> None:
        outcome = run(tiny_config(passes=0), tiny_clips, folder)
        assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2"]
        assert outcome.kept_pass == 0


class TestStopRule:
    """Tests on chains of given accuracies; a chain that continues too long runs out of them."""

    @pytest.mark.parametrize(
        ("accuracies", "passes", "ties", "kept"),
        [
            pytest.param((0.8, 0.7, 0.6), 7, "drop", 0, id="two bad passes end it at once"),
            pytest.param((0.5, 0.7, 0.6, 0.65), 7, "drop", 1, id="the best is kept, not the last"),
            pytest.param((0.5, 0.4, 0.6, 0.5, 0.7, 0.6, 0.6), 7, "drop", 4, id="a good pass resets it"),
            pytest.param((0.8, 0.7, 0.7), 7, "drop", 0, id="a tie below the best is a drop"),
            pytest.param((0.8, 0.7, 0.7, 0.9, 0.1), 4, "hold", 3, id="or holds"),
            pytest.param((0.5, 0.6), 1, "drop", 1, id="the cap ends it"),
            pytest.param((0.5, 0.5, 0.5), 2, "drop", 0, id="the earliest of equals"),
            pytest.param((0.5,), 0, "drop", 0, id="no passes"),
        ],
    )
    def test_it_ends_the_chain_and_the_best_pass_is_kept(
        self,
        tiny_clips: ClipStore,
        accuracies: tuple[float, ...],
        passes: int,
        ties: str,
        kept: int,
    ) -> None:
        config = tiny_config(f"pruning.ties={ties}", passes=passes)
        trial = open_tiny_trial(config, tiny_clips, Path("nowhere"))
        outcome = FakeRunner(chain=accuracies).run_trial(trial)
        assert tuple(stage.accuracy for stage in outcome.chain) == accuracies
        assert outcome.kept_pass == kept
        assert outcome.accuracy == accuracies[kept]


class TestObjective:
    def test_mean_class_accuracies_end_the_chain_and_choose_the_pass(self, tiny_clips: ClipStore) -> None:
        # Accuracies rise with every pass, but mean class accuracies end the chain after two bad passes.
        config = tiny_config("search.objective=mean-class", passes=5)
        trial = open_tiny_trial(config, tiny_clips, Path("nowhere"))
        runner, by_class = FakeRunner(chain=(0.5, 0.6, 0.7, 0.8)), (0.3, 0.4, 0.35, 0.2)

        def run(request: StageRequest[StageResult]) -> StageResult:
            return replace(
                runner(request, trial), stack_mean_class_accuracies=(by_class[request.pass_index],)
            )

        outcome = finish(config, run_recipe(open_recipe(config, by_stop_rule(config)), run))
        assert len(outcome.chain) == 4
        assert outcome.kept_pass == 1
        assert (outcome.accuracy, outcome.kept.measure("mean-class")) == (0.6, 0.4)


class TestSharing:
    def test_without_pruning_the_scope_makes_no_difference(self, tiny_clips: ClipStore) -> None:
        keys = []
        for scope, ratio in itertools.product(("global", "layerwise"), (0.0, 0.25)):
            config = tiny_config(scope=scope, ratio=ratio, passes=1)
            trial = open_tiny_trial(config, tiny_clips, Path("nowhere"))
            keys.append(FakeRunner().run_trial(trial).stages[-1].key)
        assert keys[0] == keys[2]
        assert len(set(keys)) == 3

    @pytest.mark.parametrize("passes", [0, 1, 2])
    def test_trials_that_differ_in_their_cap_share_all_they_have_in_common(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, passes: int
    ) -> None:
        other = run(tiny_config("pruning.ties=hold", passes=passes), tiny_clips, folder)
        assert all(stage.reused for stage in other.stages)
        assert [stage.key for stage in other.stages] == [stage.key for stage in outcome.stages[: passes + 2]]

    @pytest.mark.usefixtures("outcome")
    @pytest.mark.parametrize(
        ("change", "reused"),
        [
            pytest.param({"weight_ratio": 1.0}, [True, False, False], id="other loss weights"),
            pytest.param({"superclasses": (3,)}, [True, False, False], id="other counts"),
            pytest.param({"ratio": 0.5}, [True, True, False], id="another ratio"),
        ],
    )
    def test_trials_share_what_comes_before_their_first_difference(
        self, tiny_clips: ClipStore, folder: Path, change: dict[str, Any], reused: list[bool]
    ) -> None:
        other = run(tiny_config(**({"passes": 1} | change)), tiny_clips, folder)
        assert [stage.reused for stage in other.stages] == reused
        again = run(tiny_config(**({"passes": 1} | change)), tiny_clips, folder)
        assert all(stage.reused for stage in again.stages)

    def test_superclasses_that_come_with_the_data_share_pass_1(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
    ) -> None:
        given = run(tiny_config("hierarchy=given", passes=0), tiny_clips, folder)
        # Five classes and one; then three hues, each dark and bright: see tiny_clips.
        levels = ((0, 0, 0, 0, 0, 1), (0, 1, 2, 0, 1, 2), (0, 1, 2, 3, 4, 5))
        assert given.chain[0].hierarchy.assignments == levels
        assert [stage.reused for stage in given.stages] == [True, False]
        assert given.chain[0].key != outcome.chain[0].key

    def test_pass_1_alone_is_the_pass_1_of_every_trial(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
    ) -> None:
        config = tiny_config(superclasses=(3,), weight_ratio=1.0, ratio=0.1, scope="global")
        flat = train_pass_1(open_tiny_trial(config, tiny_clips, folder))
        assert flat.reused
        assert flat.key == outcome.pass_1.key

    def test_pass_1_is_looked_up_without_training_it(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path, tmp_path: Path
    ) -> None:
        found = find_pass_1(open_tiny_trial(tiny_config(), tiny_clips, folder))
        assert found is not None
        assert (found.key, found.accuracy) == (outcome.pass_1.key, outcome.pass_1.accuracy)
        assert find_pass_1(open_tiny_trial(tiny_config(), tiny_clips, tmp_path)) is None

    def test_another_seed_shares_nothing(
        self, outcome: TrialOutcome, tiny_clips: ClipStore, folder: Path
    ) -> None:
        other = train_pass_1(open_tiny_trial(tiny_config(seed=1), tiny_clips, folder))
        assert not other.reused
        ours, theirs = weights_of(folder, outcome.pass_1), weights_of(folder, other)
        assert not torch.equal(ours["recognizer.conv1.weight"], theirs["recognizer.conv1.weight"])


class TestProtocols:
    def test_clean_validates_on_held_out_training_subjects(
        self, trial: TrialSetup, tiny_clips: ClipStore
    ) -> None:
        split, subject = trial.data_loader.split, tiny_clips.clips.subject
        assert trial.base.protocol.held_out == VALIDATION_SUBJECTS
        assert set(subject[split.train]) == set(TRAINING_SUBJECTS)
        assert set(subject[split.validation]) == set(VALIDATION_SUBJECTS)
        assert set(subject[split.test]) == set(TEST_SUBJECTS)

    def test_paper_validates_on_a_tenth_of_the_test_clips(
        self, tiny_clips: ClipStore, tmp_path: Path
    ) -> None:
        config = tiny_config("protocol.validation=paper", "pass_1.epochs=1", passes=0)
        paper = open_tiny_trial(config, tiny_clips, tmp_path)
        split, subject = paper.data_loader.split, tiny_clips.clips.subject
        assert set(subject[split.train]) == {*TRAINING_SUBJECTS, *VALIDATION_SUBJECTS}
        assert set(subject[split.test]) == set(TEST_SUBJECTS)
        assert set(split.validation) <= set(split.test)
        # A tenth of 48.
        assert len(split.validation) == 5
        drawn = [
            tuple(open_tiny_trial(each, tiny_clips, tmp_path).data_loader.split.validation)
            for each in (config, tiny_config("protocol.validation=paper", seed=1))
        ]
        assert drawn[0] == tuple(split.validation) != drawn[1]
        outcome = run_trial(paper)
        assert [int(stage.confusion_KK.sum()) for stage in outcome.stages] == [5, 5]
        assert outcome.pass_1.epochs[0].num_clips == 4 * CLIPS_PER_SUBJECT
        # Its validation clips are test clips: there is nothing to refit on.
        test_results = evaluate_on_test(paper, outcome)
        assert [(name, reading.num_clips) for name, reading in test_results] == [
            ("pass 1", 48),
            ("pass 2", 48),
        ]


class TestMismatches:
    @pytest.mark.parametrize(
        ("override", "message"),
        [
            (
                "num_classes=12",
                r"^num_classes must be that of the data, 6, but got 12: add --set num_classes=6, or",
            ),
            (
                "recognizer.weights=none.pth",
                r"^recognizer\.weights must name a file, but got /.*/none\.pth: correct the path$",
            ),
            ("protocol.name=cross-set", r"^the protocol of demo must be one of cross-subject, cross-view"),
            (
                "protocol.held_out=[2]",
                (
                    r"^clean validation holds out subjects that train .* but got 2: choose some of 1, 3, "
                    r"7, 9: --set 'protocol.held_out=\[1\]'$"
                ),
            ),
        ],
    )
    def test_it_is_reported_before_anything_runs(
        self, tiny_clips: ClipStore, tmp_path: Path, override: str, message: str
    ) -> None:
        with pytest.raises(InputError, match=message) as caught:
            open_tiny_trial(tiny_config(override, "search.levels=2"), tiny_clips, tmp_path)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    def test_an_unknown_recognizer_is_reported(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match=r"unknown recognizer 'resnet18': did you mean 'inflated-resnet18'\?$"
        ):
            run(tiny_config("recognizer.name=resnet18"), tiny_clips, tmp_path)

    def test_more_superclass_levels_than_stacks_are_reported(
        self, tiny_clips: ClipStore, tmp_path: Path
    ) -> None:
        config = tiny_config("pass_1.epochs=1", superclasses=(1, 2, 3, 4))
        with pytest.raises(InputError, match="a recognizer of 4 stacks carries 1 to 4 heads, but got 5"):
            run(config, tiny_clips, tmp_path)

    def test_weights_of_another_width_are_reported(self, tiny_clips: ClipStore, tmp_path: Path) -> None:
        path = write_2d_weights(tmp_path / "wide.safetensors", width=0.25)
        with pytest.raises(
            InputError, match=r"^2D weights must fit the recognizer, but got .* mismatches"
        ) as caught:
            run(tiny_config(f"recognizer.weights={path}"), tiny_clips, tmp_path / "stages")
        assert "\n" not in str(caught.value)

    def test_there_are_as_many_classes_as_the_tests_think(self, tiny_clips: ClipStore) -> None:
        assert tiny_clips.manifest.class_names == CLASS_NAMES
