"""Passes over recorded lines: the gradient is that of the eager engine; nothing useless stays."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_conventions import CONVENTIONS
from test_expression import NUMBERS, run, same_bits, steps
from test_primitives import ROWS, by_name, call, points

import autograd_engine as ae
from autograd_engine import dot, exp, grad, maximum, minimum, primitives, sin, tanh, where
from autograd_engine.expression import Expression, recorded
from autograd_engine.program import Program
from autograd_engine.recording import recording
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS, Alias, Tape
from autograd_engine.transform import compacted, needed, pulled_back

INF, NAN = math.inf, math.nan
Function = Callable[..., Any]


def inputs(n: int) -> list[Expression]:
    """Inputs of one tape."""
    tape = Tape()
    return [recorded(f"x{i}", tape) for i in range(n)]


def gradient_lines(z: Expression, xs: Sequence[Expression]) -> list[Expression]:
    """d z / d x, for each."""
    tape = z.tape
    lines = pulled_back(tape, [(tape.constant(1.0), z.index)], [x.index for x in xs])
    return [Expression(tape, i) for i in lines]


def numbers(outputs: Sequence[Expression], point: Sequence[float]) -> list[float]:
    """Recorded numbers, computed after all."""
    tape = outputs[0].tape
    return Program(*compacted(tape, [z.index for z in outputs]))(*point)


def interpreted(tape: Tape, outputs: Sequence[int], point: Sequence[float]) -> list[float]:
    """Lines as they are, one after the other, aliases too."""
    left, found = iter(point), list[float]()
    for i, (operation, operands) in enumerate(zip(tape.operations, tape.operands, strict=True)):
        xs = [found[j] for j in operands]
        if i in tape.names:
            found.append(next(left))
        elif operation is None:
            found.append(tape.constants[i])
        elif isinstance(operation, Alias):
            found.append(xs[0])
        else:
            known = isinstance(operation, Primitive)
            found.append(operation.evaluate(xs) if known else float(operation(*xs)))
    return [found[i] for i in outputs]


def by_tape(f: Function, point: Sequence[float]) -> list[float]:
    """f and its derivative by each operand, from lines of a tape."""
    xs = inputs(len(point))
    z = f(*xs)
    return numbers([z, *gradient_lines(z, xs)], point)


def by_values(f: Function, point: Sequence[float]) -> list[float]:
    """The same by the eager engine."""
    value, slopes = ae.value_and_grad(f, range(len(point)))(*point)
    return [value, *slopes]


def assert_close(found: Sequence[float], expected: Sequence[float], *what: Any) -> None:
    """To 1e-12, of each number or of 1; inf and nan exactly."""
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        if math.isfinite(y):
            assert abs(x - y) <= 1e-12 * max(1.0, abs(y)), (found, expected, *what)
        else:
            assert x == y or (x != x and y != y), (found, expected, *what)


# --- the gradient of every row --------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_the_gradient_of_a_row_is_that_of_the_eager_engine(row: Primitive) -> None:
    for point in points(row):
        assert_close(
            by_tape(lambda *xs: call(row, xs), point), by_values(lambda *xs: call(row, xs), point)
        )


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity > 1], ids=by_name)
def test_the_gradient_beside_constants_is_that_of_the_eager_engine(row: Primitive) -> None:
    for point in points(row, 3):
        for k in range(len(point)):

            def f(x: Any, k: int = k, point: tuple[float, ...] = point) -> Any:
                return 3.0 * call(row, [*point[:k], x, *point[k + 1 :]])

            assert_close(by_tape(f, point[k : k + 1]), by_values(f, point[k : k + 1]))


@pytest.mark.parametrize("row", [row for row in ROWS if row.arity > 1], ids=by_name)
def test_one_operand_in_every_place_gets_the_sum(row: Primitive) -> None:
    n = 2 if isinstance(row, NaryPrimitive) else 1

    def f(x: Any) -> Any:
        return tanh(call(row, [x] * (n * row.arity)))

    for x in (0.3, 0.7, 1.5):
        assert_close(by_tape(f, [x]), by_values(f, [x]))


@pytest.mark.parametrize(
    ("f", "point"), [(f, point) for _, f, point, _, _ in CONVENTIONS],
    ids=[f"{name} at {point}" for name, _, point, _, _ in CONVENTIONS],
)  # fmt: skip
def test_conventions_at_singular_points_hold_on_the_tape(
    f: Function, point: tuple[float, ...]
) -> None:
    assert_close(by_tape(f, point), by_values(f, point))


@pytest.mark.parametrize(
    ("f", "point", "slopes"),
    [
        (ae.relu, [0.0], [0.0]),
        (ae.relu, [-0.0], [0.0]),
        (ae.abs, [0.0], [0.0]),
        (abs, [-0.0], [0.0]),
        (lambda x: x**0, [0.0], [0.0]),
        (lambda x: x**0, [NAN], [0.0]),
        (lambda x, y: x**y, [0.0, 2.0], [0.0, 0.0]),
        (ae.sqrt, [0.0], [INF]),
        (maximum, [2.0, 2.0], [0.5, 0.5]),
        (minimum, [2.0, 2.0], [0.5, 0.5]),
        (lambda x: maximum(x, 0.0), [0.0], [0.5]),
        (ae.atan2, [0.0, 0.0], [0.0, 0.0]),
        (ae.hypot, [0.0, 0.0], [0.0, 0.0]),
        (ae.heaviside, [0.0], [0.0]),
        (ae.sign, [0.0], [0.0]),
        (ae.leaky_relu, [0.0], [0.01]),
        (ae.elu, [0.0], [1.0]),
        (lambda x: 1 / x, [0.0], [-INF]),
        (ae.log, [0.0], [INF]),
        (ae.relu, [NAN], [NAN]),
        (abs, [NAN], [NAN]),
    ],
)  # fmt: skip
def test_conventions_of_the_design_hold_on_the_tape(
    f: Function, point: list[float], slopes: list[float]
) -> None:
    _, *found = by_tape(f, point)
    assert_close(found, slopes)


@pytest.mark.parametrize("row", [r for r in ROWS if r.arity == 1 and r.name != "sum"], ids=by_name)
@pytest.mark.parametrize("x", [0.0, 0.5, 2.0, -1.5, 1000.0, -1000.0])
def test_the_second_derivative_of_a_row_is_that_of_the_eager_engine(
    row: Primitive, x: float
) -> None:
    f = (lambda x: row([x, 2.0, x])) if isinstance(row, NaryPrimitive) else row
    (first,) = inputs(1)
    (slope,) = gradient_lines(f(first), [first])
    (second,) = gradient_lines(slope, [first])
    assert_close(numbers([second], [x]), [float(grad(grad(f))(x))])


def test_a_row_of_a_user_has_its_own_slope() -> None:
    @ae.primitive(lambda z, x: where(x > 0.0, 3.0 * square_of(x), 0.0) + 0.0 * z)
    def cube(x: Any) -> Any:
        """x * x * x. Source: a test."""
        return x * x * x

    def square_of(x: Any) -> Any:
        return x * x

    @ae.primitive(lambda z, xs: [z / x for x in xs], nary=True)
    def product(xs: Any) -> Any:
        """x0 * x1 * ... Source: a test."""
        return functools.reduce(operator.mul, xs)

    def f(x: Any, y: Any) -> Any:
        return product([cube(x), y, x]) * product([y])

    assert_close(by_tape(f, [1.5, -0.5]), by_values(f, [1.5, -0.5]))


# --- the gradient of programs ---------------------------------------------------------------------


def detached(x: Any) -> Any:
    return x if isinstance(x, float) else x.detach()


UNARY = [
    tanh, sin, ae.cos, ae.sigmoid, ae.softplus, ae.relu, ae.leaky_relu, ae.elu, ae.gelu, ae.silu,
    ae.mish, ae.atan, ae.erf, ae.asinh, operator.neg, abs, ae.square,
    lambda x: exp(tanh(x)),
    lambda x: ae.sqrt(ae.square(x) + 1.0),
    lambda x: ae.log(1.5 + sin(x)),
    lambda x: ae.log1p(ae.sigmoid(x)),
    lambda x: (1.5 + tanh(x)) ** 2.5,
    lambda x: (1.5 + tanh(x)) ** -1,
    lambda x: 2.0 ** tanh(x),
    lambda x: 3.0 / (2.0 + sin(x)),
    lambda x: detached(tanh(x)) * x,
    lambda x: x * (x > 0.3),
    lambda x: 1.0 * x + 0.0,
    lambda x: x - x + 1,
]  # fmt: skip
BINARY = [
    operator.add, operator.sub, operator.mul, maximum, minimum, ae.hypot, ae.logaddexp,
    lambda x, y: x / (1.5 + tanh(y)),
    lambda x, y: (1.5 + sin(x)) ** tanh(y),
    lambda x, y: ae.atan2(x, 2.0 + sin(y)),
    lambda x, y: where(x > y, x, 0.5 * y),
    lambda x, y: where(x <= 0.1, tanh(y), x * y),
    lambda x, y: dot([x, y, 2.0], [y, 3.0, x]),
    lambda x, y: ae.logsumexp([x, y, 0.5]),
    lambda x, y: ae.mean([x, y, x * y]),
    lambda x, y: ae.softmax([x, y, 0.0])[1],
]  # fmt: skip


def random_function(seed: int) -> Function:
    """A function of three numbers, whose intermediate results stay small."""

    def f(*xs: Any) -> Any:
        rng, known = random.Random(seed), list(xs)
        for _ in range(rng.randint(1, 30)):
            x, y = rng.choices([*known, rng.uniform(-2.0, 2.0)], k=2)
            made = rng.choice(UNARY)(x) if rng.random() < 0.5 else rng.choice(BINARY)(x, y)
            known.append(tanh(made) if rng.random() < 0.4 else made)
        return ae.sum([tanh(x) for x in known[-4:]]) + dot(xs, [0.5, 0.3, -0.2])

    return f


@pytest.mark.parametrize("seed", range(300))
def test_the_gradient_of_a_random_program_is_that_of_the_eager_engine(seed: int) -> None:
    rng = random.Random(f"point {seed}")
    f = random_function(seed)
    xs = inputs(3)
    z = f(*xs)
    tape, outputs = compacted(z.tape, [x.index for x in (z, *gradient_lines(z, xs))])
    program = Program(tape, outputs)
    for _ in range(3):
        point = [rng.uniform(-2.0, 2.0) for _ in xs]
        expected = by_values(f, point)
        assert all(map(math.isfinite, expected))
        assert_close(program(*point), expected)


def test_derivatives_of_second_and_third_order_by_nesting_are_those_of_the_eager_engine() -> None:
    for seed in range(25):
        f = functools.partial(_along, random_function(seed))
        x = random.Random(seed).uniform(-1.0, 1.0)
        (line,) = inputs(1)
        orders = [f(line)]
        for _ in range(3):
            orders += gradient_lines(orders[-1], [line])
        expected, g = [], f
        for _ in range(4):
            expected.append(float(g(x)))
            g = grad(g)
        for found, wanted in zip(numbers(orders, [x]), expected, strict=True):
            assert found == pytest.approx(wanted, rel=1e-10, abs=1e-10), seed


def _along(f: Function, x: Any) -> Any:
    """A function of three numbers along a line."""
    return tanh(f(x, x * 0.5 - 0.2, 0.3 - x))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_nth_derivative_of_a_power_is_known(n: int) -> None:
    (x,) = inputs(1)
    z: Any = x**n * 2.0
    for _ in range(n):
        (z,) = gradient_lines(z, [x])
    assert numbers([z], [1.7]) == [pytest.approx(2.0 * math.factorial(n), rel=1e-13)]
    (z,) = gradient_lines(z, [x])
    assert numbers([z], [1.7]) == [0.0]


def test_mixed_derivatives_agree_whatever_comes_first() -> None:
    x, y = inputs(2)
    z = exp(x * sin(y)) / (1.0 + x * x * y * y)
    by_x, by_y = gradient_lines(z, [x, y])
    (xy,), (yx,) = gradient_lines(by_x, [y]), gradient_lines(by_y, [x])
    expected = ae.hessian(lambda p: exp(p[0] * sin(p[1])) / (1 + p[0] * p[0] * p[1] * p[1]))
    assert_close(numbers([xy, yx], [0.4, 1.3]), [expected([0.4, 1.3])[0][1]] * 2)


# --- what pulled_back promises --------------------------------------------------------------------


def test_what_does_not_depend_on_an_input_has_the_derivative_zero() -> None:
    x, y = inputs(2)
    zero = x.tape.constant(0.0)
    assert [g.index for g in gradient_lines(x * 3.0, [y])] == [zero]
    five = Expression(x.tape, x.tape.constant(5.0))
    assert [g.index for g in gradient_lines(five, [x, y])] == [zero, zero]
    assert pulled_back(x.tape, [], [x.index, y.index]) == [zero, zero]
    assert pulled_back(x.tape, [(x.tape.constant(1.0), (x * y).index)], []) == []


def test_the_derivative_of_an_input_by_itself_is_the_cotangent() -> None:
    x, y = inputs(2)
    assert pulled_back(x.tape, [(y.index, x.index)], [x.index, y.index]) == [
        y.index,
        x.tape.constant(0.0),
    ]


def test_the_result_sums_cotangent_times_derivative_over_all_pairs() -> None:
    x, y, c, d = inputs(4)
    tape = x.tape
    pairs = [(c.index, (x * y).index), (d.index, tanh(x).index), (d.index, x.index)]
    pairs += [(c.index, (x * y).index)]  # the same output again counts again
    found = [Expression(tape, i) for i in pulled_back(tape, pairs, [x.index, y.index])]
    x0, y0, c0, d0 = 0.3, -1.2, 2.0, 5.0
    by_x = 2.0 * c0 * y0 + d0 * (1.0 - math.tanh(x0) ** 2) + d0
    assert_close(numbers(found, [x0, y0, c0, d0]), [by_x, 2.0 * c0 * x0])


def test_nothing_below_an_input_is_looked_at() -> None:
    x, y = inputs(2)
    middle = tanh(x * y)
    z = middle * middle + x
    by_middle, by_x = gradient_lines(z, [middle, x])
    at = math.tanh(0.5 * 0.7)
    assert_close(numbers([by_middle, by_x], [0.5, 0.7]), [2.0 * at, 1.0])


def test_inputs_come_in_any_order_and_twice() -> None:
    x, y = inputs(2)
    z = x * x * y
    found = gradient_lines(z, [y, x, y])
    assert_close(numbers(found, [3.0, 5.0]), [9.0, 30.0, 9.0])


def test_the_same_gradient_again_adds_no_line() -> None:
    xs = inputs(3)
    z = random_function(7)(*xs)
    first = [g.index for g in gradient_lines(z, xs)]
    length = len(z.tape)
    assert [g.index for g in gradient_lines(z, xs)] == first
    assert len(z.tape) == length


def test_a_gradient_adds_lines_and_changes_none() -> None:
    xs = inputs(3)
    z = random_function(11)(*xs)
    tape = z.tape
    before = list(tape.operations), list(tape.operands), list(tape.origins)
    gradient_lines(z, xs)
    n = len(before[0])
    assert (tape.operations[:n], tape.operands[:n], tape.origins[:n]) == before


def test_lines_of_the_gradient_come_from_the_line_that_they_differentiate() -> None:
    x, y = inputs(2)
    z = tanh(x * y)
    z = sin(z) / y
    tape = z.tape
    forward = {origin for origin in tape.origins if origin[1]}
    length = len(tape)
    by_x, by_y = gradient_lines(z, [x, y])
    assert {file for file, _ in forward} == {__file__}
    assert len(forward) == 2
    assert tape.origin is None
    for i in range(length, len(tape)):
        if i not in (by_x.index, by_y.index) and tape.operations[i] is not None:
            assert tape.origins[i] in forward
    for gradient in (by_x, by_y):  # what an input sums up comes from where that is asked for
        assert tape.origins[gradient.index][0] == __file__


def test_a_sum_of_many_terms_is_one_dot() -> None:
    x, *ys = inputs(6)
    z = ae.sum([tanh(x * y) for y in ys])
    (by_x,) = gradient_lines(z, [x])
    assert by_x.operation is primitives.dot
    assert len(by_x.tape.operands[by_x.index]) == 2 * len(ys)


def test_comparisons_carry_no_derivative() -> None:
    for compare in COMPARISONS:
        x, y = inputs(2)
        zero = x.tape.constant(0.0)
        assert [g.index for g in gradient_lines(compare(x, y), [x, y])] == [zero, zero]
        z = compare(x, y) * x + where(compare(y, x), 2.0, 3.0)
        by_x, by_y = gradient_lines(z, [x, y])
        assert by_y.index == zero
        assert numbers([by_x], [1.0, 2.0]) == [float(compare(1.0, 2.0))]


def test_detach_and_data_stop_the_derivative() -> None:
    for stop in (lambda x: x.detach(), lambda x: x.data):
        x, y = inputs(2)
        z = stop(x * y) * x + tanh(stop(y))
        by_x, by_y = gradient_lines(z, [x, y])
        assert by_y.index == x.tape.constant(0.0)
        assert numbers([z, by_x], [2.0, 3.0]) == [12.0 + math.tanh(3.0), 6.0]
        (second,) = gradient_lines(by_x, [x])
        assert second.index == x.tape.constant(0.0)


def test_aliases_pass_the_derivative_on() -> None:
    (x,) = inputs(1)
    tape = x.tape
    again = Expression(tape, tape.emit(Alias(), (x.index,)))
    z = again * again * x
    (by_x,) = gradient_lines(z, [x])
    (by_again,) = gradient_lines(z, [again])
    assert numbers([z, by_x, by_again], [2.0]) == [8.0, 12.0, 8.0]


def test_an_alias_keeps_derivatives_of_nested_functions_apart() -> None:
    """d/dx of x * (d/dy of x + y) is 1: the inner derivative is by y alone."""
    (x,) = inputs(1)
    tape = x.tape
    one = tape.constant(1.0)
    y = Expression(tape, tape.emit(Alias(), (one,)))
    (inner,) = gradient_lines(x + y, [y])
    (outer,) = gradient_lines(x * inner, [x])
    assert numbers([outer], [1.0]) == [1.0]


CONFUSING: list[Function] = [
    lambda x: x * grad(lambda y: x + y)(1.0),
    lambda x: x * grad(lambda y: x + y)(x),
    lambda x: x * grad(lambda y: x * y)(x),
    lambda x: grad(lambda y: y * grad(lambda z: x * y * z)(x))(x),
    lambda x: x * ae.jvp(lambda y: x + y, (1.0,), (1.0,))[1],
    lambda x: ae.jvp(lambda y: x * grad(lambda z: x * y * z)(y), (x,), (1.0,))[1],
    lambda x: grad(lambda y: ae.derivative(lambda z: z * z * y * x, order=2)(x))(x),
    lambda x: ae.vjp(lambda y: [x * y, y], x)[1]([x, 1.0])[0],
    lambda x: grad(grad(lambda y: y**3 * x))(x),
    lambda x: grad(lambda y: y.detach() * y * x)(x),
]


@pytest.mark.parametrize("f", CONFUSING)
@pytest.mark.parametrize("x", [1.0, 1.5])
def test_perturbations_of_nested_derivatives_are_not_confused(f: Function, x: float) -> None:
    with recording() as recorder:
        line = recorded("x", recorder.tape)
        z = grad(f)(line)
        tape, outputs = compacted(recorder.tape, [recorder.expression(z).index])
    assert_close(Program(tape, outputs)(x), [grad(f)(x)])


def test_the_example_of_perturbation_confusion_is_one() -> None:
    with recording() as recorder:
        z = grad(CONFUSING[0])(recorded("x", recorder.tape))
        tape, outputs = compacted(recorder.tape, [recorder.expression(z).index])
    assert Program(tape, outputs)(1.0) == [1.0]


# --- long programs --------------------------------------------------------------------------------


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("step", "lines"),
    [
        (lambda z, x: tanh(z * 1.001 + x), 100_000),
        (lambda z, x: -(z * x), 20_000),
        (lambda z, x: ae.sum([z, x, 0.5]), 20_000),
        (lambda z, x: z.detach() * 0.5 + z * 0.25, 20_000),
    ],
)
def test_a_chain_of_up_to_a_hundred_thousand_lines_takes_no_recursion_and_seconds(
    step: Function, lines: int
) -> None:
    (x,) = inputs(1)
    found: list[Any] = []

    def work() -> None:
        z = x
        while len(z.tape) < lines:
            z = step(z, x)
        outputs = [z.index, *[g.index for g in gradient_lines(z, [x])]]
        found.append(Program(*compacted(z.tape, outputs)))

    assert seconds(work) < 20.0
    z, slope = found[0](0.9)
    assert math.isfinite(z)
    assert not math.isnan(slope)


def test_a_wide_sum_of_many_terms_is_differentiated_in_seconds() -> None:
    xs = inputs(20_000)
    found: list[Any] = []

    def work() -> None:
        found.extend(gradient_lines(ae.sum(xs) * dot(xs, xs), xs))

    assert seconds(work) < 20.0
    assert len(found) == len(xs)


# --- what is needed, and compaction ---------------------------------------------------------------


def test_needed_lines_are_those_that_the_outputs_are_made_of_in_order() -> None:
    x, y, unused = inputs(3)
    dead = tanh(y) * unused
    z = exp(x * y) + x
    tape = z.tape
    lines = needed(tape, [z.index])
    assert lines == sorted(set(lines))
    assert {x.index, y.index, (x * y).index, exp(x * y).index, z.index} == set(lines)
    assert dead.index not in lines
    assert needed(tape, []) == []
    assert needed(tape, [x.index, x.index]) == [x.index]


def test_compaction_drops_what_no_output_needs_and_keeps_all_inputs() -> None:
    x, y, unused = inputs(3)
    _ = tanh(y) * unused + 17.0
    z = exp(x * y) + 2.5
    tape, (line,) = compacted(z.tape, [z.index])
    assert list(tape.names.values()) == ["x0", "x1", "x2"]
    assert list(tape.names) == [0, 1, 2]
    assert list(tape.constants.values()) == [2.5]
    assert [op for op in tape.operations if op] == [primitives.mul, primitives.exp, primitives.add]
    assert line == len(tape) - 1


def test_compaction_puts_inputs_first() -> None:
    (x,) = inputs(1)
    z = x * 3.0
    late = recorded("late", x.tape)
    tape, outputs = compacted(x.tape, [(z - late).index])
    assert list(tape.names.items()) == [(0, "x0"), (1, "late")]
    assert Program(tape, outputs)(2.0, 1.0) == [5.0]


def test_compaction_drops_aliases_and_finds_what_they_hid() -> None:
    (x,) = inputs(1)
    tape = x.tape
    a, b = (Expression(tape, tape.emit(Alias(), (x.index,))) for _ in range(2))
    z = tanh(a) * tanh(b) + tanh(x.detach())
    new, outputs = compacted(tape, [z.index, a.index])
    assert not any(isinstance(operation, Alias) for operation in new.operations)
    assert [op for op in new.operations if op] == [primitives.tanh, primitives.mul, primitives.add]
    assert Program(new, outputs)(0.5) == [math.tanh(0.5) ** 2 + math.tanh(0.5), 0.5]


def test_compaction_folds_what_aliases_of_constants_hid() -> None:
    (x,) = inputs(1)
    tape = x.tape
    one = Expression(tape, tape.emit(Alias(), (tape.constant(1.0),)))
    new, outputs = compacted(tape, [(x * one).index, exp(one).index])
    assert outputs[0] == 0
    assert new.constants[outputs[1]] == math.e
    assert not any(new.operations)


def test_compaction_keeps_where_lines_come_from() -> None:
    xs = inputs(3)
    z = random_function(3)(*xs)
    tape, _ = compacted(z.tape, [z.index])
    wanted = {
        (z.tape.operations[i], z.tape.origins[i]) for i in needed(z.tape, [z.index])
        if isinstance(z.tape.operations[i], Primitive)
    }  # fmt: skip
    found = {(op, at) for op, at in zip(tape.operations, tape.origins, strict=True) if op}
    assert found == wanted


def test_compaction_leaves_the_tape_that_it_reads_alone() -> None:
    xs = inputs(3)
    z = random_function(4)(*xs)
    before = list(z.tape.operations), list(z.tape.operands), dict(z.tape.constants)
    z.tape.closed = True
    compacted(z.tape, [z.index])
    assert (z.tape.operations, z.tape.operands, z.tape.constants) == before


@settings(max_examples=100)
@given(steps(), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS) | st.floats(-3.0, 3.0))
def test_compaction_keeps_every_bit(
    program: list[tuple[Any, tuple[Any, ...]]], x: float, y: float
) -> None:
    a, b = inputs(2)
    z = run(program, a, b)
    outputs = [z.index, *[g.index for g in gradient_lines(z, [a, b])]]
    expected = interpreted(z.tape, outputs, [x, y])
    found = Program(*compacted(z.tape, outputs))(x, y)
    assert list(map(same_bits, found, expected)) == [True] * 3, (found, expected)


@settings(max_examples=100)
@given(steps())
def test_compaction_twice_is_compaction_once(program: list[tuple[Any, tuple[Any, ...]]]) -> None:
    a, b = inputs(2)
    z = run(program, a, b)
    once = compacted(z.tape, [z.index, *[g.index for g in gradient_lines(z, [a, b])]])
    assert Program(*compacted(*once)) == Program(*once)


@pytest.mark.parametrize("seed", range(0, 300, 6))
def test_compaction_of_a_gradient_keeps_every_bit_and_no_line_too_many(seed: int) -> None:
    xs = inputs(3)
    z = random_function(seed)(*xs)
    outputs = [z.index, *[g.index for g in gradient_lines(z, xs)]]
    once = compacted(z.tape, outputs)
    assert Program(*compacted(*once)) == Program(*once)
    tape, lines = once
    assert set(range(len(tape))) - set(needed(tape, lines)) <= set(tape.names)
    for point in itertools.product((-1.5, 0.0, 0.7), repeat=3):
        before, after = interpreted(z.tape, outputs, point), Program(*once)(*point)
        assert list(map(same_bits, before, after)) == [True] * 4
