"""Networks of each stage version: a network that changes needs a new version, or old stages are reused."""

import pytest
import torch

from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.digest import digest
from autohier.testing.recognizers import SmallRecognizer, randomise_zeros
from support.networks.small_recognizers import CASES, build_small, randomise_norms, small_batch

VERSIONS = {
    "pass-1": 5,
    "pass-2": 5,
    "prune": 5,
    "element-base": 1,
    "set-base": 1,
    "event-base": 1,
    "joint": 1,
    "body-base": 1,
    "left-hand-base": 1,
    "right-hand-base": 1,
    "pose-base": 1,
    "attention": 1,
    "fixed-pose": 1,
}
SEEN = {
    "inflated-resnet18": ("14dacf7680a5", 3.33511),
    "inflated-resnet34": ("e78d67bb28a7", 4.4398),
    "inflated-resnet50": ("db4b01376203", 564.095),
    "inflated-resnet101": ("98c2558f06d2", 83.5689),
    "slowonly-resnet50": ("4399ee3aaa78", 145.590),
    "slowfast-resnet50": ("355f2759d717", 90.9912),
    "three-pathway": ("65e7f6c9a46d", 275.401),
    "r3d-18": ("f46267ab0478", 1.02219),
    "mc3-18": ("f697d168f8b0", 2.99661),
    "r2plus1d-18": ("3e0bde4ae19a", 0.823298),
    "s3d": ("82b50de91ded", 0.274855),
    "i3d": ("e7fc1f83b0dc", 0.666385),
    "st-gcn": ("d4692457f752", 0.219965),
    "st-gcn++": ("496c4ff64f3b", 0.169431),
    "ctr-gcn": ("9b278f6e42fc", 3.93664e06),
    "aagcn": ("045668bba3be", 14734.3),
    "ms-g3d": ("c43f899c43fe", 0.236066),
    "tcn": ("76938b0f25b8", 0.176761),
    "pose-slowonly": ("4c3e218f7c85", 118.166),
    "pose-slowonly-small": ("01d8f7f853e2", 85.8640),
    "pose-slowonly-shallow": ("f1929980218a", 29.2120),
    "two-stream": ("3a6ec931d743", 1.61972),
    "part-attention-i3d": ("98fdc2059b0e", 0.153409),
    "rgbpose-conv3d": ("3d45635fad34", 46.8706),
}
"""For every recognizer: the digest of its tensors' names and shapes, and the mean absolute score that a fixed
network gives a batch. If one changes, raise the versions of the stage kinds and update this table."""


GATED = ("ctr-gcn", "aagcn", "part-attention-i3d")
"""Recognizers with attention of strength zero at the start, which would not show in the scores."""


WITHOUT_STEM_POOL = {
    "pose-slowonly": 92.9415,
    "pose-slowonly-small": 79.7695,
    "pose-slowonly-shallow": 20.3484,
}
"""Mean absolute scores before the option stem_pool existed. Keys leave the option out if it is false, so that
stages stored before are reused and must be those of the same network."""


@pytest.mark.parametrize("name", CASES)
def test_networks_are_those_of_the_stages_versions(name):
    network = randomise_norms(build_small(name)).eval()
    if name in GATED:
        randomise_zeros(network)
    shapes = sorted((tensor_name, list(tensor.shape)) for tensor_name, tensor in network.state_dict().items())
    with torch.inference_mode():
        scores = torch.cat([scores.flatten() for scores in network(small_batch(name))])
    tensors, size = SEEN[name]
    versions = {kind: find_stage_kind(kind).version for kind in VERSIONS}
    assert (digest(shapes)[:12], versions) == (tensors, VERSIONS)
    assert float(scores.abs().mean()) == pytest.approx(size, rel=1e-3)


@torch.inference_mode()
@pytest.mark.parametrize("name", WITHOUT_STEM_POOL)
def test_without_stem_pool_networks_are_those_of_stages_without_the_option(name):
    options, shape = CASES[name]
    network = randomise_norms(SmallRecognizer(name, options | {"stem_pool": False}, shape).build()).eval()
    scores = torch.cat([scores.flatten() for scores in network(small_batch(name))])
    assert float(scores.abs().mean()) == pytest.approx(WITHOUT_STEM_POOL[name], rel=1e-3)
