"""Neuron, Layer and MLP: a multi-layer perceptron in three small classes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import autograd_engine
from autograd_engine import Value, dot, named_scope
from nn.data import Rng, generator
from nn.module import Module

__all__ = ["MLP", "Layer", "Neuron"]

_Primitive = type(autograd_engine.relu)

Activation = str | Callable[[Any], Any]


class Neuron(Module):
    """activation(w . x + b) for nin inputs.

    Parameters
    ----------
    nin : int
        The number of inputs.
    nonlin : bool
        False leaves the activation out, as in micrograd.
    activation : str or callable
        "linear", or a one-operand primitive by name ("relu", "tanh", ...) or as a function.
    bias : bool
        Whether there is a bias b, which starts at 0.
    rng : int, random.Random or None
        Draws the weights, uniform in (-1, 1); None uses the `random` module's own generator.

    Raises
    ------
    ValueError
        For a size below 1, an unknown activation, or a call with other than nin inputs.
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        _check_size("Neuron: nin", nin)
        draw = generator(rng).uniform
        self.w = [Value(draw(-1, 1), label=f"w{i}") for i in range(nin)]
        self.b = Value(0.0, label="b") if bias else None
        name, function = _activation(activation if nonlin else "linear")
        self.activation, self._activate = name, function
        # On a Value the method is the same operation, with less to ask.
        self._method = function if name in ("custom", "linear") else getattr(Value, name)

    @classmethod
    def from_weights(
        cls, weights: Sequence[float], bias: float | None = None, *, activation: Activation = "relu"
    ) -> Neuron:
        """A neuron with these weights (nin,) and this bias; None: no bias."""
        neuron = cls(len(weights), activation=activation, bias=bias is not None, rng=0)
        for w, number in zip(neuron.w, weights, strict=True):
            w.data = number
        if neuron.b is not None:
            neuron.b.data = bias
        return neuron

    def __call__(self, x: Sequence[Any]) -> Value:
        """The activation for the inputs x (nin,), numbers or Values."""
        return _activations([self], x)[0]

    def __repr__(self) -> str:
        return f"Neuron({len(self.w)}, {self.activation})"


def _activations(neurons: Sequence[Neuron], x: Sequence[Any]) -> list[Value]:
    """activation(w . x + b) of each neuron; one loop for all, because it is where time goes."""
    nin = len(neurons[0].w)
    if len(x) != nin:
        raise ValueError(f"Neuron: expected {nin} inputs, got {len(x)}")
    try:
        return [n._method(dot(n.w, x) if n.b is None else dot(n.w, x) + n.b) for n in neurons]
    except (AttributeError, TypeError):
        pass  # no Values, but dual numbers or plain ones; asked last, for speed
    return [n._activate(dot(n.w, x) if n.b is None else dot(n.w, x) + n.b) for n in neurons]


class Layer(Module):
    """nout neurons side by side on the same nin inputs; keywords go to each Neuron.

    Called on x (nin,), it returns a list of nout Values, or the one Value when nout is 1. In named
    scopes the weights of neuron 3 are in "neuron 3" of the layer, and what is computed from them in
    the layer itself: entering a scope for each neuron took as long as all the arithmetic. For that
    reason, too, a layer computes its neurons itself, in one loop, and not by calling each; write a
    Module of your own for neurons that compute something else.
    """

    def __init__(self, nin: int, nout: int, *, rng: Rng = None, **neuron: Any) -> None:
        _check_size("Layer: nout", nout)
        rng = generator(rng)
        self.neurons = []
        for i in range(nout):
            with named_scope(f"neuron {i}"):
                self.neurons.append(Neuron(nin, rng=rng, **neuron))

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[Sequence[float]],
        biases: Sequence[float] | None = None,
        *,
        activation: Activation = "relu",
    ) -> Layer:
        """A layer with these weights (nout, nin) and biases (nout,); None: no biases."""
        if len(weights) == 0 or len({len(row) for row in weights}) > 1:
            raise ValueError("Layer: weights must be nout rows of nin numbers, all equally long")
        if biases is not None and len(biases) != len(weights):
            raise ValueError(f"Layer: {len(weights)} rows of weights but {len(biases)} biases")
        layer = cls.__new__(cls)
        layer.neurons = []
        for i, row in enumerate(weights):
            with named_scope(f"neuron {i}"):
                bias = None if biases is None else biases[i]
                layer.neurons.append(Neuron.from_weights(row, bias, activation=activation))
        return layer

    def outputs(self, x: Sequence[Any]) -> list[Value]:
        """The list of all outputs, also when there is only one."""
        return _activations(self.neurons, x)

    def __call__(self, x: Sequence[Any]) -> Any:
        """The outputs for the inputs x (nin,)."""
        out = self.outputs(x)
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of {len(self.neurons)} x {self.neurons[0]!r}"


