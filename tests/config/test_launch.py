"""Settings of ``autohier launch``: the file, the options over it, and refused values."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.launch import load_launch_settings
from autohier.errors import InputError

SWEEP = {"search.space": "ntu60", "search.name": "a"}


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "launch.toml"
    path.write_text(text)
    return load_launch_settings(path, SWEEP, ())


def test_options_override_the_file_and_set_overrides_both(tmp_path: Path) -> None:
    path = tmp_path / "launch.toml"
    path.write_text('[search]\nspace = "ntu60"\nname = "a"\n[machines]\nnodes = 2\ngpus = 1\n')
    changes = {"machines.nodes": 3, "machines.gpus": None}
    settings = load_launch_settings(path, changes, ["machines.nodes=4", "slurm.partition=gpu"])
    assert (settings.machines.nodes, settings.machines.gpus, settings.slurm.partition) == (4, 1, "gpu")


@pytest.mark.parametrize("text", ['"12:00:00"', "12:00:00"])
def test_time_may_be_written_as_toml_has_it(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, f"[slurm]\ntime = {text}\n").slurm.time == "12:00:00"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[slurm]\npartitoin = 'x'", r"unknown setting 'slurm\.partitoin': did you mean 'partition'\?"),
        ("[slrum]\n", r"unknown setting 'slrum': did you mean 'slurm'\?"),
        ("[slurm]\npartition = 'a b'", "slurm.partition must be one word"),
        ("[slurm]\nqos = '--x'", "slurm.qos must be one word"),
        ("[slurm]\ntime = 'soon'", "slurm.time"),
        ("[slurm]\nnotice_s = 5", "slurm.notice_s"),
        ("[slurm]\nsbatch_options = ['--x=$(y) z']", "slurm.sbatch_options"),
        ("[slurm]\nmodules = ['a\\nb']".replace("'", '"'), "must be printable"),
        ("[environment]\n'A B' = 'x'", "environment"),
        ("[environment]\nMY_TOKEN = 'x'", "MY_TOKEN looks like one"),
        ("[search]\nstorage = 'postgresql://me:pw@db/x'", "search.storage must hold no password"),
        ("[machines]\nnodes = 0", "machines.nodes"),
        ("[slurm", "must be TOML"),
    ],
)
def test_refused_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, text)


def test_name_of_a_file_with_a_token_is_no_secret(tmp_path: Path) -> None:
    settings = load(tmp_path, "[environment]\nHF_TOKEN_PATH = '/home/me/token'")
    assert settings.environment == {"HF_TOKEN_PATH": "/home/me/token"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"needs search\.space and search\.name: add --space ntu60 --name ntu60-a, or"),
        (
            {"search.space": "demo"},
            r"a launch needs search\.name: add --name ntu60-a, or write it",
        ),
        ({"search.name": "a"}, r"a launch needs search\.space: add --space ntu60, or"),
    ],
)
def test_space_and_name_must_be_given(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_launch_settings(None, given, ())


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the settings file must exist, but got .*/none\.toml"):
        load_launch_settings(tmp_path / "none.toml", {}, ())
