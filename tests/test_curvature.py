"""Gauss-Newton and empirical Fisher, against J^T J, Hessians and outer products by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_engine as ae
from autograd_engine import (
    Value,
    dot,
    empirical_fisher,
    exp,
    gauss_newton,
    grad,
    hessian,
    jacobian,
    no_grad,
    sigmoid,
    sin,
    softplus,
    tanh,
)
from autograd_engine.gradcheck import central_difference
from autograd_engine.structures import flat
from nn import MLP


def half_square(residuals: Callable[..., Any]) -> Callable[..., Any]:
    def loss(*args: Any) -> Any:
        r = residuals(*args)
        return 0.5 * dot(r, r)

    return loss


def curved(x: Any) -> list[Any]:
    return [sin(x[0]) * x[1], exp(x[1] - x[0]), x[0] * x[2], x[2] ** 2 - 1.0]


# --- Gauss-Newton ---------------------------------------------------------------------------------


def test_gauss_newton_is_the_square_of_the_jacobian() -> None:
    x = [0.5, -1.5, 2.0]
    rows = np.array(jacobian(curved)(x))
    matrix = gauss_newton(curved)(x)
    assert matrix == pytest.approx(rows.T @ rows, rel=1e-14)
    assert (matrix.shape, matrix.dtype) == ((3, 3), np.dtype(float))


def test_gauss_newton_by_hand() -> None:
    def residuals(x: Any) -> list[Any]:  # J = [[y, x], [2x, 0], [0, 1]]
        return [x[0] * x[1], x[0] ** 2, x[1]]

    assert gauss_newton(residuals)([2.0, 3.0]).tolist() == [[9.0 + 16.0, 6.0], [6.0, 5.0]]


def test_it_is_the_hessian_of_half_the_squares_for_linear_residuals() -> None:
    def linear(x: Any) -> list[Any]:
        return [x[0] + 2.0 * x[1] - 3.0, x[0] - x[1], 4.0 * x[1] + 1.0]

    x = np.array([0.3, -0.7])
    assert gauss_newton(linear)(x) == pytest.approx(hessian(half_square(linear))(x), rel=1e-14)


def test_it_is_the_hessian_where_the_residuals_vanish_and_only_there() -> None:
    root = [0.5, -1.5, 2.0]
    offsets = [float(r) for r in curved(root)]

    def residuals(x: Any) -> list[Any]:
        return [r - offset for r, offset in zip(curved(x), offsets, strict=True)]

    for x, equal in ((root, True), ([0.6, -1.5, 2.0], False)):
        full = np.array(hessian(half_square(residuals))(x))
        assert np.allclose(gauss_newton(residuals)(x), full, rtol=1e-12, atol=1e-12) is equal


@pytest.mark.parametrize("seed", range(5))
def test_it_is_symmetric_and_never_indefinite(seed: int) -> None:
    rng = random.Random(seed)
    matrix = gauss_newton(curved)([rng.uniform(-2.0, 2.0) for _ in range(3)])
    assert (matrix == matrix.T).all()
    assert np.linalg.eigvalsh(matrix).min() >= -1e-12 * np.abs(matrix).max()


def test_fewer_residuals_than_arguments_give_a_singular_matrix() -> None:
    matrix = gauss_newton(lambda x: [x[0] * x[1] * x[2]])([1.0, 2.0, 3.0])
    assert matrix.tolist() == np.outer([6.0, 3.0, 2.0], [6.0, 3.0, 2.0]).tolist()


def test_arguments_may_be_nested_and_come_in_their_order() -> None:
    def residuals(p: dict[str, Any]) -> dict[str, Any]:
        return {"a": [p["b"] * p["w"][0]], "c": (p["w"][1], 2.0)}

    matrix = gauss_newton(residuals)({"w": np.array([1.0, 2.0]), "b": 3})
    assert matrix.tolist() == [[9.0, 0.0, 3.0], [0.0, 1.0, 0.0], [3.0, 0.0, 1.0]]


def test_arguments_and_residuals_may_be_arrays_of_any_shape() -> None:
    w = np.array([[0.5, -1.0], [2.0, 0.25]])
    x = np.array([1.5, 3.0])
    matrix = gauss_newton(lambda w: ae.tanh(w @ x))(w)
    slopes = 1.0 - np.tanh(w @ x) ** 2
    rows = np.kron(np.diag(slopes), x)
    assert matrix == pytest.approx(rows.T @ rows, rel=1e-12)


def test_one_residual_of_one_number() -> None:
    assert gauss_newton(lambda x: x * x)(3.0).tolist() == [[36.0]]


def test_argnums_choose_the_arguments() -> None:
    def residuals(x: Any, y: Any, scale: float = 1.0) -> list[Any]:
        return [scale * x * y, y]

    assert gauss_newton(residuals, 1)(2.0, 3.0).tolist() == [[5.0]]
    assert gauss_newton(residuals, (0, 1))(2.0, 3.0).tolist() == [[9.0, 6.0], [6.0, 5.0]]
    assert gauss_newton(residuals, (1, 0))(2.0, 3.0).tolist() == [[5.0, 6.0], [6.0, 9.0]]
    assert gauss_newton(residuals)(2.0, 3.0, scale=2.0).tolist() == [[36.0]]


def test_constant_residuals_count_nothing() -> None:
    assert gauss_newton(lambda x: [1.0, 2])([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_many_residuals_of_few_arguments() -> None:
    t = np.linspace(0.0, 1.0, 300)  # the Jacobian goes forward here
    matrix = gauss_newton(lambda p: [p[0] * exp(p[1] * u) for u in t])([2.0, -1.0])
    rows = np.stack([np.exp(-t), 2.0 * t * np.exp(-t)], axis=1)
    assert matrix == pytest.approx(rows.T @ rows, rel=1e-12)


@pytest.mark.parametrize("count", [5, 300])  # the Jacobian of 300 residuals goes forward
def test_residuals_of_a_model_by_its_input(count: int) -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)

    def residuals(x: Any) -> list[Any]:
        return [model([x, t / count]) for t in range(count)]

    with no_grad():
        slopes = [grad(lambda x, t=t: model([x, t / count]))(0.5) for t in range(count)]
        assert gauss_newton(residuals)(0.5) == pytest.approx(np.array([[np.dot(slopes, slopes)]]))


def test_captured_values_keep_their_gradients_and_stay_in_the_result() -> None:
    w = Value(2.0)
    w.grad = 7.0
    matrix = gauss_newton(lambda x: [w * x[0], x[1]])([1.0, 1.0])
    assert [[float(x) for x in row] for row in matrix] == [[4.0, 0.0], [0.0, 1.0]]
    assert w.grad == 7.0
    w.zero_grad()
    matrix[0, 0].backward()  # w * w
    assert w.grad == 4.0
    with no_grad():
        assert gauss_newton(lambda x: [w * x[0], x[1]])([1.0, 1.0]).dtype == float


def test_it_can_be_differentiated() -> None:
    assert grad(lambda x: gauss_newton(lambda y: [y * y])(x)[0, 0])(3.0) == 24.0  # d/dx of 4 x * x


@pytest.mark.parametrize(
    ("f", "argnums", "error", "message"),
    [
        (lambda x: None, 0, TypeError, "expected a real number, got NoneType"),
        (lambda x: [x, "a"], 0, TypeError, "expected a real number, got str"),
        (lambda x: math.exp(x), 0, TypeError, "use the primitives of autograd_engine"),
        (lambda x: x, 3, ValueError, "argnums=3"),
        (lambda x: x, "0", TypeError, "argnums"),
    ],
)
def test_gauss_newton_refuses_what_the_jacobian_does(
    f: Callable[..., Any], argnums: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        gauss_newton(f, argnums)(1.0)


# --- empirical Fisher -----------------------------------------------------------------------------


def samples(count: int, seed: int = 0) -> tuple[list[list[float]], list[float]]:
    rng = random.Random(seed)
    X = [[rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(count)]
    y = [1.0 if rng.random() < 1.0 / (1.0 + math.exp(-x[0])) else 0.0 for x in X]
    return X, y


def logistic(p: Any, x: Any, y: Any) -> Any:
    """The negative log-likelihood of the label y, 0 or 1."""
    z = dot(p["w"], x) + p["b"]
    return softplus(z) - y * z


def test_fisher_is_the_mean_of_outer_products_of_differences() -> None:
    X, y = samples(7)
    point = [0.4, -0.8, 0.2]

    def loss(numbers: list[float], x: list[float], label: float) -> float:
        return float(logistic({"w": numbers[:2], "b": numbers[2]}, x, label))

    def slope(i: int, x: list[float], label: float) -> float:
        return central_difference(
            lambda t: loss([*point[:i], t, *point[i + 1 :]], x, label), point[i]
        )

    rows = [[slope(i, x, label) for i in range(3)] for x, label in zip(X, y, strict=True)]
    expected = np.mean([np.outer(g, g) for g in rows], axis=0)
    found = empirical_fisher(logistic)({"w": point[:2], "b": point[2]}, X, y)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-10)
    assert (found.shape, found.dtype) == ((3, 3), np.dtype(float))
    assert (found == found.T).all()
    assert np.linalg.eigvalsh(found).min() >= -1e-12


def test_fisher_in_expectation_over_the_models_labels_is_the_hessian() -> None:
    X, _ = samples(20)
    p = {"w": [0.4, -0.8], "b": 0.2}
    fisher, curvature = np.zeros((3, 3)), np.zeros((3, 3))
    for x in X:
        chance = sigmoid(dot(p["w"], x) + p["b"])
        for label, weight in ((1.0, chance), (0.0, 1.0 - chance)):
            fisher += weight * empirical_fisher(logistic)(p, [x], [label]) / len(X)

    def loss(numbers: Any) -> Any:
        losses = [logistic({"w": numbers[:2], "b": numbers[2]}, x, 0.0) for x in X]
        return ae.mean(losses)

    curvature = hessian(loss)(np.array([0.4, -0.8, 0.2]))  # no label stands in it
    assert fisher == pytest.approx(curvature, rel=1e-12)


def test_fisher_of_a_gaussian_is_gauss_newton_weighted_by_squared_residuals() -> None:
    def half_squared_error(w: Any, x: Any, y: Any) -> Any:
        return (tanh(w[0] * x) + w[1] - y) ** 2 / 2.0

    w, X, y = [0.5, 0.1], [1.0, -2.0, 0.3], [1.5, -1.5, 1.5]
    residuals = [math.tanh(w[0] * x) + w[1] - t for x, t in zip(X, y, strict=True)]
    parts = [
        r * r * gauss_newton(lambda w, x=x: tanh(w[0] * x) + w[1])(w)
        for r, x in zip(residuals, X, strict=True)
    ]
    assert empirical_fisher(half_squared_error)(w, X, y) == pytest.approx(
        np.mean(parts, axis=0), rel=1e-12
    )


def test_it_vanishes_where_every_loss_is_at_its_minimum() -> None:
    matrix = empirical_fisher(lambda w, x: (w[0] * x + w[1]) ** 2)([0.0, 0.0], [1.0, 2.0])
    assert matrix.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    "w", [2.0, [2.0], np.array([2.0]), {"w": 2}, Value(2.0)], ids=lambda w: type(w).__name__
)
def test_parameters_may_have_any_structure(w: Any) -> None:
    def loss(w: Any, x: Any) -> Any:
        (number,) = flat(w)
        return number * number * x

    with no_grad():
        assert empirical_fisher(loss)(w, [1.0, 3.0]).tolist() == [[80.0]]  # mean of 16 and 144


def test_samples_may_be_arrays_and_several_columns() -> None:
    def loss(w: Any, x: Any, y: Any, weight: Any) -> Any:
        return weight * (dot(w, x) - y) ** 2 / 2.0

    X, y, weights = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0]), (1.0, 0.5)
    rows = [c * (x.sum() - t) * x for x, t, c in zip(X, y, weights, strict=True)]
    found = empirical_fisher(loss)([1.0, 1.0], X, y, weights)
    assert found == pytest.approx(np.mean([np.outer(g, g) for g in rows], axis=0), rel=1e-14)


def test_one_sample_gives_one_outer_product() -> None:
    found = empirical_fisher(lambda w, x: w[0] * x + w[1])([1.0, 1.0], [3.0])
    assert found.tolist() == [[9.0, 3.0], [3.0, 1.0]]


def test_fisher_leaves_captured_gradients_alone() -> None:
    model = MLP(2, [2, 1], rng=0)
    for p in model.parameters():
        p.grad = 7.0
    with no_grad():
        found = empirical_fisher(lambda a, x: (model(x) * a) ** 2)(2.0, [[1.0, 2.0], [0.5, 1.0]])
    assert found.shape == (1, 1)
    assert {p.grad for p in model.parameters()} == {7.0}


@pytest.mark.parametrize(
    ("columns", "sizes"),
    [
        ([[1.0, 2.0], [1.0]], "2 and 1"),
        ([[], []], "0 and 0"),
        ([[]], "0"),
        ([], "nothing"),
        ([[1.0], [], [1.0, 2.0]], "1 and 0 and 2"),
    ],
)
def test_samples_must_be_as_many_of_each(columns: list[list[float]], sizes: str) -> None:
    message = f"^empirical_fisher: expected as many of each, one or more per sample, got {sizes}$"
    with pytest.raises(ValueError, match=message):
        empirical_fisher(lambda w, *sample: w)(1.0, *columns)


def test_fisher_refuses_what_grad_does() -> None:
    with pytest.raises(TypeError, match="must return one number"):
        empirical_fisher(lambda w, x: [w, x])(1.0, [1.0])
    with pytest.raises(TypeError, match="expected a function"):
        empirical_fisher(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a real number, got str"):
        empirical_fisher(lambda w, x: w)("a", [1.0])
