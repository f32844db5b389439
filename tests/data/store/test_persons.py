"""Stores of an earlier rule for persons: named with the fix, prepared again by it, comparable by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autohier.config.search.loading import load_space
from autohier.core.stages.checks.space_warnings import space_warnings
from autohier.data.datasets.ntu import skeleton
from autohier.data.datasets.ntu.bodies import Track, choose_persons
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare import pipeline
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.persons import earlier_persons_text, has_earlier_persons
from autohier.data.store.reader import ClipStore
from support.sources.tiny_datasets import body_joints, tracks_text

WHOLE, TORN = "S001C001P001R001A001", "S001C001P002R001A002"


def prepare(source: Path, folder: Path) -> list[str]:
    """Prepare NTU's skeletons, and return what it says."""
    messages: list[str] = []
    reader = open_dataset("ntu60", modality="skeleton")
    prepare_dataset(reader, source, folder, num_workers=1, on_message=messages.append)
    return messages


def prepare_earlier(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare as before rules were recorded: every track was a person of its own."""

    def take_tracks(tracks: Any) -> list[list[Track]]:
        return [[own] for person in choose_persons(tracks) for own in person]

    with monkeypatch.context() as earlier:
        earlier.setattr(pipeline, "PERSON_RULES", {})
        earlier.setattr(skeleton, "choose_persons", take_tracks)
        prepare(source, folder)


def write_source(source: Path, *, torn: bool) -> None:
    source.mkdir()
    joints_TV3 = body_joints(40, sway_m=0.2)
    whole = {"1": (0, joints_TV3)}
    halves = {"1": (0, joints_TV3[:20]), "2": (20, joints_TV3[20:])}
    (source / f"{WHOLE}.skeleton").write_text(tracks_text(40, whole))
    (source / f"{TORN}.skeleton").write_text(tracks_text(40, halves if torn else whole))


def test_an_earlier_store_is_named_and_prepared_again_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(tmp_path / "source", torn=True)
    folder = tmp_path / "ntu60-skeleton"
    prepare_earlier(tmp_path / "source", folder, monkeypatch)
    earlier = ClipStore.open(folder)
    assert [earlier.skeleton(row).num_persons for row in range(2)] == [1, 2]
    command = f"autohier prepare ntu60 --modality skeleton --source DIR --data {tmp_path}"
    text = earlier_persons_text(folder, earlier.manifest)
    assert f"{folder} were prepared by an earlier rule for persons" in text
    assert f"\n  fix: before a new sweep, run '{command}' again" in text
    space = load_space("ntu60_skeleton")
    assert f"WARNING: {text}" in space_warnings(space, earlier.manifest, clips=earlier)

    assert prepare(tmp_path / "source", folder) == [
        "prepared again: the store was prepared by an earlier rule for persons"
    ]
    now = ClipStore.open(folder)
    now.check_digests()
    assert [now.skeleton(row).num_persons for row in range(2)] == [1, 1]
    assert now.fingerprint != earlier.fingerprint
    assert earlier_persons_text(folder, now.manifest) == ""
    assert not any("persons" in text for text in space_warnings(space, now.manifest, clips=now))
    assert prepare(tmp_path / "source", folder) == []


def test_clips_that_the_rule_does_not_change_keep_their_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(tmp_path / "source", torn=False)
    folder = tmp_path / "ntu60-skeleton"
    prepare_earlier(tmp_path / "source", folder, monkeypatch)
    earlier = ClipStore.open(folder)
    assert has_earlier_persons(earlier.manifest)
    prepare(tmp_path / "source", folder)
    now = ClipStore.open(folder)
    assert not has_earlier_persons(now.manifest)
    assert now.fingerprint == earlier.fingerprint
