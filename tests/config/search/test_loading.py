"""Loading of search spaces: the shipped ones are valid, and errors name the fault and how to fix it."""

import subprocess
import sys

import pytest

from autohier.config.search.loading import load_params, load_space, parse_override, shipped_spaces
from autohier.errors import InputError

SKELETONS = ("clips={input='skeletons'}", "recognizer={name='st-gcn++'}")


@pytest.mark.parametrize("name", shipped_spaces())
def test_shipped_spaces_are_valid(name):
    space = load_space(name)
    assert space.name == name
    assert space.initial


def test_the_spaces_of_the_papers_are_shipped():
    assert {"demo", "ntu60", "utd_mhad"} <= set(shipped_spaces())


def test_hac_weights_for_ntu60():
    # HAC, Table 1: 2/6/20/60 with 1/8 1/4 1/2 1.
    initial = load_space("ntu60").initial[0]
    assert initial.counts_text == "2/6/20"
    assert initial.stack_weights == (1 / 8, 1 / 4, 1 / 2, 1)


def test_hac_weights_for_utd_mhad():
    # HAC: 3/9 after stacks 2 and 3, weights 1/16 1/4 1 for stacks 2, 3, 4.
    initial = load_space("utd_mhad").initial[0]
    assert initial.counts_text == "3/9"
    assert initial.stack_weights == (1 / 16, 1 / 4, 1)


