"""A read-only view of a recorded graph: what pictures, and later explanations, are made from.

Nothing here draws, and nothing else in the package looks inside a Value to show it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from autograd_engine.backend import Value, topological_order

__all__ = ["Edge", "Graph", "Group", "Node", "fold"]


@dataclass(frozen=True, slots=True)
class Node:
    """One Value as it was when the view was made.

    `operands` has an int (the index of a node) or a float (a constant) for each operand in order.
    `outdated` says that operands' data was set since the forward pass, so `data` no longer follows
    from it.
    """

    index: int
    label: str
    scope: tuple[str, ...]
    symbol: str
    data: float
    grad: float
    operands: tuple[int | float, ...]
    outdated: bool

    @property
    def is_leaf(self) -> bool:
        """Whether the node was made from a number, not by an operation."""
        return not self.operands


@dataclass(frozen=True, slots=True)
class Edge:
    """From an operand to the node that uses it, with the local derivative d target / d source."""

    source: int
    target: int
    position: int
    derivative: float
    contribution: float


class Graph:
    """The graph below one Value: `nodes` in topological order, `edges` in the order of operands.

    Examples
    --------
    >>> from autograd_engine import Graph, Value
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> L = a * b + a
    >>> L.backward()
    >>> for edge in (graph := Graph(L)).edges:
    ...     print(graph.nodes[edge.source].label or "a*b", "->", edge.contribution)
    a -> 3.0
    b -> 2.0
    a*b -> 1.0
    a -> 1.0
    """

    def __init__(self, value: Value) -> None:
        if not isinstance(value, Value):
            raise TypeError(
                f"expected a Value whose graph to show, got {type(value).__name__}; "
                "pass one output, such as the loss"
            )
        order = topological_order(value)
        index = {id(v): i for i, v in enumerate(order)}
        self.nodes = tuple([_node(v, i, index) for i, v in enumerate(order)])
        self.edges = tuple([edge for v in order for edge in _edges(v, index)])

    @property
    def output(self) -> Node:
        """The Value that the view was made from."""
        return self.nodes[-1]

    @property
    def differentiated(self) -> bool:
        """Whether a backward pass has come through the output: its adjoint is set."""
        return self.output.grad != 0.0

    @cached_property
    def has_scoped_leaves(self) -> bool:
        """Whether leaves were made inside a `named_scope`, as the parameters of `nn` are."""
        return any(node.is_leaf and node.scope for node in self.nodes)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} values, {len(self.edges)} edges>"


def _node(value: Value, i: int, index: dict[int, int]) -> Node:
    operands = tuple([index[id(x)] if isinstance(x, Value) else x for x in value._operands])
    scope = value._info.scope if value._info else ()
    return Node(
        i, value.label, scope, value._op, value.data, value.grad, operands, _is_outdated(value)
    )


def _is_outdated(value: Value) -> bool:
    if value._primitive is None or value._primitive.opaque:
        return False
    again = value._primitive.evaluate([getattr(x, "data", x) for x in value._operands])
    return again != value.data and not (math.isnan(again) and math.isnan(value.data))


def _edges(value: Value, index: dict[int, int]) -> list[Edge]:
    positions = [i for i, x in enumerate(value._operands) if isinstance(x, Value)]
    return [
        Edge(index[id(operand)], index[id(value)], position, derivative, derivative * value.grad)
        for operand, position, derivative in zip(
            value._prev, positions, value._derivatives, strict=True
        )
    ]


def extent(value: Value) -> tuple[int, bool]:
    """How many values the graph has, and whether any is in a scope, before a view is made."""
    order = topological_order(value) if isinstance(value, Value) else []
    return len(order), any(v._info is not None and v._info.scope for v in order)


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes of one scope taken together."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def leaves(self) -> list[Node]:
        """The group's leaves: in a layer, its parameters."""
        return [node for node in self.nodes if node.is_leaf]

    @property
    def operations(self) -> list[Node]:
        """The nodes that are results of operations."""
        return [node for node in self.nodes if not node.is_leaf]


def fold(graph: Graph) -> tuple[list[Group], dict[tuple[str, str], list[Node]]]:
    """The graph by outermost scope: its groups in topological order, and what flows between them.

    Nodes outside every scope make two groups, "inputs" (leaves) and "outside any scope". A flow
    maps a pair of group names to the nodes of the first that operations of the second use.
    """
    names = [_group_name(node) for node in graph.nodes]
    members: dict[str, list[Node]] = {}
    for name, node in zip(names, graph.nodes, strict=True):
        members.setdefault(name, []).append(node)
    flows: dict[tuple[str, str], dict[int, Node]] = {}
    for edge in graph.edges:
        pair = names[edge.source], names[edge.target]
        if pair[0] != pair[1]:
            flows.setdefault(pair, {})[edge.source] = graph.nodes[edge.source]
    groups = [Group(name, tuple(nodes)) for name, nodes in members.items()]
    return groups, {pair: list(nodes.values()) for pair, nodes in flows.items()}


def _group_name(node: Node) -> str:
    if node.scope:
        return node.scope[0]
    return "inputs" if node.is_leaf else "outside any scope"


def summary(nodes: Iterable[Node]) -> str:
    """How many of each operation: `dot x33, + x33, relu x32`."""
    counts = Counter(node.symbol for node in nodes if node.symbol)
    return ", ".join(f"{symbol} x{count}" for symbol, count in counts.most_common())
