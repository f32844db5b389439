"""Escape sequences in names reach neither a terminal, a file name nor HTML."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autohier.cli.echo import echo
from autohier.console import EscapingConsole
from autohier.sweep.log_file import logging_to
from autohier.text import file_name, shown

HOSTILE = "walk\x1b[2J\x1b]0;title\x07\x9b31m\rrun\u202egnp.exe\udcff"
ESCAPED = r"walk\x1b[2J\x1b]0;title\x07\x9b31m\rrun\u202egnp.exe\udcff"

RENDERED = ESCAPED.replace(r"\x07", "").replace(r"\r", "")
"""Rich removes some control characters itself."""


def open_terminal() -> tuple[EscapingConsole, io.StringIO]:
    output = io.StringIO()
    return EscapingConsole(file=output, force_terminal=True, width=200, markup=False, highlight=False), output


def test_control_characters_are_escaped_and_text_stays() -> None:
    assert shown(HOSTILE) == ESCAPED
    text = "Gehen\tläuft\nمشی\u200cکردن 歩く 🚶🏽\u200d♀️ é — “x”"
    assert shown(text) == text


def test_a_terminal_gets_no_escape_sequence_of_a_name() -> None:
    console, output = open_terminal()
    table = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    for printed in (HOSTILE, Text(HOSTILE, style="bold"), table):
        console.print(printed)
        assert RENDERED in output.getvalue()
        for sequence in ("\x1b[2J", "\x1b]0", "\x9b", "\x07", "\r", "\u202e", "\udcff"):
            assert sequence not in output.getvalue()
    assert "\x1b[1m" in output.getvalue()  # the console's own style


def test_a_live_table_gets_none_either() -> None:
    console, output = open_terminal()
    with Live(HOSTILE, console=console, refresh_per_second=1):
        console.print("line")
    assert RENDERED in output.getvalue()
    assert "\x1b[2J" not in output.getvalue()
    assert "\x1b[?25l" in output.getvalue()  # the console's own control of the cursor


def test_html_holds_no_control_character_and_no_tag_of_a_name() -> None:
    console = EscapingConsole(file=io.StringIO(), record=True, width=200)
    console.print(f"{HOSTILE}<script>alert(1)</script>", markup=False)
    html = console.export_html()
    assert "<script>" not in html
    assert not set(html) & {"\x1b", "\x07", "\x9b", "\u202e", "\udcff"}


def test_lines_and_logs_are_escaped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest would take the message into its own report, which its workers cannot send.
    monkeypatch.setattr(logging.getLogger("autohier"), "propagate", False)
    echo(HOSTILE)
    echo(HOSTILE, err=True)
    assert capsys.readouterr() == (f"{ESCAPED}\n", f"{ESCAPED}\n")
    with logging_to(tmp_path / "driver.log"):
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logging.getLogger("autohier.test").exception("%s", HOSTILE)
    log = (tmp_path / "driver.log").read_text()
    assert log.count(ESCAPED) == 2
    assert "\nTraceback" in log
    assert "\x1b" not in log


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A001 walk-2.5", "A001 walk-2.5"),
        ("a/b\\c:d", "a_b_c_d"),
        ("..", "_"),
        (".hidden", "hidden"),
        ("-rf", "-rf"),
        ("x\x1b[31m\n", "x_[31m_"),
        ("", "_"),
        ("拍手 $x_$", "拍手 $x_$"),
        ("n" * 300, "n" * 100),
    ],
)
def test_a_name_becomes_a_harmless_file_name(name: str, expected: str) -> None:
    assert file_name(name) == expected
