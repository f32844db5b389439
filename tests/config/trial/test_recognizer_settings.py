"""Settings of recognizers: found by name, also those of installed packages, without importing torch."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.recognizers import RECOGNIZERS, find_recognizer_settings
from autohier.errors import InputError
from support.command_line import Autohier
from support.fakes.fake_packages import installed_package

SETTINGS = """
from autohier.config.trial.recognizers import RecognizerSettings
from autohier.extensions import Extension

class WaveSettings(RecognizerSettings):
    reads = "skeletons"
    hidden: int = 64
    '''Channels of the hidden layers.'''

class BlindSettings(RecognizerSettings):
    hidden: int = 64

wave = Extension("wave_network:build", settings=WaveSettings)
blind = Extension("wave_network:build", settings=BlindSettings)
bare = Extension("wave_network:build")
"""
SKELETONS = "clips={input='skeletons'}"


@pytest.fixture
def wave_package(tmp_path: Path) -> Iterator[None]:
    with installed_package(
        tmp_path,
        name="wave-package",
        version="1.0",
        modules={"wave": SETTINGS, "wave_network": "raise RuntimeError('imported too early')\n"},
        entry_points={"autohier.recognizers": "wave = wave:wave\nblind = wave:blind\nbare = wave:bare"},
    ):
        yield


@pytest.mark.parametrize("name", RECOGNIZERS.names)
def test_every_recognizer_has_settings(name: str) -> None:
    settings = find_recognizer_settings(name)
    num_frames = 32 if name == "three-pathway" else 8
    clips = f"clips={{input='{settings.reads}', num_frames={num_frames}}}"
    space = load_space("demo", [f"recognizer={{name='{name}'}}", clips])
    assert type(space.recognizer) is settings
    assert space.recognizer.name == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("swin", "valid are aagcn, .*two-stream$"),
        ("stgcn++", r"did you mean 'st-gcn\+\+'\?$"),
        ("pose-slowonly-smal", r"did you mean 'pose-slowonly-small'\?$"),
    ],
)
def test_an_unknown_recognizer_is_reported_with_the_nearest(name: str, hint: str) -> None:
    message = rf"^demo: recognizer\.name: unknown recognizer '{re.escape(name)}': {hint}"
    with pytest.raises(InputError, match=message):
        load_space("demo", [f"recognizer.name={name}"])


def test_a_search_reports_an_unknown_recognizer_before_it_generates_data(
    autohier: Autohier, tmp_path: Path
) -> None:
    folders = ("--data", tmp_path / "data", "--out", tmp_path / "out")
    ended = autohier("search", "demo", *folders, "--set", "recognizer.name=swin")
    assert ended.error.startswith("demo: recognizer.name: unknown recognizer 'swin': valid are ")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_recognizer_is_reported_with_the_other_faults() -> None:
    with pytest.raises(InputError, match=r"recognizer\.name: unknown .*; pass_1\.epochs must"):
        load_space("demo", ["recognizer.name=swin", "pass_1.epochs=0"])


@pytest.mark.usefixtures("wave_package")
def test_a_package_offers_a_recognizer_with_its_own_settings() -> None:
    space = load_space("demo", ["recognizer={name='wave', hidden=32}", SKELETONS])
    assert space.recognizer.options() == {"hidden": 32}
    assert SearchSpace.model_validate_json(space.model_dump_json()) == space
    assert "wave_network" not in sys.modules


@pytest.mark.usefixtures("wave_package")
def test_settings_of_a_package_are_validated_and_searched() -> None:
    with pytest.raises(InputError, match=r"unknown setting 'recognizer\.hiden': did you mean 'hidden'"):
        load_space("demo", ["recognizer={name='wave', hiden=32}", SKELETONS])
    with pytest.raises(InputError, match=r"wave reads skeletons, but clips\.input is 'frames'"):
        load_space("demo", ["recognizer={name='wave'}"])
    searched = "search.settings.recognizer.hidden=[32, 64]"
    assert load_space("demo", ["recognizer={name='wave'}", SKELETONS, searched]).search.settings


@pytest.mark.usefixtures("wave_package")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blind", "settings of recognizer 'blind' must name a clip input in 'reads'"),
        ("bare", "settings of recognizer 'bare' must derive from RecognizerSettings, but got None"),
    ],
)
def test_invalid_settings_of_a_package_are_reported(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_space("demo", [f"recognizer={{name='{name}'}}"])


def test_own_recognizers_are_found_without_reading_entry_points() -> None:
    code = (
        "from autohier import extensions\n"
        "from autohier.config.search.loading import load_space\n"
        "load_space('ntu60_skeleton')\n"
        "raise SystemExit(extensions._find_entry_points.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SLOW_FAST = "recognizer={name='slowfast-resnet50', width=0.125}"


def test_slow_fast_needs_a_multiple_of_its_slow_stride() -> None:
    message = (
        r"slowfast-resnet50 needs clips.num_frames to be a multiple of recognizer.slow_stride 8, but got 12; "
        r"write e.g. clips.num_frames = 16"
    )
    with pytest.raises(InputError, match=message):
        load_space("demo", [SLOW_FAST, "clips.num_frames=12"])
    assert load_space("demo", [SLOW_FAST, "clips.num_frames=16"]).clips.num_frames == 16
    strided = [SLOW_FAST.replace("width=0.125", "slow_stride=4"), "clips.num_frames=12"]
    assert load_space("demo", strided).clips.num_frames == 12


def test_a_recognizer_and_frames_that_do_not_fit_are_found_in_variants_and_searched_settings() -> None:
    variant = [SLOW_FAST, "search.variants={long={clips.num_frames=20}}", "initial=[]"]
    with pytest.raises(InputError, match=r"variant 'long'.*multiple of recognizer.slow_stride 8, but got 20"):
        load_space("demo", variant)
    # Each value fits the default of the other; 8 frames and a stride of 16 do not fit.
    tables = "search.settings={clips.num_frames=[16, 8], recognizer.slow_stride=[8, 16]}"
    with pytest.raises(InputError, match=r"multiple of recognizer.slow_stride 16, but got 8"):
        load_space("demo", [SLOW_FAST, "clips.num_frames=16", tables])


@pytest.mark.parametrize("command", ["check", "search"])
def test_frames_that_do_not_fit_are_reported_before_any_clip_is_read(
    autohier: Autohier, tmp_path: Path, command: str
) -> None:
    where = ("--out", str(tmp_path / "out")) if command == "search" else ()
    changes = ("--set", SLOW_FAST, "--set", "clips.num_frames=12")
    ended = autohier(command, "demo", "--data", str(tmp_path / "none"), *where, *changes)
    assert "multiple of recognizer.slow_stride 8, but got 12" in ended.error
    assert list(tmp_path.iterdir()) == []


def test_2d_weights_are_inflated_as_the_network_was_published() -> None:
    kinds = {
        name: load_space("demo", [f"recognizer={{name='{name}'}}"]).recognizer.inflation_kind
        for name in ("inflated-resnet50", "slowonly-resnet50")
    }
    assert kinds == {"inflated-resnet50": "centre", "slowonly-resnet50": "mean"}
