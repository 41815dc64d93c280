"""A graph node by node in DOT: cards for values, circles for operations, arrows with numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograd_engine.arrows import Pen, Pens, edge_text, edge_words, notes_of
from autograd_engine.contents import applied, constants_of, frames_of, rows_of
from autograd_engine.dot_text import Row, card, on_arrow, plain, record, tooltip_of
from autograd_engine.folding import Arrow, Scope, arrows_into
from autograd_engine.formulas import names_of
from autograd_engine.graph import Edge, Graph, Node
from autograd_engine.kinds import BORDERS, kind_of, legend_of
from autograd_engine.looks import Look
from autograd_engine.wording import number

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["box_of", "draw_cards", "far_edges"]

MAX_DETOURS = 500  # cards that arrows may pass by, in all: more take the layout seconds
KEPT_DETOURS = 100  # where there are more, so many remain: one passes by the next without effort
MAX_LABELS = 250  # arrows with numbers on them, where some values are used from far away


def draw_cards(graph: Graph, look: Look, picture: Picture) -> None:
    """Put every node and edge of a graph into a picture."""
    _Drawing(graph, look, picture).draw()


def far_edges(graph: Graph) -> set[Edge]:
    """The edges that reach farthest, where arrows pass by too many cards; else none.

    Nodes count as placed as late as can be, just before their first use, which is about where
    Graphviz puts them. Measured with the embedded Graphviz: a chain of 250 values that all use one
    took a minute with all arrows and numbers on them, 2.4 s with the arrows alone.
    """
    places = [0] * len(graph.nodes)  # counted from the end
    edges = [arrow.edge for node in graph.nodes for arrow in arrows_into(node, graph)]
    for edge in reversed(edges):
        places[edge.source] = max(places[edge.source], places[edge.target] + 1)
    lengths = [places[edge.source] - places[edge.target] - 1 for edge in edges]
    if sum(lengths) <= MAX_DETOURS:
        return set()
    nearest_first = sorted(range(len(lengths)), key=lengths.__getitem__)
    passed = itertools.accumulate(lengths[i] for i in nearest_first)
    return {edges[i] for i, n in zip(nearest_first, passed, strict=True) if n > KEPT_DETOURS}


class _Drawing:
    """The picture of one graph.

    What is used from far away stands there again as a small grey name, instead of a long arrow.
    """

    def __init__(self, graph: Graph, look: Look, picture: Picture) -> None:
        self._graph, self._look, self._colors, self._picture = graph, look, look.colors, picture
        self._pens = Pens(graph, look)
        self._far = far_edges(graph)
        self._arrows: list[list[Arrow]] = [arrows_into(node, graph) for node in graph.nodes]
        self._labelled = not self._far or sum(map(len, self._arrows)) <= MAX_LABELS
        # then all have names, for names of some are formulas of others'
        self._names = names_of(graph) if self._far else None

    def draw(self) -> None:
        """All of it."""
        self._picture.attr(label="\n".join(f"    {note}    " for note in self._notes()))
        if self._far:
            self._picture.attr(nslimit="0.2", mclimit="0.1")
        frames = _Frames(self._graph, self._look, self._picture)
        for node in self._graph.nodes:
            frame = frames.around(node)
            self._value(node, frame)
            if not node.is_leaf:
                self._operation(node, frame)
                self._references(node, frame)
        frames.close()
        for node in self._graph.nodes:
            if not node.is_leaf:
                self._edges(node)

    def _notes(self) -> list[str]:
        kinds = {kind_of(node, self._graph) for node in self._graph.nodes}
        notes = [*notes_of(self._graph, self._look, self._labelled), legend_of(kinds)]
        if self._far:
            notes.append("small grey name: a value whose card is elsewhere")
        return [note for note in notes if note]

    def _value(self, node: Node, frame: Picture) -> None:
        rows = rows_of(node, self._graph, self._look)
        title = self._names[node.index].text if self._names else node.label
        name, tooltip = f"v{node.index}", _tooltip(node, self._graph)
        if not rows and not title:  # nothing is known but where it stands
            color = self._colors.line
            frame.node(name, "", shape="point", width="0.08", color=color, tooltip=tooltip)
            return
        kind = kind_of(node, self._graph)
        frame.node(name, tooltip=tooltip, **box_of(kind, title, rows, self._look))

    def _operation(self, node: Node, frame: Picture) -> None:
        """The circle, with a lone constant inside (`* 3`), more of them as small grey notes."""
        inside, colors = len(node.operands) <= 2, self._colors
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
        for position, x in [] if inside else constants_of(node):
            name = f"c{node.index}_{position}"
            frame.node(name, number(x), shape="plaintext", fontcolor=colors.muted, height="0.2")

    def _references(self, node: Node, frame: Picture) -> None:
        for edge, _ in self._arrows[node.index]:
            if self._names and edge in self._far:
                frame.node(
                    _reference(edge),
                    plain(self._names[edge.source].text),
                    shape="box",
                    style="rounded,dotted",
                    color=self._colors.line,
                    fontcolor=self._colors.muted,
                    fontsize="10",
                    margin="0.06,0.02",
                    width="0.2",
                    height="0.2",
                    tooltip=_tooltip(self._graph.nodes[edge.source], self._graph),
                )

    def _edges(self, node: Node) -> None:
        graph, picture, target = self._graph, self._picture, f"o{node.index}"
        for arrow in self._arrows[node.index]:
            edge = arrow.edge
            attributes = _pen(self._pens.of(edge.contribution))
            text = edge_text(arrow, graph, self._look)
            if text and self._labelled:
                attributes["label"] = on_arrow(text, 2 if self._look.direction == "LR" else 6)
            source = _reference(edge) if edge in self._far else f"v{edge.source}"
            tooltip = edge_words(arrow, graph) if graph.numbers else ""
            picture.edge(source, target, tooltip=tooltip, **attributes)
        if len(node.operands) > 2:
            for position, _ in constants_of(node):
                picture.edge(f"c{node.index}_{position}", target, style="dotted", arrowsize="0.6")
        picture.edge(target, f"v{node.index}", **_pen(self._pens.of(node.adjoint)))


def box_of(
    kind: str, title: str, rows: Sequence[Row], look: Look, note: str = ""
) -> dict[str, str]:
    """DOT's attributes of a box in the look's style, whose colour and border say the kind."""
    colors, border = look.colors, BORDERS[kind]
    fill = getattr(colors, kind)
    if look.style == "cards":
        label = card(title, rows, fill, colors, note, width=border.width, dashed=border.dashed)
        return {"label": label, "shape": "plain"}
    texts = [f"{row.name} {row.text}".strip() for row in rows]
    return {
        "label": record([*([title] if title else []), *texts], look.direction),
        "shape": "record",
        "style": "filled,dashed" if border.dashed else "filled",
        "penwidth": f"{border.width:g}",
        "fillcolor": fill,
        "color": colors.line,
        "fontcolor": colors.ink,
    }


def _reference(edge: Edge) -> str:
    return f"r{edge.target}_{edge.position}"


def _pen(pen: Pen | None) -> dict[str, str]:
    if pen is None:
        return {}
    attributes = {"color": pen.color, "fontcolor": pen.text, "penwidth": f"{pen.width:.2f}"}
    return {**attributes, "style": pen.dash} if pen.dash else attributes


def _tooltip(node: Node, graph: Graph) -> str:
    place = "/".join((*node.scope, node.label)) or "value"
    made = f" = {applied(node)}" if node.symbol else ""
    text = f"{kind_of(node, graph)} {place}{made}"
    return tooltip_of(f"{text}: data={node.data!r}, grad={node.grad!r}" if graph.numbers else text)


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
