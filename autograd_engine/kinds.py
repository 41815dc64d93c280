"""What a node is to a reader, and what a picture is: the words that go with pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from autograd_engine.folding import Folded
from autograd_engine.graph import Graph, Node
from autograd_engine.wording import number, printable

__all__ = ["BORDERS", "KINDS", "Border", "described", "kind_of", "legend_of", "title_of"]

KINDS = ("input", "parameter", "interior", "output")  # attributes of a Theme, too


class Border(NamedTuple):
    """The line around a card, which says its kind without colours; `word` is for the legend."""

    width: float = 1.0
    dashed: bool = False
    word: str = ""


BORDERS = {
    "input": Border(),
    "parameter": Border(dashed=True, word="dashed"),
    "interior": Border(),
    "output": Border(width=2.0, word="thick"),
}

_PARAMETER_NAME = re.compile(r"(w|b|weights?|bias)[\W_]*\d*([\W_]\d+)*", re.IGNORECASE)


def kind_of(node: Node, graph: Graph) -> str:
    """One of `KINDS`. Parameters are a model's, or leaves of scopes, else known by name."""
    if graph.is_output(node):
        return "output"
    if not node.is_leaf:
        return "interior"
    if graph.knows_parameters:
        return "parameter" if node.of_model or node.scope else "input"
    return "parameter" if _PARAMETER_NAME.fullmatch(node.label) else "input"


def legend_of(kinds: Collection[str]) -> str:
    """`border: dashed for parameters, thick for outputs`, of those kinds that there are."""
    words = [f"{BORDERS[k].word} for {k}s" for k in KINDS if k in kinds and BORDERS[k].word]
    return f"border: {', '.join(words)}" if len(kinds) > 1 and words else ""


def title_of(graph: Graph) -> str:
    """`Computation graph of o = 0.7071`."""
    shown = [_named(graph.nodes[i], graph) for i in graph.outputs[:3]]
    more = ", ..." if len(graph.outputs) > 3 else ""
    return f"Computation graph of {', '.join(shown)}{more}"


def _named(node: Node, graph: Graph) -> str:
    name = printable(node.label) or ("the result" if len(graph.outputs) == 1 else "a result")
    return f"{name} = {number(node.data)}" if graph.numbers else name


def described(graph: Graph, folded: Folded | None = None) -> str:
    """What the picture shows in a sentence or two, for those who do not see it."""
    counts = Counter(kind_of(node, graph) for node in graph.nodes)
    parts = [
        f"{counts[kind]:,} {word}{'s' * (counts[kind] != 1)}"
        for kind, word in zip(
            KINDS, ("input", "parameter", "interior value", "output"), strict=True
        )
        if counts[kind]
    ]
    count = len(graph.nodes)
    text = f"{title_of(graph)}: {count:,} value{'s' * (count != 1)}, {', '.join(parts)}"
    if folded is not None:
        names = [printable(group.name) for group in folded.groups]
        some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return f"{text}. Folded by {folded.by} into {len(names):,} cards: {some}."
    if count > 1:
        text += "; arrows run from operands to results"
    if graph.numbers:
        text += "; gradients are shown" if graph.differentiated else "; no backward pass yet"
    return f"{text}."
