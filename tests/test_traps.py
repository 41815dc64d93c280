"""What users of small autodiff engines trip over, one test a trap."""

from __future__ import annotations

import copy
import math
import os
import pickle
import subprocess
import sys
import time
import timeit
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import Graph, Value, detect_anomaly, draw_dot, named_scope, no_grad, value
from nn import MLP, SGD, Neuron, softmax_cross_entropy, squared_error


def test_two_losses_that_share_a_node() -> None:
    x = Value(2.0)
    shared = x * 3
    (shared * 2).backward()
    (shared * 10.0 / 3.0).backward()
    assert x.grad == pytest.approx(16.0)


def test_backward_twice_on_one_graph() -> None:
    x = Value(1.0)
    loss = (x * 1.0) * 1.0
    loss.backward()
    assert x.grad == 1.0
    loss.backward()
    assert x.grad == 2.0


def test_zero_the_leaf_then_backward_again() -> None:
    x = Value(1.0)
    loss = (x * 2) * 3
    loss.backward()
    x.zero_grad()
    loss.backward()
    assert x.grad == 6.0


def test_neuron_with_a_thousand_inputs() -> None:
    neuron = Neuron(1000, nonlin=False, rng=0)
    neuron([1.0] * 1000).backward()
    assert [w.grad for w in neuron.w] == [1.0] * 1000


def test_loss_summed_over_1200_samples() -> None:
    model = MLP(1, [2, 1], activation="tanh", rng=0)
    losses = [squared_error(model([i / 1200]), 1.0) for i in range(1200)]
    total = sum(losses)
    assert isinstance(total, Value)
    total.backward()
    one_by_one = MLP(1, [2, 1], activation="tanh", rng=0)
    for i in range(1200):
        squared_error(one_by_one([i / 1200]), 1.0).backward()
    assert [p.grad for p in model.parameters()] == pytest.approx(
        [p.grad for p in one_by_one.parameters()], rel=1e-12
    )


def test_chain_deeper_than_the_recursion_limit() -> None:
    x = Value(1.0)
    y = x
    with named_scope("chain"):
        for _ in range(20_000):
            y = y + 1
    y.backward()
    assert x.grad == 1.0
    assert repr(y) == "Value(data=20001.0, grad=1.0)"
    for other in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert len(Graph(other).nodes) == 20_001
    assert "+ x20000" in str(draw_dot(y))
    del y, other


def test_operands_are_not_a_set() -> None:
    a, b = Value(2.0), Value(2.0)
    assert len((a + a)._prev) == 2
    assert (a - b)._prev[0] is a
    assert (b - a)._prev[0] is b


