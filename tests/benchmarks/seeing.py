"""How large are pages, and how long do pictures, pages and explanations take?

Medians of several calls, in seconds. "layer" is a loss of MLP(2, [16, 16, 1]) over 1,000 samples,
about 100,000 values; "shared" is a chain in which each step uses the input again.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from autograd_engine import Graph, Value, draw, explain, named_scope, stepper, tanh
from autograd_engine import sum as summed
from nn import MLP
from tests.benchmarks.measuring import Row, Settings, script


def neuron() -> Value:
    """That of Karpathy's lecture."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    return tanh(x1 * w1 + x2 * w2 + Value(6.88, label="b"))


def network() -> Value:
    """195 steps, node by node."""
    return MLP(7, [5, 5, 1], activation="tanh", rng=0)([Value(0.1 * i) for i in range(7)])


def chain(shared: bool) -> Value:
    """About 500 values."""
    y = x = Value(1.0, label="x")
    for _ in range(166 if shared else 249):
        y = (y * 0.99).tanh() + x if shared else (y * 0.99).tanh()
    return y


def batch(samples: int) -> Value:
    """The loss of many samples."""
    model, rng = MLP(2, [16, 16, 1], rng=0), random.Random(0)
    outputs = [model([rng.random(), rng.random()]) for _ in range(samples)]
    with named_scope("loss"):
        return summed([(1 - output).relu() for output in outputs])


def seconds(run: Callable[[], object], runs: int) -> float:
    """The median."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def rows(chosen: Settings) -> Iterator[Row]:
    """One row for each picture or page."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "graph.svg"
        for name, value in (("neuron", neuron()), ("network, 195 steps", network())):
            value.backward()
            took = seconds(lambda value=value: stepper(value).html(), chosen.runs)  # type: ignore[misc]
            page = stepper(value).save(Path(folder) / "page.html")
            size = f"{page.stat().st_size / 1000:.1f} KB"
            yield Row(f"page of the {name}: size, time to build", f"{size}, {took:.3f} s")
        large = batch(100 if chosen.quick else 1000)
        for name, value in (("chain", chain(False)), ("shared", chain(True)), ("layer", large)):
            value.backward()
            took = seconds(lambda value=value: draw(value, target), chosen.runs)  # type: ignore[misc]
            size = f"{len(Graph(value).nodes):,} values"
            yield Row(f"draw to SVG: {name}, {size}", f"{took:.3f} s")
        took = seconds(lambda: explain(large), 1)
        yield Row("explain: layer", f"{took:.3f} s")


if __name__ == "__main__":
    script(__doc__, rows)
