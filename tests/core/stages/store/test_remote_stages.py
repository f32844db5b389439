"""Copies of stages in object storage: whole or not there, and never a reason to lose a stage."""

import logging

import pytest
import torch
from pyarrow.fs import FileSelector, FileSystem, FileType

from autohier.core.stages.kinds.hac import PASS_1, PASS_2
from autohier.core.stages.store import remote_stages
from autohier.core.stages.store.remote_stages import (
    RemoteStages,
    find_remote,
    set_remote,
    unset_remote,
)
from autohier.core.stages.store.stage_store import StageStore
from autohier.errors import InputError
from support.fakes.fake_outcomes import fake_inputs, fake_stage
from support.object_storage import s3_server

FILES = ("confusion.npy", "epochs.parquet", "model.safetensors", "stage.json")


@pytest.fixture(scope="module")
def server():
    with s3_server() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def url(request, tmp_path):
    """Return the URL of a place of the test's own."""
    if request.param == "folder":
        return f"file://{tmp_path}/remote"
    place, _, query = request.getfixturevalue("server").partition("?")
    return f"{place}/{tmp_path.name}?{query}"


@pytest.fixture
def stores(tmp_path, url):
    """Return two stores on different machines with the same object storage."""
    both = [StageStore(tmp_path / name / "stages") for name in ("one", "other")]
    for store in both:
        set_remote(store.folder, url)
    return both


def publish(store, weight=77.0, stage=None):
    stage = stage or fake_stage(PASS_1, 0, 77)
    store.publish(stage, fake_inputs(stage), {"weight": torch.full((3,), weight)})
    return stage


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def objects(url):
    files, root = FileSystem.from_uri(url)
    selector = FileSelector(root, recursive=True, allow_not_found=True)
    return files, sorted(each.path for each in files.get_file_info(selector) if each.type == FileType.File)


def test_a_stage_of_one_machine_is_found_on_another(stores):
    one, other = stores
    stage = publish(one)
    assert other.holds(PASS_1, stage.key)
    found = other.find(PASS_1, stage.key)
    assert (found.stack_accuracies, found.reused) == (stage.stack_accuracies, True)
    before, after = (contents(store.folder / "pass-1" / stage.key) for store in stores)
    assert before == after
    assert tuple(sorted(after)) == FILES
    assert not other.holds(PASS_2, stage.key)
    assert other.find(PASS_2, stage.key) is None


def test_weights_are_read_without_a_search_for_the_stage(stores):
    one, other = stores
    stage = publish(one)
    assert other.load_weights(PASS_1, stage.key)["weight"].tolist() == [77.0, 77.0, 77.0]


def test_a_stage_without_its_description_is_not_there(stores, url):
    one, other = stores
    stage = publish(one)
    files, paths = objects(url)
    files.delete_file(next(path for path in paths if path.endswith("stage.json")))
    assert not other.holds(PASS_1, stage.key)
    assert other.find(PASS_1, stage.key) is None
    assert other.upload_missing() == (0, 0)
    assert one.upload_missing() == (1, 0)
    assert other.find(PASS_1, stage.key) is not None
    assert one.upload_missing() == (0, 0)


def test_the_description_is_written_last(stores, url, monkeypatch):
    one, other = stores
    written = []
    real, root = remote_stages._open(url)

    class Recorder:
        def __getattr__(self, name):
            return getattr(real, name)

        def open_output_stream(self, path):
            written.append(path)
            assert other.find(PASS_1, key) is None
            return real.open_output_stream(path)

    stage = fake_stage(PASS_1, 0, 77)
    key = stage.key
    monkeypatch.setattr(remote_stages, "_open", lambda _: (Recorder(), root))
    publish(one)
    assert [path.rpartition("/")[2] for path in written] == [*remote_stages.CONTENTS, "stage.json"]
    assert other.find(PASS_1, key) is not None


