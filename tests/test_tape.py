"""Tapes: each line once, and no line for what is known, wherever IEEE 754 lets one leave it out."""

from __future__ import annotations

import itertools
import math
import operator
import random
import re
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_expression import NUMBERS, Plain, is_line, run, same_bits, steps
from test_primitives import ROWS, by_name, draw

from autograd_engine import Value, elementary, primitive, primitives
from autograd_engine.expression import Expression, recorded
from autograd_engine.program import Program
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS, NO_LINE, Alias, Tape

INF, NAN = math.inf, math.nan
EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1.0 / 3.0, -math.pi, INF, -INF, NAN, 1e308, -1e308,
    sys.float_info.max, -sys.float_info.max, sys.float_info.min, 5e-324, -5e-324, 2.0**53 + 2.0,
    1e-200, 1e200,
]  # fmt: skip
at_every_edge = pytest.mark.parametrize("x", EDGES)


def inputs(*names: str) -> list[Expression]:
    """Inputs of one tape."""
    tape = Tape()
    return [recorded(name, tape) for name in names]


def known(tape: Tape, x: float) -> Expression:
    """A constant as an Expression."""
    return Expression(tape, tape.constant(x))


def operations(tape: Tape) -> list[Any]:
    """What was recorded, but for inputs and constants."""
    return [operation for operation in tape.operations if operation is not None]


def negated(x: Any) -> Any:
    return -x


def bits(x: float) -> bytes:
    return struct.pack("d", x)


# --- what is left out ---------------------------------------------------------------------------

# what is written, in x; and the same by the rows on plain numbers, which leave nothing out
NOTHING_NEEDED: dict[str, tuple[Callable[[Any], Any], Callable[[float], float]]] = {
    "x * 1": (lambda x: x * 1, lambda x: primitives.mul(x, 1.0)),
    "1 * x": (lambda x: 1.0 * x, lambda x: primitives.mul(1.0, x)),
    "x / 1": (lambda x: x / 1.0, lambda x: primitives.div(x, 1.0)),
    "x - 0.0": (lambda x: x - 0.0, lambda x: primitives.sub(x, 0.0)),
    "x - 0": (lambda x: x - 0, lambda x: primitives.sub(x, 0)),
    "x + -0.0": (lambda x: x + -0.0, lambda x: primitives.add(x, -0.0)),
    "-0.0 + x": (lambda x: -0.0 + x, lambda x: primitives.add(-0.0, x)),
    "--x": (lambda x: -negated(x), lambda x: primitives.neg(primitives.neg(x))),
    "x ** 1": (lambda x: x**1, lambda x: primitives.pow(x, 1.0)),
    "where(1, x, 2)": (
        lambda x: primitives.where(1.0, x, 2.0),
        lambda x: primitives.where(1.0, x, 2.0),
    ),
    "where(0, 2, x)": (
        lambda x: primitives.where(0.0, 2.0, x),
        lambda x: primitives.where(0.0, 2.0, x),
    ),
    "where(-0.0, 2, x)": (
        lambda x: primitives.where(-0.0, 2.0, x),
        lambda x: primitives.where(-0.0, 2.0, x),
    ),
    "where(nan, x, 2)": (
        lambda x: primitives.where(NAN, x, 2.0),
        lambda x: primitives.where(NAN, x, 2.0),
    ),
    "where(x, x, x)": (
        lambda x: primitives.where(x, x, x),
        lambda x: primitives.where(x, x, x),
    ),
    "where(x > 1, x, x)": (
        lambda x: primitives.where(x > 1.0, x, x),
        lambda x: primitives.where(float(x > 1.0), x, x),
    ),
    "sum([x])": (lambda x: primitives.sum([x]), lambda x: primitives.sum([x])),
    "mean([x])": (lambda x: primitives.mean([x]), lambda x: primitives.mean([x])),
    "dot([x], [1])": (
        lambda x: primitives.dot([x], [1.0]),
        lambda x: primitives.dot([x], [1.0]),
    ),
    "dot([1], [x])": (
        lambda x: primitives.dot([1.0], [x]),
        lambda x: primitives.dot([1.0], [x]),
    ),
}


