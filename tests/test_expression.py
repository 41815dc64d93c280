"""Expressions: what is done to them is recorded, reads as Python, and means the same."""

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_primitives import ROWS, by_name

from autograd_engine import Value, primitive, primitives
from autograd_engine.expression import INFIX, Expression, _text, recorded
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS, Tape

COMPARE = list(COMPARISONS)
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


def inputs(*names: str) -> list[Expression]:
    """Inputs of one tape."""
    tape = Tape()
    return [recorded(name, tape) for name in names]


def node(x: Any) -> tuple[Any, tuple[Any, ...]]:
    assert type(x) is Expression
    assert x.name == ""
    assert x.constant is None
    return x.operation, x.operands


def is_line(x: Any, of: Any) -> bool:
    """Whether both are the same line of the same tape."""
    assert type(x) is type(of) is Expression
    return x.tape is of.tape and x.index == of.index


# --- what is recorded -----------------------------------------------------------------------------


def test_an_input_has_a_name_and_nothing_else() -> None:
    x = recorded("x")
    assert (x.name, x.constant, x.operation, x.operands) == ("x", None, None, ())


def test_an_input_has_a_tape_of_its_own_unless_it_is_given_one() -> None:
    x, y = inputs("x", "y")
    assert x.tape is y.tape
    assert (x.index, y.index) == (0, 1)
    assert recorded("x").tape is not recorded("x").tape


def test_two_inputs_of_one_name_are_two() -> None:
    x, other = inputs("x", "x")
    assert not is_line(x, other)


def test_an_operation_on_numbers_alone_is_a_constant() -> None:
    tape = recorded("x").tape
    two = Expression(tape, tape.constant(2.0))
    for found, expected in ((two * 3.0, 6.0), (two < 1.0, 0.0), (-two, -2.0), (two.exp(), None)):
        assert (found.name, found.operation, found.operands) == ("", None, ())
        assert found.constant == (math.exp(2.0) if expected is None else expected)
        assert repr(found) == repr(found.constant)


@pytest.mark.parametrize("function", OPERATORS)
def test_operators_record_the_row_and_the_side(function: Callable[[Any, Any], Any]) -> None:
    x, y = inputs("x", "y")
    row = {"truediv": "div"}.get(function.__name__, function.__name__)
    for left, right in ((x, y), (x, x), (x, 3), (3, x), (x, Fraction(1, 4)), (np.float32(0.5), x)):
        operation, operands = node(function(left, right))
        assert operation is getattr(primitives, row)
        for operand, given_ in zip(operands, (left, right), strict=True):
            if isinstance(given_, Expression):
                assert is_line(operand, given_)
            else:
                assert type(operand) is float
                assert operand == float(given_)


@pytest.mark.parametrize("function", OPERATORS)
def test_a_bool_is_the_number_that_it_is(function: Callable[[Any, Any], Any]) -> None:
    x = recorded("x")
    assert is_line(function(x, True), function(x, 1.0))
    assert is_line(function(True, x), function(1.0, x))


def test_the_zero_where_the_builtin_sum_starts_is_left_out() -> None:
    x, y = inputs("x", "y")
    assert is_line(sum([x, y]), x + y)
    assert is_line(sum([x]), x)
    for zero in (0.0, False, np.float64(0.0)):
        operation, (left, right) = node(zero + x)
        assert operation is primitives.add
        assert (left, is_line(right, x)) == (0.0, True)


def test_signs_record_their_rows() -> None:
    x = recorded("x")
    for made, row in ((-x, primitives.neg), (abs(x), primitives.abs)):
        operation, (operand,) = node(made)
        assert operation is row
        assert is_line(operand, x)
    assert +x is x


@pytest.mark.parametrize("function", COMPARE)
def test_comparisons_record_the_function_of_operator(function: Callable[[Any, Any], Any]) -> None:
    x, y = inputs("x", "y")
    operation, (left, right) = node(function(x, y))
    assert operation is function
    assert is_line(left, x)
    assert is_line(right, y)
    operation, (left, right) = node(function(x, 1))
    assert (operation, type(right), right) == (function, float, 1.0)


