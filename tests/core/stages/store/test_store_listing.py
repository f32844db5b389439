"""Listing of a stage store, order of eviction, and eviction while other processes read."""

from __future__ import annotations

import errno
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch

from autohier.core.stages.kinds.hac import PASS_2, PRUNE
from autohier.core.stages.kinds.registry import find_stage_kind
from autohier.core.stages.store import stage_files as store_module
from autohier.core.stages.store.listing import (
    Place,
    StoredStage,
    choose_evicted,
    evict,
    find_stage,
    list_store,
)
from autohier.core.stages.store.stage_store import StageStore
from autohier.errors import InputError, MissingDataError
from support.fakes.fake_outcomes import EPOCHS_PER_STAGE, SECONDS_PER_STAGE, fake_inputs, fake_stage

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def publish(store: StageStore, kind: str, num_right: int, used: datetime = NOON) -> Path:
    """Publish a stage with a number of correct clips and a time of last use; return its folder."""
    stage = fake_stage(kind, 3 if kind == "prune" else 0, num_right)
    store.publish(stage, fake_inputs(stage), {"conv.weight": torch.zeros(100)})
    folder = store.folder / kind / stage.key
    return set_used(folder / "stage.json", used).parent


def set_used(path: Path, used: datetime) -> Path:
    os.utime(path, (used.timestamp(), used.timestamp()))
    return path


def write(path: Path, num_bytes: int, used: datetime = NOON) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(num_bytes))
    return set_used(path, used)


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(tmp_path / "stages")


class TestListing:
    def test_a_finished_stage_has_a_summary(self, store: StageStore) -> None:
        folder = publish(store, "prune", 90)
        (stage,) = list_store(store.folder)
        assert (stage.place, stage.path, stage.kind, stage.key) == ("finished", folder, "prune", folder.name)
        assert stage.last_used == NOON
        assert stage.num_bytes == sum(file.stat().st_size for file in folder.iterdir())
        assert stage.summary is not None
        # 90 of 120 clips are correct; superclasses are k % 2 and k % 4; the inputs have one epoch.
        assert (stage.summary.label, stage.summary.superclasses) == ("prune 3", "2/4")
        assert stage.summary.accuracy == 0.75
        assert (stage.summary.seconds, stage.summary.epochs) == (SECONDS_PER_STAGE, 1)
        assert not stage.summary.refit

    def test_pass_1_has_no_superclasses(self, store: StageStore) -> None:
        publish(store, "pass-1", 60)
        (stage,) = list_store(store.folder)
        assert stage.summary is not None
        assert (stage.summary.label, stage.summary.superclasses) == ("pass 1", "")
        assert stage.summary.epochs == EPOCHS_PER_STAGE

    def test_weights_are_not_read(self, store: StageStore) -> None:
        folder = publish(store, "pass-2", 90)
        for name in ("model.safetensors", "epochs.parquet", "confusion.npy"):
            (folder / name).write_bytes(b"")
        (stage,) = list_store(store.folder)
        assert stage.summary is not None

    def test_unfinished_and_quarantined_stages_are_listed_by_their_names(self, store: StageStore) -> None:
        partial = write(store.folder / "partial" / "pass-1-abc", 10, NOON)
        half_written = write(store.folder / "partial" / ".prune-abd.host.7.ff.tmp", 20, NOON + HOUR)
        half_published = write(store.folder / "pass-2" / ".abe.host.7.ff.tmp" / "model", 30).parent
        set_used(half_published, NOON + 2 * HOUR)
        aside = write(store.folder / "quarantine" / "pass-2-abf-01234567" / "stage.json", 40, NOON + 3 * HOUR)
        foreign = write(store.folder / "quarantine" / "notes", 50, NOON + 4 * HOUR)
        write(store.folder / "notes", 60)
        assert list_store(store.folder) == (
            StoredStage("partial", partial, "pass-1", "abc", 10, NOON),
            StoredStage("partial", half_written, "prune", "abd", 20, NOON + HOUR),
            StoredStage("partial", half_published, "pass-2", "abe", 30, NOON + 2 * HOUR),
            StoredStage("quarantine", aside.parent, "pass-2", "abf", 40, NOON + 3 * HOUR),
            StoredStage("quarantine", foreign, "notes", "", 50, NOON + 4 * HOUR),
        )

    @pytest.mark.parametrize("content", ["", "null", "[]", '{"stage": {}, "sha256": ""}', b"\xff\xfe", None])
    def test_a_damaged_description_does_not_break_the_listing(
        self, store: StageStore, content: str | bytes | None
    ) -> None:
        undamaged, damaged = publish(store, "pass-2", 90), publish(store, "pass-2", 91)
        if content is None:
            (damaged / "stage.json").unlink()
        else:
            (damaged / "stage.json").write_bytes(content if isinstance(content, bytes) else content.encode())
        listed = {stage.path: stage for stage in list_store(store.folder)}
        assert listed[undamaged].summary is not None
        assert listed[damaged].summary is None
        assert listed[damaged].num_bytes > 0

    def test_a_modified_description_counts_as_damaged(self, store: StageStore) -> None:
        path = publish(store, "pass-2", 90) / "stage.json"
        stage = json.loads(path.read_text())
        stage["stage"]["stack_accuracies"][-1] = 0.99
        path.write_text(json.dumps(stage))
        assert [stage.summary for stage in list_store(store.folder)] == [None]

    def test_a_missing_store_is_an_error_with_a_hint(self, store: StageStore) -> None:
        with pytest.raises(MissingDataError, match=r"a stage store must exist, but got .*: name the folder"):
            list_store(store.folder)


