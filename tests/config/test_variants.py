"""Variants and searched training settings: the config of a trial, and errors in a space."""

import pytest

from autohier.config.frozen import validate
from autohier.config.search.loading import load_params, load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS, Hyperparameters
from autohier.errors import InputError
from support.sweep_runs.varied_spaces import SETTINGS, VARIANTS, varied_demo

SKELETONS = ("clips={input='skeletons'}", "recognizer={name='st-gcn++', width=0.5}")
DEFAULTS = {"clips.min_scale": 1.0, "pass_2.learning_rate": 1e-3, "pruning.norm": "l2"}


def params(variant="", passes=3, **settings):
    values = {name.replace("__", "."): value for name, value in settings.items()}
    initial = load_space("demo").initial[0].as_params().model_dump()
    return Hyperparameters(**(initial | {"variant": variant, "settings": values, "passes": passes}))


def groups_of(config):
    return {name: value for name, value in config if name != "params"}


def test_every_placement_of_heads_is_a_network_that_is_checked():
    searched = "search.settings={pass_2.heads=['stacks', 'last']}"
    space = load_space("demo", [searched])
    assert space.shares_pass_1
    networks = space.flat_params_by_network()
    assert list(networks) == ["pass_2.heads stacks", "pass_2.heads last"]
    heads = [space.config(flat, seed=0).pass_2.heads for flat in networks.values()]
    assert heads == ["stacks", "last"]


def test_a_space_without_variants_changes_nothing():
    space, plain = load_space("demo"), load_space("demo").initial[0].as_params()
    assert space.complete(plain) == plain
    assert space.apply(plain) is space
    assert space.config(plain, seed=3).params == plain
    assert space.flat_params() == (FLAT_PARAMS,)
    assert space.flat_params_by_network() == {"": FLAT_PARAMS}
    assert space.shares_pass_1
    assert plain.variant_text == ""


def test_a_variant_changes_only_its_own_settings():
    space = varied_demo()
    base = groups_of(load_space("demo").config(params(), seed=0))
    wide, plain = (groups_of(space.config(params(name), seed=0)) for name in ("wide", "plain"))
    assert plain == base
    assert wide.pop("recognizer") == base.pop("recognizer").model_copy(update={"width": 0.25})
    assert wide == base


def test_a_new_recognizer_name_resets_its_options():
    space = load_space("demo", [*SKELETONS, "search.variants.other.recognizer.name='st-gcn'"])
    other = space.config(params("other"), seed=0).recognizer
    assert (other.name, other.width) == ("st-gcn", 1.0)


def test_a_new_clip_input_resets_all_but_the_modality():
    space = load_space(
        "demo",
        [
            *("clips={input='skeletons', modality='rgb', num_frames=32}", SKELETONS[1]),
            "search.variants.frames.clips={input='frames', crop_px=112}",
            "search.variants.frames.recognizer.name=inflated-resnet18",
        ],
    )
    clips = space.config(params("frames"), seed=0).clips
    own = {"crop_px": 112, "modality": "rgb"}
    assert clips.model_dump() == load_space("demo", ["clips={}"]).clips.model_dump() | own


def test_searched_settings_override_the_variant():
    config = varied_demo().config(params("deep", clips__min_scale=0.5, pruning__norm="layer-mean"), seed=0)
    assert (config.recognizer.name, config.pass_2.epochs) == ("inflated-resnet34", 4)
    assert (config.clips.min_scale, config.pruning.norm) == (0.5, "layer-mean")
    assert config.params.settings == (
        *(("clips.min_scale", 0.5), ("pass_2.learning_rate", 1e-3), ("pruning.norm", "layer-mean")),
    )


def test_defaults_are_the_first_variant_and_its_own_values():
    # In the demo, min_scale is 1.0, the last of its table, and the learning rate of pass 2 is 1e-3.
    completed = varied_demo().complete(params())
    assert (completed.variant, dict(completed.settings)) == ("plain", DEFAULTS)
    # The variant's own 2 epochs count; the table lacks the space's lr_factor, 0.1, so its first value does.
    space = load_space(
        "demo",
        [
            *("search.variants.quick.pass_2.epochs=2", "search.settings.pass_2.epochs=[1, 2]"),
            "search.settings.optimisation.lr_factor=[0.5, 0.2]",
        ],
    )
    assert dict(space.complete(params()).settings) == {"optimisation.lr_factor": 0.5, "pass_2.epochs": 2}


def test_a_space_is_restored_from_json():
    space = varied_demo()
    again = SearchSpace.model_validate_json(space.model_dump_json())
    assert again == space
    assert list(again.search.variants) == ["plain", "wide", "deep"]


