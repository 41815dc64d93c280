"""The sides of two models that are no networks: a fit of an ODE, and a mixture of Gaussians.

The ODE is that of Lotka and Volterra, u' = a u - b u v, v' = c u v - d v, in 100 steps of
Runge and Kutta's method; the loss is the sum of the squared errors of all states. PyTorch has the
state as one vector, which takes half the time; `jax.jit` a `scan`, because XLA takes minutes for
the steps written out; CasADi scalars written out, 5 times as fast as its `mapaccum`.

The mixture has 5 components in 2 dimensions with diagonal covariances. NumPy's form, by hand, has
two matrix products: of x^2, x and 1 forward, and of the responsibilities with them backward.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import autograd_engine
from autograd_engine import compile, dot, exp, logsumexp, value_and_grad
from tests.benchmarks.compiled_sides import (
    Array,
    Side,
    casadi_side,
    flat,
    jax_alone,
    jax_side,
    torch_alone,
)
from tests.benchmarks.measuring import imported

STEP = 0.1
START = (1.0, 0.5)


class Fit(NamedTuple):
    """The parameters (4,) of the ODE, and what was observed after each step (n, 2)."""

    parameters: Array
    observed: Array


def slope(parameters: Sequence[Any], state: Sequence[Any]) -> list[Any]:
    """The right-hand side of the ODE."""
    (a, b, c, d), (u, v) = parameters, state
    return [a * u - b * u * v, c * u * v - d * v]


def runge_kutta(f: Callable[[Any], Any], state: Sequence[Any]) -> list[Any]:
    """The state after one step of the classical method, for scalars."""

    def moved(h: float, k: Sequence[Any]) -> list[Any]:
        return [x + h * y for x, y in zip(state, k, strict=True)]

    k1 = f(state)
    k2 = f(moved(STEP / 2, k1))
    k3 = f(moved(STEP / 2, k2))
    k4 = f(moved(STEP, k3))
    return moved(
        STEP / 6, [p + 2 * q + 2 * r + s for p, q, r, s in zip(k1, k2, k3, k4, strict=True)]
    )


def squared_errors(parameters: Any, observed: Any) -> list[Any]:
    """The squared errors of all states, in scalars."""
    state: Sequence[Any] = START
    f = functools.partial(slope, parameters)
    errors = []
    for i in range(observed.shape[0]):
        state = runge_kutta(f, state)
        errors += [(state[j] - observed[i, j]) ** 2 for j in range(2)]
    return errors


def a_fit(steps: int) -> Fit:
    """Parameters beside those that made the observations."""
    truth, start = np.array([1.1, 0.4, 0.1, 0.4]), np.array([1.0, 0.45, 0.12, 0.38])
    states = [START]
    for _ in range(steps):
        states.append(tuple(runge_kutta(functools.partial(slope, truth), states[-1])))
    return Fit(start, np.array(states[1:]))


def fit_ours(fit: Fit) -> Side:
    """Ours."""
    run = functools.partial(
        compile(value_and_grad(lambda p, o: autograd_engine.sum(squared_errors(p, o)))), *fit
    )
    return Side(run, lambda: flat(*run()))


def fit_casadi(fit: Fit) -> Side | None:
    """CasADi in scalars."""
    if not (ca := imported("casadi")):
        return None
    p, observed = ca.SX.sym("p", 4), ca.SX.sym("o", *fit.observed.T.shape)
    loss = functools.reduce(operator.add, squared_errors(ca.vertsplit(p), observed.T))
    return casadi_side(ca.Function("fit", [p, observed], [loss, ca.gradient(loss, p)]), fit)


def fit_jit(fit: Fit) -> Side | None:
    """`jax.jit` of a scan over the steps."""
    if not (jax := jax_alone()):
        return None

    def loss(parameters: Any, observed: Any) -> Any:
        def step(state: Any, seen: Any) -> Any:
            new = tuple(runge_kutta(functools.partial(slope, parameters), state))
            return new, sum((x - seen[i]) ** 2 for i, x in enumerate(new))

        return jax.lax.scan(step, tuple(map(jax.numpy.asarray, START)), observed)[1].sum()

    return jax_side(loss, fit.parameters, [fit.observed], 0.0)


def fit_pytorch(fit: Fit) -> Side | None:
    """PyTorch with the state in one vector."""
    if not (torch := torch_alone()):
        return None
    add, addcmul = torch.add, torch.addcmul
    parameters, observed = torch.tensor(fit.parameters).requires_grad_(), torch.tensor(fit.observed)
    start = torch.tensor(START, dtype=torch.float64)

    def step(f: Callable[[Any], Any], state: Any) -> Any:
        k1 = f(state)
        k2 = f(add(state, k1, alpha=STEP / 2))
        k3 = f(add(state, k2, alpha=STEP / 2))
        k4 = f(add(state, k3, alpha=STEP))
        return add(state, add(add(k1, k4), add(k2, k3), alpha=2), alpha=STEP / 6)

    def run() -> Any:
        parameters.grad = None
        a, b, c, d = parameters.unbind()
        alone, together = torch.stack([a, -d]), torch.stack([-b, c])
        states = [start]
        for _ in fit.observed:
            states.append(step(lambda s: addcmul(alone * s, together, s.prod()), states[-1]))
        loss = (torch.stack(states[1:]) - observed).square().sum()
        loss.backward()
        return loss

    return Side(run, lambda: flat(run().detach(), [parameters.grad]))


FIT = {"ours": fit_ours, "CasADi": fit_casadi, "jax.jit": fit_jit, "PyTorch": fit_pytorch}


class Mixture(NamedTuple):
    """Logarithms of weights (k,), up to a constant, means (k, d), log deviations (k, d); data."""

    weights: Array
    means: Array
    deviations: Array
    X: Array


def a_mixture(samples: int) -> Mixture:
    """A mixture, and samples that are not its own."""
    rng = np.random.default_rng(0)
    sizes = ((5,), (5, 2), (5, 2))
    return Mixture(*(rng.normal(size=size) * 0.5 for size in sizes), rng.normal(size=(samples, 2)))


def surprise(parameters: Any, x: Any) -> Any:
    """-log p(x) of one point, in scalars."""
    weights, means, deviations = parameters
    logarithms = []
    for weight, mean, deviation in zip(weights, means, deviations, strict=True):
        z = [(xi - m) * exp(-s) for xi, m, s in zip(x, mean, deviation, strict=True)]
        logarithms.append(weight - autograd_engine.sum(deviation) - 0.5 * dot(z, z))
    return logsumexp(weights) - logsumexp(logarithms) + math.log(2 * math.pi)


def mixture_ours(mixture: Mixture) -> Side:
    """Ours."""
    *parameters, X = mixture
    compiled = compile(value_and_grad(surprise), batched=(1,), reduce="mean")
    run = functools.partial(compiled, parameters, X)
    return Side(run, lambda: flat(*run()))


def mixture_by_hand(mixture: Mixture) -> Side:
    """NumPy, with the gradient by hand."""
    weights, means, deviations, X = mixture
    n, columns = len(X), np.ascontiguousarray(X.T)
    moments = np.ones((5, n))  # x^2, x, 1

    def run() -> tuple[Any, list[Array]]:
        np.multiply(columns, columns, out=moments[:2])
        moments[2:4] = columns
        precisions = np.exp(-2.0 * deviations)
        weighted = precisions * means
        constants = weights - deviations.sum(axis=1) - 0.5 * (weighted * means).sum(axis=1)
        p = np.hstack([-0.5 * precisions, weighted, constants[:, None]]) @ moments
        largest = p.max(axis=0)
        p -= largest
        np.exp(p, out=p)
        totals = p.sum(axis=0)
        p /= totals
        sums = p @ moments.T / n
        count, first, second = sums[:, 4:], sums[:, 2:4], sums[:, :2]
        shares = np.exp(weights - weights.max())
        normalizer = shares.sum()
        value = np.log(normalizer) + weights.max() + math.log(2 * math.pi)
        value -= (largest.sum() + np.log(totals).sum()) / n
        by_mean = weighted * count - precisions * first
        spread = precisions * (second - 2.0 * means * first + means * means * count)
        return value, [shares / normalizer - count[:, 0], by_mean, count - spread]

    return Side(run, lambda: flat(*run()))


def mean_surprise(library: Any, logsumexp: Callable[..., Any]) -> Callable[..., Any]:
    """-log p(x), the mean over X (n, d), for a library of arrays."""

    def loss(parameters: Any, X: Any) -> Any:
        weights, means, deviations = parameters
        z = (X[:, None] - means) * library.exp(-deviations)
        logarithms = weights - deviations.sum(1) - 0.5 * (z * z).sum(2)
        return logsumexp(weights, 0) - logsumexp(logarithms, 1).mean() + math.log(2 * math.pi)

    return loss


def mixture_jit(mixture: Mixture) -> Side | None:
    """`jax.jit`."""
    if not (jax := jax_alone()):
        return None
    *parameters, X = mixture
    return jax_side(mean_surprise(jax.numpy, jax.nn.logsumexp), parameters, [X], 0.0)


def mixture_pytorch(mixture: Mixture) -> Side | None:
    """PyTorch, eager."""
    if not (torch := torch_alone()):
        return None
    *parameters, X = map(torch.tensor, mixture)
    for p in parameters:
        p.requires_grad_()
    loss = mean_surprise(torch, torch.logsumexp)

    def run() -> Any:
        for p in parameters:
            p.grad = None
        result = loss(parameters, X)
        result.backward()
        return result

    return Side(run, lambda: flat(run().detach(), [p.grad for p in parameters]))


MIXTURE = {
    "ours": mixture_ours,
    "NumPy by hand": mixture_by_hand,
    "jax.jit": mixture_jit,
    "PyTorch": mixture_pytorch,
}
