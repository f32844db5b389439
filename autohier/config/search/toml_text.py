"""Writing a search space as TOML that `load_space` reads back as the same space."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from autohier.config.search.search_space import SearchSpace

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def space_text(space: SearchSpace) -> str:
    """Return a search space as TOML, with every setting that has a value written out."""
    values = space.model_dump(mode="json", exclude_none=True, exclude={"moved_weights"})
    return "\n".join(_table_lines(values, ())).lstrip("\n") + "\n"


def _table_lines(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the values of a table, then its inner tables, as TOML wants them."""
    inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    lists = {name: value for name, value in table.items() if _is_table_list(value)}
    plain = {name: value for name, value in table.items() if name not in inner and name not in lists}
    # A table that only holds tables needs no header, an empty one does.
    if path and (plain or not table):
        yield from ("", f"[{_dotted(path)}]")
    for name, value in plain.items():
        yield f"{_key(name)} = {_value(value)}"
    for name, each in inner.items():
        yield from _table_lines(each, (*path, name))
    for name, values in lists.items():
        for each in values if isinstance(values, list) else ():
            yield from ("", f"[[{_dotted((*path, name))}]]")
            yield from (f"{_key(key)} = {_value(value)}" for key, value in each.items())


def _is_table_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def _text(text: str) -> str:
    """Return a TOML string: JSON's escapes are TOML's, but TOML also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