@pytest.mark.parametrize("written", NOTHING_NEEDED)
def test_what_changes_nothing_is_the_operand_itself(written: str) -> None:
    x = recorded("x")
    assert is_line(NOTHING_NEEDED[written][0](x), x)


@pytest.mark.parametrize("written", NOTHING_NEEDED)
@at_every_edge
def test_what_is_left_out_would_change_no_bit(written: str, x: float) -> None:
    assert same_bits(NOTHING_NEEDED[written][1](x), x)


# what is written, in x and y; and what is recorded in its place, by one line
SHORTER: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "x ** 2": (lambda x, y: x**2, lambda x, y: primitives.square(x)),
    "dot([x], [y])": (lambda x, y: primitives.dot([x], [y]), lambda x, y: x * y),
    "dot([x], [0])": (lambda x, y: primitives.dot([x], [0.0]), lambda x, y: x * 0.0),
    "-(-(-x))": (lambda x, y: -negated(-x), lambda x, y: -x),
    "sum([x * y])": (lambda x, y: primitives.sum([x * y]), lambda x, y: x * y),
    "x * (3 - 2)": (lambda x, y: (x + y) * (known(x.tape, 3.0) - 2), lambda x, y: x + y),
}


@pytest.mark.parametrize("written", SHORTER)
def test_what_comes_down_to_less_is_recorded_as_that(written: str) -> None:
    x, y = inputs("x", "y")
    make, shorter = SHORTER[written]
    found = make(x, y)
    assert is_line(found, shorter(x, y))
    assert found.operation in (primitives.square, primitives.mul, primitives.neg, primitives.add)


@at_every_edge
def test_the_second_power_is_the_square_at_every_edge(x: float) -> None:
    assert same_bits(primitives.pow(x, 2.0), primitives.square(x))


@at_every_edge
def test_a_dot_of_one_product_is_the_product_to_the_bit(x: float) -> None:
    for y in EDGES:
        assert same_bits(primitives.dot([x], [y]), primitives.mul(x, y))


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_an_operation_on_constants_is_the_constant_that_the_row_gives(row: Primitive) -> None:
    tape, rng = Tape(), random.Random(row.name)
    for n in (1, 3) if isinstance(row, NaryPrimitive) else (1,):
        count = n * row.arity
        points = [tuple(rng.choices(EDGES, k=count)) for _ in range(60)]
        points += itertools.islice(itertools.product(EDGES, repeat=count), 60)
        points += [tuple(draw(a, b, rng) for a, b in row.domain for _ in range(n))] * 20
        for operands in points:
            line = tape.emit(row, tuple(map(tape.constant, operands)))
            assert bits(tape.constants[line]) == bits(row.evaluate(operands)), operands
    assert not operations(tape)


@pytest.mark.parametrize("compare", COMPARISONS)
def test_a_comparison_of_constants_is_one_or_zero(compare: Callable[[Any, Any], bool]) -> None:
    tape = Tape()
    for x, y in itertools.product(EDGES, repeat=2):
        line = tape.emit(compare, (tape.constant(x), tape.constant(y)))
        assert bits(tape.constants[line]) == bits(1.0 if compare(x, y) else 0.0)
    assert not operations(tape)


