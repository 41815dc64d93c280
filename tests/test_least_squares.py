"""Levenberg-Marquardt: against gradient descent, SciPy, and residuals that misbehave."""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import Value, atan2, exp, hypot, jacobian, log, sqrt
from nn import MLP, SGD, LevenbergMarquardt

Residuals = Callable[[Any], Sequence[Any]]


def parameters(*start: float) -> list[Value]:
    return [Value(x) for x in start]


def data(values: Sequence[Value]) -> list[float]:
    return [x.data for x in values]


class Counted:
    """Residuals that know how often they were asked for."""

    def __init__(self, residuals: Callable[[], Sequence[Any]]) -> None:
        self.calls, self._residuals = 0, residuals

    def __call__(self) -> Sequence[Any]:
        self.calls += 1
        return self._residuals()


# --- against gradient descent ---------------------------------------------------------------------

ITERATIONS = 600
RATES = (0.003, 0.01, 0.015)  # 0.03 is too large: there the loss goes up and down
SEEDS = (0, 1, 3, 6) if ae.backend == "native" else (0,)


def noisy_points(seed: int) -> tuple[list[list[float]], list[float]]:
    rng = random.Random(seed)
    X = [[rng.uniform(-2.0, 2.0), rng.uniform(-2.0, 2.0)] for _ in range(50)]
    return X, [math.sin(a) + 0.5 * b + rng.gauss(0.0, 0.1) for a, b in X]


def network(seed: int) -> tuple[MLP, Callable[[], list[Value]]]:
    """A network 2-3-1, and its errors at 50 noisy points."""
    X, y = noisy_points(seed)
    model = MLP(2, [3, 1], activation="tanh", rng=seed)
    return model, lambda: [model(x) - t for x, t in zip(X, y, strict=True)]


def loss_by_gradient_descent(seed: int, lr: float) -> float:
    """Half the sum of squares, the least that was met on the way."""
    model, errors = network(seed)
    optimizer = SGD(model.parameters(), lr=lr)
    least = math.inf
    for _ in range(ITERATIONS):
        optimizer.zero_grad()
        r = errors()
        loss = 0.5 * ae.dot(r, r)
        least = min(least, loss.data)
        loss.backward()
        optimizer.step()
    return least


@pytest.mark.parametrize("seed", SEEDS)
def test_it_takes_less_than_a_twentieth_of_the_iterations_of_gradient_descent(seed: int) -> None:
    reached = min(loss_by_gradient_descent(seed, lr) for lr in RATES)
    model, errors = network(seed)
    optimizer, counted = LevenbergMarquardt(model.parameters()), Counted(errors)
    steps, loss = 0, math.inf
    while loss > reached and steps < ITERATIONS:
        loss = optimizer.step(counted)
        steps += 1
    assert loss <= reached
    assert steps < ITERATIONS / 20
    assert counted.calls < ITERATIONS / 20


# --- what it finds --------------------------------------------------------------------------------


def line(x: Any) -> list[Any]:
    return [x[0] + x[1] * t - (0.5 + 2.0 * t + 0.1 * (-1) ** t) for t in range(6)]


def test_linear_least_squares_take_one_or_two_steps() -> None:
    p = parameters(0.0, 0.0)
    optimizer = LevenbergMarquardt(p, damping=1e-10)
    matrix = np.array([[1.0, float(t)] for t in range(6)])
    target = -np.array(line([0.0, 0.0]))
    exact = np.linalg.lstsq(matrix, target, rcond=None)[0]
    optimizer.step(lambda: line(p))
    assert data(p) == pytest.approx(exact, rel=1e-8)
    optimizer.step(lambda: line(p))
    assert data(p) == pytest.approx(exact, rel=1e-13)


def test_step_returns_half_the_sum_of_squares_after_it() -> None:
    p = parameters(0.0, 0.0)
    optimizer = LevenbergMarquardt(p)
    losses = [optimizer.step(lambda: line(p)) for _ in range(5)]
    assert losses[-1] == pytest.approx(0.5 * sum(x * x for x in line(data(p))), rel=1e-14)
    assert losses == sorted(losses, reverse=True)


