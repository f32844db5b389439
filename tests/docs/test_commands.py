"""The commands of the README and the documentation: they exist, parse, and run if nothing keeps them from it.

A console block under ``<!-- needs: data -->`` (or network, cluster, minutes) is parsed but not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from autohier.cli.main import app
from autohier.config.search.loading import load_space, shipped_spaces
from support.doc_blocks import ROOT, all_blocks, find_blocks, words_of

NEEDS = {"data", "network", "cluster", "minutes"}
OTHER_PROGRAMS = {"optuna-dashboard", "kubectl", "pip", "tensorboard", "ray", ".venv/bin/pre-commit"}
TOP_LEVEL = list(vars(typer.main.get_command(app))["commands"])
TAKES_A_SPACE = {"search", "plan", "train"}

CONSOLE = all_blocks("console")
COMMANDS = sorted({command for block in CONSOLE for command in block.commands})
AUTOHIER = [command for command in COMMANDS if words_of(command)[0] == "autohier"]
RUNNABLE = [block for block in CONSOLE if block.needs is None]


@pytest.mark.parametrize("command", COMMANDS)
def test_program_is_known(command):
    program, *arguments = words_of(command)
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    else:
        assert program in {"autohier", *OTHER_PROGRAMS}


@pytest.mark.parametrize("command", AUTOHIER)
def test_autohier_command_parses(command):
    _, name, *arguments = words_of(command)
    parser = typer.main.get_command(app).commands[name]
    if arguments and arguments[0] in getattr(parser, "commands", ()):
        parser = parser.commands[arguments.pop(0)]
    parser.make_context(name, arguments)


@pytest.mark.parametrize("command", [line for line in AUTOHIER if words_of(line)[1] in TAKES_A_SPACE])
def test_search_space_and_its_changed_settings_exist(command):
    _, _, space, *options = words_of(command)
    changes = [value for option, value in pairwise(options) if option == "--set"]
    if not space.endswith(".toml"):  # a file that the reader has written before
        assert space in shipped_spaces()
        load_space(space, changes)


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: block.name)
def test_console_block_has_commands_and_a_known_need(block):
    assert block.commands
    assert block.needs is None or block.needs in NEEDS


@pytest.mark.slow
@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.name)
def test_block_without_needs_runs(block, tmp_path):
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT)}
    for command in block.commands:
        ended = subprocess.run(
            words_of(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout


def test_pages_show_commands_of_both_kinds():
    assert len(AUTOHIER) >= 20
    assert RUNNABLE


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_every_command_is_shown_somewhere(name):
    assert any(words_of(command)[1] == name for command in AUTOHIER)


def test_blocks_are_found_with_need_line_and_commands():
    text = "# T\n\n<!-- needs: data -->\n```console\n$ X=1 autohier spaces   # list them\ndemo\n```\n"
    (block,) = find_blocks(text)
    assert (block.name, block.needs, block.commands) == ("page.md:3", "data", ["X=1 autohier spaces"])
    assert words_of(block.commands[0]) == ["autohier", "spaces"]
