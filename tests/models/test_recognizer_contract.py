"""Every recognizer passes the contract suite; see also core/pruning/test_compacted_recognizers.py."""

import pytest

from autohier.config.trial.recognizers import RECOGNIZERS
from autohier.models.layers import Convolution
from autohier.testing.recognizers import RecognizerContract
from support.networks.small_recognizers import CASES, build_small, small_recognizer

STEMS_AND_LATERALS = (
    *("conv1", "fast.conv1", "slow.conv1", "rgb.conv1", "pose.conv1", "frames.conv1", "stem.", "features.0."),
    *("laterals.", "pose_to_rgb."),
    *("conv1", "fast.conv1", "slow.conv1", "stem.", "features.0.", "laterals."),
    *("event.conv1", "set.conv1", "element.fast.conv1", "element.slow.conv1", "element.laterals."),
    *("left_hand.conv1a.", "right_hand.conv1a.", "body.conv1a."),
)


class TestOwnRecognizers(RecognizerContract):
    @pytest.fixture(params=CASES)
    def small(self, request):
        return small_recognizer(request.param)


def test_every_recognizer_is_tested():
    assert set(CASES) == {
        name for name in RECOGNIZERS.names if RECOGNIZERS.source(name).package == "autohier"
    }


@pytest.mark.parametrize("name", CASES)
def test_convolutions_with_a_norm_are_prunable_in_the_order_of_the_modules(name):
    recognizer = build_small(name).recognizer
    convolutions = [
        path
        for path, module in recognizer.named_modules()
        if isinstance(module, Convolution)
        and not path.startswith(STEMS_AND_LATERALS)
        and not path.endswith("_attention")  # one filter that scales all channels
    ]
    assert [each.name for each in recognizer.prunable_filters()] == convolutions