def test_params_are_restored_from_json():
    complete = varied_demo().complete(params("wide"))
    assert Hyperparameters.model_validate_json(complete.model_dump_json()) == complete
    assert complete.variant_text == (
        "variant wide, clips.min_scale 1.0, pass_2.learning_rate 0.001, pruning.norm l2"
    )


def test_nested_and_dotted_names_are_equal():
    one = load_space("demo", ["search.settings={'pass_2.epochs'=[4, 8]}"])
    assert one == load_space("demo", ["search.settings.pass_2.epochs=[4, 8]"])


@pytest.mark.parametrize(
    ("left", "right", "shared"),
    [
        # Whether both share pass 1, pass 2 and the pruning passes.
        (params("plain"), params("plain"), (True, True, True)),
        (params("plain"), params("wide"), (False, False, False)),
        (params(clips__min_scale=0.5), params(clips__min_scale=1.0), (False, False, False)),
        (params(pass_2__learning_rate=1e-3), params(pass_2__learning_rate=2e-3), (True, False, False)),
        (params(pruning__norm="l2"), params(pruning__norm="layer-mean"), (True, True, False)),
    ],
)
def test_params_share_a_stage_if_nothing_before_it_differs(left, right, shared):
    assert (left.flat == right.flat, left.prefix == right.prefix, left.chain == right.chain) == shared
    assert (left.effect == right.effect) is shared[2]


def test_pruning_settings_have_no_effect_without_passes():
    one, other = (params(passes=0, pruning__norm=norm) for norm in ("l2", "layer-mean"))
    assert one.effect == other.effect


def test_each_recognizer_is_listed_once():
    space = load_space("demo", [*VARIANTS, "search.settings.recognizer.width=[0.125, 0.25]"])
    networks = space.flat_params_by_network()
    assert list(networks) == [
        f"variant {variant}, recognizer.width {width}"
        for variant in ("plain", "wide", "deep")
        for width in (0.125, 0.25)
    ]
    recognizers = [space.config(flat, seed=0).recognizer for flat in networks.values()]
    assert [(each.name, each.width) for each in recognizers] == [
        *(("inflated-resnet18", 0.125), ("inflated-resnet18", 0.25)) * 2,
        *(("inflated-resnet34", 0.125), ("inflated-resnet34", 0.25)),
    ]
    assert [flat.variant for flat in space.flat_params()] == ["plain", "wide", "deep"]


@pytest.mark.parametrize(
    ("overrides", "shares"),
    [
        (VARIANTS[:1], True),
        (VARIANTS, False),
        (SETTINGS[:1], False),
        (SETTINGS[1:], True),
    ],
)
def test_pass_1_is_shared_unless_a_searched_setting_changes_it(overrides, shares):
    assert load_space("demo", overrides).shares_pass_1 is shares


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("wide.recognizer.widht=2",), "'wide': unknown setting 'recognizer.widht': did you mean 'width'"),
        (("wide.recognizr.width=2",), "'wide': trials may differ in settings of .*: did you mean 'recog"),
        (("wide.clips=2",), "variant 'wide': trials may differ .* but got 'clips': write GROUP.SETTING"),
        (("wide.recognizer.width=0",), r"variant 'wide': recognizer\.width must be greater than 0"),
        (("wide.search.levels=1",), "variant 'wide': trials may differ in settings of recognizer, clips"),
        (("a.recognizer.name=st-gcn",), "variant 'a': st-gcn reads skeletons, but clips.input is 'frames'"),
        (("a.clips.modality=depth",), "variant 'a': all trials of a sweep read the same .*'depth', not None"),
        (("'a b'={}",), r"the name .* in search\.variants must begin .*, but got .*a b.*: write e\.g\. a-b$"),
        (("each={}",), "a variant cannot be called 'each', which names trials"),
        (("t0007={}",), "a variant cannot be called 't0007', which names trials"),
        (("a.clips.flip=1979-05-27",), r"search\.variants\.a: clips\.flip must be a number, a string, a b"),
    ],
)  # fmt: skip
def test_a_fault_in_a_variant_names_the_variant(overrides, message):
    with pytest.raises(InputError, match=message) as caught:
        load_space("demo", [f"search.variants.{override}" for override in overrides])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("pass_2.epoch=[2, 3]",), "settings: unknown setting 'pass_2.epoch': did you mean 'epochs'"),
        (("pass2.epochs=[2, 3]",), "trials may differ .* but got 'pass2.epochs': did you mean 'pass_2'"),
        (("epochs=[2, 3]",), "but got 'epochs': write GROUP.SETTING"),
        (("pass_2.epochs=[2, 0]",), r"settings: pass_2\.epochs must be greater than 0"),
        (("pass_2.epochs=[2, 2.5]",), r"settings: pass_2\.epochs must be a whole number, but got 2\.5"),
        (("pass_2.epochs=[2, 2]",), r"the values of pass_2\.epochs in search\.settings must differ"),
        (("pass_2.epochs=[]",), r"search\.settings\.pass_2\.epochs must hold at least 1 value, but got \[\]"),
        (("pass_2.epochs=2",), r"search\.settings\.pass_2\.epochs must be a list, but got 2: write \[2\]"),
        (("recognizer.name=['inflated-resnet34']",), r"cannot hold recognizer\.name: write \[search\.var"),
        (("clips.modality=['rgb']",), r"search\.settings cannot hold clips\.modality"),
        (("pass_2.epochs=[2, '4']",), r"settings: pass_2\.epochs must be written as 4, but got '4'"),
        # Each size fits some crop, but not every one.
        (("clips.resize_px=[64, 128]", "clips.crop_px=[56, 112]"), "crop_px <= resize_px .* got 112 > 64"),
    ],
)  # fmt: skip
def test_a_fault_in_a_table_is_reported(overrides, message):
    with pytest.raises(InputError, match=message):
        load_space("demo", [f"search.settings.{override}" for override in overrides])


