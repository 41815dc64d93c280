"""Expansion: a dot as its products and their sum, with the same numbers everywhere else."""

from __future__ import annotations

import pytest

from autograd_engine import Graph, Value, dot, primitives, tanh
from autograd_engine.expansion import READABLE, expanded
from nn import MLP


def test_a_dot_becomes_products_and_a_sum_in_its_place() -> None:
    w, x = [Value(2.0), Value(3.0)], [Value(5.0), Value(7.0)]
    y = dot(w, x)
    y.label = "y"
    y.backward()
    graph = expanded(Graph(y))
    assert [node.symbol for node in graph.nodes] == ["", "", "", "", "*", "*", "+"]
    assert [node.data for node in graph.nodes[-3:]] == [10.0, 21.0, 31.0]
    assert (graph.output.label, graph.output.operands) == ("y", (4, 5))
    assert graph.output.primitive is primitives.sum
    assert [node.operands for node in graph.nodes[4:6]] == [(0, 2), (1, 3)]
    assert [node.grad for node in graph.nodes[-3:]] == [1.0, 1.0, 1.0]


def test_contributions_into_every_node_still_add_up() -> None:
    output = MLP(2, [3, 2, 1], activation="tanh", rng=0)([Value(0.5), Value(-1.0)])
    output.backward()
    graph = expanded(Graph(output))
    assert not any(node.primitive is primitives.dot for node in graph.nodes)
    sums = [0.0] * len(graph.nodes)
    for edge in graph.edges:
        sums[edge.source] += edge.contribution
    assert sums[:-1] == pytest.approx([node.grad for node in graph.nodes[:-1]], rel=1e-12)


def test_operands_come_before_results_and_old_nodes_keep_their_numbers() -> None:
    output = MLP(2, [3, 1], activation="tanh", rng=0)([Value(0.5), Value(-1.0)])
    before, after = Graph(output), expanded(Graph(output))
    for node in after.nodes:
        assert all(x < node.index for x in node.operands if isinstance(x, int))
    old = [(n.label, n.data, n.adjoint) for n in before.nodes]
    new = [(n.label, n.data, n.adjoint) for n in after.nodes]
    remaining = iter(new)
    assert all(node in remaining for node in old)


def test_constants_stay_in_their_products() -> None:
    x = Value(5.0)
    graph = expanded(Graph(dot([x, 2.0, 3.0], [4.0, x, 7.0])))
    assert [node.operands for node in graph.nodes] == [(), (0, 4.0), (2.0, 0), (1, 2, 21.0)]
    assert [(e.target, e.position, e.derivative) for e in graph.edges] == [
        (1, 0, 4.0),
        (2, 1, 2.0),
        (3, 0, 1.0),
        (3, 1, 1.0),
    ]


def test_local_derivatives_are_those_of_the_forward_pass() -> None:
    w, x = Value(2.0), Value(5.0)
    y = dot([w], [x])
    w.data = 100.0
    graph = expanded(Graph(y))
    assert [edge.derivative for edge in graph.edges if edge.target == 2] == [5.0, 2.0]


def test_a_graph_without_dots_is_the_same_object() -> None:
    graph = Graph(tanh(Value(1.0)))
    assert expanded(graph) is graph


def test_a_large_graph_stays_as_it_is() -> None:
    graph = Graph(MLP(2, [READABLE // 4, 1], rng=0)([Value(1.0), Value(2.0)]))
    assert expanded(graph) is graph


def test_outputs_are_found_again() -> None:
    x, w = Value(1.0), Value(2.0)
    first, second = dot([w, w], [x, x]), x + 1
    graph = expanded(Graph([first, second]))
    assert [graph.nodes[i].data for i in graph.outputs] == [first.data, second.data]
