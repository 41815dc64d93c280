"""How fast is a training step of a small GPT on scalars, against nodes written by hand?

The model: token and position embeddings, one layer of causal attention with 4 heads and an MLP
four times as wide with relu, RMSNorm before each, a head over 27 tokens; with 16 channels that is
4,192 parameters. The step: cross-entropy of the next token at 16 positions, forward and backward,
and the release of the graph. It is written in single operations, + * ** exp log relu, without the
engine's `dot`: so it asks what one node costs. The same code runs on each node class, in one
process, in turn, each after gc.collect(); medians.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from autograd_engine import Value, backend
from autograd_engine.value import Value as PythonValue
from tests.benchmarks.measuring import (
    Row,
    Settings,
    Timing,
    alternate,
    check_agreement,
    compared,
    milliseconds,
    progress,
    script,
)
from tests.benchmarks.plain_node import PlainNode

Vector = list[Any]
Matrix = list[Vector]

VOCABULARY, CHANNELS, HEADS, BLOCK = 27, 16, 4, 16
SHAPES = {
    "token": (VOCABULARY, CHANNELS),
    "position": (BLOCK, CHANNELS),
    "query": (CHANNELS, CHANNELS),
    "key": (CHANNELS, CHANNELS),
    "value": (CHANNELS, CHANNELS),
    "mix": (CHANNELS, CHANNELS),
    "widen": (4 * CHANNELS, CHANNELS),
    "narrow": (CHANNELS, 4 * CHANNELS),
    "head": (VOCABULARY, CHANNELS),
}


def sum_of_products(a: Sequence[Any], b: Sequence[Any]) -> Any:
    """n products and n - 1 sums; not `sum(products)`, which starts at 0: for some a node more."""
    products = [x * y for x, y in zip(a, b, strict=True)]
    return sum(products[1:], products[0])


def linear(weights: Matrix, x: Vector) -> Vector:
    """A matrix times a vector."""
    return [sum_of_products(row, x) for row in weights]


def added(a: Vector, b: Vector) -> Vector:
    """The sum of two vectors."""
    return [x + y for x, y in zip(a, b, strict=True)]


def rms_norm(x: Vector) -> Vector:
    """A vector scaled to a mean square of 1."""
    scale = (sum_of_products(x, x) * (1.0 / len(x)) + 1e-5) ** -0.5
    return [element * scale for element in x]


def softmax(logits: Vector) -> Vector:
    """Exponentials divided by their sum, all reduced by the largest, which changes nothing else."""
    largest = max(logit.data for logit in logits)
    powers = [(logit + -largest).exp() for logit in logits]
    inverse = sum(powers[1:], powers[0]) ** -1.0
    return [power * inverse for power in powers]


def attend(query: Vector, keys: Matrix, values: Matrix) -> Vector:
    """One head: the mean of the values, weighted by how well their keys fit the query."""
    scale = 1.0 / math.sqrt(len(query))
    weights = softmax([sum_of_products(query, key) * scale for key in keys])
    return [sum_of_products(weights, column) for column in zip(*values, strict=True)]


def heads(x: Vector) -> Matrix:
    """A vector cut into one piece per head."""
    width = len(x) // HEADS
    return [x[start : start + width] for start in range(0, len(x), width)]


@dataclass
class GPT:
    """The model; all weights are nodes of one class.

    Attributes
    ----------
    weights : dict of str to list of list of nodes
        A matrix for each name in SHAPES.
    """

    weights: dict[str, Matrix]

    @classmethod
    def random(cls, node: Callable[[float], Any]) -> GPT:
        """The same weights for every node class."""
        draw = functools.partial(random.Random(0).gauss, 0.0, 0.2)
        shapes = SHAPES.items()
        return cls(
            {name: [[node(draw()) for _ in range(n)] for _ in range(m)] for name, (m, n) in shapes}
        )

    def parameters(self) -> Vector:
        """All weights in one list."""
        return [w for matrix in self.weights.values() for row in matrix for w in row]

    def attention(self, x: Vector, past: list[tuple[Matrix, Matrix]]) -> Vector:
        """The attention at one position, over the keys and values of those up to it, in `past`."""
        w = self.weights
        past.append((heads(linear(w["key"], x)), heads(linear(w["value"], x))))
        outputs: Vector = []
        for head, query in enumerate(heads(linear(w["query"], x))):
            keys, values = [k[head] for k, _ in past], [v[head] for _, v in past]
            outputs += attend(query, keys, values)
        return linear(w["mix"], outputs)

    def wide(self, x: Vector) -> Vector:
        """The multi-layer perceptron."""
        hidden = [h.relu() for h in linear(self.weights["widen"], x)]
        return linear(self.weights["narrow"], hidden)

    def logits(self, token: int, position: int, past: list[tuple[Matrix, Matrix]]) -> Vector:
        """How likely each token is to come next."""
        x = added(self.weights["token"][token], self.weights["position"][position])
        x = added(x, self.attention(rms_norm(x), past))
        x = added(x, self.wide(rms_norm(x)))
        return linear(self.weights["head"], rms_norm(x))

    def loss(self, tokens: Sequence[int]) -> Any:
        """The mean cross-entropy of each token after the first."""
        past: list[tuple[Matrix, Matrix]] = []
        losses = []
        for position, (token, target) in enumerate(itertools.pairwise(tokens)):
            probabilities = softmax(self.logits(token, position, past))
            losses.append(probabilities[target].log() * -1.0)
        return sum(losses[1:], losses[0]) * (1.0 / len(losses))


def step(model: GPT, tokens: Sequence[int]) -> Any:
    """The loss after its backward pass; whoever drops it releases the graph."""
    loss = model.loss(tokens)
    loss.backward()
    return loss


def gradients(model: GPT, tokens: Sequence[int]) -> list[float]:
    """The loss, and its derivative by every parameter."""
    loss = step(model, tokens)
    return [loss.data, *(p.grad for p in model.parameters())]


def engines() -> dict[str, Callable[[float], Any]]:
    """The node classes, by name: our active engine first."""
    python = {} if backend == "python" else {"python Value": PythonValue}
    return {f"{backend} Value": Value, **python, "plain node": PlainNode}


def comparisons(question: str, names: Sequence[str], times: dict[str, Timing]) -> Iterator[Row]:
    """Each engine but the last against the last, and the first against the second."""
    *ours, plain = names
    for name, peer in [(name, plain) for name in ours] + list(itertools.pairwise(ours)):
        mine, other = times[name], times[peer]
        start = f"{question}, {name}: forward + backward"
        yield compared(start, mine.work, peer, other.work, milliseconds)
        both = mine.with_release, other.with_release
        yield compared(f"{start} + release", both[0], peer, both[1], milliseconds)


def rows(settings: Settings) -> Iterator[Row]:
    """The training step on each engine against the plain node."""
    progress("gpt: one training step")
    positions = settings.size(BLOCK, 2)
    tokens = random.Random(1).choices(range(VOCABULARY), k=positions + 1)
    models = {name: GPT.random(node) for name, node in engines().items()}
    check_agreement("gpt", {name: gradients(model, tokens) for name, model in models.items()})
    counted = len(step(models["plain node"], tokens).topological_order())
    sides = {name: functools.partial(step, model, tokens) for name, model in models.items()}
    times = alternate(sides, settings.runs)
    yield from comparisons(f"GPT step, {counted:,} nodes", list(models), times)


if __name__ == "__main__":
    script(__doc__, rows)
