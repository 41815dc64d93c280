"""Folding: which nodes are taken together, and what is done when that is still too much."""

from __future__ import annotations

import contextlib
import time

import pytest

from autograd_engine import Graph, Value, dot, mean, named_scope
from autograd_engine import sum as sum_of
from autograd_engine.folding import (
    FOLDS,
    MOST_FLOWS,
    arrows_into,
    automatic,
    fold,
    fold_within,
    summary,
)
from nn import MLP


def network() -> Graph:
    model = MLP(2, [4, 3, 1], rng=0)
    return Graph(model([Value(1.0), Value(2.0)]))


def chain(n: int) -> Value:
    y = Value(1.0)
    for _ in range(n):
        y = y + 1.0
    return y


def sizes(graph: Graph, by: str) -> dict[str, tuple[int, int]]:
    return {
        group.name: (len(group.leaves), len(group.operations)) for group in fold(graph, by).groups
    }


def named_flows(graph: Graph, by: str) -> dict[tuple[str, str], int]:
    folded = fold(graph, by)
    names = [group.name for group in folded.groups]
    return {(names[a], names[b]): len(nodes) for (a, b), nodes in folded.flows.items()}


# --- by layer ---------------------------------------------------------------


def test_network_folds_into_inputs_and_layers() -> None:
    assert sizes(network(), "layer") == {
        "inputs": (2, 0),
        "layer 0": (12, 12),
        "layer 1": (15, 9),
        "layer 2": (4, 2),
    }
    assert named_flows(network(), "layer") == {
        ("inputs", "layer 0"): 2,
        ("layer 0", "layer 1"): 4,
        ("layer 1", "layer 2"): 3,
    }


def test_layers_stay_layers_inside_a_scope_of_the_callers() -> None:
    model = MLP(2, [4, 1], rng=0)
    with named_scope("loss"):
        loss = mean([(model([Value(i), Value(1.0)]) - 1.0) ** 2 for i in range(3)])
    found = sizes(Graph(loss), "layer")
    assert found["layer 0"] == (12, 3 * 12)
    assert found["layer 1"] == (5, 3 * 2)
    assert found["loss"] == (3 * 2, 3 * 2 + 1)


def test_nested_scopes_fold_by_the_outermost() -> None:
    with named_scope("outer"), named_scope("inner"):
        y = Value(1.0) * 2
    folded = fold(Graph(y))
    (group,) = folded.groups
    assert (group.name, len(group.nodes), folded.flows) == ("outer", 2, {})


def test_nodes_outside_scopes_are_told_apart_as_inputs_and_operations() -> None:
    x = Value(1.0)
    with named_scope("part"):
        y = x * 2
    graph = Graph(y * 3)
    assert list(sizes(graph, "layer")) == ["inputs", "part", "outside any scope"]
    assert list(named_flows(graph, "layer")) == [
        ("inputs", "part"),
        ("part", "outside any scope"),
    ]


def test_a_scope_called_inputs_is_not_the_inputs() -> None:
    x = Value(1.0)
    with named_scope("inputs"):
        y = x * 2
    assert len(fold(Graph(y)).groups) == 2


# --- by neuron, scope, depth ---------------------------------------------------------------


def test_neurons_hold_what_is_computed_from_their_parameters() -> None:
    found = sizes(network(), "neuron")
    assert found["layer 0 / neuron 3"] == (3, 3)
    assert found["layer 1 / neuron 0"] == (5, 3)
    assert found["layer 2 / neuron 0"] == (4, 2)
    assert len(found) == 1 + 4 + 3 + 1
    assert named_flows(network(), "neuron")["layer 0 / neuron 1", "layer 1 / neuron 2"] == 1


def test_scopes_are_taken_literally() -> None:
    with named_scope("a"):
        x = Value(1.0) * 2
        with named_scope("b"):
            y = x * 3
    assert list(sizes(Graph(y), "scope")) == ["a", "a / b"]


def test_depth_makes_bands_of_the_same_height() -> None:
    assert sizes(Graph(chain(23)), "depth") == {
        f"depth {low} to {low + 1}": (1, 1) if low == 0 else (0, 2) for low in range(0, 24, 2)
    }
    assert list(sizes(Graph(chain(2)), "depth")) == ["depth 0", "depth 1", "depth 2"]


def test_a_leaf_comes_just_before_its_first_use() -> None:
    late = Value(7.5)
    y = chain(10) * late
    folded = fold(Graph(y), "depth")
    (group,) = [group for group in folded.groups if any(n.data == 7.5 for n in group.nodes)]
    assert group.name == "depth 10"


# --- any ---------------------------------------------------------------


@pytest.mark.parametrize("by", FOLDS)
def test_groups_hold_every_node_once_and_flows_every_edge_between_them(by: str) -> None:
    graph = network()
    folded = fold(graph, by)
    assert sorted(node.index for group in folded.groups for node in group.nodes) == list(
        range(len(graph.nodes))
    )
    for node, number in zip(graph.nodes, folded.group_of, strict=True):
        assert node in folded.groups[number].nodes
    between = {
        (folded.group_of[e.source], folded.group_of[e.target], e.source)
        for e in graph.edges
        if folded.group_of[e.source] != folded.group_of[e.target]
    }
    flows = {(a, b, n.index) for (a, b), nodes in folded.flows.items() for n in nodes}
    assert flows == between


