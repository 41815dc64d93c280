"""A large graph in few cards: its nodes taken together by layer, neuron, scope or depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from autograd_engine.graph import Edge, Graph, Node

__all__ = [
    "FOLDS",
    "Arrow",
    "Folded",
    "Group",
    "arrows_into",
    "automatic",
    "fold",
    "fold_within",
    "scopes_of",
    "summary",
]

FOLDS = ("layer", "neuron", "scope", "depth")
BANDS = 12  # cards of a graph that is folded by depth
MOST_FLOWS = 2000  # arrows between cards: more take the layout many seconds, and nobody reads them

ALIKE = 8  # arrows from one operand to one result; of more, as of x in sum([x] * 5000), one is left

INPUTS, PARAMETERS, ELSEWHERE = "inputs", "parameters", "outside any scope"
_COARSER = {"scope": "neuron", "neuron": "layer", "layer": "depth"}

Scope = tuple[str, ...]
_Homes: TypeAlias = dict[str, "_Homes"]  # scopes of leaves: names, and what is inside them


class Arrow(NamedTuple):
    """An edge, or so many `times` one between the same two nodes.

    The edge then has the place of the first, and the sums of local derivatives and contributions.
    """

    edge: Edge
    times: int = 1


def arrows_into(node: Node, graph: Graph) -> list[Arrow]:
    """The edges from a node's operands, where an operand that comes very often has one arrow."""
    edges = list(graph.edges_into(node))
    counts = Counter(edge.source for edge in edges) if len(edges) > ALIKE else {}
    found: dict[tuple[int, int], Arrow] = {}
    for edge in edges:
        many = counts and counts[edge.source] > ALIKE
        key = edge.source, -1 if many else edge.position
        if key in found:
            first, times = found[key]
            edge = first._replace(
                derivative=first.derivative + edge.derivative,
                contribution=first.contribution + edge.contribution,
            )
            found[key] = Arrow(edge, times + 1)
        else:
            found[key] = Arrow(edge)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes taken together, in topological order.

    Attributes
    ----------
    name : str
    nodes : tuple of Node
    scope : tuple of str
        The names of the scopes that it stands for, outermost first; () for inputs, or a depth.
    """

    name: str
    nodes: tuple[Node, ...]
    scope: Scope = ()

    @property
    def leaves(self) -> list[Node]:
        """The group's leaves: in a layer, its parameters."""
        return [node for node in self.nodes if node.is_leaf]

    @property
    def operations(self) -> list[Node]:
        """The nodes that are results of operations."""
        return [node for node in self.nodes if not node.is_leaf]


@dataclass(frozen=True, slots=True)
class Folded:
    """A graph in groups.

    Attributes
    ----------
    graph : Graph
    groups : tuple of Group
        In the order in which each begins.
    group_of : tuple of int
        The index of each node's group.
    flows : dict
        For a pair of group indices the nodes of the first that the second uses.
    by : str
        One of `FOLDS`.
    reason : str
        Why it is folded, or folded otherwise than asked; "" where that was the caller's wish.
    """

    graph: Graph
    groups: tuple[Group, ...]
    group_of: tuple[int, ...]
    flows: dict[tuple[int, int], tuple[Node, ...]]
    by: str = field(default="layer", kw_only=True)
    reason: str = field(default="", kw_only=True)

    @property
    def caption(self) -> str:
        """One line that says how much is folded, by what, and why."""
        unscoped = self.by != "depth" and not any(node.scope for node in self.graph.nodes)
        hint = 'no scopes: make values inside `with named_scope("name"):`' if unscoped else ""
        reasons = "; ".join(filter(None, [self.reason, hint]))
        reason = f" ({reasons})" if reasons else ""
        return f"{len(self.graph.nodes):,} values, folded by {self.by}{reason}"


def fold(graph: Graph, by: str = "layer", *, bands: int = BANDS, reason: str = "") -> Folded:
    """The graph in groups, by one of `FOLDS`.

    "layer": by the outermost scope in which parameters were made, so that what a layer computes
    inside a scope of the caller's is still the layer's; else by the outermost scope. "neuron": by
    the two outermost, where an operation belongs to the neuron whose parameters it uses. "scope":
    by the whole scope. "depth": by distance from the leaves, in at most so many bands. Nodes
    outside every scope are "inputs" or "parameters" (leaves) and "outside any scope".

    Raises
    ------
    ValueError
        For another word.
    """
    if by not in FOLDS:
        raise ValueError(f"fold must be one of {', '.join(FOLDS)}, got {by!r}")
    keys = _bands(graph, bands) if by == "depth" else _scoped(graph, by)
    numbers: dict[tuple[str, Scope], int] = {}
    group_of = tuple([numbers.setdefault(key, len(numbers)) for key in keys])
    members: list[list[Node]] = [[] for _ in numbers]
    for number, node in zip(group_of, graph.nodes, strict=True):
        members[number].append(node)
    groups = [
        Group(name, tuple(nodes), scope)
        for (name, scope), nodes in zip(numbers, members, strict=True)
    ]
    flows = _flows(graph, group_of)
    return Folded(graph, tuple(groups), group_of, flows, by=by, reason=reason)


def fold_within(
    graph: Graph, by: str | None, most: int | None, most_flows: int = MOST_FLOWS
) -> Folded | None:
    """The graph folded as asked, or by itself above `most` values or too many arrows; else None.

    What still has more than `most` groups, or more arrows between them than `most_flows`, is folded
    by the next coarser way: this never refuses.
    """
    reason = ""
    if by is None:
        reason = _too_much(graph, most)
        if not reason:
            return None
        by, reason = automatic(graph), f"{reason} draws them all"
    while True:
        bands = BANDS if most is None else min(BANDS, most)
        folded = fold(graph, by, bands=bands, reason=reason)
        excess = _excess(folded, most, most_flows)
        if not excess or by not in _COARSER:
            return folded
        reason = f"by {by} there are {excess}"
        by = _COARSER[by]


