"""Names and files of autohier 0.1 are refused with one error that gives the present name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autohier.config.file_format import check_format
from autohier.config.search.loading import load_params, load_space
from autohier.errors import InputError
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.sweep_runs.plans import make_plan

OLD_SPACE = """
name = "mine"
dataset = "demo"
num_classes = 12
clips = { form = "skeletons", num_frames = 20 }
recognizer = { name = "st-gcn" }
[search]
levels = 1
scopes = ["altogether", "by-layer"]
variants.bones = { clips = { form = "skeletons", stream = "bone" } }
[[known]]
source = "hand"
superclasses = [2]
weight_ratio = 0.5
scope = "altogether"
ratio = 0.1
passes = 1
"""  # language: quote


def test_a_space_file_of_0_1_is_refused_with_every_new_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OLD_SPACE)
    with pytest.raises(InputError) as caught:
        load_space(str(path))
    assert str(caught.value) == (
        f"4 faults: {path} must use the names of autohier 0.2: [[known]] is now [[initial]]; "
        "clips.form is now clips.input; scope 'altogether' is now 'global'; "  # language: quote
        "scope 'by-layer' is now 'layerwise'"  # language: quote
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("known=[]", r"\[\[known\]\] is now \[\[initial\]\]$"),
        ("clips.form=skeletons", r"clips\.form is now clips\.input$"),
        ("clips={form='skeletons'}", r"clips\.form is now clips\.input$"),
        ("search.variants.a={'clips.form'='skeletons'}", r"clips\.form is now clips\.input$"),
        ("search.settings.clips.form=['frames']", r"clips\.form is now clips\.input$"),
        ("search.scopes=['by-layer']", "scope 'by-layer' is now 'layerwise'$"),  # language: quote
    ],
)
def test_an_override_of_0_1_is_refused_with_the_new_name(override: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^demo must use the names of autohier 0\.2: {message}"):
        load_space("demo", [override])


def test_a_hyperparameter_of_0_1_is_refused_with_the_new_name() -> None:
    message = r"^demo, hyperparameters must use .*: scope 'altogether' is now 'global'$"  # language: quote
    with pytest.raises(InputError, match=message):
        load_params(load_space("demo"), ["scope=altogether"])  # language: quote


def test_a_sweep_of_0_1_is_refused(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    content = {"plan": make_plan(tmp_path).model_dump(mode="json"), "provenance": {"autohier": "0.1.0"}}
    folder.plan_file.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"sweep\.json was written by autohier 0\.1: read it with autohier 0\.1$"
    ):
        folder.read_plan()


def test_a_file_of_a_later_format_is_refused() -> None:
    with pytest.raises(InputError, match=r"^a\.json must have format 2, but got 3: read it with the autoh"):
        check_format({"version": 3}, expected=2, path=Path("a.json"))


@pytest.mark.parametrize("option", [("--stopping", "halving"), ("--stopping=none",)])  # language: quote
def test_an_option_of_0_1_is_refused_with_the_new_one(autohier: Autohier, option: tuple[str, ...]) -> None:
    error = autohier("search", "demo", *option).error
    assert error == (
        "--stopping is an option of autohier 0.1: write --scheduler successive-halving, or --scheduler none"
    )