def test_rows_of_a_user_on_constants_are_known_too() -> None:
    @primitive(lambda z, x: 3.0 * x * x)
    def cube(x: Any) -> Any:
        """x * x * x. Source: a test."""
        return x * x * x

    @primitive(1.0)
    @elementary(math.erfc)
    def one_argument(x: Any) -> Any:
        """Some function that raises nowhere. Source: a test."""

    @primitive(lambda z, xs: [1.0 / x for x in xs], nary=True)
    def harmonic(xs: Any) -> Any:
        """1 / x0 + 1 / x1 + ... Source: a test."""
        return primitives.sum([1.0 / x for x in xs])

    tape = Tape()
    for x in EDGES:
        for row, operands in ((cube, (x,)), (one_argument, (x,)), (harmonic, (x, 2.0))):
            line = tape.emit(row, tuple(map(tape.constant, operands)))
            assert same_bits(tape.constants[line], row.evaluate(operands))
    assert not operations(tape)


def test_neither_a_domain_error_nor_an_overflow_leaves_a_constant() -> None:
    tape = Tape()
    for made, expected in (
        (known(tape, 1.0) / 0.0, INF),
        (known(tape, -1.0) ** 0.5, NAN),
        (known(tape, 0.0).log(), -INF),
        (known(tape, 1000.0).exp(), INF),
        (known(tape, 0.0) / 0.0, NAN),
        (1e308 * known(tape, -10.0), -INF),
    ):
        assert same_bits(made.constant, expected)


# --- what is not left out -----------------------------------------------------------------------