def rosenbrock(x: Any) -> list[Any]:
    return [10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]


def decay(x: Any) -> list[Any]:
    rng = random.Random(0)
    points = [(0.1 * i, rng.gauss(0.0, 0.02)) for i in range(30)]
    return [
        x[0] * exp(-x[1] * t) + x[2] - (2.5 * math.exp(-1.3 * t) + 0.5 + noise)
        for t, noise in points
    ]


# Osborne's first problem, the data times 1000 (More, Garbow & Hillstrom, ACM TOMS 7, 1981)
OSBORNE = (
    844, 908, 932, 936, 925, 908, 881, 850, 818, 784, 751, 718, 685, 658, 628, 603, 580,
    558, 538, 522, 506, 490, 478, 467, 457, 448, 438, 431, 424, 420, 414, 411, 406,
)  # fmt: skip
BARD = (0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)
KOWALIK = (
    (4.0, 0.1957), (2.0, 0.1947), (1.0, 0.1735), (0.5, 0.16), (0.25, 0.0844), (0.167, 0.0627),
    (0.125, 0.0456), (0.1, 0.0342), (0.0833, 0.0323), (0.0714, 0.0235), (0.0625, 0.0246),
)  # fmt: skip


def osborne(x: Any) -> list[Any]:
    return [
        y / 1000.0 - (x[0] + x[1] * exp(-10.0 * i * x[3]) + x[2] * exp(-10.0 * i * x[4]))
        for i, y in enumerate(OSBORNE)
    ]


def bard(x: Any) -> list[Any]:
    return [
        y - (x[0] + u / ((16 - u) * x[1] + min(u, 16 - u) * x[2])) for u, y in enumerate(BARD, 1)
    ]


def kowalik(x: Any) -> list[Any]:
    return [y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3]) for u, y in KOWALIK]


def beale(x: Any) -> list[Any]:
    return [c - x[0] * (1.0 - x[1] ** i) for i, c in enumerate((1.5, 2.25, 2.625), 1)]


def helical_valley(x: Any) -> list[Any]:
    turn = atan2(x[1], x[0]) / (2.0 * math.pi)
    return [10.0 * (x[2] - 10.0 * turn), 10.0 * (hypot(x[0], x[1]) - 1.0), x[2]]


def box(x: Any) -> list[Any]:
    return [
        exp(-0.1 * i * x[0]) - exp(-0.1 * i * x[1]) - x[2] * (math.exp(-0.1 * i) - math.exp(-i))
        for i in range(1, 11)
    ]


def badly_scaled(x: Any) -> list[Any]:
    return [x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0]


