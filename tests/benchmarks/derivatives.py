"""What do derivatives cost, compared with the function itself?

First a loss with its graph against the same loss and `backward`: the moons loss and a training step
of the small GPT; reverse mode takes a small multiple of the function, whatever the number of
parameters. Then `grad`, and a Hessian times a vector (`hvp`) for the Rosenbrock function in more
and more dimensions: the time of each should grow as the dimension does.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import autograd_engine
from autograd_engine import Value, grad, hvp
from nn import MLP, two_moons
from tests.benchmarks import gpt, moons
from tests.benchmarks.measuring import (
    Row,
    Settings,
    alternate,
    compared,
    milliseconds,
    progress,
    script,
)


def backward(loss: Callable[[], Any]) -> Any:
    """The loss after its backward pass."""
    result = loss()
    result.backward()
    return result


def against_the_loss(question: str, loss: Callable[[], Any], settings: Settings) -> Row:
    """Loss and backward, divided by the loss with its graph alone."""
    progress(f"derivatives: {question}")
    sides = {"loss": loss, "both": functools.partial(backward, loss)}
    times = alternate(sides, settings.runs)
    mine, alone = times["both"].work, times["loss"].work
    return compared(f"{question}: loss + backward", mine, "loss alone", alone, milliseconds)


def rosenbrock(x: Sequence[Any]) -> Any:
    """The sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2."""
    pairs = itertools.pairwise(x)
    return autograd_engine.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairs])


def by_dimension(settings: Settings) -> Iterator[Row]:
    """Gradient and Hessian-vector product, each divided by the one in a tenth of the dimensions."""
    dimensions = [10, 100] if settings.quick else [10, 100, 1_000, 10_000]
    draw = functools.partial(random.Random(0).uniform, -1.0, 1.0)
    sides: dict[str, Callable[[], object]] = {}
    for n in dimensions:
        x, v = ([draw() for _ in range(n)] for _ in range(2))
        sides[f"grad {n}"] = functools.partial(grad(rosenbrock), x)
        sides[f"hvp {n}"] = functools.partial(hvp, rosenbrock, (x,), (v,))
    progress("derivatives: gradient and hvp by dimension")
    times = alternate(sides, settings.runs)
    for name in ("grad", "hvp"):
        for before, n in itertools.pairwise(dimensions):
            mine, other = times[f"{name} {n}"].work, times[f"{name} {before}"].work
            question = f"{name} of Rosenbrock, {n:,} dimensions"
            yield compared(question, mine, f"{before:,} dimensions", other, milliseconds)


def rows(settings: Settings) -> Iterator[Row]:
    """Loss and backward against the loss, then growth with the dimension."""
    data = two_moons(settings.size(100, 10), noise=0.1, rng=1)
    model = MLP(2, [16, 16, 1], rng=1)
    loss = functools.partial(moons.loss, Value, model, data)
    yield against_the_loss(f"moons, {len(data[0])} samples", loss, settings)
    positions = settings.size(gpt.BLOCK, 2)
    tokens = random.Random(1).choices(range(gpt.VOCABULARY), k=positions + 1)
    loss = functools.partial(gpt.GPT.random(Value).loss, tokens)
    yield against_the_loss(f"GPT, {positions} positions", loss, settings)
    yield from by_dimension(settings)


if __name__ == "__main__":
    script(__doc__, rows)
