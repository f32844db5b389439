"""Complete trials on skeletons and heatmaps: every stage, as on frames."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.prediction import predict_test
from autohier.core.trial import evaluate_on_test, evaluate_stage_on_test, run_trial, train_pass_1
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.reader import ClipStore
from support.sources.tiny_clips import (
    CLIPS_PER_SUBJECT,
    OVERRIDES,
    TEST_SUBJECTS,
    TRAINING_SUBJECTS,
    VALIDATION_SUBJECTS,
    open_tiny_trial,
    tiny_config,
)
from support.sources.tiny_pyskl import annotation, write_pyskl
from support.sweep_runs.whole_trials import masks_of, weights_of

LEARNING = ("optimisation.batch_size=12", "optimisation.learning_rate=2e-2", "pass_1.epochs=4")


@pytest.fixture(scope="module", params=["skeletons", "heatmaps"])
def trial(request, tiny_clips, tmp_path_factory):
    # Skeletons are tested mirrored, too.
    flip = f"clips.test_flip={'true' if request.param == 'skeletons' else 'false'}"
    config = tiny_config(*OVERRIDES[request.param], *LEARNING, flip)
    return open_tiny_trial(config, tiny_clips, tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="module")
def outcome(trial):
    return run_trial(trial)


def network_of(trial, stage):
    """Load the network of a stored stage."""
    network = trial.context.build(trial.base.network, stage.hierarchy, seed=1)
    tensors = weights_of(trial.context.store.folder, stage)
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    return network.eval()


@torch.no_grad()
def confusion_by_hand(trial, stage, subjects):
    """Compute the confusion clip by clip, from the mean probabilities of two frame sets and mirror images."""
    network, clip_input, table = (
        network_of(trial, stage),
        trial.data_loader.clip_input,
        trial.context.clips.clips,
    )
    confusion_KK = np.zeros((6, 6), dtype=int)
    for row in np.flatnonzero(np.isin(table.subject, subjects)).tolist():
        sets = np.stack([clip_input.read_eval(row, index, 2) for index in range(2)])
        views = [clip_input.transform_eval(torch.from_numpy(sets))]
        if trial.config.clips.test_flip:
            views += [clip_input.transform_eval(torch.from_numpy(sets), mirrored=True)]
        probabilities_K = network(torch.cat(views))[-1].softmax(dim=1).mean(dim=0)
        confusion_KK[table.label[row], probabilities_K.argmax()] += 1
    return confusion_KK


def test_every_stage_is_trained(outcome):
    assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1", "prune 2"]
    assert [len(stage.epochs) for stage in outcome.stages] == [4, 1, 1, 1]
    assert [len(stage.stack_accuracies) for stage in outcome.stages] == [1, 3, 3, 3]
    assert outcome.chain[0].hierarchy.num_superclasses == (2, 3, 6)
    losses = [metrics.loss for metrics in outcome.pass_1.epochs]
    # From 1.9, about the logarithm of 6, to between 1.4 and 1.65, as processors round differently.
    assert losses[-1] < 0.9 * losses[0]


def test_stages_are_validated_on_the_validation_clips(trial, outcome):
    for stage in (outcome.pass_1, outcome.kept):
        expected_KK = confusion_by_hand(trial, stage, VALIDATION_SUBJECTS)
        assert stage.confusion_KK.tolist() == expected_KK.tolist()
        assert stage.accuracy == pytest.approx(np.trace(expected_KK) / CLIPS_PER_SUBJECT)


def test_the_test_split_is_evaluated(trial, outcome):
    evaluation = evaluate_stage_on_test(trial, outcome.kept)
    expected_KK = confusion_by_hand(trial, outcome.kept, TEST_SUBJECTS)
    assert evaluation.confusion_KK.tolist() == expected_KK.tolist()
    assert evaluation.num_clips == len(TEST_SUBJECTS) * CLIPS_PER_SUBJECT
    predictions, counted_KK = predict_test(trial, outcome.kept, refitted=False), np.zeros((6, 6), dtype=int)
    np.add.at(counted_KK, (predictions.labels_N, predictions.probabilities_NK.argmax(axis=1)), 1)
    assert counted_KK.tolist() == expected_KK.tolist()


def test_filters_are_pruned_and_stay_so(trial, outcome):
    folder = trial.context.store.folder
    for stage in outcome.chain[1:]:
        filters, masks = network_of(trial, stage).recognizer.prunable_filters(), masks_of(folder, stage)
        assert {each.name for each in filters} == set(masks)
        for each in filters:
            dead = (~masks[each.name]).nonzero().flatten()
            for parameter in (each.convolution.weight, each.convolution.bias):
                assert parameter is None or not parameter[dead].any()
            for parameter in (each.norm.weight, each.norm.bias):
                assert not parameter[dead + each.first_channel].any()
    masks = masks_of(folder, outcome.chain[1])
    # A quarter of the filters of every layer whose width is divisible by four.
    assert {mask_F.float().mean().item() for mask_F in masks.values() if len(mask_F) % 4 == 0} == {0.75}
    assert all(mask_F.any() for mask_F in masks.values())
    costs = [stage.cost for stage in outcome.chain]
    assert costs[0].parameters > costs[1].parameters > costs[2].parameters
    assert costs[0].multiply_adds > costs[1].multiply_adds > costs[2].multiply_adds


def prepared(path: Path, folder: Path) -> ClipStore:
    prepare_dataset(open_dataset("pyskl", source=path), path, folder, num_workers=1)
    return ClipStore.open(folder)


@pytest.mark.parametrize(
    ("clip_input", "change"), [("skeletons", "clips.stream=bone-motion"), ("heatmaps", "clips.maps=limbs")]
)
def test_a_complete_trial_runs_on_2d_poses(tmp_path, clip_input, change):
    ids = [f"clip{number:02}" for number in range(30)]
    entries = [annotation(clip_id, number % 6) for number, clip_id in enumerate(ids)]
    path = write_pyskl(tmp_path / "poses.pkl", entries, {"xsub_train": ids[:24], "xsub_val": ids[24:]})
    space = ("dataset=poses", "protocol.name=xsub", "pass_1.epochs=1")
    config = tiny_config(*OVERRIDES[clip_input], change, *space, passes=1)
    trial = open_tiny_trial(config, prepared(path, tmp_path / "store"), tmp_path / "stages")
    outcome = run_trial(trial)
    assert [stage.label for stage in outcome.stages] == ["pass 1", "pass 2", "prune 1"]
    # Every clip is its own subject, and a tenth of the 24 training clips validates.
    assert {stage.confusion_KK.sum() for stage in outcome.stages} == {2}
    assert np.isfinite([metrics.loss for stage in outcome.stages for metrics in stage.epochs]).all()
    assert {each.num_clips for _, each in evaluate_on_test(trial, outcome)} == {6}


@pytest.mark.parametrize("variant", [f"authors-{name}" for name in ("ctr-gcn", "ms-g3d", "aagcn", "st-gcn")])
def test_the_recipes_of_graph_networks_train(tmp_path, tiny_clips, variant):
    space = load_space(
        "ntu60_skeleton",
        [
            *("dataset=demo", "num_classes=6", "protocol.validation=clean"),
            *(f"search.variants={variant}", "initial=[]"),
            *("recognizer.width=0.125", "clips.num_persons=1", "clips.num_frames=6", "pass_1.epochs=1"),
        ],
    )
    config = space.config(FLAT_PARAMS.model_copy(update={"variant": variant}), seed=0)
    pass_1 = train_pass_1(open_tiny_trial(config, tiny_clips, tmp_path / "stages"))
    assert pass_1.epochs[0].num_clips == len(TRAINING_SUBJECTS) * CLIPS_PER_SUBJECT
    assert pass_1.confusion_KK.sum() == CLIPS_PER_SUBJECT
    assert np.isfinite(pass_1.epochs[0].loss)


@pytest.mark.realdata
@pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set")
def test_real_poses_train(tmp_path):
    source = Path(os.environ["AUTOHIER_DATA"]) / "pyskl-format-sample" / "custom_2d_poses.pkl"
    clips = prepared(source, tmp_path / "store")
    space = (
        *(f"dataset={clips.manifest.dataset}", "num_classes=16", "search.counts=[2, 3]"),
        *("protocol.name=xsub", "optimisation.learning_rate=1e-2", "pass_1.epochs=2"),
        "clips={input='skeletons', num_frames=16, num_persons=1, test_sets=1}",
        "recognizer={name='st-gcn', width=0.125}",
    )
    trial = open_tiny_trial(tiny_config(*space), clips, tmp_path / "stages")
    flat = train_pass_1(trial)
    # 388 training clips, a tenth of which validates; chance is 1 in 16.
    assert (flat.epochs[0].num_clips, flat.confusion_KK.sum()) == (349, 39)
    assert flat.epochs[1].loss < min(flat.epochs[0].loss, np.log(16))
