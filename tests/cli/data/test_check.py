"""``autohier check``: reports on search spaces with their clips."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from autohier.data.store.manifest import STORE_VERSION
from support.command_line import Autohier
from support.fakes.long_recipe import register_long
from support.sources.changed_records import change_record
from support.sources.tiny_clips import SPACE_FILE

SMALL_VALIDATION = [
    (
        "WARNING: trials are compared on 24 validation clips, fewer than 50; one clip is 4.2 points, so the "
        "best trial may be the best by chance"
    ),
    "  fix: --set protocol.validation=folds, which validates on every training clip once",
]


def test_it_prints_the_search_space_and_the_clips(autohier: Autohier, tiny_data: Path) -> None:
    before = sorted(tiny_data.rglob("*"))
    ended = autohier("check", SPACE_FILE, "--data", tiny_data)
    assert (ended.code, ended.err) == (0, "")
    # One ascending pair of 2 and 3. 18 weight ratios (17 on the grid from 2^-2.5 to 2^1.5 by quarters of an
    # octave, and a third), 2 scopes, 11 ratios and 0 to 7 passes: 18 * 2 * 11 * 8 = 3168.
    # Epochs: 2 in pass 1, 1 in pass 2, 1 in each of 7 passes.
    # Parameters, stem and stacks of 8, 16, 32, 64 channels with their norms: 1192 + 6976 + 24480 + 97600 +
    # 389760; heads of 2, 2 and 6 on 16, 32 and 64 channels: 34 + 66 + 390. The sum is 520498.
    # Clips: 24 of each subject; 1, 3 and 7 are for training, 9 for validation, 2 and 4 for testing.
    assert ended.out.splitlines() == [
        "tiny: Six colours",
        "protocol: cross-subject, validation clean",
        "superclass counts: 1 combination of 2 from 2, 3",
        "configs: 3,168 in the search space, 1 initial",
        "epochs per config: at most 10; 2 of them (pass 1) shared by all configs",
        *SMALL_VALIDATION,
        "recognizer: inflated-resnet18, 0.520 M parameters",
        "superclasses of the dataset: hue, 3 superclasses",
        "superclasses of the dataset: nothing, 2 superclasses",
        "clips: 72 train, 24 validation (held-out subjects 9), 48 test",
    ]
    assert sorted(tiny_data.rglob("*")) == before


def test_mirroring_of_sided_classes_is_a_warning(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data, tmp_path / "data")
    path = tmp_path / "data" / "demo" / "manifest.json"

    def output(*, sided: bool, **clips: str) -> str:
        change_record(path, sided=sided)
        options = [part for name, value in clips.items() for part in ("--set", f"clips.{name}={value}")]
        ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data", *options)
        assert ended.code == 0
        return ended.out

    warning = "WARNING: clips.flip mirrors clips, but classes may differ in left and right\n  fix: --set "
    assert warning in output(sided=True, flip="true")
    assert "clips.flip" not in output(sided=True, flip="false") + output(sided=False, flip="true")
    warning = (
        "WARNING: clips.test_flip mirrors the clips of tests, but classes may differ in left and right\n"
    )
    assert warning in output(sided=True, flip="false", test_flip="true")
    assert "test_flip" not in output(sided=False, flip="true", test_flip="true")


def test_it_says_which_given_superclasses_are_sampled(autohier: Autohier, tiny_data: Path) -> None:
    given = ("check", SPACE_FILE, "--data", tiny_data, "--set", "hierarchy=given", "--set", "initial=[]")
    ended = autohier(*given, "--set", "search.counts=[3, 4]")
    assert ended.out.splitlines()[-3:-1] == [
        "superclasses of the dataset: hue, 3 superclasses, sampled",
        "superclasses of the dataset: nothing, 2 superclasses, never sampled: allowed counts are 3, 4",
    ]
    ended = autohier(*given, "--set", "search.counts=[4, 5]")
    assert ended.error == (
        "hierarchy = 'given' needs a count of the dataset's own superclasses (3 of hue, 2 of nothing), "
        "but got none among [4,5]: --set search.counts=[2,3]"
    )
    assert "nothing, 2 superclasses, never sampled: allowed counts are 4, 5" in ended.out


def test_overrides_change_the_search_space(autohier: Autohier, tiny_data: Path) -> None:
    changes = (
        "protocol.held_out=[3,7]",
        "search.ratios=[0.25]",
        "search.scopes=['layerwise']",
        "pass_1.epochs=4",
    )
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    # 18 weight ratios, 8 pass counts; 4 + 1 + 7 epochs; subjects 3 and 7 are held out, 1 and 9 train.
    assert "configs: 144 in the search space" in ended.out
    assert "at most 12; 4 of them (pass 1) shared" in ended.out
    assert "clips: 48 train, 48 validation (held-out subjects 3, 7), 48 test" in ended.out


def test_epochs_of_all_bases_are_counted_as_shared(autohier: Autohier, tmp_path: Path) -> None:
    said = autohier("check", "demo_joint", "--data", tmp_path).out
    assert (
        "epochs per config: at most 56; 48 of them (element base, set base, event base) shared by configs "
        "with the same ones\n"
    ) in said
    alone = autohier("check", "demo_joint", "--data", tmp_path, "--set", "search.settings={}").out
    assert "at most 56; 16 of them (element base) shared by all configs\n" in alone


def test_variants_and_searched_hyperparameters_are_listed(autohier: Autohier, tiny_data: Path) -> None:
    changes = (
        "search.variants.plain={}",
        "search.variants.narrow={recognizer.width=0.0625, pass_1.epochs=5}",
        "search.settings.pruning.epochs=[1, 3]",
        "search.settings.pruning.norm=['l2', 'layer-mean']",
    )
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    assert (ended.code, ended.err) == (0, "")
    # The variants and each of the two hyperparameters double the number. At most 3 epochs per pruning pass.
    *lines, narrow = ended.out.splitlines()[3:-3]
    assert lines == [
        "configs: 25,344 in the search space, 1 initial",
        "variant plain: the search space without overrides",
        "variant narrow: pass_1.epochs 5, recognizer.width 0.0625",
        "hyperparameter pruning.epochs: 1, 3",
        "hyperparameter pruning.norm: l2, layer-mean",
        "epochs per config of plain: at most 24; 2 of them (pass 1) shared by configs with the same pass 1",
        "epochs per config of narrow: at most 27; 5 of them (pass 1) shared by configs with the same pass 1",
        *SMALL_VALIDATION,
        "recognizer of variant plain: inflated-resnet18, 0.520 M parameters",
    ]
    assert narrow.startswith("recognizer of variant narrow: inflated-resnet18, 0.1")


def test_the_recognizer_of_every_variant_is_built(autohier: Autohier, tiny_data: Path) -> None:
    graph = "search.variants.graph={clips={input='skeletons'}, recognizer={name='st-gcn'}}"
    changes = ("search.variants.plain={}", graph, "search.levels=3", "initial=[]", "search.counts=[2, 3, 4]")
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    assert ended.error.startswith("variant graph: a recognizer of 3 stacks carries 1 to 3 heads, but got 4")


def test_improbable_values_are_warnings(autohier: Autohier, tiny_data: Path) -> None:
    changes = ("optimisation.learning_rate=1e3", "optimisation.batch_size=100000", "clips.num_frames=100")
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    assert ended.code == 0
    assert "WARNING: optimisation.learning_rate = 1000 is outside its usual range, 1e-07" in ended.out
    # Three subjects of 24 clips train.
    assert "WARNING: optimisation.batch_size = 100,000 holds all 72 training clips, so" in ended.out
    assert "WARNING: the store keeps 4 frames per clip, so clips.num_frames = 100 reads" in ended.out


def test_a_network_beyond_all_memory_is_refused_with_the_value_that_was_meant(
    autohier: Autohier, tiny_data: Path
) -> None:
    ended = autohier("check", SPACE_FILE, "--data", tiny_data, "--set", "recognizer.width=2500")
    assert "WARNING: recognizer.width = 2500 is outside its usual range, 0.015625 to 4; was 2.5 " in ended.out
    assert re.fullmatch(
        r"the network and a batch of clips must fit in the [\d,]+ GB of this machine, but got [\d,.]+ GB for "
        r"training [\d,]+ M parameters and 0\.0 GB of clips: reduce what is too large of "
        r"recognizer\.width=2500\.0, clips\.num_frames=2, optimisation\.batch_size=12",
        ended.error,
    )


@pytest.mark.parametrize("name", ["search.ratios", "optimisation.dropout"])
def test_a_percentage_for_a_share_is_refused_with_the_share(autohier: Autohier, name: str) -> None:
    value, field = ("[10]", f"value 1 of {name}") if name == "search.ratios" else ("10", name)
    error = autohier("check", SPACE_FILE, "--set", f"{name}={value}", "--set", "initial=[]").error
    assert error.endswith(f"{field} must be less than 1, but got 10: did you mean 0.1?")


@pytest.mark.parametrize(
    "setting",
    [
        "optimisation.dropout=1.0",
        "optimisation.momentum=1",
        "optimisation.label_smoothing=1",
        "optimisation.clip_norm=0",
        "optimisation.clip_norm=-1",
        "clips.num_frames=1000000000",
        "clips.test_sets=1000000000",
        "clips.resize_px=1000000",
        "pass_1.epochs=1000000000",
        "search.max_passes=1000000000",
        "num_classes=1000000000",
        "optimisation.repeats=1000000000",
    ],
)
def test_impossible_values_are_refused_at_once(autohier: Autohier, setting: str) -> None:
    name, value = setting.split("=")
    error = autohier("check", SPACE_FILE, "--set", setting).error
    assert re.search(rf"{name} must be (less than|greater than|at most) \d+, but got {value}$", error)


def test_paper_validation_is_named(autohier: Autohier, tiny_data: Path) -> None:
    ended = autohier("check", SPACE_FILE, "--data", tiny_data, "--set", "protocol.validation=paper")
    assert "protocol: cross-subject, validation paper\n" in ended.out
    # All four training subjects are for training, a tenth of the 48 test clips for validation.
    assert ended.out.endswith("clips: 96 train, 5 validation (also test clips), 48 test\n")


@pytest.mark.parametrize("name", ["demo", "ntu60", "ntu60_skeleton", "utd_mhad"])
def test_shipped_spaces_can_be_checked_before_their_clips_are_prepared(
    autohier: Autohier, tmp_path: Path, name: str
) -> None:
    ended = autohier("check", name, "--data", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    folder = {"utd_mhad": "utd-mhad-depth", "ntu60_skeleton": "ntu60-skeleton"}.get(name, name)
    *_, clips, fix = ended.out.splitlines()
    assert clips == f"clips: not prepared yet, expected in {tmp_path / folder}"
    assert fix.startswith("  fix: run 'autohier prepare ")


def test_a_prepared_modality_is_named_with_the_setting_that_reads_it(
    autohier: Autohier, tmp_path: Path, tiny_data: Path
) -> None:
    shutil.copytree(tiny_data / "demo", tmp_path / "utd-mhad-skeleton")
    ended = autohier("check", "utd_mhad", "--data", tmp_path)
    assert ended.out.splitlines()[-1] == (
        "  fix: use a prepared modality with --set clips.modality=skeleton, or run "
        f"'autohier prepare utd-mhad --modality depth --source DIR --data {tmp_path}'"
    )


def test_a_similar_store_is_suggested(autohier: Autohier, tiny_data: Path) -> None:
    error = autohier("show", "demos", "S1", "--data", tiny_data).error
    assert "no store at" in error
    assert "did you mean 'demo'? Or run 'autohier prepare custom" in error


def test_a_space_without_a_description_is_described_by_its_dataset(
    autohier: Autohier, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndataset = "my-clips"\nnum_classes = 12\n')
    assert autohier("check", path).out.splitlines()[0] == "mine: clips of my-clips, 12 classes"
    path.write_text("")
    assert autohier("check", path).error == (
        f"{path}: name, dataset and num_classes must be given: "
        'add e.g. name = "mine", dataset = "mine" and num_classes = 12'
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("ntu6",), r"^unknown search space 'ntu6': did you mean 'ntu60'\?$"),
        (("SPACE", "--set", "clip.flip=true"), r"unknown setting 'clip': did you mean 'clips'\?$"),
        (("SPACE", "--set", "search.levels=3"), r"3 ascending superclass counts must fit 6 classes"),
        (
            ("SPACE", "--set", "search.ratios=[0.1]"),
            r"initial config 'three colours.*' must lie in the space",
        ),
        (("SPACE", "--set", "protocol.held_out=[2]"), r"^clean validation holds out subjects that train"),
        (("SPACE", "--set", "protocol.held_out=[]"), r"protocol\.held_out must not be empty; leave it out"),
        (
            ("utd_mhad_skeleton", "--set", "clips.stream=bone"),
            r"^variants joint and bone must differ: do not override the setting",
        ),
        (
            ("SPACE", "--set", "protocol.name=cross-set"),
            r"^the protocol of demo must be one of cross-subject",
        ),
        (("demo",), r"^num_classes must be that of the data, 6, but got 12: add --set num_classes=6"),
    ],
)
def test_errors_are_one_line(
    autohier: Autohier, tiny_data: Path, arguments: tuple[str, ...], error: str
) -> None:
    named = [str(SPACE_FILE) if argument == "SPACE" else argument for argument in arguments]
    assert re.search(error, autohier("check", "--data", tiny_data, *named).error)


def test_half_prepared_clips_are_an_error(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo"
    (folder / "manifest.json").unlink()
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert ended.error.startswith(f"demo is not prepared: no store at {folder}: run 'autohier prepare demo")


@pytest.mark.parametrize("name", ["manifest.json", "options.json"])
def test_the_manifest_determines_the_version(
    autohier: Autohier, tiny_data: Path, tmp_path: Path, name: str
) -> None:
    path = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    if name == "manifest.json":
        assert f"must be of version {STORE_VERSION}, but got 99" in ended.error
    else:
        assert ended.code == 0


def test_a_changed_byte_of_a_shard_is_an_error(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    shard = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / "shards" / "00000.arrow"
    content = bytearray(shard.read_bytes())
    content[content.index(b"\xff\xd8") + 40] ^= 1
    shard.write_bytes(content)
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert re.search(r"^the shard .*00000\.arrow must match its digest: run 'autohier prepare", ended.error)


def test_a_damaged_shard_is_an_error(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    shard = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / "shards" / "00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1])
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert re.search(r"^the shard .*00000\.arrow is missing or damaged: run 'autohier prepare", ended.error)


def test_epochs_are_those_of_the_recipes_own_stages(
    autohier: Autohier, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_long(monkeypatch)
    changes = ("recipe=long", "search.settings.pass_2.epochs=[1, 9]", "initial=[]")
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    # 2 epochs of pass 1, 10 * 9 of the second stage, 7 passes of 1 epoch.
    assert "epochs per config: at most 99; 2 of them (pass 1) shared by all configs\n" in ended.out