def test_value_used_twice_flows_once() -> None:
    with named_scope("a"):
        x = Value(1.0)
    with named_scope("b"):
        y = x * x
    assert named_flows(Graph(y), "layer") == {("a", "b"): 1}


@pytest.mark.parametrize("by", ["layers", "", None])
def test_unknown_way_is_refused_with_the_known_ones(by: str) -> None:
    with pytest.raises(ValueError, match="fold must be one of layer, neuron, scope, depth"):
        fold(network(), by)


def test_summary_counts_operations() -> None:
    assert summary(network().nodes) == "dot x8, + x8, relu x7"


# --- when to fold ---------------------------------------------------------------


def test_up_to_the_limit_nothing_is_folded() -> None:
    assert fold_within(Graph(chain(9)), None, 10) is None
    assert fold_within(Graph(chain(9)), None, None) is None


def test_above_the_limit_scopes_decide_the_way() -> None:
    assert automatic(network()) == "layer"
    assert automatic(Graph(chain(3))) == "depth"
    folded = fold_within(Graph(chain(10)), None, 10)
    assert folded is not None
    assert folded.caption == "11 values, folded by depth (above max_nodes=10; None draws them all)"


def test_a_wish_is_followed_without_a_reason() -> None:
    folded = fold_within(network(), "neuron", 500)
    assert folded is not None
    assert folded.caption == f"{len(network().nodes)} values, folded by neuron"


def test_too_many_groups_fold_by_the_next_coarser_way_and_say_why() -> None:
    y = Value(1.0)
    for i in range(20):
        with named_scope(f"part {i}"):
            y = y * 2.0
    for by in ("scope", "neuron", "layer"):
        folded = fold_within(Graph(y), by, 10)
        assert folded is not None
        assert (folded.by, len(folded.groups) <= 10) == ("depth", True)
        assert folded.reason == "by layer there are 21 cards, above max_nodes=10"


@pytest.mark.parametrize("most", [1, 2, 5])
def test_depth_never_makes_more_groups_than_wanted(most: int) -> None:
    folded = fold_within(Graph(chain(100)), None, most)
    assert folded is not None
    assert len(folded.groups) <= most


def test_too_many_arrows_fold_by_the_next_coarser_way() -> None:
    side = int(MOST_FLOWS**0.5) + 2
    graph = Graph(MLP(1, [side, side, 1], rng=0)([Value(1.0)]))
    folded = fold_within(graph, "neuron", 500)
    assert folded is not None
    assert folded.by == "layer"
    assert folded.reason.endswith(f" arrows, above {MOST_FLOWS:,}")


def test_scopes_without_end_are_folded_all_the_same() -> None:
    x = Value(1.0)
    scopes = [named_scope(f"s{i}") for i in range(60)]
    for scope in scopes:
        scope.__enter__()
    y = x * 2
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    assert list(sizes(Graph(y), "layer")) == ["inputs", "s0"]


def test_fewer_arrows_are_allowed_on_request() -> None:
    graph = Graph(MLP(16, [16, 16, 1], rng=0)([Value(1.0)] * 16))
    loose, strict = (fold_within(graph, "neuron", 500, most) for most in (MOST_FLOWS, 200))
    assert loose is not None and strict is not None
    assert (loose.by, strict.by) == ("neuron", "layer")
    assert len(loose.flows) > 200 >= len(strict.flows)


@pytest.mark.parametrize("name", ["part", "part {}"])
def test_deep_scopes_fold_quickly(name: str) -> None:
    y = Value(1.0)
    with contextlib.ExitStack() as scopes:
        for i in range(300):
            scopes.enter_context(named_scope(name.format(i)))
            y = y * Value(1.0, label="w")
    start = time.process_time()
    folded = fold(Graph(y), "layer")
    assert time.process_time() - start < 0.5  # measured: 0.05 s; it was 4.6 s
    assert [group.name for group in folded.groups] == ["inputs", name.format(0)]


def test_few_values_with_many_arrows_are_folded_too() -> None:
    xs = [Value(1.0) for _ in range(50)]
    graph = Graph(sum_of([sum_of(xs) for _ in range(50)]))
    folded = fold_within(graph, None, 500)
    assert folded is not None
    assert folded.caption.endswith("(2,550 arrows, above 2,000; max_nodes=None draws them all)")
    assert fold_within(graph, None, None) is None
    assert fold_within(Graph(sum_of([xs[0]] * 5000)), None, 500) is None


def test_arrow_of_many_edges_has_their_sums() -> None:
    x, z = Value(3.0), Value(2.0)
    y = dot([x] * 9 + [z], [2.0] * 9 + [x])
    graph = Graph(y * 2)
    arrows = arrows_into(graph.nodes[2], graph)
    assert [arrow.times for arrow in arrows] == [10, 1]
    assert [arrow.edge.derivative for arrow in arrows] == [20.0, 3.0]
    assert [arrow.edge.contribution for arrow in arrows] == [40.0, 6.0]
