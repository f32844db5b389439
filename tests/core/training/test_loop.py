"""The training loop: schedule, seeds, masks and divergence."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from autohier.core.hierarchy import Hierarchy
from autohier.core.training import loop
from autohier.core.training.checkpoint import EpochCheckpoint
from autohier.core.training.devices import open_device
from autohier.core.training.loop import train
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.optimizers import adam, sgd
from autohier.core.training.schedules import cosine, one_cycle, plateau, recorded_rates, warm_up
from autohier.errors import DivergedError
from support.fakes.fake_data_loader import FakeDataLoader
from support.networks.small_recognizers import CASES, build_small, small_batch

PLATEAU = partial(plateau, lr_patience=2, lr_factor=0.1)
RECIPE = {
    "schedule": PLATEAU,
    "optimizer": partial(adam, learning_rate=0.1),
    "seed": 5,
}


class OneHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 2)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, points):
        return [self.linear(points)]


class Frozen(OneHead):
    """Never gets better: its validation loss is the same for ever."""

    def forward(self, points):
        return [self.linear(points) * 0.0]


def make_loss(weights=(1.0,)):
    return HierarchicalLoss(Hierarchy.flat(2), weights, torch.device("cpu"))


def make_data_loader():
    return FakeDataLoader([-2.0, -1.0, 1.0, 2.0, 3.0, -3.0], [0, 0, 1, 1, 1, 0], batch_size=2)


def test_it_learns_and_reports_every_epoch():
    network, reported = OneHead(), []
    history = train(
        network,
        make_data_loader(),
        make_loss(),
        epochs=5,
        on_epoch=lambda metrics, *, reused: reported.append((metrics, reused)),
        **RECIPE,
    )
    assert reported == [(metrics, False) for metrics in history]
    assert [metrics.epoch for metrics in history] == [0, 1, 2, 3, 4]
    assert history[-1].loss < history[0].loss < math.log(2)
    assert history[-1].accuracy == 1.0
    assert history[0].num_clips == 6


def test_the_first_loss_is_that_of_untrained_scores():
    # With a vanishing rate nothing is learnt: both classes have probability 1/2 throughout.
    (metrics,) = train(
        OneHead(),
        make_data_loader(),
        make_loss((0.5,)),
        epochs=1,
        **(RECIPE | {"optimizer": partial(adam, learning_rate=1e-12)}),
    )
    assert metrics.stack_losses == pytest.approx((math.log(2),))
    assert metrics.loss == pytest.approx(0.5 * math.log(2))
    assert metrics.validation_loss == pytest.approx(0.5 * math.log(2))


def test_the_rate_drops_after_two_epochs_without_improvement():
    # Epoch 0 sets the best loss; epochs 1 and 2 do not improve, so epoch 3 has a tenth; 4 does not
    # improve either, so epoch 5 has a hundredth.
    history = train(Frozen(), make_data_loader(), make_loss(), epochs=6, **RECIPE)
    rates = [metrics.learning_rate for metrics in history]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01, 0.001])


def test_a_cosine_falls_to_zero_over_the_stage():
    # lr (1 + cos(pi e / E)) / 2 at the start of epoch e of E = 4.
    history = train(OneHead(), make_data_loader(), make_loss(), epochs=4, **{**RECIPE, "schedule": cosine})
    by_hand = [0.1 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert [metrics.learning_rate for metrics in history] == pytest.approx(by_hand)


def test_one_cycle_rises_and_falls_within_the_stage():
    # 4 epochs of 3 steps: from 0.1/25 up to 0.1 over the first three tenths of the 12 steps, which is
    # step 0.3 * 12 - 1 = 2.6, then down to 0.1/25/1e4 at step 11, both along half a cosine. Epochs start
    # at steps 0, 3, 6 and 9.
    def between(start, end, share):
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    history = train(OneHead(), make_data_loader(), make_loss(), epochs=4, **{**RECIPE, "schedule": one_cycle})
    falling = [between(0.1, 0.1 / 25 / 1e4, (step - 2.6) / (11 - 2.6)) for step in (3, 6, 9)]
    assert [metrics.learning_rate for metrics in history] == pytest.approx([0.1 / 25, *falling])


def test_recorded_rates_are_repeated():
    rates = (1e-2, 1e-3, 1e-5)
    schedule = partial(recorded_rates, rates=rates)
    history = train(Frozen(), make_data_loader(), make_loss(), epochs=3, **{**RECIPE, "schedule": schedule})
    assert tuple(metrics.learning_rate for metrics in history) == rates


def test_one_cycle_fits_the_shortest_stage():
    data_loader = FakeDataLoader([-1.0, 1.0], [0, 1], batch_size=2)
    train(OneHead(), data_loader, make_loss(), epochs=1, **{**RECIPE, "schedule": one_cycle})


def test_equal_seeds_give_equal_bits_and_epochs_differ():
    first, second, data_loader = OneHead(), OneHead(), make_data_loader()
    assert _untimed(train(first, data_loader, make_loss(), epochs=3, **RECIPE)) == _untimed(
        train(second, make_data_loader(), make_loss(), epochs=3, **RECIPE)
    )
    assert torch.equal(first.linear.weight, second.linear.weight)
    assert len(set(data_loader.seeds)) == 3


def test_what_holds_after_each_step_holds_at_the_end():
    network = OneHead()

    def hold():
        with torch.no_grad():
            network.linear.weight[0].zero_()

    train(network, make_data_loader(), make_loss(), epochs=2, after_step=hold, **RECIPE)
    assert network.linear.weight[0].item() == 0.0
    assert network.linear.weight[1].item() != 0.0


def test_a_loss_that_is_not_a_number_fails_the_trial():
    data_loader = make_data_loader()
    data_loader.points[0] = math.nan
    with pytest.raises(DivergedError, match=r"losses of epoch 1 must be finite, but got nan.*lower"):
        train(OneHead(), data_loader, make_loss(), epochs=3, **RECIPE)


class Attentive(OneHead):
    """Remembers how many clips it was given at a time, and the gradients of its weights."""

    def __init__(self):
        super().__init__()
        self.sizes, self.gradients = [], []

    def forward(self, points):
        self.sizes.append(len(points))
        return super().forward(points)

    def remember(self):
        grads = self.linear.weight.grad, self.linear.bias.grad
        self.gradients.append([grad.flatten().tolist() for grad in grads])


@pytest.mark.parametrize("micro_batches", [1, 2, 3, 5])
def test_the_parts_of_a_batch_weigh_by_their_clips(micro_batches):
    # Both classes have probability 1/2 at first. The gradient of class 1's weight is the mean of
    # (1/2 - [class is 1]) x = (-1/2 - 1 + 3) / 3, of its bias (-1/2 - 1/2 + 1/2) / 3; class 0 mirrors it.
    # Means of two halves, one of two clips and one of one, would give something else.
    network, data_loader = Attentive(), FakeDataLoader([1.0, 2.0, 6.0], [1, 1, 0], batch_size=3)
    (metrics,) = train(
        network,
        data_loader,
        make_loss((0.5,)),
        epochs=1,
        after_step=network.remember,
        micro_batches=micro_batches,
        **RECIPE,
    )
    ((weights, biases),) = network.gradients
    assert weights == pytest.approx([-0.25, 0.25])
    assert biases == pytest.approx([1 / 12, -1 / 12])
    assert metrics.stack_losses == pytest.approx((math.log(2),))
    parts = {1: [3], 2: [2, 1], 3: [1, 1, 1], 5: [1, 1, 1]}[micro_batches]
    assert network.sizes == 2 * parts  # in training and in validation


def test_batches_in_parts_train_as_whole_ones_do_within_rounding():
    whole, parts = OneHead(), OneHead()
    feeds = [FakeDataLoader([-2.0, -1.0, 1.0, 2.0, 3.0], [0, 1, 1, 1, 0], batch_size=3) for _ in range(2)]
    first = train(whole, feeds[0], make_loss(), epochs=5, **RECIPE)
    second = train(parts, feeds[1], make_loss(), epochs=5, micro_batches=2, **RECIPE)
    assert torch.allclose(whole.linear.weight, parts.linear.weight, rtol=1e-4)
    assert [m.loss for m in second] == pytest.approx([m.loss for m in first], rel=1e-5)
    assert [m.accuracy for m in second] == [m.accuracy for m in first]


class AdamByHand:
    """Adam (Kingma and Ba 2015, algorithm 1) from a network's own gradients, in float64."""

    def __init__(self, network, learning_rate):
        self.network, self.learning_rate, self.num_steps = network, learning_rate, 0
        self.places = {name: value.detach().double() for name, value in network.named_parameters()}
        self.means = {name: torch.zeros_like(place) for name, place in self.places.items()}
        self.squares = {name: torch.zeros_like(place) for name, place in self.places.items()}

    def step(self):
        self.num_steps += 1
        for name, parameter in self.network.named_parameters():
            gradient = parameter.grad.double()
            self.means[name] = 0.9 * self.means[name] + 0.1 * gradient
            self.squares[name] = 0.999 * self.squares[name] + 0.001 * gradient**2
            mean = self.means[name] / (1 - 0.9**self.num_steps)
            square = self.squares[name] / (1 - 0.999**self.num_steps)
            self.places[name] = self.places[name] - self.learning_rate * mean / (square.sqrt() + 1e-8)


