"""How much faster than micrograd is one loss and its gradient on 100 moons?

    pip install -e ".[bench]" && python tests/benchmarks/moons_against_micrograd.py

The loop of micrograd's own demo: MLP(2, [16, 16, 1]), hinge loss over 100 samples and L2
regularisation, forward and backward. Both sides run in one process, in turn, with gc.collect()
before each timed run, because micrograd's time depends on the garbage collector; medians.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from micrograd.engine import Value as MicrogradValue
from micrograd.nn import MLP as MicrogradMLP

from autograd_engine import Value
from nn import MLP, two_moons


def loss_and_gradient(value: Any, model: Any, X: list[list[float]], y: list[int]) -> Any:
    """The cell of micrograd's demo, word for word."""
    inputs = [list(map(value, xrow)) for xrow in X]
    scores = list(map(model, inputs))
    losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    reg_loss = 1e-4 * sum(p * p for p in model.parameters())
    total_loss = data_loss + reg_loss
    model.zero_grad()
    total_loss.backward()
    return total_loss


def seconds(run: Callable[[], Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    sys.setrecursionlimit(100_000)  # micrograd walks its graph by recursion
    X, y = two_moons(100, noise=0.1, rng=1)
    ours, theirs = MLP(2, [16, 16, 1], rng=1), MicrogradMLP(2, [16, 16, 1])
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        other.data = mine.data
    loss, reference = (
        loss_and_gradient(Value, ours, X, y),
        loss_and_gradient(MicrogradValue, theirs, X, y),
    )
    worst = max(
        abs(mine.grad - other.grad)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True)
    )
    print(f"loss {loss.data:.12f} and {reference.data:.12f}; gradients differ by {worst:.1e}")
    assert worst < 1e-9, "the two engines disagree"
    del loss, reference
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        times[0].append(seconds(lambda: loss_and_gradient(Value, ours, X, y)))
        times[1].append(seconds(lambda: loss_and_gradient(MicrogradValue, theirs, X, y)))
    mine, other = map(statistics.median, times)
    print(
        f"autograd_engine {mine * 1e3:.1f} ms, micrograd {other * 1e3:.1f} ms: {other / mine:.1f}x"
    )


if __name__ == "__main__":
    main()
