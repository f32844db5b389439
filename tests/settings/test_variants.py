"""Variants and training settings: what a trial has of them, and what a user gets wrong."""

import pytest

from autohier.errors import InputError
from autohier.settings.choice import FLAT_CHOICE, Choice
from autohier.settings.frozen import validate
from autohier.settings.loading import load_choice, load_space
from autohier.settings.space import Space
from autohier.settings.sweep import SweepPlan
from varied_spaces import SETTINGS, VARIANTS, varied_demo

SKELETONS = ("clips={form='skeletons'}", "recognizer={name='st-gcn++', width=0.5}")
DEFAULTS = {"clips.min_scale": 1.0, "pass_2.learning_rate": 1e-3, "pruning.norm": "l2"}


def choice(variant="", passes=3, **settings):
    values = {name.replace("__", "."): value for name, value in settings.items()}
    known = load_space("demo").known[0].as_choice().model_dump()
    return Choice(**(known | {"variant": variant, "settings": values, "passes": passes}))


def parts_of(setting):
    return {name: value for name, value in setting if name != "choice"}


def test_a_space_without_any_draws_as_it_is():
    space, plain = load_space("demo"), load_space("demo").known[0].as_choice()
    assert space.completed(plain) == plain
    assert space.varied(plain) is space
    assert space.setting(plain, seed=3).choice == plain
    assert space.flat_choices() == (FLAT_CHOICE,)
    assert space.networks() == {"": FLAT_CHOICE}
    assert space.shares_pass_1
    assert plain.recipe_text == ""


def test_a_variant_changes_its_own_settings_and_no_others():
    space = varied_demo()
    base = parts_of(load_space("demo").setting(choice(), seed=0))
    wide, plain = (parts_of(space.setting(choice(name), seed=0)) for name in ("wide", "plain"))
    assert plain == base
    assert wide.pop("recognizer") == base.pop("recognizer").model_copy(update={"width": 0.25})
    assert wide == base


def test_a_recognizer_of_another_name_begins_anew():
    space = load_space("demo", [*SKELETONS, "search.variants.other.recognizer.name='st-gcn'"])
    other = space.setting(choice("other"), seed=0).recognizer
    assert (other.name, other.width) == ("st-gcn", 1.0)


def test_clips_of_another_form_begin_anew_but_are_of_the_same_store():
    space = load_space(
        "demo",
        [
            *("clips={form='skeletons', modality='rgb', num_frames=32}", SKELETONS[1]),
            "search.variants.frames.clips={form='frames', crop_px=112}",
            "search.variants.frames.recognizer.name=inflated-resnet18",
        ],
    )
    clips = space.setting(choice("frames"), seed=0).clips
    of_its_own = {"crop_px": 112, "modality": "rgb"}
    assert clips.model_dump() == load_space("demo", ["clips={}"]).clips.model_dump() | of_its_own


def test_settings_stand_above_the_variant():
    setting = varied_demo().setting(choice("deep", clips__min_scale=0.5, pruning__norm="layer-mean"), seed=0)
    assert (setting.recognizer.name, setting.pass_2.epochs) == ("inflated-resnet34", 4)
    assert (setting.clips.min_scale, setting.pruning.norm) == (0.5, "layer-mean")
    assert setting.choice.settings == (
        *(("clips.min_scale", 0.5), ("pass_2.learning_rate", 1e-3), ("pruning.norm", "layer-mean")),
    )


def test_what_is_not_drawn_is_the_first_variant_and_its_own_values():
    # min_scale is 1.0 in the demo, which is the last of the table; pass 2's rate there is 1e-3.
    completed = varied_demo().completed(choice())
    assert (completed.variant, dict(completed.settings)) == ("plain", DEFAULTS)
    # The variant's own value counts, and the first of a table that lacks the space's own (0.1).
    space = load_space(
        "demo",
        [
            *("search.variants.quick.pass_2.epochs=2", "search.settings.pass_2.epochs=[1, 2]"),
            "search.settings.optimisation.lr_factor=[0.5, 0.2]",
        ],
    )
    assert dict(space.completed(choice()).settings) == {"optimisation.lr_factor": 0.5, "pass_2.epochs": 2}


def test_a_space_survives_its_file():
    space = varied_demo()
    again = Space.model_validate_json(space.model_dump_json())
    assert again == space
    assert list(again.search.variants) == ["plain", "wide", "deep"]


