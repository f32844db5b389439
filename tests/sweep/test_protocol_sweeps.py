"""Tests of sweeps under several protocols: which are searched, and how the same call continues them."""

from __future__ import annotations

import io
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.errors import InputError, MissingDataError
from autohier.sweep import api
from autohier.sweep.driver import SweepEnd
from autohier.sweep.execution.signals import catch_signals
from autohier.sweep.paths import SweepFolder
from autohier.sweep.plans.new_plan import SweepOptions
from autohier.sweep.protocol_sweeps import ProtocolResults, choose_protocols, search_protocols
from support.fakes.fake_driver import FakeDriver
from support.sources.tiny_clips import SPACE_FILE, ColourReader, prepare_tiny_clips
from support.sweep_runs.sweeps import Sweeps, finish

BOTH = ["two-cross-subject", "two-cross-view"]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Replaces the driver of all sweeps."""
    fake = FakeDriver()
    monkeypatch.setattr(api, "drive", fake)
    return fake


def _search(
    out: Path, data: Path, *protocols: str, space: str | SearchSpace = str(SPACE_FILE), **options: Any
) -> ProtocolResults:
    values: dict[str, Any] = {"name": "two", "trials": 2, "console": Console(file=io.StringIO())} | options
    return search_protocols(space, protocols or ("all",), out=out, data=data, **values)


def test_all_protocols_are_searched_in_their_order(
    tmp_path: Path, tiny_data: Path, driver: FakeDriver
) -> None:
    reported: list[str] = []
    ended = _search(
        tmp_path, tiny_data, seed=3, sampler="random", report=lambda result: reported.append(result.name)
    )
    assert ended.complete
    assert list(ended.sweeps) == [result.name for result in ended.results] == reported == driver.names == BOTH
    assert [plan.space.protocol.name for plan in driver.driven] == ["cross-subject", "cross-view"]
    for plan in driver.driven:
        assert (plan.trials, plan.seed, plan.sampler) == (2, 3, "random")
        assert SweepFolder(tmp_path / plan.name).read_plan()[0] == plan


def test_listed_protocols_are_searched_once_in_the_given_order(
    tmp_path: Path, tiny_data: Path, driver: FakeDriver
) -> None:
    _search(tmp_path, tiny_data, "cross-view", "cross-subject", " cross-view")
    assert driver.names == BOTH[::-1]


def test_finished_sweeps_are_kept_unfinished_resumed_and_missing_started(
    tmp_path: Path, tiny_data: Path, driver: FakeDriver
) -> None:
    driver.ends["two-cross-subject"] = lambda: SweepEnd(1, 2, interrupted=True)
    ended = _search(tmp_path, tiny_data)
    assert driver.names == BOTH[:1]
    assert (ended.complete, [result.num_finished for result in ended.results]) == (False, [1])
    assert list(ended.sweeps) == BOTH

    origins = [SweepFolder(tmp_path / BOTH[0]).read_plan()[1].created_at]
    assert _search(tmp_path, tiny_data, trials=5, parallel=2).complete
    assert driver.names == [BOTH[0], *BOTH]
    assert [(plan.trials, plan.parallel) for plan in driver.driven[1:]] == [(5, 2)] * 2
    trials = [result.trials for result in _search(tmp_path, tiny_data, trials=5).results]
    assert [len(rows) for rows in trials] == [1, 1]
    assert SweepFolder(tmp_path / BOTH[0]).read_plan()[1].created_at == origins[0]


def test_moved_sweeps_continue_with_moved_clips(tmp_path: Path, tiny_data: Path, driver: FakeDriver) -> None:
    out, data = tmp_path / "out", shutil.copytree(tiny_data, tmp_path / "data")
    _search(out, data)
    new_out, new_data = out.rename(tmp_path / "new_out"), data.rename(tmp_path / "new_data")
    assert _search(new_out, new_data).complete
    assert driver.names == BOTH * 2
    for plan in driver.driven[2:]:
        assert (plan.stage_folder, plan.data_folder) == (str(new_out / "stages"), str(new_data))
    assert not out.exists()


def test_a_signal_between_two_sweeps_ends_the_search(
    tmp_path: Path, tiny_data: Path, driver: FakeDriver
) -> None:
    with catch_signals() as stop:
        ended = _search(tmp_path, tiny_data, report=lambda _: stop.make())
    assert driver.names == BOTH[:1]
    assert ended.results[0].complete
    assert not ended.complete


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"overrides": ["pass_1.epochs=3", "recognizer.width=0.25"]},
            r"two-cross-view exists, .* got recognizer.width=0.25 instead of 0.125, pass_1.epochs=3 instead",
        ),
        ({"overrides": ["protocol.drop_duplicates=true"]}, "protocol.drop_duplicates=True instead of False"),
        ({"seed": 1}, "got seed=1 instead of 0:"),
        ({"sampler": "random"}, "got sampler=random instead of tpe:"),
        ({"trials": 1}, "got trials=1 instead of 2:"),
    ],
)
def test_a_sweep_with_other_settings_is_refused_before_anything_runs(
    changes: dict[str, Any], error: str, tmp_path: Path, tiny_data: Path, driver: FakeDriver
) -> None:
    _search(tmp_path, tiny_data, "cross-view")
    with pytest.raises(InputError, match=error):
        _search(tmp_path, tiny_data, **changes)
    assert driver.names == BOTH[1:]
    assert not (tmp_path / BOTH[0]).exists()


def test_sweeps_on_other_clips_are_refused(tmp_path: Path, tiny_data: Path, driver: FakeDriver) -> None:
    _search(tmp_path, tiny_data, "cross-view")
    folder = SweepFolder(tmp_path / BOTH[1])
    plan, origin = folder.read_plan()
    folder.write_plan(plan.model_copy(update={"clips_fingerprint": "0" * 64}), origin)
    with pytest.raises(InputError, match=r"fingerprint of the clips=\w{64} instead of 0{64}: repeat"):
        _search(tmp_path, tiny_data)
    assert driver.names == BOTH[1:]


@pytest.mark.parametrize(
    ("protocols", "changes", "error"),
    [
        (["cross-subjct"], {}, "unknown protocol 'cross-subjct' of demo: did you mean 'cross-subject'"),
        (["cross-view", ""], {}, "unknown protocol '' of demo: valid are cross-subject, cross-view"),
        (["all", "cross-view"], {}, "unknown protocol 'all' of demo"),
        (["all"], {"overrides": ["protocol.name=cross-view"]}, "protocol.name must not be set"),
        (["all"], {"callbacks": ["absent"]}, "unknown callback 'absent'"),
        (["all"], {"overrides": ["protocol.held_out=[77]"]}, "^cross-subject: .*77"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_anything_runs(
    protocols: list[str],
    changes: dict[str, Any],
    error: str,
    tmp_path: Path,
    tiny_data: Path,
    driver: FakeDriver,
) -> None:
    with pytest.raises(InputError, match=error):
        _search(tmp_path / "out", tiny_data, *protocols, **changes)
    assert driver.names == []
    assert not list(tmp_path.glob("out/two*"))


def test_a_setting_that_fits_one_protocol_alone_is_refused_before_the_first_sweep(
    tmp_path: Path, tiny_data: Path, driver: FakeDriver
) -> None:
    # Subject 9 trains under cross-subject; there is no setup 9 under cross-view.
    with pytest.raises(InputError, match=r"^cross-view: .*9"):
        _search(tmp_path, tiny_data, overrides=["protocol.held_out=[9]"])
    assert driver.names == []


def test_protocols_of_a_prepared_dataset_are_those_of_its_store(tmp_path: Path, driver: FakeDriver) -> None:
    def own(name: str) -> Protocol:
        return replace(PROTOCOLS["demo"][0], name=name)

    reader = ColourReader(protocols=(own("by subject"), own("1")))
    prepare_tiny_clips(tmp_path / "data", reader)
    _search(tmp_path, tmp_path / "data")
    assert driver.names == ["two-by-subject", "two-1"]
    assert [plan.space.protocol.name for plan in driver.driven] == ["by subject", "1"]


def test_protocols_whose_sweeps_would_share_a_name_are_refused(tmp_path: Path) -> None:
    rules = [replace(PROTOCOLS["demo"][0], name=name) for name in ("a b", "a-b")]
    prepare_tiny_clips(tmp_path / "data", ColourReader(protocols=tuple(rules)))
    with pytest.raises(InputError, match=r"must differ in the letters .* got 'a b' and 'a-b'"):
        _search(tmp_path, tmp_path / "data")


@pytest.mark.parametrize(
    ("space", "names"),
    [
        ("n_ucla", ("view1", "view2", "view3")),
        ("ntu60", ("cross-subject", "cross-view")),
        ("ntu120", ("cross-subject", "cross-setup")),
    ],
)
def test_protocols_of_published_datasets_are_known_before_they_are_prepared(
    space: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    loaded = load_space(space)
    assert choose_protocols(["all"], loaded, tmp_path) == names
    assert choose_protocols(names[::-1], loaded, tmp_path) == names[::-1]
    with pytest.raises(InputError, match=f"unknown protocol 'veiw1' of {loaded.dataset}"):
        choose_protocols(["veiw1"], loaded, tmp_path)


def test_protocols_of_an_own_dataset_need_its_store(tmp_path: Path) -> None:
    space = load_space("demo", ["dataset=mine"])
    with pytest.raises(MissingDataError, match="mine"):
        choose_protocols(["all"], space, tmp_path)


def test_protocols_with_validations_of_two_kinds_are_refused(tmp_path: Path, driver: FakeDriver) -> None:
    # "auto" takes folds if a hold-out has fewer than 50 clips: cross-subject's has the 24 clips of subject 9,
    # the other one the 72 clips of three subjects.
    other = replace(PROTOCOLS["demo"][0], name="other", default_held_out=(3, 7, 9))
    prepare_tiny_clips(tmp_path / "data", ColourReader(protocols=(PROTOCOLS["demo"][0], other)))
    with pytest.raises(
        InputError, match=r"one kind of validation .* got folds for cross-subject, clean for other"
    ):
        _search(tmp_path, tmp_path / "data", overrides=["protocol.validation=auto"])
    assert driver.names == []


def test_options_are_those_of_start_sweep() -> None:
    own = {"space", "trials", "name", "out", "data", "overrides", "prepare", "console"}
    given = api.start_sweep.__annotations__.keys() - own - {"return"}
    assert SweepOptions.__annotations__.keys() == given


@pytest.mark.slow
def test_a_real_search_is_interrupted_and_continued_by_the_same_command(sweeps: Sweeps) -> None:
    options = ("--trials", "1", "--protocols", "cross-subject,cross-view")
    second = sweeps.folder / "sweeps" / "two-cross-view" / "study.journal"
    command = sweeps.search("two", *options)
    out, err = sweeps.stop_when(command, signal.SIGINT, second.exists)
    assert command.returncode == 130, out + err
    assert not err
    assert "mean of" not in out
    (line,) = re.findall(r"Continue with:\n  (autohier search .*)\n", out)
    assert line.endswith(" --name two --confirm none --trials 1 --protocols cross-subject,cross-view")

    out = finish(sweeps.search("two", *options))
    assert "mean of 2" in out
    for name in BOTH:
        assert list(sweeps.states(name)) == ["t0000"]
    table = out[out.index("Test accuracy on demo") : out.index("table again: ")]
    assert finish(sweeps.start("status", *BOTH)) == table
