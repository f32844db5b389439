"""The demo's reader: NTU's code with the demo's classes and protocols."""

from __future__ import annotations

from autohier.data.datasets.demo.tree import CLASS_NAMES, PLANTED_LEVELS
from autohier.data.datasets.ntu import NtuReader
from autohier.data.levels import GivenLevel
from autohier.data.protocols import PROTOCOLS


def demo_reader() -> NtuReader:
    """The reader of the generated demo; its superclasses are those that its motions are planted with."""
    levels = (GivenLevel("limbs", PLANTED_LEVELS[2]), GivenLevel("motion", PLANTED_LEVELS[4]))
    return NtuReader(name="demo", class_names=CLASS_NAMES, protocols=PROTOCOLS["demo"], levels=levels)