def test_a_choice_survives_its_file():
    drawn = varied_demo().completed(choice("wide"))
    assert Choice.model_validate_json(drawn.model_dump_json()) == drawn
    assert drawn.recipe_text == (
        "variant wide, clips.min_scale 1.0, pass_2.learning_rate 0.001, pruning.norm l2"
    )


def test_nested_and_dotted_names_are_the_same():
    one = load_space("demo", ["search.settings={'pass_2.epochs'=[4, 8]}"])
    assert one == load_space("demo", ["search.settings.pass_2.epochs=[4, 8]"])


@pytest.mark.parametrize(
    ("left", "right", "shared"),
    [
        # Of pass 1, pass 2 and the pruning passes, what two settings share.
        (choice("plain"), choice("plain"), (True, True, True)),
        (choice("plain"), choice("wide"), (False, False, False)),
        (choice(clips__min_scale=0.5), choice(clips__min_scale=1.0), (False, False, False)),
        (choice(pass_2__learning_rate=1e-3), choice(pass_2__learning_rate=2e-3), (True, False, False)),
        (choice(pruning__norm="l2"), choice(pruning__norm="layer-mean"), (True, True, False)),
    ],
)
def test_settings_share_the_stages_that_are_the_same(left, right, shared):
    assert (left.flat == right.flat, left.prefix == right.prefix, left.chain == right.chain) == shared
    assert (left.effect == right.effect) is shared[2]


def test_how_to_prune_does_not_matter_where_nothing_is_pruned():
    one, other = (choice(passes=0, pruning__norm=norm) for norm in ("l2", "layer-mean"))
    assert one.effect == other.effect


def test_every_recognizer_is_listed_once():
    space = load_space("demo", [*VARIANTS, "search.settings.recognizer.width=[0.125, 0.25]"])
    networks = space.networks()
    assert list(networks) == [
        f"variant {variant}, recognizer.width {width}"
        for variant in ("plain", "wide", "deep")
        for width in (0.125, 0.25)
    ]
    recognizers = [space.setting(flat, seed=0).recognizer for flat in networks.values()]
    assert [(each.name, each.width) for each in recognizers] == [
        *(("inflated-resnet18", 0.125), ("inflated-resnet18", 0.25)) * 2,
        *(("inflated-resnet34", 0.125), ("inflated-resnet34", 0.25)),
    ]
    assert [flat.variant for flat in space.flat_choices()] == ["plain", "wide", "deep"]