def test_a_number_in_front_mirrors_the_comparison() -> None:
    x = recorded("x")
    for function, mirrored in (
        (operator.lt, operator.gt),
        (operator.le, operator.ge),
        (operator.eq, operator.eq),
        (operator.ne, operator.ne),
    ):
        for first, second in ((function, mirrored), (mirrored, function)):
            operation, (left, right) = node(first(3.0, x))
            assert operation is second
            assert is_line(left, x)
            assert right == 3.0


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_every_row_is_recorded_as_one_call(row: Primitive) -> None:
    n = 3 if isinstance(row, NaryPrimitive) else 1
    flat = inputs(*[f"x{i}" for i in range(row.arity * n)])
    sequences = [flat[i * n : (i + 1) * n] for i in range(row.arity)]
    operation, found = node(row(*sequences) if n > 1 else row(*flat))
    assert operation is row
    assert list(map(is_line, found, flat)) == [True] * len(flat)


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity < 3], ids=by_name)
def test_methods_and_their_names_in_numpy_are_the_rows(row: Primitive) -> None:
    x, y = inputs("x", "y")
    if isinstance(row, NaryPrimitive):
        with pytest.raises(AttributeError, match=row.name):
            getattr(x, row.name)
        return
    others = [y] * (row.arity - 1)
    for name in (row.name, *row.aliases):
        assert is_line(getattr(x, name)(*others), row(x, *others))


def test_an_attribute_that_is_no_row_is_an_attribute_error() -> None:
    for name in ("where", "item", "shape"):
        with pytest.raises(AttributeError, match=f"Expression has no attribute '{name}'"):
            getattr(recorded("x"), name)
    for name in ("grad", "backward", "zero_grad", "label"):
        with pytest.raises(AttributeError, match=f"{name}: x is recorded; compile"):
            getattr(recorded("x"), name)


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity > 1], ids=by_name)
def test_a_row_takes_numbers_beside_expressions(row: Primitive) -> None:
    x = recorded("x")
    for position in range(row.arity):
        operands: list[Any] = [3] * row.arity
        operands[position] = x
        nary = isinstance(row, NaryPrimitive)
        if nary:  # with one more element each, for a dot of one product is a product
            operation, found = node(row(*[[v, 5] for v in operands]))
            assert found[1::2] == (5.0,) * row.arity
            found = found[::2]
        elif row is primitives.where and position == 0:
            operation, found = node(row(x, 3, 4))
            assert found[1:] == (3.0, 4.0)
            found = (found[0], 3.0, 3.0)
        elif row is primitives.where:  # known, and so the operand that it chooses
            operands[0] = position == 1
            assert is_line(row(*operands), x)
            continue
        else:
            operation, found = node(row(*operands))
        assert operation is row
        assert is_line(found[position], x)
        rest = [v for i, v in enumerate(found) if i != position]
        assert all(type(v) is float and v == 3.0 for v in rest)


def test_a_row_of_a_user_is_recorded_too() -> None:
    @primitive(lambda z, x: 3.0 * x * x)
    def cube(x: Any) -> Any:
        """x * x * x. Source: a test."""
        return x * x * x

    x = recorded("x")
    operation, (operand,) = node(cube(x))
    assert operation is cube
    assert is_line(operand, x)
    assert repr(cube(x + 1.0)) == "cube(x + 1.0)"


def test_sharing_is_kept() -> None:
    x = recorded("x")
    twice = x + 1.0
    _, (left, right) = node(twice * twice)
    assert is_line(left, twice)
    assert is_line(right, twice)


def test_what_is_written_twice_is_recorded_once() -> None:
    x, y = inputs("x", "y")
    once = primitives.tanh(x * 3 + y) < y
    lines = len(x.tape)
    assert is_line(primitives.tanh(x * 3.0 + y) < y, once)
    assert len(x.tape) == lines


def test_data_and_detach_are_the_same_number_on_another_line() -> None:
    x = recorded("x")
    assert is_line(x.data, x.detach())
    assert not is_line(x.data, x)
    assert repr(x.data * 3.0) == "x * 3.0"


def test_the_hash_goes_by_identity() -> None:
    x, same_name = inputs("x", "x")
    assert {x: 1, same_name: 2}[x] == 1
    assert len({x, x, same_name}) == 2
    assert len({x + same_name, x + same_name}) == 2  # two objects for one line
    assert hash(x) == object.__hash__(x)


def test_nothing_can_be_added_to_an_expression() -> None:
    with pytest.raises(AttributeError):
        recorded("x").label = "x"  # type: ignore[attr-defined]


def place_of(f: Callable[[], Any]) -> str:
    """File and line, as they stand in messages, of a function of one line."""
    return f"{__file__}:{f.__code__.co_firstlineno}"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition", [lambda x: x, lambda x: x < 1.0, lambda x: x == x, lambda x: x * 0.0]
)
def test_truth_is_refused_with_the_remedy(condition: Callable[[Any], Any]) -> None:
    found = condition(recorded("x"))
    for use in (bool, operator.not_, lambda c: c and 1.0, lambda c: 1.0 if c else 0.0):
        with pytest.raises(TypeError) as error:
            use(found)
        message = str(error.value)
        assert message.split(": ", 1)[1].startswith(f"{found!r} is recorded")
        assert message.startswith(f"{__file__}:")
        assert "where(condition, x, y)" in message


