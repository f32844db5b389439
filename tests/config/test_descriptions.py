"""Every setting has a description, from which the reference page is generated."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import autohier.config
from autohier.config.frozen import FrozenModel


def settings_classes(base: type[FrozenModel] = FrozenModel) -> Iterator[type[FrozenModel]]:
    for each in base.__subclasses__():
        if each.__module__.startswith("autohier.config."):
            yield each
            yield from settings_classes(each)


def test_every_setting_has_a_description() -> None:
    for module in pkgutil.iter_modules(autohier.config.__path__):
        importlib.import_module(f"autohier.config.{module.name}")
    classes = list(settings_classes())
    assert len(classes) > 15
    missing = [
        f"{each.__name__}.{name}"
        for each in classes
        for name, field in each.model_fields.items()
        if not field.description
    ]
    assert missing == []
