"""Expressions: what is done to them is recorded, reads as Python, and means the same."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_primitives import ROWS, by_name

from autograd_engine import Value, primitive, primitives
from autograd_engine.expression import COMPARISONS, INFIX, Expression
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive

COMPARE = list(COMPARISONS)
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


def node(x: Any) -> tuple[Any, tuple[Any, ...]]:
    assert type(x) is Expression
    assert x.name == ""
    return x.operation, x.operands


# --- what is recorded -----------------------------------------------------------------------------


def test_an_input_has_a_name_and_nothing_else() -> None:
    x = Expression("x")
    assert (x.name, x.operation, x.operands) == ("x", None, ())


@pytest.mark.parametrize("function", OPERATORS)
def test_operators_record_the_row_and_the_side(function: Callable[[Any, Any], Any]) -> None:
    x, y = Expression("x"), Expression("y")
    row = {"truediv": "div"}.get(function.__name__, function.__name__)
    for left, right in ((x, y), (x, x), (x, 2), (2, x), (x, True), (np.float32(0.5), x)):
        operation, operands = node(function(left, right))
        assert operation is getattr(primitives, row)
        for operand, given_ in zip(operands, (left, right), strict=True):
            if isinstance(given_, Expression):
                assert operand is given_
            else:
                assert type(operand) is float
                assert operand == float(given_)


def test_signs_record_their_rows() -> None:
    x = Expression("x")
    assert node(-x) == (primitives.neg, (x,))
    assert node(abs(x)) == (primitives.abs, (x,))


@pytest.mark.parametrize("function", COMPARE)
def test_comparisons_record_the_function_of_operator(function: Callable[[Any, Any], Any]) -> None:
    x, y = Expression("x"), Expression("y")
    operation, (left, right) = node(function(x, y))
    assert operation is function
    assert left is x
    assert right is y
    operation, (left, right) = node(function(x, 1))
    assert (operation, type(right), right) == (function, float, 1.0)


def test_a_number_in_front_mirrors_the_comparison() -> None:
    x = Expression("x")
    for function, mirrored in (
        (operator.lt, operator.gt),
        (operator.le, operator.ge),
        (operator.eq, operator.eq),
        (operator.ne, operator.ne),
    ):
        for first, second in ((function, mirrored), (mirrored, function)):
            operation, (left, right) = node(first(3.0, x))
            assert operation is second
            assert left is x
            assert right == 3.0


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_every_row_is_recorded_as_one_call(row: Primitive) -> None:
    n = 3 if isinstance(row, NaryPrimitive) else 1
    operands = [Expression(f"x{i}") for i in range(row.arity * n - 1)]
    flat = [*operands, Expression("last")]
    sequences = [flat[i * n : (i + 1) * n] for i in range(row.arity)]
    operation, found = node(row(*sequences) if n > 1 else row(*flat))
    assert operation is row
    assert [id(x) for x in found] == [id(x) for x in flat]


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity > 1], ids=by_name)
def test_a_row_takes_numbers_beside_expressions(row: Primitive) -> None:
    x = Expression("x")
    for position in range(row.arity):
        operands: list[Any] = [2] * row.arity
        operands[position] = x
        nary = isinstance(row, NaryPrimitive)
        operation, found = node(row(*[[v] for v in operands] if nary else operands))
        assert operation is row
        assert found[position] is x
        assert all(type(v) is float and v == 2.0 for v in found if v is not x)


def test_a_row_of_a_user_is_recorded_too() -> None:
    @primitive(lambda z, x: 3.0 * x * x)
    def cube(x: Any) -> Any:
        """x * x * x. Source: a test."""
        return x * x * x

    x = Expression("x")
    assert node(cube(x)) == (cube, (x,))
    assert repr(cube(x + 1.0)) == "cube(x + 1.0)"


def test_sharing_is_kept() -> None:
    x = Expression("x")
    twice = x + 1.0
    _, (left, right) = node(twice * twice)
    assert left is right is twice


def test_the_hash_goes_by_identity() -> None:
    x, same_name = Expression("x"), Expression("x")
    assert {x: 1, same_name: 2}[x] == 1
    assert len({x, x, same_name}) == 2
    assert hash(x) == object.__hash__(x)


def test_nothing_can_be_added_to_an_expression() -> None:
    with pytest.raises(AttributeError):
        Expression("x").label = "x"  # type: ignore[attr-defined]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition", [lambda x: x, lambda x: x < 1.0, lambda x: x == x, lambda x: x * 0.0]
)
def test_truth_is_refused_with_the_remedy(condition: Callable[[Any], Any]) -> None:
    recorded = condition(Expression("x"))
    for use in (bool, operator.not_, lambda c: c and 1.0, lambda c: 1.0 if c else 0.0):
        with pytest.raises(TypeError) as error:
            use(recorded)
        message = str(error.value)
        assert message.startswith(f"{recorded!r} is recorded")
        assert "where(condition, x, y)" in message


def test_choice_by_the_builtins_is_refused() -> None:
    x, y = Expression("x"), Expression("y")
    for use in (lambda: max(x, y), lambda: min(x, 0.0), lambda: sorted([x, y]), lambda: x in [y]):
        with pytest.raises(TypeError, match="where"):
            use()
    with pytest.raises(TypeError, match="where"):
        _ = 0.0 < x < 1.0


@pytest.mark.parametrize(
    "use",
    [float, int, operator.index, math.exp, math.floor, complex, range, lambda x: [1.0][x], hex],
    ids=["float", "int", "index", "math.exp", "floor", "complex", "range", "[]", "hex"],
)
def test_taking_the_number_is_refused_with_the_remedy(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"2\.0 is recorded, and has no number yet; use the prim"):
        use(Expression("x") * 2.0)


@pytest.mark.parametrize("bad", ["2.0", b"2", None, [1.0], (1.0,), {}, 2j, object()])
def test_what_is_no_number_is_refused_everywhere(bad: Any) -> None:
    x = Expression("x")
    for function in OPERATORS:
        name = node(function(x, x))[0].name
        for left, right in ((x, bad), (bad, x)):
            with pytest.raises(TypeError, match=f"^{name}: expected a real number"):
                function(left, right)
    for function in COMPARE:
        with pytest.raises(TypeError, match=f"^{COMPARISONS[function]}: expected a real number"):
            function(x, bad)
    for call in (lambda: primitives.maximum(x, bad), lambda: primitives.maximum(bad, x)):
        with pytest.raises(TypeError, match=r"^maximum: expected a real number"):
            call()


def test_values_and_expressions_do_not_mix() -> None:
    x, v = Expression("x"), Value(2.0)
    for use in (
        lambda: x + v,
        lambda: v + x,
        lambda: v**x,
        lambda: x < v,
        lambda: v < x,
        lambda: primitives.maximum(x, v),
        lambda: primitives.maximum(v, x),
        lambda: primitives.where(1.0, v, x),
        lambda: primitives.dot([x, v], [1.0, 2.0]),
        lambda: primitives.dot([v, x], [1.0, 2.0]),
    ):
        with pytest.raises(TypeError, match=r"Value\(data=2.0"):
            use()
    assert v._prev == ()


def test_too_large_a_number_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="too large"):
        _ = Expression("x") + 10**400


def test_arrays_work_element_by_element() -> None:
    x, array = Expression("x"), np.array([1.0, 2.0])
    assert Expression.bind(primitives.add, (x, array)) is NotImplemented
    assert x.__add__(array) is NotImplemented
    for result in (x * array, primitives.mul(x, array)):
        assert result.shape == (2,)
        assert [repr(e) for e in result] == ["x * 1.0", "x * 2.0"]
    assert [repr(e) for e in array - x] == ["1.0 - x", "2.0 - x"]
    assert [repr(e) for e in primitives.exp(np.array([x, x + 1.0]))] == ["exp(x)", "exp(x + 1.0)"]
    assert repr(x * np.array(3)) == "x * 3.0"
    assert repr(np.float64(3.0) / x) == "3.0 / x"
    for compare in (lambda: array < x, lambda: x > array):  # NumPy wants booleans
        with pytest.raises(TypeError, match="where"):
            compare()


# --- repr reads as Python -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, y: x + y * 2, "x + (y * 2.0)"),
        (lambda x, y: (x + y) * 2, "(x + y) * 2.0"),
        (lambda x, y: x - (y - 1), "x - (y - 1.0)"),
        (lambda x, y: (-x) ** 2, "(-x) ** 2.0"),
        (lambda x, y: -(x**2), "-(x ** 2.0)"),
        (lambda x, y: -primitives.neg(x), "-(-x)"),
        (lambda x, y: x * -1.0, "x * -1.0"),
        (lambda x, y: abs(-x), "abs(-x)"),
        (lambda x, y: (x < y) == (x >= 0.0), "(x < y) == (x >= 0.0)"),
        (lambda x, y: primitives.where(x > y, x, -y), "where(x > y, x, -y)"),
        (lambda x, y: primitives.tanh(x + 1) / y, "tanh(x + 1.0) / y"),
    ],
)
def test_repr_shows_the_formula(make: Callable[[Any, Any], Any], text: str) -> None:
    assert repr(make(Expression("x"), Expression("y"))) == text


def test_repr_of_a_negative_base_keeps_its_sign_inside() -> None:
    x = Expression("x")
    for base in (-2.0, -0.0, -math.inf):
        text = repr(base**x)
        assert eval(text, {"x": 2.0, "inf": math.inf}) == base**2.0, text


NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e22, -1e-7, 5e-324, 1e308, math.inf, math.nan]
FUNCTIONS = [row for row in ROWS if not isinstance(row, NaryPrimitive)]


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Any, tuple[Any, ...]]]:
    """A program: in each step an operation, and where its operands come from.

    An operand is the index of an earlier result (of an input, for 0 and 1) or a number.
    """
    program: list[tuple[Any, tuple[Any, ...]]] = []
    for i in range(draw(st.integers(1, 8))):
        operation = draw(
            st.sampled_from([*OPERATORS, *COMPARE, operator.neg, operator.abs])
            | st.sampled_from(FUNCTIONS)
        )
        arity = operation.arity if isinstance(operation, Primitive) else 2
        if operation in (operator.neg, operator.abs):
            arity = 1
        earlier = st.integers(0, i + 1)
        operands: list[Any] = [draw(earlier | st.sampled_from(NUMBERS)) for _ in range(arity)]
        if not any(isinstance(x, int) for x in operands):
            operands[draw(st.integers(0, arity - 1))] = draw(earlier)
        program.append((operation, tuple(operands)))
    return program


def run(program: list[tuple[Any, tuple[Any, ...]]], x: Any, y: Any) -> Any:
    results = [x, y]
    for operation, operands in program:
        results.append(
            operation(*[results[v] if isinstance(v, int) else v for v in operands]),
        )
    return results[-1]


def same_bits(x: float, y: float) -> bool:
    return (math.isnan(x) and math.isnan(y)) or struct.pack("d", x) == struct.pack("d", y)


class Plain:
    """A number on which operators, comparisons and rows give numbers: as IEEE 754 has it."""

    def __init__(self, data: float) -> None:
        self.data = float(data)

    @staticmethod
    def bind(row: Any, operands: tuple[Any, ...]) -> Plain:
        data = [x.data if isinstance(x, Plain) else float(x) for x in operands]
        return Plain(row.evaluate(data) if isinstance(row, Primitive) else row(*data))


def _give_operators() -> None:
    def methods(operation: Any) -> tuple[Any, Any]:
        return (
            lambda self, other: Plain.bind(operation, (self, other)),
            lambda self, other: Plain.bind(operation, (other, self)),
        )

    for row, sign in INFIX.items():
        name = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow"}[sign]
        for method, made in zip((f"__{name}__", f"__r{name}__"), methods(row), strict=True):
            setattr(Plain, method, made)
    for function in COMPARE:
        setattr(Plain, f"__{function.__name__}__", methods(function)[0])
    for row_name in ("neg", "abs"):
        row = TABLE[row_name]
        setattr(Plain, f"__{row_name}__", lambda self, row=row: Plain.bind(row, (self,)))


_give_operators()


@settings(max_examples=400)
@given(steps(), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS) | st.floats(-3.0, 3.0))
def test_repr_evaluates_to_the_number_of_the_direct_call(
    program: list[tuple[Any, tuple[Any, ...]]], x: float, y: float
) -> None:
    direct = run(program, Plain(x), Plain(y))
    text = repr(run(program, Expression("x"), Expression("y")))
    names = {**TABLE, "x": Plain(x), "y": Plain(y), "inf": math.inf, "nan": math.nan}
    again = eval(text, {"__builtins__": {}}, names)
    assert same_bits(again.data, direct.data), (text, again.data, direct.data)


@settings(max_examples=400)
@given(steps())
def test_repr_evaluates_to_the_same_expression(
    program: list[tuple[Any, tuple[Any, ...]]],
) -> None:
    x, y = Expression("x"), Expression("y")
    first = run(program, x, y)
    names = {**TABLE, "x": x, "y": y, "inf": math.inf, "nan": math.nan}
    again = eval(repr(first), {"__builtins__": {}}, names)
    assert repr(again) == repr(first)
    assert _same(again, first)


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, Expression):
        return type(b) is float and same_bits(a, b)
    return a is b or (
        a.operation is b.operation
        and len(a.operands) == len(b.operands) > 0
        and all(map(_same, a.operands, b.operands))
    )