# what is written, in x and y; the row; what a hasty reader would take it for, and where that is
# wrong (None: it is right, but another operation)
NEEDED: dict[str, tuple[Callable[[Any, Any], Any], Any, Callable[[float], float], float | None]] = {
    "x * 0": (lambda x, y: x * 0, primitives.mul, lambda x: 0.0, INF),
    "0 * x": (lambda x, y: 0.0 * x, primitives.mul, lambda x: 0.0, -1.0),
    "x * -0.0": (lambda x, y: x * -0.0, primitives.mul, lambda x: 0.0, 1.0),
    "x + 0": (lambda x, y: x + 0, primitives.add, lambda x: x, -0.0),
    "x + 0.0": (lambda x, y: x + 0.0, primitives.add, lambda x: x, -0.0),
    "0.0 + x": (lambda x, y: 0.0 + x, primitives.add, lambda x: x, -0.0),
    "x - -0.0": (lambda x, y: x - -0.0, primitives.sub, lambda x: x, -0.0),
    "x - x": (lambda x, y: x - x, primitives.sub, lambda x: 0.0, INF),
    "0.0 - x": (lambda x, y: 0.0 - x, primitives.sub, lambda x: -x, 0.0),
    "-0.0 - x": (lambda x, y: -0.0 - x, primitives.sub, lambda x: -x, None),
    "x / x": (lambda x, y: x / x, primitives.div, lambda x: 1.0, 0.0),
    "0 / x": (lambda x, y: 0 / x, primitives.div, lambda x: 0.0, -1.0),
    "1 / x": (lambda x, y: 1 / x, primitives.div, lambda x: x, 3.0),
    "x / 3": (lambda x, y: x / 3.0, primitives.div, lambda x: x * (1.0 / 3.0), 5.0),
    "x * -1": (lambda x, y: x * -1, primitives.mul, lambda x: -x, None),
    "x / -1": (lambda x, y: x / -1, primitives.div, lambda x: -x, None),
    "x * 2": (lambda x, y: x * 2, primitives.mul, lambda x: x + x, None),
    "x ** -1": (lambda x, y: x**-1, primitives.pow, lambda x: 1.0 / x if x else INF, -0.0),
    "x ** 0.5": (lambda x, y: x**0.5, primitives.pow, lambda x: math.sqrt(max(x, 0.0)), -INF),
    "x ** 3": (lambda x, y: x**3, primitives.pow, lambda x: x * x * x, 1.0 / 3.0),
    "2 ** x": (lambda x, y: 2**x, primitives.pow, lambda x: x, 1.0),
    "square(sqrt(x))": (
        lambda x, y: primitives.square(primitives.sqrt(x)), primitives.square, lambda x: x, -1.0,
    ),
    "log(exp(x))": (
        lambda x, y: primitives.log(primitives.exp(x)), primitives.log, lambda x: x, 1e308,
    ),
    "x == x": (lambda x, y: x == x, operator.eq, lambda x: 1.0, NAN),
    "x <= x": (lambda x, y: x <= x, operator.le, lambda x: 1.0, NAN),
    "x != x": (lambda x, y: x != x, operator.ne, lambda x: 0.0, NAN),
    "sum([x, 0])": (
        lambda x, y: primitives.sum([x, 0.0]), primitives.sum, lambda x: x, -0.0,
    ),
    "dot([x, 0], [1, 1])": (
        lambda x, y: primitives.dot([x, 0.0], [1.0, 1.0]), primitives.dot, lambda x: x, -0.0,
    ),
    "mean([x, x])": (
        lambda x, y: primitives.mean([x, x]), primitives.mean, lambda x: x, 1e308,
    ),
    "(x + y) - y": (lambda x, y: (x + 1.0) - 1.0, primitives.sub, lambda x: x, 1.0 / 3.0),
    "(x * y) / y": (lambda x, y: (x * 1e300) / 1e300, primitives.div, lambda x: x, 1e308),
    "where(x, 1, 0)": (
        lambda x, y: primitives.where(x, 1.0, 0.0), primitives.where, lambda x: x, 3.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("written", NEEDED)
def test_what_could_change_a_bit_is_recorded(written: str) -> None:
    x, y = inputs("x", "y")
    make, row, _, _ = NEEDED[written]
    made = make(x, y)
    assert made.operation is row
    assert not is_line(made, x)


@pytest.mark.parametrize("written", [name for name in NEEDED if NEEDED[name][3] is not None])
def test_leaving_it_out_would_change_a_bit(written: str) -> None:
    """That these rules are not there is no oversight."""
    make, _, hasty, at = NEEDED[written]
    x, y = inputs("x", "y")
    (z,) = Program(x.tape, [make(x, y).index])(at, 0.0)
    assert not same_bits(z, hasty(at))


@pytest.mark.parametrize("written", NEEDED)
@at_every_edge
def test_what_is_recorded_gives_the_bits_of_the_rows(written: str, x: float) -> None:
    make = NEEDED[written][0]
    recorded_x, y = inputs("x", "y")
    (z,) = Program(recorded_x.tape, [make(recorded_x, y).index])(x, 0.0)
    assert same_bits(z, make(Plain(x), Plain(0.0)).data)


@settings(max_examples=300)
@given(steps(), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS) | st.floats(-3.0, 3.0))
def test_random_programs_give_the_same_bits_whatever_is_known_when_they_are_recorded(
    program: list[tuple[Any, tuple[Any, ...]]], x: float, y: float
) -> None:
    direct = run(program, Plain(x), Plain(y)).data
    for known_x, known_y in itertools.product((False, True), repeat=2):
        a, b = inputs("x", "y")
        tape = a.tape
        z = run(program, known(tape, x) if known_x else a, known(tape, y) if known_y else b)
        (found,) = Program(tape, [z.index])(x, y)
        assert same_bits(found, direct), (known_x, known_y)
        if known_x and known_y:
            assert same_bits(z.constant, direct)
            assert not operations(tape)


# --- each line once -----------------------------------------------------------------------------


def test_the_same_operation_on_the_same_lines_is_one_line() -> None:
    x, y = inputs("x", "y")

    def formula() -> list[Any]:
        return [
            x + y, x * 3.0, 3.0 * x, x**y, -x, abs(x), x < y, x == 1.0, x.tanh(),
            primitives.where(x > y, x, y), primitives.dot([x, y], [y, 2.0]),
            primitives.sum([x, y, x]), (x + y) * (x + y), x.data, x.detach() * y,
        ]  # fmt: skip

    first = formula()
    before = len(x.tape)
    assert [z.index for z in formula()] == [z.index for z in first]
    assert len(x.tape) == before


def test_what_differs_in_anything_is_another_line() -> None:
    x, y = inputs("x", "y")
    lines = [
        x, y, x + y, x - y, y - x, x / y, y / x, x + x, x < y, x <= y, x > y, x >= y, x == y,
        x != y, x.exp(), y.exp(), x.expm1(), primitives.where(x, y, 1.0),
        primitives.where(x, 1.0, y), primitives.where(y, x, 1.0), primitives.sum([x, y]),
        primitives.mean([x, y]), primitives.sum([x, y, y]), primitives.dot([x, x], [y, 2.0]),
        primitives.dot([x, y], [x, 2.0]), x * 2.0, x * 2.0000000000000004, x.data, y.data,
    ]  # fmt: skip
    assert len({z.index for z in lines}) == len(lines)


def test_numbers_of_the_same_bits_are_one_constant_and_others_are_others() -> None:
    tape = Tape()
    assert tape.constant(0.0) != tape.constant(-0.0)
    assert tape.constant(5e-324) != tape.constant(0.0)
    for x in EDGES:
        assert tape.constant(x) == tape.constant(struct.unpack("d", bits(x))[0])
        assert bits(tape.constants[tape.constant(x)]) == bits(x)
    assert len(tape) == len(set(map(bits, EDGES)))


def test_nan_is_one_constant_for_each_of_its_forms() -> None:
    tape = Tape()
    nans = [struct.unpack("<Q", struct.pack("<d", NAN))[0] | extra for extra in (0, 1, 1 << 63)]
    forms = [struct.unpack("<d", struct.pack("<Q", x))[0] for x in nans]
    assert len({tape.constant(x) for x in forms}) == 3
    assert tape.constant(float("nan")) == tape.constant(forms[0])


def test_zeros_of_either_sign_are_kept_apart_in_operations() -> None:
    x = recorded("x")
    assert not is_line(x * 0.0, x * -0.0)
    (one, two) = Program(x.tape, [(x * 0.0).index, (x * -0.0).index])(1.0)
    assert bits(one) == bits(0.0)
    assert bits(two) == bits(-0.0)


@pytest.mark.parametrize("same", [3, np.float64(3.0), np.float32(3.0), np.array(3), np.int8(3)])
def test_numbers_of_any_type_are_the_constant_that_they_are(same: Any) -> None:
    x = recorded("x")
    assert is_line(x * same, x * 3.0)
    assert is_line(x.maximum(same), primitives.maximum(x, 3.0))


def test_every_alias_is_another_line() -> None:
    tape = Tape()
    x = tape.input("x")
    lines = [tape.emit(Alias(), (x,)) for _ in range(3)]
    assert len({x, *lines}) == 4
    fixed = Alias(fixed=True)
    assert tape.emit(fixed, (x,)) == tape.emit(fixed, (x,))
    assert (Alias().name, fixed.name) == ("alias", "detach")


def test_an_alias_of_a_constant_stays_an_alias() -> None:
    tape = Tape()
    one = tape.constant(1.0)
    line = tape.emit(Alias(), (one,))
    assert line not in tape.constants
    x = Expression(tape, line)
    assert (x * 3.0).operation is primitives.mul


def test_the_lines_that_an_operation_is_made_of_come_before_it() -> None:
    x, y = inputs("x", "y")
    z = primitives.logsumexp([x * y, y / 3.0, x]) ** primitives.where(x < y, 2.5, y)
    tape = z.tape
    assert len(tape) == len(tape.operations) == len(tape.operands) == len(tape.origins)
    for i, operands in enumerate(tape.operands):
        assert all(0 <= j < i for j in operands)
        assert (tape.operations[i] is None) == (not operands)
    nothing = {i for i, operation in enumerate(tape.operations) if operation is None}
    assert nothing == tape.constants.keys() | tape.names.keys()


# --- closed, and of another function ------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x + 3.0,
        lambda x: 7.0 - x,
        lambda x: x.tanh(),
        lambda x: x < 1.0,
        lambda x: primitives.sum([x, x]),
        lambda x: x.detach(),
        lambda x: recorded("y", x.tape),
        lambda x: x.tape.constant(5.0),
    ],
)
def test_a_closed_tape_refuses_new_lines_with_the_remedy(use: Callable[[Any], Any]) -> None:
    x = recorded("x")
    x.tape.closed = True
    with pytest.raises(RuntimeError, match=r"^compile: .* return what you need instead of keeping"):
        use(x)
    assert len(x.tape) == 1