@pytest.mark.parametrize(
    ("overrides", "shares"),
    [
        (VARIANTS[:1], True),
        (VARIANTS, False),
        (SETTINGS[:1], False),
        (SETTINGS[1:], True),
    ],
)
def test_pass_1_is_for_all_unless_something_of_it_is_drawn(overrides, shares):
    assert load_space("demo", overrides).shares_pass_1 is shares


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("wide.recognizer.widht=2",), "'wide': unknown setting 'recognizer.widht': did you mean 'width'"),
        (("wide.recognizr.width=2",), "'wide': trials may differ in settings of .*: did you mean 'recog"),
        (("wide.clips=2",), "variant 'wide': trials may differ .* but got 'clips': write GROUP.SETTING"),
        (("wide.recognizer.width=0",), r"variant 'wide': recognizer\.width: Input should be greater than 0"),
        (("wide.search.levels=1",), "variant 'wide': trials may differ in settings of recognizer, clips"),
        (("a.recognizer.name=st-gcn",), "variant 'a': st-gcn reads skeletons, but clips.form is 'frames'"),
        (("a.clips.modality=depth",), "variant 'a': all trials of a sweep read the same .*'depth', not None"),
        (("'a b'={}",), "String should match pattern"),
        (("each={}",), "a variant's name must not stand for trials, as 'each' does"),
        (("t0007={}",), "a variant's name must not stand for trials, as 't0007' does"),
        (("a.clips.flip=1979-05-27",), r"search\.variants\.a: clips\.flip must be a number, a text, true"),
    ],
)  # fmt: skip
def test_a_wrong_variant_is_told_by_its_name(overrides, told):
    with pytest.raises(InputError, match=told) as caught:
        load_space("demo", [f"search.variants.{override}" for override in overrides])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("pass_2.epoch=[2, 3]",), "settings: unknown setting 'pass_2.epoch': did you mean 'epochs'"),
        (("pass2.epochs=[2, 3]",), "trials may differ .* but got 'pass2.epochs': did you mean 'pass_2'"),
        (("epochs=[2, 3]",), "but got 'epochs': write GROUP.SETTING"),
        (("pass_2.epochs=[2, 0]",), r"settings: pass_2\.epochs: Input should be greater than 0"),
        (("pass_2.epochs=[2, 2.5]",), r"settings: pass_2\.epochs: Input should be a valid integer"),
        (("pass_2.epochs=[2, 2]",), r"the values of pass_2\.epochs in search\.settings must differ"),
        (("pass_2.epochs=[]",), r"search\.settings\.pass_2\.epochs: Tuple should have at least 1 item"),
        (("pass_2.epochs=2",), r"search\.settings\.pass_2\.epochs: Input should be a valid tuple"),
        (("recognizer.name=['inflated-resnet34']",), r"cannot hold recognizer\.name: write \[search\.var"),
        (("clips.modality=['rgb']",), r"search\.settings cannot hold clips\.modality"),
        (("pass_2.epochs=[2, '4']",), r"settings: pass_2\.epochs must be written as 4, but got '4'"),
        # Each size fits some crop, but not every one.
        (("clips.resize_px=[64, 128]", "clips.crop_px=[56, 112]"), "crop_px <= resize_px .* got 112 > 64"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_told(overrides, told):
    with pytest.raises(InputError, match=told):
        load_space("demo", [f"search.settings.{override}" for override in overrides])


def test_a_table_may_lie_beside_what_the_space_has():
    # A crop of 112 fits no frame of the demo's own 64, but all that can be drawn.
    space = load_space("demo", ["search.settings={'clips.crop_px'=[100, 112], 'clips.resize_px'=[112, 128]}"])
    assert space.setting(choice(), seed=0).clips.resize_px == 112


def test_a_setting_must_be_known_to_every_variant():
    skeletons = "search.variants.graph={clips={form='skeletons'}, recognizer={name='st-gcn'}}"
    with pytest.raises(InputError, match=r"settings of variant 'graph': unknown setting 'clips\.min_scale'"):
        load_space("demo", [VARIANTS[0], skeletons, SETTINGS[0]])


def test_a_variant_cannot_set_what_is_searched_to_another_value():
    told = r"variant 'deep': pass_2\.epochs is searched, .* but got 4, not one of \[8, 16\]"
    with pytest.raises(InputError, match=told):
        load_space("demo", [*VARIANTS, "search.settings.pass_2.epochs=[8, 16]"])


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ("variant='broad'", "variant 'broad' is not in search.variants"),
        ("settings={pass_2.epochs=8}", "pass_2.epochs 8 is not in search.settings"),
        ("settings={clips.min_scale=0.6}", "clips.min_scale 0.6 is not in search.settings"),
    ],
)
def test_known_settings_must_be_ones_that_can_be_drawn(known, told):
    values = "source='hand', superclasses=[2, 4], weight_ratio=0.5, scope='by-layer', ratio=0.1, passes=1"
    with pytest.raises(InputError, match=told):
        varied_demo(f"known=[{{{values}, {known}}}]")
    allowed = varied_demo(f"known=[{{{values}, variant='wide', settings={{clips.min_scale=0.5}}}}]")
    assert allowed.completed(allowed.known[0].as_choice()).variant == "wide"


def test_a_single_run_names_its_variant_and_settings():
    drawn = load_choice(varied_demo(), ["variant=wide", "settings={pass_2.learning_rate=2e-3}"])
    assert (drawn.variant, drawn.settings) == ("wide", (("pass_2.learning_rate", 2e-3),))
    # It is bound to no table.
    free = load_choice(varied_demo(), ["settings={pass_2.learning_rate=3e-3, pass_1.epochs=1}"])
    setting = varied_demo().setting(free, seed=0)
    assert (setting.pass_2.learning_rate, setting.pass_1.epochs) == (3e-3, 1)


VARIED_FILE = """
name = "own"
dataset = "demo"
num_classes = 12
[search]
levels = 2
variants.plain = {}
variants.deep = { recognizer = { name = "inflated-resnet34", width = 0.125 }, "pass_1.epochs" = 9 }
settings = { "clips.min_scale" = [0.7, 0.8], pass_2 = { learning_rate = [1e-3, 2e-3] } }
[[known]]
source = "hand"
superclasses = [2, 4]
weight_ratio = 0.5
scope = "by-layer"
ratio = 0.1
passes = 1
variant = "deep"
settings = { clips = { min_scale = 0.8 }, "pass_2.learning_rate" = 2e-3 }
"""


def varied_file(folder, *overrides):
    (folder / "own.toml").write_text(VARIED_FILE)
    return load_space(str(folder / "own.toml"), overrides)


