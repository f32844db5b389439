"""The demo's reader: NTU's code with the demo's classes and protocols."""

from __future__ import annotations

from autohier.data.datasets.demo.tree import CLASS_NAMES
from autohier.data.datasets.ntu import NtuReader
from autohier.data.protocols import PROTOCOLS


def demo_reader() -> NtuReader:
    """The reader of the generated demo."""
    return NtuReader(name="demo", class_names=CLASS_NAMES, protocols=PROTOCOLS["demo"])
