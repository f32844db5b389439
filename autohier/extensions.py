"""Registries that other packages extend through entry points.

A package extends autohier by an entry point in one of the groups ``autohier.recognizers``,
``autohier.dataset_readers``, ``autohier.samplers``, ``autohier.trial_schedulers``,
``autohier.learning_rate_schedules``, ``autohier.stage_kinds``, ``autohier.recipes`` and
``autohier.callbacks``. The entry point names an `Extension`; its own name is what users write in a search
space or on the command line::

    [project.entry-points."autohier.recognizers"]
    gru = "autohier_gru:extension"

    # autohier_gru/__init__.py, which must not import torch
    extension = Extension("autohier_gru.network:build", settings=GruSettings)

Reading a search space loads the entry point, and with it the settings class; the builder's module is imported
when something is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from autohier.errors import InputError, nearest
from autohier.version import __version__


@dataclass(frozen=True, slots=True)
class Extension:
    """One named choice that a package offers at an extension point."""

    builder: str
    """``module:function``, imported when the extension is first used."""
    settings: type[Any] | None = None
    """The pydantic model of its settings; None if it has none."""

    def load(self) -> Callable[..., Any]:
        """Import and return the builder.

        Raises:
            InputError: if the builder is not ``module:function``, or cannot be imported.
        """
        module, _, name = self.builder.partition(":")
        try:
            builder: Callable[..., Any] = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                "the builder of an extension must be an importable 'module:function'",
                got=f"{self.builder!r} ({error})",
                hint="install the package again, or fix its entry point",
            ) from error
        return builder


@dataclass(frozen=True, slots=True)
class Source:
    """The installed package that an extension comes from."""

    package: str
    version: str


class Registry:
    """The named extensions of one extension point: autohier's own and those of installed packages.

    Args:
        group: entry-point group, e.g. ``autohier.recognizers``.
        noun: what one of them is called in messages, e.g. "recognizer".
        own: autohier's own, by name.
    """

    def __init__(self, group: str, noun: str, own: Mapping[str, Extension]) -> None:
        self.group, self.noun = group, noun
        self._own = dict(own)

    @property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in _find_entry_points(self.group)}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, autohier's own first."""
        return (*self._own, *(name for name in sorted(self._entry_points) if name not in self._own))

    def find(self, name: str) -> Extension:
        """Return the extension of this name; autohier's own take precedence.

        Raises:
            InputError: if no package offers the name, or its entry point does not name an `Extension`.
        """
        if name in self._own:
            return self._own[name]
        if name not in self._entry_points:
            hint = nearest(name, list(self.names)) if self.names else "no installed package offers one"
            raise InputError(f"unknown {self.noun} {name!r}", hint=hint)
        return _load(self._entry_points[name])

    def source(self, name: str) -> Source:
        """Return the package that offers a name, for provenance.

        Raises:
            InputError: if no package offers it.
        """
        self.find(name)
        distribution = None if name in self._own else self._entry_points[name].dist
        if distribution is None:
            return Source("autohier", __version__)
        return Source(distribution.name, distribution.version)


@cache
def _find_entry_points(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


def _load(point: EntryPoint) -> Extension:
    try:
        extension = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the entry point {point.name!r} in {point.group} must be importable",
            got=f"{point.value!r} ({error})",
            hint="install its package again, or uninstall it",
        ) from error
    if not isinstance(extension, Extension):
        raise InputError(
            f"the entry point {point.name!r} in {point.group} must name an autohier.extensions.Extension",
            got=type(extension).__name__,
            hint=f"fix {point.value!r} in its package",
        )
    return extension
