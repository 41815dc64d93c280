"""What happens where a formula is singular, has a kink or a tie, or meets inf and nan."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import Value
from autograd_engine.primitives import TABLE, NaryPrimitive, Primitive

INF, NAN = math.inf, math.nan
LOG2 = math.log(2.0)

# (what is computed, at, the result, its derivative by each operand)
CONVENTIONS: list[tuple[str, Callable[..., Value], tuple[float, ...], float, tuple[float, ...]]] = [
    ("add", ae.add, (INF, -INF), NAN, (1, 1)),
    ("add", ae.add, (0.0, -0.0), 0.0, (1, 1)),
    ("add", ae.add, (-0.0, -0.0), -0.0, (1, 1)),
    ("add", ae.add, (NAN, 1.0), NAN, (1, 1)),
    ("sub", ae.sub, (INF, INF), NAN, (1, -1)),
    ("sub", ae.sub, (-INF, INF), -INF, (1, -1)),
    ("mul", ae.mul, (0.0, INF), NAN, (INF, 0)),
    ("mul", ae.mul, (1e200, -1e200), -INF, (-1e200, 1e200)),
    ("mul", ae.mul, (NAN, 2.0), NAN, (2, NAN)),
    ("div", ae.div, (1.0, 0.0), INF, (INF, -INF)),
    ("div", ae.div, (1.0, -0.0), -INF, (-INF, -INF)),
    ("div", ae.div, (-1.0, 0.0), -INF, (INF, INF)),
    ("div", ae.div, (0.0, 0.0), NAN, (INF, NAN)),
    ("div", ae.div, (1.0, INF), 0.0, (0, 0)),
    ("div", ae.div, (INF, INF), NAN, (0, NAN)),
    ("1 / x", lambda x: 1 / x, (0.0,), INF, (-INF,)),
    ("x / 0", lambda x: x / 0, (-2.0,), -INF, (INF,)),
    ("neg", ae.neg, (0.0,), -0.0, (-1,)),
    ("neg", ae.neg, (INF,), -INF, (-1,)),
    ("pow", ae.pow, (-2.0, 0.5), NAN, (NAN, NAN)),
    ("pow", ae.pow, (-2.0, 3.0), -8.0, (12, NAN)),
    ("pow", ae.pow, (0.0, 0.0), 1.0, (0, 0)),
    ("pow", ae.pow, (5.0, 0.0), 1.0, (0, math.log(5.0))),
    ("pow", ae.pow, (-2.0, 0.0), 1.0, (0, NAN)),
    ("pow", ae.pow, (INF, 0.0), 1.0, (0, INF)),
    ("pow", ae.pow, (NAN, 0.0), 1.0, (0, NAN)),
    ("pow", ae.pow, (NAN, 2.0), NAN, (NAN, NAN)),
    ("pow", ae.pow, (2.0, NAN), NAN, (NAN, NAN)),
    ("pow", ae.pow, (0.0, 0.5), 0.0, (INF, 0)),
    ("pow", ae.pow, (0.0, 1.0), 0.0, (1, 0)),
    ("pow", ae.pow, (0.0, 2.0), 0.0, (0, 0)),
    ("pow", ae.pow, (0.0, -1.0), INF, (-INF, -INF)),
    ("pow", ae.pow, (-0.0, 3.0), -0.0, (0, 0)),
    ("pow", ae.pow, (-0.0, -1.0), -INF, (-INF, INF)),
    ("pow", ae.pow, (1000.0, 1000.0), INF, (INF, INF)),
    ("pow", ae.pow, (-1000.0, 1001.0), -INF, (INF, NAN)),
    ("pow", ae.pow, (1000.0, -1000.0), 0.0, (0, 0)),
    ("x ** 0", lambda x: x**0, (0.0,), 1.0, (0,)),
    ("x ** 0", lambda x: x**0, (-2.0,), 1.0, (0,)),
    ("x ** 0", lambda x: x**0, (NAN,), 1.0, (0,)),
    ("x ** 0", lambda x: x**0, (INF,), 1.0, (0,)),
    ("x ** 0.5", lambda x: x**0.5, (-2.0,), NAN, (NAN,)),
    ("x ** -1", lambda x: x**-1, (0.0,), INF, (-INF,)),
    ("x ** 2", lambda x: x**2, (1e200,), INF, (2e200,)),
    ("2 ** x", lambda x: 2**x, (2000.0,), INF, (INF,)),
    ("0 ** x", lambda x: 0**x, (2.0,), 0.0, (0,)),
    ("(-2) ** x", lambda x: (-2) ** x, (2.0,), 4.0, (NAN,)),
    ("(x * x) ** 0.5", lambda x: (x * x) ** 0.5, (0.0,), 0.0, (NAN,)),
    ("where", ae.where, (1.0, 2.0, 3.0), 2.0, (0, 1, 0)),
    ("where", ae.where, (0.0, 2.0, 3.0), 3.0, (0, 0, 1)),
    ("where", ae.where, (-0.0, 2.0, 3.0), 3.0, (0, 0, 1)),
    ("where", ae.where, (-1.0, 2.0, NAN), 2.0, (0, 1, 0)),
    ("where", ae.where, (0.0, INF, 3.0), 3.0, (0, 0, 1)),
    ("where", ae.where, (NAN, 2.0, 3.0), 2.0, (0, 1, 0)),
    ("sign", ae.sign, (0.0,), 0.0, (0,)),
    ("sign", ae.sign, (-0.0,), -0.0, (0,)),
    ("sign", ae.sign, (-INF,), -1.0, (0,)),
    ("abs", ae.abs, (0.0,), 0.0, (0,)),
    ("abs", ae.abs, (-0.0,), 0.0, (0,)),
    ("abs", ae.abs, (-INF,), INF, (-1,)),
    ("abs", ae.abs, (NAN,), NAN, (NAN,)),
    ("relu", ae.relu, (0.0,), 0.0, (0,)),
    ("relu", ae.relu, (-0.0,), 0.0, (0,)),
    ("relu", ae.relu, (-1.0,), 0.0, (0,)),
    ("relu", ae.relu, (1000.0,), 1000.0, (1,)),
    ("relu", ae.relu, (-INF,), 0.0, (0,)),
    ("relu", ae.relu, (INF,), INF, (1,)),
    ("relu", ae.relu, (NAN,), NAN, (NAN,)),
    ("maximum", ae.maximum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    ("maximum", ae.maximum, (0.0, -0.0), -0.0, (0.5, 0.5)),
    ("maximum", ae.maximum, (INF, INF), INF, (0.5, 0.5)),
    ("maximum", ae.maximum, (-INF, INF), INF, (0, 1)),
    ("maximum", ae.maximum, (NAN, 1.0), NAN, (NAN, NAN)),
    ("maximum", ae.maximum, (1.0, NAN), NAN, (NAN, NAN)),
    ("maximum", ae.maximum, (INF, NAN), NAN, (NAN, NAN)),
    ("maximum", lambda x: ae.maximum(x, 0), (0.0,), 0.0, (0.5,)),
    ("maximum", lambda x: ae.maximum(x, x), (3.0,), 3.0, (1,)),
    ("minimum", ae.minimum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    ("minimum", ae.minimum, (-INF, -INF), -INF, (0.5, 0.5)),
    ("minimum", ae.minimum, (-INF, INF), -INF, (1, 0)),
    ("minimum", ae.minimum, (NAN, 1.0), NAN, (NAN, NAN)),
    ("minimum", ae.minimum, (-INF, NAN), NAN, (NAN, NAN)),
    ("exp", ae.exp, (1000.0,), INF, (INF,)),
    ("exp", ae.exp, (-1000.0,), 0.0, (0,)),
    ("exp", ae.exp, (INF,), INF, (INF,)),
    ("exp", ae.exp, (-INF,), 0.0, (0,)),
    ("exp", ae.exp, (-0.0,), 1.0, (1,)),
    ("exp", ae.exp, (NAN,), NAN, (NAN,)),
    ("log", ae.log, (0.0,), -INF, (INF,)),
    ("log", ae.log, (-1.0,), NAN, (-1,)),
    ("log", ae.log, (1.0,), 0.0, (1,)),
    ("log", ae.log, (INF,), INF, (0,)),
    ("log", ae.log, (-INF,), NAN, (0,)),
    ("log", ae.log, (NAN,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (0.0,), 0.0, (INF,)),
    ("sqrt", ae.sqrt, (-1.0,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (INF,), INF, (0,)),
    ("sqrt", ae.sqrt, (-INF,), NAN, (NAN,)),
    ("sqrt", ae.sqrt, (NAN,), NAN, (NAN,)),
    ("tanh", ae.tanh, (1000.0,), 1.0, (0,)),
    ("tanh", ae.tanh, (-1000.0,), -1.0, (0,)),
    ("tanh", ae.tanh, (-INF,), -1.0, (0,)),
    ("tanh", ae.tanh, (-0.0,), -0.0, (1,)),
    ("tanh", ae.tanh, (NAN,), NAN, (NAN,)),
    ("sigmoid", ae.sigmoid, (1000.0,), 1.0, (0,)),
    ("sigmoid", ae.sigmoid, (-1000.0,), 0.0, (0,)),
    ("sigmoid", ae.sigmoid, (-700.0,), math.exp(-700.0), (math.exp(-700.0),)),
    ("sigmoid", ae.sigmoid, (INF,), 1.0, (0,)),
    ("sigmoid", ae.sigmoid, (-INF,), 0.0, (0,)),
    ("sigmoid", ae.sigmoid, (-0.0,), 0.5, (0.25,)),
    ("sigmoid", ae.sigmoid, (NAN,), NAN, (NAN,)),
    ("log(sigmoid)", lambda x: ae.log(ae.sigmoid(x)), (-700.0,), -700.0, (1,)),
    ("exp_difference", ae.exp_difference, (1000.0, -1000.0), INF, (INF, -INF)),
    ("exp_difference", ae.exp_difference, (-1000.0, 1000.0), 0.0, (0, 0)),
    ("exp_difference", ae.exp_difference, (INF, INF), NAN, (NAN, NAN)),
    ("exp_difference", ae.exp_difference, (-INF, 0.0), 0.0, (0, 0)),
    ("sum", lambda *xs: ae.sum(xs), (INF, -INF), NAN, (1, 1)),
    ("sum", lambda *xs: ae.sum(xs), (1e308, 1e308), INF, (1, 1)),
    ("sum", lambda x: ae.sum([x, x]), (-0.0,), -0.0, (2,)),
    ("mean", lambda *xs: ae.mean(xs), (INF, 1.0), INF, (0.5, 0.5)),
    ("mean", lambda *xs: ae.mean(xs), (NAN, 1.0), NAN, (0.5, 0.5)),
    ("dot", lambda w, x: ae.dot([w], [x]), (0.0, INF), NAN, (INF, 0)),
    ("dot", lambda w, x: ae.dot([w, 1.0], [x, 1.0]), (NAN, 2.0), NAN, (2, NAN)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (0.0, 0.0), LOG2, (0.5, 0.5)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (1000.0, 1000.0), 1000.0 + LOG2, (0.5, 0.5)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (-1000.0, -1000.0), LOG2 - 1000.0, (0.5, 0.5)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (1000.0, -1000.0), 1000.0, (1, 0)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (-INF, 2.0), 2.0, (0, 1)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (-INF, -INF), -INF, (NAN, NAN)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (INF, 0.0), INF, (NAN, 0)),
    ("logsumexp", lambda *xs: ae.logsumexp(xs), (NAN, 0.0), NAN, (NAN, NAN)),
    ("softmax", lambda *xs: ae.softmax(xs)[0], (1000.0, -1000.0), 1.0, (0, 0)),
    ("softmax", lambda *xs: ae.softmax(xs)[0], (-1000.0, 1000.0), 0.0, (0, 0)),
    ("log_softmax", lambda *xs: ae.log_softmax(xs)[0], (-1000.0, 1000.0), -2000.0, (1, -1)),
    ("log_softmax", lambda *xs: ae.log_softmax(xs)[0], (1000.0, -1000.0), 0.0, (0, 0)),
]

SPECIAL = (0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0, INF, -INF, NAN)
ROWS = list(TABLE.values())
ELEMENTWISE = [row for row in ROWS if not isinstance(row, NaryPrimitive)]
NARY = [row for row in ROWS if isinstance(row, NaryPrimitive)]

# IEEE 754 defines these powers although an operand is nan; `where` does not look at one operand.
NAN_MAY_VANISH = {"pow", "where"}


def row_name(x: Any) -> str | None:
    return x.name if isinstance(x, Primitive) else None


every_elementwise_row = pytest.mark.parametrize("row", ELEMENTWISE, ids=row_name)


def grid(arity: int) -> list[tuple[float, ...]]:
    return list(itertools.product(SPECIAL, repeat=arity))


def same(x: float, expected: float, tolerance: float = 0.0) -> bool:
    """Equal as numbers, nan being equal to nan."""
    if math.isnan(x) or math.isnan(expected):
        return math.isnan(x) and math.isnan(expected)
    return x == expected or abs(x - expected) <= tolerance * max(1.0, abs(expected))


@pytest.mark.parametrize(
    ("function", "at", "result", "derivatives"),
    [row[1:] for row in CONVENTIONS],
    ids=[f"{name} at {', '.join(map(str, at))}" for name, _, at, _, _ in CONVENTIONS],
)
def test_convention(
    function: Callable[..., Value],
    at: tuple[float, ...],
    result: float,
    derivatives: tuple[float, ...],
) -> None:
    operands = [Value(x) for x in at]
    z = function(*operands)
    assert type(z.data) is float
    assert same(z.data, result, 1e-15)
    assert z.data != 0.0 or math.copysign(1.0, z.data) == math.copysign(1.0, result)
    z.backward()
    gradients = [x.grad for x in operands]
    assert all(map(same, gradients, derivatives, [1e-13] * len(at))), gradients


def test_every_present_row_has_a_convention() -> None:
    assert {row.name for row in ROWS} - {name for name, *_ in CONVENTIONS} == set()


@every_elementwise_row
def test_values_at_special_points_give_real_floats(row: Primitive) -> None:
    for at in grid(row.arity):
        operands = [Value(x) for x in at]
        z = row(*operands)
        assert type(z.data) is float, at
        assert [type(d) for d in z._derivatives] == [float] * row.arity, at
        z.backward()
        assert [type(x.grad) for x in operands] == [float] * row.arity, at


@every_elementwise_row
def test_floats_at_special_points_give_what_values_give(row: Primitive) -> None:
    for at in grid(row.arity):
        z = row(*at)
        assert type(z) is float, at
        assert same(z, row(*[Value(x) for x in at]).data), at


@every_elementwise_row
def test_arrays_at_special_points_give_what_floats_give(row: Primitive) -> None:
    points = grid(row.arity)
    columns = [np.array(column) for column in zip(*points, strict=True)]
    for at, z in zip(points, row(*columns).tolist(), strict=True):
        assert same(z, row(*at), 1e-15), at


@every_elementwise_row
def test_constants_at_special_points_change_nothing(row: Primitive) -> None:
    for at in grid(row.arity):
        z, derivatives = row.linearize(at)
        for i in range(row.arity):
            mixed = [Value(x) if i == j else x for j, x in enumerate(at)]
            node = row(*mixed)
            assert same(node.data, z), at
            assert len(node._derivatives) == 1
            assert same(node._derivatives[0], derivatives[i]), at


@pytest.mark.parametrize("row", NARY, ids=row_name)
@pytest.mark.parametrize("size", [1, 2])
def test_nary_rows_at_special_points_give_real_floats(row: NaryPrimitive, size: int) -> None:
    for at in grid(row.arity * size if row.arity * size <= 3 else 2):
        flat = (*at, *at) if row.arity * size > 3 else at
        operands = [Value(x) for x in flat]
        z = row(*[operands[i * size : (i + 1) * size] for i in range(row.arity)])
        assert type(z.data) is float, at
        assert [type(d) for d in z._derivatives] == [float] * len(operands), at
        z.backward()
        assert math.isnan(z.data) or not any(map(math.isnan, at)), at


@pytest.mark.parametrize(
    "row", [row for row in ELEMENTWISE if row.name not in NAN_MAY_VANISH], ids=row_name
)
def test_nan_in_gives_nan_out(row: Primitive) -> None:
    for at in grid(row.arity):
        if any(map(math.isnan, at)):
            assert math.isnan(row(*[Value(x) for x in at]).data), at


@pytest.mark.parametrize(
    ("at", "result"),
    [
        ((NAN, 0.0), 1.0),
        ((NAN, -0.0), 1.0),
        ((1.0, NAN), 1.0),
        ((0.0, NAN), NAN),
        ((NAN, 1.0), NAN),
    ],
)
def test_powers_of_nan_are_those_of_ieee_754(at: tuple[float, float], result: float) -> None:
    assert same(ae.pow(*at), result)
    assert same((Value(at[0]) ** Value(at[1])).data, result)


def test_operators_agree_with_rows_at_special_points() -> None:
    operators: dict[str, Callable[[Any, Any], Any]] = {
        "add": lambda x, y: x + y,
        "sub": lambda x, y: x - y,
        "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y,
        "pow": lambda x, y: x**y,
    }
    for (name, operator), (x, y) in itertools.product(operators.items(), grid(2)):
        z, derivatives = TABLE[name].linearize((x, y))
        for node, expected in (
            (operator(Value(x), Value(y)), derivatives),
            (operator(Value(x), y), derivatives[:1]),
            (operator(x, Value(y)), derivatives[1:]),
        ):
            assert same(node.data, z), (name, x, y)
            assert type(node.data) is float
            assert all(map(same, node._derivatives, expected)), (name, x, y)


def test_a_tie_of_three_shares_the_derivative() -> None:
    a, b, c = Value(1.0), Value(1.0), Value(1.0)
    ae.maximum(ae.maximum(a, b), c).backward()
    assert (a.grad, b.grad, c.grad) == (0.25, 0.25, 0.5)


def test_a_singular_derivative_leaves_the_result_alone() -> None:
    assert (Value(-math.inf) ** Value(0.5)).data == (Value(-math.inf) ** 0.5).data == math.inf
