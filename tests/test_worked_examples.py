"""Worked examples from tutorials: the numbers that are right come out, the wrong ones do not.

The numbers stand in `worked_examples.json`, one key per example.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import autograd_engine as ae
from autograd_engine import Value
from autograd_engine.registry import TABLE
from nn import MLP, SGD, Neuron, half_squared_error, softmax_cross_entropy, squared_error

EXAMPLES: dict[str, Any] = json.loads(
    Path(__file__).with_name("worked_examples.json").read_text(encoding="utf-8")
)

# --- a sigmoid network with two hidden layers, one full cycle -------------------------------------

CYCLE = EXAMPLES["sigmoid network 2-3-2-1"]
LAYERS = (("1", "2"), ("3", "4", "5"), ("6", "7"), ("8",))
EDGES = [
    [[f"w{source}{target}" for source in sources] for target in targets]
    for sources, targets in itertools.pairwise(LAYERS)
]
EDGE_NAMES = [name for layer in EDGES for neuron in layer for name in neuron]


def sigmoid_network(weights: dict[str, float]) -> MLP:
    rows = [[[weights[name] for name in neuron] for neuron in layer] for layer in EDGES]
    return MLP.from_weights(rows, activation="sigmoid", output="sigmoid")


def named_weights(model: MLP) -> dict[str, float]:
    return {name: p.data for name, p in zip(EDGE_NAMES, model.parameters(), strict=True)}


def one_step(model: MLP, optimizer: SGD) -> Value:
    optimizer.zero_grad()
    (target,) = CYCLE["targets"]
    loss = half_squared_error(model(CYCLE["inputs"]), target)
    loss.backward()
    optimizer.step()
    return loss


def trainer(model: MLP) -> SGD:
    return SGD(model.parameters(), lr=CYCLE["learning_rate"], momentum=CYCLE["momentum"])


def quantities_of_one_cycle() -> dict[str, float]:
    """Everything that the article prints, by its names: I and O, delta, dw, w_new."""
    model = sigmoid_network(CYCLE["weights"])
    values: dict[str, float] = {}
    sums: dict[str, Value] = {}
    signal: list[Any] = list(CYCLE["inputs"])
    for layer, names in zip(model.layers, LAYERS[1:], strict=True):
        sums |= {
            name: ae.dot(neuron.w, signal)
            for neuron, name in zip(layer.neurons, names, strict=True)
        }
        signal = [sums[name].sigmoid() for name in names]
        values |= {f"O{name}": z.data for name, z in zip(names, signal, strict=True)}
    optimizer = trainer(model)
    half_squared_error(signal[0], CYCLE["targets"][0]).backward()
    optimizer.step()
    for name, z in sums.items():
        values[f"I{name}"] = z.data
        values[f"delta_{name}"] = -z.grad
    for name, after in named_weights(model).items():
        values[f"w_{name[1:]}_new"] = after
        values[f"dw_{name[1:]}"] = after - CYCLE["weights"][name]
    return values


def test_cycle_reproduces_every_exact_number() -> None:
    computed = quantities_of_one_cycle()
    expected = {name: row["exact"] for name, row in CYCLE["expected"].items()}
    assert computed.keys() == expected.keys()
    assert computed == pytest.approx(expected, rel=1e-12, abs=1e-12)


def off_by(name: str) -> float:
    """The distance to the printed number, in units of its last digit."""
    printed = Decimal(CYCLE["expected"][name]["printed"])
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(quantities_of_one_cycle()[name] - float(printed)) / 10.0**exponent


def with_verdict(verdict: str) -> list[str]:
    return [name for name, row in CYCLE["expected"].items() if row["verdict"] == verdict]


@pytest.mark.parametrize("name", with_verdict("right"))
def test_right_printed_number_agrees_to_its_last_digit(name: str) -> None:
    assert off_by(name) <= 0.5 + 1e-9


@pytest.mark.parametrize("name", with_verdict("wrong"))
def test_wrong_printed_number_differs(name: str) -> None:
    assert off_by(name) > 100


@pytest.mark.parametrize("name", with_verdict("rounded along the way"))
def test_number_rounded_along_the_way_is_near(name: str) -> None:
    assert 0.5 < off_by(name) <= 20


def test_every_printed_number_has_one_of_three_verdicts() -> None:
    counts = [len(with_verdict(v)) for v in ("right", "wrong", "rounded along the way")]
    assert counts == [28, 5, 13]


def test_wrong_printed_sign_is_the_sign_of_delta_3() -> None:
    computed = quantities_of_one_cycle()
    for name in ("delta_3", "dw_13", "dw_23"):
        printed = float(CYCLE["expected"][name]["printed"])
        assert printed < 0.0 < computed[name]
        assert computed[name] == pytest.approx(-printed, rel=0.02)


def test_loss_and_gradient_of_the_cycle() -> None:
    model = sigmoid_network(CYCLE["weights"])
    loss = half_squared_error(model(CYCLE["inputs"]), CYCLE["targets"][0])
    loss.backward()
    assert loss.data == pytest.approx(CYCLE["E_half_before"], rel=1e-12)
    assert model(CYCLE["inputs"]).data == pytest.approx(CYCLE["O8_before"], rel=1e-12)
    gradients = {n: p.grad for n, p in zip(EDGE_NAMES, model.parameters(), strict=True)}
    assert gradients == pytest.approx(CYCLE["dE_dw"], rel=1e-12)


def test_steps_with_momentum() -> None:
    model = sigmoid_network(CYCLE["weights"])
    optimizer = trainer(model)
    outputs = {}
    for step in range(1, 1001):
        one_step(model, optimizer)
        if step == 1:
            assert named_weights(model) == pytest.approx(CYCLE["w_after_step_1"], rel=1e-12)
        if step == 2:
            expected = CYCLE["w_after_step_2_with_momentum"]
            assert named_weights(model) == pytest.approx(expected, rel=1e-12)
        if str(step) in CYCLE["O8_after_n_steps"]:
            outputs[str(step)] = model(CYCLE["inputs"]).data
    assert outputs == pytest.approx(CYCLE["O8_after_n_steps"], rel=1e-12)
    assert outputs["1"] == pytest.approx(CYCLE["O8_after_correct_step"], rel=1e-12)


def test_printed_weights_gain_less_than_the_right_ones() -> None:
    printed = {
        f"w{name[2:4]}": float(row["printed"])
        for name, row in CYCLE["expected"].items()
        if name.endswith("_new")
    }
    output = sigmoid_network(printed)(CYCLE["inputs"]).data
    assert output == pytest.approx(CYCLE["O8_after_documents_weights"], rel=1e-12)
    assert CYCLE["O8_before"] < output < CYCLE["O8_after_correct_step"]


# --- errors and their gradients -------------------------------------------------------------------


def test_plain_differences_cancel_as_an_error_and_squares_do_not() -> None:
    example = EXAMPLES["error measures"]
    outputs = [Value(x) for x in example["outputs"]]
    differences = [t - o for t, o in zip(example["targets"], outputs, strict=True)]
    printed = [float(example["printed"][name]) for name in ("E_1", "E_2", "E_sum")]
    assert [d.data for d in differences] == pytest.approx(printed[:2], abs=1e-15)
    assert ae.sum(differences).data == pytest.approx(printed[2], abs=1e-15)
    assert ae.sum(differences).data == -5.551115123125783e-17
    absolute = ae.sum([abs(d) for d in differences])
    absolute.backward()
    assert absolute.data == pytest.approx(example["sum_abs"], rel=1e-15)
    assert [o.grad for o in outputs] == example["grad_abs_wrt_output"]
    for o in outputs:
        o.zero_grad()
    squares = squared_error(outputs, example["targets"])
    squares.backward()
    assert squares.data == pytest.approx(example["sum_squares"], rel=1e-15)
    assert [o.grad for o in outputs] == pytest.approx(example["grad_square_wrt_output"], rel=1e-15)


@pytest.mark.parametrize("case", ["1_to_2", "3_to_4"])
def test_step_goes_against_the_gradient(case: str) -> None:
    example = EXAMPLES["sign of gradient and step"][case]
    w = Value(example["w"])
    (w * w).backward()
    assert w.grad == example["gradient"]
    SGD([w], lr=0.1).step()
    assert w.data - example["w"] == pytest.approx(example["step"], rel=1e-15)


def test_mean_of_half_squares() -> None:
    example = EXAMPLES["mean half squared error"]
    outputs = [[Value(x) for x in row] for row in example["outputs"]]
    losses = [
        half_squared_error(row, target)
        for row, target in zip(outputs, example["targets"], strict=True)
    ]
    assert [loss.data for loss in losses] == pytest.approx(example["per example"], rel=1e-14)
    average = ae.mean(losses)
    assert average.data == pytest.approx(example["average"], rel=1e-15)
    average.backward()
    for row, target in zip(outputs, example["targets"], strict=True):
        for o, t in zip(row, target, strict=True):
            assert o.grad == pytest.approx((o.data - t) / 3.0, rel=1e-14)


def test_one_hot_cross_entropy() -> None:
    example = EXAMPLES["one-hot cross entropy"]
    logits = [Value(math.log(p)) for p in example["probabilities"]]
    shares = [z.data for z in ae.softmax(logits)]
    assert shares == pytest.approx(example["probabilities"], rel=1e-15)
    for target in (example["target"], 1):
        for x in logits:
            x.zero_grad()
        loss = softmax_cross_entropy(logits, target)
        loss.backward()
        assert loss.data == pytest.approx(example["cross_entropy"], rel=1e-14)
        slopes = [x.grad for x in logits]
        assert slopes == pytest.approx(example["gradient_wrt_logits"], rel=1e-14)


@pytest.mark.parametrize("y", [1, -1])
def test_gradient_of_the_logistic_loss(y: int) -> None:
    example = EXAMPLES["logistic loss gradient"]
    w0, w1, w2 = [Value(w) for w in example["weights"].values()]
    x1, x2 = example["inputs"]
    margin = y * (w0 + w1 * x1 + w2 * x2)
    ae.logsumexp([0.0, -margin]).backward()
    expected = example["gradient of the loss"][str(y)]
    assert [w.grad for w in (w0, w1, w2)] == pytest.approx(expected, rel=1e-14)


# --- Jacobians and chains -------------------------------------------------------------------------


def test_softmax_jacobian_and_pullback() -> None:
    example = EXAMPLES["softmax Jacobian"]
    for i, row in enumerate(example["jacobian"]):
        xs = [Value(x) for x in example["inputs"]]
        shares = ae.softmax(xs)
        assert [z.data for z in shares] == pytest.approx(example["softmax"], rel=1e-14)
        shares[i].backward()
        assert [x.grad for x in xs] == pytest.approx(row, rel=1e-13)
    xs = [Value(x) for x in example["inputs"]]
    ae.dot(ae.softmax(xs), example["incoming_gradient"]).backward()
    expected = example["gradient by printed vector formula"]
    assert [x.grad for x in xs] == pytest.approx(expected, rel=1e-13)


@pytest.mark.skipif("sin" not in TABLE, reason="needs the row sin")
def test_chain_of_three_functions() -> None:
    example = EXAMPLES["chain ABC"]
    x = Value(example["x"])
    b = TABLE["sin"](x**2)
    f = b.exp()
    f.backward()
    assert f.data == pytest.approx(example["f"], rel=1e-14)
    assert x.grad == pytest.approx(example["df/dx"], rel=1e-14)
    assert b.grad == pytest.approx(example["df/dB"], rel=1e-14)


def test_first_weight_of_ten_hidden_layers_has_23_factors() -> None:
    weights = [[[0.5 + 0.1 * i]] for i in range(11)]
    model = MLP.from_weights(weights, activation="tanh", output="tanh")
    loss = model([0.7]) ** 2
    loss.backward()
    factors = []
    node, first = loss, model.parameters()[0]
    while node is not first:
        factors.append(node._derivatives[-1])  # by the signal, and in the first layer by the weight
        node = node._prev[-1]
    assert len(factors) == EXAMPLES["chain of 10 hidden layers"]["factors in dC/dw1"]
    assert math.prod(factors) == pytest.approx(first.grad, rel=1e-13)


ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "sigmoid": ae.sigmoid,
    "tanh": ae.tanh,
    "bipolar": lambda x: 2 / (1 + (-x).exp()) - 1,
    "relu": ae.relu,
    "swish": lambda x: x * x.sigmoid(),
    "softplus": lambda x: (1 + x.exp()).log(),
    "mish": lambda x: x * (1 + x.exp()).log().tanh(),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("at", EXAMPLES["activations"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_and_its_derivative(name: str, at: str) -> None:
    z, slope = EXAMPLES["activations"][at][name]
    x = Value(float(at))
    y = ACTIVATIONS[name](x)
    y.backward()
    assert y.data == pytest.approx(z, rel=1e-13, abs=1e-15)
    assert x.grad == pytest.approx(slope, rel=1e-13, abs=1e-15)


# --- training jobs --------------------------------------------------------------------------------


def test_linear_neuron_goes_down_the_valley() -> None:
    example = EXAMPLES["linear neuron 1-1-0"]

    def errors(rate: float, steps: int) -> tuple[list[float], list[float]]:
        neuron = Neuron.from_weights(example["start"], activation="linear")
        optimizer = SGD(neuron.parameters(), lr=rate)
        curve = []
        for _ in range(steps):
            optimizer.zero_grad()
            error = squared_error(neuron(example["inputs"]), example["targets"][0])
            error.backward()
            optimizer.step()
            curve.append(error.data)
        return curve, [w.data for w in neuron.w]

    curve, end = errors(0.1, 200)
    assert curve[:5] == pytest.approx(example["E_first_5"], rel=1e-12)
    assert end == pytest.approx(example["expected_end"], rel=1e-12)
    curve, _ = errors(0.6, 6)
    assert curve == pytest.approx(example["E_with_rate_0.6"], rel=1e-4)


def mean_square_training(
    rows: list[Any], targets: list[float], rate: float, steps: int
) -> list[float]:
    neuron = Neuron.from_weights([0.0] * len(rows[0]), activation="linear")
    optimizer = SGD(neuron.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        for row, target in zip(rows, targets, strict=True):
            squared_error(neuron(row), target).backward(1.0 / len(rows))
        optimizer.step()
    return [w.data for w in neuron.w]


def test_unscaled_sums_need_a_tiny_learning_rate() -> None:
    example = EXAMPLES["sum of two inputs"]
    rows, targets = example["inputs"], example["targets"]
    weights = mean_square_training(rows, targets, 1e-7, 200)
    assert weights == pytest.approx(example["raw_data_lr_1e_7_200_steps"], rel=1e-12)
    diverged = mean_square_training(rows, targets, 0.1, 200)
    assert not all(map(math.isfinite, diverged))


def test_scaled_sums_are_learned() -> None:
    example = EXAMPLES["sum of two inputs"]
    rng = random.Random(0)
    pairs = [(rng.uniform(0.0, 1000.0), rng.uniform(0.0, 1500.0)) for _ in range(150)]
    rows = [(a / 1000.0, b / 1500.0) for a, b in pairs]
    targets = [(a + b) / 2500.0 for a, b in pairs]
    weights = mean_square_training(rows[:100], targets[:100], 0.5, 300)
    assert weights == pytest.approx(example["scaled_target_weights"], rel=1e-6)
    model = Neuron.from_weights(weights, activation="linear")
    outputs = model.predict(rows[100:])
    near = [abs(o - t) < 0.01 for o, t in zip(outputs, targets[100:], strict=True)]
    assert sum(near) / len(near) == example["test_share_within_0_01"]


@pytest.mark.parametrize("bias", [True, False], ids=["with biases", "without biases"])
@pytest.mark.parametrize("seed", range(3))
def test_eight_rows_need_biases(bias: bool, seed: int) -> None:
    example = EXAMPLES["tanh 8 rows"]
    rng = random.Random(seed)
    model = MLP(3, [2, 1], activation="tanh", output="tanh", bias=bias, rng=rng)
    for p in model.parameters():
        p.data = rng.uniform(-0.5, 0.5)
    optimizer = SGD(model.parameters(), lr=0.1)
    for _ in range(2000):
        i = rng.randrange(8)
        optimizer.zero_grad()
        half_squared_error(model(example["inputs"][i]), example["targets"][i]).backward()
        optimizer.step()
    outputs = model.predict(example["inputs"])
    right = sum((o > 0) == (t > 0) for o, t in zip(outputs, example["targets"], strict=True))
    assert right == example[f"rows right {'with' if bias else 'without'} biases"]
    odd = [outputs[i] == pytest.approx(-outputs[7 - i], rel=1e-9) for i in range(4)]
    assert all(odd) is not bias


@pytest.mark.parametrize("momentum", EXAMPLES["local minimum and momentum"]["end"])
def test_momentum_can_leave_a_local_minimum(momentum: str) -> None:
    example = EXAMPLES["local minimum and momentum"]
    w = Value(example["start"])
    optimizer = SGD([w], lr=example["learning_rate"], momentum=float(momentum))
    for _ in range(example["steps"]):
        optimizer.zero_grad()
        (w**4 / 4 - 0.6 * w**2 + 0.35 * w).backward()
        optimizer.step()
    assert w.data == pytest.approx(example["end"][momentum], abs=1e-12)
