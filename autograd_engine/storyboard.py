"""What a stepper shows: cards, arrows between them, and frames that change texts on the cards.

A small graph has a card for each node. A large one has a card for each neuron, layer or band of
depths, and a frame for each stretch of work inside one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from autograd_engine.contents import applied
from autograd_engine.expansion import READABLE, expanded
from autograd_engine.folding import ALIKE
from autograd_engine.graph import OUTDATED, Graph, Node
from autograd_engine.kinds import kind_of
from autograd_engine.sequence import Contribution, Step, sequence
from autograd_engine.wording import abridged, number, printable, short, signed

__all__ = ["Card", "Frame", "Storyboard", "node_by_node", "outdated", "titled"]

DATA, GRAD = 0, 1  # the rows of a card
LONGEST_TITLE, LONGEST_TIP, LONGEST_SUM = 24, 200, 600
MOST_ROWS = 40  # of the arithmetic of a step


@dataclass(frozen=True, slots=True)
class Card:
    """A box with a title and rows of (name, text); a circle with a sign where there are none."""

    title: str
    kind: str
    rows: tuple[tuple[str, str], ...]
    tip: str


@dataclass(slots=True)
class Frame:
    """One step.

    Attributes
    ----------
    phase : {"forward", "start", "backward"}
    giving, receiving : list of int
        The cards at work, and those that get something from them.
    links : dict
        The arrows at work, and what is said of each: what the operand gets along it.
    headline : str
        What happens, in a line.
    table : list of tuple of str
        The arithmetic; its first row has the headings.
    texts : dict
        (card, row) to the text that it has from this frame on.
    """

    phase: str
    giving: list[int]
    headline: str
    receiving: list[int] = field(default_factory=list)
    links: dict[int, str] = field(default_factory=dict)
    table: list[tuple[str, ...]] = field(default_factory=list)
    texts: dict[tuple[int, int], str] = field(default_factory=dict)


@dataclass(slots=True)
class Storyboard:
    """Cards, links between them (from, to), frames; `title`, and a `note` on what is folded."""

    title: str
    cards: list[Card]
    links: list[tuple[int, int]]
    frames: list[Frame]
    note: str = ""

    def changes(self) -> dict[tuple[int, int], list[tuple[int, str]]]:
        """For each row of a card what it says, and from which step on; 0 is before the first."""
        found = {
            (i, row): [(0, text)]
            for i, card in enumerate(self.cards)
            for row, (_, text) in enumerate(card.rows)
        }
        for step, frame in enumerate(self.frames, start=1):
            for place, text in frame.texts.items():
                found[place].append((step, text))
        return found


def titled(graph: Graph, name: str) -> str:
    """The title of a page or picture of steps."""
    return f"{printable(name)} = {number(graph.output.data)}, step by step"


def outdated(graph: Graph) -> str:
    """A note where some numbers do not follow from the others."""
    return f"{OUTDATED} in some cards" if any(node.outdated for node in graph.nodes) else ""


def node_by_node(graph: Graph, most: int) -> Storyboard | None:
    """A frame for each node and pass; None where that makes more than `most`, or too many cards."""
    graph = expanded(graph)
    operations = sum(not node.is_leaf for node in graph.nodes)
    if len(graph.nodes) > READABLE or 2 * operations + 1 > most:
        return None
    steps = list(sequence(graph))
    names = {step.node.index: step.name for step in steps}
    names |= {c.node.index: c.name for step in steps for c in step.contributions}
    cards = [_card(graph, node, names.get(node.index, node.label)) for node in graph.nodes]
    links: list[tuple[int, int]] = []
    link_of: dict[tuple[int, int], int] = {}  # (node, position) to the arrow
    circle_of: dict[int, int] = {}
    for node in graph.nodes:
        if node.is_leaf:
            continue
        circle_of[node.index] = len(cards)
        cards.append(Card(_sign(node), "operation", (), names[node.index]))
        counts = Counter(x for x in node.operands if isinstance(x, int))
        alike: dict[int, int] = {}  # operands that come very often, to their one arrow
        for edge in graph.edges_into(node):
            link = alike.get(edge.source, len(links))
            if link == len(links):
                links.append((edge.source, circle_of[node.index]))
            if counts[edge.source] > ALIKE:
                alike[edge.source] = link
            link_of[node.index, edge.position] = link
        link_of[node.index, -1] = len(links)
        links.append((circle_of[node.index], node.index))
    start = next(step for step in steps if step.phase == "start")
    output = abridged(start.gradient.removesuffix(".grad"), LONGEST_TITLE)
    frames = [_frame(step, output, circle_of, link_of) for step in steps]
    name = names[graph.output.index]
    return Storyboard(titled(graph, name), cards, links, frames, outdated(graph))


def _card(graph: Graph, node: Node, name: str) -> Card:
    data = number(node.data) if node.is_leaf else ""
    place = f"in {printable(', '.join(node.scope), LONGEST_TIP)}; " if node.scope else ""
    made = f"made by {printable(node.symbol)}" if node.symbol else kind_of(node, graph)
    tip = f"{printable(name, LONGEST_TIP)}: {place}{made}; data = {node.data!r}"
    tip += f", d output / d this = {node.adjoint!r}"
    rows = (("data", data), ("grad", number(0.0)))
    return Card(abridged(name, LONGEST_TITLE), kind_of(node, graph), rows, tip)


def _sign(node: Node) -> str:
    """The circle's text: the sign, with a lone constant: `* 3`, `3 -`."""
    return printable(applied(node) if len(node.operands) == 2 else node.symbol, LONGEST_TITLE)


