"""Write the reference of a sweep's Parquet records as Markdown, from the rows' annotations."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from autohier.records.schema import ROW_FOLDERS, parquet_schema


def write_records() -> str:
    """Return a section for each kind of record, with all its columns."""
    return "\n".join(line for row, folder in ROW_FOLDERS.items() for line in _section(row, folder))


def _section(row: type, folder: str) -> Iterator[str]:
    yield from (f"### `records/{folder}`", "", (row.__doc__ or "").strip(), "")
    yield from ("| Column | Type | Meaning |", "|---|---|---|")
    for field in parquet_schema(row):
        doc = field.metadata[b"doc"].decode().replace("|", "\\|")
        yield f"| `{field.name}` | {_type_text(field.type)} | {doc} |"
    yield ""


def _type_text(arrow_type: pa.DataType) -> str:
    if pa.types.is_list(arrow_type):
        return f"list of {_type_text(arrow_type.value_type)}"
    return "timestamp (UTC)" if pa.types.is_timestamp(arrow_type) else str(arrow_type)