def test_gradients_have_the_same_bits_in_every_process() -> None:
    program = """
from nn import MLP, squared_error
model = MLP(3, [8, 8, 1], activation="tanh", rng=0)
squared_error(model([0.1, 0.2, 0.3]), 1.0).backward()
print([p.grad.hex() for p in model.parameters()])
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def test_backward_reads_no_data_late() -> None:
    x, w = Value(2.0), Value(3.0)
    y = x * w
    w.data = 100.0
    y.backward()
    assert x.grad == 3.0


def test_root_of_a_negative_number_is_nan() -> None:
    assert math.isnan((Value(-2.0) ** 0.5).data)
    assert type((Value(-2.0) ** 0.5).data) is float


@pytest.mark.parametrize(
    ("function", "result", "slope"),
    [
        (lambda x: 1 / x, math.inf, -math.inf),
        (lambda x: x**0, 1.0, 0.0),
        (lambda x: (x * x) ** 0.5, 0.0, math.nan),
        (lambda x: x.log(), -math.inf, math.inf),
        (lambda x: x.sqrt(), 0.0, math.inf),
    ],
    ids=["1 / x", "x ** 0", "(x * x) ** 0.5", "log", "sqrt"],
)
def test_singular_points_are_ieee_values_also_in_backward(
    function: Callable[[Value], Value], result: float, slope: float
) -> None:
    x = Value(0.0)
    y = function(x)
    y.backward()
    assert y.data == result
    assert x.grad == pytest.approx(slope, nan_ok=True)


def test_power_of_a_number_and_of_a_value_are_one_node() -> None:
    x, y = Value(2.0), Value(3.0)
    for node, count in ((2**x, 2), (x**y, 3)):
        assert len(Graph(node).nodes) == count
    (x**y).backward()
    assert (x.grad, y.grad) == pytest.approx((12.0, 8.0 * math.log(2.0)))


def test_exponent_of_a_negative_base_has_derivative_nan() -> None:
    x, y = Value(-2.0), Value(3.0)
    (x**y).backward()
    assert x.grad == 12.0
    assert math.isnan(y.grad)


def test_relu_of_nan_is_nan() -> None:
    x = Value(math.nan)
    y = x.relu()
    y.backward()
    assert math.isnan(y.data)
    assert math.isnan(x.grad)


def test_difference_and_quotient_are_one_node_with_one_rounding() -> None:
    a, b = Value(0.1), Value(0.3)
    for node, expected in ((a - b, 0.1 - 0.3), (a / b, 0.1 / 0.3)):
        assert node.data == expected
        assert len(Graph(node).nodes) == 3


def test_sum_makes_no_phantom_node() -> None:
    a, b = Value(1.0), Value(2.0)
    assert len(Graph(sum([a, b])).nodes) == 3  # type: ignore[arg-type]


def test_numbers_are_no_nodes() -> None:
    x = Value(2.0)
    y = 3 * x**2 + 2 * x - 1
    assert [node.symbol for node in Graph(y).nodes] == ["", "**", "*", "*", "+", "-"]


def test_nodes_hold_no_closure() -> None:
    y = Value(2.0) * 3
    slots = value.Value.__slots__
    assert not any(callable(getattr(y, name)) for name in slots if name != "_primitive")
    assert y._primitive is ae.mul


def test_array_never_hides_in_data() -> None:
    v, array = Value(2.0), np.array([1.0, 2.0])
    for out in (array * v, v * array, array - v, v / array):
        assert [type(z) for z in out] == [Value, Value]
        assert [type(z.data) for z in out] == [float, float]
    assert type(np.float64(3.0) * v) is Value
    assert np.tanh(v)._op == "tanh"
    assert bool(np.float64(2.0) == v) is True


def test_bytes_per_node() -> None:
    y = Value(1.0)
    tracemalloc.start()
    try:
        for _ in range(10_000):
            y = y * 1.5
        bytes_per_node = tracemalloc.get_traced_memory()[0] / 10_000
    finally:
        tracemalloc.stop()
    assert bytes_per_node < 696


def test_models_and_graphs_pickle_and_copy() -> None:
    model = MLP(2, [3, 1], rng=0)
    loss = squared_error(model([1.0, 2.0]), 1.0)
    pairs = [pickle.loads(pickle.dumps((model, loss))), copy.deepcopy((model, loss))]
    loss.backward()
    for other, its_loss in pairs:
        its_loss.backward()
        assert [p.grad for p in other.parameters()] == [p.grad for p in model.parameters()]
    y = Value(1.0)
    for _ in range(600):
        y = y + 1
    assert copy.deepcopy(y).data == 601.0


@pytest.mark.parametrize("bad", ["a", [1, 2], None, 1j], ids=repr)
def test_data_that_is_no_number_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="expected a real number"):
        Value(bad)


def test_largest_sorted_and_compared_by_data() -> None:
    a, b = Value(2.0), Value(1.0)
    assert max([a, b]) is a
    assert sorted([a, b])[0] is b
    assert b < 1.5 < a


def test_neuron_fed_too_few_inputs_says_so() -> None:
    with pytest.raises(ValueError, match="Neuron: expected 3 inputs, got 2"):
        Neuron(3)([1.0, 2.0])


@pytest.mark.parametrize("widths", [(4, 1), [4, 1], range(4, 0, -3)], ids=repr)
def test_widths_may_be_any_sequence(widths: Any) -> None:
    assert len(MLP(2, widths).parameters()) == 17


def test_stable_at_a_thousand() -> None:
    for x, sigmoid, tanh in ((1000.0, 1.0, 1.0), (-1000.0, 0.0, -1.0)):
        assert (Value(x).sigmoid().data, Value(x).tanh().data) == (sigmoid, tanh)
    assert [z.data for z in ae.softmax([Value(1000.0), Value(-1000.0)])] == [1.0, 0.0]
    logits = [Value(1000.0), Value(-1000.0)]
    loss = softmax_cross_entropy(logits, 1)
    loss.backward()
    assert loss.data == 2000.0
    assert [x.grad for x in logits] == [1.0, -1.0]


def test_rebinding_a_parameter_leaves_the_model_its_old_one() -> None:
    model = MLP(1, [1], rng=0)
    p = model.parameters()[0]
    before = p.data
    rebound = p - 0.1
    assert model.parameters()[0] is p
    assert (p.data, rebound.data) == (before, before - 0.1)
    assert Value.__doc__ is not None
    assert "p.data -= lr * p.grad" in Value.__doc__


def test_in_place_operators_rebind_too() -> None:
    p = Value(1.0)
    model = [p]
    p -= 0.5
    assert p is not model[0]
    assert (p.data, model[0].data) == (0.5, 1.0)


def test_optimizer_moves_parameters_in_place() -> None:
    model = MLP(1, [1], rng=0)
    parameters = model.parameters()
    before = [p.data for p in parameters]
    optimizer = SGD(parameters, lr=0.1)
    model([1.0]).backward()
    optimizer.step()
    assert [id(p) for p in model.parameters()] == [id(p) for p in parameters]
    assert [p.data for p in parameters] == [x - 0.1 for x in before]


def test_membership_goes_by_data_and_the_docs_say_so() -> None:
    a, b = Value(1.0), Value(1.0)
    assert b in [a]
    assert [a, b].index(b) == 0
    assert Value.__doc__ is not None
    assert "`v in values`" in Value.__doc__


def test_own_code_tells_equal_parameters_apart() -> None:
    w = [Value(1.0), Value(1.0), Value(1.0)]
    optimizer = SGD(w, lr=1.0)
    ae.dot(w, [1.0, 2.0, 3.0]).backward()
    optimizer.step()
    assert [p.data for p in w] == [0.0, -1.0, -2.0]
    model = MLP(1, [2, 1])
    for p in model.parameters():
        p.data = 0.5
    assert len(model.parameters()) == len(model.named_parameters()) == 7
    assert len(Graph(model([1.0])).nodes) == 7 + 2 * 3 + 2


def test_evaluation_builds_no_graph() -> None:
    model = MLP(2, [8, 1], rng=0)
    with no_grad():
        assert model([1.0, 2.0])._prev == ()
    assert type(model.predict([[1.0, 2.0]])[0]) is float


def test_math_functions_leave_the_graph_and_gradcheck_says_so() -> None:
    report = ae.gradcheck(lambda v: v * math.exp(v), [1.0], raise_exception=False)
    assert not report
    assert "something leaves the graph: float(), .data, math functions" in str(report)


def test_nan_is_traced_to_its_operation_and_line() -> None:
    x = Value(-1.0, label="x")
    with detect_anomaly(), pytest.raises(ae.AnomalyError) as error:
        x.log() * 2
    message = str(error.value)
    assert message.startswith("log: the result is nan\n  operand 0: x = -1.0\n  made at ")
    assert f"{__file__}:" in message
    assert message.endswith(": x.log() * 2")


def test_detach_cuts_the_graph_on_purpose() -> None:
    x = Value(3.0)
    (x * x.detach()).backward()
    assert x.grad == 3.0


@pytest.mark.skipif(ae.backend == "native", reason="C cannot be patched")
def test_overwriting_a_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(nodes: Iterable[Value]) -> None:
        for node in nodes:
            for operand, derivative in zip(node._prev, node._derivatives, strict=True):
                operand._grad = derivative * node._grad

    monkeypatch.setattr(value, "send_contributions", overwrite)
    assert ae.gradcheck(lambda x: x.tanh() * 2, [0.5])
    for diamond in (lambda x: x * x, lambda x: x + x.tanh(), lambda x: ae.dot([x, x], [1.0, 2.0])):
        with pytest.raises(ae.GradcheckError):
            ae.gradcheck(diamond, [0.5])


def test_gradcheck_sees_a_diamond() -> None:
    def overwriting(x: Value) -> Value:
        """The slope of the last path only, as `=` for `+=` would give."""
        return x + Value(2.0 * x.data + 1.0)

    with pytest.raises(ae.GradcheckError):
        ae.gradcheck(overwriting, [2.0])
    assert ae.gradcheck(lambda x: x + (x * 2 + 1), [2.0]).passed


def test_cost_grows_in_proportion_to_depth() -> None:
    def seconds(length: int) -> float:
        def run() -> None:
            y = Value(1.0)
            for _ in range(length):
                y = y + y
            y.backward()

        return min(timeit.repeat(run, timer=time.process_time, number=3, repeat=3))

    assert seconds(1_000) < 60 * max(seconds(100), 1e-4)