def test_a_closed_tape_still_shows_what_is_there() -> None:
    x = recorded("x")
    z = primitives.exp(x * 3.0)
    x.tape.closed = True
    assert repr(z) == "exp(x * 3.0)"
    left, right = z.operands[0].operands
    assert (is_line(left, x), right) == (True, 3.0)
    assert Program(z.tape, [z.index])(2.0) == [math.exp(6.0)]


def test_numbers_of_another_tape_are_refused_by_name() -> None:
    x, stranger = recorded("x"), recorded("y") * 3.0
    for use in (
        lambda: x + stranger,
        lambda: stranger.tape and x.hypot(stranger),
        lambda: x >= stranger,
        lambda: primitives.where(x, 1.0, stranger),
        lambda: primitives.mean([x, stranger]),
        lambda: np.array([x, x]) + stranger,
    ):
        with pytest.raises(TypeError, match=re.escape("y * 3.0 was recorded by another function")):
            use()
    assert operations(x.tape) == []


def test_values_are_no_numbers_of_a_tape_while_nothing_is_recorded() -> None:
    x = recorded("x")
    with pytest.raises(TypeError):
        _ = x * Value(2.0)
    assert operations(x.tape) == []


# --- where lines come from ----------------------------------------------------------------------


def line_now() -> int:
    """The line of the caller."""
    return sys._getframe(1).f_lineno


