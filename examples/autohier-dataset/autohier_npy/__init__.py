"""Dataset reader for autohier: folders of .npy skeletons."""

from pydantic import BaseModel, PositiveFloat

from autohier.data.datasets.base import DatasetExtension


class NpySettings(BaseModel):
    """Settings of the reader; users write --reader-option unit_m=0.001."""

    unit_m: PositiveFloat = 1.0
    """Length in meters of one unit of the arrays."""


extension = DatasetExtension(
    "autohier_npy.reader:build", NpySettings, modalities=("skeleton",), takes_name=True
)
