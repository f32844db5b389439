"""Descriptions of TensorBoard's tags."""

from __future__ import annotations

import pytest
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR

from autohier.records.tensorboard.descriptions import describe, description_of
from autohier.records.tensorboard.event_files import scalar


def test_a_value_has_the_class_of_data_without_which_the_default_loader_drops_a_description() -> None:
    value = scalar("accuracy_stack/2", 0.5)
    describe([value])
    assert value.metadata.data_class == DATA_CLASS_SCALAR
    assert value.metadata.plugin_data.plugin_name == "scalars"
    assert value.metadata.summary_description.startswith("validation accuracy of the head of one level")


@pytest.mark.parametrize("tag", ["unknown", "trial/accuracy", "accuracy_stack/x", "accuracy_stack/"])
def test_other_tags_have_none(tag: str) -> None:
    assert description_of(tag) == ""
