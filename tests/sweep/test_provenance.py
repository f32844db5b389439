"""Provenance of a sweep: what it says of the code, the environment, the machine and the data."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.manifest import Receipt, SourceOrigin, load_record
from autohier.digest import digest
from autohier.sweep import provenance as module
from autohier.sweep.provenance import code_commit, devices, environment_digest, provenance
from support.sources.tiny_clips import NUM_FRAMES, SIZE_PX, ColourReader
from support.sweep_runs.plans import make_plan


def commit(folder: Path) -> str:
    """Make a folder a repository with all its files in one commit; return the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.py").write_text(str(folder))
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (("init", "-q"), ("add", "."), (*name, "commit", "-q", "-m", "a")):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    answer = subprocess.run(
        ["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose root holds the package ``own``."""
    (tmp_path / "checkout" / "own").mkdir(parents=True)
    (tmp_path / "checkout" / "own" / "b.py").touch()
    return tmp_path / "checkout"


def test_the_commit_is_that_of_the_code_not_of_the_current_folder(checkout, tmp_path, monkeypatch):
    expected, other = commit(checkout), commit(tmp_path / "project")
    assert other != expected
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "project" / ".git"))  # as in a hook of git
    assert code_commit(checkout / "own") == expected

    (checkout / "new").touch()  # a file of the user's
    assert code_commit(checkout / "own") == expected
    (checkout / "own" / "b.py").write_text("changed")
    assert code_commit(checkout / "own") == f"{expected}+changes"


def test_a_package_installed_below_another_project_is_not_at_its_commit(checkout, monkeypatch):
    commit(checkout)
    installed = checkout / ".venv" / "site-packages" / "own"
    installed.mkdir(parents=True)
    monkeypatch.chdir(checkout)

    @dataclass
    class Installed:
        origin: str | None

        def from_name(self, name: str) -> Installed:
            assert name == "autohier"
            return self

        def read_text(self, file: str) -> str | None:
            assert file == "direct_url.json"
            return self.origin

    for origin, expected in (
        (None, None),
        ("{not json", None),
        ('{"url": "file:///tmp", "dir_info": {}}', None),
        ('{"url": "https://a/b", "vcs_info": {"vcs": "git", "commit_id": "0123"}}', "0123"),
    ):
        monkeypatch.setattr(module, "Distribution", Installed(origin))
        assert code_commit(installed) == expected


def test_no_program_that_the_checkout_configures_runs(checkout, tmp_path):
    expected = commit(checkout)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o700)
    subprocess.run(["git", "-C", checkout, "config", "core.fsmonitor", program], check=True)
    assert code_commit(checkout / "own") == expected
    assert not (tmp_path / "ran").exists()


def test_the_environment_changes_with_any_version(monkeypatch):
    @dataclass
    class Package:
        metadata: dict[str, str]
        version: str

    def digest_of(*packages: tuple[str, str]) -> str:
        listed = [Package({"Name": name}, text) for name, text in packages]
        monkeypatch.setattr(module, "distributions", lambda: iter(listed))
        return environment_digest()

    first = digest_of(("torch", "2.9"), ("Some_Name", "1"))
    assert first == digest([["some-name", "1"], ["torch", "2.9"]])
    assert digest_of(("some.name", "1"), ("torch", "2.9"), ("torch", "2.9")) == first
    assert digest_of(("torch", "2.9.1"), ("Some_Name", "1")) != first


def test_devices_are_named_with_their_driver(tmp_path):
    nvidia, cpu = tmp_path / "nvidia", tmp_path / "cpuinfo"
    cpu.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9654\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n")
    assert devices(nvidia, cpu) == ("AMD EPYC 9654",)
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (nvidia / "gpus" / bus).mkdir(parents=True)
        (nvidia / "gpus" / bus / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   \t\t 42\n")
    (nvidia / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
        "GCC version:  gcc version 12.3.0\n"
    )
    assert devices(nvidia, cpu) == ("NVIDIA H200, driver 580.65.06",) * 2
    (nvidia / "version").unlink()
    assert devices(nvidia, cpu) == ("NVIDIA H200",) * 2


def test_the_data_are_named_with_their_source(tmp_path):
    source, store = tmp_path / "source", tmp_path / "data" / "demo"
    source.mkdir()
    prepare_dataset(
        ColourReader(), source, store, size_px=SIZE_PX, max_frames=NUM_FRAMES, crop=False, num_workers=1
    )
    receipts = [load_record(Receipt, path) for path in sorted((store / "shards").glob("*.json"))]
    contents = digest([receipt.inputs.contents for receipt in receipts if receipt])

    plan = make_plan(tmp_path / "data", clips_fingerprint="f" * 64)
    origin = provenance(plan, {}).data
    assert origin is not None
    assert (origin.store, origin.fingerprint) == (str(store), "f" * 64)
    assert (origin.source, origin.source_digest) == (str(source), contents)

    for damage in (b"{", None):  # of an older store, or damaged: a sweep needs no source
        (store / "source.json").unlink()
        if damage:
            (store / "source.json").write_bytes(damage)
            assert load_record(SourceOrigin, store / "source.json") is None
        without = provenance(plan, {}).data
        assert without is not None
        assert (without.source, without.source_digest) == (None, None)
