"""Exported models of the tiny sweep, trained without Ray."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from autohier.core.stages.callbacks import CallbackList
from autohier.deploy.export import export_model
from autohier.deploy.model_file import ExportedModel
from autohier.deploy.networks.exported_programs import Program
from autohier.fusion.evaluate import Model, find_model
from autohier.fusion.members import MemberOpener, open_member

OPENER: MemberOpener = partial(open_member, callback=CallbackList(), device="cpu", num_threads=1)


def export_tiny(
    out: Path, name: str, folder: Path, *, refitted: bool = False, programs: tuple[Program, ...] = ()
) -> tuple[Model, ExportedModel]:
    """Export a finished trial of `finish_sweep`, or a fusion of some."""
    model = find_model(name, out)
    exported = export_model(
        model, folder, refitted=refitted, opener=OPENER, log=lambda _: None, programs=programs
    )
    return model, exported
