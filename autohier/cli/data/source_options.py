"""Options that say which dataset, source files and reader a command opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autohier.data.datasets.base import DatasetReader


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Dataset, source and reader, as the options of ``prepare`` and ``check --source`` name them.

    Attributes:
        dataset: name of the dataset.
        source: folder of its source files, or a file; None if the dataset generates them.
        modality: modality to read; None takes the dataset's own.
        name: name of a pyskl or custom dataset.
        subject_pattern: regular expression whose group finds the subject in a clip's id.
        pose_units: units of poses that are the user's own; empty for pixels or meters.
        layout: layout of joints that are the user's own; empty for the reader's.
        settings: settings of the dataset's reader.
    """

    dataset: str
    source: Path | None = None
    modality: str | None = None
    name: str | None = None
    subject_pattern: str | None = None
    pose_units: str = ""
    layout: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)

    def open(self) -> DatasetReader:
        """Return the reader; see `autohier.data.datasets.registry.open_dataset` for what it raises."""
        from autohier.data.datasets.registry import open_dataset

        return open_dataset(
            self.dataset,
            modality=self.modality,
            source=self.source,
            stored_as=self.name,
            subject_pattern=self.subject_pattern,
            settings=self.settings,
            pose_units=self.pose_units,
            layout=self.layout,
        )
