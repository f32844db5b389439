"""The stage kind: pass 2 with a frozen recognizer."""

from __future__ import annotations

from autohier.core.stages.kinds.hac import Pass2


class HeadsOnly(Pass2):
    """Pass 2 that trains the heads only. It has the inputs of pass 2; the name makes its keys differ."""

    name = "heads-only"
    version = 2
    frozen = ("",)
