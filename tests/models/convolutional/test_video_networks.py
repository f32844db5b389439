"""Video networks with torchvision's names: sizes, names, and kernels over time."""

import pytest
import torch
from torch import nn

from autohier.models import build_recognizer, count_parameters
from support.networks.small_recognizers import build_small

PUBLISHED = {"r3d-18": 33_371_472, "mc3-18": 11_695_440, "r2plus1d-18": 31_505_325, "s3d": 8_320_048}
"""Parameters of torchvision's networks with 400 classes, from its documentation."""
CHANNELS = {
    **dict.fromkeys(("r3d-18", "mc3-18", "r2plus1d-18"), (64, 128, 256, 512)),
    "s3d": (192, 480, 832, 1024),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_networks_have_the_published_parameters(name):
    assert count_parameters(name, num_classes=400) == PUBLISHED[name]
    with torch.device("meta"):
        assert build_recognizer(name, num_classes=2).recognizer.stack_channels == CHANNELS[name]


def resnet_names(convolution):
    """Return the convolutions of torchvision's VideoResNet, written out from its documentation."""
    names = ["stem.0"] if convolution != "(2+1)d" else ["stem.0", "stem.3"]
    for layer in range(1, 5):
        for block in range(2):
            for number in (1, 2):
                path = f"layer{layer}.{block}.conv{number}.0"
                names += [path] if convolution != "(2+1)d" else [f"{path}.0", f"{path}.3"]
            if layer > 1 and block == 0:
                names.append(f"layer{layer}.0.downsample.0")
    return names


def s3d_names():
    names = ["features.0.0.0", "features.0.1.0", "features.2.0", "features.3.0.0", "features.3.1.0"]
    for index in (5, 6, 8, 9, 10, 11, 12, 14, 15):
        names.append(f"features.{index}.branch0.0")
        for branch in (1, 2):
            path = f"features.{index}.branch{branch}"
            names += [f"{path}.0.0", f"{path}.1.0.0", f"{path}.1.1.0"]
        names.append(f"features.{index}.branch3.1.0")
    return names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("r3d-18", resnet_names("3d")),
        ("mc3-18", resnet_names("mixed")),
        ("r2plus1d-18", resnet_names("(2+1)d")),
        ("s3d", s3d_names()),
    ],
)
def test_convolutions_have_torchvisions_names(name, expected):
    modules = build_small(name).recognizer.named_modules()
    assert [path for path, module in modules if isinstance(module, nn.Conv3d)] == expected


def test_mc3_keeps_all_frames_and_r3d_strides_them():
    frames = {}
    for name in ("r3d-18", "mc3-18"):
        recognizer = build_recognizer(name, num_classes=2, width=0.125).recognizer.eval()
        recognizer.layer4.register_forward_hook(
            lambda _, __, out, name=name: frames.update({name: out.shape[2]})
        )
        recognizer.forward_stacks(torch.randn(1, 3, 8, 16, 16))
    assert frames == {"r3d-18": 1, "mc3-18": 8}


@pytest.mark.parametrize("num_frames", [1, 2, 5, 9])
def test_s3d_reads_short_clips(num_frames):
    features = build_small("s3d").eval().recognizer.forward_stacks(torch.randn(1, 3, num_frames, 32, 32))
    assert all(bool(feature.isfinite().all()) for feature in features)