def test_of_two_writers_one_whole_stage_stays(stores, url):
    # The first writer is slower: it writes its description after all of the second one's files.
    one, other = stores
    for store in stores:
        unset_remote(store.folder)
    stage = publish(one, 1.0)
    publish(other, 2.0, stage)
    for store in (one, other):
        RemoteStages(url).upload("pass-1", stage.key, store.folder / "pass-1" / stage.key)
    files, paths = objects(url)
    assert [path.rpartition("/")[2] for path in paths].count("model.safetensors") == 2
    with files.open_output_stream(next(path for path in paths if path.endswith("stage.json"))) as stream:
        stream.write((one.folder / "pass-1" / stage.key / "stage.json").read_bytes())
    third = StageStore(one.folder.parent / "third")
    set_remote(third.folder, url)
    assert third.find(PASS_1, stage.key) is not None
    assert third.load_weights(PASS_1, stage.key)["weight"].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_copy_is_trained_again_and_replaced(stores, url, content, caplog):
    one, other = stores
    stage = publish(one)
    files, paths = objects(url)
    with files.open_output_stream(next(path for path in paths if path.endswith("model.safetensors"))) as out:
        out.write(content)
    with caplog.at_level(logging.WARNING):
        assert other.find(PASS_1, stage.key) is None
    assert "must match their digests" in caplog.text
    assert list((other.folder / "quarantine").iterdir())
    publish(other)
    third = StageStore(one.folder.parent / "third")
    set_remote(third.folder, url)
    assert third.find(PASS_1, stage.key) is not None


@pytest.mark.parametrize(
    "description",
    [
        b"",
        b"[]",
        b"{}",
        b'{"sha256": "../../../elsewhere"}',
        b'{"sha256": 5}',
    ],
)
def test_a_forged_description_leads_nowhere(stores, url, description, caplog):
    one, other = stores
    stage = publish(one)
    files, paths = objects(url)
    with files.open_output_stream(next(path for path in paths if path.endswith("stage.json"))) as stream:
        stream.write(description)
    with caplog.at_level(logging.WARNING):
        assert other.find(PASS_1, stage.key) is None
    assert "it is trained again: the d" in caplog.text
    assert not (other.folder / "pass-1" / stage.key).exists()


def test_without_the_storage_nothing_is_lost(tmp_path, caplog):
    with s3_server() as url:
        store = StageStore(tmp_path / "stages")
        set_remote(store.folder, url)
    with caplog.at_level(logging.WARNING):
        stage = publish(store)
        assert store.find(PASS_1, stage.key) is not None
        assert store.find(PASS_2, "1" * 64) is None
        assert not store.holds(PASS_2, "1" * 64)
    texts = [record.getMessage() for record in caplog.records if record.name.startswith("autohier")]
    assert texts[0].startswith(f"cannot copy the stage {stage.key[:12]} to {url}; the next search or resume")
    assert texts[1].startswith(f"cannot read the stage {'1' * 12} in {url}; it is trained again")


def test_a_store_notes_its_storage(tmp_path, url):
    assert find_remote(tmp_path) is None
    assert StageStore(tmp_path).upload_missing() == (0, 0)
    set_remote(tmp_path, url)
    set_remote(tmp_path, url)
    assert find_remote(tmp_path) == RemoteStages(url)
    with pytest.raises(InputError, match=r"copied to one place, but got file:///elsewhere, but they are in"):
        set_remote(tmp_path, "file:///elsewhere")
    unset_remote(tmp_path)
    assert find_remote(tmp_path) is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("stages", "--stages must be a URL, but got stages: write e.g. s3://BUCKET/FOLDER"),
        ("ftp://host/stages", "--stages must be a URL of a storage, but got ftp://host/stages: "),
        ("s3://key:secret@bucket/stages", "--stages must not hold credentials.*pass them in the environment"),
    ],
)
def test_wrong_urls_are_refused(tmp_path, url, message):
    with pytest.raises(InputError, match=message) as caught:
        set_remote(tmp_path / "stages", url)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "stages").exists()


def test_an_unreachable_storage_is_refused(tmp_path):
    with s3_server() as url:
        pass
    with pytest.raises(InputError, match="--stages must be reachable, but got s3://"):
        set_remote(tmp_path, url)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_note_is_named(tmp_path, content):
    (tmp_path / "remote.json").write_text(content)
    with pytest.raises(InputError, match=r"remote\.json must name the storage.*autohier store remote URL"):
        find_remote(tmp_path)
