"""SciPy's solvers take value_and_grad, grad, hessian, jacobian and hvp as they are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import (
    Value,
    derivative,
    dot,
    exp,
    grad,
    hessian,
    hvp,
    jacobian,
    no_grad,
    value_and_grad,
)
from nn import MLP

optimize: Any = pytest.importorskip("scipy.optimize")


def rosenbrock(x: Any) -> Any:
    pairs = itertools.pairwise(x)
    return ae.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairs])


def residuals(x: Any) -> list[Any]:
    return [10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]


def residuals_in_an_array(x: Any) -> Any:
    return np.array(residuals(x))


STARTS = [[-1.2, 1.0], np.array([-1.2, 1.0]), np.array([-1, 1]), (-1.2, 1.0)]
every_start = pytest.mark.parametrize("x0", STARTS, ids=["list", "array", "whole", "tuple"])
either_form = pytest.mark.parametrize("fun", [residuals, residuals_in_an_array])


def assert_solved(result: Any, tolerance: float = 1e-4) -> None:
    assert result.success, result.message
    assert result.x == pytest.approx(np.ones(len(result.x)), abs=tolerance)


# --- minimize -------------------------------------------------------------------------------------


@every_start
@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG", "TNC", "SLSQP", "Newton-CG"])
def test_minimize_takes_value_and_grad(method: str, x0: Any) -> None:
    options = {"maxfun": 1000} if method == "TNC" else {}
    solved = optimize.minimize(
        value_and_grad(rosenbrock), x0, jac=True, method=method, options=options
    )
    assert_solved(solved, 2e-3)


def test_one_evaluation_gives_value_and_gradient() -> None:
    calls = []

    def counted(x: Any) -> Any:
        calls.append(len(x))
        return rosenbrock(x)

    solved = optimize.minimize(value_and_grad(counted), [-1.2, 1.0], jac=True, method="BFGS")
    assert len(calls) == solved.nfev


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
def test_ten_dimensions(method: str) -> None:
    solved = optimize.minimize(
        value_and_grad(rosenbrock), np.full(10, 0.5), jac=True, method=method
    )
    assert_solved(solved, 1e-3)


@pytest.mark.parametrize("method", ["trust-exact", "Newton-CG", "dogleg", "trust-ncg"])
@pytest.mark.parametrize("together", [False, True])
def test_minimize_takes_a_hessian(method: str, together: bool) -> None:
    fun, jac = (value_and_grad(rosenbrock), True) if together else (rosenbrock, grad(rosenbrock))
    start = np.array([-1.2, 1.0])
    assert_solved(
        optimize.minimize(fun, start, jac=jac, hess=hessian(rosenbrock), method=method), 1e-3
    )


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-krylov"])
def test_minimize_takes_hessian_vector_products(method: str) -> None:
    solved = optimize.minimize(
        value_and_grad(rosenbrock),
        np.full(5, -0.5),
        jac=True,
        hessp=lambda x, p: hvp(rosenbrock, (x,), (p,)),
        method=method,
        tol=1e-8,
    )
    assert_solved(solved, 1e-4)


def test_minimize_hands_further_arguments_through() -> None:
    def f(x: Any, scale: float, centre: Any) -> Any:
        offset = x - centre
        return scale * dot(offset, offset)

    centre = np.array([1.0, -2.0])
    solved = optimize.minimize(value_and_grad(f), np.zeros(2), args=(3.0, centre), jac=True)
    assert solved.x == pytest.approx(centre, abs=1e-6)


def test_constraints_take_jacobians() -> None:
    def circle(x: Any) -> Any:
        return 2.0 - dot(x, x)

    solved = optimize.minimize(
        value_and_grad(lambda x: -x[0] - x[1]),
        [0.5, 0.1],
        jac=True,
        method="SLSQP",
        constraints={"type": "ineq", "fun": circle, "jac": grad(circle)},
    )
    assert_solved(solved)


def test_the_gradients_pass_scipys_own_check() -> None:
    x = np.array([0.3, 0.4])
    assert optimize.check_grad(rosenbrock, grad(rosenbrock), x) < 1e-4
    assert hessian(rosenbrock)(x) == pytest.approx(optimize.rosen_hess(x), rel=1e-12)
    assert grad(rosenbrock)(x) == pytest.approx(optimize.rosen_der(x), rel=1e-12)
    product = hvp(rosenbrock, (x,), (np.array([1.0, -2.0]),))
    assert product == pytest.approx(optimize.rosen_hess_prod(x, [1.0, -2.0]), rel=1e-12)


# --- least squares and roots ----------------------------------------------------------------------


@every_start
@either_form
@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_takes_a_jacobian(method: str, fun: Callable[..., Any], x0: Any) -> None:
    solved = optimize.least_squares(fun, x0, jac=jacobian(fun), method=method)
    assert_solved(solved, 1e-8)


def test_least_squares_fits_a_curve() -> None:
    t = np.linspace(0.0, 4.0, 30)
    y = 2.5 * np.exp(-1.3 * t) + 0.5

    def errors(p: Any) -> Any:
        return p[0] * exp(-p[1] * t) + p[2] - y

    solved = optimize.least_squares(errors, [1.0, 1.0, 0.0], jac=jacobian(errors))
    assert solved.x == pytest.approx([2.5, 1.3, 0.5], abs=1e-7)


def test_curve_fit_takes_a_model_of_primitives() -> None:
    def model(t: Any, a: Any, b: Any) -> Any:
        return a * exp(-b * t)

    t = np.linspace(0.0, 4.0, 20)
    found, _ = optimize.curve_fit(model, t, 2.5 * np.exp(-1.3 * t), [1.0, 1.0])
    assert found == pytest.approx([2.5, 1.3], abs=1e-6)


@either_form
@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_root_takes_a_jacobian(method: str, fun: Callable[..., Any]) -> None:
    assert_solved(optimize.root(fun, [-1.2, 1.0], jac=jacobian(fun), method=method), 1e-8)


@either_form
def test_fsolve_and_leastsq_take_a_jacobian(fun: Callable[..., Any]) -> None:
    root = optimize.fsolve(fun, [-1.2, 1.0], fprime=jacobian(fun))
    assert root == pytest.approx([1.0, 1.0], abs=1e-8)
    minimum, _ = optimize.leastsq(fun, [-1.2, 1.0], Dfun=jacobian(fun))
    assert minimum == pytest.approx([1.0, 1.0], abs=1e-8)


def test_root_of_a_gradient_is_a_minimum() -> None:
    assert_solved(optimize.root(grad(rosenbrock), [0.9, 0.8], jac=hessian(rosenbrock)), 1e-6)


def test_scalar_solvers_take_value_and_grad_and_derivatives() -> None:
    def f(x: Any) -> Any:
        return x**3 - 2.0

    cube_root = math.cbrt(2.0)
    solved = optimize.root_scalar(value_and_grad(f), x0=1.0, fprime=True)
    assert solved.root == pytest.approx(cube_root)
    halley = optimize.newton(f, 1.0, fprime=grad(f), fprime2=derivative(f, 2))
    assert halley == pytest.approx(cube_root)


# --- functions with captured Values ---------------------------------------------------------------


def with_a_captured_value() -> Callable[[Any], Any]:
    hundred = Value(100.0)
    return lambda x: hundred * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG"])
def test_under_no_grad_captured_values_count_as_numbers(method: str) -> None:
    f = with_a_captured_value()
    with no_grad():
        solved = optimize.minimize(value_and_grad(f), [-1.2, 1.0], jac=True, method=method)
        assert_solved(solved, 1e-3)
        newton = optimize.minimize(
            f, [-1.2, 1.0], jac=grad(f), hess=hessian(f), method="trust-exact"
        )
        assert_solved(newton)


def test_the_input_of_a_model_that_gives_an_output() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    for p in model.parameters():
        p.grad = 7.0
    target = model.predict([[0.5, -0.25]])[0]
    with no_grad():
        solved = optimize.minimize(
            value_and_grad(lambda x: (model(x) - target) ** 2), [0.0, 0.0], jac=True, tol=1e-12
        )
    assert model.predict([solved.x])[0] == pytest.approx(target, abs=1e-5)
    assert {p.grad for p in model.parameters()} == {7.0}


def test_a_model_is_trained_by_its_parameters_as_an_argument() -> None:
    X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    y = [0.0, 1.0, 1.0, 0.0]

    def errors(w: Any) -> list[Any]:
        hidden = [[ae.tanh(dot(w[i : i + 2], x) + w[i + 2]) for i in (0, 3)] for x in X]
        return [dot(w[6:8], h) + w[8] - t for h, t in zip(hidden, y, strict=True)]

    start = np.array([1.0, 1.0, -0.5, 1.0, 1.0, -1.5, 0.5, -0.5, 0.0])
    solved = optimize.least_squares(errors, start, jac=jacobian(errors))
    assert solved.cost < 1e-12


def test_hessian_vector_products_of_a_model() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    target = model.predict([[0.5, -0.25]])[0]

    def loss(x: Any) -> Any:
        return (model(x) - target) ** 2 + 0.01 * dot(x, x)

    with no_grad():
        solved = optimize.minimize(
            value_and_grad(loss),
            [0.0, 0.0],
            jac=True,
            hessp=lambda x, p: hvp(loss, (x,), (p,)),
            method="trust-ncg",
        )
        assert solved.success
        assert np.abs(grad(loss)(solved.x)).max() < 1e-3
