"""Units of graph networks: cases that the tests of whole networks do not reach."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from autohier.models.graphs.units import PointwiseConvolution
from support.waiting import PATIENCE_S

# In a process of its own, as a regression would crash. 2**18 positions are typical of a batch; with fewer, a
# regression would overwrite memory without a crash.
_TRAIN = """
import torch
from autohier.models.graphs.units import PointwiseConvolution
order = dict(memory_format=torch.channels_last)
for num_read in (3, 4, 8, 15):
    convolution = PointwiseConvolution(num_read, 16, stride=2).to(**order)
    x = torch.ones(32, num_read, 128, 64).contiguous(**order)
    convolution(x).sum().backward()
    # The gradient of every output is one, so that of a weight is the number of output positions.
    assert (convolution.weight.grad == 32 * 64 * 64).all(), num_read
print("trained")
"""


def test_narrow_strided_pointwise_convolutions_train():
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("num_read", [3, 8, 15, 16, 20])
def test_a_pointwise_convolution_equals_a_strided_convolution(num_read, stride):
    generator = torch.Generator().manual_seed(0)
    convolution = PointwiseConvolution(num_read, 5, stride)
    x = torch.randn(2, num_read, 7, 4, generator=generator).contiguous(memory_format=torch.channels_last)
    strided = F.conv2d(x, convolution.weight, convolution.bias, stride=(stride, 1))
    out = convolution(x)
    torch.testing.assert_close(out, strided)
    assert out.is_contiguous(memory_format=torch.channels_last)
