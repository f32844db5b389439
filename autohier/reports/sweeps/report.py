"""Report of a sweep: its leaderboard, best config, accuracy after each part of the method, and test results.

It depends only on the records. Two accuracies are within noise if `records.statistics.within_noise` says so.
"""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.records.statistics import within_noise
from autohier.reports.evaluations.levels import best_levels, best_pathways
from autohier.reports.evaluations.test_results import evaluations_text
from autohier.reports.text import count_text, percent
from autohier.reports.trials.confirmation import confirmation_text
from autohier.reports.trials.front import front_report
from autohier.reports.trials.leaderboard import leaderboard
from autohier.reports.unfinished import unfinished_text
from autohier.text import plural

NO_COMPLETE_TRIAL = "no trial is complete yet"


def sweep_report(records: Records, *, limit: int | None = None, is_driven: bool = True) -> Group:
    """Return the leaderboard, the front of a search that seeks one, and the best config with its results.

    Args:
        records: records of one sweep.
        limit: maximum number of leaderboard rows; None shows all.
        is_driven: whether the sweep has a driver; without one its unfinished trials do not run.
    """
    texts = (
        unfinished_text(records),
        best_config(records),
        accuracy_steps(records),
        best_levels(records),
        best_pathways(records),
        confirmation_text(records),
        evaluations_text(records),
    )
    parts = (Text(text) for text in dict.fromkeys(texts) if text)
    table = leaderboard(records, limit=limit, is_driven=is_driven)
    if records.second_objective is None:
        return Group(table, Text(), *parts)
    return Group(table, Text(), front_report(records), Text(), *parts)


def best_config(records: Records) -> str:
    """Return the hyperparameters of the best trial, in one sentence."""
    ranked = records.ranked()
    if not ranked and records.over_bound():
        return f"no complete trial is within {count_text(records.max_multiply_adds)} multiply-adds"
    if not ranked:
        return NO_COMPLETE_TRIAL
    best = ranked[0]
    searched = params_of(best).variant_text
    return (
        f"best config: {best.trial} ({best.source}): {f'{searched}, ' if searched else ''}"
        f"superclasses {best.superclasses or 'none'}, weight ratio {best.weight_ratio:.4g} "
        f"(stack weights {best.stack_weights}), pruning scope {best.scope}, pruning ratio {best.ratio:.4g}, "
        f"{_kept_text(best)}, seed {best.seed}"
    )


def accuracy_steps(records: Records) -> str:
    """Return the best trial's validation accuracy after each part of the method, and the pruned cost."""
    ranked = records.ranked()
    if not ranked:
        return ""
    best = ranked[0]
    pass_1, pass_2, num_clips = best.pass_1_accuracy, best.pass_2_accuracy, best.num_validation_clips
    flat, chain = records.stages_of(best.trial)[:1], records.chain_of(best.trial)[:1]
    first, second = flat[0].label if flat else "pass 1", chain[0].label if chain else "pass 2"
    steps = f"validation accuracy: {first} {_share_text(pass_1)} -> {second} {_share_text(pass_2)}"
    steps += f"{_difference(pass_1, pass_2, num_clips)} -> {_chain_text(best, second)}"
    if best.kept_pass:
        steps += f" {_share_text(best.accuracy)}{_difference(pass_2, best.accuracy, num_clips)}"
    if best.dense_parameters is None:
        return steps
    if (best.parameters, best.multiply_adds) == (best.dense_parameters, best.dense_multiply_adds):
        cost = f"{count_text(best.parameters)} parameters, {count_text(best.multiply_adds)} multiply-adds"
        return f"{steps}; {cost}"
    return (
        f"{steps}; parameters {count_text(best.dense_parameters)} -> {count_text(best.parameters)}, "
        f"multiply-adds {count_text(best.dense_multiply_adds)} -> {count_text(best.multiply_adds)}"
    )


def _chain_text(best: TrialRow, second: str) -> str:
    """Return what the kept passes of a chain did; a ratio of 0 retrains without pruning.

    Args:
        best: the trial.
        second: label of the unpruned pass of the chain, e.g. "pass 2".
    """
    if best.kept_pass:
        verb = "pruned" if best.ratio else "retrained without pruning"
        return f"{verb} ({plural(best.kept_pass, 'pass', 'passes')})"
    if not best.passes:
        return f"{second} kept, as the config has no pruning pass"
    return f"{second} kept, as no {'pruning pass' if best.ratio else 'retraining'} was better"


def _kept_text(best: TrialRow) -> str:
    if best.kept_pass:
        return f"kept pruning pass {best.kept_pass} of at most {best.passes}"
    if not best.passes:
        return "no pruning pass"
    return f"none of at most {plural(best.passes, 'pruning pass', 'pruning passes')} kept"


def _share_text(share: float | None) -> str:
    return "unknown" if share is None else percent(share)


def _difference(before: float | None, after: float | None, num_clips: int | None) -> str:
    """Return a difference in parentheses; empty if an accuracy is lost with the trial's records."""
    if before is None or after is None:
        return ""
    is_noise = num_clips is not None and within_noise(before, after, num_clips)
    return f" ({100 * (after - before):+.1f} points{', within noise' if is_noise else ''})"