def test_choice_by_the_builtins_is_refused() -> None:
    x, y = inputs("x", "y")
    for use in (lambda: max(x, y), lambda: min(x, 0.0), lambda: sorted([x, y]), lambda: x in [y]):
        with pytest.raises(TypeError, match="where"):
            use()
    with pytest.raises(TypeError, match="where"):
        _ = 0.0 < x < 1.0


@pytest.mark.parametrize(
    "use",
    [float, int, operator.index, math.exp, math.floor, math.ceil, math.trunc, round, complex, range,
     lambda x: [1.0][x], hex],
    ids=["float", "int", "index", "math.exp", "floor", "ceil", "trunc", "round", "complex", "range",
         "[]", "hex"],
)  # fmt: skip
def test_taking_the_number_is_refused_with_the_remedy(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"2\.0 is recorded, and has no number yet; use the prim"):
        use(recorded("x") * 2.0)


def test_rounding_to_digits_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match=r"x is recorded, and has no number yet; use the prim"):
        round(recorded("x"), 2)


def test_messages_name_the_line_of_the_user() -> None:
    x, y = inputs("x", "y")
    for use in (
        lambda: bool(x),
        lambda: max(x, y),
        lambda: 1.0 if primitives.exp(x) < y else 0.0,
        lambda: float(x),
        lambda: math.tanh(x),
        lambda: np.linalg.norm(np.array([x, y])) and primitives.exp(x) + float(y),
    ):
        with pytest.raises(TypeError, match=f"^{re.escape(place_of(use))}: .* is recorded"):
            use()


def test_formatting_shows_the_formula_whatever_the_format() -> None:
    x = recorded("x")
    assert f"{x * 3:.3f}" == f"{x * 3}" == "x * 3.0"


@pytest.mark.parametrize("bad", ["2.0", b"2", None, [1.0], (1.0,), {}, 2j, object()])
def test_what_is_no_number_is_refused_everywhere(bad: Any) -> None:
    x = recorded("x")
    for function in OPERATORS:
        name = node(function(x, x))[0].name
        for left, right in ((x, bad), (bad, x)):
            with pytest.raises(TypeError, match=f"^{name}: expected a real number"):
                function(left, right)
    for function in COMPARE:
        if bad is None and function in (operator.eq, operator.ne):  # `x == None` is False, as ever
            assert function(x, bad) is (function is operator.ne)
            continue
        with pytest.raises(TypeError, match=f"^{COMPARISONS[function]}: expected a real number"):
            function(x, bad)
    for call in (lambda: primitives.maximum(x, bad), lambda: primitives.maximum(bad, x)):
        with pytest.raises(TypeError, match=r"^maximum: expected a real number"):
            call()


def test_values_and_expressions_do_not_mix() -> None:
    x, v = recorded("x"), Value(2.0)
    for use in (
        lambda: x + v,
        lambda: v + x,
        lambda: v**x,
        lambda: x < v,
        lambda: v < x,
    ):
        with pytest.raises(TypeError, match=r"Expression.*Value|Value.*Expression"):
            use()
    for use in (
        lambda: primitives.maximum(x, v),
        lambda: primitives.maximum(v, x),
        lambda: primitives.where(1.0, v, x),
        lambda: primitives.dot([x, v], [1.0, 2.0]),
        lambda: primitives.dot([v, x], [1.0, 2.0]),
    ):
        with pytest.raises(TypeError, match=r"Value\(data=2.0"):
            use()
    assert v._prev == ()
    assert not any(x.tape.operations)


def test_equality_with_a_value_is_refused_while_nothing_is_recorded() -> None:
    x, v = recorded("x"), Value(2.0)
    for use in (lambda: x == v, lambda: v == x, lambda: x != v):
        with pytest.raises(TypeError):
            use()


def test_numbers_of_two_tapes_do_not_mix() -> None:
    x, y = recorded("x"), recorded("y")
    for use, name in (
        (lambda: x + y, "add"),
        (lambda: x**y, "pow"),
        (lambda: x < y, "<"),
        (lambda: x == y, "=="),
        (lambda: x.maximum(y), "maximum"),
        (lambda: primitives.where(1.0, x, y), "where"),
        (lambda: primitives.dot([1.0, x], [2.0, y]), "dot"),
    ):
        with pytest.raises(TypeError, match=rf"^{re.escape(name)}: y was recorded by another"):
            use()
    assert len(y.tape) == 1


def test_too_large_a_number_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="too large"):
        _ = recorded("x") + 10**400


