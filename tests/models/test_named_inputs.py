"""The contract suite of recognizers on one that reads frames with heatmaps."""

import pytest

from autohier.testing.recognizers import RecognizerContract, SmallRecognizer
from support.networks.two_inputs import SHAPE, two_inputs_package


class TestTwoInputs(RecognizerContract):
    @pytest.fixture(autouse=True)
    def package(self, tmp_path):
        with two_inputs_package(tmp_path):
            yield

    @pytest.fixture
    def small(self):
        return SmallRecognizer("two-inputs", {}, {name: (2, *shape) for name, shape in SHAPE.items()})
