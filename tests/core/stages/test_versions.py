"""What stages hold and compute is what their version says: a change of it must not find older stages."""

import pytest
import torch

from autohier.core.stages.inputs import _VERSIONS
from autohier.digest import digest
from small_recognizers import CASES, build_small, small_batch, with_lived_in_norms

VERSIONS = {"pass-1": 4, "pass-2": 4, "prune": 4}
SEEN = {
    "inflated-resnet18": ("14dacf7680a5", 3.33511),
    "inflated-resnet34": ("e78d67bb28a7", 4.4398),
    "inflated-resnet50": ("db4b01376203", 564.095),
    "inflated-resnet101": ("98c2558f06d2", 83.5689),
    "st-gcn": ("d4692457f752", 0.219965),
    "st-gcn++": ("496c4ff64f3b", 0.169431),
    "tcn": ("76938b0f25b8", 0.176761),
    "pose-slowonly": ("4c3e218f7c85", 92.9415),
    "pose-slowonly-small": ("01d8f7f853e2", 79.7695),
    "pose-slowonly-shallow": ("f1929980218a", 20.3484),
}
"""Of every recognizer under these versions: the digest of its tensors' names and shapes, and the mean size of
what a network of these weights says of a batch. Where one changes, raise _VERSIONS and write it anew."""


@pytest.mark.parametrize("name", CASES)
def test_networks_are_those_of_the_stages_versions(name):
    network = with_lived_in_norms(build_small(name)).eval()
    held = sorted((tensor_name, list(tensor.shape)) for tensor_name, tensor in network.state_dict().items())
    with torch.inference_mode():
        says = torch.cat([scores.flatten() for scores in network(small_batch(name))])
    tensors, size = SEEN[name]
    assert (digest(held)[:12], VERSIONS) == (tensors, _VERSIONS)
    assert float(says.abs().mean()) == pytest.approx(size, rel=1e-3)
