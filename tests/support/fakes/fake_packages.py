"""Packages with entry points that only look installed, so that a test needs no pip."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from autohier import extensions

EXAMPLES = Path(__file__).parents[3] / "examples"


def write_metadata(folder: Path, name: str, version: str, entry_points: Mapping[str, str]) -> None:
    """Write the metadata that ``pip install`` leaves of a distribution.

    Args:
        folder: site folder of the distribution.
        name: its name.
        version: its version.
        entry_points: lines of each entry-point group, by group.
    """
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    text = "".join(f"[{group}]\n{lines}\n" for group, lines in entry_points.items())
    (info / "entry_points.txt").write_text(text)


@contextmanager
def installed_package(
    folder: Path, *, name: str, version: str, modules: Mapping[str, str], entry_points: Mapping[str, str]
) -> Iterator[None]:
    """Put a package on sys.path, as ``pip install`` would, and take it off again.

    Args:
        folder: empty folder that becomes the package's site folder.
        name: name of the distribution.
        version: version of the distribution.
        modules: source of each module, by module name.
        entry_points: lines of each entry-point group, by group.
    """
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
    write_metadata(folder, name, version, entry_points)
    with _on_path(folder):
        yield
    for module in modules:
        sys.modules.pop(module, None)


def example_paths(name: str, folder: Path) -> tuple[Path, ...]:
    """Return the folders that put an example package on a Python path, with its entry points.

    Args:
        name: folder of the example below ``examples/``.
        folder: empty folder that becomes its site folder.
    """
    example = EXAMPLES / name
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    groups = {
        group: "\n".join(f"{point} = {value}" for point, value in points.items())
        for group, points in project["entry-points"].items()
    }
    write_metadata(folder, project["name"], project["version"], groups)
    source = example / "src"
    return (source if source.is_dir() else example, folder)


@contextmanager
def installed_example(name: str, folder: Path) -> Iterator[None]:
    """Put an example package on sys.path with its entry points; see `example_paths`."""
    with _on_path(*example_paths(name, folder)):
        yield


def run_with_example(name: str, folder: Path, *arguments: object) -> str:
    """Run Python with an example package on its path and return its output; see `run_with_examples`."""
    return run_with_examples([name], folder, *arguments)


def run_with_examples(names: Sequence[str], folder: Path, *arguments: object) -> str:
    """Run Python with example packages on its path and return its output.

    Args:
        names: folders of the examples below ``examples/``.
        folder: empty folder that becomes their site folder.
        *arguments: of Python.
    """
    paths = [path for name in names for path in example_paths(name, folder)]
    path = (*paths, EXAMPLES.parent, EXAMPLES.parent / "tests")
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def _on_path(*folders: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(folder)
        _forget_entry_points()
        yield
    _forget_entry_points()


def _forget_entry_points() -> None:
    extensions._find_entry_points.cache_clear()
    importlib.invalidate_caches()
