"""RGBPose-Conv3D: published counts, a plain reference, late fusion at the start, options."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.config.trial.clips import FramesHeatmapsClips
from autohier.config.trial.recognizers import RgbPoseSettings
from autohier.core.pruning import measure_cost
from autohier.core.stages.setup.starting_weights import Start, StartingWeights
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.convolutional.rgb_pose import RgbPose
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.models.starting.fitting import fit_weights
from autohier.testing.recognizers import imitate_training, randomise_norms
from support.networks.network_counts import millions, on_meta
from support.networks.plain_residual import convolved, normed, pooled_by_hand, stack_by_hand
from support.networks.small_recognizers import small_batch

LATERALS = ("both", "rgb-to-pose", "pose-to-rgb", "none")
STRIDE = (1, 2, 2)
SHAPE = {"frames": (3, 8, 224, 224), "heatmaps": (17, 32, 56, 56)}


@pytest.mark.parametrize(
    ("laterals", "without_heads", "with_heads"),
    [
        ("none", 33.629, 33.782),
        ("rgb-to-pose", 34.274, 34.428),
        ("pose-to-rgb", 35.349, 35.503),
        ("both", 35.994, 36.148),
    ],
)
def test_parameters_are_those_of_pyskl(laterals, without_heads, with_heads):
    network = on_meta("rgbpose-conv3d", laterals=laterals)
    assert abs(millions(network.recognizer) - without_heads) <= 0.001
    assert millions(network) == with_heads
    assert [*network.heads] == ["rgb_stack4", "pose_stack3"]


@pytest.mark.slow
@pytest.mark.parametrize(("laterals", "giga"), [("none", 53.07), ("both", 58.01)])
def test_multiply_adds_are_those_of_pyskl(laterals, giga):
    network = build_recognizer("rgbpose-conv3d", num_classes=60, seed=0, laterals=laterals)
    assert measure_cost(network, SHAPE).multiply_adds / 1e9 == pytest.approx(giga, abs=0.006)


def stem_by_hand(state, at, clips, stride):
    x = convolved(state, f"{at}.conv1", f"{at}.bn1", clips, (1, stride, stride)).clamp_min(0)
    return pooled_by_hand(x, stride=stride)


def to_rgb_by_hand(weight, pose, ratio):
    """Sum over the 7 frames of heatmaps around each frame of the video."""
    framed = F.pad(pose, (0, 0, 0, 0, 3, 3))
    sums = [
        sum(
            torch.einsum("bchw,fc->bfhw", framed[:, :, frame + tap], weight[:, :, tap, 0, 0])
            for tap in range(7)
        )
        for frame in range(0, pose.shape[2], ratio)
    ]
    return torch.stack(sums, dim=2)


def to_pose_by_hand(state, at, rgb, ratio):
    """Let each frame of the video write to the 7 frames of heatmaps around it."""
    weight, num_frames = state[f"{at}.convolution.weight"], ratio * rgb.shape[2]
    out = rgb.new_zeros(len(rgb), weight.shape[1], num_frames, *rgb.shape[3:])
    for frame in range(rgb.shape[2]):
        for tap in range(7):
            target = ratio * frame + tap - 3
            if 0 <= target < num_frames:
                out[:, :, target] += torch.einsum("bchw,cf->bfhw", rgb[:, :, frame], weight[:, :, tap, 0, 0])
    return normed(state, f"{at}.norm", out).clamp_min(0)


def features_by_hand(network, clips, laterals, ratio):
    state = network.state_dict()
    x = stem_by_hand(state, "rgb", clips["frames"], 2)
    y = stem_by_hand(state, "pose", clips["heatmaps"], 1)
    rgb, pose = [stack_by_hand(state, "rgb.layer1", 3, (1, 1, 1), x)], []
    rgb.append(stack_by_hand(state, "rgb.layer2", 4, STRIDE, rgb[-1]))
    pose.append(stack_by_hand(state, "pose.layer1", 4, STRIDE, y))
    for point, (num_rgb, num_pose) in enumerate(((6, 6), (3, 3))):
        x, y = rgb[-1], pose[-1]
        to_rgb = (
            [to_rgb_by_hand(state[f"pose_to_rgb.{point}.weight"], y, ratio)]
            if laterals in {"both", "pose-to-rgb"}
            else []
        )
        to_pose = (
            [to_pose_by_hand(state, f"rgb_to_pose.{point}", x, ratio)]
            if laterals in {"both", "rgb-to-pose"}
            else []
        )
        rgb.append(
            stack_by_hand(state, f"rgb.layer{point + 3}", num_rgb, STRIDE, torch.cat([x, *to_rgb], dim=1))
        )
        pose.append(
            stack_by_hand(state, f"pose.layer{point + 2}", num_pose, STRIDE, torch.cat([y, *to_pose], dim=1))
        )
    return [each.mean(dim=(2, 3, 4)) for each in (*rgb, *pose)]


@torch.no_grad()
@pytest.mark.parametrize(("laterals", "ratio"), [*((each, 2) for each in LATERALS), ("both", 4), ("both", 1)])
def test_features_are_those_of_the_plain_reference(laterals, ratio):
    torch.manual_seed(0)
    network = RgbPose(width=0.125, num_maps=3, laterals=laterals, frame_ratio=ratio)
    network = randomise_norms(network).double().eval()
    clips = {"frames": torch.randn(1, 3, 2, 32, 32), "heatmaps": torch.randn(1, 3, 2 * ratio, 8, 8)}
    clips = {name: each.double() for name, each in clips.items()}
    expected = features_by_hand(network, clips, laterals, ratio)
    for own, each in zip(network.forward_stacks(clips), expected, strict=True):
        torch.testing.assert_close(own, each, rtol=1e-9, atol=1e-9)


def build_alone(name, key, batch, **options):
    """Build a trained network on one part of the clips."""
    network = build_recognizer(name, num_classes=7, width=0.125, seed=8, **options)
    return imitate_training(network, batch[key]).eval()


@torch.no_grad()
@pytest.mark.parametrize("laterals", ["both", "none"])
def test_from_two_trained_networks_it_starts_as_their_late_fusion(laterals):
    batch = small_batch("rgbpose-conv3d")
    alone = {
        "rgb": build_alone("slowonly-resnet50", "frames", batch),
        "pose": build_alone("pose-slowonly", "heatmaps", batch, in_channels=5, last_frame_stride=1),
    }
    network = build_recognizer(
        "rgbpose-conv3d", num_classes=7, width=0.125, num_maps=5, frame_ratio=2, laterals=laterals, seed=0
    ).eval()
    (head_rgb, head_pose) = (each.class_heads[""].state_dict() for each in alone.values())
    start = Start(
        {
            name: StartingWeights(name, each.recognizer.state_dict(), name, class_head=head)
            for (name, each), head in zip(alone.items(), (head_rgb, head_pose), strict=True)
        }
    )
    text = start.fit_into(network, None)
    assert [line.partition(":")[0] for line in text.splitlines()] == ["start_rgb", "start_pose"]
    assert text.count("initial values keep the superclass heads") == 2
    scores = {"rgb": alone["rgb"](batch["frames"]), "pose": alone["pose"](batch["heatmaps"])}
    fused = sum(scores_BK.softmax(dim=1) for (scores_BK,) in scores.values()) / 2
    torch.testing.assert_close(network(batch)[0].softmax(dim=1), fused, rtol=1e-5, atol=1e-6)


def test_widened_kernels_read_the_lateral_channels_with_weight_zero():
    alone = build_recognizer("slowonly-resnet50", num_classes=7, width=0.125, seed=8).recognizer
    network = RgbPose(width=0.125, num_maps=5)
    fit_weights(network.rgb, alone.state_dict(), widen=True)
    for name, num_own in (("layer3.0.conv1", 64), ("layer3.0.downsample.0", 64), ("layer4.0.conv1", 128)):
        weight, own = network.rgb.get_submodule(name).weight, alone.get_submodule(name).weight
        assert own.shape[1] == num_own < weight.shape[1]
        assert torch.equal(weight[:, :num_own], own)
        assert not weight[:, num_own:].any()
    with pytest.raises(InputError, match=r"layer3\.0\.conv1\.weight is \(32, 64, 3, 1, 1\), not \(32, 96"):
        fit_weights(network.rgb, alone.state_dict())


def test_networks_of_another_width_are_refused_by_the_pathway():
    alone = build_recognizer("slowonly-resnet50", num_classes=7, width=0.25, seed=8).recognizer
    start = Start({"rgb": StartingWeights("a file", alone.state_dict(), "")})
    with pytest.raises(InputError, match=r"^recognizer\.start_rgb must have the names and shapes"):
        start.fit_into(HierarchicalRecognizer(RgbPose(width=0.125), (7,)), None)


def test_the_digest_names_the_pathways():
    weights = StartingWeights("a file", {}, "abc")
    assert Start({}).digest_for(None) is None
    assert Start({"": weights}).digest_for(None) == "abc"
    digests = {Start({name: weights}).digest_for(None) for name in ("rgb", "pose")}
    headed = StartingWeights("a file", {}, "abc", class_head={"bias": torch.zeros(7)})
    assert len(digests | {"abc", Start({"rgb": headed}).digest_for(None)}) == 4


def test_a_head_of_other_classes_keeps_its_initial_values():
    alone = build_recognizer("slowonly-resnet50", num_classes=5, width=0.125, seed=8)
    head = alone.class_heads[""].state_dict()
    start = Start({"rgb": StartingWeights("a file", alone.recognizer.state_dict(), "", class_head=head)})
    network = HierarchicalRecognizer(RgbPose(width=0.125), (2, 7))
    before = network.heads["rgb_stack4"].weight.clone()
    assert "initial values keep the heads" in start.fit_into(network, None)
    assert torch.equal(network.heads["rgb_stack4"].weight, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"laterals": "all"}, "laterals must be one of both, rgb-to-pose, pose-to-rgb, none, but got 'all'"),
        ({"frame_ratio": 0}, "frame_ratio and num_maps must be at least 1"),
        ({"prediction_weights": (1.0, 0.0)}, "the weights of pathway 'pose' must be positive"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        on_meta("rgbpose-conv3d", **options)


def test_clips_of_other_lengths_are_refused():
    clips = {"frames": torch.zeros(1, 3, 2, 32, 32), "heatmaps": torch.zeros(1, 17, 6, 8, 8)}
    with pytest.raises(InputError, match=r"4 times the frames of the video, .*, but got 6 for 2"):
        RgbPose(width=0.125).forward_stacks(clips)
    RgbPose(width=0.125, laterals="none").forward_stacks(clips)


class TestSettings:
    def clips(self, **changes):
        return FramesHeatmapsClips(input="frames+heatmaps", **changes)

    def test_clips_of_the_paper_fit(self):
        assert RgbPoseSettings(name="rgbpose-conv3d").find_clips_fault(self.clips()) == ""

    def test_clips_whose_features_differ_in_size_are_refused(self):
        fault = RgbPoseSettings(name="rgbpose-conv3d").find_clips_fault(self.clips(num_frames=4, map_px=64))
        assert "but got clips.num_map_frames = 32, clips.crop_px = 224; write clips.num_map_frames" in fault
        assert "clips.num_map_frames = 16, clips.crop_px = 256, or recognizer.laterals = 'none'" in fault
        alone = RgbPoseSettings(name="rgbpose-conv3d", laterals="none")
        assert alone.find_clips_fault(self.clips(num_frames=4, map_px=64)) == ""

    def test_a_network_starts_as_a_whole_or_by_pathway(self):
        settings = RgbPoseSettings(name="rgbpose-conv3d", start_rgb="a", start_pose="b")
        assert {name: str(path) for name, path in settings.start_paths.items()} == {"rgb": "a", "pose": "b"}
        assert not {"start", "start_rgb", "start_pose"} & settings.options().keys()
        with pytest.raises(ValueError, match="as a whole or by pathway from start_rgb, start_pose, not from"):
            RgbPoseSettings(name="rgbpose-conv3d", start="a", start_rgb="b")
