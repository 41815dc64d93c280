"""What the arrows of a picture say: local derivatives and contributions, in numbers and lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from autograd_engine.folding import Arrow, arrows_into
from autograd_engine.graph import Graph
from autograd_engine.looks import Look
from autograd_engine.wording import number, signed

__all__ = [
    "NO_BACKWARD",
    "Pen",
    "Pens",
    "edge_text",
    "edge_words",
    "meaning_of",
    "notes_of",
    "waiting",
]

DECADES = 3.0  # contributions a thousand times smaller than the largest are as thin as can be
THINNEST, WIDEST, OF_ZERO = 0.8, 2.6, 0.5

NO_BACKWARD = "no backward yet"


class Pen(NamedTuple):
    """How an arrow is drawn: `text` is the colour of the number on it, `dash` a word of DOT's."""

    color: str
    text: str
    width: float
    dash: str = ""


class Pens:
    """An arrow's line for its contribution: the sign in colour and dashes, the size in width."""

    def __init__(self, graph: Graph, look: Look) -> None:
        self._colors = look.colors
        self._used = _is_coloured(graph, look)
        arrows = [arrow for node in graph.nodes for arrow in arrows_into(node, graph)]
        sizes = [abs(arrow.edge.contribution) for arrow in arrows] if self._used else []
        self._largest = max([x for x in sizes if math.isfinite(x)], default=0.0)

    def of(self, contribution: float) -> Pen | None:
        """The pen; None while there are no gradients."""
        colors = self._colors
        if not self._used:
            return None
        if contribution == 0.0:
            return Pen(colors.line, colors.muted, OF_ZERO)
        if contribution != contribution:
            return Pen(colors.warning, colors.warning, WIDEST, "dotted")
        color = colors.positive if contribution > 0.0 else colors.negative
        return Pen(color, color, self._width(contribution), "dashed" if contribution < 0.0 else "")

    def _width(self, contribution: float) -> float:
        size = min(abs(contribution), self._largest)
        part = 1.0 + (math.log10(size) - math.log10(self._largest)) / DECADES if size else 0.0
        return THINNEST + (WIDEST - THINNEST) * max(0.0, part)


def _is_coloured(graph: Graph, look: Look) -> bool:
    return graph.numbers and graph.differentiated and (look.gradients or look.contributions)


def edge_text(arrow: Arrow, graph: Graph, look: Look) -> str:
    """What an arrow bears: `-3.0000`, or `-3.00 × +0.50 = -1.50`, `(×5,000)` if of many, or ""."""
    many = f"(×{arrow.times:,})" if arrow.times > 1 else ""
    return f"{_numbers(arrow, graph, look)} {many}".strip()


def _numbers(arrow: Arrow, graph: Graph, look: Look) -> str:
    edge = arrow.edge
    if not graph.numbers:
        return ""
    if not (look.contributions and graph.differentiated):
        return number(edge.derivative) if look.derivatives else ""
    if not look.derivatives:
        return signed(edge.contribution)
    adjoint = graph.nodes[edge.target].adjoint
    return " ".join([_short(edge.derivative), "×", _short(adjoint), "=", _short(edge.contribution)])


def edge_words(arrow: Arrow, graph: Graph) -> str:
    """The same in words, whole."""
    edge = arrow.edge
    text = f"local derivative {number(edge.derivative)}"
    if arrow.times > 1:
        text = f"{arrow.times:,} times the same operand, together: {text}"
    if not graph.differentiated:
        return text
    adjoint = signed(graph.nodes[edge.target].adjoint)
    return f"{text} × gradient {adjoint} = contribution {signed(edge.contribution)}"


def _short(x: float) -> str:
    """A number with its sign and three digits: three of them have to fit on an arrow."""
    return f"{x:+.2f}" if x == 0.0 or 0.1 <= abs(x) < 1000.0 else f"{x:+.3g}"


def notes_of(graph: Graph, look: Look, labelled: bool = True) -> Iterator[str]:
    """The lines below a picture: what the numbers and lines of its arrows mean."""
    yield from waiting(graph, look)
    meaning = meaning_of(graph, look)
    if meaning:
        yield f"on an arrow: {meaning}" if labelled else "numbers: in the tooltips of the arrows"
    if graph.edges and _is_coloured(graph, look):
        unknown = any(edge.contribution != edge.contribution for edge in graph.edges)
        yield "arrow: solid adds to the gradient, dashed takes from it, wider is more" + (
            ", dotted is nan" if unknown else ""
        )
    if any(arrow.times > 1 for node in graph.nodes for arrow in arrows_into(node, graph)):
        yield "(×n): n arrows in one, with the sum of their numbers"
    if _leaves_differ(graph, look):
        yield "some leaves: grad is not the sum of contributions; it holds other passes, or was set"


def _leaves_differ(graph: Graph, look: Look) -> bool:
    """Whether gradients of leaves are not what the arrows bring, as after two backward passes."""
    if not (_is_coloured(graph, look) and look.gradients):
        return False
    return any(
        node.is_leaf and not math.isclose(node.grad, node.adjoint, rel_tol=1e-6, abs_tol=1e-12)
        for node in graph.nodes
        if math.isfinite(node.grad) and math.isfinite(node.adjoint)
    )


def waiting(graph: Graph, look: Look) -> Iterator[str]:
    """What is not known yet, and how to get it."""
    if not graph.numbers:
        yield "structure only: pass example=[...] for numbers"
    elif look.gradients and not graph.differentiated:
        yield f"{NO_BACKWARD}: call .backward() on the output"


def meaning_of(graph: Graph, look: Look) -> str:
    """What `edge_text` says, in words; "" where it says nothing."""
    if not graph.numbers or not graph.edges:
        return ""
    if not (look.contributions and graph.differentiated):
        return "local derivative of the result by that operand" if look.derivatives else ""
    contribution = "contribution to the gradient of the operand"
    if not look.derivatives:
        return contribution
    return f"local derivative × gradient of the result = {contribution}"
