"""``autohier spaces``: the list of shipped search spaces."""

from __future__ import annotations

import subprocess
import sys

from autohier.config.search.loading import load_space, shipped_spaces
from support.command_line import Autohier


def test_it_lists_every_shipped_space_with_its_classes(autohier: Autohier) -> None:
    ended = autohier("spaces")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split(maxsplit=3) for line in ended.out.splitlines()]
    assert [(name, int(num), word) for name, num, word, _ in lines] == [
        (name, load_space(name).num_classes, "classes") for name in shipped_spaces()
    ]
    assert {("demo", "12"), ("ntu60", "60"), ("utd_mhad", "27")} <= {(name, num) for name, num, *_ in lines}
    assert all(description for *_, description in lines)


def test_it_names_the_variants_of_a_space(autohier: Autohier) -> None:
    lines = {line.split()[0]: line for line in autohier("spaces").out.splitlines()}
    assert lines["utd_mhad_skeleton"].endswith(
        "; variants joint, bone, joint-motion, bone-motion, graph-joint"
    )
    assert "variants" not in lines["demo"]


def test_listing_imports_neither_torch_nor_ray() -> None:
    code = (
        "import sys; from autohier.cli.main import app; app(['spaces'], standalone_mode=False);"
        "sys.exit(bool({'torch', 'ray', 'optuna', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