def test_what_is_overridden_holds_for_every_trial(tmp_path):
    as_written = varied_file(tmp_path)
    setting = as_written.setting(as_written.known[0].as_choice(), seed=0)
    assert (setting.recognizer.width, setting.pass_1.epochs, setting.clips.min_scale) == (0.125, 9, 0.8)
    changed = ["recognizer.width=0.5", "clips.min_scale=0.6", "pass_1.epochs=2"]
    space = varied_file(tmp_path, *changed)
    deep = (("recognizer.name", "inflated-resnet34"), ("recognizer.width", 0.5))
    assert space.search.variants == {"plain": (), "deep": deep}
    assert space.search.settings == {"pass_2.learning_rate": (1e-3, 2e-3)}
    for drawn in (load_choice(space, []), space.known[0].as_choice(), choice("deep")):
        setting = space.setting(drawn, seed=0)
        assert (setting.recognizer.name, setting.recognizer.width) == ("inflated-resnet34", 0.5)
        assert (setting.clips.min_scale, setting.pass_1.epochs) == (0.6, 2)
    assert dict(load_choice(space, []).settings) == {"pass_2.learning_rate": 2e-3}


def test_a_group_that_is_overridden_holds_as_a_whole(tmp_path):
    space = varied_file(tmp_path, "recognizer={name='inflated-resnet18', width=0.25}")
    assert space.search.variants["deep"] == (("pass_1.epochs", 9),)
    # What is overridden in a variant itself is its own.
    space = varied_file(tmp_path, "pass_1.epochs=2", "search.variants.deep.pass_1.epochs=3")
    assert dict(space.search.variants["deep"])["pass_1.epochs"] == 3


def test_what_another_recognizer_lacks_is_left_to_the_own_one(tmp_path):
    path = tmp_path / "two.toml"
    own = '[clips]\nform = "skeletons"\n[recognizer]\nname = "tcn"\n'
    other = 'variants.deep = { recognizer = { name = "st-gcn" } }'
    path.write_text(
        f'name = "two"\ndataset = "demo"\nnum_classes = 12\n{own}[search]\nlevels = 2\n'
        f"variants.plain = {{}}\n{other}\n"
    )
    space = load_space(str(path), ["recognizer.num_blocks=3", "recognizer.width=0.25"])
    plain, deep = (space.setting(choice(name), seed=0).recognizer for name in ("plain", "deep"))
    assert (plain.name, plain.num_blocks, plain.width) == ("tcn", 3, 0.25)
    assert (deep.name, deep.width) == ("st-gcn", 0.25)


def test_a_sweep_is_of_variants_that_differ(tmp_path):
    space = varied_file(tmp_path, "recognizer={name='inflated-resnet18', width=0.25}", "pass_1.epochs=2")
    values = {"name": "s", "study_name": "s", "trials": 2, "data_folder": "d", "stage_folder": "s"}
    with pytest.raises(InputError, match="space: variants plain and deep must differ: leave"):
        validate(SweepPlan, values | {"space": space}, origin="search")
    differing = varied_file(tmp_path, "pass_1.epochs=2")
    assert validate(SweepPlan, values | {"space": differing}, origin="search").space == differing


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("variant=wode", "unknown variant, but got 'wode': did you mean 'wide'"),
        ("settings={pass_2.epoch=2}", "settings of variant 'plain': unknown setting 'pass_2.epoch'"),
    ],
)
def test_a_single_run_that_cannot_be_is_told(own, told):
    space = varied_demo()
    with pytest.raises(InputError, match=told):
        space.setting(load_choice(space, [own]), seed=0)
    with pytest.raises(InputError, match="unknown variant, but got 'wide': the space has none"):
        load_space("demo").setting(choice("wide"), seed=0)


def test_settings_of_a_single_run_are_a_table():
    with pytest.raises(InputError, match="demo, one setting: settings: Input should be a valid tuple"):
        load_choice(varied_demo(), ["settings=3"])


def test_weights_of_a_variant_are_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variants = dict(load_space("demo", ["search.variants.a.recognizer.weights=w.pth"]).search.variants["a"])
    assert variants == {"recognizer.weights": str(tmp_path / "w.pth")}


def test_without_superclasses_their_weight_says_nothing():
    flat = [FLAT_CHOICE.model_copy(update={"weight_ratio": ratio}) for ratio in (0.5, 1.0)]
    assert flat[0].effect == flat[1].effect
    with_some = [one.model_copy(update={"superclasses": (2,)}) for one in flat]
    assert with_some[0].effect != with_some[1].effect
