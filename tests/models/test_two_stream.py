"""Two streams: from two trained networks it starts as their late fusion, and its pathways do not mix."""

import pytest
import torch

from autohier.core.pruning import measure_cost
from autohier.core.stages.setup.starting_weights import Start, StartingWeights
from autohier.data.skeleton import COCO_17, KINECT_V1_20
from autohier.models import build_recognizer, count_parameters
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.two_stream import TwoStream
from autohier.testing.recognizers import imitate_training
from support.networks.small_recognizers import CASES, build_small, small_batch

OPTIONS, SHAPES = CASES["two-stream"]


def build_alone(name, batch, **options):
    network = build_recognizer(name, num_classes=7, width=0.125, seed=8, **options)
    return imitate_training(network, batch).eval()


@torch.no_grad()
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 3.0)])
def test_from_two_trained_networks_it_starts_as_their_late_fusion(weights):
    batch = small_batch("two-stream")
    alone = {
        "frames": build_alone("inflated-resnet18", batch["frames"]),
        "skeletons": build_alone("st-gcn++", batch["skeletons"], layout="coco-17"),
    }
    network = build_recognizer(
        "two-stream", num_classes=7, seed=0, prediction_weights=weights, **OPTIONS
    ).eval()
    weights_of = {
        name: StartingWeights(
            name, each.recognizer.state_dict(), name, class_head=each.class_heads[""].state_dict()
        )
        for name, each in alone.items()
    }
    Start(weights_of).fit_into(network, "coco-17")
    frames_BK, joints_BK = (alone[name](batch[name])[0].softmax(dim=1) for name in alone)
    expected = (weights[0] * frames_BK + weights[1] * joints_BK) / sum(weights)
    torch.testing.assert_close(network(batch)[0].softmax(dim=1), expected, rtol=1e-5, atol=1e-6)


def test_other_joints_leave_the_graphs_of_the_skeletons_initial():
    trained = build_small("two-stream").recognizer.skeletons
    network = HierarchicalRecognizer(TwoStream(**OPTIONS | {"layout": "kinect-v1-20"}), (7,))
    weights = StartingWeights("a sweep", trained.state_dict(), "", layout=COCO_17)
    text = Start({"skeletons": weights}).fit_into(network, "kinect-v1-20")
    assert text.startswith("start_skeletons: ")
    assert "initial values keep the heads, data_bn.weight" in text
    assert network.recognizer.skeletons.data_bn.num_features == KINECT_V1_20.num_joints * 3


@torch.no_grad()
def test_the_features_of_a_pathway_do_not_depend_on_the_other():
    network, batch = build_small("two-stream").recognizer.eval(), small_batch("two-stream")
    still = batch | {"skeletons": torch.zeros_like(batch["skeletons"])}
    for index, pair in enumerate(
        zip(network.forward_stacks(batch), network.forward_stacks(still), strict=True)
    ):
        assert torch.equal(*pair) == (index < 4)


def test_parameters_and_multiply_adds_are_those_of_both_networks():
    options = {"num_classes": 7, "width": 0.125}
    alone = {"inflated-resnet18": {}, "st-gcn++": {"layout": "coco-17"}}
    number = sum(count_parameters(name, **own, **options) for name, own in alone.items())
    assert count_parameters("two-stream", num_classes=7, **OPTIONS) == number
    costs = [
        measure_cost(build_recognizer(name, seed=0, **own, **options), SHAPES[part][1:]).multiply_adds
        for (name, own), part in zip(alone.items(), SHAPES, strict=True)
    ]
    network = build_recognizer("two-stream", num_classes=7, seed=0, **OPTIONS)
    clip = {name: shape[1:] for name, shape in SHAPES.items()}
    assert measure_cost(network, clip).multiply_adds == sum(costs)


def test_the_skeletons_may_have_a_width_of_their_own():
    network = TwoStream(**OPTIONS, skeleton_width=0.5)
    assert network.frames.stack_channels == TwoStream(**OPTIONS).frames.stack_channels
    assert network.skeletons.stack_channels == (32, 64, 128)