def test_a_table_need_not_hold_the_space_s_own_value():
    # A crop of 112 does not fit the demo's own 64, but it fits every size in the table.
    space = load_space("demo", ["search.settings={'clips.crop_px'=[100, 112], 'clips.resize_px'=[112, 128]}"])
    assert space.config(params(), seed=0).clips.resize_px == 112


def test_every_variant_must_have_a_searched_setting():
    skeletons = "search.variants.graph={clips={input='skeletons'}, recognizer={name='st-gcn'}}"
    with pytest.raises(InputError, match=r"settings of variant 'graph': unknown setting 'clips\.min_scale'"):
        load_space("demo", [VARIANTS[0], skeletons, SETTINGS[0]])


def test_a_variant_s_value_of_a_searched_setting_must_be_in_its_table():
    message = r"variant 'deep': pass_2\.epochs is searched, .* but got 4, not one of \[8, 16\]"
    with pytest.raises(InputError, match=message):
        load_space("demo", [*VARIANTS, "search.settings.pass_2.epochs=[8, 16]"])


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ("variant='broad'", "variant 'broad' is not in search.variants"),
        ("settings={pass_2.epochs=8}", "pass_2.epochs 8 is not in search.settings"),
        ("settings={clips.min_scale=0.6}", "clips.min_scale 0.6 is not in search.settings"),
    ],
)
def test_initial_configs_must_lie_in_the_space(initial, message):
    values = "source='hand', superclasses=[2, 4], weight_ratio=0.5, scope='layerwise', ratio=0.1, passes=1"
    with pytest.raises(InputError, match=message):
        varied_demo(f"initial=[{{{values}, {initial}}}]")
    allowed = varied_demo(f"initial=[{{{values}, variant='wide', settings={{clips.min_scale=0.5}}}}]")
    assert allowed.complete(allowed.initial[0].as_params()).variant == "wide"


def test_a_single_trial_names_its_variant_and_settings():
    named = load_params(varied_demo(), ["variant=wide", "settings={pass_2.learning_rate=2e-3}"])
    assert (named.variant, named.settings) == ("wide", (("pass_2.learning_rate", 2e-3),))
    # Its values need not be in a table.
    free = load_params(varied_demo(), ["settings={pass_2.learning_rate=3e-3, pass_1.epochs=1}"])
    config = varied_demo().config(free, seed=0)
    assert (config.pass_2.learning_rate, config.pass_1.epochs) == (3e-3, 1)


VARIED_FILE = """
name = "own"
dataset = "demo"
num_classes = 12
[search]
levels = 2
variants.plain = {}
variants.deep = { recognizer = { name = "inflated-resnet34", width = 0.125 }, "pass_1.epochs" = 9 }
settings = { "clips.min_scale" = [0.7, 0.8], pass_2 = { learning_rate = [1e-3, 2e-3] } }
[[initial]]
source = "hand"
superclasses = [2, 4]
weight_ratio = 0.5
scope = "layerwise"
ratio = 0.1
passes = 1
variant = "deep"
settings = { clips = { min_scale = 0.8 }, "pass_2.learning_rate" = 2e-3 }
"""