@pytest.mark.parametrize("name", CASES)
def test_every_recognizer_takes_the_steps_of_adam_in_its_own_memory_order(name):
    device = open_device("cpu", precision="float32", deterministic=True, compile_network=False, num_threads=1)
    network, data_loader = device.prepare(build_small(name)), FakeDataLoader([0.0, 0.0], [3, 6], batch_size=2)
    data_loader.points = small_batch(name)
    levels = (0, 0, 0, 0, 1, 1, 1), (0, 0, 1, 1, 2, 2, 2), tuple(range(7))
    loss = HierarchicalLoss(Hierarchy(levels), (0.5, 0.5, 1.0), torch.device("cpu"))
    by_hand = AdamByHand(network, 1e-3)
    schedule = partial(plateau, lr_patience=9, lr_factor=0.1)
    recipe = RECIPE | {"optimizer": partial(adam, learning_rate=1e-3), "schedule": schedule}
    train(network, data_loader, loss, epochs=3, after_step=by_hand.step, **recipe)
    assert by_hand.num_steps == 3
    for weights, parameter in network.named_parameters():
        assert torch.allclose(parameter.double(), by_hand.places[weights], atol=1e-6), weights


class SgdByHand:
    """One weight and one bias per class, trained on one clip of class 1 at x = 1, in plain floats."""

    def __init__(self, *, nesterov, weight_decay, clip_norm):
        self.nesterov, self.weight_decay, self.clip_norm = nesterov, weight_decay, clip_norm
        self.places, self.steps = [0.0] * 4, [0.0] * 4  # weights of class 0 and 1, then biases

    def step(self):
        weight_0, weight_1, bias_0, bias_1 = self.places
        chance_1 = 1 / (1 + math.exp(weight_0 + bias_0 - weight_1 - bias_1))
        gradient = [1 - chance_1, chance_1 - 1, 1 - chance_1, chance_1 - 1]
        length = math.sqrt(sum(slope**2 for slope in gradient))
        if self.clip_norm is not None and length > self.clip_norm:
            gradient = [slope * self.clip_norm / length for slope in gradient]
        for index, clipped in enumerate(gradient):
            slope = clipped + self.weight_decay * self.places[index]
            self.steps[index] = 0.9 * self.steps[index] + slope
            ahead = slope + 0.9 * self.steps[index] if self.nesterov else self.steps[index]
            self.places[index] -= 0.1 * ahead


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
@pytest.mark.parametrize("clip_norm", [None, 0.5, 40.0])
def test_sgd_takes_the_steps_computed_by_hand(nesterov, weight_decay, clip_norm):
    network, data_loader = OneHead(), FakeDataLoader([1.0], [1], batch_size=1)
    by_hand = SgdByHand(nesterov=nesterov, weight_decay=weight_decay, clip_norm=clip_norm)
    builder = partial(sgd, learning_rate=0.1, weight_decay=weight_decay, nesterov=nesterov)
    recipe = RECIPE | {"optimizer": builder, "schedule": partial(plateau, lr_patience=9, lr_factor=0.1)}
    train(network, data_loader, make_loss(), epochs=4, after_step=by_hand.step, clip_norm=clip_norm, **recipe)
    found = [*network.linear.weight.flatten().tolist(), *network.linear.bias.tolist()]
    assert found == pytest.approx(by_hand.places, rel=1e-5)


