"""Derivatives of order two and more: of every row in the table, of Rosenbrock, at special points.

Whatever the table holds is tested: nothing here names its rows one by one, except where a formula
is written down once more, so that mpmath differentiates another one than the engine does.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from autograd_engine import (
    derivative,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    softmax,
    taylor,
    value_and_grad,
)
from autograd_engine.registry import TABLE
from autograd_engine.rows import Elementary, Namespace, NaryPrimitive, Primitive

Function = Callable[..., Any]
Positions = tuple[int, ...]  # by which operand, then by which: (0, 0, 1) is d3 / dx dx dy
Point = tuple[float, ...]

DIGITS = 60
HIGHEST = 4
DRAWS = 4
PARTIALS_OF_MANY = 48  # of a row with five operands or more, which has over two hundred

ROWS = list(TABLE.values())
OF_ONE = [row for row in ROWS if row.arity == 1 and not isinstance(row, NaryPrimitive)]
OF_SEVERAL = [row for row in ROWS if row not in OF_ONE]


def by_name(x: Any) -> str | None:
    return x.name if isinstance(x, Primitive) else None


every_row = pytest.mark.parametrize("row", ROWS, ids=by_name)
every_row_of_one = pytest.mark.parametrize("row", OF_ONE, ids=by_name)


# --- where, and by what ---------------------------------------------------------------------------


def draw(low: float, high: float, rng: random.Random) -> float:
    """A number well inside an open interval, which may be infinite on either side."""
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * rng.uniform(0.05, 0.95)
    if math.isfinite(low):
        return low + math.exp(rng.uniform(-3.0, 2.0))
    if math.isfinite(high):
        return high - math.exp(rng.uniform(-3.0, 2.0))
    return rng.uniform(-4.0, 4.0)


def points(row: Primitive, draws: int = DRAWS) -> list[Point]:
    """Operands of the row, flat; an n-ary row gets sequences of two and of three."""
    rng = random.Random(f"{row.name}, higher orders")
    sizes = [2] * (draws - 1) + [3] if isinstance(row, NaryPrimitive) else [1] * draws
    return [
        tuple(draw(low, high, rng) for low, high in row.domain for _ in range(n)) for n in sizes
    ]


def of_numbers(row: Primitive) -> Function:
    """The row as a function of flat operands."""

    def f(*operands: Any) -> Any:
        if not isinstance(row, NaryPrimitive):
            return row(*operands)
        n = len(operands) // row.arity
        return row(*[list(operands[i * n : (i + 1) * n]) for i in range(row.arity)])

    return f


def partials(operands: int) -> list[Positions]:
    """All of orders 1 to 4; of many operands those of orders 1 and 2 and some of the others."""
    chosen = [
        positions
        for order in range(1, HIGHEST + 1)
        for positions in itertools.combinations_with_replacement(range(operands), order)
    ]
    if operands < 5:
        return chosen
    low = [positions for positions in chosen if len(positions) <= 2]
    high = [positions for positions in chosen if len(positions) > 2]
    return low + random.Random(operands).sample(high, PARTIALS_OF_MANY - len(low))


# --- exact derivatives, from mpmath ---------------------------------------------------------------


def mpmath_form(form: Elementary) -> Any:
    renamed: dict[str, Function] = {
        "abs": mpmath.fabs,
        "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
        "pow": mpmath.power,
        "log2": lambda x: mpmath.log(x, 2),
        "where": lambda c, x, y: x if c else y,
    }
    name = form.signature.__name__
    return renamed.get(name) or getattr(mpmath, name)


ON_MPMATH = Namespace(mpmath_form)

# Without the constants of 16 digits and the case distinctions of the table.
DEFINITIONS: dict[str, Function] = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "leaky_relu": lambda x: x if x > 0 else x / 100,
    "elu": lambda x: x if x > 0 else mpmath.exp(x) - 1,
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "mean": lambda *xs: mpmath.fsum(xs) / len(xs),
    "logsumexp": lambda *xs: mpmath.log(mpmath.fsum(map(mpmath.exp, xs))),
}


def precise(row: Primitive) -> Function:
    """The row as a function of numbers of any precision."""
    return DEFINITIONS.get(row.name) or (lambda *xs: +row.primal(ON_MPMATH, xs))


@functools.cache
def exact(row: Primitive, operands: Point, positions: Positions) -> Any:
    """One derivative of the row to DIGITS digits; for every mode it is computed once."""
    with mpmath.workdps(DIGITS):
        at = tuple(map(mpmath.mpf, operands))
        orders = tuple(map(positions.count, range(len(operands))))
        if len(operands) == 1:
            return mpmath.diff(precise(row), at[0], orders[0])
        varying = [i for i, order in enumerate(orders) if order]  # mpmath takes no orders of 0

        def along(*xs: Any) -> Any:
            moved = list(at)
            for i, x in zip(varying, xs, strict=True):
                moved[i] = x
            return precise(row)(*moved)

        if len(varying) == 1:
            return mpmath.diff(along, at[varying[0]], orders[varying[0]])
        return mpmath.diff(along, [at[i] for i in varying], [orders[i] for i in varying])


@functools.cache
def scale(row: Primitive, operands: Point) -> float:
    """How large the row and its first derivatives are."""
    with mpmath.workdps(DIGITS):
        slopes = [exact(row, operands, (i,)) for i in range(len(operands))]
        value = precise(row)(*map(mpmath.mpf, operands))
        return float(max(1, abs(value), *map(abs, slopes)))


def assert_exact(
    row: Primitive, operands: Point, positions: Positions, found: Any, tolerance: float = 1e-11
) -> None:
    """Within a relative error.

    A derivative that is exactly 0, of which mpmath's differences leave less than 1e-25, has no
    relative error. It may come out as the difference of terms as large as the derivatives of lower
    order, so it must be 0 to so many digits of those.
    """
    expected = exact(row, operands, positions)
    size = scale(row, operands) if abs(expected) < 1e-25 else float(abs(expected))
    error = float(abs(mpmath.mpf(float(found)) - expected))
    assert error <= tolerance * size, (operands, positions, float(found), float(expected))


# --- every mix of modes ---------------------------------------------------------------------------


def backward(f: Function, i: int) -> Function:
    """df / d(operand i), by reverse mode."""
    return grad(f, argnums=i)


def forward(f: Function, i: int) -> Function:
    """df / d(operand i), by forward mode."""

    def slope(*operands: Any) -> Any:
        return jvp(f, operands, [float(i == k) for k in range(len(operands))])[1]

    return slope


def ahead(f: Function, i: int) -> Function:
    """df / d(operand i), by `derivative`."""

    def slope(*operands: Any) -> Any:
        rest = (operands[:i], operands[i + 1 :])
        return derivative(lambda x: f(*rest[0], x, *rest[1]), order=1)(operands[i])

    return slope


def beside(f: Function, i: int) -> Function:
    """df / d(operand i), by reverse mode, with the value."""
    return lambda *operands: value_and_grad(f, argnums=i)(*operands)[1]


MODES = {
    "reverse over reverse": (backward, backward),
    "forward over forward": (forward, forward),
    "derivative over derivative": (ahead, ahead),
    "forward over reverse": (backward, forward),
    "reverse over forward": (forward, beside),
}
every_mode = pytest.mark.parametrize("mode", MODES)


def nested(f: Function, positions: Positions, mode: str) -> Function:
    """The derivative by one operand of that by another and so on, by the two modes in turn."""
    for step, i in zip(itertools.cycle(MODES[mode]), positions):
        f = step(f, i)
    return f


@every_mode
@every_row
def test_all_derivatives_up_to_order_4_are_exact(row: Primitive, mode: str) -> None:
    for operands in points(row):
        for positions in partials(len(operands)):
            found = nested(of_numbers(row), positions, mode)(*operands)
            assert_exact(row, operands, positions, found)


@pytest.mark.parametrize("row", OF_SEVERAL, ids=by_name)
def test_every_mix_of_modes_is_exact(row: Primitive) -> None:
    """All 4 ways to nest two derivatives, all 8 for three and all 16 for four."""
    operands = points(row)[0]
    for positions in partials(len(operands)):
        for steps in itertools.product((backward, forward), repeat=len(positions)):
            f = of_numbers(row)
            for step, i in zip(steps, positions, strict=True):
                f = step(f, i)
            try:
                assert_exact(row, operands, positions, f(*operands))
            except AssertionError as error:
                raise AssertionError([step.__name__ for step in steps]) from error


@pytest.mark.parametrize("row", OF_SEVERAL, ids=by_name)
def test_partial_derivatives_may_be_taken_in_any_order(row: Primitive) -> None:
    operands = points(row)[0]
    for positions in partials(len(operands)):
        for mode in ("reverse over reverse", "reverse over forward"):
            found = nested(of_numbers(row), positions[::-1], mode)(*operands)
            assert_exact(row, operands, positions, found)


@pytest.mark.parametrize("row", OF_SEVERAL, ids=by_name)
def test_series_within_series_give_mixed_derivatives(row: Primitive) -> None:
    """d3 / dx dx dy by a series up to order 2 within one up to order 1, one for each operand."""
    for operands in points(row):
        for positions in partials(len(operands)):
            f = of_numbers(row)
            for i, repeats in itertools.groupby(positions):
                f = _nth_by(f, i, len(list(repeats)))
            assert_exact(row, operands, positions, f(*operands))


def _nth_by(f: Function, i: int, order: int) -> Function:
    def nth(*operands: Any) -> Any:
        before, after = operands[:i], operands[i + 1 :]
        return derivative(lambda x: f(*before, x, *after), order=order)(operands[i])

    return nth


@every_row
def test_hessian_hvp_and_both_modes_of_jacobian_agree_on_second_derivatives(row: Primitive) -> None:
    f = of_numbers(row)
    for operands in points(row):
        n = len(operands)
        of_list = _of_a_list(f)
        gradient = grad(of_list)
        columns = [hvp(of_list, (list(operands),), (list(row_of),)) for row_of in np.eye(n)]
        matrices = [
            hessian(of_list)(list(operands)),
            jacobian(gradient, mode="forward")(list(operands)),
            jacobian(gradient, mode="reverse")(list(operands)),
            jacobian(jacobian(of_list, mode="forward"), mode="forward")(list(operands)),
            jacobian(jacobian(of_list, mode="forward"), mode="reverse")(list(operands)),
            [list(column) for column in zip(*columns, strict=True)],
        ]
        for matrix in matrices:
            for i, j in itertools.product(range(n), repeat=2):
                assert_exact(row, operands, (min(i, j), max(i, j)), matrix[i][j])


def _of_a_list(f: Function) -> Function:
    return lambda xs: f(*xs)


@every_mode
@every_row
def test_results_of_nested_derivatives_are_plain_floats(row: Primitive, mode: str) -> None:
    operands = points(row)[0]
    for positions in partials(len(operands)):
        if len(positions) <= 3:
            found = nested(of_numbers(row), positions, mode)(*operands)
            assert type(found) is float, (positions, found)


# --- which numbers vary ---------------------------------------------------------------------------


@pytest.mark.parametrize("outer", ["grad", "jvp", "derivative", "hvp"])
@pytest.mark.parametrize("inner", list(itertools.product((backward, forward), repeat=2)))
def test_arguments_of_derivatives_within_a_derivative_are_no_constants(
    outer: str, inner: tuple[Function, Function]
) -> None:
    """d2 / dz dx of x^2 z^2 is 4 x z = 8, whatever is going on around it."""
    by_x, by_z = inner

    def around(y: Any) -> Any:
        mixed = by_z(lambda z: by_x(lambda x: x * x * z * z, 0)(1.0), 0)(2.0)
        assert float(mixed) == 8.0
        return y * y * mixed

    ways: dict[str, Function] = {
        "grad": lambda: grad(around)(3.0),
        "jvp": lambda: jvp(around, (3.0,), (1.0,))[1],
        "derivative": lambda: derivative(around)(3.0),
        "hvp": lambda: hvp(around, (3.0,), (3.0,)),
    }
    assert ways[outer]() == 48.0


def test_nested_gradient_keeps_a_factor_that_is_itself_a_second_derivative() -> None:
    def f(x: Any) -> Any:
        second = grad(grad(lambda a, b: a**3 * b**2, argnums=0), argnums=1)(1.0, 2.0)
        return x**2 * second

    assert grad(f)(3.0) == 72.0
    assert grad(grad(f))(3.0) == 24.0
    assert jvp(grad(f), (3.0,), (1.0,)) == (72.0, 24.0)


# --- series ---------------------------------------------------------------------------------------


@every_row_of_one
def test_derivative_and_taylor_are_exact_up_to_order_4(row: Primitive) -> None:
    for operands in points(row, draws=8):
        (x,) = operands
        series = taylor(row, x, HIGHEST)
        assert len(series) == HIGHEST + 1
        assert series[0] == row(x)
        for order in range(1, HIGHEST + 1):
            positions = (0,) * order
            assert_exact(row, operands, positions, derivative(row, order=order)(x))
            assert_exact(row, operands, positions, series[order] * math.factorial(order))


@every_row_of_one
def test_orders_5_to_12_are_exact(row: Primitive) -> None:
    """To 1e-11 of the derivative or of what is typical of its order.

    Odd derivatives of an even function vanish at 0 and the others have their zeros too, close to
    which the relative error is anything. The terms of a series fall as powers of h / radius, so
    what is typical of an order is told by the orders beside it: the geometric mean.
    """
    for operands in points(row):
        with mpmath.workdps(DIGITS):
            coefficients = mpmath.taylor(precise(row), mpmath.mpf(operands[0]), 13)
        found = taylor(row, operands[0], 12)
        for k in range(5, 13):
            before, c, after = [abs(x) for x in coefficients[k - 1 : k + 2]]
            size = max(c, mpmath.sqrt(before * after))
            error = abs(mpmath.mpf(found[k]) - coefficients[k])
            if size < 1e-25:  # a polynomial: see assert_exact
                size = mpmath.mpf(scale(row, operands))
            assert error <= 1e-11 * size, (operands, k, found[k], float(coefficients[k]))
            nth = derivative(row, order=k)(operands[0])
            assert nth == pytest.approx(found[k] * math.factorial(k), rel=1e-13, abs=0.0)


# --- Rosenbrock's function in 20 dimensions -------------------------------------------------------

DIMENSIONS = 20


def rosenbrock(x: Any) -> Any:
    terms = [100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 for a, b in itertools.pairwise(x)]
    return sum(terms[1:], start=terms[0])


def hessian_of_rosenbrock(x: np.ndarray) -> np.ndarray:
    """Tridiagonal, by hand."""
    diagonal = np.zeros(len(x))
    diagonal[:-1] += 1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0
    diagonal[1:] += 200.0
    beside = -400.0 * x[:-1]
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


def samples_of_rosenbrock() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(-2.0, 2.0, DIMENSIONS) for _ in range(3)]
    return [np.ones(DIMENSIONS), np.zeros(DIMENSIONS), *drawn]


HESSIANS: dict[str, Function] = {
    "hessian": hessian(rosenbrock),
    "forward over reverse": jacobian(grad(rosenbrock), mode="forward"),
    "reverse over reverse": jacobian(grad(rosenbrock), mode="reverse"),
    "forward over forward": jacobian(jacobian(rosenbrock, mode="forward"), mode="forward"),
    "reverse over forward": jacobian(jacobian(rosenbrock, mode="forward"), mode="reverse"),
}


@pytest.mark.parametrize("way", HESSIANS)
def test_hessian_of_rosenbrock_is_that_by_hand(way: str) -> None:
    for x in samples_of_rosenbrock():
        found, expected = HESSIANS[way](x), hessian_of_rosenbrock(x)
        assert found.dtype == np.float64
        assert found.shape == (DIMENSIONS, DIMENSIONS)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=0.0)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-10)
        np.testing.assert_allclose(found, found.T, rtol=1e-12, atol=1e-12)


def test_hvp_of_rosenbrock_is_the_hessian_times_the_vector() -> None:
    rng = np.random.default_rng(1)
    for x in samples_of_rosenbrock():
        for v in (rng.normal(size=DIMENSIONS), np.eye(DIMENSIONS)[7], np.zeros(DIMENSIONS)):
            found = hvp(rosenbrock, (x,), (v,))
            for matrix in (hessian_of_rosenbrock(x), hessian(rosenbrock)(x)):
                np.testing.assert_allclose(found, matrix @ v, rtol=1e-10, atol=1e-10)


def test_lists_give_the_hessian_of_arrays() -> None:
    x = samples_of_rosenbrock()[-1]
    as_lists = hessian(rosenbrock)(x.tolist())
    assert [type(row) for row in as_lists] == [list] * DIMENSIONS
    assert np.array_equal(np.array(as_lists), hessian(rosenbrock)(x))


# --- special points -------------------------------------------------------------------------------

SPECIAL: list[tuple[str, Point, dict[Positions, float]]] = [
    # name, where, and what stands in the docstring or follows from it; all others are 0
    ("relu", (0.0,), {}),
    ("relu", (-0.0,), {}),
    ("leaky_relu", (0.0,), {(0,): 0.01}),
    ("elu", (0.0,), {(0,): 1.0}),
    ("abs", (0.0,), {}),
    ("abs", (-0.0,), {}),
    ("sign", (0.0,), {}),
    ("heaviside", (0.0,), {}),
    ("maximum", (1.5, 1.5), {(0,): 0.5, (1,): 0.5}),
    ("minimum", (1.5, 1.5), {(0,): 0.5, (1,): 0.5}),
    ("maximum", (0.0, -0.0), {(0,): 0.5, (1,): 0.5}),
    ("hypot", (0.0, 0.0), {}),
    ("atan2", (0.0, 0.0), {}),
    ("sigmoid", (1000.0,), {}),
    ("sigmoid", (-1000.0,), {}),
    ("tanh", (1000.0,), {}),
    ("tanh", (-1000.0,), {}),
    ("softplus", (1000.0,), {(0,): 1.0}),
    ("softplus", (-1000.0,), {}),
    ("elu", (1000.0,), {(0,): 1.0}),
    ("elu", (-1000.0,), {}),
    ("gelu", (1000.0,), {(0,): 1.0}),
    ("gelu", (-1000.0,), {}),
    ("gelu", (1e200,), {(0,): 1.0}),
    ("silu", (1000.0,), {(0,): 1.0}),
    ("silu", (-1000.0,), {}),
    ("mish", (1000.0,), {(0,): 1.0}),
    ("mish", (-1000.0,), {}),
    ("erf", (1000.0,), {}),
    ("erf", (-1e200,), {}),
    ("exp", (-1000.0,), {}),
    ("logaddexp", (1000.0, -1000.0), {(0,): 1.0}),
    (
        "logaddexp",
        (1000.0, 1000.0),
        {(0,): 0.5, (1,): 0.5, (0, 0): 0.25, (0, 1): -0.25, (1, 1): 0.25},
    ),
    ("logsumexp", (1000.0, -1000.0), {(0,): 1.0}),
    (
        "logsumexp",
        (0.0, 0.0),
        {(0,): 0.5, (1,): 0.5, (0, 0): 0.25, (0, 1): -0.25, (1, 1): 0.25},
    ),
    (
        "logsumexp",
        (-1000.0, -1000.0),
        {(0,): 0.5, (1,): 0.5, (0, 0): 0.25, (0, 1): -0.25, (1, 1): 0.25},
    ),
    ("sigmoid", (0.0,), {(0,): 0.25, (0, 0, 0): -0.125}),
    ("tanh", (0.0,), {(0,): 1.0, (0, 0, 0): -2.0}),
    ("softplus", (0.0,), {(0,): 0.5, (0, 0): 0.25}),
    ("silu", (0.0,), {(0,): 0.5, (0, 0): 0.5}),
    ("sqrt", (0.0,), {(0,): math.inf, (0, 0): -math.inf, (0, 0, 0): math.inf}),
    ("sqrt", (-0.0,), {(0,): math.inf, (0, 0): -math.inf, (0, 0, 0): math.inf}),
    ("cbrt", (0.0,), {(0,): math.inf, (0, 0): -math.inf, (0, 0, 0): math.inf}),
    ("log", (0.0,), {(0,): math.inf, (0, 0): -math.inf, (0, 0, 0): math.inf}),
]


@every_mode
@pytest.mark.parametrize(("name", "operands", "expected"), SPECIAL)
def test_conventions_hold_at_every_order(
    name: str, operands: Point, expected: dict[Positions, float], mode: str
) -> None:
    for order in (1, 2, 3):
        for positions in itertools.combinations_with_replacement(range(len(operands)), order):
            found = float(nested(of_numbers(TABLE[name]), positions, mode)(*operands))
            wanted = expected.get(positions, 0.0)
            assert found == pytest.approx(wanted, rel=1e-13, abs=1e-15), positions


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [(name, *operands, at) for name, operands, at in SPECIAL if len(operands) == 1],
)
def test_conventions_hold_in_series(name: str, x: float, expected: dict[Positions, float]) -> None:
    for order in (1, 2, 3):
        wanted = expected.get((0,) * order, 0.0)
        found = derivative(TABLE[name], order=order)(x)
        assert found == pytest.approx(wanted, rel=1e-13, abs=1e-15)


@every_mode
@pytest.mark.parametrize(
    ("exponent", "by_x"),
    [
        (0.0, (0.0, 0.0, 0.0)),
        (1.0, (1.0, 0.0, 0.0)),
        (2.0, (0.0, 2.0, 0.0)),
        (3.0, (0.0, 0.0, 6.0)),
        (2.5, (0.0, 0.0, math.inf)),
        (1.5, (0.0, math.inf)),
        (0.5, (math.inf,)),
    ],
)
def test_powers_of_zero(exponent: float, by_x: Point, mode: str) -> None:
    """What the derivatives of x ** y by x tend to from above, up to the first that is infinite."""

    def with_constant(x: Any) -> Any:
        return x**exponent

    for order, wanted in enumerate(by_x, start=1):
        positions = (0,) * order
        assert float(nested(with_constant, positions, mode)(0.0)) == wanted, order
        assert float(nested(TABLE["pow"], positions, mode)(0.0, exponent)) == wanted, order
        assert derivative(with_constant, order=order)(0.0) == wanted, order
    for order in range(len(by_x) + 1, HIGHEST):
        for f in (nested(with_constant, (0,) * order, mode), derivative(with_constant, order)):
            assert not math.isfinite(f(0.0)), order
    for order in (1, 2, 3):  # by the convention 0 ** y does not depend on y >= 0
        assert float(nested(TABLE["pow"], (1,) * order, mode)(0.0, exponent)) == 0.0


@every_mode
def test_whole_powers_of_negative_numbers(mode: str) -> None:
    for order, wanted in enumerate((12.0, -12.0, 6.0, 0.0), start=1):
        assert nested(lambda x: x**3, (0,) * order, mode)(-2.0) == wanted


@every_mode
@pytest.mark.parametrize(
    ("y", "positions"),
    [
        (2.0, (0, 1)),
        (2.0, (0, 1, 1)),
        (3.0, (0, 1)),
        (3.0, (0, 0, 1)),
        (3.0, (0, 1, 1)),
        (3.0, (0, 0, 1, 1)),
    ],
)
def test_mixed_derivatives_of_powers_of_zero(y: float, positions: Positions, mode: str) -> None:
    """x ** (y - 1) * (1 + y * log(x)) and the like: 0 where they have a limit at x = 0.

    For smaller y they have none, and there the conventions d/dx x ** 0 = 0 and d/dy 0 ** y = 0 lead
    to other numbers by x first than by y first.
    """
    assert float(nested(TABLE["pow"], positions, mode)(0.0, y)) == 0.0


@pytest.mark.parametrize("size", [0.0, 1.0, 1000.0])
def test_three_equal_operands_of_logsumexp_share_all_derivatives(size: float) -> None:
    def f(xs: Any) -> Any:
        return TABLE["logsumexp"](xs)

    shares = np.full(3, 1.0 / 3.0)
    expected = np.diag(shares) - np.outer(shares, shares)
    x = np.full(3, size)
    for found in (hessian(f)(x), jacobian(grad(f), mode="forward")(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("operands", [(1000.0, 0.0, -1000.0), (0.3, -0.2, 1.0), (0.0, 0.0, 0.0)])
def test_second_derivatives_of_softmax(operands: Point) -> None:
    x = np.array(operands)
    p = np.exp(x - x.max())
    p /= p.sum()
    delta = np.eye(3)
    first = p[:, None] * (delta - p)  # dp_i / dx_j = p_i * (d_ij - p_j)
    second = first[:, None, :] * (delta - p)[:, :, None] - p[:, None, None] * first[None, :, :]

    def f(xs: Any) -> Any:
        return np.array(softmax(xs))

    for inner, outer in itertools.product(("forward", "reverse"), repeat=2):
        found = jacobian(jacobian(f, mode=inner), mode=outer)(x)
        np.testing.assert_allclose(found, second, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "gelu", "silu", "mish", "erf"])
@pytest.mark.parametrize("x", [20.0, -20.0, 38.0, -38.0, 745.0, -745.0, math.inf, -math.inf])
def test_far_out_second_and_third_derivatives_vanish(name: str, x: float) -> None:
    """With an absolute error, as the docstrings say: tanh' = 1 - z * z is rounded at 1."""
    for order in (2, 3):
        positions = (0,) * order
        expected = float(exact(TABLE[name], (x,), positions)) if math.isfinite(x) else 0.0
        for mode in MODES:
            found = float(nested(TABLE[name], positions, mode)(x))
            assert abs(found - expected) <= 2e-14, mode
