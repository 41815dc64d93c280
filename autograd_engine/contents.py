"""What the cards of a picture say, in whatever form it is written: of a node, and of a group."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from autograd_engine.arrows import NO_BACKWARD
from autograd_engine.dot_text import Row
from autograd_engine.folding import Folded, Group, Scope, neurons_of
from autograd_engine.graph import OUTDATED, Graph, Node
from autograd_engine.looks import Look
from autograd_engine.themes import Theme
from autograd_engine.wording import number, signed

__all__ = [
    "applied",
    "caption_of",
    "constants_of",
    "flow_text",
    "frames_of",
    "group_rows",
    "kind_of_group",
    "rows_of",
    "sent_by",
]

NOT_YET = "not yet"

FEW = 4  # inputs that are listed one by one
MAX_CLUSTERS = 80  # more frames than this take the layout long


# --- of a node ---------------------------------------------------------------


def rows_of(node: Node, graph: Graph, look: Look) -> list[Row]:
    """What a card says of a node, besides its name."""
    rows, colors = list[Row](), look.colors
    if look.values and graph.numbers:
        rows.append(Row("data", number(node.data), colors.ink))
    if look.gradients and graph.numbers and graph.differentiated:
        rows.append(_gradient_row(node, colors))
    elif look.gradients and graph.numbers:
        rows.append(Row("grad", NOT_YET, colors.muted))
    if node.outdated and graph.numbers:
        rows.append(Row("", OUTDATED, colors.warning))
    return rows


def _gradient_row(node: Node, colors: Theme) -> Row:
    """A gradient with its sign, and the colour that says the same."""
    if node.grad != node.grad:
        color = colors.warning
    elif node.grad:
        color = colors.positive if node.grad > 0.0 else colors.negative
    else:
        color = colors.muted
    return Row("grad", signed(node.grad), color)


def applied(node: Node) -> str:
    """`* 3` for `v * 3`, `3 -` for `3 - v`, the bare symbol where all operands are Values."""
    for position, constant in constants_of(node):
        text = f"{constant:g}"
        return f"{node.symbol} {text}" if position else f"{text} {node.symbol}"
    return node.symbol


def constants_of(node: Node) -> list[tuple[int, float]]:
    """A node's operands that are plain numbers, with their positions."""
    return [(i, x) for i, x in enumerate(node.operands) if x.__class__ is float]


def frames_of(graph: Graph, look: Look) -> list[Scope]:
    """Of each node the names of the frames around it, outermost first."""
    scopes = neurons_of(graph)
    paths = {scope[:n] for scope in scopes for n in range(1, len(scope) + 1)}
    return scopes if look.clusters and len(paths) <= MAX_CLUSTERS else [()] * len(scopes)


# --- of a group ---------------------------------------------------------------


def kind_of_group(group: Group, folded: Folded) -> str:
    """Which of `kinds.KINDS` a group's card looks like."""
    if any(folded.graph.is_output(node) for node in group.nodes):
        return "output"
    if not group.operations:
        return "parameter" if _of_model(group) else "input"
    return "parameter" if group.scope and group.leaves else "interior"


def _of_model(group: Group) -> bool:
    """Whether a group's leaves are parameters."""
    return bool(group.scope) or all(leaf.of_model for leaf in group.leaves)


def sent_by(folded: Folded) -> list[list[Node]]:
    """Of each group what others use, or what the graph ends in."""
    found: list[dict[int, Node]] = [{} for _ in folded.groups]
    for (source, _), nodes in folded.flows.items():
        found[source].update((node.index, node) for node in nodes)
    for i in folded.graph.outputs:
        found[folded.group_of[i]][i] = folded.graph.nodes[i]
    return [list(nodes.values()) for nodes in found]


def group_rows(group: Group, folded: Folded, look: Look, sent: Collection[Node]) -> list[Row]:
    """What a card says of a group, besides its name."""
    graph, ink = folded.graph, look.colors.ink
    leaves, operations = group.leaves, group.operations
    named = not operations and len(leaves) <= FEW and all(node.label for node in leaves)
    kind = "parameters" if _of_model(group) else "inputs"
    rows = list[Row]()
    if named and graph.numbers and look.values:
        rows += [Row(leaf.label, number(leaf.data), ink) for leaf in leaves]
    elif leaves:
        rows.append(Row(kind, f"{len(leaves):,}", ink))
    if operations and folded.by != "neuron":
        rows.append(Row("operations", f"{len(operations):,}", ink))
    if not graph.numbers:
        return rows
    if look.values and sent and not named:
        rows.append(Row("output" if operations else "data", _span(sent), ink))
    if look.gradients and graph.differentiated and len(sent) == 1 and operations:
        rows.append(_gradient_row(next(iter(sent)), look.colors))
    elif look.gradients and graph.differentiated and leaves:
        rows.append(Row(f"max |grad| of {kind}", number(_largest(leaves)), ink))
    if any(node.outdated for node in group.nodes):
        rows.append(Row("", OUTDATED, look.colors.warning))
    return rows


def flow_text(nodes: Collection[Node], folded: Folded, look: Look) -> list[str]:
    """What an arrow bears: how many values flow, and their largest gradient."""
    words = [f"{len(nodes):,} value{'s' * (len(nodes) != 1)}"]
    if look.gradients and folded.graph.numbers and folded.graph.differentiated:
        words.append(f"|grad| {'≤ ' * (len(nodes) > 1)}{number(_largest(nodes))}")
    return words


def _largest(nodes: Iterable[Node]) -> float:
    return max([abs(node.grad) for node in nodes], default=0.0)


def _span(nodes: Collection[Node]) -> str:
    data = [node.data for node in nodes]
    low, high = min(data), max(data)
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def caption_of(folded: Folded, look: Look) -> str:
    """How much is folded by what, and what is not known yet."""
    graph = folded.graph
    waiting = look.gradients and graph.numbers and not graph.differentiated
    return f"{NO_BACKWARD} · {folded.caption}" if waiting else folded.caption
