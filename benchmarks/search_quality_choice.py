"""Delivery of a network from a simulated sweep, for `search_quality.py`.

Four rules choose a network: ``highest``, the complete trial with the highest measured accuracy; ``model``,
the complete trial whose kept pass has the highest estimate of `autohier.sweep.choice`; ``cautious``, as a
sweep does it, the same, but the first initial config if it is not better with enough certainty; and ``any
pass``, the measured network with the highest estimate, also of a stopped trial or of another pass.
With confirmation, the four best networks and the first initial config are trained with two fresh seeds, and
their measurements decide: the fresh seeds alone (``fresh``), or a model of all (``pooled``), or the same with
the rule ``cautious``. Two controls are trained with the winner's seeds: the *control*, its config
without pruning and with as many passes, and the *flat* recognizer, also without superclasses. A gain is
claimed as a sweep's report does it: if the 95% interval of the paired differences between fresh seeds lies
above 0, of the winner against either control or between the two. One over the first initial config, a nominee
itself, is claimed if the interval that holds for all nominees at once does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean
from typing import Literal

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.pruning import StopRule
from autohier.digest import derive_seed
from autohier.records.statistics import paired_difference
from autohier.sweep.choice.confirmation import controls
from autohier.sweep.choice.estimates import choose
from autohier.sweep.choice.measured import Measured, measured_by_trial, network_of
from autohier.sweep.planning.simulation.results import EndedTrial
from autohier.sweep.planning.simulation.surrogate import NoisyWorld

Rule = Literal["highest", "model", "cautious", "any pass"]
Decision = Literal["fresh", "pooled", "cautious"]
RULES: tuple[Rule, ...] = ("highest", "model", "cautious", "any pass")
CONFIRMED_RULES: tuple[Rule, ...] = ("highest", "model")
"""Rules whose nominees are confirmed."""
DECISIONS: tuple[Decision, ...] = ("fresh", "pooled", "cautious")


@dataclass(frozen=True, slots=True)
class Network:
    """A config after a number of pruning passes."""

    params: Hyperparameters
    pass_index: int
    observed: float

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for networks that are trained alike."""
        return network_of(self.params, self.pass_index)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The result of a confirmation."""

    network: Network
    """Its observed value is the mean over the fresh seeds."""
    epochs: int
    """Of all confirmed networks and the control."""
    claims_gain: bool
    """Whether a gain over a control, or of one control over the other, is claimed."""
    claims_over_first: bool
    """Whether a gain over the first initial config is claimed."""


def choose_network(
    rule: Rule, trials: Sequence[EndedTrial], space: SearchSpace, num_clips: int
) -> list[Network]:
    """Return networks of a sweep, best first."""
    stop_rule = StopRule(ties=space.pruning.ties)
    if rule == "highest":
        return _by_highest(trials, stop_rule)
    among = None
    if rule in {"model", "cautious"}:
        complete = [trial for trial in trials if trial.is_complete]
        among = frozenset(
            network_of(trial.config.params, stop_rule.best_pass(trial.chain)) for trial in complete
        )
    choice = choose(measured_in(trials, space), num_clips, among=among)
    networks = [Network(one.params, one.pass_index, one.observed) for one in choice.candidates]
    first = first_network(trials, space).identity
    if rule == "cautious" and choice.prefers(first):
        networks.sort(key=lambda one: one.identity != first)
    return networks


def _by_highest(trials: Sequence[EndedTrial], rule: StopRule) -> list[Network]:
    complete = [trial for trial in trials if trial.is_complete]
    values: dict[object, list[float]] = {}
    for trial in complete:
        values.setdefault(trial.config.params.effect, []).append(max(trial.chain))
    ranked = sorted(complete, key=lambda one: (mean(values[one.config.params.effect]), max(one.chain)))
    networks: dict[object, Network] = {}
    for trial in reversed(ranked):
        params = trial.config.params
        network = Network(params, rule.best_pass(trial.chain), mean(values[params.effect]))
        networks.setdefault(network.identity, network)
    return list(networks.values())


def measured_in(trials: Sequence[EndedTrial], space: SearchSpace) -> list[Measured]:
    """Return the chains of all trials, and the value a quarter through pass 2 if any trial was stopped."""
    rung = max(2, space.pass_2.epochs // 4)
    has_rungs = any(not trial.is_complete for trial in trials)
    measured = []
    for number, trial in enumerate(trials):
        rungs = {rung: trial.curve[rung - 1]} if has_rungs and len(trial.curve) >= rung else {}
        measured += measured_by_trial(
            f"t{number:04}", trial.config.params, trial.config.seed, trial.chain, rungs
        )
    return measured


def first_network(trials: Sequence[EndedTrial], space: SearchSpace) -> Network:
    """Return the network of the first initial config, at the pass that the search would keep."""
    first = space.config(space.initial[0].as_params(), seed=0).params
    own = [trial for trial in trials if trial.config.params.effect == first.effect and trial.chain]
    if not own:
        return Network(first, 0, 0.0)
    chain = own[0].chain
    return Network(first, StopRule(ties=space.pruning.ties).best_pass(chain), max(chain))


def refit_epochs(space: SearchSpace, network: Network) -> int:
    """Return the epochs that the refit of a network trains."""
    return space.pass_1.epochs + space.pass_2.epochs + network.pass_index * space.pruning.epochs


def confirm(
    ranked: Sequence[Network],
    first: Network,
    trials: Sequence[EndedTrial],
    space: SearchSpace,
    surrogate: NoisyWorld,
    *,
    nominees: int = 4,
    seeds: int = 2,
    share_stages: bool = True,
) -> dict[Decision, Confirmed]:
    """Train the best networks and the first with fresh seeds; return what each way to decide delivers.

    Args:
        ranked: networks of the search, best first.
        first: network of the first initial config, always a candidate.
        trials: of the search.
        space: the search space.
        surrogate: measures the networks.
        nominees: number of networks that are confirmed next to the first.
        seeds: number of fresh seeds.
        share_stages: fresh runs share their stages with each other.
    """
    networks = {one.identity: one for one in [*ranked[:nominees], first]}
    sweep_seed = trials[0].config.seed
    fresh_seeds = [derive_seed(sweep_seed, "confirm", number) for number in range(seeds)]
    fresh = {
        key: [surrogate.value(one.params, seed, one.pass_index) for seed in fresh_seeds]
        for key, one in networks.items()
    }
    best = max(networks, key=lambda key: mean(fresh[key]))
    chains = [
        measured_by_trial(
            f"c{number}",
            one.params,
            seed,
            [surrogate.value(one.params, seed, k) for k in range(one.pass_index + 1)],
            {},
        )
        for number, one in enumerate(networks.values())
        for seed in fresh_seeds
    ]
    everything = [*measured_in(trials, space), *(one for chain in chains for one in chain)]
    num_clips = surrogate.world.regime.num_validation_clips
    choice = choose(everything, num_clips, among=frozenset(networks))
    estimated = choice.candidates[0]
    pooled = network_of(estimated.params, estimated.pass_index)

    def confirmed(key: tuple[object, ...]) -> Confirmed:
        one = networks[key]
        rivals = [
            Network(params, one.pass_index, 0.0)
            for params in controls(one.params.model_copy(update={"passes": one.pass_index})).values()
        ]
        trained = {**networks, **{each.identity: each for each in rivals}}
        return Confirmed(
            Network(one.params, one.pass_index, mean(fresh[key])),
            confirmation_epochs(space, list(trained.values()), seeds, share_stages=share_stages),
            _claims_gain([one, *rivals], surrogate, fresh_seeds, choice.run_sd),
            one.identity != first.identity
            and _claims_gain([one, first], surrogate, fresh_seeds, choice.run_sd, len(networks)),
        )

    cautious = first.identity if choice.prefers(first.identity) else pooled
    return {"fresh": confirmed(best), "pooled": confirmed(pooled), "cautious": confirmed(cautious)}


def _claims_gain(
    compared: Sequence[Network],
    surrogate: NoisyWorld,
    seeds: Sequence[int],
    run_sd: float,
    num_compared: int = 1,
) -> bool:
    """Return whether one of several networks is shown to be better than one that follows it."""
    values = [[surrogate.value(one.params, seed, one.pass_index) for seed in seeds] for one in compared]
    return any(
        paired_difference(list(zip(own, other, strict=True)), (), run_sd, num_compared).is_gain
        for own, other in combinations(values, 2)
    )


def confirmation_epochs(
    space: SearchSpace, networks: Sequence[Network], seeds: int, *, share_stages: bool
) -> int:
    """Return the epochs of a confirmation: shared stages count once for each seed."""
    if not share_stages:
        return seeds * sum(refit_epochs(space, one) for one in networks)
    prefixes = {one.params.prefix for one in networks}
    passes = {(one.params.chain, k) for one in networks for k in range(1, one.pass_index + 1)}
    stages = space.pass_1.epochs + len(prefixes) * space.pass_2.epochs + len(passes) * space.pruning.epochs
    return seeds * stages