@pytest.mark.parametrize(
    ("residuals", "start", "steps"),
    [
        (rosenbrock, [-1.2, 1.0], 30),
        (decay, [1.0, 1.0, 0.0], 20),
        (osborne, [0.5, 1.5, -1.0, 0.01, 0.02], 60),
        (bard, [1.0, 1.0, 1.0], 20),
        (kowalik, [0.25, 0.39, 0.415, 0.39], 50),
        (beale, [1.0, 1.0], 20),
        (helical_valley, [-1.0, 0.0, 0.0], 30),
        (box, [0.0, 10.0, 20.0], 20),
        (badly_scaled, [1.0, 1.0], 40),
    ],
    ids=lambda x: getattr(x, "__name__", None),
)
def test_it_finds_the_minimum_that_scipy_finds(
    residuals: Residuals, start: list[float], steps: int
) -> None:
    optimize: Any = pytest.importorskip("scipy.optimize")
    exact = optimize.least_squares(
        residuals, start, jac=jacobian(residuals), xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    p = parameters(*start)
    optimizer = LevenbergMarquardt(p)
    for _ in range(steps):
        loss = optimizer.step(lambda: residuals(p))
    assert loss == pytest.approx(exact.cost, rel=1e-9, abs=1e-15)
    assert data(p) == pytest.approx(exact.x, rel=1e-6, abs=1e-6)


def test_residuals_that_share_a_part_get_the_right_jacobian() -> None:
    def residuals(x: Any) -> list[Any]:
        shared = exp(x[0]) * x[1]
        square = shared * shared
        return [2.0 * shared - 3.0, square * shared - 1.0, shared + x[0]]

    p = parameters(0.3, 0.2)
    optimizer = LevenbergMarquardt(p, damping=0.5)
    x, r = np.array(data(p)), np.array(residuals(data(p)))
    j = np.array(jacobian(residuals)(data(p)))
    damped = j.T @ j + 0.5 * np.diag(j.T @ j).max() * np.eye(2)
    optimizer.step(lambda: residuals(p))
    assert data(p) == pytest.approx(x - np.linalg.solve(damped, j.T @ r), rel=1e-12)


# --- damping --------------------------------------------------------------------------------------


def test_damping_goes_down_by_ten_after_a_step_and_up_by_ten_before_a_shorter_one() -> None:
    p = parameters(3.0)
    optimizer = LevenbergMarquardt(p)
    optimizer.step(lambda: [p[0] - 1.0])
    assert optimizer.damping == pytest.approx(1e-4)
    p[0].data = 10.0  # Newton's step from here goes to -138
    counted = Counted(lambda: [ae.atan(p[0])])
    optimizer.step(counted)
    trials = counted.calls - 1
    assert trials > 1
    assert optimizer.damping == pytest.approx(1e-4 * 10.0 ** (trials - 2))
    assert abs(p[0].data) < 10.0


def twice_less_one(x: Any) -> list[Any]:
    return [2.0 * (x - 1.0)]


def test_damping_shortens_the_step_by_the_formula() -> None:
    for damping in (1e-6, 1e-2, 1.0, 100.0):
        x = Value(3.0)
        optimizer = LevenbergMarquardt([x], damping=damping)
        optimizer.step(functools.partial(twice_less_one, x))
        assert x.data == pytest.approx(3.0 - 2.0 / (1.0 + damping), rel=1e-12)


def test_damping_is_settable_between_steps() -> None:
    p = parameters(3.0)
    optimizer = LevenbergMarquardt(p)
    optimizer.damping = 1.0
    optimizer.step(lambda: [p[0] - 1.0])
    assert p[0].data == pytest.approx(2.0)


# --- where it stays -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [[1.0, 1.0], [1.0, 1.0, 1.0]])
def test_at_a_minimum_the_parameters_stay(start: list[float]) -> None:
    p = parameters(*start)
    optimizer = LevenbergMarquardt(p)
    for _ in range(3):
        assert optimizer.step(lambda: [10.0 * (p[1] - p[0] ** 2), 1.0 - p[0]]) == 0.0
        assert data(p) == start


def test_at_a_minimum_with_residuals_left_the_parameters_stay() -> None:
    p = parameters(0.0)
    optimizer = LevenbergMarquardt(p)
    losses = [optimizer.step(lambda: [p[0] - 1.0, p[0] + 1.0]) for _ in range(3)]
    assert losses == pytest.approx([1.0] * 3, rel=1e-15)
    assert data(p) == pytest.approx([0.0], abs=1e-15)


def test_after_a_stay_it_goes_on_when_the_residuals_change() -> None:
    p = parameters(1.0)
    optimizer = LevenbergMarquardt(p)
    optimizer.step(lambda: [p[0] - 1.0])
    for _ in range(10):
        optimizer.step(lambda: [p[0] - 3.0])
    assert p[0].data == pytest.approx(3.0)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_parameters_are_restored_when_residuals_raise_in_a_trial(
    error: type[BaseException],
) -> None:
    p = parameters(1.0, 2.0)

    def residuals() -> list[Any]:
        if p[0].data != 1.0:
            raise error
        return [p[0] - 3.0, p[1]]

    with pytest.raises(error):
        LevenbergMarquardt(p).step(residuals)
    assert data(p) == [1.0, 2.0]


def test_parameters_are_as_they_were_when_residuals_raise_at_once() -> None:
    p = parameters(1.0)
    with pytest.raises(ZeroDivisionError):
        LevenbergMarquardt(p).step(lambda: [p[0] / 1.0, 1 / 0])
    assert data(p) == [1.0]


@pytest.mark.parametrize(
    ("residual", "at"),
    [
        (lambda x: 1.0 / x, 0.0),
        (lambda x: log(x), -1.0),
        (lambda x: sqrt(x), 0.0),  # its value is finite, its derivative is not
        (lambda x: x, math.nan),
        (lambda x: x, math.inf),
    ],
)
def test_what_is_not_finite_to_begin_with_is_refused(
    residual: Callable[[Any], Any], at: float
) -> None:
    p = parameters(at, 1.0)
    message = "^LevenbergMarquardt: the sum of squares, or a derivative, is not finite; start "
    with pytest.raises(FloatingPointError, match=message):
        LevenbergMarquardt(p).step(lambda: [p[1], residual(p[0])])
    assert repr(data(p)) == repr([at, 1.0])


def test_nan_in_a_trial_is_a_step_not_taken() -> None:
    p = parameters(1.0)
    optimizer = LevenbergMarquardt(p)
    seen: list[float] = []

    def residuals() -> list[Any]:
        seen.append(p[0].data)
        return [log(p[0]) + 3.0]  # the first steps go where log is nan

    losses = [optimizer.step(residuals) for _ in range(30)]
    assert min(seen) < 0.0
    assert losses == sorted(losses, reverse=True)
    assert p[0].data == pytest.approx(math.exp(-3.0))


def test_overflow_in_a_trial_is_a_step_not_taken() -> None:
    p = parameters(-1.0)
    optimizer = LevenbergMarquardt(p, damping=1e-12)
    losses = [optimizer.step(lambda: [exp(20.0 * p[0]) - 1.0]) for _ in range(100)]
    assert losses[-1] < 1e-20
    assert p[0].data == pytest.approx(0.0, abs=1e-6)


# --- Jacobians of less than full rank -------------------------------------------------------------


def test_an_unused_parameter_stays() -> None:
    p = parameters(1.0, 2.0)
    optimizer = LevenbergMarquardt(p)
    for _ in range(6):
        loss = optimizer.step(lambda: [p[0] - 3.0, 2.0 * p[0] - 6.0])
    assert loss < 1e-20
    assert p[1].data == 2.0


def test_parameters_that_do_the_same_share_the_step() -> None:
    p = parameters(1.0, 2.0)
    optimizer = LevenbergMarquardt(p)
    for _ in range(6):
        loss = optimizer.step(lambda: [p[0] + p[1] - 5.0, 2.0 * (p[0] + p[1]) - 10.0])
    assert loss < 1e-20
    assert data(p) == pytest.approx([2.0, 3.0])


def test_more_parameters_than_residuals() -> None:
    p = parameters(1.0, 1.0, 1.0, 1.0)
    optimizer = LevenbergMarquardt(p)
    for _ in range(8):
        loss = optimizer.step(lambda: [p[0] * p[1] - p[2] * p[3] - 3.0])
    assert loss < 1e-20


def test_a_parameter_given_twice_counts_once() -> None:
    (w,) = parameters(1.0)
    optimizer = LevenbergMarquardt([w, w], damping=1e-12)
    assert optimizer.parameters == [w]
    optimizer.step(lambda: [w - 3.0])
    assert w.data == pytest.approx(3.0)


# --- what residuals may be ------------------------------------------------------------------------


def test_residuals_may_come_from_a_generator() -> None:
    p = parameters(0.0)

    def residuals() -> Iterator[Any]:
        yield from (p[0] - t for t in (1.0, 3.0))

    optimizer = LevenbergMarquardt(p)
    losses = [optimizer.step(residuals) for _ in range(5)]  # type: ignore[arg-type]
    assert losses[-1] == pytest.approx(1.0)
    assert p[0].data == pytest.approx(2.0)


def test_residuals_may_be_an_array() -> None:
    p: list[Any] = list(parameters(0.0, 0.0))
    t = np.arange(4.0)
    optimizer = LevenbergMarquardt(p)
    for _ in range(5):
        loss = optimizer.step(lambda: p[0] + p[1] * t - (1.0 + 2.0 * t))
    assert loss < 1e-20
    assert data(p) == pytest.approx([1.0, 2.0])


def test_plain_numbers_among_residuals_are_constants() -> None:
    p = parameters(1.0)
    optimizer = LevenbergMarquardt(p)
    for _ in range(5):
        loss = optimizer.step(lambda: [2.0, p[0] - 3.0, 1, np.float64(0.0)])
    assert loss == pytest.approx(2.5)
    assert p[0].data == pytest.approx(3.0)
    assert optimizer.step(lambda: [2.0, 1]) == 2.5
    assert p[0].data == pytest.approx(3.0)


def test_a_parameter_itself_may_be_a_residual() -> None:
    p = parameters(3.0)
    LevenbergMarquardt(p, damping=1e-12).step(lambda: [p[0]])
    assert p[0].data == pytest.approx(0.0, abs=1e-10)


def test_no_residuals_are_an_error() -> None:
    p = parameters(3.0)
    with pytest.raises(ValueError, match=r"^LevenbergMarquardt: there are no residuals$"):
        LevenbergMarquardt(p).step(lambda: [])
    assert data(p) == [3.0]


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1.0, 1e8, 1e100])
def test_the_scale_of_the_residuals_does_not_matter(scale: float) -> None:
    p, q = parameters(-1.2, 1.0), parameters(-1.2, 1.0)
    one, other = LevenbergMarquardt(p), LevenbergMarquardt(q)
    for _ in range(4):
        one.step(lambda: rosenbrock(p))
        other.step(lambda: [scale * r for r in rosenbrock(q)])
    assert data(p) == pytest.approx(data(q), rel=1e-9)


