"""A folded graph in DOT: one card a group, one arrow for all that flows between two groups."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from autograd_engine.arrows import NO_BACKWARD
from autograd_engine.cards import OUTDATED, gradient_row
from autograd_engine.dot_text import Row, card, plain, record, tooltip_of
from autograd_engine.folding import Folded, Group, summary
from autograd_engine.graph import Node
from autograd_engine.looks import Look
from autograd_engine.wording import number

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["caption_of", "draw_groups", "flow_text", "group_rows", "kind_of_group", "sent_by"]

FEW = 4  # inputs that are listed one by one
MOST_LABELS = 60  # arrows with words on them
LONGEST_SUMMARY = 36


def draw_groups(folded: Folded, look: Look, picture: Picture) -> None:
    """Put every group and flow into a picture."""
    colors = look.colors
    sent = sent_by(folded)
    frames = _layers(folded) if look.clusters and folded.by == "neuron" else {}
    picture.attr(label=f"    {caption_of(folded, look)}    ", nslimit="4")
    labelled = len(folded.flows) <= MOST_LABELS
    upwards = look.direction == "LR" and not labelled  # is how Graphviz then stacks them
    if not labelled:  # straight lines with room for them
        picture.attr(splines="line", ranksep="1.5", remincross="false")
    inside = [i for members in frames.values() for i in members]
    for i in range(len(folded.groups)):
        if i not in inside:
            _draw_group(i, folded, look, sent[i], picture, "")
    for k, (name, members) in enumerate(frames.items()):
        with picture.subgraph(name=f"cluster_{k}") as frame:
            frame.attr(label=plain(name), style="rounded", color=colors.line, labelloc="t")
            frame.attr(fontcolor=colors.muted, fontsize="10", tooltip=tooltip_of(f"scope {name}"))
            for i in reversed(members) if upwards else members:
                _draw_group(i, folded, look, sent[i], frame, name)
    tail, head = (":e", ":w") if look.direction == "LR" else (":s", ":n")
    for (source, target), nodes in folded.flows.items():
        words = flow_text(nodes, folded, look)
        picture.edge(
            f"g_{source}" if labelled else f"g_{source}{tail}",
            f"g_{target}" if labelled else f"g_{target}{head}",
            label=plain(" " + ", ".join(words) + " ") if labelled else "",
            tooltip=tooltip_of(", ".join(words)),
            penwidth=f"{1 + min(3.0, math.log2(len(nodes)) / 2) if labelled else 0.6:.2f}",
        )


def _layers(folded: Folded) -> dict[str, list[int]]:
    """The groups inside each outermost scope that has several of them."""
    found: dict[str, list[int]] = {}
    for i, group in enumerate(folded.groups):
        if group.scope:
            found.setdefault(group.scope[0], []).append(i)
    return {name: members for name, members in found.items() if len(members) > 1}


def _draw_group(
    i: int, folded: Folded, look: Look, sent: Collection[Node], picture: Picture, frame: str
) -> None:
    group, colors = folded.groups[i], look.colors
    name = group.name.removeprefix(f"{frame} / ") if frame else group.name
    rows = group_rows(group, folded, look, sent)
    made_of = summary(group.nodes)
    kind = kind_of_group(group, folded)
    fill = getattr(colors, kind)
    if look.style == "records":
        texts = [f"{row.name} {row.text}".strip() for row in rows]
        picture.node(
            f"g_{i}",
            record([name, *texts], look.direction),
            shape="record",
            style="filled",
            fillcolor=fill,
            color=colors.line,
            fontcolor=colors.ink,
            tooltip=tooltip_of(f"{group.name}: {made_of}"),
        )
        return
    note = made_of.replace(" x", " ×") if len(made_of) <= LONGEST_SUMMARY else ""
    label = card(name, rows, fill, colors, note if folded.by != "neuron" else "")
    picture.node(f"g_{i}", label, shape="plain", tooltip=tooltip_of(f"{group.name}: {made_of}"))


def kind_of_group(group: Group, folded: Folded) -> str:
    """Which of `kinds.KINDS` a group's card looks like."""
    if any(node.index in folded.graph.outputs for node in group.nodes):
        return "output"
    if not group.operations:
        return "parameter" if group.scope else "input"
    return "parameter" if group.scope and group.leaves else "interior"


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
    kind = "parameters" if group.scope else "inputs"
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
        rows.append(gradient_row(next(iter(sent)), look.colors))
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