def test_overrides_change_the_space():
    space = load_space(
        "demo",
        ["pass_1.epochs=9", "recognizer.name=inflated-resnet34", "search.ratios=[0.1, 0.3]", "initial=[]"],
    )
    assert space.pass_1.epochs == 9
    assert space.recognizer.name == "inflated-resnet34"
    assert space.search.ratios == (0.1, 0.3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pass_1.epoch=3", "unknown setting 'pass_1.epoch': did you mean 'epochs'"),
        ("pass1.epochs=3", "unknown setting 'pass1': did you mean 'pass_1'"),
        ("pass_1.epochs=many", "pass_1.epochs must be a whole number, but got 'many'"),
        ("pass_1.epochs=0", "pass_1.epochs must be greater than 0, but got 0"),
        ("name.x=1", "'name' is a value, not a group"),
        ("search.levels=9", "9 ascending superclass counts must fit 12 classes"),
        ("clips.crop_px=100", "crop_px <= resize_px must hold, but got 100 > 64"),
        ("clips=3", "clips must be a table, e.g. { input = 'frames' }, but got 3"),
        ("search.ratios=[0.2]", "the initial config 'the planted tree' must lie in the space"),
        ("initial=[{sourc='me'}]", "unknown setting 'initial.0.sourc': did you mean 'source'"),
        ("epochs", "--set takes key=value, but got epochs"),
    ],
)
def test_an_invalid_override_is_reported_on_one_line(override, message):
    with pytest.raises(InputError) as caught:
        load_space("demo", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_of_a_space_are_reported_at_once():
    with pytest.raises(InputError, match=r"'recognizer.widht': did you mean 'width'.*'pass_1.epoch'"):
        load_space("demo", ["pass_1.epoch=3", "recognizer.widht=2"])
    every_initial_config = "'the planted tree' must .*'the planted tree, global pruning' must "
    with pytest.raises(InputError, match=every_initial_config):
        load_space("demo", ["search.ratios=[0.2]"])
    every_variant = r"variant 'a': pass_1\.epochs must .*variant 'b': pass_2\.epochs must "
    with pytest.raises(InputError, match=every_variant):
        load_space("demo", ["search.variants.a.pass_1.epochs=0", "search.variants.b.pass_2.epochs=0"])


def test_a_file_is_proposed_that_was_named_without_its_ending(tmp_path, monkeypatch):
    """`autohier init mine --out mine.toml` writes one; `search mine` must not advise to write it again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(InputError, match=r"unknown search space 'mine': did you mean the file mine\.toml\?$"):
        load_space("mine")


def test_an_unknown_space_is_reported_with_the_nearest():
    with pytest.raises(InputError, match="unknown search space 'ntu6': did you mean 'ntu60'"):
        load_space("ntu6")


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match="the file of a search space must exist"):
        load_space(str(tmp_path / "mine.toml"))


def test_a_file_that_is_not_toml_is_reported(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("name = ")
    with pytest.raises(InputError, match="must be TOML"):
        load_space(str(path))


def test_a_space_is_loaded_from_any_folder(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndataset = "demo"\nnum_classes = 12\n[search]\nlevels = 1\n')
    assert load_space(str(path)).search.levels == 1


def test_params_start_from_the_first_initial_config():
    params = load_params(load_space("ntu60"), ["superclasses=4/7/12", "ratio=0.2"])
    assert params.superclasses == (4, 7, 12)
    assert params.ratio == 0.2
    assert params.weight_ratio == 0.5


def test_without_an_initial_config_every_hyperparameter_must_be_given():
    space = load_space("ntu60", ["initial=[]"])
    with pytest.raises(
        InputError, match=r"every hyperparameter must be given, but got none of .*ratio, passes: --set "
    ) as caught:
        load_params(space, ["weight_ratio=0.25"])
    assert "weight_ratio" not in str(caught.value).partition(": --set")[0]
    hint = str(caught.value).partition("--set ")[2].split(" --set ")
    assert load_params(space, hint).passes == 2


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("superclasses=[6, 6], weight_ratio=0.5", "its counts 6/6 do not ascend"),
        ("superclasses=[12, 12], weight_ratio=0.5", "its counts 12/12 are not among"),
        ("superclasses=[2, 4], weight_ratio=4.0", "weight_ratio 4.0 is not in search.weight_ratios"),
    ],
)
def test_an_initial_config_off_the_grid_says_so(config, fault):
    rest = "source='a table', scope='global', ratio=0.1, passes=1"
    with pytest.raises(InputError, match=f"must lie in the space, but {fault}"):
        load_space("demo", [f"initial=[{{{config}, {rest}}}]"])
    space = load_space("demo", [f"initial=[{{{config}, {rest}, off_grid=true}}]"])
    assert space.find_fault(space.initial[0])
    assert space.ranges_with_initial().weight_ratios[-1] == (4.0 if "4.0" in config else 2.828427)


def test_initial_configs_off_the_grid_share_one_hint():
    rest = "superclasses=[2, 4], scope='global', passes=1"
    configs = (("a", 0.5, 0.12), ("b", 0.5, 0.17))
    texts = [
        f"{{source='{name}', weight_ratio={rho}, ratio={share}, {rest}}}" for name, rho, share in configs
    ]
    with pytest.raises(InputError, match=r"or drop all initial configs with --set 'initial=\[\]'$") as caught:
        load_space("demo", [f"initial=[{', '.join(texts)}]"])
    text = str(caught.value)
    assert text.count("drop all") == 1
    assert [f"initial config '{name}' must lie in the space, but " in text for name in "ab"] == [True] * 2
    assert "ratio 0.17 is not in search.ratios; " in text
    assert "search.ratios holds 0, 0.05, 0.1, 0.15, 0.2 and 0.3; change these configs" in text


def test_off_the_grid_there_are_at_most_as_many_superclasses_as_classes():
    config = "superclasses=[12, 13], weight_ratio=0.5, scope='global', ratio=0.1, passes=1"
    with pytest.raises(InputError, match="its counts 12/13 are above the 12 classes"):
        load_space("demo", [f"initial=[{{{config}, source='a table', off_grid=true}}]"])


def test_the_tables_of_hac_are_initial_configs():
    initial = load_space("ntu60").initial
    # Table 1: 1/27 1/9 1/3 1 and its like, equal weights, and reversed ones, which are a multiple of those
    # printed; Table 4: the classes at every stack.
    assert {config.weight_ratio for config in initial} == {0.25, 0.333333, 0.5, 1.0, 2.0, 3.0, 4.0}
    reversed_weights = next(config for config in initial if config.weight_ratio == 4.0).stack_weights
    assert [weight / 64 for weight in reversed_weights] == [1, 1 / 4, 1 / 16, 1 / 64]
    assert (60, 60, 60) in {config.superclasses for config in initial}
    assert [config.source for config in initial if config.off_grid] == [
        "HAC, reversed weights 1 1/3 1/9 1/27",
        "HAC, reversed weights 1 1/4 1/16 1/64",
        "HAC, classes at every stack",
    ]
    assert [config.passes for config in load_space("n_ucla").initial if config.scope == "layerwise"] == [5]


def test_the_depths_of_hac_are_variants():
    space = load_space("ntu60_depths")
    assert [network.recognizer.name for network in map(space.apply, space.flat_params())] == [
        f"inflated-resnet{depth}" for depth in (50, 18, 34, 101)
    ]
    assert [config.variant for config in space.initial] == list(space.search.variants)
    recipe, other = load_space("ntu60"), space.apply(space.flat_params()[0])
    for group in (
        "clips",
        "optimisation",
        "pass_1",
        "pass_2",
        "pruning",
        "numerics",
        "protocol",
        "recognizer",
    ):
        assert getattr(recipe, group) == getattr(other, group)


def test_descending_superclass_counts_are_refused():
    with pytest.raises(InputError, match="must be positive and must not descend, but got 6/2"):
        load_params(load_space("ntu60"), ["superclasses=6/2"])


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=1", 1), ("a=0.5", 0.5), ("a=true", True), ("a=word", "word"), ('a="1"', "1"), ("a=[1]", [1])],
)
def test_override_values_are_toml_or_bare_words(text, value):
    assert parse_override(text) == ("a", value)


def test_loading_a_space_imports_neither_torch_nor_ray():
    code = (
        "import sys; from autohier.config.search.loading import load_space; load_space('ntu60');"
        "sys.exit(bool({'torch', 'ray', 'optuna', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_clip_input_must_be_the_one_that_the_recognizer_reads():
    with pytest.raises(
        InputError,
        match=r"st-gcn reads skeletons, but clips\.input is 'frames'; "
        r"next to the recognizer, set clips={input='skeletons'}$",
    ):
        load_space("demo", ["recognizer={name='st-gcn'}"])
    with pytest.raises(InputError, match=r"clips={input='skeletons', modality='depth'}$"):
        load_space("utd_mhad", ["recognizer={name='st-gcn'}"])
    with pytest.raises(InputError, match=r"variant 'graph': st-gcn reads .*next to the recog.*, set clips="):
        load_space("demo", ["search.variants.graph={recognizer={name='st-gcn'}}"])
    fixed = load_space("demo", ["recognizer={name='st-gcn'}", "clips={input='skeletons'}"])
    assert fixed.clips.input == "skeletons"


def test_the_default_recognizer_is_a_resnet():
    assert load_space("demo", ["recognizer={width=0.5}"]).recognizer.name == "inflated-resnet50"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("clips.num_frame=3", "unknown setting 'clips.num_frame': did you mean 'num_frames'"),
        ("clips.crop_px=3", "unknown setting 'clips.crop_px': valid are .*stream"),
        (
            "clips.stream=bones",
            r"clips\.stream must be one of joint, bone, .*, but got 'bones': did you mean 'bone'",
        ),
        ("recognizer.weights=x.pth", "unknown setting 'recognizer.weights'"),
        ("clips.input=sound", r"clips\.input: unknown clip input 'sound': valid are frames, frames"),
    ],
)
def test_each_clip_input_and_recognizer_has_its_own_settings(override, message):
    with pytest.raises(InputError, match=message):
        load_space("demo", [*SKELETONS, override])


def test_a_skeleton_recognizer_and_its_clips_are_loaded():
    space = load_space("demo", [*SKELETONS, "clips.stream=bone"])
    assert space.clips.stream == "bone"
    assert space.recognizer.options() == {"width": 1.0, "stacks": (4, 3, 3)}


@pytest.mark.parametrize("name", ["1", "'1'"])
def test_a_protocol_name_may_be_a_number(name):
    assert load_space("demo", [f"protocol.name={name}"]).protocol.name == "1"


def test_a_protocol_name_is_not_a_boolean():
    with pytest.raises(InputError, match=r"protocol\.name must be text, but got true: write .true."):
        load_space("demo", ["protocol.name=true"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pass_1.epochs=0", r"pass_1\.epochs must be greater than 0, but got 0"),
        (
            "protocol.validation=best",
            r"must be one of auto, listed, clean, folds, paper, but got 'best'",
        ),
        ("search.ratios=many", r"search\.ratios must be a list, but got 'many': write \['many'\]"),
    ],
)
def test_an_error_shows_the_value(override, message):
    with pytest.raises(InputError, match=message):
        load_space("demo", [override])


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("search.counts=[2, 4, 2]", r"search\.counts must hold each value once, but got 2 several times"),
        ("search.ratios=[0.1, 0.1]", r"search\.ratios must hold each value once, but got 0\.1 several times"),
        ("search.scopes=['global', 'global']", r"search\.scopes must hold each value once, but got 'global'"),
        ("search.weight_ratios=[1.0, 1.0]", r"search\.weight_ratios must hold each value once"),
        (
            "protocol.held_out=[3, 3]",
            r"protocol\.held_out must hold each value once, but got 3 several times",
        ),
        ("search.counts=[2, 12]", r"must be below the 12 classes, .*, but got 12: leave them out"),
    ],
)
def test_values_repeat_nowhere_and_counts_lie_below_the_classes(override: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        load_space("demo", [override, "initial=[]"])


def test_every_faulty_initial_config_is_named() -> None:
    config = "source='config {}', superclasses=[6], scope='layerwise', ratio=0.3, passes=1, weight_ratio=0.3"
    configs = ", ".join(f"{{{config.format(number)}}}" for number in range(8))
    with pytest.raises(InputError, match="faults: ") as caught:
        load_space("demo", [f"initial=[{configs}]"])
    assert all(f"the initial config 'config {number}' must lie" in str(caught.value) for number in range(8))


@pytest.mark.parametrize(
    ("value", "variants"),
    [("bone", ["bone"]), ('["pyskl-ctr-gcn", "bone"]', ["bone", "pyskl-ctr-gcn"]), ("[]", [])],
)
def test_chosen_variants_keep_their_initial_configs(value: str, variants: list[str]) -> None:
    whole = load_space("ntu60_skeleton")
    space = load_space("ntu60_skeleton", [f"search.variants={value}"])
    assert space.search.variants == {name: whole.search.variants[name] for name in variants}
    assert space.initial == tuple(config for config in whole.initial if config.variant in variants)
    assert {config.variant for config in space.initial} == set(variants)


def test_a_variant_that_is_left_out_needs_no_weights() -> None:
    assert load_space("gym99_slowfast").assumes_2d_weights == ("slowonly-4",)
    for chosen, assumed in (("slowonly-4", ("slowonly-4",)), ("slowonly-8", ())):
        space = load_space("gym99_slowfast", [f"search.variants={chosen}"])
        assert space.assumes_2d_weights == assumed


def test_only_variants_of_the_space_are_chosen() -> None:
    with pytest.raises(InputError, match=r"unknown variant 'bones': did you mean 'bone'\?"):
        load_space("ntu60_skeleton", ["search.variants=bones"])
    with pytest.raises(InputError, match="cannot choose variants of a space without any"):
        load_space("demo", ["search.variants=bone"])
