"""Second derivatives of small networks, against second-order backpropagation written out in NumPy.

A fully connected network is z_0 = x, a_l = W_l z_{l-1} + b_l, z_l = f_l(a_l), with a loss E(z_L).
First-order backpropagation carries the deltas d_l = dE/da_l back from the last layer,

    d_l = B_l W_{l+1}^T d_{l+1},                                B_l = diag f'(a_l),

and second-order backpropagation the Hessians H_l = d2E/da_l^2,

    H_l = B_l W_{l+1}^T H_{l+1} W_{l+1} B_l + D_l,              D_l = diag f''(a_l) dE/dz_l.

Weights enter by a_l only, and linearly, so for those of one layer

    d2E / dW_l[i,j] dW_l[k,m] = H_l[i,k] z_{l-1}[j] z_{l-1}[m].

Source: Bishop, Pattern Recognition and Machine Learning (2006), sections 5.3 and 5.4.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograd_engine import grad, hessian, hvp, jacobian, log, sigmoid, tanh, value_and_grad

Array = np.ndarray[Any, np.dtype[np.float64]]

# --- by the engine, in scalars --------------------------------------------------------------------

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"sigmoid": sigmoid, "tanh": tanh}


def total(terms: Sequence[Any]) -> Any:
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def layer(weights: Any, biases: Any, z: Any) -> list[Any]:
    """The pre-activations, number by number."""
    return [
        total([w * x for w, x in zip(row, z, strict=True)]) + b
        for row, b in zip(weights, biases, strict=True)
    ]


def squared_error(z: Sequence[Any], targets: Sequence[float]) -> Any:
    return total([0.5 * (p - t) ** 2 for p, t in zip(z, targets, strict=True)])


def cross_entropy(z: Sequence[Any], targets: Sequence[float]) -> Any:
    """Of probabilities."""
    return total([-t * log(p) - (1.0 - t) * log(1.0 - p) for p, t in zip(z, targets, strict=True)])


LOSSES: dict[str, Callable[[Sequence[Any], Sequence[float]], Any]] = {
    "squared error": squared_error,
    "cross entropy": cross_entropy,
}


class Network(NamedTuple):
    """Its activations and loss by name, the parameters layer by layer, and one example."""

    activations: tuple[str, ...]
    loss: str
    weights: list[Array]
    biases: list[Array]
    inputs: Array
    targets: Array

    @property
    def depth(self) -> int:
        return len(self.weights)

    def loss_of_pre_activations(self, layer_number: int, a: Any) -> Any:
        """The rest of the network, from the pre-activations of one layer on."""
        for k in range(layer_number, self.depth):
            z = [ACTIVATIONS[self.activations[k]](x) for x in a]
            if k + 1 < self.depth:
                a = layer(self.weights[k + 1].tolist(), self.biases[k + 1].tolist(), z)
        return LOSSES[self.loss](z, self.targets.tolist())

    def loss_of_weights(self, k: int, weights: Any) -> Any:
        """The whole network as a function of the weights of one layer."""
        return self.loss_of_parameters([*self.weights[:k], weights, *self.weights[k + 1 :]])

    def loss_of_parameters(self, weights: Sequence[Any], biases: Sequence[Any] = ()) -> Any:
        z: list[Any] = self.inputs.tolist()
        for w, b, activation in zip(weights, biases or self.biases, self.activations, strict=True):
            z = [ACTIVATIONS[activation](a) for a in layer(w, b, z)]
        return LOSSES[self.loss](z, self.targets.tolist())


# --- by the recursions, in NumPy ------------------------------------------------------------------


def logistic(a: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-a))


FUNCTIONS: dict[str, tuple[Callable[[Array], Array], ...]] = {  # f, f', f''
    "sigmoid": (
        logistic,
        lambda a: logistic(a) * logistic(-a),
        lambda a: logistic(a) * logistic(-a) * (logistic(-a) - logistic(a)),
    ),
    "tanh": (np.tanh, lambda a: np.cosh(a) ** -2, lambda a: -2.0 * np.tanh(a) * np.cosh(a) ** -2),
}
LOSS_FUNCTIONS: dict[str, tuple[Callable[[Array, Array], Array], ...]] = {  # E' and E'' by output
    "squared error": (lambda z, t: z - t, lambda z, t: np.ones_like(z)),
    "cross entropy": (
        lambda z, t: (z - t) / (z * (1.0 - z)),
        lambda z, t: t / z**2 + (1.0 - t) / (1.0 - z) ** 2,
    ),
}


class Recursion(NamedTuple):
    """What both passes find, layer by layer; `outputs` begins with the inputs."""

    pre_activations: list[Array]
    outputs: list[Array]
    deltas: list[Array]
    hessians: list[Array]


def second_order_backpropagation(network: Network) -> Recursion:
    outputs, pre_activations = [network.inputs], []
    for w, b, name in zip(network.weights, network.biases, network.activations, strict=True):
        pre_activations.append(w @ outputs[-1] + b)
        outputs.append(FUNCTIONS[name][0](pre_activations[-1]))
    slope, curvature = LOSS_FUNCTIONS[network.loss]
    by_output = slope(outputs[-1], network.targets)  # dE/dz_l
    twice_by_output = np.diag(curvature(outputs[-1], network.targets))  # d2E/dz_l^2
    deltas: list[Array] = []
    hessians: list[Array] = []
    for w, a, name in reversed(
        list(zip(network.weights, pre_activations, network.activations, strict=True))
    ):
        _, first, second = FUNCTIONS[name]
        b, d = np.diag(first(a)), np.diag(second(a) * by_output)
        deltas.insert(0, b @ by_output)
        hessians.insert(0, b @ twice_by_output @ b + d)
        by_output = w.T @ deltas[0]
        twice_by_output = w.T @ hessians[0] @ w
    return Recursion(pre_activations, outputs, deltas, hessians)


def hessian_by_weights(found: Recursion, layer_number: int) -> Array:
    z, h = found.outputs[layer_number], found.hessians[layer_number]
    return h[:, None, :, None] * z[:, None, None] * z


# --- the networks ---------------------------------------------------------------------------------


def networks() -> dict[str, Network]:
    made: dict[str, Network] = {}
    for sizes, hidden, (last, loss) in itertools.product(
        [(2, 3, 2, 1), (3, 4, 1), (2, 3, 3)],
        ACTIVATIONS,
        [("sigmoid", "squared error"), ("tanh", "squared error"), ("sigmoid", "cross entropy")],
    ):
        rng = np.random.default_rng(len(made))
        shapes = list(itertools.pairwise(sizes))
        name = f"{'-'.join(map(str, sizes))}, {hidden} and {last}, {loss}"
        made[name] = Network(
            activations=(hidden,) * (len(shapes) - 1) + (last,),
            loss=loss,
            weights=[rng.normal(size=(n, m)) for m, n in shapes],
            biases=[rng.normal(size=n) for _, n in shapes],
            inputs=rng.normal(size=sizes[0]),
            targets=rng.uniform(0.0, 1.0, size=sizes[-1]),
        )
    return made


NETWORKS = networks()
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


def assert_agrees(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Element by element, to a part of the largest."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == np.float64
    assert found.shape == expected.shape
    assert np.max(np.abs(found - expected)) <= tolerance * max(1.0, np.max(np.abs(expected)))


def central_differences(f: Callable[[Array], Array], x: Array, step: float = 1e-5) -> Array:
    """df / dx for every number in x, along the last axes of the result, from values of f only."""
    columns = []
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = step
        columns.append((f(x + e) - f(x - e)) / (2.0 * step))
    stacked = np.stack(columns, axis=-1)
    return stacked.reshape(*stacked.shape[:-1], *x.shape)


# --- first order: the deltas ----------------------------------------------------------------------


@every_network
def test_deltas_are_the_gradient_by_pre_activations(network: Network) -> None:
    expected = second_order_backpropagation(network)
    for k, (a, delta) in enumerate(zip(expected.pre_activations, expected.deltas, strict=True)):

        def rest(a: Any, k: int = k) -> Any:
            return network.loss_of_pre_activations(k, a)

        assert_agrees(grad(rest)(a), delta)
        assert_agrees(jacobian(rest, mode="forward")(a), delta)


@every_network
def test_deltas_times_outputs_are_the_gradient_by_weights(network: Network) -> None:
    expected = second_order_backpropagation(network)
    loss, (by_weights, by_biases) = value_and_grad(network.loss_of_parameters, argnums=(0, 1))(
        network.weights, network.biases
    )
    last = network.loss_of_pre_activations(0, expected.pre_activations[0])
    assert loss == pytest.approx(last, rel=1e-14)
    for k, delta in enumerate(expected.deltas):
        assert_agrees(by_weights[k], np.outer(delta, expected.outputs[k]))
        assert_agrees(by_biases[k], delta)


# --- second order: by pre-activations -------------------------------------------------------------


@every_network
def test_hessians_by_pre_activations_follow_the_recursion(network: Network) -> None:
    expected = second_order_backpropagation(network)
    for k, (a, matrix) in enumerate(zip(expected.pre_activations, expected.hessians, strict=True)):

        def rest(a: Any, k: int = k) -> Any:
            return network.loss_of_pre_activations(k, a)

        gradient = grad(rest)
        assert_agrees(hessian(rest)(a), matrix)
        assert_agrees(hessian(rest)(a.tolist()), matrix)
        for mode in ("forward", "reverse"):
            assert_agrees(jacobian(gradient, mode=mode)(a), matrix)
            assert_agrees(jacobian(jacobian(rest, mode="forward"), mode=mode)(a), matrix)
        for v in np.eye(len(a)):
            assert_agrees(hvp(rest, (a,), (v,)), matrix @ v)
        assert_agrees(central_differences(gradient, a), matrix, 1e-6)


@every_network
def test_one_step_of_the_recursion_holds_between_hessians_of_the_engine(network: Network) -> None:
    """H_l from H_{l+1}, both the engine's; only f', f'' and dE/dz come from NumPy."""
    expected = second_order_backpropagation(network)
    matrices, deltas = [], []
    for k, a in enumerate(expected.pre_activations):

        def rest(a: Any, k: int = k) -> Any:
            return network.loss_of_pre_activations(k, a)

        matrices.append(hessian(rest)(a))
        deltas.append(grad(rest)(a))
    for k in range(network.depth - 1):
        a, w = expected.pre_activations[k], network.weights[k + 1]
        _, first, second = FUNCTIONS[network.activations[k]]
        b = np.diag(first(a))
        d = np.diag(second(a) * (w.T @ deltas[k + 1]))
        assert_agrees(matrices[k], b @ w.T @ matrices[k + 1] @ w @ b + d)


# --- second order: by weights ---------------------------------------------------------------------


@every_network
def test_hessians_by_the_weights_of_one_layer_follow_from_those(network: Network) -> None:
    recursion = second_order_backpropagation(network)
    rng = np.random.default_rng(0)
    for k, w in enumerate(network.weights):

        def whole(w: Any, k: int = k) -> Any:
            return network.loss_of_weights(k, w)

        expected = hessian_by_weights(recursion, k)
        found = hessian(whole)(w)
        assert found.shape == (*w.shape, *w.shape)
        assert_agrees(found, expected)
        assert_agrees(np.transpose(found, (2, 3, 0, 1)), found)
        for mode in ("forward", "reverse"):
            assert_agrees(jacobian(grad(whole), mode=mode)(w), expected)
        v = rng.normal(size=w.shape)
        assert_agrees(hvp(whole, (w,), (v,)), np.einsum("ijkm,km->ij", expected, v))
        assert_agrees(central_differences(grad(whole), w), expected, 1e-6)


@every_network
def test_hessian_by_all_weights_agrees_with_central_differences(network: Network) -> None:
    """The blocks between two layers too, for which the recursion says nothing."""
    flat = np.concatenate([x.ravel() for x in (*network.weights, *network.biases)])

    def loss(parameters: Any) -> Any:
        arrays, start = [], 0
        for x in (*network.weights, *network.biases):
            arrays.append(parameters[start : start + x.size].reshape(x.shape))
            start += x.size
        return network.loss_of_parameters(arrays[: network.depth], arrays[network.depth :])

    found = hessian(loss)(flat)
    assert_agrees(found, found.T)
    assert_agrees(found, central_differences(grad(loss), flat), 1e-6)
    assert_agrees(found, jacobian(grad(loss), mode="forward")(flat))
    v = np.random.default_rng(0).normal(size=flat.shape)
    assert_agrees(hvp(loss, (flat,), (v,)), found @ v)
    recursion, start = second_order_backpropagation(network), 0
    for k, w in enumerate(network.weights):
        block = found[start : start + w.size, start : start + w.size]
        assert_agrees(block.reshape(*w.shape, *w.shape), hessian_by_weights(recursion, k))
        start += w.size
    for k, b in enumerate(network.biases):  # a bias enters as the pre-activation does
        assert_agrees(found[start : start + b.size, start : start + b.size], recursion.hessians[k])
        start += b.size


def test_lists_of_layers_give_the_blocks_of_the_flat_hessian() -> None:
    network = NETWORKS["3-4-1, tanh and sigmoid, cross entropy"]
    blocks = hessian(network.loss_of_parameters)(network.weights)
    recursion = second_order_backpropagation(network)
    for k, w in enumerate(network.weights):
        assert_agrees(blocks[k][k], hessian_by_weights(recursion, k))
        for m, other in enumerate(network.weights):
            assert blocks[k][m].shape == (*w.shape, *other.shape)
            assert_agrees(blocks[k][m], np.transpose(blocks[m][k], (2, 3, 0, 1)))
    directions = [np.ones_like(w) for w in network.weights]
    products = hvp(network.loss_of_parameters, (network.weights,), (directions,))
    for k in range(network.depth):
        assert_agrees(products[k], np.sum([b.sum(axis=(2, 3)) for b in blocks[k]], axis=0))