def _chain_rule(output: str, step: Step) -> tuple[str, ...]:
    """The headings of the arithmetic: ∂L/∂x += ∂n/∂x × ∂L/∂n, for each operand of a node n."""
    node = abridged(step.gradient.removesuffix(".grad"), LONGEST_TITLE)
    return (
        "operand",
        f"∂{node}/∂operand",
        f"× ∂{output}/∂{node}",
        "= contribution",
        "grad so far",
    )


def _frame(
    step: Step, output: str, circle_of: dict[int, int], link_of: dict[tuple[int, int], int]
) -> Frame:
    i = step.node.index
    name = printable(step.name, LONGEST_TIP)
    if step.phase == "start":
        frame = Frame("start", [i], f"The backward pass starts: d {name} / d {name} = 1")
        frame.texts[i, GRAD] = signed(1.0)
        return frame
    operands = [x for x in step.node.operands if isinstance(x, int)]
    frame = Frame(step.phase, [i, circle_of[i]], "")
    frame.links = {link: "" for (node, _), link in link_of.items() if node == i}
    if step.phase == "forward":
        frame.headline = f"{name} = {_bounded(step.statement)}"
        frame.receiving = [i]
        frame.giving = [circle_of[i], *operands]
        frame.texts[i, DATA] = number(step.node.data)
        return frame
    frame.headline = (
        f"{printable(step.gradient, LONGEST_TIP)} = {short(step.adjoint)} is complete: "
        f"each operand gets its local derivative times that{step.remark}"
    )
    frame.receiving = operands
    frame.table = [_chain_rule(output, step)]
    along: dict[int, list[Contribution]] = {}
    for c in step.contributions:
        along.setdefault(link_of[i, c.position], []).append(c)
        frame.texts[c.node.index, GRAD] = signed(c.after)
    frame.links |= {link: _said_of(alike) for link, alike in along.items()}
    frame.table += _rows(step.contributions[:MOST_ROWS])
    if len(step.contributions) > MOST_ROWS:
        frame.table.append((f"and {len(step.contributions) - MOST_ROWS:,} more",))
    return frame


def _bounded(statement: str) -> str:
    """A line of arithmetic, of 5000 terms the first and the last: there the result is."""
    return statement if len(statement) <= LONGEST_SUM else abridged(statement, LONGEST_SUM)


def _said_of(alike: list[Contribution]) -> str:
    """What an operand gets along an arrow, which may stand for many."""
    if len(alike) == 1:
        return alike[0].arithmetic
    return f"{len(alike):,} contributions, together {short(math.fsum(c.product for c in alike))}"


def _rows(contributions: Iterable[Contribution]) -> Iterator[tuple[str, ...]]:
    for c in contributions:
        formula = f"{c.formula} = " if c.formula else ""
        yield (
            printable(c.name, LONGEST_TIP),
            f"{printable(formula, LONGEST_TIP)}{short(c.derivative)}",
            short(c.adjoint),
            short(c.product),
            f"{short(c.before)} → {short(c.after)}",
        )
