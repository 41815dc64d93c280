"""How many bytes does a node take, against micrograd and nodes written by hand?

Each figure comes from a process of its own: a list of the right length is there, then a million
nodes are made into it, and the growth of the resident memory (RSS) is divided by their number. So a
figure has all that a node brings along, floats and tuples too, but not the list. The sum of 16
products is one `dot` on our side and 31 nodes on the others.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import autograd_engine
from autograd_engine import Value
from tests.benchmarks.gpt import sum_of_products
from tests.benchmarks.measuring import (
    PROCESS,
    Row,
    Settings,
    compared,
    imported,
    in_fresh_process,
    progress,
    resident_bytes,
    script,
)
from tests.benchmarks.plain_node import PlainNode

Leaf = Callable[[float], Any]
PEERS = ("micrograd", "plain node")
TERMS = 16


def leaf_class(engine: str) -> Leaf | None:
    """The node class of an engine; None when it is not installed."""
    if engine == "micrograd":
        module = imported("micrograd.engine")
        return module.Value if module else None
    return {"ours": Value, "plain node": PlainNode}[engine]


def leaves(leaf: Leaf) -> Callable[[int], Any]:
    """Make leaves, each with a number of its own."""
    return lambda i: leaf(i * 0.5)


def product(leaf: Leaf) -> Callable[[int], Any]:
    """Make products of the same two leaves."""
    a, b = leaf(0.5), leaf(1.5)
    return lambda _: a * b


def sum_of(formula: Callable[..., Any], leaf: Leaf) -> Callable[[int], Any]:
    """Make sums of the products of the same 16 pairs of leaves."""
    w, x = [leaf(0.5 + i) for i in range(TERMS)], [leaf(1.5 + i) for i in range(TERMS)]
    return lambda _: formula(w, x)


class Question(NamedTuple):
    """What is made, on our side and on the others', and how many nodes the others need for it."""

    name: str
    ours: Callable[[Leaf], Callable[[int], Any]]
    peers: Callable[[Leaf], Callable[[int], Any]]
    nodes: int


QUESTIONS = (
    Question("`a * b`", product, product, 1),
    Question("leaf", leaves, leaves, 1),
    Question(
        f"sum of {TERMS} products (`dot`)",
        functools.partial(sum_of, autograd_engine.dot),
        functools.partial(sum_of, sum_of_products),
        2 * TERMS - 1,
    ),
)


def grown(make: Callable[[int], Any], count: int) -> float:
    """Bytes of resident memory that one call adds."""
    make(0)  # whatever the first call alone needs
    kept: list[Any] = [None] * count
    gc.collect()
    gc.disable()  # it frees nothing here, and a million objects take it long
    before = resident_bytes()
    for i in range(count):
        kept[i] = make(i)
    return (resident_bytes() - before) / count


def measured(index: int, engine: str, count: int) -> float | None:
    """One figure, in the process of the caller; None when the engine is not installed."""
    question, leaf = QUESTIONS[index], leaf_class(engine)
    if leaf is None:
        return None
    make = question.ours if engine == "ours" else question.peers
    return grown(make(leaf), count)


def show(size: float) -> str:
    """A number of bytes."""
    return f"{size:,.0f} B"


def rows(settings: Settings) -> Iterator[Row]:
    """Bytes of each kind of node, against each peer."""
    if not PROCESS.exists():
        yield Row("memory of a node", f"not measured: there is no {PROCESS}")
        return
    count = settings.size(1_000_000, 50_000)
    for index, question in enumerate(QUESTIONS):
        progress(f"memory: {question.name}")
        mine = in_fresh_process(measured, index, "ours", count) or 0.0  # it is installed
        for peer in PEERS:
            theirs = in_fresh_process(measured, index, peer, count // question.nodes)
            yield compared(f"memory of a {question.name}", mine, peer, theirs, show)


if __name__ == "__main__":
    script(__doc__, rows)