def varied_file(folder, *overrides):
    (folder / "own.toml").write_text(VARIED_FILE)
    return load_space(str(folder / "own.toml"), overrides)


def test_an_overridden_setting_holds_for_every_trial(tmp_path):
    as_written = varied_file(tmp_path)
    config = as_written.config(as_written.initial[0].as_params(), seed=0)
    assert (config.recognizer.width, config.pass_1.epochs, config.clips.min_scale) == (0.125, 9, 0.8)
    changed = ["recognizer.width=0.5", "clips.min_scale=0.6", "pass_1.epochs=2"]
    space = varied_file(tmp_path, *changed)
    deep = (("recognizer.name", "inflated-resnet34"), ("recognizer.width", 0.5))
    assert space.search.variants == {"plain": (), "deep": deep}
    assert space.search.settings == {"pass_2.learning_rate": (1e-3, 2e-3)}
    for each in (load_params(space, []), space.initial[0].as_params(), params("deep")):
        config = space.config(each, seed=0)
        assert (config.recognizer.name, config.recognizer.width) == ("inflated-resnet34", 0.5)
        assert (config.clips.min_scale, config.pass_1.epochs) == (0.6, 2)
    assert dict(load_params(space, []).settings) == {"pass_2.learning_rate": 2e-3}


def test_an_overridden_group_is_replaced_as_a_whole(tmp_path):
    space = varied_file(tmp_path, "recognizer={name='inflated-resnet18', width=0.25}")
    assert space.search.variants["deep"] == (("pass_1.epochs", 9),)
    # An override of the variant itself takes precedence.
    space = varied_file(tmp_path, "pass_1.epochs=2", "search.variants.deep.pass_1.epochs=3")
    assert dict(space.search.variants["deep"])["pass_1.epochs"] == 3


def test_an_override_applies_to_the_recognizers_that_have_the_setting(tmp_path):
    path = tmp_path / "two.toml"
    own = '[clips]\ninput = "skeletons"\n[recognizer]\nname = "tcn"\n'
    other = 'variants.deep = { recognizer = { name = "st-gcn" } }'
    path.write_text(
        f'name = "two"\ndataset = "demo"\nnum_classes = 12\n{own}[search]\nlevels = 2\n'
        f"variants.plain = {{}}\n{other}\n"
    )
    space = load_space(str(path), ["recognizer.num_blocks=3", "recognizer.width=0.25"])
    plain, deep = (space.config(params(name), seed=0).recognizer for name in ("plain", "deep"))
    assert (plain.name, plain.num_blocks, plain.width) == ("tcn", 3, 0.25)
    assert (deep.name, deep.width) == ("st-gcn", 0.25)


def test_the_variants_of_a_sweep_must_differ(tmp_path):
    space = varied_file(tmp_path, "recognizer={name='inflated-resnet18', width=0.25}", "pass_1.epochs=2")
    values = {"name": "s", "study_name": "s", "trials": 2, "data_folder": "d", "stage_folder": "s"}
    with pytest.raises(InputError, match="space: variants plain and deep must differ: do not"):
        validate(SweepPlan, values | {"space": space}, origin="search")
    differing = varied_file(tmp_path, "pass_1.epochs=2")
    assert validate(SweepPlan, values | {"space": differing}, origin="search").space == differing


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("variant=wode", "unknown variant 'wode': did you mean 'wide'"),
        ("settings={pass_2.epoch=2}", "settings of variant 'plain': unknown setting 'pass_2.epoch'"),
    ],
)
def test_an_invalid_single_trial_is_reported(own, message):
    space = varied_demo()
    with pytest.raises(InputError, match=message):
        space.config(load_params(space, [own]), seed=0)
    with pytest.raises(InputError, match="unknown variant 'wide': the space has none"):
        load_space("demo").config(params("wide"), seed=0)


def test_settings_of_a_single_trial_are_a_table():
    with pytest.raises(InputError, match="demo, hyperparameters: settings must be a list"):
        load_params(varied_demo(), ["settings=3"])


def test_the_weights_path_of_a_variant_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variants = dict(load_space("demo", ["search.variants.a.recognizer.weights=w.pth"]).search.variants["a"])
    assert variants == {"recognizer.weights": str(tmp_path / "w.pth")}


def test_the_weight_ratio_has_no_effect_without_superclasses():
    flat = [FLAT_PARAMS.model_copy(update={"weight_ratio": ratio}) for ratio in (0.5, 1.0)]
    assert flat[0].effect == flat[1].effect
    with_superclasses = [one.model_copy(update={"superclasses": (2,)}) for one in flat]
    assert with_superclasses[0].effect != with_superclasses[1].effect
