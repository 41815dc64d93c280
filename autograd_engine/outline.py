"""A graph as lines of text, a tree for terminals: from the outputs down to the leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from autograd_engine.arrows import edge_text, meaning_of, waiting
from autograd_engine.contents import caption_of, flow_text, group_rows, sent_by
from autograd_engine.folding import Folded, arrows_into
from autograd_engine.formulas import names_of, operation_of
from autograd_engine.graph import OUTDATED, Graph, Node
from autograd_engine.looks import Look
from autograd_engine.notation import Formula
from autograd_engine.wording import number, printable, signed

__all__ = ["outline"]

WIDEST = 40  # columns of the lines that join: further down only the last of them are shown
LONGEST = 48  # of a formula
MOST_NAMES = 5_000  # values with names of their own: finding them for more takes seconds
TEE, CORNER, BAR, GAP, CUT = "├── ", "└── ", "│   ", "    ", "⋯ "


def outline(shown: Graph | Folded, look: Look) -> str:
    """The tree of a graph, or of the groups of a folded one."""
    lines = _of_groups(shown, look) if isinstance(shown, Folded) else _of_nodes(shown, look)
    return "\n".join(lines) + "\n"


class _Branch(NamedTuple):
    """A line to be written: whose, and what is said of the way to it."""

    item: int
    remark: str


class _Tree(NamedTuple):
    """What a tree is made from: numbered items, each with a name, a line and branches."""

    name: Callable[[int], str]
    line: Callable[[int], str]
    below: Callable[[int], Sequence[_Branch]]
    size: int

    def lines(self, roots: Iterable[int], most: int | None) -> Iterator[str]:
        """Every item once, then referred to; without recursion, for graphs may be deep."""
        written = set[int]()
        todo = [(_Branch(root, ""), "", "") for root in reversed(list(roots))]
        while todo:
            (item, remark), before, joint = todo.pop()
            seen = item in written
            if len(written) == most and not seen:
                yield f"{CUT}{self.size - most:,} more (max_nodes={most}; None writes them all)"
                return
            text = f"{self.name(item)} (see above)" if seen else self.line(item)
            yield f"{_narrow(before)}{joint}{text}{f'  [{remark}]' if remark else ''}"
            if seen:
                continue
            written.add(item)
            after = (before + {TEE: BAR, CORNER: GAP, "": ""}[joint])[-2 * WIDEST :]
            below = list(self.below(item))
            joints = [TEE] * (len(below) - 1) + [CORNER]
            todo += reversed([(b, after, j) for b, j in zip(below, joints, strict=False)])


def _narrow(before: str) -> str:
    return before if len(before) <= WIDEST else CUT + before[2 - WIDEST :]


def _of_nodes(graph: Graph, look: Look) -> Iterator[str]:
    names = names_of(graph) if len(graph.nodes) <= MOST_NAMES else _numbered(graph)

    def name(i: int) -> str:
        return names[i].text

    def line(i: int) -> str:
        node = graph.nodes[i]
        text, formula = name(i), operation_of(node, names).text
        if formula != text:
            text += f" = {printable(formula, LONGEST)}"
        return _with_numbers(text, node, graph, look)

    def below(i: int) -> list[_Branch]:
        arrows = arrows_into(graph.nodes[i], graph)
        return [_Branch(arrow.edge.source, edge_text(arrow, graph, look)) for arrow in arrows]

    yield from _Tree(name, line, below, len(graph.nodes)).lines(graph.outputs, look.max_nodes)
    meaning = meaning_of(graph, look)
    notes = [*waiting(graph, look), *([f"[...]: {meaning}"] if meaning else [])]
    yield from ["", *notes] if notes else []


def _numbered(graph: Graph) -> list[Formula]:
    """Names that take no time, where only the first of many lines are written."""
    return [
        Formula(f"{printable(node.label)} #{node.index}" if node.label else f"v{node.index}", "")
        for node in graph.nodes
    ]


def _with_numbers(text: str, node: Node, graph: Graph, look: Look) -> str:
    if not graph.numbers:
        return text
    if look.values:
        text += f" = {number(node.data)}"
    if look.gradients and graph.differentiated:
        text += f", grad {signed(node.grad)}"
    return f"{text}, {OUTDATED}" if node.outdated else text


def _of_groups(folded: Folded, look: Look) -> Iterator[str]:
    sent = sent_by(folded)
    sources: list[list[_Branch]] = [[] for _ in folded.groups]
    for (source, target), nodes in folded.flows.items():
        sources[target].append(_Branch(source, ", ".join(flow_text(nodes, folded, look))))

    def name(i: int) -> str:
        return printable(folded.groups[i].name)

    def line(i: int) -> str:
        rows = group_rows(folded.groups[i], folded, look, sent[i])
        parts = [printable(f"{row.name} {row.text}".strip()) for row in rows]
        return ": ".join([name(i), ", ".join(parts)])

    roots = dict.fromkeys(folded.group_of[i] for i in folded.graph.outputs)
    tree = _Tree(name, line, sources.__getitem__, len(folded.groups))
    yield from tree.lines(roots, look.max_nodes)
    yield from ["", caption_of(folded, look)]
