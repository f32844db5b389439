"""Reading spaces: shipped ones hold, and what a user gets wrong is named with its remedy."""

import subprocess
import sys

import pytest

from autohier.errors import InputError
from autohier.settings.loading import load_choice, load_space, parse_override, shipped_spaces


@pytest.mark.parametrize("name", shipped_spaces())
def test_shipped_spaces_hold(name):
    space = load_space(name)
    assert space.name == name
    assert space.known


def test_the_spaces_of_the_papers_are_shipped():
    assert {"demo", "ntu60", "utd_mhad"} <= set(shipped_spaces())


def test_hac_weights_for_ntu60():
    # HAC, Table 1: 2/6/20/60 with 1/8 1/4 1/2 1.
    known = load_space("ntu60").known[0]
    assert known.counts_text == "2/6/20"
    assert known.stack_weights == (1 / 8, 1 / 4, 1 / 2, 1)


def test_hac_weights_for_utd_mhad():
    # HAC: 3/9 after stacks 2 and 3, weights 1/16 1/4 1 for stacks 2, 3, 4.
    known = load_space("utd_mhad").known[0]
    assert known.counts_text == "3/9"
    assert known.stack_weights == (1 / 16, 1 / 4, 1)


def test_overrides_change_the_space():
    space = load_space(
        "demo",
        ["pass_1.epochs=9", "recognizer.name=inflated-resnet34", "search.ratios=[0.1, 0.3]", "known=[]"],
    )
    assert space.pass_1.epochs == 9
    assert space.recognizer.name == "inflated-resnet34"
    assert space.search.ratios == (0.1, 0.3)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("pass_1.epoch=3", "unknown setting 'pass_1.epoch': did you mean 'epochs'"),
        ("pass1.epochs=3", "unknown setting 'pass1': did you mean 'pass_1'"),
        ("pass_1.epochs=many", "pass_1.epochs: Input should be a valid integer"),
        ("pass_1.epochs=0", "pass_1.epochs: Input should be greater than 0"),
        ("name.x=1", "'name' is a value, not a group"),
        ("search.levels=9", "9 ascending superclass counts must fit 12 classes"),
        ("clips.crop_px=100", "crop_px <= resize_px must hold, but got 100 > 64"),
        ("search.ratios=[0.2]", "the known setting of 'the planted tree' must lie in the space"),
        ("epochs", "--set takes key=value, but got epochs"),
    ],
)
def test_a_wrong_override_is_told(override, told):
    with pytest.raises(InputError) as caught:
        load_space("demo", [override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(InputError, match=r"'recognizer.widht': did you mean 'width'.*'pass_1.epoch'"):
        load_space("demo", ["pass_1.epoch=3", "recognizer.widht=2"])


def test_an_unknown_space_names_the_nearest():
    with pytest.raises(InputError, match="unknown space, but got 'ntu6': did you mean 'ntu60'"):
        load_space("ntu6")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="a space file must exist"):
        load_space(str(tmp_path / "mine.toml"))


def test_a_file_that_is_not_toml_is_told(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("name = ")
    with pytest.raises(InputError, match="must be TOML"):
        load_space(str(path))


def test_a_space_may_lie_anywhere(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndataset = "demo"\nnum_classes = 12\n[search]\nlevels = 1\n')
    assert load_space(str(path)).search.levels == 1


def test_a_single_setting_starts_from_the_first_known_one():
    choice = load_choice(load_space("ntu60"), ["superclasses=4/12", "ratio=0.2"])
    assert choice.superclasses == (4, 12)
    assert choice.ratio == 0.2
    assert choice.weight_ratio == 0.5


def test_without_a_known_setting_each_value_is_given():
    with pytest.raises(
        InputError, match=r"each value must be given, but got none of .*ratio, passes: --set "
    ) as told:
        load_choice(load_space("ntu60", ["known=[]"]), ["weight_ratio=0.25"])
    assert "weight_ratio" not in str(told.value).partition(": --set")[0]
    remedy = str(told.value).partition("--set ")[2].split(" --set ")
    assert load_choice(load_space("ntu60", ["known=[]"]), remedy).passes == 2


def test_a_descending_choice_is_refused():
    with pytest.raises(InputError, match="must be positive and ascend, but got 6/2"):
        load_choice(load_space("ntu60"), ["superclasses=6/2"])


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=1", 1), ("a=0.5", 0.5), ("a=true", True), ("a=word", "word"), ('a="1"', "1"), ("a=[1]", [1])],
)
def test_values_are_toml_or_bare_words(text, value):
    assert parse_override(text) == ("a", value)


def test_reading_a_space_imports_neither_torch_nor_ray():
    code = (
        "import sys; from autohier.settings.loading import load_space; load_space('ntu60');"
        "sys.exit(bool({'torch', 'ray', 'optuna', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_clips_must_have_the_form_that_the_recognizer_reads():
    with pytest.raises(
        InputError,
        match=r"st-gcn reads skeletons, but clips\.form is 'frames'; "
        r"mend it where the recognizer is set: clips={form='skeletons'}$",
    ):
        load_space("demo", ["recognizer={name='st-gcn'}"])
    with pytest.raises(InputError, match=r"clips={form='skeletons', modality='depth'}$"):
        load_space("utd_mhad", ["recognizer={name='st-gcn'}"])
    with pytest.raises(InputError, match=r"variant 'graph': st-gcn reads .*where .* is set: clips="):
        load_space("demo", ["search.variants.graph={recognizer={name='st-gcn'}}"])
    remedied = load_space("demo", ["recognizer={name='st-gcn'}", "clips={form='skeletons'}"])
    assert remedied.clips.form == "skeletons"


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("inflated-resnet50", "frames"),
        ("resnet18", "frames"),
        ("st-gcn", "skeletons"),
        ("stgcn++", "skeletons"),
        ("st_gcm", "skeletons"),
        ("pose-slowonly-small", "heatmaps"),
        ("slowonly", "heatmaps"),
    ],
)
def test_a_misspelt_recognizer_reads_what_its_namesake_does(name, reads):
    # So that its name is complained of, and not the clips.
    space = load_space("demo", [f"recognizer={{name='{name}'}}", f"clips={{form='{reads}'}}"])
    assert (space.recognizer.name, space.recognizer.reads) == (name, reads)


def test_the_recognizer_is_a_resnet_where_none_is_named():
    assert load_space("demo", ["recognizer={width=0.5}"]).recognizer.name == "inflated-resnet50"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("clips.num_frame=3", "unknown setting 'clips.num_frame': did you mean 'num_frames'"),
        ("clips.crop_px=3", "unknown setting 'clips.crop_px': valid are .*stream"),
        ("clips.stream=bones", r"clips\.stream: Input should be 'joint', 'bone'"),
        ("recognizer.weights=x.pth", "unknown setting 'recognizer.weights'"),
        ("clips.form=sound", "clips: .*'sound'.*'frames', 'skeletons', 'heatmaps'"),
    ],
)
def test_settings_are_those_of_their_family(override, told):
    skeletons = ["clips={form='skeletons'}", "recognizer={name='st-gcn++'}"]
    with pytest.raises(InputError, match=told):
        load_space("demo", [*skeletons, override])


def test_each_family_has_its_own_settings():
    space = load_space("demo", ["clips={form='skeletons', stream='bone'}", "recognizer={name='st-gcn++'}"])
    assert space.clips.stream == "bone"
    assert space.recognizer.options() == {"width": 1.0, "stacks": (4, 3, 3)}


@pytest.mark.parametrize("name", ["1", "'1'"])
def test_a_protocol_may_be_called_by_a_number(name):
    assert load_space("demo", [f"protocol.name={name}"]).protocol.name == "1"


def test_a_protocol_is_not_called_by_a_truth():
    with pytest.raises(InputError, match=r"protocol\.name: Input should be a valid string"):
        load_space("demo", ["protocol.name=true"])


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("pass_1.epochs=0", r"pass_1\.epochs: Input should be greater than 0, but got 0"),
        ("protocol.validation=best", r"Input should be 'clean', 'folds' or 'paper', but got 'best'"),
        ("search.ratios=many", r"search\.ratios: Input should be .*, but got 'many'"),
    ],
)
def test_what_was_given_is_told(override, told):
    with pytest.raises(InputError, match=told):
        load_space("demo", [override])