def test_arrays_work_element_by_element() -> None:
    x, array = recorded("x"), np.array([3.0, 2.0])
    assert Expression.bind(primitives.add, (x, array)) is NotImplemented
    assert x.__add__(array) is NotImplemented
    for result in (x * array, primitives.mul(x, array)):
        assert result.shape == (2,)
        assert [repr(e) for e in result] == ["x * 3.0", "x * 2.0"]
    assert [repr(e) for e in array - x] == ["3.0 - x", "2.0 - x"]
    assert [repr(e) for e in primitives.exp(np.array([x, x + 1.0]))] == ["exp(x)", "exp(x + 1.0)"]
    assert repr(x * np.array(3)) == "x * 3.0"
    assert repr(np.float64(3.0) / x) == "3.0 / x"


def test_numpy_s_comparisons_are_recorded() -> None:
    x = recorded("x")
    assert [repr(z) for z in np.array([1.0, 2.0]) < x] == ["x > 1.0", "x > 2.0"]
    assert [repr(z) for z in x > np.array([1.0, 2.0])] == ["x > 1.0", "x > 2.0"]
    assert repr(np.float64(1.0) >= x) == "x <= 1.0"


@pytest.mark.parametrize("function", [np.isfinite, np.signbit, np.floor, np.rint])
def test_numpy_s_functions_without_a_primitive_are_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="is recorded, and has no number yet"):
        function(recorded("x"))


# --- repr reads as Python -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, y: x + y * 2, "x + (y * 2.0)"),
        (lambda x, y: (x + y) * 2, "(x + y) * 2.0"),
        (lambda x, y: x - (y - 1), "x - (y - 1.0)"),
        (lambda x, y: (-x) ** 3, "(-x) ** 3.0"),
        (lambda x, y: -(x**3), "-(x ** 3.0)"),
        (lambda x, y: x**2, "square(x)"),
        (lambda x, y: -primitives.neg(x), "x"),
        (lambda x, y: primitives.sum([x, y, 2.0]) * y, "sum(x, y, 2.0) * y"),
        (lambda x, y: x * -1.0, "x * -1.0"),
        (lambda x, y: abs(-x), "abs(-x)"),
        (lambda x, y: (x < y) == (x >= 0.0), "(x < y) == (x >= 0.0)"),
        (lambda x, y: primitives.where(x > y, x, -y), "where(x > y, x, -y)"),
        (lambda x, y: primitives.tanh(x + 1) / y, "tanh(x + 1.0) / y"),
    ],
)
def test_repr_shows_the_formula(make: Callable[[Any, Any], Any], text: str) -> None:
    assert repr(make(*inputs("x", "y"))) == text


def test_repr_of_detached_numbers_keeps_their_parentheses() -> None:
    x, y = inputs("x", "y")
    assert repr((x + 1.0).data * y) == "(x + 1.0) * y"
    assert repr((-x).detach() ** 3.0) == "(-x) ** 3.0"


def test_repr_of_a_large_formula_is_short_and_fast() -> None:
    x = recorded("x")
    wide, deep = x, x
    for _ in range(200):
        wide, deep = wide * wide + x, primitives.tanh(deep) * 3.0
    for text in (repr(wide), repr(deep)):
        assert len(text) <= 400
        assert "..." in text


def test_repr_of_a_negative_base_keeps_its_sign_inside() -> None:
    x = recorded("x")
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


def whole(x: Expression) -> str:
    """The repr without its limits."""
    return _text(x, 100)


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
    text = whole(run(program, *inputs("x", "y")))
    names = {**TABLE, "x": Plain(x), "y": Plain(y), "inf": math.inf, "nan": math.nan}
    again = eval(text, {"__builtins__": {}}, names)
    found = again.data if isinstance(again, Plain) else again  # a number, where all is known
    assert same_bits(found, direct.data), (text, found, direct.data)


@settings(max_examples=400)
@given(steps())
def test_repr_evaluates_to_the_same_expression(
    program: list[tuple[Any, tuple[Any, ...]]],
) -> None:
    x, y = inputs("x", "y")
    first = run(program, x, y)
    names = {**TABLE, "x": x, "y": y, "inf": math.inf, "nan": math.nan}
    again = eval(whole(first), {"__builtins__": {}}, names)
    assert repr(again) == repr(first)
    assert _same(again, first)


def _same(a: Any, b: Any) -> bool:
    """The same lines; but a nan is like another, for its name does not tell its bits."""
    a, b = (x if getattr(x, "constant", None) is None else x.constant for x in (a, b))
    if not isinstance(a, Expression):
        return type(b) is float and same_bits(a, b)
    return is_line(a, b) or (
        a.operation is b.operation
        and len(a.operands) == len(b.operands) > 0
        and all(map(_same, a.operands, b.operands))
    )
