"""A folded graph in DOT: one card a group, one arrow for all that flows between two groups."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

from autograd_engine.cards import box_of
from autograd_engine.contents import caption_of, flow_text, group_rows, kind_of_group, sent_by
from autograd_engine.dot_text import plain, tooltip_of
from autograd_engine.folding import Folded, summary
from autograd_engine.graph import Node
from autograd_engine.kinds import legend_of
from autograd_engine.looks import Look

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["draw_groups"]

MOST_LABELS = 60  # arrows with words on them
LONGEST_SUMMARY = 36


def draw_groups(folded: Folded, look: Look, picture: Picture) -> None:
    """Put every group and flow into a picture."""
    colors = look.colors
    sent = sent_by(folded)
    frames = _layers(folded) if look.clusters and folded.by == "neuron" else {}
    picture.attr(label="\n".join(f"    {note}    " for note in _notes(folded, look)), nslimit="4")
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


def _notes(folded: Folded, look: Look) -> list[str]:
    legend = legend_of({kind_of_group(group, folded) for group in folded.groups})
    return [caption_of(folded, look), *([legend] if legend else [])]


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
    group = folded.groups[i]
    name = group.name.removeprefix(f"{frame} / ") if frame else group.name
    rows = group_rows(group, folded, look, sent)
    made_of = summary(group.nodes)
    short = look.style == "cards" and folded.by != "neuron" and len(made_of) <= LONGEST_SUMMARY
    note = made_of.replace(" x", " ×") if short else ""
    box = box_of(kind_of_group(group, folded), name, rows, look, note)
    picture.node(f"g_{i}", tooltip=tooltip_of(f"{group.name}: {made_of}"), **box)
