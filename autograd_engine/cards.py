"""A graph node by node in DOT: cards for values, circles for operations, arrows with numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd_engine.arrows import Pen, Pens, edge_text, edge_words, notes_of
from autograd_engine.dot_text import Row, card, on_arrow, plain, record, tooltip_of
from autograd_engine.folding import Scope, neurons_of
from autograd_engine.graph import Graph, Node
from autograd_engine.kinds import kind_of
from autograd_engine.looks import Look
from autograd_engine.themes import Theme
from autograd_engine.wording import number, signed

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = [
    "OUTDATED",
    "applied",
    "constants_of",
    "draw_cards",
    "frames_of",
    "gradient_row",
    "rows_of",
]

MAX_DETOURS = 600  # with longer arrows than this in all, numbers on them take the layout too long
MAX_CURVES = 5000  # with longer ones even curves do
MAX_CLUSTERS = 80  # more frames than this take the layout long, too

NOT_YET = "not yet"
OUTDATED = "data changed since forward"


def draw_cards(graph: Graph, look: Look, picture: Picture) -> None:
    """Put every node and edge of a graph into a picture."""
    pens = Pens(graph, look)
    length = detours(graph)
    labelled = length <= MAX_DETOURS
    picture.attr(
        label=_caption(graph, look, labelled),
        **_effort(length),
    )
    frames = _Frames(graph, look, picture)
    for node in graph.nodes:
        frame = frames.around(node)
        _draw_value(node, graph, look, frame)
        if not node.is_leaf:
            _draw_operation(node, look.colors, frame)
    frames.close()
    for node in graph.nodes:
        _draw_edges(node, graph, look, picture, pens, labelled)


def _draw_value(node: Node, graph: Graph, look: Look, frame: Picture) -> None:
    colors = look.colors
    fill = getattr(colors, kind_of(node, graph))
    rows = rows_of(node, graph, look)
    name, tooltip = f"v{node.index}", _tooltip(node, graph)
    if not rows and not node.label:  # nothing is known but where it stands
        frame.node(name, "", shape="point", width="0.08", color=colors.line, tooltip=tooltip)
    elif look.style == "records":
        texts = [f"{row.name} {row.text}".strip() for row in rows]
        frame.node(
            name,
            record([*([node.label] if node.label else []), *texts], look.direction),
            shape="record",
            style="filled",
            fillcolor=fill,
            color=colors.line,
            fontcolor=colors.ink,
            tooltip=tooltip,
        )
    else:
        frame.node(name, card(node.label, rows, fill, colors), shape="plain", tooltip=tooltip)


def rows_of(node: Node, graph: Graph, look: Look) -> list[Row]:
    """What a card says of a node, besides its name."""
    rows, colors = list[Row](), look.colors
    if look.values and graph.numbers:
        rows.append(Row("data", number(node.data), colors.ink))
    if look.gradients and graph.numbers and graph.differentiated:
        rows.append(gradient_row(node, colors))
    elif look.gradients and graph.numbers:
        rows.append(Row("grad", NOT_YET, colors.muted))
    if node.outdated and graph.numbers:
        rows.append(Row("", OUTDATED, colors.warning))
    return rows


def gradient_row(node: Node, colors: Theme) -> Row:
    """A gradient with its sign, and the colour that says the same."""
    color = colors.positive if node.grad > 0.0 else colors.negative
    return Row("grad", signed(node.grad), color if node.grad else colors.muted)


def _draw_operation(node: Node, colors: Theme, frame: Picture) -> None:
    """The circle, with a lone constant written inside (`* 3`), more of them as small grey notes."""
    inside = len(node.operands) <= 2
    frame.node(
        f"o{node.index}",
        plain(applied(node) if inside else node.symbol),
        shape="circle" if len(node.symbol) == 1 and not constants_of(node) else "box",
        style="filled,rounded",
        fillcolor=colors.operation,
        color=colors.line,
        fontcolor=colors.ink,
        margin="0.08,0.04",
        width="0.35",
        height="0.35",
        tooltip=tooltip_of(f"operation {applied(node)}"),
    )
    for position, constant in [] if inside else constants_of(node):
        name = f"c{node.index}_{position}"
        frame.node(name, number(constant), shape="plaintext", fontcolor=colors.muted, height="0.2")


def _draw_edges(
    node: Node, graph: Graph, look: Look, picture: Picture, pens: Pens, labelled: bool
) -> None:
    if node.is_leaf:
        return
    target = f"o{node.index}"
    for edge in graph.edges_into(node):
        attributes = _pen(pens.of(edge.contribution))
        text = edge_text(edge, graph, look)
        if text and labelled:
            attributes["label"] = on_arrow(text)
        tooltip = edge_words(edge, graph) if graph.numbers else ""
        picture.edge(f"v{edge.source}", target, tooltip=tooltip, **attributes)
    if len(node.operands) > 2:
        for position, _ in constants_of(node):
            picture.edge(f"c{node.index}_{position}", target, style="dotted", arrowsize="0.6")
    picture.edge(target, f"v{node.index}", **_pen(pens.of(node.adjoint)))


def _pen(pen: Pen | None) -> dict[str, str]:
    if pen is None:
        return {}
    attributes = {"color": pen.color, "fontcolor": pen.text, "penwidth": f"{pen.width:.2f}"}
    return {**attributes, "style": "dashed"} if pen.dashed else attributes


def _tooltip(node: Node, graph: Graph) -> str:
    place = "/".join((*node.scope, node.label)) or "value"
    made = f" = {applied(node)}" if node.symbol else ""
    text = f"{kind_of(node, graph)} {place}{made}"
    return tooltip_of(f"{text}: data={node.data!r}, grad={node.grad!r}" if graph.numbers else text)


def applied(node: Node) -> str:
    """`* 3` for `v * 3`, `3 -` for `3 - v`, the bare symbol where all operands are Values."""
    for position, constant in constants_of(node):
        text = f"{constant:g}"
        return f"{node.symbol} {text}" if position else f"{text} {node.symbol}"
    return node.symbol


def constants_of(node: Node) -> list[tuple[int, float]]:
    """A node's operands that are plain numbers, with their positions."""
    return [(i, x) for i, x in enumerate(node.operands) if x.__class__ is float]


