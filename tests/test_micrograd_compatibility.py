"""What people bring from micrograd and from Karpathy's lecture, with only the imports changed."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from autograd_engine import Value
from nn import MLP, Layer, Module, Neuron, two_moons

# --- micrograd's own engine tests -----------------------------------------------------------------


def sanity_check(x: Any) -> Any:
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    return h + q + q * x


def more_operations(a: Any, b: Any) -> Any:
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


ENGINE_TESTS: list[tuple[Callable[..., Any], list[float], float, list[float]]] = [
    (sanity_check, [-4.0], -20.0, [46.0]),
    (more_operations, [-4.0, 2.0], 24.70408163265306, [138.83381924198252, 645.5772594752186]),
]


@pytest.mark.parametrize(("function", "inputs", "result", "slopes"), ENGINE_TESTS)
def test_engine_computations_give_the_fixed_numbers(
    function: Callable[..., Any], inputs: list[float], result: float, slopes: list[float]
) -> None:
    values = [Value(x) for x in inputs]
    out = function(*values)
    out.backward()
    assert out.data == pytest.approx(result, rel=1e-14)
    assert [v.grad for v in values] == pytest.approx(slopes, rel=1e-13)


@pytest.mark.parametrize(("function", "inputs", "result", "slopes"), ENGINE_TESTS)
def test_engine_computations_agree_with_torch(
    function: Callable[..., Any], inputs: list[float], result: float, slopes: list[float]
) -> None:
    torch = pytest.importorskip("torch")
    values = [Value(x) for x in inputs]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    here, there = function(*values), function(*tensors)
    here.backward()
    there.backward()
    assert here.data == pytest.approx(there.item(), rel=1e-14)
    assert [v.grad for v in values] == pytest.approx([t.grad.item() for t in tensors], rel=1e-13)


@pytest.mark.parametrize(("function", "inputs", "result", "slopes"), ENGINE_TESTS)
def test_engine_computations_agree_with_micrograd(
    function: Callable[..., Any], inputs: list[float], result: float, slopes: list[float]
) -> None:
    engine = pytest.importorskip("micrograd.engine")
    values, theirs = [Value(x) for x in inputs], [engine.Value(x) for x in inputs]
    here, there = function(*values), function(*theirs)
    here.backward()
    there.backward()
    assert here.data == pytest.approx(there.data, rel=1e-14)
    assert [v.grad for v in values] == pytest.approx([t.grad for t in theirs], rel=1e-13)


def test_readme_example() -> None:
    a, b = Value(-4.0), Value(2.0)
    g = more_operations(a, b)
    assert f"{g.data:.4f}" == "24.7041"
    g.backward()
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"


# --- its networks ---------------------------------------------------------------------------------


def test_parameters_come_in_micrograds_order() -> None:
    neuron = Neuron(3)
    assert [id(p) for p in neuron.parameters()] == [id(p) for p in [*neuron.w, neuron.b]]
    layer = Layer(3, 2)
    expected = [p for n in layer.neurons for p in n.parameters()]
    assert [id(p) for p in layer.parameters()] == [id(p) for p in expected]
    model = MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337
    expected = [p for part in model.layers for p in part.parameters()]
    assert [id(p) for p in model.parameters()] == [id(p) for p in expected]


def test_nonlin_may_be_given_by_position_and_by_keyword() -> None:
    x = [Value(1.0), -2.0, 3]
    for linear in (Neuron(3, False), Neuron(3, nonlin=False), *Layer(3, 1, nonlin=False).neurons):
        z = sum((w * xi for w, xi in zip(linear.w, x, strict=True)), linear.b)
        assert isinstance(z, Value)
        assert linear(x).data == pytest.approx(z.data, rel=1e-14)
        linear.w[0].data -= linear(x).data + 5.0
        assert linear(x).data == pytest.approx(-5.0)
    for bent in (Neuron(3), Neuron(3, True), *Layer(3, 1, nonlin=True).neurons):
        bent.w[0].data -= bent(x).data + 100.0
        assert bent(x).data == 0.0


def test_one_output_is_a_value_and_several_are_a_list() -> None:
    x = [1.0, -2.0]
    assert isinstance(MLP(2, [4, 1])(x), Value)
    assert isinstance(Layer(2, 1)(x), Value)
    outputs = MLP(2, [4, 3])(x)
    assert [type(z) for z in outputs] == [Value] * 3
    assert [type(z) for z in Layer(2, 3)(x)] == [Value] * 3


def test_hidden_layers_are_relu_and_the_last_is_linear() -> None:
    model = MLP(2, [3, 3, 1])
    x = [0.5, -1.5]
    hidden: list[Any] = list(x)
    for layer in model.layers[:-1]:
        hidden = [
            max(0.0, sum((w.data * h for w, h in zip(n.w, hidden, strict=True)), n.b.data))
            for n in layer.neurons
        ]
    last = model.layers[-1].neurons[0]
    expected = sum((w.data * h for w, h in zip(last.w, hidden, strict=True)), last.b.data)
    assert model(x).data == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_zero_grad_clears_every_parameter() -> None:
    model = MLP(2, [4, 1])
    model([1.0, 2.0]).backward()
    model.parameters()[-1].backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * 17
    assert isinstance(model, Module)


def test_modules_say_what_they_are() -> None:
    for module in (Neuron(2), Layer(2, 3), MLP(2, [3, 1])):
        assert repr(module).startswith(type(module).__name__)


def test_a_seed_gives_the_network_that_micrograd_would_draw() -> None:
    theirs = pytest.importorskip("micrograd.nn")
    random.seed(1337)
    there = theirs.MLP(2, [5, 3, 1])
    random.seed(1337)
    here = MLP(2, [5, 3, 1])
    assert [p.data for p in here.parameters()] == [p.data for p in there.parameters()]


# --- its demo -------------------------------------------------------------------------------------

Curve = list[tuple[float, float]]


def moons_demo(value_class: Any, model: Any, steps: int) -> Curve:
    """The loop of micrograd's demo notebook: loss and accuracy of each step."""
    X, y = two_moons(20, noise=0.1, rng=1)
    curve = []
    for k in range(steps):
        inputs = [list(map(value_class, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        total = data_loss + reg_loss
        right = [(yi > 0) == (score.data > 0) for yi, score in zip(y, scores, strict=True)]
        model.zero_grad()
        total.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        curve.append((total.data, sum(right) / len(right)))
    return curve


def test_demo_loop_learns() -> None:
    curve = moons_demo(Value, MLP(2, [8, 8, 1], rng=3), 40)
    assert curve[-1][0] < 0.5 * curve[0][0]
    assert curve[-1][1] >= 0.85


def test_demo_loop_follows_micrograd_step_by_step() -> None:
    engine = pytest.importorskip("micrograd.engine")
    networks = importlib.import_module("micrograd.nn")
    here, there = MLP(2, [6, 6, 1], rng=0), networks.MLP(2, [6, 6, 1])
    for p, q in zip(there.parameters(), here.parameters(), strict=True):
        p.data = q.data
    ours, theirs = moons_demo(Value, here, 5), moons_demo(engine.Value, there, 5)
    assert ours == [pytest.approx(step, rel=1e-9) for step in theirs]
    assert [p.data for p in here.parameters()] == pytest.approx(
        [p.data for p in there.parameters()], rel=1e-9, abs=1e-12
    )
    assert ours[-1][0] < ours[0][0]


# --- the lecture ----------------------------------------------------------------------------------


def test_lecture_expression_and_its_bumped_derivative() -> None:
    def expression(a: float) -> Value:
        left = Value(a, label="a") * Value(-3.0, label="b")
        e = left + Value(10.0, label="c")
        return e * Value(-2.0, label="f")

    assert expression(2.0).data == -8.0
    h = 0.0001
    assert (expression(2.0 + h).data - expression(2.0).data) / h == pytest.approx(6.0)


def lecture_neuron() -> dict[str, Value]:
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x1w1.label = "x1*w1"
    x2w2 = x2 * w2
    x2w2.label = "x2*w2"
    x1w1x2w2 = x1w1 + x2w2
    x1w1x2w2.label = "x1*w1 + x2*w2"
    n = x1w1x2w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return {v.label: v for v in (x1, x2, w1, w2, b, x1w1, x2w2, x1w1x2w2, n, o)}


GRADIENTS = {
    "o": 1.0,
    "n": 0.5,
    "b": 0.5,
    "x1*w1 + x2*w2": 0.5,
    "x1*w1": 0.5,
    "x2*w2": 0.5,
    "x1": -1.5,
    "w1": 1.0,
    "x2": 0.5,
    "w2": 0.0,
}


def test_lecture_backward_by_hand() -> None:
    cells = lecture_neuron()
    cells["o"].grad = 1.0
    for label in ("o", "n", "b", "x1*w1 + x2*w2", "x2*w2", "x1*w1"):
        cells[label]._backward()
    assert cells["o"].data == pytest.approx(0.7071067811865476, rel=1e-12)
    assert {label: cells[label].grad for label in GRADIENTS} == pytest.approx(GRADIENTS, abs=1e-12)


def test_lecture_backward_by_itself() -> None:
    cells = lecture_neuron()
    cells["o"].backward()
    assert {label: cells[label].grad for label in GRADIENTS} == pytest.approx(GRADIENTS, abs=1e-12)


def test_lecture_manual_topological_sort() -> None:
    cells = lecture_neuron()
    topo: list[Value] = []
    visited = set()

    def build_topo(v: Value) -> None:
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                build_topo(child)
            topo.append(v)

    build_topo(cells["o"])
    cells["o"].grad = 1.0
    for node in reversed(topo):
        node._backward()
    assert len(topo) == 10
    assert {label: cells[label].grad for label in GRADIENTS} == pytest.approx(GRADIENTS, abs=1e-12)


def test_lecture_tanh_broken_into_exponentials() -> None:
    x1, w1 = Value(2.0, label="x1"), Value(-3.0, label="w1")
    n = x1 * w1 + Value(0.0) * Value(1.0) + 6.8813735870195432
    e = (2 * n).exp()
    o = (e - 1) / (e + 1)
    o.backward()
    assert o.data == pytest.approx(0.7071067811865476, rel=1e-12)
    assert (x1.grad, w1.grad) == pytest.approx((-1.5, 1.0), abs=1e-12)


def trace(root: Value) -> tuple[set[Value], set[tuple[Value, Value]]]:
    """The lecture's own function."""
    nodes, edges = set(), set()

    def build(v: Value) -> None:
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    return nodes, edges


def test_lecture_trace_reads_the_graph() -> None:
    cells = lecture_neuron()
    nodes, edges = trace(cells["o"])
    assert {n.label for n in nodes} == set(cells)
    assert {(a.label, b.label) for a, b in edges} == {
        ("x1", "x1*w1"),
        ("w1", "x1*w1"),
        ("x2", "x2*w2"),
        ("w2", "x2*w2"),
        ("x1*w1", "x1*w1 + x2*w2"),
        ("x2*w2", "x1*w1 + x2*w2"),
        ("x1*w1 + x2*w2", "n"),
        ("b", "n"),
        ("n", "o"),
    }
    assert {n.label: n._op for n in nodes if n._op} == {
        "x1*w1": "*",
        "x2*w2": "*",
        "x1*w1 + x2*w2": "+",
        "n": "+",
        "o": "tanh",
    }
    texts = [f"{{ {n.label} | data {n.data:.4f} | grad {n.grad:.4f} }}" for n in nodes]
    assert "{ o | data 0.7071 | grad 0.0000 }" in texts


def test_lecture_training_loop() -> None:
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    n = MLP(3, [4, 4, 1], activation="tanh", output="tanh", rng=0)
    losses = []
    for _ in range(40):
        ypred = [n(x) for x in xs]
        loss = sum((yout - ygt) ** 2 for ygt, yout in zip(ys, ypred, strict=True))
        assert isinstance(loss, Value)
        for p in n.parameters():
            p.grad = 0.0
        loss.backward()
        for p in n.parameters():
            p.data += -0.1 * p.grad
        losses.append(loss.data)
    assert losses[-1] < 0.1 * losses[0]
    assert [round(n(x)) for x in xs] == [1, -1, -1, 1]
