"""Reader of the demo: NTU's reader with the demo's classes and protocols."""

from __future__ import annotations

from autohier.data.datasets.base import Origin
from autohier.data.datasets.demo.tree import CLASS_NAMES, PLANTED_LEVELS
from autohier.data.datasets.ntu.reader import NtuReader
from autohier.data.protocols import PROTOCOLS
from autohier.data.superclasses import GivenSuperclasses


def build_demo(_: Origin) -> NtuReader:
    """Return the reader of the generated demo, with the superclasses planted in its motions."""
    levels = (GivenSuperclasses("limbs", PLANTED_LEVELS[2]), GivenSuperclasses("motion", PLANTED_LEVELS[4]))
    return NtuReader(name="demo", class_names=CLASS_NAMES, protocols=PROTOCOLS["demo"], levels=levels)