def _too_much(graph: Graph, most: int | None) -> str:
    """Why a picture has to be folded; "" where it can be node by node."""
    if most is None:
        return ""
    if len(graph.nodes) > most:
        return f"above max_nodes={most}; None"
    arrows = sum(len(arrows_into(node, graph)) + _notes(node) for node in graph.nodes)
    return f"{arrows:,} arrows, above {MOST_FLOWS:,}; max_nodes=None" if arrows > MOST_FLOWS else ""


def _notes(node: Node) -> int:
    """A node's constants, where they are too many to stand in its circle."""
    return sum(x.__class__ is float for x in node.operands) if len(node.operands) > 2 else 0


def _excess(folded: Folded, most: int | None, most_flows: int) -> str:
    """What there is too much of."""
    groups, flows = len(folded.groups), len(folded.flows)
    if most is not None and groups > most:
        return f"{groups:,} cards, above max_nodes={most}"
    if most is not None and flows > most_flows:
        return f"{flows:,} arrows, above {most_flows:,}"
    return ""


def automatic(graph: Graph) -> str:
    """How to fold what is too large: by layer where there are scopes, else by depth."""
    return "layer" if any(node.scope for node in graph.nodes) else "depth"


def _flows(graph: Graph, group_of: tuple[int, ...]) -> dict[tuple[int, int], tuple[Node, ...]]:
    flows: dict[tuple[int, int], dict[int, Node]] = {}
    for node, target in zip(graph.nodes, group_of, strict=True):
        for x in node.operands:
            if x.__class__ is int and (source := group_of[x]) != target:
                flows.setdefault((source, target), {})[x] = graph.nodes[x]
    return {pair: tuple(nodes.values()) for pair, nodes in flows.items()}


def scopes_of(graph: Graph) -> list[Scope]:
    """Of each node the scope that a reader expects it in, which begins with that of parameters.

    What `model` computes inside the caller's `named_scope("loss")` is in ("loss", "layer 0"), the
    parameters of that layer are in ("layer 0", "neuron 0"): both begin with "layer 0" here.
    """
    homes: _Homes = {}
    for scope in {node.scope for node in graph.nodes if node.is_leaf}:
        inside = homes
        for name in scope:
            inside = inside.setdefault(name, {})
    known = {scope: scope[_start(scope, homes) :] for scope in {n.scope for n in graph.nodes}}
    return [known[node.scope] for node in graph.nodes]


def _start(scope: Scope, homes: _Homes) -> int:
    """Where the longest part of a scope begins in which leaves were made; of equals the last."""
    start = longest = 0
    for i in range(len(scope)):
        if len(scope) - i < longest:
            break
        inside, n = homes, 0
        while i + n < len(scope) and scope[i + n] in inside:
            inside, n = inside[scope[i + n]], n + 1
        if n >= max(1, longest):
            start, longest = i, n
    return start


def neurons_of(graph: Graph) -> list[Scope]:
    """As `scopes_of`, where an operation is put into the inner scope that its operands agree on.

    The weights of a neuron are in its scope, what is computed from them in that of the layer.
    """
    scopes: list[Scope] = []
    for node, own in zip(graph.nodes, scopes_of(graph), strict=True):
        inner = {
            scopes[x][: len(own) + 1]
            for x in (node.operands if own else ())
            if x.__class__ is int and scopes[x][: len(own)] == own and len(scopes[x]) > len(own)
        }
        scopes.append(inner.pop() if len(inner) == 1 else own)
    return scopes


def _scoped(graph: Graph, by: str) -> list[tuple[str, Scope]]:
    """The name and scope of each node's group."""
    if by == "scope":
        scopes = [node.scope for node in graph.nodes]
    elif by == "neuron":
        scopes = [scope[:2] for scope in neurons_of(graph)]
    else:
        scopes = [scope[:1] for scope in scopes_of(graph)]
    return [
        (" / ".join(scope) or _without_scope(node), scope)
        for node, scope in zip(graph.nodes, scopes, strict=True)
    ]


def _without_scope(node: Node) -> str:
    if not node.is_leaf:
        return ELSEWHERE
    return PARAMETERS if node.of_model else INPUTS


def depths(graph: Graph) -> list[int]:
    """The length of the longest way from a leaf to each node."""
    found: list[int] = []
    for node in graph.nodes:
        found.append(max([found[x] + 1 for x in node.operands if x.__class__ is int], default=0))
    return found


def _bands(graph: Graph, bands: int) -> list[tuple[str, Scope]]:
    """By depth; a leaf comes just before its first use, where a reader looks for it."""
    found = depths(graph)
    first_use: dict[int, int] = {}
    for node in graph.nodes:
        for x in node.operands:
            if x.__class__ is int and graph.nodes[x].is_leaf:
                first_use[x] = min(first_use.get(x, found[node.index]), found[node.index])
    for leaf, depth in first_use.items():
        found[leaf] = depth - 1
    deepest = max(found)
    height = -(-(deepest + 1) // bands)

    def name(depth: int) -> str:
        low = depth // height * height
        high = min(low + height - 1, deepest)
        return f"depth {low:,}" if low == high else f"depth {low:,} to {high:,}"

    return [(name(depth), ()) for depth in found]


def summary(nodes: Iterable[Node]) -> str:
    """How many of each operation: `dot x33, + x33, relu x32`."""
    counts = Counter(node.symbol for node in nodes if node.symbol)
    return ", ".join(f"{symbol} x{count}" for symbol, count in counts.most_common())
