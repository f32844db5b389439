"""``autohier check``: what a sweep of a space would draw and read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from command_line import Autohier
from tiny_clips import SPACE_FILE


def test_it_tells_what_would_be_drawn_and_read(autohier: Autohier, tiny_data: Path) -> None:
    before = sorted(tiny_data.rglob("*"))
    ended = autohier("check", SPACE_FILE, "--data", tiny_data)
    assert (ended.code, ended.err) == (0, "")
    # Of 2 and 3, one ascending pair. 18 weight ratios (17 on the grid from 2^-2.5 to 2^1.5 by quarters of an
    # octave, and a third), 2 scopes, 11 ratios and 0 to 7 passes: 18 * 2 * 11 * 8 = 3168.
    # Epochs: 2 in pass 1, 1 in pass 2, 1 in each of 7 passes.
    # Parameters, stem and stacks of 8, 16, 32, 64 channels with their norms: 1192 + 6976 + 24480 + 97600 +
    # 389760; heads of 2, 2 and 6 on 16, 32 and 64 channels: 34 + 66 + 390. In all 520498.
    # Clips: 24 of each subject; 1, 3 and 7 train, 9 validates, 2 and 4 test.
    assert ended.out.splitlines() == [
        "tiny: Six colours",
        "protocol: cross-subject, validation clean",
        "superclass counts: 1 tuples of 2 from [2, 3]",
        "settings in all: 3,168; known ones tried first: 1",
        "epochs of one setting: at most 10, of which 2 are shared by all",
        "recognizer: inflated-resnet18, 0.520 M parameters",
        "superclasses that come with the data: hue, 3 of them",
        "superclasses that come with the data: nothing, 2 of them",
        "clips: 72 train, 24 validate (held out [9]), 48 test",
    ]
    assert sorted(tiny_data.rglob("*")) == before


def test_overrides_count(autohier: Autohier, tiny_data: Path) -> None:
    changes = (
        "protocol.held_out=[3,7]",
        "search.ratios=[0.25]",
        "search.scopes=['by-layer']",
        "pass_1.epochs=4",
    )
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    # 18 weight ratios, 8 pass counts; 4 + 1 + 7 epochs; subjects 3 and 7 validate and 1 and 9 train.
    assert "settings in all: 144; known ones" in ended.out
    assert "at most 12, of which 4 are shared" in ended.out
    assert "clips: 48 train, 48 validate (held out [3, 7]), 48 test" in ended.out


def test_the_paper_s_protocol_is_told_by_its_name(autohier: Autohier, tiny_data: Path) -> None:
    ended = autohier("check", SPACE_FILE, "--data", tiny_data, "--set", "protocol.validation=paper")
    assert "protocol: cross-subject, validation paper\n" in ended.out
    # All four training subjects train; a tenth of 48 test clips validates.
    assert "clips: 96 train, 5 validate" in ended.out


@pytest.mark.parametrize("name", ["demo", "ntu60", "utd_mhad"])
def test_shipped_spaces_can_be_checked_before_their_clips_are_prepared(
    autohier: Autohier, tmp_path: Path, name: str
) -> None:
    ended = autohier("check", name, "--data", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    folder = {"utd_mhad": "utd-mhad-depth"}.get(name, name)
    assert ended.out.splitlines()[-1] == f"clips: not prepared yet, expected in {tmp_path / folder}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ntu6",), r"^unknown space, but got 'ntu6': did you mean 'ntu60'\?$"),
        (("SPACE", "--set", "clip.flip=true"), r"unknown setting 'clip': did you mean 'clips'\?$"),
        (("SPACE", "--set", "search.levels=3"), r"3 ascending superclass counts must fit 6 classes"),
        (
            ("SPACE", "--set", "search.ratios=[0.1]"),
            r"known setting of 'three colours.*' must lie in the space",
        ),
        (("SPACE", "--set", "protocol.held_out=[2]"), r"^clean validation holds out subjects that train"),
        (
            ("SPACE", "--set", "protocol.name=cross-set"),
            r"^the protocol of demo must be one of cross-subject",
        ),
        (("demo",), r"^num_classes must be that of the data, 6, but got 12: mend num_classes in the space$"),
    ],
)
def test_what_is_wrong_is_told_on_one_line(
    autohier: Autohier, tiny_data: Path, arguments: tuple[str, ...], told: str
) -> None:
    named = [str(SPACE_FILE) if argument == "SPACE" else argument for argument in arguments]
    assert re.search(told, autohier("check", "--data", tiny_data, *named).error)


def test_half_prepared_clips_are_told(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo"
    (folder / "manifest.json").unlink()
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert ended.error.startswith(f"demo is not prepared: no store at {folder}: run 'autohier prepare demo")


@pytest.mark.parametrize("name", ["manifest.json", "options.json"])
def test_the_manifest_decides_on_the_version(
    autohier: Autohier, tiny_data: Path, tmp_path: Path, name: str
) -> None:
    path = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    if name == "manifest.json":
        assert "must be of version 2, but got 99" in ended.error
    else:
        assert ended.code == 0


def test_a_damaged_shard_is_told(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    shard = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / "shards" / "00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1])
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert re.search(r"^the shard .*00000\.arrow is missing or damaged: run 'autohier prepare", ended.error)
