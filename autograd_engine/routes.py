"""Paths from an output to one node: how many, the heaviest, and what the others add up to.

The gradient is the sum over all paths of the product of the local derivatives along each. There can
be 2**60 of them, so they are counted and added up without being walked, and only a few are listed:
the heaviest first, by best-first search. A path that was found splits those not yet found into
classes: all that leave it at one node by another edge. So nothing is met twice, and the classes
that are left at the end hold exactly the paths that were not listed.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_engine.graph import Edge, Graph

__all__ = ["Route", "Routes", "added", "routes"]

# Weights are logarithms, so that long products neither overflow nor vanish. Those of finite numbers
# stay below 800 an edge: a path with a zero is lighter than any other, one with inf or nan heavier.
ZERO, NOT_FINITE = -1e9, 1e15


class Route(NamedTuple):
    """One path: its edges, from the output down, and the product of their local derivatives."""

    edges: tuple[Edge, ...]
    product: float


@dataclass(frozen=True, slots=True)
class Routes:
    """The paths from the output of a graph to one node.

    Attributes
    ----------
    count : int
        Of all paths; exact.
    heaviest : tuple of Route
        By the absolute value of the product.
    remaining : float
        What the paths that are not listed add up to.
    ways : dict of int to list of Edge
        For each node on any path the edges by which paths go on from it.
    """

    count: int
    heaviest: tuple[Route, ...]
    remaining: float
    ways: dict[int, list[Edge]]


class _Class(NamedTuple):
    """All paths that begin with some edges; `edges` is the last one and those before, linked."""

    node: int
    product: float
    weight: float
    edges: tuple[Any, Edge] | None


def routes(graph: Graph, node: int, most: int) -> Routes:
    """The paths from the output to a node, `most` of them listed.

    The time is that of a backward pass, and for each path that is listed that of walking along it.
    """
    ways = _ways(graph, node)
    start = graph.output.index
    heaviest, rest = _search(ways, start, node, most)
    heaviest.sort(key=lambda route: (math.isfinite(route.product), -abs(route.product)))
    slopes = _slopes(ways, node) if rest else {}
    remaining = added([c.product * slopes[c.node] for c in rest])
    return Routes(_count(ways, start, node), tuple(heaviest), remaining, ways)


def added(terms: list[float]) -> float:
    """Their sum, correctly rounded where all of them are finite."""
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):  # too large on the way, or inf - inf
        return sum(terms)


def _ways(graph: Graph, node: int) -> dict[int, list[Edge]]:
    ways: dict[int, list[Edge]] = {node: []}
    for target in graph.nodes[node + 1 :]:
        edges = [edge for edge in graph.edges_into(target) if edge.source in ways]
        if edges:
            ways[target.index] = edges
    return ways


def _count(ways: dict[int, list[Edge]], start: int, node: int) -> int:
    """How many paths there are. Such numbers may have many digits, so none is kept for long."""
    counts = {start: 1}
    for target in reversed(ways):
        if target == node:
            break
        count = counts.pop(target)
        for edge in ways[target]:
            counts[edge.source] = counts.get(edge.source, 0) + count
    return counts[node]


def _slopes(ways: dict[int, list[Edge]], node: int) -> dict[int, float]:
    """d n / d node for each n on a path: what all paths from n on add up to."""
    slopes = {node: 1.0}
    for target, edges in ways.items():
        if target != node:
            slopes[target] = added([edge.derivative * slopes[edge.source] for edge in edges])
    return slopes


def _weight(derivative: float) -> float:
    if derivative == 0.0:
        return ZERO
    return math.log(abs(derivative)) if math.isfinite(derivative) else NOT_FINITE


def _search(
    ways: dict[int, list[Edge]], start: int, node: int, most: int
) -> tuple[list[Route], list[_Class]]:
    """The heaviest paths, and the classes of those that were not found."""
    best, down = {node: 0.0}, dict[int, Edge]()
    for target, edges in ways.items():
        if target != node:
            down[target] = max(edges, key=lambda e: _weight(e.derivative) + best[e.source])
            best[target] = _weight(down[target].derivative) + best[down[target].source]
    serial = itertools.count()  # of equal weights the first one comes first
    heap = [(0.0, next(serial), _Class(start, 1.0, 0.0, None))]
    found: list[Route] = []
    while heap and len(found) < most:
        _, _, at = heapq.heappop(heap)
        while at.node != node:
            for edge in ways[at.node]:
                if edge is not down[at.node]:
                    other = _after(at, edge)
                    item = (-other.weight - best[other.node], next(serial), other)
                    heapq.heappush(heap, item)
            at = _after(at, down[at.node])
        found.append(Route(_unlinked(at.edges), at.product))
    return found, [c for _, _, c in heap]


def _after(at: _Class, edge: Edge) -> _Class:
    total = at.weight + _weight(edge.derivative)
    return _Class(edge.source, at.product * edge.derivative, total, (at.edges, edge))


def _unlinked(linked: tuple[Any, Edge] | None) -> tuple[Edge, ...]:
    edges = []
    while linked is not None:
        linked, edge = linked
        edges.append(edge)
    return tuple(reversed(edges))
