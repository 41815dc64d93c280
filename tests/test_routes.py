"""Routes: paths from the output to a node, against walking all of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from autograd_engine import Graph, Value, dot, mean, sigmoid, tanh
from autograd_engine import sum as total
from autograd_engine.graph import Edge
from autograd_engine.routes import Routes, added, routes


def random_graph(seed: int, steps: int = 12) -> tuple[Graph, Value]:
    """A graph with shared nodes, constants, dots and sums; its leaf is node x of the graph."""
    rng = random.Random(seed)
    x = Value(rng.uniform(-1.5, 1.5), label="x")
    known = [x, Value(rng.uniform(-1.5, 1.5))]
    for _ in range(steps):
        a, b, c = rng.choice(known[-5:]), rng.choice(known[-5:]), rng.choice(known)
        known.append(
            rng.choice(
                [
                    lambda a=a, b=b: a * b,
                    lambda a=a, b=b: a - b * 2.0,
                    lambda a=a: tanh(a),
                    lambda a=a: 0.5 - sigmoid(a),
                    lambda a=a, b=b, c=c: dot([a, b, c], [b, 1.5, a]),
                    lambda a=a, b=b, c=c: total([a, b, c, a]),
                    lambda a=a, c=c: mean([a, c]) * rng.choice([0.0, 1.0]),
                ]
            )()
        )
    return Graph(x * 0.25 + total(known[-3:]), gradient=1.0), x


def index_of(graph: Graph, label: str) -> int:
    return next(node.index for node in graph.nodes if node.label == label)


def every_path(graph: Graph, at: int, node: int) -> Iterator[tuple[Edge, ...]]:
    if at == node:
        yield ()
    for edge in graph.edges_into(graph.nodes[at]):
        for rest in every_path(graph, edge.source, node):
            yield (edge, *rest)


def product(path: tuple[Edge, ...]) -> float:
    return math.prod([edge.derivative for edge in path])


def listed(seed: int, most: int) -> tuple[Graph, Routes, list[float]]:
    graph, _ = random_graph(seed)
    node = index_of(graph, "x")
    everything = [product(path) for path in every_path(graph, graph.output.index, node)]
    return graph, routes(graph, node, most), everything


@pytest.mark.parametrize("seed", range(40))
def test_all_paths_are_found_when_all_are_asked_for(seed: int) -> None:
    graph, found, everything = listed(seed, 10**6)
    assert found.count == len(found.heaviest) == len(everything)
    assert found.remaining == 0.0
    assert len({route.edges for route in found.heaviest}) == found.count
    assert sorted(route.product for route in found.heaviest) == pytest.approx(sorted(everything))
    for route in found.heaviest:
        assert route.product == product(route.edges)
        assert route.edges[0].target == graph.output.index
        assert graph.nodes[route.edges[-1].source].label == "x"
        assert all(a.source == b.target for a, b in zip(route.edges, route.edges[1:], strict=False))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("most", [1, 3, 10])
def test_the_heaviest_come_first_and_the_others_are_summed(seed: int, most: int) -> None:
    graph, found, everything = listed(seed, most)
    weights = sorted(map(abs, everything), reverse=True)
    assert found.count == len(everything)
    assert [abs(route.product) for route in found.heaviest] == pytest.approx(weights[:most])
    scale = math.fsum(weights)
    products = [route.product for route in found.heaviest]
    gradient = graph.nodes[index_of(graph, "x")].adjoint
    assert abs(math.fsum(products) + found.remaining - gradient) <= 1e-12 * scale
    assert abs(math.fsum(everything) - gradient) <= 1e-12 * scale


def doubled(times: int) -> tuple[Graph, int]:
    x = Value(1.0, label="x")
    y = x
    for _ in range(times):
        y = (y + y) * 0.5
    graph = Graph(y, gradient=1.0)
    return graph, index_of(graph, "x")


def test_very_many_paths_are_counted_exactly_and_not_walked() -> None:
    found = routes(*doubled(60), 5)
    assert found.count == 2**60
    assert [route.product for route in found.heaviest] == [0.5**60] * 5
    assert found.remaining == pytest.approx(1.0)
    assert routes(*doubled(2000), 1).count == 2**2000


def test_long_chain_has_one_path() -> None:
    x = Value(1.0, label="x")
    y = x
    for _ in range(100_000):
        y = y * 0.5
    graph = Graph(y, gradient=1.0)
    found = routes(graph, index_of(graph, "x"), 3)
    assert (found.count, found.remaining) == (1, 0.0)
    assert len(found.heaviest[0].edges) == 100_000


def test_weights_of_long_paths_neither_overflow_nor_vanish() -> None:
    x = Value(1.0, label="x")
    small, large = x, x
    for _ in range(2000):
        small, large = small * 0.5, large * 0.5
    graph = Graph(large * 2.0 + small, gradient=1.0)
    found = routes(graph, index_of(graph, "x"), 2)
    assert [route.product for route in found.heaviest] == [0.0, 0.0]  # 2.0**-1999 is 0
    assert len(found.heaviest[0].edges) == 2002  # and yet the heavier one is first


def test_output_itself_is_reached_by_the_empty_path() -> None:
    graph = Graph(Value(3.0, label="x") * 2.0, gradient=1.0)
    found = routes(graph, graph.output.index, 3)
    assert (found.count, found.remaining) == (1, 0.0)
    assert found.heaviest[0].edges == () and found.heaviest[0].product == 1.0


def test_interior_nodes_have_routes_too() -> None:
    x = Value(3.0)
    square = x * x
    square.label = "square"
    graph = Graph(square * square + square, gradient=1.0)
    found = routes(graph, index_of(graph, "square"), 9)
    assert [route.product for route in found.heaviest] == [9.0, 9.0, 1.0]


def test_dead_paths_come_last_and_infinite_ones_first() -> None:
    x = Value(0.0, label="x")
    graph = Graph(x * 5.0 + x.sqrt() + x.relu(), gradient=1.0)
    found = routes(graph, index_of(graph, "x"), 9)
    assert [route.product for route in found.heaviest] == [math.inf, 5.0, 0.0]


def test_zero_times_infinity_is_nan_and_comes_first() -> None:
    x = Value(0.0, label="x")
    graph = Graph(x * 5.0 + x.sqrt() * 0.0, gradient=1.0)
    first, second = routes(graph, index_of(graph, "x"), 9).heaviest
    assert math.isnan(first.product) and second.product == 5.0
    assert math.isnan(graph.nodes[index_of(graph, "x")].adjoint)


def test_remaining_may_be_nan() -> None:
    x = Value(0.0, label="x")
    graph = Graph(x.sqrt() + x.sqrt() * 0.0 + x, gradient=1.0)
    found = routes(graph, index_of(graph, "x"), 1)  # inf, inf * 0.0 and 1.0
    assert found.heaviest[0].product == math.inf
    assert math.isnan(found.remaining)


def test_sums_are_rounded_once_and_never_raise() -> None:
    assert added([0.1] * 10) == 1.0
    assert math.isnan(added([math.inf, -math.inf]))
    assert added([1e308, 1e308]) == math.inf
    assert added([]) == 0.0
