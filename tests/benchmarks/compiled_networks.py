"""The sides of a network's loss and gradient: ours, and as an expert writes it for each peer.

All sides have the layers of `Network`. Ours is written in scalars for one sample. NumPy's has its
backward pass written by hand, samples as columns, parameters and gradient as views of one vector,
and memory that is kept from call to call. PyTorch has one leaf vector, because that is faster than
six, `jax.jit` both forms. CasADi's matrix form was 8 times as fast as one of scalars with `map`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import autograd_engine
from autograd_engine import Value, compile, dot, logsumexp, relu, value_and_grad
from nn import MLP, SGD, two_moons
from tests.benchmarks import moons
from tests.benchmarks.compiled_sides import (
    Array,
    Side,
    casadi_side,
    flat,
    jax_alone,
    jax_side,
    joined,
    torch_alone,
    views,
)
from tests.benchmarks.measuring import imported

RATE = 1e-3  # of the update
DECAY = 1e-4


@dataclass(frozen=True)
class Network:
    """A network, its data and its loss.

    Attributes
    ----------
    parameters : list of arrays
        W (n_out, n_in) and b (n_out,) of each layer.
    X : array (n, d)
    y : array (n,) or (n, k)
        +-1 for the hinge loss, or a 1 among zeros for the cross entropy.
    activation : str
        Of the hidden layers: "relu" or "tanh".
    decay : float
        What the sum of the squares of all parameters is multiplied by in the loss.
    """

    parameters: list[Array]
    X: Array
    y: Array
    activation: str
    decay: float = 0.0

    @property
    def hinge(self) -> bool:
        """Whether the loss is the hinge loss of one score, and not a cross entropy."""
        return self.y.ndim == 1

    @property
    def targets(self) -> Any:
        """What peers are given (n,): +-1, or the class of each sample."""
        return self.y if self.hinge else self.y.argmax(axis=1)

    def layers(self, parameters: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """(W, b) of each layer."""
        return zip(parameters[::2], parameters[1::2], strict=True)


def of_moons(samples: int, activation: str) -> Network:
    """The network of micrograd's demo, with offsets that are not 0."""
    rng = np.random.default_rng(1)
    model = MLP(2, [16, 16, 1], rng=1)
    arrays = []
    for layer in model.layers:
        arrays.append(np.array([[w.data for w in neuron.w] for neuron in layer.neurons]))
        arrays.append(rng.uniform(-0.1, 0.1, len(layer.neurons)))
    X, y = map(np.array, two_moons(max(samples, 2), noise=0.1, rng=1))
    return Network(arrays, X[:samples], y[:samples].astype(float), activation, DECAY)


# Ours.


def loss_of_one(network: Network) -> Callable[[Any, Any, Any], Any]:
    """The loss of one sample in scalars."""
    activate = getattr(autograd_engine, network.activation)

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        *hidden, (last, offsets) = network.layers(parameters)
        for W, b in hidden:
            x = [activate(dot(w, x) + bias) for w, bias in zip(W, b, strict=True)]
        scores = [dot(w, x) + bias for w, bias in zip(last, offsets, strict=True)]
        error = relu(1 - y * scores[0]) if network.hinge else logsumexp(scores) - dot(y, scores)
        if not network.decay:
            return error
        weights = [p for array in parameters for p in np.ravel(array)]
        return error + network.decay * dot(weights, weights)

    return loss


def ours(network: Network, one_vector: bool = False) -> Side:
    """The functional form; the parameters are a list of arrays, or one vector."""
    loss = loss_of_one(network)
    if one_vector:
        compiled = compile(
            value_and_grad(lambda p, x, y: loss(views(p, network.parameters), x, y)),
            batched=(1, 2),
            reduce="mean",
        )
        vector = joined(network.parameters)
        one = functools.partial(compiled, vector, network.X, network.y)
        return Side(one, lambda: flat(*one()))
    compiled = compile(value_and_grad(loss), batched=(1, 2), reduce="mean")
    parameters = [array.copy() for array in network.parameters]
    run = functools.partial(compiled, parameters, network.X, network.y)

    def step() -> None:
        _, gradients = run()
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= RATE * gradient

    return Side(run, lambda: flat(*run()), step)


def value_alone(network: Network) -> Callable[[], object]:
    """The compiled loss without its gradient."""
    compiled = compile(loss_of_one(network), batched=(1, 2), reduce="mean")
    return functools.partial(compiled, network.parameters, network.X, network.y)


