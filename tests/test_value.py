"""The Value: what an operation records, what backward does, and how a Value behaves as a number."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import autograd_engine as ae
from autograd_engine import Graph, Value
from autograd_engine.backend import topological_order

# --- what an operation records --------------------------------------------------------------------


def test_leaf_has_no_operands_and_no_operation() -> None:
    x = Value(2)
    assert (x.data, x.grad, x.label, x._prev, x._op) == (2.0, 0.0, "", (), "")
    assert type(x.data) is float
    assert type(x.grad) is float


def test_operands_are_kept_in_order() -> None:
    a, b = Value(5.0), Value(3.0)
    for node, first, second in ((a - b, a, b), (b - a, b, a), (a / b, a, b), (a**b, a, b)):
        assert type(node._prev) is tuple
        assert node._prev[0] is first
        assert node._prev[1] is second
    assert [(a - b)._op, (a + b)._op, (a * b)._op, (a / b)._op, (a**b)._op] == [
        "-",
        "+",
        "*",
        "/",
        "**",
    ]


def test_a_value_with_itself_has_two_edges() -> None:
    a = Value(3.0)
    twice = a + a
    assert [x is a for x in twice._prev] == [True, True]
    assert len(Graph(twice).nodes) == 2
    assert len(Graph(twice).edges) == 2
    twice.backward()
    assert a.grad == 2.0


ONE_CONSTANT: list[tuple[str, Callable[[Any], Any], float, float]] = [
    ("x + 3", lambda x: x + 3, 5.0, 1.0),
    ("3 + x", lambda x: 3 + x, 5.0, 1.0),
    ("x - 3", lambda x: x - 3, -1.0, 1.0),
    ("3 - x", lambda x: 3 - x, 1.0, -1.0),
    ("x * 3", lambda x: x * 3, 6.0, 3.0),
    ("3 * x", lambda x: 3 * x, 6.0, 3.0),
    ("x / 4", lambda x: x / 4, 0.5, 0.25),
    ("3 / x", lambda x: 3 / x, 1.5, -0.75),
    ("x ** 3", lambda x: x**3, 8.0, 12.0),
    ("3 ** x", lambda x: 3**x, 9.0, 9.0 * math.log(3.0)),
    ("-x", lambda x: -x, -2.0, -1.0),
    ("abs(x)", lambda x: abs(x), 2.0, 1.0),
    ("x + True", lambda x: x + True, 3.0, 1.0),
    ("x * Fraction", lambda x: x * Fraction(1, 4), 0.5, 0.25),
    ("float32 * x", lambda x: np.float32(0.5) * x, 1.0, 0.5),
    ("float64 - x", lambda x: np.float64(3.0) - x, 1.0, -1.0),
    ("x / int64", lambda x: x / np.int64(4), 0.5, 0.25),
    ("int64 / x", lambda x: np.int64(4) / x, 2.0, -1.0),
    ("x ** 0-d array", lambda x: x ** np.array(3), 8.0, 12.0),
    ("0-d array ** x", lambda x: np.array(1.0) ** x, 1.0, 0.0),
]


@pytest.mark.parametrize(
    ("function", "result", "slope"),
    [case[1:] for case in ONE_CONSTANT],
    ids=[case[0] for case in ONE_CONSTANT],
)
def test_a_constant_makes_no_node(
    function: Callable[[Any], Any], result: float, slope: float
) -> None:
    x = Value(2.0)
    z = function(x)
    assert type(z) is Value
    assert z.data == result
    assert len(z._prev) == 1
    assert z._prev[0] is x
    assert len(Graph(z).nodes) == 2
    z.backward()
    assert x.grad == pytest.approx(slope, rel=1e-15)


def test_a_node_remembers_its_constant_and_the_side_it_stood_on() -> None:
    x = Value(2.0)
    assert [float(operand) for operand in (x - 3)._operands] == [2.0, 3.0]
    assert [float(operand) for operand in (3 - x)._operands] == [3.0, 2.0]
    assert Graph(3 - x).output.operands == (3.0, 0)


def test_integer_zero_in_front_is_the_start_of_a_sum() -> None:
    v = Value(2.0)
    assert (0 + v) is v
    assert sum([v]) is v
    for other in (0.0 + v, v + 0, v + 0.0, False + v, 1 + v):
        assert other is not v
        assert other._prev[0] is v


def test_builtin_sum_makes_one_node_less_than_there_are_values() -> None:
    values = [Value(float(i)) for i in range(5)]
    total = sum(values)
    assert isinstance(total, Value)
    assert total.data == 10.0
    assert len(Graph(total).nodes) == 5 + 4


# --- backward -------------------------------------------------------------------------------------


def test_chain_rule_on_two_uses_of_a_leaf() -> None:
    a, b = Value(2.0), Value(3.0)
    p = a * b
    loss = p + a
    loss.backward()
    assert (loss.grad, p.grad, a.grad, b.grad) == (1.0, 1.0, 4.0, 2.0)


def test_diamond_of_sums_waits_for_the_complete_adjoint() -> None:
    a = Value(1.0)
    b = a + a
    c = b + b
    c.backward()
    assert (b.grad, a.grad) == (2.0, 4.0)


def test_uneven_diamond() -> None:
    x = Value(3.0)
    short = x * 2
    long = ((short + 1) * short).tanh() * 0.0 + short * short
    out = long * short + x
    out.backward()
    assert x.grad == 3 * 8 * 9.0 + 1.0


def test_fan_out_adds_all_uses() -> None:
    x = Value(2.0)
    ae.sum([x * i for i in range(100)]).backward()
    assert x.grad == 4950.0


def test_topological_order_puts_operands_first() -> None:
    rng = random.Random(0)
    values = [Value(rng.uniform(-1, 1)) for _ in range(5)]
    for _ in range(200):
        values.append(rng.choice(values) * rng.choice(values) + rng.choice(values))
    order = topological_order(values[-1])
    position = {id(v): i for i, v in enumerate(order)}
    assert len(position) == len(order)
    assert order[-1] is values[-1]
    assert all(position[id(x)] < position[id(v)] for v in order for x in v._prev)


def test_topological_order_goes_from_left_to_right() -> None:
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    left, right = b - a, c * b
    root = left + right
    assert [id(v) for v in topological_order(root)] == [id(v) for v in (b, a, left, c, right, root)]


def test_two_losses_that_share_a_node_add_up() -> None:
    x = Value(3.0)
    shared = x * 2
    first, second = shared * 2, shared * shared
    first.backward()
    second.backward()
    assert x.grad == 4.0 + 24.0
    assert shared.grad == 12.0


def test_backward_twice_doubles_the_leaves_only() -> None:
    x = Value(3.0)
    square = x * x
    loss = square + x
    loss.backward()
    loss.backward()
    assert (x.grad, square.grad, loss.grad) == (14.0, 1.0, 1.0)


def test_zeroed_leaf_starts_again() -> None:
    x = Value(3.0)
    loss = x * x
    loss.backward()
    x.zero_grad()
    assert x.grad == 0.0
    loss.backward()
    assert x.grad == 6.0


def test_backward_of_an_inner_node_leaves_later_nodes_alone() -> None:
    x = Value(3.0)
    inner = x * x
    outer = inner * 2
    outer.backward()
    inner.backward()
    assert (x.grad, inner.grad, outer.grad) == (12.0 + 6.0, 1.0, 1.0)


@pytest.mark.parametrize("gradient", [0.5, -2, np.float64(3.0), np.array(0.25), True])
def test_backward_scales_by_the_gradient_given(gradient: Any) -> None:
    x = Value(3.0)
    loss = x * x
    loss.backward(gradient)
    assert x.grad == 6.0 * float(gradient)
    assert loss.grad == float(gradient)
    assert type(loss.grad) is float


def test_backward_of_a_leaf_adds_to_its_own_gradient() -> None:
    x = Value(3.0)
    x.backward()
    x.backward(0.5)
    assert x.grad == 1.5


@pytest.mark.parametrize("bad", ["1", None, [1.0], 1j, np.array([1.0])], ids=repr)
def test_backward_rejects_a_bad_gradient(bad: Any) -> None:
    x = Value(3.0)
    loss = x * x
    with pytest.raises(TypeError, match=r"^backward: expected a real number"):
        loss.backward(bad)
    assert (x.grad, loss.grad) == (0.0, 0.0)


def test_changing_data_after_the_forward_pass_changes_no_gradient() -> None:
    x, w = Value(2.0), Value(3.0)
    y = w * x
    w.data = 100.0
    y.backward()
    assert (y.data, x.grad, w.grad) == (6.0, 3.0, 2.0)


def test_backward_by_hand_sends_one_step() -> None:
    a, b = Value(2.0), Value(3.0)
    p = a * b
    loss = p.tanh()
    loss.grad = 1.0
    loss._backward()
    slope = 1.0 - math.tanh(6.0) ** 2
    assert (p.grad, a.grad, b.grad) == (slope, 0.0, 0.0)
    p._backward()
    assert (a.grad, b.grad) == (slope * 3.0, slope * 2.0)


def test_backward_by_hand_accumulates_and_does_nothing_at_a_leaf() -> None:
    x = Value(3.0)
    y = x + x
    y.grad = 2.0
    y._backward()
    y._backward()
    x._backward()
    assert x.grad == 8.0


def test_backward_leaves_unrelated_values_alone() -> None:
    x, y = Value(3.0), Value(4.0)
    y.grad = 5.0
    (x * 2).backward()
    assert y.grad == 5.0


# --- a Value among numbers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
)
@pytest.mark.parametrize("other", [1.0, 2.0, 3.0, 2, True, Fraction(5, 2), math.inf, math.nan])
def test_comparison_goes_by_data(compare: Callable[[Any, Any], bool], other: Any) -> None:
    v = Value(2.0)
    expected = compare(2.0, other)
    assert compare(v, other) is expected
    assert compare(v, Value(other)) is compare(2.0, float(other))
    assert compare(other, v) is compare(other, 2.0)
    assert bool(compare(v, np.float64(other))) is compare(2.0, float(other))
    assert bool(compare(np.float64(other), v)) is compare(float(other), 2.0)


@pytest.mark.parametrize("other", ["2", None, [2.0], 2j, object()], ids=str)
def test_a_value_equals_no_stranger_and_has_no_order_with_one(other: Any) -> None:
    v = Value(2.0)
    assert (v == other) is False
    assert (v != other) is True
    with pytest.raises(TypeError, match="not supported between"):
        _ = v < other


def test_sorting_and_extremes_go_by_data() -> None:
    a, b, c = Value(3.0), Value(1.0), Value(2.0)
    assert [id(v) for v in sorted([a, b, c])] == [id(b), id(c), id(a)]
    assert max([a, b, c]) is a
    assert min(a, 1.5, b) is b


def test_hash_goes_by_identity() -> None:
    a, b = Value(2.0), Value(2.0)
    assert a == b
    assert hash(a) != hash(b)
    assert len({a, b, a}) == 2
    before = hash(a)
    a.data = 7.0
    assert hash(a) == before
    assert {a: "found"}[a] == "found"


def test_conversions_give_plain_numbers() -> None:
    v = Value(-2.7)
    assert (float(v), int(v), bool(v), bool(Value(0.0))) == (-2.7, -2, True, False)
    assert (math.floor(v), math.ceil(v)) == (-3, -2)
    assert (round(v), round(v, 0), round(Value(2.345), 1)) == (-3, -3.0, 2.3)
    assert type(float(v)) is float
    assert type(round(v)) is int


def test_formats_like_its_data() -> None:
    v = Value(2.345, label="a")
    assert f"{v:.1f}|{v:>8.2f}|{v:e}" == "2.3|    2.35|2.345000e+00"
    assert f"{v}" == repr(v) == str(v)
    assert "%.2f" % v == "2.35"  # noqa: UP031 (the lecture writes it so)


def test_repr_shows_data_gradient_and_label() -> None:
    v = Value(2, label="a")
    v.grad = 0.5
    assert repr(v) == "Value(data=2.0, grad=0.5, label='a')"
    assert repr(Value(-0.0)) == "Value(data=-0.0, grad=0.0)"


def test_label_is_settable_on_leaves_and_nodes() -> None:
    a = Value(2.0, label="a")
    b = a * 2
    assert (a.label, b.label) == ("a", "")
    b.label = "b"
    a.label = ""
    assert (a.label, b.label) == ("", "b")


@pytest.mark.parametrize("bad", [3, None, ["a"], Value(1.0)], ids=["int", "None", "list", "Value"])
def test_label_must_be_a_string(bad: Any) -> None:
    v = Value(1.0, label="a")
    with pytest.raises(TypeError, match="label must be a string"):
        v.label = bad
    with pytest.raises(TypeError, match="label must be a string"):
        Value(1.0, label=bad)
    assert v.label == "a"


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (2, 2.0),
        (True, 1.0),
        (Fraction(1, 4), 0.25),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.int8(-3), -3.0),
        (np.bool_(True), 1.0),
        (np.array(0.1), 0.1),
        (np.array(7), 7.0),
        (math.inf, math.inf),
        (10**300, 1e300),
    ],
    ids=repr,
)
def test_every_real_number_becomes_a_float(data: Any, expected: float) -> None:
    v, w = Value(data), Value(0.0)
    w.data = data
    w.grad = data
    for number in (v.data, w.data, w.grad):
        assert type(number) is float
        assert number == expected


BAD_DATA: list[tuple[Any, str]] = [
    ("1.5", r"convert text with float\(text\)"),
    (b"1", r"convert text with float\(text\)"),
    (1.5j, "take its real or imaginary part"),
    (np.complex128(1.0), "take its real or imaginary part"),
    (None, "give it a number"),
    ([1.0, 2.0], r"\[Value\(v\) for v in data\]"),
    ((1.0,), r"\[Value\(v\) for v in data\]"),
    ({"a": 1.0}, "one element at a time"),
    (np.array([1.0]), "one element at a time"),
    (np.array([[1.0, 2.0]]), "one element at a time"),
    (np.array("a"), r"convert text with float\(text\)"),
    (Decimal("1.5"), "got Decimal"),
]
every_bad_datum = pytest.mark.parametrize(
    ("bad", "remedy"),
    BAD_DATA,
    ids=[f"{type(x).__name__}-{i}" for i, (x, _) in enumerate(BAD_DATA)],
)


@every_bad_datum
def test_constructor_rejects_what_is_no_real_number(bad: Any, remedy: str) -> None:
    with pytest.raises(TypeError, match=f"^Value: expected a real number.*{remedy}"):
        Value(bad)


@every_bad_datum
def test_setters_reject_what_is_no_real_number_and_change_nothing(bad: Any, remedy: str) -> None:
    v = Value(2.0)
    v.grad = 3.0
    with pytest.raises(TypeError, match=rf"^Value\.data: expected a real number.*{remedy}"):
        v.data = bad
    with pytest.raises(TypeError, match=rf"^Value\.grad: expected a real number.*{remedy}"):
        v.grad = bad
    assert (v.data, v.grad) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("operate", "symbol"),
    [
        (operator.add, r"\+"),
        (operator.sub, "-"),
        (operator.mul, r"\*"),
        (operator.truediv, "/"),
        (operator.pow, r"\*\*"),
    ],
)
@pytest.mark.parametrize(
    ("bad", "remedy"), [case for case in BAD_DATA if getattr(case[0], "ndim", 0) == 0]
)
def test_operators_reject_what_is_no_real_number(
    operate: Callable[[Any, Any], Any], symbol: str, bad: Any, remedy: str
) -> None:
    with pytest.raises(TypeError, match=f"^{symbol}: expected a real number.*{remedy}"):
        operate(Value(2.0), bad)
    if not isinstance(bad, np.ndarray | np.generic):
        with pytest.raises(TypeError):
            operate(bad, Value(2.0))


def test_a_value_is_no_data_of_another() -> None:
    v = Value(2.0)
    with pytest.raises(TypeError, match=r"^Value: expected a real number"):
        Value(v)
    with pytest.raises(TypeError, match=r"^Value\.data: expected a real number"):
        v.data = v * 2
    with pytest.raises(TypeError, match=r"^backward: expected a real number"):
        v.backward(v)


def test_number_too_large_for_a_float_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="too large for a float"):
        Value(10**400)
    with pytest.raises(ValueError, match="too large for a float"):
        Value(1.0) * 10**400


@pytest.mark.parametrize("operate", [operator.floordiv, operator.mod, operator.matmul])
def test_operators_without_a_row_do_not_exist(operate: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        operate(Value(2.0), 2)


def test_value_is_final() -> None:
    with pytest.raises(TypeError, match=r"Value is final: put a Value|not an acceptable base type"):
        type("Mine", (Value,), {})


def test_value_takes_no_further_attributes() -> None:
    with pytest.raises(AttributeError):
        Value(1.0).gard = 2.0  # type: ignore[attr-defined]


def test_data_is_keyword_free_and_label_is_keyword_only() -> None:
    with pytest.raises(TypeError):
        Value(1.0, "a")  # type: ignore[misc]


# --- NumPy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operate", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
)
@pytest.mark.parametrize("reflected", [False, True])
def test_an_operation_with_an_array_is_an_array_of_values(
    operate: Callable[[Any, Any], Any], reflected: bool
) -> None:
    v, array = Value(2.0), np.array([[1.0, 2.0, 3.0]])
    z = operate(array, v) if reflected else operate(v, array)
    assert z.shape == (1, 3)
    assert z.dtype == object
    for node, x in zip(z.flat, array.flat, strict=True):
        assert type(node) is Value
        assert node._prev[0] is v
        assert node.data == (operate(x, 2.0) if reflected else operate(2.0, x))


def test_numpy_functions_call_the_rows_of_a_value() -> None:
    for name in ("exp", "log", "sqrt", "tanh"):
        v = Value(0.7)
        z = getattr(np, name)(v)
        assert type(z) is Value
        assert z._op == name
        assert z._prev[0] is v


def test_matrix_times_values_gives_values() -> None:
    xs = [Value(1.0), Value(2.0)]
    out = np.array([[1.0, 2.0], [3.0, 4.0]]) @ np.array(xs, dtype=object)
    assert [z.data for z in out] == [5.0, 11.0]
    out[1].backward()
    assert [x.grad for x in xs] == [3.0, 4.0]


# --- random graphs --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dual:
    """A number and its derivative by one input: forward mode, which shares no line with Value."""

    x: float
    d: float


def dual_binary(name: str, a: Dual, b: Dual) -> Dual:
    if name == "+":
        return Dual(a.x + b.x, a.d + b.d)
    if name == "-":
        return Dual(a.x - b.x, a.d - b.d)
    if name == "*":
        return Dual(a.x * b.x, a.d * b.x + a.x * b.d)
    if name == "/":
        return Dual(a.x / b.x, (a.d * b.x - a.x * b.d) / (b.x * b.x))
    bigger, smaller = (a, b) if a.x > b.x else (b, a)
    return bigger if name == "max" else smaller


def dual_unary(name: str, a: Dual) -> Dual:
    if name == "neg":
        return Dual(-a.x, -a.d)
    if name == "square":
        return Dual(a.x * a.x, 2.0 * a.x * a.d)
    if name == "tanh":
        return Dual(math.tanh(a.x), a.d / math.cosh(a.x) ** 2)
    if name == "sigmoid":
        s = 1.0 / (1.0 + math.exp(-a.x))
        return Dual(s, a.d * s / (1.0 + math.exp(a.x)))
    if name == "exp":
        return Dual(math.exp(a.x), a.d * math.exp(a.x))
    if name == "relu":
        return a if a.x > 0.0 else Dual(0.0, 0.0)
    return Dual(abs(a.x), math.copysign(a.d, a.d * a.x) if a.d else 0.0)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "max": ae.maximum,
    "min": ae.minimum,
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": operator.neg,
    "square": lambda x: x**2,
    "tanh": ae.tanh,
    "sigmoid": ae.sigmoid,
    "exp": ae.exp,
    "relu": ae.relu,
    "abs": abs,
}
INPUTS = 3
Step = tuple[str, int, int]


def run(
    program: list[Step],
    inputs: list[Any],
    binary: Callable[[str, Any, Any], Any],
    unary: Callable[[str, Any], Any],
) -> list[Any]:
    """All results of a straight-line program; a step takes any two earlier results."""
    results = list(inputs)
    for name, i, j in program:
        a, b = results[i % len(results)], results[j % len(results)]
        results.append(binary(name, a, b) if name in BINARY else unary(name, a))
    return results


def run_on_values(program: list[Step], inputs: list[float]) -> tuple[list[Value], list[Value]]:
    leaves = [Value(x) for x in inputs]
    results = run(program, leaves, lambda n, a, b: BINARY[n](a, b), lambda n, a: UNARY[n](a))
    return leaves, results


def run_on_duals(program: list[Step], inputs: list[float], k: int) -> list[Dual]:
    duals = [Dual(x, float(i == k)) for i, x in enumerate(inputs)]
    return run(program, duals, dual_binary, dual_unary)


def assume_tame(program: list[Step], data: list[float]) -> None:
    """Away from kinks, ties and poles, and of moderate size."""
    assume(all(abs(x) < 1e3 for x in data))
    for step, (name, i, j) in enumerate(program):
        known = INPUTS + step
        a, b = data[i % known], data[j % known]
        assume(name != "/" or abs(b) > 0.05)
        assume(name not in ("max", "min") or i % known == j % known or abs(a - b) > 1e-3)
        assume(name not in ("abs", "relu") or abs(a) > 1e-3)


steps = st.tuples(st.sampled_from([*BINARY, *UNARY]), st.integers(0, 1000), st.integers(0, 1000))
programs = st.lists(steps, min_size=1, max_size=12)
inputs_drawn = st.lists(st.floats(-2.0, 2.0), min_size=INPUTS, max_size=INPUTS)


def tame_run(program: list[Step], inputs: list[float]) -> tuple[list[Value], list[Value]]:
    leaves, results = run_on_values(program, inputs)
    assume_tame(program, [v.data for v in results])
    return leaves, results


@given(programs, inputs_drawn)
def test_random_graphs_agree_with_dual_numbers(program: list[Step], inputs: list[float]) -> None:
    leaves, results = tame_run(program, inputs)
    results[-1].backward()
    for k, leaf in enumerate(leaves):
        dual = run_on_duals(program, inputs, k)[-1]
        assert results[-1].data == pytest.approx(dual.x, rel=1e-12, abs=1e-12)
        assert leaf.grad == pytest.approx(dual.d, rel=1e-9, abs=1e-9)


@given(programs, inputs_drawn)
def test_random_graphs_agree_with_torch(program: list[Step], inputs: list[float]) -> None:
    torch = pytest.importorskip("torch")
    leaves, results = tame_run(program, inputs)
    results[-1].backward()
    named = {"neg": torch.neg, "square": torch.square, "max": torch.maximum, "min": torch.minimum}
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    there = run(
        program,
        tensors,
        lambda n, a, b: named[n](a, b) if n in named else BINARY[n](a, b),
        lambda n, a: named[n](a) if n in named else getattr(torch, n)(a),
    )
    there[-1].backward()
    assert results[-1].data == pytest.approx(there[-1].item(), rel=1e-12, abs=1e-12)
    for leaf, tensor in zip(leaves, tensors, strict=True):
        slope = 0.0 if tensor.grad is None else tensor.grad.item()
        assert leaf.grad == pytest.approx(slope, rel=1e-9, abs=1e-9)


@given(programs, inputs_drawn)
def test_backward_again_gives_the_same_bits(program: list[Step], inputs: list[float]) -> None:
    gradients = []
    for _ in range(2):
        leaves, results = run_on_values(program, inputs)
        results[-1].backward()
        gradients.append([leaf.grad.hex() for leaf in leaves])
    assert gradients[0] == gradients[1]


@given(programs, inputs_drawn, st.floats(-3.0, 3.0))
def test_gradients_are_linear_in_the_gradient_given(
    program: list[Step], inputs: list[float], factor: float
) -> None:
    leaves, results = tame_run(program, inputs)
    results[-1].backward()
    plain = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.zero_grad()
    results[-1].backward(factor)
    for leaf, slope in zip(leaves, plain, strict=True):
        assert leaf.grad == pytest.approx(factor * slope, rel=1e-9, abs=1e-9)
