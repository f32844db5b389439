"""Three pathways: published counts, a plain reference, frames of each pathway, 2D weights, options."""

import pytest
import torch

from autohier.core.pruning import measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.convolutional.inflation import load_2d_weights
from autohier.models.convolutional.slow_fast import SlowFast, SlowOnly
from autohier.models.convolutional.three_pathway import ThreePathway, middle_frames
from autohier.testing.recognizers import randomise_norms
from support.networks.network_counts import millions, multiply_adds, on_meta

SMALL = {"width": 0.125, "event_frames": 2, "set_frames": 4, "element_frames": 8, "joint_width": 6}
LEVELS = {"num_classes": 99, "superclasses": (4, 15), "heads": "last"}


def test_parameters_are_three_times_slow_only_and_the_joint_layers():
    network = on_meta("three-pathway", **LEVELS)
    # Three SlowOnly, 6144 x 1024 + 1024 of the joint layer, and 118 outputs of 1024 inputs and a bias.
    assert millions(network) == pytest.approx(94.902 + 6.292 + 0.121, abs=0.003)
    assert sum(map(millions, network.recognizer.networks)) == pytest.approx(94.9, rel=0.001)


@pytest.mark.parametrize(
    ("options", "giga_multiply_adds"),
    [
        ({}, 229.6),
        ({"set_frames": 16}, 271.3),
        ({"set_frames": 16, "element_network": "slowfast"}, 132.0),
    ],
)
def test_multiply_adds_are_the_published_sums(options, giga_multiply_adds):
    counted = multiply_adds(on_meta("three-pathway", **LEVELS, **options), (1, 3, 32, 224, 224))
    assert counted / 1e9 == pytest.approx(giga_multiply_adds, rel=0.001)


def test_the_cost_model_counts_the_same():
    network = build_recognizer("three-pathway", seed=0, **LEVELS, **SMALL)
    cost = measure_cost(network, (3, 8, 32, 32))
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    meta = on_meta("three-pathway", **LEVELS, **SMALL)
    assert cost.multiply_adds == multiply_adds(meta, (1, 3, 8, 32, 32))


@torch.no_grad()
def test_scores_are_those_of_the_plain_reference():
    """Each pathway is a network of its own; their last features meet in loops over the weights."""
    network = build_recognizer(
        "three-pathway",
        num_classes=5,
        superclasses=(2, 3),
        heads="last",
        seed=0,
        **SMALL,
        set_network="slowfast",
        slow_stride=2,
    )
    network = randomise_norms(network).double().eval()
    clip = torch.randn(2, 3, 8, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    state = network.state_dict()
    frames = {"event": [2, 6], "set": [1, 3, 5, 7], "element": [0, 1, 2, 3, 4, 5, 6, 7]}
    features = []
    for name, places in frames.items():
        alone = SlowFast(width=0.125, slow_stride=2) if name == "set" else SlowOnly(width=0.125)
        prefix = f"recognizer.{name}."
        alone.load_state_dict(
            {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
        )
        own = torch.stack([clip[:, :, place] for place in places], dim=2)
        features.append(alone.double().eval().forward_stacks(own)[-1])
    for row in range(2):
        joined = [float(value) for feature in features for value in feature[row]]
        joint = [
            sum(weight * value for weight, value in zip(weights, joined, strict=True)) + bias
            for weights, bias in zip(
                state["recognizer.joint.weight"].tolist(),
                state["recognizer.joint.bias"].tolist(),
                strict=True,
            )
        ]
        for scores, head in zip(network(clip), ("stack1_level1", "stack1_level2", "stack1"), strict=True):
            weight, bias = state[f"heads.{head}.weight"], state[f"heads.{head}.bias"]
            expected = weight @ torch.tensor(joint, dtype=torch.float64) + bias
            torch.testing.assert_close(scores[row], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("num_frames", "number", "places"),
    [
        (32, 4, [4, 12, 20, 28]),
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (6, 2, [1, 4]),
        (7, 2, [1, 5]),
        (2, 4, [0, 0, 1, 1]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_a_pathway_reads_the_middle_frame_of_each_group(num_frames, number, places):
    clip = torch.arange(float(num_frames)).view(1, 1, num_frames, 1, 1)
    assert middle_frames(clip, number).flatten().tolist() == places


def test_2d_weights_start_every_slow_only_pathway(tmp_path):
    torch.manual_seed(0)
    network = ThreePathway(**SMALL, event_network="slowfast")
    own = network.set.state_dict()
    flat = {
        name: torch.full(tensor.shape[:2] + tensor.shape[3:], 1.0) if tensor.dim() == 5 else tensor
        for name, tensor in own.items()
    }
    torch.save(flat, tmp_path / "resnet50.pth")
    event = network.event.slow.conv1.weight.clone()
    load_2d_weights(network, tmp_path / "resnet50.pth", inflation="mean")
    assert network.set.conv1.weight.unique().tolist() == [1.0]
    assert network.element.layer3[0].conv1.weight.unique().tolist() == [pytest.approx(1 / 3)]
    assert network.event.slow.conv1.weight.equal(event)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"joint_width": 0}, "frames of pathways and joint_width must be at least 1"),
        ({"set_frames": 0}, "frames of pathways and joint_width must be at least 1"),
        ({"set_network": "s3d"}, "the network of a pathway must be slowonly or slowfast, but got 's3d'"),
        ({"depth": 50}, "unknown option 'depth' of three-pathway"),
    ],
)
def test_wrong_options_are_input_errors(options, fault):
    with pytest.raises(InputError, match=fault):
        build_recognizer("three-pathway", num_classes=4, **{**SMALL, **options})
