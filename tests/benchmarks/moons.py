"""How fast is one loss and its gradient on 100 moons, against micrograd?

The loop of micrograd's own demo: MLP(2, [16, 16, 1]), hinge loss over 100 samples and L2
regularisation, forward and backward, with the same weights on both sides. Both run in one process,
in turn, each after gc.collect(), because micrograd's time depends on the collector; medians. The
code is the same, but not the graphs: a neuron of ours is one `dot`, theirs a node for each + and *.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograd_engine import Value
from nn import MLP, two_moons
from tests.benchmarks.measuring import (
    Row,
    Settings,
    alternate,
    check_agreement,
    compared,
    imported,
    milliseconds,
    progress,
    recursion_for_peers,
    script,
)

Data = tuple[Sequence[Sequence[float]], Sequence[Any]]


def loss(value: Any, model: Any, data: Data) -> Any:
    """The loss, with its graph: the cell of micrograd's demo, line by line."""
    X, y = data
    inputs = [list(map(value, xrow)) for xrow in X]
    scores = list(map(model, inputs))
    losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    reg_loss = 1e-4 * sum(p * p for p in model.parameters())
    return data_loss + reg_loss


def loss_and_gradient(value: Any, model: Any, data: Data) -> Any:
    """The loss after its backward pass."""
    total_loss = loss(value, model, data)
    model.zero_grad()
    total_loss.backward()
    return total_loss


def micrograd_model(ours: MLP) -> tuple[Any, Any] | None:
    """Micrograd's node class and its MLP with our weights; None when it is not installed."""
    engine, network = imported("micrograd.engine"), imported("micrograd.nn")
    if engine is None or network is None:
        return None
    model = network.MLP(2, [16, 16, 1])
    for mine, other in zip(ours.parameters(), model.parameters(), strict=True):
        other.data = mine.data
    return engine.Value, model


def loss_and_gradients(side: Callable[[], Any], model: Any) -> list[float]:
    """The numbers that both sides must agree about."""
    loss = side()
    return [loss.data, *(p.grad for p in model.parameters())]


def rows(settings: Settings) -> Iterator[Row]:
    """Forward and backward against micrograd, and what the release of our graph adds."""
    progress("moons: one loss and gradient")
    recursion_for_peers()
    data = two_moons(settings.size(100, 10), noise=0.1, rng=1)
    models: dict[str, tuple[Any, Any]] = {"ours": (Value, ours := MLP(2, [16, 16, 1], rng=1))}
    if theirs := micrograd_model(ours):
        models["micrograd"] = theirs
    sides = {
        name: functools.partial(loss_and_gradient, value, model, data)
        for name, (value, model) in models.items()
    }
    check_agreement(
        "moons", {name: loss_and_gradients(sides[name], models[name][1]) for name in sides}
    )
    times = alternate(sides, settings.runs)
    mine, other = times["ours"], times["micrograd"].work if theirs else None
    question = f"moons, {len(data[0])} samples: forward + backward"
    yield compared(question, mine.work, "micrograd", other, milliseconds)
    yield Row(f"{question} + release", milliseconds(mine.with_release))


if __name__ == "__main__":
    script(__doc__, rows)
