"""The ``autohier`` command: threads of the libraries, and one-line usage errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from autohier import __version__
from support.command_line import Autohier

COMMAND = """
import os, sys
from autohier.cli.main import main
assert "torch" not in sys.modules
sys.argv = ["autohier", "spaces"]
try:
    main()
finally:
    print("wait policy", os.environ["OMP_WAIT_POLICY"], os.environ["OPENBLAS_NUM_THREADS"])
"""


@pytest.mark.parametrize(("set_before", "expected"), [((), "PASSIVE 1"), (("ACTIVE", "4"), "ACTIVE 4")])
def test_waiting_threads_sleep_unless_the_user_sets_otherwise(
    set_before: tuple[str, ...], expected: str
) -> None:
    names = ("OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= dict(zip(names, set_before, strict=False))
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND], env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == f"wait policy {expected}"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", b"~ \\xe9 \\udcff\n"), ("latin-1", b"~ \xe9 \\udcff\n"), ("utf-8", "≈ é \\udcff\n".encode())],
)
def test_what_the_encoding_of_the_output_lacks_is_substituted(encoding: str, expected: bytes) -> None:
    command = re.sub(r"print\(.*\)", lambda _: r'print("≈ é \udcff")', COMMAND)
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    ended = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, check=True)
    assert ended.stdout.endswith(expected)


@pytest.mark.parametrize("command", [("--version",), ("spaces", "--help")])
def test_python_dash_m_runs_the_command_line(command: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "autohier", *command], capture_output=True, text=True, check=True
    )
    assert ("autohier 0.2" if command == ("--version",) else "spaces") in ended.stdout


def test_the_version_is_written_in_one_place(autohier: Autohier) -> None:
    ended = autohier("--version")
    assert (ended.code, ended.out) == (0, f"autohier {__version__}\n")
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert pyproject["project"]["dynamic"] == ["version"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "autohier.version.__version__"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("serch",), "No such command 'serch'. Did you mean 'search'? (see 'autohier --help')"),
        (
            ("store", "colect"),
            "No such command 'colect'. Did you mean 'collect'? (see 'autohier store --help')",
        ),
        (
            ("plan", "demo", "--trials", 0),
            "Invalid value for '--trials': must be at least 1, but got 0 (see 'autohier plan --help')",
        ),
        (
            ("show", "demo", "S1", "--frames", "few"),
            "Invalid value for '--frames': must be a whole number, but got few (see 'autohier show --help')",
        ),
        (
            ("prepare", "demo", "--size", 7),
            "Invalid value for '--size': must be at least 8, but got 7 (see 'autohier prepare --help')",
        ),
        (("spaces", "--sort"), "No such option: --sort (see 'autohier spaces --help')"),
        (("train",), "Missing argument 'SPACE' (see 'autohier train --help')"),
        (
            ("spaces", "demo", "ntu60"),
            "Got unexpected extra argument(s) (ntu60) (see 'autohier spaces --help')",
        ),
    ],
)
def test_wrong_usage_is_one_line(autohier: Autohier, arguments: tuple[str, ...], error: str) -> None:
    assert autohier(*arguments).error == error


def test_similar_options_are_suggested(autohier: Autohier) -> None:
    error = autohier("search", "demo", "--trial", 3).error
    assert error.startswith("No such option: --trial (")
    assert "--trials" in error


def test_no_arguments_print_the_help(autohier: Autohier) -> None:
    ended = autohier()
    assert ended.code == 2
    assert "Usage: autohier [OPTIONS] COMMAND" in ended.out + ended.err
    assert "autohier: " not in ended.err


def test_help_exits_with_0(autohier: Autohier) -> None:
    assert autohier("search", "--help").code == 0


def test_commands_are_listed_in_the_order_of_their_use(autohier: Autohier) -> None:
    listed = re.findall(r"^\W*([a-z-]+)  +[A-Z]", autohier("--help").out, re.MULTILINE)
    assert listed == [
        *(
            "poses",
            "prepare",
            "check",
            "init",
            "plan",
            "search",
            "launch",
            "list",
            "status",
            "resume",
            "confirm",
        ),
        *(
            "report",
            "figures",
            "compare",
            "importances",
            "ablation",
            "evaluate",
            "robustness",
            "fuse",
            "export",
            "predict",
            "live",
            "compact",
            "show",
        ),
        *("train", "store", "spaces", "export-pyskl"),
    ]


@pytest.mark.parametrize("option", ["--set", "--sampler", "--seed", "--warm-from"])
def test_resume_says_which_options_are_fixed(autohier: Autohier, option: str) -> None:
    assert autohier("resume", "mhad", f"{option}=x").error == (
        f"{option} is fixed when a sweep starts, so resume does not take it: leave it out, or start a new "
        "sweep with 'autohier search'; it reuses the stages that both need"
    )


def test_a_missing_sweep_is_reported_with_its_path_and_the_others(autohier: Autohier, tmp_path: Path) -> None:
    rule = f"a sweep must exist, but got {tmp_path / 'mhda'}"
    nothing = "no sweep is there; name its folder with --out, or start one with 'autohier search'"
    assert autohier("status", "mhda", "--out", tmp_path).error == f"{rule}: {nothing}"
    for name in ("bones", "mhad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sweep.json").write_text("{}")
    for command in ("status", "resume", "fuse"):
        assert autohier(command, "mhda", "--out", tmp_path).error == f"{rule}: did you mean 'mhad'?"
    assert autohier("status", "x", "--out", tmp_path).error.endswith("/x: valid are bones, mhad")


def test_a_package_that_is_missing_is_named(autohier: Autohier, monkeypatch: pytest.MonkeyPatch) -> None:
    def lack(name: str) -> None:
        def app(**_: object) -> None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr("autohier.cli.main.app", app)

    lack("torch.nn")
    assert autohier("search", "demo").error == (
        "this command needs the package torch, which is not installed: pip install autohier"
    )
    lack("autohier.cli.none")
    with pytest.raises(ModuleNotFoundError, match=r"autohier\.cli\.none"):
        autohier("search", "demo")
