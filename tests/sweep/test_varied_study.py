"""The study of a space that searches recognizer and training: what it draws, and what trials share."""

from autohier.settings.choice import Choice
from autohier.sweep.coding import decode
from autohier.sweep.halving import Halving, Ladder
from autohier.sweep.storage import open_storage
from autohier.sweep.study import Measured, SweepStudy
from plans import make_plan
from varied_spaces import varied_demo

LADDER = Ladder(epochs=(2,), shares=(0.25, 0.5, 0.75, 1.0))
KNOWN = "source='hand', superclasses=[2, 4], weight_ratio=0.5, scope='by-layer', ratio=0.1, passes=2"


def open_study(tmp_path, *overrides, **changes):
    plan = make_plan(tmp_path, space=varied_demo(*overrides), **changes)
    return SweepStudy(plan, open_storage(None, tmp_path / "study.journal"))


def tell(study, asked, chain):
    steps = {study.ladder.pass_step(k): max(chain[: k + 1]) for k in range(len(chain))}
    study.tell_complete(asked, Measured(chain, steps), {})


def choice(variant="plain", rate=1e-3, norm="l2"):
    return Choice(
        superclasses=(2, 4),
        weight_ratio=0.5,
        scope="by-layer",
        ratio=0.1,
        passes=2,
        variant=variant,
        settings={"pass_2.learning_rate": rate, "pruning.norm": norm},
    )


def test_a_trial_has_what_it_drew_and_the_next_driver_knows_it(tmp_path):
    known = f"known=[{{{KNOWN}, variant='deep', settings={{pruning.norm='layer-mean'}}}}]"
    asked = open_study(tmp_path, known).ask()
    assert (asked.setting.recognizer.name, asked.setting.pass_2.epochs) == ("inflated-resnet34", 4)
    assert asked.setting.pruning.norm == "layer-mean"
    assert asked.trial.user_attrs["choice"]["variant"] == "deep"
    study = open_study(tmp_path, known)
    study.reconcile()
    assert study.ask().setting == asked.setting == study.setting(0)


def test_nothing_of_it_is_told_where_nothing_of_it_is_drawn(tmp_path):
    study = SweepStudy(make_plan(tmp_path), open_storage(None, tmp_path / "study.journal"))
    assert study.ask().trial.user_attrs["choice"].keys() == {
        *("superclasses", "weight_ratio", "scope", "ratio", "passes"),
    }


def test_all_variants_and_values_are_drawn(tmp_path):
    study = open_study(tmp_path, trials=30)
    drawn = []
    while asked := study.ask():
        drawn.append(asked.setting.choice)
        tell(study, asked, [0.5 + 0.1 * (asked.setting.choice.variant == "wide")])
    assert {choice.variant for choice in drawn} == {"plain", "wide", "deep"}
    assert {dict(choice.settings)["clips.min_scale"] for choice in drawn} == {0.5, 0.75, 1.0}


def test_a_kept_prefix_keeps_all_that_pass_2_follows_from_and_no_more(tmp_path):
    study = open_study(tmp_path, "search.keep_prefix=1.0", trials=24)
    drawn = []
    while asked := study.ask():
        drawn.append((asked.source, asked.setting.choice))
        tell(study, asked, [0.5 + asked.setting.choice.weight_ratio / 10])
    kept = [(place, choice) for place, (source, choice) in enumerate(drawn) if source == "drawn, prefix kept"]
    assert len(kept) > 8
    for place, choice in kept:
        assert choice.prefix in {earlier.prefix for _, earlier in drawn[:place]}
    assert {dict(choice.settings)["pruning.norm"] for _, choice in kept} == {"l2", "layer-mean"}


def test_a_setting_whose_shorter_chain_is_known_under_another_way_to_prune_is_not_run(tmp_path):
    # Without a pass it does not matter how pruning ranks.
    known = [f"{{{KNOWN}, settings={{pruning.norm='{norm}'}}}}" for norm in ("l2", "layer-mean")]
    study = open_study(tmp_path, f"known=[{', '.join(known)}]", trials=2)
    tell(study, study.ask(), [0.5, 0.6, 0.4])
    other = study.ask().setting.choice
    assert study._ledger.is_known(other.model_copy(update={"passes": 0}))
    assert not study._ledger.is_known(other.model_copy(update={"passes": 1}))
    derived = [trial for trial in study._trials() if "derived_from" in trial.user_attrs]
    assert {dict(decode(study._plan.space, trial.params).settings)["pruning.norm"] for trial in derived} == {
        "l2"
    }


def test_variants_are_compared_with_each_other_and_count_for_themselves():
    halving = Halving(LADDER, {})
    assert halving.judge(choice("plain"), 0, 0.6) is None
    assert "not among the best 25% of 2 settings" in (halving.judge(choice("wide"), 0, 0.5) or "")
    assert "of 3 settings" in (halving.judge(choice("plain", rate=2e-3), 0, 0.5) or "")
    # How it prunes changes nothing of pass 2, and all of what comes after.
    layers = choice("plain", norm="layer-mean")
    assert halving.judge(layers, 0, 0.6) is None
    shared = [LADDER.arm(choice("plain"), step) == LADDER.arm(layers, step) for step in range(4)]
    assert shared == [True, True, False, False]
