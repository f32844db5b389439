"""The command line, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from autohier.cli.main import main


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a command."""

    code: object
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one-line error of a command that exits with code 2."""
        assert self.code == 2
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        assert self.err.startswith("autohier: ")
        return self.err.removeprefix("autohier: ").rstrip("\n")


Autohier = Callable[..., Ended]


def run_autohier(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> Ended:
    """Run ``autohier`` with arguments."""
    monkeypatch.setattr("sys.argv", ["autohier", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    return Ended(ended.value.code, captured.out, captured.err)