class MLP(Module):
    """A multi-layer perceptron: `MLP(2, [16, 16, 1])` has 2 inputs, two hidden layers, 1 output.

    Parameters
    ----------
    nin : int
        The number of inputs.
    nouts : sequence of int
        The width of each layer.
    activation, output : str or callable
        The activation of the hidden layers and of the last one; see Neuron.
    bias : bool
        Whether neurons have biases.
    rng : int, random.Random or None
        Draws the weights; the same seed gives the same network.

    Examples
    --------
    >>> from nn import MLP
    >>> model = MLP(3, [4, 4, 1], activation="tanh", rng=0)
    >>> model
    MLP(3 -> 4 tanh -> 4 tanh -> 1 linear), 41 parameters
    >>> model.predict([[1.0, 2.0, 3.0]])  # doctest: +ELLIPSIS
    [0.2...]
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        *,
        activation: Activation = "relu",
        output: Activation = "linear",
        bias: bool = True,
        rng: Rng = None,
    ) -> None:
        if not hasattr(nouts, "__len__") or len(nouts) == 0:
            raise ValueError(
                f"MLP: nouts must list the width of each layer, as [16, 1]; got {nouts!r}"
            )
        for name in (activation, output):
            _activation(name)  # also the one that a single layer does not use
        rng = generator(rng)
        sizes = [nin, *nouts]
        self.layers = []
        for i, (n, width) in enumerate(zip(sizes, nouts, strict=False)):
            last = i == len(nouts) - 1
            with _layer_scope(i):
                self.layers.append(
                    Layer(n, width, activation=output if last else activation, bias=bias, rng=rng)
                )

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[Sequence[Sequence[float]]],
        biases: Sequence[Sequence[float] | None] | None = None,
        *,
        activation: Activation = "relu",
        output: Activation = "linear",
    ) -> MLP:
        """A network with weights[layer][neuron][input] and biases[layer][neuron]; None: no biases.

        Raises
        ------
        ValueError
            When the lists do not fit together; the message names the layer.
        """
        if len(weights) == 0 or (biases is not None and len(biases) != len(weights)):
            raise ValueError(
                f"MLP: weights of {len(weights)} layers, biases of {len(biases or ())}; "
                "both need one entry per layer"
            )
        model = cls.__new__(cls)
        model.layers = []
        for i, rows in enumerate(weights):
            if i and len(rows) and len(rows[0]) != len(weights[i - 1]):
                raise ValueError(
                    f"MLP: layer {i} has weights for {len(rows[0])} inputs, "
                    f"but layer {i - 1} has {len(weights[i - 1])} neurons"
                )
            with _layer_scope(i):
                function = output if i == len(weights) - 1 else activation
                bias = None if biases is None else biases[i]
                model.layers.append(Layer.from_weights(rows, bias, activation=function))
        return model

    def __call__(self, x: Sequence[Any]) -> Any:
        """The outputs for the inputs x (nin,): a list, or the one Value when there is one."""
        for i, layer in enumerate(self.layers):
            with _layer_scope(i):
                x = layer.outputs(x)
        return x[0] if len(x) == 1 else x

    def __repr__(self) -> str:
        first = len(self.layers[0].neurons[0].w)
        parts = [f"{len(layer.neurons)} {layer.neurons[0].activation}" for layer in self.layers]
        return f"MLP({first} -> {' -> '.join(parts)}), {len(self.parameters())} parameters"


@functools.cache
def _layer_scope(i: int) -> named_scope:
    return named_scope(f"layer {i}")


def _identity(z: Any) -> Any:
    return z


def _activation(activation: Activation) -> tuple[str, Callable[[Any], Any]]:
    """The name and the function; tried on a number, so that a wrong one fails at construction."""
    if activation == "linear":
        return "linear", _identity
    function: Any = activation
    if isinstance(activation, str):
        named = getattr(autograd_engine, activation, None)
        function = named if isinstance(named, _Primitive) else None
    reason = None
    try:
        works = hasattr(function(Value(0.5)), "detach")  # a Value; a line, where it is recorded
    except Exception as error:  # whatever a function of the user's may raise
        works, reason = False, error
    if not works:
        raise ValueError(
            f"unknown activation {activation!r}; use 'linear', 'relu', 'tanh', 'sigmoid', "
            "or a function from Value to Value"
        ) from reason
    name: str = getattr(function, "__name__", "custom")
    return (name if getattr(autograd_engine, name, None) is function else "custom"), function


def _check_size(name: str, size: Any) -> None:
    if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
