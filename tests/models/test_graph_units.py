"""Units of graph networks: what their blocks' own tests do not see."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.models.graph_units import PointwiseConvolution

# In a process of its own, since what it guards against is a crash. 2**18 positions, as a batch of graph
# networks has; fewer overwrite memory without one.
_TRAIN = """
import torch
from autohier.models.graph_units import PointwiseConvolution
order = dict(memory_format=torch.channels_last)
for num_read in (3, 4, 8, 15):
    convolution = PointwiseConvolution(num_read, 16, stride=2).to(**order)
    x = torch.ones(32, num_read, 128, 64).contiguous(**order)
    convolution(x).sum().backward()
    # Every output's gradient is one: a weight's is the number of positions written.
    assert (convolution.weight.grad == 32 * 64 * 64).all(), num_read
print("trained")
"""


def test_narrow_strided_pointwise_convolutions_train():
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN], check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("num_read", [3, 8, 15, 16, 20])
def test_a_pointwise_convolution_is_a_strided_one(num_read, stride):
    generator = torch.Generator().manual_seed(0)
    convolution = PointwiseConvolution(num_read, 5, stride)
    x = torch.randn(2, num_read, 7, 4, generator=generator).contiguous(memory_format=torch.channels_last)
    strided = F.conv2d(x, convolution.weight, convolution.bias, stride=(stride, 1))
    out = convolution(x)
    torch.testing.assert_close(out, strided)
    assert out.is_contiguous(memory_format=torch.channels_last)
