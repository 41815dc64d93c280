"""A graph as a Mermaid flowchart: a text that GitHub, GitLab and notebooks show as a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from autograd_engine.arrows import Pen, Pens, edge_text, notes_of
from autograd_engine.contents import (
    applied,
    caption_of,
    constants_of,
    flow_text,
    frames_of,
    group_rows,
    kind_of_group,
    rows_of,
    sent_by,
)
from autograd_engine.dot_text import Row
from autograd_engine.folding import Folded, Scope, arrows_into
from autograd_engine.graph import Graph, Node
from autograd_engine.kinds import BORDERS, KINDS, Border, described, kind_of, legend_of, title_of
from autograd_engine.looks import Look
from autograd_engine.themes import Theme
from autograd_engine.wording import LONGEST_LABEL, number, printable

__all__ = ["MOST_ARROWS", "MOST_CHARACTERS", "arrows_of", "flowchart"]

_SAFE = re.compile(r"[^\W_]|[ .,+\-=×≤]|(?<=[^\W_])_(?=[^\W_])")  # no emphasis inside a word
_DASHES = {"dashed": "6 4", "dotted": "2 3"}
MOST_ARROWS = 500  # Mermaid's own limits, which on GitHub nobody can raise
MOST_CHARACTERS = 50_000


def arrows_of(graph: Graph) -> int:
    """How many arrows the chart of a graph has, node by node."""
    notes = sum(len(constants_of(node)) for node in graph.nodes if not _are_inside(node))
    arrows = sum(len(arrows_into(node, graph)) for node in graph.nodes)
    return arrows + notes + sum(not node.is_leaf for node in graph.nodes)


def _are_inside(node: Node) -> bool:
    """Whether constants stand in the operation's circle; else they are notes with arrows."""
    return len(node.operands) <= 2


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
        inside = _are_inside(node)
        sign = applied(node) if inside else node.symbol
        frames.put(scope, f'o{node.index}(("{_text(sign)}"))')
        for i, x in [] if inside else constants_of(node):
            frames.put(scope, f'c{node.index}_{i}["{number(x)}"]')
    yield from frames.lines()
    yield from _arrows(graph, look)
    yield from _members("frame", frames.names())
    members: dict[str, list[str]] = {}
    for node in graph.nodes:
        members.setdefault(kind_of(node, graph), []).append(f"v{node.index}")
    yield from _note([*notes_of(graph, look), legend_of(members)], f"v{graph.outputs[-1]}")
    for kind, names in members.items():
        yield from _members(kind, names)
    yield from _members("operation", [f"o{n.index}" for n in graph.nodes if not n.is_leaf])
    many = [node for node in graph.nodes if not _are_inside(node)]
    yield from _members("note", [f"c{n.index}_{i}" for n in many for i, _ in constants_of(n)])


def _arrows(graph: Graph, look: Look) -> Iterator[str]:
    pens, drawn = Pens(graph, look), dict[Pen, list[int]]()
    count = 0
    for node in graph.nodes:
        if node.is_leaf:
            continue
        arrows = [
            (
                f"v{arrow.edge.source}",
                f"o{node.index}",
                edge_text(arrow, graph, look),
                arrow.edge.contribution,
            )
            for arrow in arrows_into(node, graph)
        ]
        arrows.append((f"o{node.index}", f"v{node.index}", "", node.adjoint))
        for source, target, text, contribution in arrows:
            yield f"{source} -->{_on_arrow(text)} {target}"
            if (pen := pens.of(contribution)) is not None:
                drawn.setdefault(pen, []).append(count)
            count += 1
        if not _are_inside(node):
            for i, _ in constants_of(node):
                yield f"c{node.index}_{i} -.-> o{node.index}"
                count += 1
    for pen, numbers in drawn.items():
        dashes = f",stroke-dasharray:{_DASHES[pen.dash]}" if pen.dash else ""
        style = f"stroke:{pen.color},stroke-width:{pen.width:.2f}px{dashes}"
        yield f"linkStyle {','.join(map(str, numbers))} {style}"


# --- folded ---------------------------------------------------------------


def _groups(folded: Folded, look: Look) -> Iterator[str]:
    sent = sent_by(folded)
    kinds: dict[str, list[str]] = {}
    for i, group in enumerate(folded.groups):
        yield f"g{i}{_box([group.name], group_rows(group, folded, look, sent[i]))}"
        kinds.setdefault(kind_of_group(group, folded), []).append(f"g{i}")
    for (source, target), nodes in folded.flows.items():
        yield f"g{source} -->{_on_arrow(', '.join(flow_text(nodes, folded, look)))} g{target}"
    notes = [caption_of(folded, look), legend_of(kinds)]
    yield from _note(notes, f"g{folded.group_of[folded.graph.outputs[-1]]}")
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
    texts = [_text(line, longest=120) for line in lines if line]
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
        border = BORDERS.get(name, Border())
        line = f",stroke-width:{border.width:g}px" if border.width != 1.0 else ""
        line += f",stroke-dasharray:{_DASHES['dashed']}" if border.dashed else ""
        yield f"classDef {name} fill:{fill},stroke:{colors.line},color:{colors.ink}{line}"
    yield f"classDef frame fill:none,stroke:{colors.line},color:{colors.muted}"
    yield f"classDef note fill:none,stroke:none,color:{colors.muted}"


def _text(text: str, longest: int = LONGEST_LABEL) -> str:
    """A label between quotes: signs that may mean something to Mermaid are written by number.

    A line that would begin as a list of Markdown's begins with a sign that has no width.
    """
    text = printable(text, longest)
    start = "\N{ZERO WIDTH SPACE}" if re.match(r"([-+*#>]|\d+[.)])(\s|$)", text) else ""
    safe = {match.start() for match in _SAFE.finditer(text)}
    return start + "".join([c if i in safe else f"#{ord(c)};" for i, c in enumerate(text)])


def _bare(text: str) -> str:
    """A line that is not between quotes: without the signs that mean something there."""
    return re.sub(r"[#;{}<>&\"%`|\[\]\\]", " ", text)