def test_the_first_step_of_clipped_nesterov_sgd():
    # Every class has probability 1/2, so that the gradient is +-1/2 in all four places, of norm 1. Clipped to
    # 1/2 it is +-1/4, and Nesterov's step from rest is 0.1 (1 + 0.9) / 4.
    network, data_loader = OneHead(), FakeDataLoader([1.0], [1], batch_size=1)
    recipe = RECIPE | {"optimizer": partial(sgd, learning_rate=0.1)}
    train(network, data_loader, make_loss(), epochs=1, clip_norm=0.5, **recipe)
    assert network.linear.weight.flatten().tolist() == pytest.approx([-0.0475, 0.0475])


@pytest.mark.parametrize(
    ("num_epochs", "shares"),
    [(3, [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1]), (9, [1 / 4, 2 / 4, 3 / 4, 1, 1, 1, 1, 1])],
)
def test_a_warm_up_scales_the_first_epochs_at_most_half_of_them(num_epochs, shares):
    schedule = partial(warm_up, schedule=cosine, warmup_epochs=num_epochs)
    history = train(OneHead(), make_data_loader(), make_loss(), epochs=8, **(RECIPE | {"schedule": schedule}))
    cosines = [0.1 * (1 + math.cos(math.pi * epoch / 8)) / 2 for epoch in range(8)]
    by_hand = [rate * share for rate, share in zip(cosines, shares, strict=True)]
    assert [metrics.learning_rate for metrics in history] == pytest.approx(by_hand)


