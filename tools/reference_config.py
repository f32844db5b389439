"""Write the references of search spaces and of launch settings as Markdown, from their pydantic models."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from autohier.config.launch import LaunchSettings
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.recognizers import RECOGNIZERS

_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_TYPES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "table",
    "null": "",
}


def write_config() -> str:
    """Return a section for the top level of a search space and for each table in it."""
    lines = ["### Top level", "", *_table(SearchSpace)]
    for name, field in SearchSpace.model_fields.items():
        table = f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]"
        for model, names in _members(name, field):
            members = f": {', '.join(names)}" if names else ""
            lines += [f"### `{table}`{members}", "", _summary(model), "", *_table(model)]
    return "\n".join(lines)


def write_launch() -> str:
    """Return a table for each table of a settings file of ``autohier launch``."""
    lines: list[str] = []
    for name, field in LaunchSettings.model_fields.items():
        for model in _models_in(field.annotation):
            lines += [f"### `[{name}]`", "", _summary(model), "", *_table(model)]
    docs = attribute_docs(LaunchSettings)
    return "\n".join([*lines, "### `[environment]`", "", docs["environment"], ""])


def attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring below each field of a model and of its bases, on one line."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            docs.update(_docs_in(base))
    return docs


def _docs_in(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, following in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            yield field.target.id, " ".join(str(following.value.value).split())


def _members(name: str, field: FieldInfo) -> Iterator[tuple[type[BaseModel], tuple[str, ...]]]:
    """Yield the models that a table may hold, each with the names that select it if there are several."""
    if name == "recognizer":
        settings = {each: RECOGNIZERS.find(each).settings for each in RECOGNIZERS.names}
        for model in dict.fromkeys(settings.values()):
            if model is not None:
                yield model, tuple(each for each, own in settings.items() if own is model)
        return
    models = list(_models_in(field.annotation))
    for model in models:
        yield model, (_literal_of(model),) if len(models) > 1 else ()


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _literal_of(model: type[BaseModel]) -> str:
    """Return the only value of the setting that selects a model, e.g. frames."""
    schemas = model.model_json_schema()["properties"].values()
    return next(str(schema["const"]) for schema in schemas if "const" in schema)


def _summary(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")


def _table(model: type[BaseModel]) -> Iterator[str]:
    docs, schema = attribute_docs(model), model.model_json_schema()
    yield from ("| Setting | Values | Default | Meaning |", "|---|---|---|---|")
    for name, field in model.model_fields.items():
        values = _values(schema["properties"][name])
        yield f"| `{name}` | {values} | {_default(field)} | {_cell(docs.get(name, ''))} |"
    yield ""


def _values(schema: Mapping[str, Any]) -> str:
    """Return the values that a setting takes, in words, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(part for part in map(_values, schema["anyOf"]) if part)
    if "$ref" in schema or "oneOf" in schema:
        return "table"
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if choices:
        return ", ".join(f"`{json.dumps(value)}`" for value in choices)
    if schema.get("type") == "array":
        return _list_values(schema.get("items", {}))
    bounds = " ".join(f"{sign} {schema[key]:g}" for key, sign in _BOUNDS.items() if key in schema)
    return f"{_TYPES.get(schema.get('type', ''), '')} {bounds}".strip()


def _list_values(items: Mapping[str, Any]) -> str:
    if "prefixItems" in items:  # pairs of a name and a value, written as a table
        return "table"
    return "tables" if "$ref" in items else f"list of: {_values(items) or 'any value'}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined or default is None or isinstance(default, BaseModel):
        return ""
    plain = to_jsonable_python(default)
    if isinstance(plain, list) and plain:
        return ", ".join(f"`{json.dumps(value)}`" for value in plain)
    return f"`{json.dumps(plain)}`" if plain not in ("", [], {}) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
