"""Descriptions of TensorBoard's tags, which its pages show next to the curves and pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_SCALAR,
    Summary,
    SummaryMetadata,
)

_DESCRIPTIONS: Final = {
    "loss/train": "training loss of an epoch: sum over the heads, weighted as in the loss",
    "loss/validation": "validation loss of an epoch: sum over the heads, weighted as in the loss",
    "loss/auxiliary": "training loss besides the cross-entropies, e.g. a regularizer of attention",
    "loss_stack": "training cross-entropy of the head of one level; level 1 is the coarsest",
    "accuracy_stack": "validation accuracy of the head of one level; the last level is the classes",
    "top5_stack": "validation top-5 accuracy of the head of one level",
    "mean_class_stack": "mean of the (super)classes' validation accuracies, of the head of one level",
    "learning_rate": "learning rate of an epoch",
    "best_validation": "highest validation accuracy of the classes so far",
    "stage/accuracy": "validation accuracy of the classes after a stage, over all frame sets",
    "stage/mean_class_accuracy": "mean of the classes' validation accuracies after a stage",
    "stage/parameters": "parameters after a stage, without pruned filters",
    "stage/multiply_adds": "multiply-adds of one clip after a stage, without pruned filters",
    "stage/accuracy_stack": "validation accuracy of one level after a stage, over all frame sets",
    "stage/top5_stack": "validation top-5 accuracy of one level after a stage, over all frame sets",
    "stage/mean_class_stack": "mean of the (super)classes' validation accuracies of one level after a stage",
    "confusion": "validation clips by true and predicted class after a stage, in the order of superclasses",
    "hierarchy": "superclasses of all levels, after pass 2",
}
# Without a class of data, TensorBoard's default loader drops the description.
_PLUGINS: Final = {
    "simple_value": ("scalars", DATA_CLASS_SCALAR),
    "image": ("images", DATA_CLASS_BLOB_SEQUENCE),
}


def describe(values: Iterable[Summary.Value]) -> None:
    """Add the description of its tag to each value; TensorBoard reads that of a run's first value."""
    for value in values:
        plugin = _PLUGINS.get(value.WhichOneof("value") or "")
        text = value.metadata.summary_description or description_of(value.tag)
        if plugin and text:
            name, data_class = plugin
            data = SummaryMetadata.PluginData(plugin_name=name)
            about = SummaryMetadata(plugin_data=data, summary_description=text, data_class=data_class)
            value.metadata.MergeFrom(about)


def description_of(tag: str) -> str:
    """Return the description of a tag, e.g. "accuracy_stack/2"; empty if it has none."""
    group, _, level = tag.rpartition("/")
    return _DESCRIPTIONS.get(tag) or (_DESCRIPTIONS.get(group, "") if level.isdigit() else "")