def test_a_warm_up_of_five_epochs_begins_at_a_fifth_of_the_rate():
    schedule = partial(warm_up, schedule=PLATEAU, warmup_epochs=5)
    history = train(
        OneHead(), make_data_loader(), make_loss(), epochs=10, **(RECIPE | {"schedule": schedule})
    )
    assert [metrics.learning_rate for metrics in history[:6]] == pytest.approx(
        [0.02, 0.04, 0.06, 0.08, 0.1, 0.1]
    )


class Dropping(OneHead):
    """Drops half of its inputs in training, and remembers what it reads."""

    def __init__(self):
        super().__init__()
        self.dropout, self.read = nn.Dropout(0.5), []

    def forward(self, points):
        dropped = self.dropout(points)
        if self.training:
            self.read += dropped.flatten().tolist()
        return super().forward(dropped)


def test_dropout_follows_from_the_seed_also_after_an_interruption(tmp_path):
    whole, cut, other = Dropping(), Dropping(), Dropping()
    given = {"epochs": 4, **RECIPE}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    expected = train(whole, make_data_loader(), make_loss(), **given)
    assert torch.equal(torch.get_rng_state(), state)
    assert set(whole.read) == {0.0, -4.0, -2.0, 2.0, 4.0, 6.0, -6.0}  # of -2, -1, 1, 2, 3 and -3

    torch.manual_seed(2)
    checkpoint = EpochCheckpoint(tmp_path / "epochs")
    with pytest.raises(KeyboardInterrupt, match="cut"):
        train(cut, make_data_loader(), make_loss(), on_epoch=_end, checkpoint=checkpoint, **given)
    history = train(cut, make_data_loader(), make_loss(), checkpoint=checkpoint, **given)
    assert _untimed(history) == _untimed(expected)
    assert cut.linear.weight.equal(whole.linear.weight)
    train(other, make_data_loader(), make_loss(), **(given | {"seed": 6}))
    assert other.read != whole.read


def _end(metrics, *, reused):  # noqa: ARG001
    if metrics.epoch == 1:
        raise KeyboardInterrupt("cut")


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": partial(sgd, learning_rate=0.1)},
        {"optimizer": partial(sgd, learning_rate=0.1, momentum=0.0, nesterov=False)},
        {"schedule": partial(warm_up, schedule=PLATEAU, warmup_epochs=3)},
    ],
)
def test_other_recipes_continue_with_the_same_bits_after_an_interruption(tmp_path, changes):
    given = {"epochs": 7} | RECIPE | changes
    whole, cut, checkpoint = OneHead(), OneHead(), EpochCheckpoint(tmp_path / "epochs")
    expected = train(whole, make_data_loader(), make_loss(), **given)
    with pytest.raises(KeyboardInterrupt, match="cut"):
        train(cut, make_data_loader(), make_loss(), on_epoch=_end, checkpoint=checkpoint, **given)
    history = train(cut, make_data_loader(), make_loss(), checkpoint=checkpoint, **given)
    assert _untimed(history) == _untimed(expected)
    assert [each.learning_rate for each in history] == [each.learning_rate for each in expected]
    assert cut.linear.weight.equal(whole.linear.weight)


def _untimed(history):
    return [(metrics.loss, metrics.validation_loss, metrics.stack_accuracies) for metrics in history]


def test_the_time_until_a_batch_is_there_is_waiting(monkeypatch):
    # Two batches are there after 1 and 2 s, and the end of the epoch after 4; steps take 10 s each.
    times = iter([0.0, 1.0, 11.0, 13.0, 23.0, 27.0])
    monkeypatch.setattr(loop.time, "perf_counter", times.__next__)
    batches = loop._Batches(iter([("clips", "labels"), ("more", "labels")]))
    assert list(batches) == [("clips", "labels"), ("more", "labels")]
    assert batches.waited_s == 1 + 2 + 4
