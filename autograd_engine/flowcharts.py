"""A graph as a Mermaid flowchart: a text that GitHub, GitLab and notebooks show as a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from autograd_engine.arrows import Pen, Pens, edge_text, notes_of
from autograd_engine.cards import applied, constants_of, frames_of, rows_of
from autograd_engine.dot_text import Row
from autograd_engine.folded_cards import caption_of, flow_text, group_rows, kind_of_group, sent_by
from autograd_engine.folding import Folded, Scope
from autograd_engine.graph import Graph
from autograd_engine.kinds import KINDS, described, kind_of, title_of
from autograd_engine.looks import Look
from autograd_engine.themes import Theme
from autograd_engine.wording import LONGEST_LABEL, number, printable

__all__ = ["MOST_ARROWS", "arrows_of", "flowchart"]

_SAFE = " .,+-=×≤"
MOST_ARROWS = 500  # Mermaid's own limit, which on GitHub nobody can raise


def arrows_of(graph: Graph) -> int:
    """How many arrows the chart of a graph has, node by node."""
    return sum(len(node.operands) + 1 for node in graph.nodes if not node.is_leaf)


def flowchart(shown: Graph | Folded, look: Look) -> str:
    """The chart of a graph, node by node, or folded."""
    folded = shown if isinstance(shown, Folded) else None
    graph = shown.graph if isinstance(shown, Folded) else shown
    lines = [
        f"flowchart {look.direction}",
        f"accTitle: {_bare(title_of(graph))}",
        f"accDescr: {_bare(described(graph, folded))}",
        *(_groups(folded, look) if folded else _nodes(graph, look)),
        *_classes(look.colors),
    ]
    return "\n".join(lines) + "\n"


# --- node by node ---------------------------------------------------------------


def _nodes(graph: Graph, look: Look) -> Iterator[str]:
    frames = _Frames()
    for node, scope in zip(graph.nodes, frames_of(graph, look), strict=True):
        rows = rows_of(node, graph, look)
        box = _box([node.label] if node.label else [], rows)
        frames.put(scope, f"v{node.index}{box}")
        if node.is_leaf:
            continue
        inside = len(node.operands) <= 2
        sign = applied(node) if inside else node.symbol
        frames.put(scope, f'o{node.index}(("{_text(sign)}"))')
        for i, x in [] if inside else constants_of(node):
            frames.put(scope, f'c{node.index}_{i}["{number(x)}"]')
    yield from frames.lines()
    yield from _arrows(graph, look)
    yield from _members("frame", frames.names())
    yield from _note(notes_of(graph, look), f"v{graph.outputs[-1]}")
    for kind in KINDS:
        yield from _members(kind, [f"v{n.index}" for n in graph.nodes if kind_of(n, graph) == kind])
    yield from _members("operation", [f"o{n.index}" for n in graph.nodes if not n.is_leaf])
    many = [node for node in graph.nodes if len(node.operands) > 2]
    yield from _members("note", [f"c{n.index}_{i}" for n in many for i, _ in constants_of(n)])


def _arrows(graph: Graph, look: Look) -> Iterator[str]:
    pens, drawn = Pens(graph, look), dict[Pen, list[int]]()
    count = 0
    for node in graph.nodes:
        if node.is_leaf:
            continue
        arrows = [
            (f"v{edge.source}", f"o{node.index}", edge_text(edge, graph, look), edge.contribution)
            for edge in graph.edges_into(node)
        ]
        arrows.append((f"o{node.index}", f"v{node.index}", "", node.adjoint))
        for source, target, text, contribution in arrows:
            yield f"{source} -->{_on_arrow(text)} {target}"
            if (pen := pens.of(contribution)) is not None:
                drawn.setdefault(pen, []).append(count)
            count += 1
        if len(node.operands) > 2:
            for i, _ in constants_of(node):
                yield f"c{node.index}_{i} -.-> o{node.index}"
                count += 1
    for pen, numbers in drawn.items():
        dashes = ",stroke-dasharray:6 4" if pen.dashed else ""
        style = f"stroke:{pen.color},stroke-width:{pen.width:.2f}px{dashes}"
        yield f"linkStyle {','.join(map(str, numbers))} {style}"


# --- folded ---------------------------------------------------------------


def _groups(folded: Folded, look: Look) -> Iterator[str]:
    sent = sent_by(folded)
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for i, group in enumerate(folded.groups):
        yield f"g{i}{_box([group.name], group_rows(group, folded, look, sent[i]))}"
        kinds[kind_of_group(group, folded)].append(f"g{i}")
    for (source, target), nodes in folded.flows.items():
        yield f"g{source} -->{_on_arrow(', '.join(flow_text(nodes, folded, look)))} g{target}"
    yield from _note([caption_of(folded, look)], f"g{folded.group_of[folded.graph.outputs[-1]]}")
    for kind, names in kinds.items():
        yield from _members(kind, names)


# --- the language ---------------------------------------------------------------


class _Frames:
    """Lines sorted into subgraphs, inside one another as scopes are."""

    def __init__(self) -> None:
        self._inside: dict[Scope, list[str | Scope]] = {(): []}
        self._names: dict[Scope, str] = {}

    def put(self, scope: Scope, line: str) -> None:
        """Add a line to a frame."""
        for n in range(1, len(scope) + 1):
            if scope[:n] not in self._inside:
                self._inside[scope[:n]] = []
                self._names[scope[:n]] = f"s{len(self._names)}"
                self._inside[scope[: n - 1]].append(scope[:n])
        self._inside[scope].append(line)

    def names(self) -> list[str]:
        """What the subgraphs are called."""
        return list(self._names.values())

    def lines(self) -> Iterator[str]:
        """All of them, without recursion."""
        todo: list[str | Scope] = list(reversed(self._inside[()]))
        while todo:
            line = todo.pop()
            if isinstance(line, str):
                yield line
            else:
                yield f'subgraph {self._names[line]}["{_text(line[-1])}"]'
                todo += ["end", *reversed(self._inside[line])]


def _box(titles: Iterable[str], rows: Iterable[Row]) -> str:
    lines = [*titles, *(f"{row.name} {row.text}".strip() for row in rows)]
    return f'["{"<br/>".join(map(_text, lines)) or " "}"]'


def _on_arrow(text: str) -> str:
    return f'|"{_text(text)}"|' if text else ""


def _note(lines: Iterable[str], after: str) -> Iterator[str]:
    """Words that belong to the whole, where no arrow crosses them: beside the last node."""
    texts = [_text(line, longest=120) for line in lines]
    if texts:
        yield f'note["{"<br/>".join(texts)}"]'
        yield f"{after} ~~~ note"
        yield "class note note"


def _members(name: str, nodes: list[str]) -> Iterator[str]:
    if nodes:
        yield f"class {','.join(nodes)} {name}"


def _classes(colors: Theme) -> Iterator[str]:
    for name in (*KINDS, "operation"):
        fill = getattr(colors, name)
        yield f"classDef {name} fill:{fill},stroke:{colors.line},color:{colors.ink}"
    yield f"classDef frame fill:none,stroke:{colors.line},color:{colors.muted}"
    yield f"classDef note fill:none,stroke:none,color:{colors.muted}"


def _text(text: str, longest: int = LONGEST_LABEL) -> str:
    """A label between quotes: signs that may mean something to Mermaid are written by number.

    A line that would begin as a list of Markdown's begins with a sign that has no width.
    """
    text = printable(text, longest)
    start = "\N{ZERO WIDTH SPACE}" if re.match(r"([-+*#>]|\d+[.)])(\s|$)", text) else ""
    return start + "".join([c if c.isalnum() or c in _SAFE else f"#{ord(c)};" for c in text])


def _bare(text: str) -> str:
    """A line that is not between quotes: without the signs that mean something there."""
    return re.sub(r"[#;{}<>&\"%`|\[\]\\]", " ", text)