def model_of(network: Network) -> MLP:
    """The same network in `nn`."""
    layers = list(network.layers(network.parameters))
    weights, biases = ([layer[i].tolist() for layer in layers] for i in range(2))
    return MLP.from_weights(weights, biases, activation=network.activation)


def gradients_of(model: MLP) -> list[list[Any]]:
    """The gradients in the order of `Network.parameters`."""
    by_layer = (
        (
            [[w.grad for w in neuron.w] for neuron in layer.neurons],
            [n.b.grad for n in layer.neurons],
        )
        for layer in model.layers
    )
    return list(itertools.chain.from_iterable(by_layer))


def decorated(network: Network) -> Side:
    """The loop of a micrograd user: the loss is one Value, its operands the parameters."""
    model = model_of(network)
    parameters = model.parameters()
    optimizer = SGD(parameters, lr=RATE)

    @compile(batched=("x", "y"), reduce="mean")
    def loss(x: Any, y: Any) -> Any:
        return (1 - y * model(x)).relu() + network.decay * dot(parameters, parameters)

    def run() -> Value:
        result: Value = loss(network.X, network.y)
        result.backward()
        return result

    def numbers() -> list[float]:
        optimizer.zero_grad()
        return flat(run().data, gradients_of(model))

    def step() -> None:
        optimizer.zero_grad()
        run()
        optimizer.step()

    return Side(run, numbers, step)


# NumPy, by hand.


class Layer:
    """One layer with its memory: inputs and outputs are columns, one for each sample."""

    def __init__(self, W: Array, b: Array, samples: int, activation: str) -> None:
        self.W, self.b, self.activation = W, b[:, None], activation
        self.output, self.derivative = np.empty((2, len(b), samples))
        self.positive = np.empty((len(b), samples), dtype=bool)
        self.adjoint = np.empty((W.shape[1], samples))

    def forward(self, x: Array) -> Array:
        """activation(W @ x + b)."""
        self.input = x
        z = np.dot(self.W, x, out=self.output)
        z += self.b
        if self.activation == "relu":
            return np.maximum(z, 0.0, out=z)
        return np.tanh(z, out=z) if self.activation == "tanh" else z

    def backward(self, adjoint: Array, gW: Array, gb: Array, first: bool) -> Array:
        """Fill the gradients, given the adjoint of the output; the adjoint of the input."""
        if self.activation == "relu":
            adjoint *= np.greater(self.output, 0.0, out=self.positive)
        elif self.activation == "tanh":
            slope = np.multiply(self.output, self.output, out=self.derivative)
            adjoint *= np.subtract(1.0, slope, out=slope)
        np.dot(adjoint, self.input.T, out=gW)
        adjoint.sum(axis=1, out=gb)
        return adjoint if first else np.dot(self.W.T, adjoint, out=self.adjoint)


def hinge_by_hand(scores: Array, y: Array) -> tuple[Any, Array]:
    """The mean hinge loss of scores (1, n), and its derivatives (1, n)."""
    margins = 1.0 - y * scores[0]
    active = margins > 0.0
    return margins.dot(active) / y.size, (active * y * (-1.0 / y.size))[None]


def cross_entropy_by_hand(scores: Array, labels: Any) -> tuple[Any, Array]:
    """The mean cross entropy of scores (k, n), and its derivatives (k, n)."""
    n, samples = len(labels), np.arange(len(labels))
    scores -= scores.max(axis=0)
    chosen = scores[labels, samples].sum()
    np.exp(scores, out=scores)
    total = scores.sum(axis=0)
    scores *= 1.0 / (n * total)
    scores[labels, samples] -= 1.0 / n
    return (np.log(total).sum() - chosen) / n, scores


def by_hand(network: Network) -> Side:
    """NumPy with a backward pass written by hand."""
    vector = joined(network.parameters)
    gradient = np.empty_like(vector)
    parts = list(network.layers(views(vector, network.parameters)))
    gradients = list(network.layers(views(gradient, network.parameters)))
    activations = [network.activation] * (len(parts) - 1) + ["linear"]
    n, columns = len(network.X), np.ascontiguousarray(network.X.T)
    layers = [Layer(*part, n, name) for part, name in zip(parts, activations, strict=True)]
    backwards = list(zip(layers, gradients, strict=True))[::-1]
    head = hinge_by_hand if network.hinge else cross_entropy_by_hand
    targets = network.targets

    def run() -> tuple[Any, Array]:
        x = columns
        for layer in layers:
            x = layer.forward(x)
        value, adjoint = head(x, targets)
        for layer, (gW, gb) in backwards:
            adjoint = layer.backward(adjoint, gW, gb, layer is layers[0])
        if network.decay:
            value += network.decay * vector.dot(vector)
            np.add(gradient, 2.0 * network.decay * vector, out=gradient)
        return value, gradient

    def step() -> None:
        run()
        np.subtract(vector, RATE * gradient, out=vector)

    return Side(run, lambda: flat(run()[0], [gradient]), step)