def test_lines_name_the_file_and_line_of_the_user() -> None:
    x, y = inputs("x", "y")
    start = line_now()
    lines = [
        x + y,
        primitives.exp(x),
        x.sigmoid(),
        2.0 / y,
        -x,
        abs(y),
        x < y,
        primitives.dot([x, y], [y, 3.0]),
        (x * np.array([4.0, 5.0]))[1],
        np.exp(x * 1.0 - y),
        x.detach(),
    ]
    origins = [x.tape.origins[z.index] for z in lines]
    assert {file for file, _ in origins} == {__file__}
    assert [line - start for _, line in origins] == list(range(2, 2 + len(lines)))


def test_lines_of_functions_of_the_user_name_the_innermost() -> None:
    def inner(x: Any) -> Any:
        return x * x

    x = recorded("x")
    z = primitives.tanh(inner(x))
    line = inner.__code__.co_firstlineno + 1
    assert x.tape.origins[z.operands[0].index] == (__file__, line)


def test_a_line_written_twice_comes_from_where_it_was_written_first() -> None:
    x = recorded("x")
    first, line = x * 3.0, line_now()
    again = x * 3.0
    assert is_line(first, again)
    assert x.tape.origins[again.index] == (__file__, line)


def test_inputs_and_constants_come_from_no_line() -> None:
    x = recorded("x")
    tape = (x + 3.0).tape
    assert tape.origins[0] == tape.origins[tape.constant(3.0)] == NO_LINE


def test_an_origin_that_is_given_is_noted_instead() -> None:
    x = recorded("x")
    x.tape.origin = ("elsewhere.py", 7)
    first = x * 3.0
    x.tape.origin = None
    second = x * 4.0
    assert x.tape.origins[first.index] == ("elsewhere.py", 7)
    assert x.tape.origins[second.index][0] == __file__
