"""Pages of the README and the documentation: their links, pictures, paths and the site itself."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autohier.reports.trials import leaderboard
from support.doc_blocks import ROOT, pages

PAGES = {str(page.relative_to(ROOT)): page.read_text() for page in [*pages(), ROOT / "CHANGELOG.md"]}
ARCHITECTURE = PAGES["docs/architecture.md"]
README_LINES = 100


def _links():
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if not link.startswith(("http", "#")):
                yield page, link.partition("#")[0]


@pytest.mark.parametrize(("page", "link"), sorted(set(_links())))
def test_link_leads_to_a_file(page, link):
    assert (ROOT / page).parent.joinpath(link).exists()


@pytest.mark.parametrize("page", PAGES)
def test_included_files_exist(page):
    for path in re.findall(r"^<!-- (?:include|code): (\S+) -->$", PAGES[page], flags=re.MULTILINE):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_named_source_files_exist(page):
    named = re.findall(r"`((?:autohier|tests|tools|benchmarks|docs)/[\w/.]+)`", PAGES[page])
    templates = [path for path in named if "NAME" in path]
    assert [path for path in named if path not in templates and not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("name", "path"), sorted(set(re.findall(r"`(\w+)` in `(autohier/[\w/]+\.py)`", ARCHITECTURE)))
)
def test_architecture_names_what_a_file_defines(name, path):
    assert re.search(rf"^(class|def) {name}\b", (ROOT / path).read_text(), flags=re.MULTILINE)


def test_every_room_is_on_the_map():
    rooms = [path.name for path in (ROOT / "autohier").iterdir() if (path / "__init__.py").is_file()]
    assert [room for room in rooms if f"`{room}/" not in ARCHITECTURE] == []


@pytest.mark.parametrize("folder", ["sweep", "data"])
def test_every_room_inside_a_large_room_is_on_the_map(folder):
    rooms = [path.name for path in (ROOT / "autohier" / folder).iterdir() if (path / "__init__.py").is_file()]
    assert [room for room in rooms if f"`{room}/`" not in ARCHITECTURE] == []


def test_every_page_is_in_the_navigation():
    def leaves(node):
        if isinstance(node, str):
            yield node
        else:
            for each in node if isinstance(node, list) else node.values():
                yield from leaves(each)

    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    written = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert set(leaves(config["nav"])) == written


@pytest.mark.parametrize("example", [path.name for path in (ROOT / "examples").iterdir() if path.is_dir()])
def test_example_package_is_shown(example):
    assert f"examples/{example}" in PAGES["docs/extending.md"]


@pytest.mark.parametrize("column", leaderboard._COLUMNS)
def test_every_column_of_the_leaderboard_is_explained(column):
    name = column.replace("-\n", "").replace("\n", " ").replace("multadds", "multiply-adds")
    assert re.search(rf"^\| .*\b{name}\b.* \| ", PAGES["docs/results.md"], flags=re.MULTILINE)


def test_readme_stays_short():
    assert len(PAGES["README.md"].splitlines()) <= README_LINES


@pytest.mark.parametrize("target", ["demo", "test", "docs"])
def test_readme_names_the_make_targets(target):
    assert f"make {target}" in PAGES["README.md"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="the extra [docs] is not installed")
def test_site_builds_without_warnings(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "--gpus-per-trial" in (tmp_path / "cli/index.html").read_text()
    assert "keep_prefix" in (tmp_path / "search-spaces/index.html").read_text()
    assert "build_recognizer" in (tmp_path / "python-api/index.html").read_text()
