"""The generated references: everything that users can write or read is in them, with its meaning."""

from __future__ import annotations

import re

import docs_hook
import pytest
import reference_cli
import reference_config
import reference_records
import typer

from autohier.cli.main import app
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.recognizers import RECOGNIZERS
from autohier.records.schema import ROW_FOLDERS, parquet_schema


def _leaf_commands(group, prefix="autohier"):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaf_commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


COMMANDS = dict(_leaf_commands(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def cli():
    sections = reference_cli.write_cli().split("## autohier ")
    return {f"autohier {section.splitlines()[0]}": section for section in sections[1:]}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_listed(cli, name):
    for parameter in COMMANDS[name].params:
        if getattr(parameter, "hidden", False):
            continue
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--"):
                assert f"`{option}`" in cli[name]


def test_option_shows_its_type_bound_and_default(cli):
    assert "| `--accelerators` | `N` ≥ 1 | `1` |" in cli["autohier plan"]
    assert "| `--data` | `DIR` | `data` |" in cli["autohier search"]
    assert "| `--set` | `KEY=VALUE` |" in cli["autohier search"]


def test_switch_shows_no_type(cli):
    assert "| `--crop`, `--no-crop` |  | `--crop` |" in cli["autohier prepare"]
    assert "| `--dry-run` |  |  |" in cli["autohier store collect"]


def test_required_option_says_so(cli):
    (row,) = [line for line in cli["autohier store collect"].splitlines() if line.startswith("| `--keep-gb`")]
    assert row.split("|")[3].strip() == "required"


@pytest.fixture(scope="module")
def config():
    return reference_config.write_config()


@pytest.mark.parametrize("name", SearchSpace.model_fields)
def test_every_part_of_a_search_space_is_listed(config, name):
    assert f"| `{name}` |" in config


def test_every_table_has_a_section(config):
    tables = ["protocol", "optimisation", "pass_1", "pass_2", "pruning", "numerics", "search"]
    for table in tables:
        assert f"### `[{table}]`\n" in config
    assert "### `[[initial]]`\n" in config


@pytest.mark.parametrize("kind", ["frames", "skeletons", "heatmaps"])
def test_each_clip_input_has_a_section(config, kind):
    assert f"### `[clips]`: {kind}\n" in config


def test_each_recognizer_is_in_a_heading(config):
    headings = [line for line in config.splitlines() if line.startswith("### `[recognizer]`")]
    for name in RECOGNIZERS.names:
        assert any(re.search(rf"[ ,]{re.escape(name)}(,|$)", heading) for heading in headings)


def test_setting_shows_values_bounds_and_default(config):
    assert '| `norm` | `"l2"`, `"layer-mean"` | `"l2"` |' in config
    assert "| `schedule_options` | table |" in config
    assert "| `num_folds` | integer ≥ 2 | `4` |" in config
    assert "| `keep_prefix` | number ≥ 0 ≤ 1 | `0.5` |" in config
    assert "| `num_classes` | integer ≥ 2 ≤ 100000 | required |" in config


def test_docs_below_fields_include_those_of_base_classes():
    from autohier.config.trial.clips import FrameClips

    docs = reference_config.attribute_docs(FrameClips)
    assert {"modality", "num_frames", "crop_px"} <= set(docs)
    assert "\n" not in docs["min_scale"]


@pytest.mark.parametrize("row", ROW_FOLDERS)
def test_every_column_of_the_records_is_listed(row):
    records = reference_records.write_records()
    assert f"### `records/{ROW_FOLDERS[row]}`\n" in records
    for field in parquet_schema(row):
        assert f"| `{field.name}` |" in records


def test_marker_is_replaced_by_generated_text():
    page = docs_hook.fill_markers("# CLI\n\n<!-- generate: cli -->\n\nend\n")
    assert page == f"# CLI\n\n{reference_cli.write_cli()}\n\nend\n"


def test_marker_is_replaced_by_a_file_without_its_title():
    page = docs_hook.fill_markers("# Contributing to autohier\n\n<!-- include: CONTRIBUTING.md -->\n")
    assert "# Contributing\n" not in page
    assert "make test" in page


def test_marker_is_replaced_by_a_source_file():
    page = docs_hook.fill_markers("<!-- code: tools/docs_hook.py -->")
    assert page.startswith('```python title="tools/docs_hook.py"\n"""MkDocs hook')
    assert page.endswith("\n```")


def test_unknown_marker_is_refused():
    with pytest.raises(KeyError, match="nonsense"):
        docs_hook.fill_markers("<!-- generate: nonsense -->")


def test_other_comments_stay():
    assert docs_hook.fill_markers("<!-- needs: data -->") == "<!-- needs: data -->"


def test_option_of_a_few_words_shows_all_of_them(cli):
    assert r"| `--decide` | `fresh\|pooled` | `pooled` |" in cli["autohier search"]
