"""The recognizer passes autohier's contract suite."""

import pytest

from autohier.testing.recognizers import RecognizerContract, SmallRecognizer


class TestFrameMlp(RecognizerContract):
    @pytest.fixture
    def small(self):
        return SmallRecognizer("frame-mlp", {"layout": "coco-17", "hidden": 8}, (2, 2, 8, 17, 3))