# --- the whole ---------------------------------------------------------------


def _caption(graph: Graph, look: Look, labelled: bool) -> str:
    return "\n".join(f"    {note}    " for note in notes_of(graph, look, labelled))


def detours(graph: Graph) -> int:
    """How far arrows reach beyond the nearest use of their source, added up.

    Nodes count as placed as late as can be, just before their first use, which is about where
    Graphviz puts them.
    """
    places = [0] * len(graph.nodes)  # counted from the end
    for edge in reversed(graph.edges):
        places[edge.source] = max(places[edge.source], places[edge.target] + 1)
    return sum(places[edge.source] - places[edge.target] - 1 for edge in graph.edges)


def _effort(length: int) -> dict[str, str]:
    """Graph attributes that bound how long Graphviz improves a picture with such detours.

    Measured: 90 uses of one Value in a chain took 53 s with numbers on the arrows, 12 s without,
    0.2 s with nslimit. 190 products of 20 Values, added up one by one, took over 120 s; with
    straight lines and fewer rounds against crossings 1 s.
    """
    if length <= MAX_DETOURS:
        return {}
    if length <= MAX_CURVES:
        return {"nslimit": "2"}
    return {"nslimit": "0.2", "mclimit": "0.1", "splines": "line"}


# --- frames ---------------------------------------------------------------


def frames_of(graph: Graph, look: Look) -> list[Scope]:
    """Of each node the names of the frames around it, outermost first."""
    scopes = neurons_of(graph)
    paths = {scope[:n] for scope in scopes for n in range(1, len(scope) + 1)}
    return scopes if look.clusters and len(paths) <= MAX_CLUSTERS else [()] * len(scopes)


class _Frames:
    """Graphviz's clusters, one for each scope, inside one another as scopes are."""

    def __init__(self, graph: Graph, look: Look, picture: Picture) -> None:
        self._scopes = frames_of(graph, look)
        self._colors, self._picture = look.colors, picture
        self._open: dict[Scope, Picture] = {(): picture}

    def around(self, node: Node) -> Picture:
        """The frame that a node belongs in."""
        scope = self._scopes[node.index]
        for n in range(1, len(scope) + 1):
            if scope[:n] not in self._open:
                self._open[scope[:n]] = self._frame(scope[n - 1], n)
        return self._open[scope]

    def _frame(self, name: str, depth: int) -> Picture:
        import graphviz

        frame: Picture = graphviz.Digraph(name=f"cluster_{len(self._open)}")
        frame.attr(
            label=plain(name),
            style="rounded" if depth == 1 else "rounded,dotted",
            color=self._colors.line,
            fontcolor=self._colors.muted,
            fontsize="10",
            labelloc="t",
            labeljust="l",
            margin="10",
            tooltip=tooltip_of(f"scope {name}"),
        )
        return frame

    def close(self) -> None:
        """Put inner frames into outer ones, those into the picture."""
        for scope in sorted(self._open, key=len, reverse=True):
            if scope:
                self._open[scope[:-1]].subgraph(self._open[scope])
