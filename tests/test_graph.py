"""Graph: the read-only view, on small graphs where every number is known, and on a network."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from autograd_engine import (
    Graph,
    Program,
    Value,
    compile,
    dot,
    draw_dot,
    mean,
    named_scope,
    no_grad,
    primitives,
    tanh,
    where,
)
from nn import MLP


def neuron() -> tuple[Value, Value, Value, Value]:
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(1.0, label="b")
    return tanh(x * w + b), x, w, b


# --- nodes ---------------------------------------------------------------


def test_nodes_are_in_topological_order_and_the_output_is_last() -> None:
    output, *_ = neuron()
    graph = Graph(output)
    assert [node.label or node.symbol for node in graph.nodes] == ["x", "w", "*", "b", "+", "tanh"]
    assert [node.index for node in graph.nodes] == list(range(6))
    assert graph.output is graph.nodes[-1]


def test_nodes_carry_data_gradient_and_operands() -> None:
    output, *_ = neuron()
    output.backward()
    nodes = Graph(output).nodes
    slope = 1.0 - math.tanh(-5.0) ** 2
    assert [node.data for node in nodes] == [2.0, -3.0, -6.0, 1.0, -5.0, math.tanh(-5.0)]
    gradients = [-3.0 * slope, 2.0 * slope, slope, slope, slope, 1.0]
    assert [node.grad for node in nodes] == pytest.approx(gradients, rel=1e-12)
    assert [node.operands for node in nodes] == [(), (), (0, 1), (), (2, 3), (4,)]
    assert [node.is_leaf for node in nodes] == [True, True, False, True, False, False]


def test_single_leaf_is_a_graph_of_one_node() -> None:
    graph = Graph(Value(3.0, label="x"))
    assert (len(graph.nodes), graph.edges, graph.output.label) == (1, (), "x")


def test_shared_node_comes_once() -> None:
    a = Value(2.0)
    b = a * 3
    assert len(Graph(b + b * a).nodes) == 4


def test_result_without_recording_is_a_leaf() -> None:
    with no_grad():
        y = Value(2.0) * 3
    assert Graph(y).output.is_leaf


@pytest.mark.parametrize(
    ("make", "operands"),
    [
        (lambda x: x * 3, (0, 3.0)),
        (lambda x: 3 - x, (3.0, 0)),
        (lambda x: 2**x, (2.0, 0)),
        (lambda x: x * x, (0, 0)),
        (lambda x: dot([x, 2.0], [3.0, x]), (0, 2.0, 3.0, 0)),
        (lambda x: mean([1.0, x, 1.0]), (1.0, 0, 1.0)),
        (lambda x: where(True, x, 5.0), (1.0, 0, 5.0)),
    ],
)
def test_constants_stand_among_the_operands_as_floats(make: Any, operands: tuple[Any, ...]) -> None:
    graph = Graph(make(Value(2.0)))
    assert graph.output.operands == operands
    assert [type(x) for x in graph.output.operands] == [type(x) for x in operands]
    assert len(graph.nodes) == 2


def test_nodes_know_their_scope() -> None:
    x = Value(1.0)
    with named_scope("outer"):
        y = x * 2
        with named_scope("inner"):
            z = y * 2
    assert [node.scope for node in Graph(z).nodes] == [(), ("outer",), ("outer", "inner")]


def test_view_keeps_the_numbers_of_its_moment() -> None:
    output, x, *_ = neuron()
    graph = Graph(output)
    x.data = 100.0
    output.backward()
    assert (graph.nodes[0].data, graph.nodes[0].grad) == (2.0, 0.0)


@pytest.mark.parametrize("attribute", ["data", "grad", "label"])
def test_nodes_cannot_be_changed(attribute: str) -> None:
    node = Graph(Value(1.0)).output
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(node, attribute, 5.0)


def test_repr_counts_values_and_edges() -> None:
    assert repr(Graph(neuron()[0])) == "<Graph of 6 values, 5 edges>"


@pytest.mark.parametrize("value", [3.0, "x", None, [], [1.0]])
def test_anything_but_a_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="expected a Value whose graph to show"):
        Graph(value)


# --- edges ---------------------------------------------------------------


def test_edges_carry_local_derivative_and_contribution() -> None:
    a, b = Value(2.0), Value(3.0)
    loss = a * b + a
    loss.backward()
    assert [tuple(edge) for edge in Graph(loss, gradient=5.0).edges] == [
        (0, 2, 0, 3.0, 15.0),
        (1, 2, 1, 2.0, 10.0),
        (2, 3, 0, 1.0, 5.0),
        (0, 3, 1, 1.0, 5.0),
    ]


def test_contributions_into_a_node_add_up_to_its_gradient() -> None:
    model = MLP(2, [4, 3, 1], activation="tanh", rng=0)
    output = model([Value(0.5), Value(-1.0)])
    output.backward()
    graph = Graph(output)
    sums = [0.0] * len(graph.nodes)
    for edge in graph.edges:
        sums[edge.source] += edge.contribution
    assert sums[:-1] == pytest.approx([node.grad for node in graph.nodes[:-1]], rel=1e-12)


def test_operand_used_twice_has_two_edges() -> None:
    a = Value(3.0)
    edges = Graph(a * a).edges
    assert [(e.source, e.position, e.derivative) for e in edges] == [(0, 0, 3.0), (0, 1, 3.0)]


def test_constants_have_no_edges_and_keep_the_positions_of_the_others() -> None:
    edges = Graph(dot([2.0, Value(3.0)], [Value(5.0), 7.0])).edges
    assert [(e.position, e.derivative) for e in edges] == [(1, 7.0), (2, 2.0)]


def test_local_derivatives_are_those_of_the_forward_pass() -> None:
    x = Value(3.0)
    y = x * x
    x.data = 100.0
    assert [e.derivative for e in Graph(y).edges] == [3.0, 3.0]


# --- differentiated, outdated ---------------------------------------------------------------


def test_graph_is_differentiated_after_backward_only() -> None:
    output, *_ = neuron()
    assert not Graph(output).differentiated
    output.backward()
    assert Graph(output).differentiated


def test_lone_leaf_is_differentiated_after_its_own_backward() -> None:
    leaf = Value(1.0)
    assert not Graph(leaf).differentiated
    leaf.backward()
    assert Graph(leaf).differentiated


def test_inner_value_counts_as_differentiated_by_the_backward_of_a_later_one() -> None:
    output, x, w, _ = neuron()
    inner = x * w
    (inner + output).backward()
    assert Graph(inner).differentiated


def test_gradients_left_on_leaves_do_not_count() -> None:
    _, x, w, _ = neuron()
    x.grad = 5.0
    assert not Graph(x * w).differentiated


def test_only_nodes_whose_operands_changed_are_outdated() -> None:
    output, x, *_ = neuron()
    assert not any(node.outdated for node in Graph(output).nodes)
    x.data = 7.0
    outdated = [node.symbol for node in Graph(output).nodes if node.outdated]
    assert outdated == ["*"]


def test_setting_data_back_is_up_to_date_again() -> None:
    output, x, *_ = neuron()
    x.data = 7.0
    x.data = 2.0
    assert not any(node.outdated for node in Graph(output).nodes)


@pytest.mark.parametrize("data", [math.nan, math.inf, -1.0, 0.0])
def test_singular_results_are_not_outdated(data: float) -> None:
    x = Value(data)
    assert not any(node.outdated for node in Graph(x.log() + 1 / x + x**0.5).nodes)


# --- adjoints, primitives ---------------------------------------------------------------


def test_nodes_know_the_row_that_made_them() -> None:
    rows = [node.primitive for node in Graph(neuron()[0]).nodes]
    product, total, squashed = primitives.mul, primitives.add, primitives.tanh
    assert rows == [None, None, product, None, total, squashed]


def test_adjoints_are_known_before_backward_and_equal_what_it_gives() -> None:
    output, *_ = neuron()
    before = [node.adjoint for node in Graph(output).nodes]
    output.backward()
    assert before == [node.grad for node in Graph(output).nodes]


def test_adjoints_are_of_one_pass_where_gradients_have_piled_up() -> None:
    output, x, *_ = neuron()
    output.backward()
    once = x.grad
    output.backward()
    node = Graph(output).nodes[0]
    assert (node.grad, node.adjoint) == (2.0 * once, once)


def test_adjoints_begin_at_the_gradient_that_the_pass_began_with_or_as_asked() -> None:
    x = Value(3.0)
    y = 2.0 * x
    assert Graph(y, gradient=5.0).nodes[0].adjoint == 10.0
    y.backward(0.5)
    assert Graph(y).nodes[0].adjoint == 1.0


def test_uses_of_a_node_are_its_edges_to_results() -> None:
    a = Value(3.0)
    graph = Graph(a * a + a)
    assert [(e.target, e.position) for e in graph.uses_of[0]] == [(1, 0), (1, 1), (2, 1)]
    assert [(e.target, e.position) for e in graph.uses_of[1]] == [(2, 0)]


# --- several outputs ---------------------------------------------------------------


def test_several_outputs_share_one_view_with_the_adjoints_of_their_sum() -> None:
    x = Value(3.0)
    double, square = 2.0 * x, x * x
    graph = Graph([double, square])
    assert graph.outputs == (1, 2)
    assert graph.nodes[0].adjoint == 2.0 + 6.0
    assert graph.output is graph.nodes[2]


def test_an_output_may_lie_below_another_or_come_twice() -> None:
    x = Value(3.0)
    y = x * x
    graph = Graph([y + 1.0, y, y])
    assert (len(graph.nodes), graph.outputs) == (3, (2, 1))
    assert [node.adjoint for node in graph.nodes] == [18.0, 3.0, 1.0]


def test_adjoints_of_an_output_below_another_are_what_its_backward_gave() -> None:
    x = Value(3.0)
    y = x * x
    z = y + 1.0
    z.backward(2.0)
    graph = Graph([z, y])
    assert [node.adjoint for node in graph.nodes] == [12.0, 2.0, 2.0]
    assert [node.adjoint for node in graph.nodes] == [node.grad for node in graph.nodes]


# --- names ---------------------------------------------------------------


def test_names_label_what_has_no_label() -> None:
    x, w = Value(1.0, label="own"), [Value(2.0), Value(3.0)]
    y = dot(w, [x, x])
    labels = [node.label for node in Graph(y, names={"x": x, "w": w, "y": y}).nodes]
    assert labels == ["w[0]", "w[1]", "own", "y"]
    assert (y.label, w[0].label) == ("", "")


def test_names_must_be_a_mapping() -> None:
    with pytest.raises(TypeError, match="such as locals"):
        Graph(Value(1.0), names=["x"])  # type: ignore[arg-type]


# --- of anything ---------------------------------------------------------------


def test_graph_of_a_graph_is_that_graph() -> None:
    graph = Graph(Value(1.0))
    assert Graph.of(graph) is graph


def test_graph_of_a_model_needs_an_example() -> None:
    model = MLP(2, [2, 1], rng=0)
    graph = Graph.of(model, [0.5, -1.0])
    assert graph.output.data == model([0.5, -1.0]).data
    assert {"x0", "x1"} <= {node.label for node in graph.nodes}
    with pytest.raises(TypeError, match=r"MLP has a graph only when it is called: pass example"):
        Graph.of(model)


def test_graph_of_a_compiled_function_is_structure_until_there_is_an_example() -> None:
    @compile
    def f(x: Any, y: Any) -> Any:
        return tanh(x * y)

    f(0.5, 2.0)
    program = f.program
    assert isinstance(program, Program)
    for subject in (f, program):
        structure = Graph.of(subject)
        assert not structure.numbers
        assert [node.label or node.symbol for node in structure.nodes] == ["x", "y", "*", "tanh"]
        numbers = Graph.of(subject, [0.5, 4.0])
        assert numbers.numbers
        assert numbers.output.data == math.tanh(2.0)
        with pytest.raises(TypeError, match=r"2 inputs \(x, y\), the example has 1 number$"):
            Graph.of(subject, [0.5])


def test_an_example_does_not_go_with_values() -> None:
    with pytest.raises(TypeError, match="an example belongs to"):
        Graph.of(Value(1.0), [1.0])


# --- size ---------------------------------------------------------------


def test_long_chain_is_viewed_without_recursion() -> None:
    x = Value(1.0)
    for _ in range(50_000):
        x = x + 1.0
    graph = Graph(x)
    assert (len(graph.nodes), len(graph.edges)) == (50_001, 50_000)


def test_view_and_picture_leave_the_values_alone() -> None:
    output, x, *_ = neuron()
    output.backward()
    before = x.data, x.grad, x.label, output.grad
    draw_dot(output)
    assert (x.data, x.grad, x.label, output.grad) == before
