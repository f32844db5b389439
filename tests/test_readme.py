"""The README is true: its commands exist with their options, and what it names is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from autohier.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FENCED = "\n".join(re.findall(r"^```\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL))
COMMANDS = sorted(set(re.findall(r"^autohier .*?(?=\s{2,}#|$)", FENCED, flags=re.MULTILINE)))
ROOMS = sorted(set(re.findall(r"^\| `([a-z_/.]+?)/?` \|", README, flags=re.MULTILINE)))


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_that_the_tool_takes(line):
    name, *words = line.split()[1:]
    command = typer.main.get_command(app).commands[name]
    if words and words[0] in getattr(command, "commands", ()):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_there_are_commands():
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize("target", ["demo", "test"])
def test_both_make_commands_are_there(target):
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(
    "room", sorted(set(re.findall(r"^\| `([a-z_/.]+?)/?` \|", README, flags=re.MULTILINE)))
)
def test_the_map_names_what_is_there(room):
    assert (ROOT / "autohier" / room).exists()


def test_every_room_is_on_the_map():
    rooms = {path.name for path in (ROOT / "autohier").iterdir() if (path / "__init__.py").is_file()}
    assert {room for room in rooms if f"`{room}/" not in README} == set()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_public_names_are_importable():
    from autohier.core.hierarchy import balanced_partition
    from autohier.core.pruning import StopRule
    from autohier.models import build_recognizer

    for name in ("build_recognizer", "balanced_partition", "StopRule"):
        assert name in README
    assert callable(build_recognizer)
    assert callable(balanced_partition)
    assert StopRule().should_stop([0.5, 0.4, 0.3])


def test_every_dependency_is_pinned_and_says_who_needs_it():
    project = (ROOT / "pyproject.toml").read_text()
    listed = tomllib.loads(project)["project"]
    names = [*listed["dependencies"], *listed["optional-dependencies"]["dev"]]
    pinned = (ROOT / "constraints.txt").read_text()
    for name in names:
        bare = re.split(r"[\[>=]", name)[0]
        assert re.search(rf"^{bare}==", pinned, flags=re.MULTILINE), bare
        assert re.search(rf'"{re.escape(name)}",\s+# \w+', project), name