# Frameworks.


def pytorch(network: Network) -> Side | None:
    """PyTorch, eager."""
    if not (torch := torch_alone()):
        return None
    linear, activate = torch.nn.functional.linear, getattr(torch, network.activation)
    vector = torch.tensor(joined(network.parameters)).requires_grad_()
    sizes = [array.size for array in network.parameters]
    X, y = torch.tensor(network.X), torch.tensor(network.targets)

    def run() -> Any:
        vector.grad = None
        pairs = zip(vector.split(sizes), network.parameters, strict=True)
        *hidden, last = network.layers([part.view(array.shape) for part, array in pairs])
        x = X
        for W, b in hidden:
            x = activate(linear(x, W, b))
        scores = linear(x, *last)
        if network.hinge:
            loss = torch.relu(1.0 - y * scores.squeeze(1)).mean()
        else:
            loss = torch.nn.functional.cross_entropy(scores, y)
        if network.decay:
            loss = loss + network.decay * vector.dot(vector)
        loss.backward()
        return loss

    def step() -> None:
        run()
        with torch.no_grad():
            vector.sub_(vector.grad, alpha=RATE)

    return Side(run, lambda: flat(run().detach(), [vector.grad]), step)


def jit(network: Network, *, one_vector: bool = False) -> Side | None:
    """`jax.jit` of the matrix form, for a list of arrays or for one vector."""
    if not (jax := jax_alone()):
        return None
    numpy = jax.numpy
    activate = {"relu": jax.nn.relu, "tanh": numpy.tanh}[network.activation]

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        arrays = views(parameters, network.parameters) if one_vector else parameters
        *hidden, (last, offset) = network.layers(arrays)
        for W, b in hidden:
            X = activate(X @ W.T + b)
        scores = X @ last.T + offset
        if network.hinge:
            error = jax.nn.relu(1.0 - y * scores[:, 0]).mean()
        else:
            error = (jax.nn.logsumexp(scores, axis=1) - (y * scores).sum(axis=1)).mean()
        leaves = jax.tree.leaves(parameters)
        return error + network.decay * sum((p * p).sum() for p in leaves)

    parameters = joined(network.parameters) if one_vector else network.parameters
    return jax_side(loss, parameters, (network.X, network.y), RATE)


def casadi(network: Network) -> Side | None:
    """CasADi's matrix form of the hinge loss; its matrices are stored by columns."""
    if not (ca := imported("casadi")):
        return None
    activate = {"relu": lambda z: ca.fmax(z, 0.0), "tanh": ca.tanh}[network.activation]
    n, d = network.X.shape
    vector = ca.MX.sym("p", sum(array.size for array in network.parameters))
    x, y = ca.MX.sym("x", d, n), ca.MX.sym("y", 1, n)
    ends = list(itertools.accumulate(array.size for array in network.parameters))
    pieces = ca.vertsplit(vector, [0, *ends])
    shaped = [
        ca.reshape(piece, *array.shape[::-1]).T if array.ndim == 2 else piece
        for piece, array in zip(pieces, network.parameters, strict=True)
    ]
    scores = x
    *hidden, (last, offset) = network.layers(shaped)
    for W, b in hidden:
        scores = activate(W @ scores + ca.repmat(b, 1, n))
    error = ca.sum2(ca.fmax(1.0 - y * (last @ scores + offset), 0.0)) / n
    loss = error + network.decay * ca.dot(vector, vector)
    function = ca.Function("moons", [vector, x, y], [loss, ca.gradient(loss, vector)])
    return casadi_side(function, [joined(network.parameters), network.X, network.y])


def micrograd(network: Network) -> Side | None:
    """Micrograd, which has ReLU only."""
    ours = model_of(network)
    if not (theirs := moons.micrograd_model(ours)):
        return None
    value, model = theirs
    data = (network.X.tolist(), network.y.tolist())
    run = functools.partial(moons.loss_and_gradient, value, model, data)

    def numbers() -> list[float]:
        total = run()
        for mine, other in zip(ours.parameters(), model.parameters(), strict=True):
            mine.grad = other.grad
        return flat(total.data, gradients_of(ours))

    def step() -> None:
        run()
        for p in model.parameters():
            p.data -= RATE * p.grad

    return Side(run, numbers, step)