def test_gradients_of_the_parameters_are_zero_afterwards_and_data_are_floats() -> None:
    p = parameters(1.0, 2.0)
    p[0].grad = 7.0
    LevenbergMarquardt(p).step(lambda: [p[0] * p[1] - 3.0])
    assert [x.grad for x in p] == [0.0, 0.0]
    assert {type(x.data) for x in p} == {float}


def test_only_its_own_parameters_move() -> None:
    p, frozen = parameters(1.0), Value(2.0)
    optimizer = LevenbergMarquardt(p)
    for _ in range(5):
        optimizer.step(lambda: [p[0] * frozen - 6.0])
    assert p[0].data == pytest.approx(3.0)
    assert frozen.data == 2.0


def test_the_mode_is_left_alone() -> None:
    p = parameters(1.0)
    LevenbergMarquardt(p).step(lambda: [p[0] - 3.0])
    assert (p[0] * 2.0)._prev


# --- what the constructor refuses -----------------------------------------------------------------


@pytest.mark.parametrize("given", [[], [1.0], "ab", [Value(1.0), None], iter([])])
def test_parameters_must_be_values(given: Any) -> None:
    message = "^LevenbergMarquardt: needs a list of Values, such as model.parameters"
    with pytest.raises(ValueError, match=message):
        LevenbergMarquardt(given)


@pytest.mark.parametrize("damping", [0.0, -1.0, math.inf, math.nan])
def test_damping_must_be_positive_and_not_too_large(damping: float) -> None:
    message = f"LevenbergMarquardt: damping must be in (0, 1e+16], got {damping}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LevenbergMarquardt(parameters(1.0), damping=damping)


def test_parameters_may_come_from_a_generator() -> None:
    model = MLP(2, [2, 1], rng=0)
    optimizer = LevenbergMarquardt(p for p in model.parameters())
    assert optimizer.parameters == model.parameters()