class TestFinding:
    def test_a_stage_is_found_by_the_start_of_its_key(self, store: StageStore) -> None:
        folders = [publish(store, "pass-1", 60), publish(store, "prune", 61)]
        for folder in folders:
            assert find_stage(store.folder, folder.name) == (find_stage_kind(folder.parent.name), folder.name)
        start = folders[1].name[:12]
        write(store.folder / "prune" / f".{start}.host.7.ff.tmp" / "model", 30)
        write(store.folder / "partial" / f"prune-{start}", 30)
        assert find_stage(store.folder, start) == (PRUNE, folders[1].name)

    def test_no_match_and_several_matches_are_refused(self, store: StageStore) -> None:
        publish(store, "pass-1", 60)
        publish(store, "prune", 61)
        with pytest.raises(InputError, match=r"a key that begins with '', but got 2: list the stages"):
            find_stage(store.folder, "")
        with pytest.raises(InputError, match=r"a key that begins with 'xyz', but got none: list"):
            find_stage(store.folder, "xyz")


class TestLastUse:
    def test_finding_a_stage_updates_its_last_use(self, store: StageStore) -> None:
        first, second = (publish(store, "pass-2", right, NOON + right * HOUR) for right in (60, 61))
        assert [stage.path for stage in list_store(store.folder)] == [first, second]
        assert store.find(PASS_2, first.name) is not None
        assert [stage.path for stage in list_store(store.folder)] == [second, first]

    def test_moving_a_stage_to_quarantine_keeps_its_last_use(self, store: StageStore) -> None:
        folder = publish(store, "pass-2", 60)
        (folder / "confusion.npy").write_bytes(b"")
        assert store.find(PASS_2, folder.name) is None
        (aside,) = list_store(store.folder)
        assert (aside.place, aside.key, aside.last_used) == ("quarantine", folder.name, NOON)

    def test_a_read_only_store_can_be_read(self, store: StageStore, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError("read-only file system")

        folder = publish(store, "pass-2", 60)
        monkeypatch.setattr("autohier.core.stages.store.stage_store.os.utime", refuse)
        assert store.find(PASS_2, folder.name) is not None


class TestOrderOfEviction:
    """Order of eviction for six entries of 10 bytes each, numbered in the order of their last use."""

    @staticmethod
    def entries() -> list[StoredStage]:
        places: tuple[Place, ...] = ("finished", "partial", "quarantine", "finished", "partial", "quarantine")
        return [
            StoredStage(place, Path(str(hour)), "prune", str(hour), 10, NOON + hour * HOUR)
            for hour, place in enumerate(places)
        ]

    @pytest.mark.parametrize(
        ("keep_bytes", "evicted"),
        [
            pytest.param(60, "", id="the store is small enough"),
            pytest.param(59, "2", id="quarantine first"),
            pytest.param(41, "25", id="all of the quarantine"),
            pytest.param(35, "251", id="then unfinished stages"),
            pytest.param(20, "2514", id="no more than necessary"),
            pytest.param(19, "25140", id="then finished stages, least recently used first"),
            pytest.param(0, "251403", id="everything"),
        ],
    )
    def test_entries_are_evicted_in_order(self, keep_bytes: int, evicted: str) -> None:
        chosen = choose_evicted(self.entries()[::-1], keep_bytes=keep_bytes, needed=())
        assert "".join(stage.key for stage in chosen) == evicted

    def test_needed_entries_stay_and_others_are_evicted_instead(self) -> None:
        chosen = choose_evicted(self.entries(), keep_bytes=15, needed={Path("0"), Path("1")})
        assert [stage.key for stage in chosen] == ["2", "5", "4", "3"]


class TestEviction:
    def test_only_the_evicted_entries_are_removed(self, store: StageStore) -> None:
        first, second = publish(store, "pass-2", 60), publish(store, "pass-2", 61, NOON + HOUR)
        partial = write(store.folder / "partial" / "pass-1-abc", 10)
        for stage in list_store(store.folder):
            if stage.path != second:
                assert evict(store.folder, stage)
        assert not first.exists()
        assert not partial.exists()
        assert store.find(PASS_2, first.name) is None
        assert store.find(PASS_2, second.name) is not None
        assert not list((store.folder / "quarantine").iterdir())

    def test_a_stage_that_was_used_since_the_listing_stays(self, store: StageStore) -> None:
        folder = publish(store, "pass-2", 60)
        (stage,) = list_store(store.folder)
        assert store.find(PASS_2, folder.name) is not None
        assert not evict(store.folder, stage)
        assert store.find(PASS_2, folder.name) is not None

    def test_a_missing_stage_is_not_removed_again(self, store: StageStore) -> None:
        publish(store, "pass-2", 60)
        (stage,) = list_store(store.folder)
        assert evict(store.folder, stage)
        assert not evict(store.folder, stage)

    @pytest.mark.parametrize("dangling", [False, True])
    def test_a_link_is_removed_and_not_what_it_points_to(
        self, store: StageStore, tmp_path: Path, dangling: bool
    ) -> None:
        folder = publish(store, "pass-2", 60)
        elsewhere = folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / ("gone" if dangling else "elsewhere"))
        (stage,) = list_store(store.folder)
        assert (stage.place, stage.key) == ("finished", folder.name)
        assert stage.num_bytes < 1000
        assert evict(store.folder, stage)
        assert list_store(store.folder) == ()
        assert (elsewhere / "stage.json").is_file()

    def test_a_kind_on_another_file_system_is_evicted_in_its_own_folder(
        self, store: StageStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = publish(store, "pass-2", 60)
        rename = Path.rename

        def across(path: Path, target: Path) -> Path:
            if path.parent != target.parent:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", across)
        (stage,) = list_store(store.folder)
        assert evict(store.folder, stage)
        assert not any(folder.parent.iterdir())
        damaged = publish(store, "pass-2", 61)
        (damaged / "confusion.npy").unlink()
        assert store.find(PASS_2, damaged.name) is None
        (left,) = list_store(store.folder)
        assert (left.place, left.kind, left.key) == ("partial", "pass-2", damaged.name)

    def test_a_stage_moves_to_quarantine_before_it_is_deleted(
        self, store: StageStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process is killed while deleting; the next eviction removes the rest."""

        def die(path: Path) -> None:
            (path / "stage.json").unlink()
            raise KeyboardInterrupt

        folder = publish(store, "pass-2", 60)
        (stage,) = list_store(store.folder)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", die)
            with pytest.raises(KeyboardInterrupt):
                evict(store.folder, stage)
        assert store.find(PASS_2, folder.name) is None
        (left,) = list_store(store.folder)
        assert (left.place, left.kind, left.key) == ("quarantine", "pass-2", folder.name)
        assert evict(store.folder, left)
        assert list_store(store.folder) == ()

    @pytest.mark.parametrize("step", ["_check_names", "_check_contents", "read_result"])
    def test_a_reader_does_not_find_a_stage_that_is_evicted_while_it_reads(
        self, store: StageStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
    ) -> None:
        folder = publish(store, "pass-2", 60)
        (stage,) = list_store(store.folder)
        read = getattr(store_module, step)

        def after_eviction(*arguments: object) -> object:
            assert evict(store.folder, stage)
            return read(*arguments)

        monkeypatch.setattr(store_module, step, after_eviction)
        assert store.find(PASS_2, folder.name) is None
        assert caplog.text == ""
        assert list_store(store.folder) == ()
