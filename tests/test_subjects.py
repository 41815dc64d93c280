"""What a view of a graph can be made from, and where its adjoints start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd_engine import Graph, Value, compile, detect_anomaly, log, no_grad, text_tree
from nn import MLP


def two_outputs() -> tuple[Value, Value, Value]:
    a = Value(0.5, label="a")
    h = (a * 3).tanh()
    return a, h, h * 4


def test_adjoints_of_an_output_below_another_are_those_of_the_pass() -> None:
    _, h, loss = two_outputs()
    loss.backward()
    for outputs in ([h, loss], [loss, h], [loss], h):
        graph = Graph(outputs)
        assert [node.adjoint for node in graph.nodes] == [node.grad for node in graph.nodes]


def test_an_output_that_no_pass_came_through_contributes_nothing() -> None:
    a, _, loss = two_outputs()
    loss.backward()
    other = a * 5
    edges = Graph([loss, other]).edges
    assert [edge.contribution for edge in edges if edge.derivative == 5.0] == [0.0]


def test_before_any_pass_adjoints_are_those_of_the_sum() -> None:
    a, h, loss = two_outputs()
    (h + loss).backward()
    leaf, *_ = Graph([h * 1, loss * 1]).nodes
    assert (leaf.label, leaf.adjoint) == ("a", a.grad)


def test_gradient_of_a_pass_is_where_adjoints_start() -> None:
    a, h, _ = two_outputs()
    h.backward(0.1)
    assert Graph(h).nodes[0].adjoint == a.grad
    assert Graph(h, gradient=1.0).nodes[0].adjoint == pytest.approx(10 * a.grad, rel=1e-15)


def test_a_graph_takes_neither_names_nor_an_example() -> None:
    graph = Graph(Value(1.0) * 2)
    assert Graph.of(graph) is graph
    with pytest.raises(TypeError, match="has its numbers and names"):
        Graph.of(graph, names={})
    with pytest.raises(TypeError, match="has its numbers and names"):
        text_tree(graph, example=[1.0])


def test_a_model_is_called_with_a_graph_also_inside_no_grad() -> None:
    with no_grad():
        graph = Graph.of(MLP(2, [2, 1], rng=0), [1.0, 2.0])
    assert len(graph.nodes) > 10
    assert graph.nodes[graph.outputs[0]].operands


def test_a_program_without_numbers_is_no_anomaly() -> None:
    f = compile(lambda x: log(x) * 2)
    f(1.0)
    with detect_anomaly():
        graph = Graph.of(f)
    assert [node.symbol for node in graph.nodes] == ["", "log", "*"]
    assert not graph.numbers


@pytest.mark.parametrize(
    ("subject", "example", "message"),
    [
        (lambda xs: xs[0], 3.0, "example must be a list of numbers, one for each input; got 3.0"),
        (lambda xs: xs[0], "12", "example must be a list"),
        (lambda x, y: x + y, [1.0, 2.0], r"one argument, the list of inputs.*lambda xs"),
        (lambda xs: xs[0].data, [1.0], "returned the plain number 1.0, which has no graph"),
        (lambda xs: [], [1.0], "got none"),
        (Value(1.0), [1.0], "an example belongs to a model"),
        (MLP(1, [1], rng=0), None, "pass example="),
        (3.0, None, "expected a Value"),
    ],
)
def test_what_has_no_graph_is_refused_with_the_reason(
    subject: Any, example: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Graph.of(subject, example)


def test_names_must_be_a_mapping() -> None:
    with pytest.raises(TypeError, match="names must be a mapping"):
        Graph(Value(1.0), names=[])  # type: ignore[arg-type]


def test_names_reach_into_arrays_of_values() -> None:
    w = np.array([[Value(1.0), Value(2.0)]])
    outputs = w @ np.array([3.0, 4.0])
    labels = [node.label for node in Graph(outputs[0], names={"w": w, "X": np.eye(3)}).nodes]
    assert [label for label in labels if label] == ["w[0][0]", "w[0][1]"]


def test_a_view_with_other_parts_forgets_what_was_worked_out_of_the_old_ones() -> None:
    _, _, loss = two_outputs()
    graph = Graph(loss)
    assert len(graph.edges) == 3
    assert graph.is_output(graph.nodes[-1])
    other = graph.replaced(outputs=[1], derivatives=[(), (7.0,), (7.0,), (7.0,)])
    assert [edge.derivative for edge in other.edges] == [7.0, 7.0, 7.0]
    assert [other.is_output(node) for node in other.nodes] == [False, True, False, False]
    assert graph.outputs == (3,)
