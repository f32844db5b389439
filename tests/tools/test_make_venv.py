"""make test and make demo on machines whose python3 is too old, missing or another one than before.

No package is installed: fake interpreters report a version and write an empty environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAKE = """#!/bin/sh
case $1 in
    -c) echo {version} ;;
    -m) case $2 in
            venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/pip" ;;
            pip) echo "$@" >> pip.log ;;
        esac ;;
esac
"""
TOOLS = ["sh", "make", "find", "mkdir", "cp", "rm", "touch", "cat", "env", "date"]


@pytest.fixture
def project(tmp_path):
    """Copy of the build files, with a PATH that holds no Python of the machine."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    work = tmp_path / "work"
    (work / "tools").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools/make_venv.sh"):
        shutil.copy(ROOT / name, work / name)
    return work


def _add_python(project, version, name="python3"):
    fake = project.parent / "bin" / name
    fake.write_text(FAKE.format(version=version))
    fake.chmod(0o755)


def _make(project, *arguments):
    environment = {"PATH": str(project.parent / "bin"), "HOME": str(project)}
    return subprocess.run(
        ["make", *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def _version_of_venv(project):
    return subprocess.run(
        [project / ".venv/bin/python", "-c", ""], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("target", ["demo", "test", "install"])
def test_too_old_python_is_refused_before_anything_is_written(project, target):
    _add_python(project, "3.10")
    before = sorted(project.iterdir())
    ended = _make(project, target)
    assert ended.returncode != 0
    assert "Python 3.11 or newer is needed, but python3 is 3.10." in ended.stderr
    assert sorted(project.iterdir()) == before


def test_missing_python_is_refused(project):
    ended = _make(project, "install")
    assert ended.returncode != 0
    assert "Python 3.11 or newer is needed, but python3 is not installed." in ended.stderr


def test_newer_python_next_to_an_old_one_is_named(project):
    _add_python(project, "3.10")
    _add_python(project, "3.12", "python3.12")
    ended = _make(project, "install")
    assert "Run the same command with PYTHON=python3.12." in ended.stderr
    assert _make(project, "install", "PYTHON=python3.12").returncode == 0
    assert _version_of_venv(project) == "3.12"


def test_python_3_11_makes_the_environment(project):
    _add_python(project, "3.11")
    ended = _make(project, "install")
    assert ended.returncode == 0, ended.stderr
    assert _version_of_venv(project) == "3.11"
    (installed,) = (project / "pip.log").read_text().splitlines()
    assert "--constraint constraints.txt --editable .[dev,deploy,poses]" in installed


def test_second_run_installs_nothing(project):
    _add_python(project, "3.11")
    _make(project, "install")
    _make(project, "install")
    assert len((project / "pip.log").read_text().splitlines()) == 1


def test_changed_dependencies_are_installed_again(project):
    _add_python(project, "3.11")
    _make(project, "install")
    os.utime(project / ".venv/installed-dev,deploy,poses", (0, 0))
    _make(project, "install")
    assert len((project / "pip.log").read_text().splitlines()) == 2


def test_environment_of_an_older_python_is_rebuilt(project):
    _add_python(project, "3.10", "python3.10")
    subprocess.run([project.parent / "bin/python3.10", "-m", "venv", ".venv"], cwd=project, check=True)
    assert _version_of_venv(project) == "3.10"
    _add_python(project, "3.12")
    ended = _make(project, "install")
    assert ended.returncode == 0, ended.stderr
    assert "rebuilding .venv with Python 3.12 (it was made by 3.10)" in ended.stdout
    assert _version_of_venv(project) == "3.12"


def test_broken_environment_is_rebuilt(project):
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to("/nowhere/python3")
    _add_python(project, "3.11")
    ended = _make(project, "install")
    assert ended.returncode == 0, ended.stderr
    assert "it was made by a Python that is gone" in ended.stdout
    assert _version_of_venv(project) == "3.11"


def test_named_python_rebuilds_an_environment_of_another_version(project):
    _add_python(project, "3.11")
    _make(project, "install")
    _add_python(project, "3.13", "python3.13")
    assert _make(project, "install", "PYTHON=python3.13").returncode == 0
    assert _version_of_venv(project) == "3.13"


def test_working_environment_is_kept_if_python3_is_too_old(project):
    _add_python(project, "3.12", "python3.12")
    _make(project, "install", "PYTHON=python3.12")
    _add_python(project, "3.10")
    assert _make(project, "install").returncode == 0
    assert _version_of_venv(project) == "3.12"
