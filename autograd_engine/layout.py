"""Where things go in a picture that changes: Graphviz places boxes of known size, once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

__all__ = ["Layout", "Link", "layout"]

POINTS = 72.0  # in an inch, Graphviz's unit of sizes


class Link(NamedTuple):
    """The arrow from one box to another: a path in SVG's words, and the points of its head."""

    path: str
    head: str


class Layout(NamedTuple):
    """Sizes in points: of all, and for each box its left upper corner.

    Coordinates of boxes and links are to be moved by `shift`.
    """

    width: float
    height: float
    shift: tuple[float, float]
    corners: list[tuple[float, float]]
    links: list[Link]


def layout(
    sizes: Sequence[tuple[float, float]],
    links: Sequence[tuple[int, int]],
    *,
    direction: str = "LR",
    attributes: str = "",
) -> Layout:
    """Places for boxes of these (width, height) in points, and arrows between them.

    Parameters
    ----------
    sizes : sequence of (float, float)
    links : sequence of (int, int)
        From box to box, by their numbers.
    direction : {"LR", "TB"}
    attributes : str
        More of Graphviz's words for the graph.

    Raises
    ------
    RenderError
        When there is no engine, or it fails.
    """
    from autograd_engine.rendering import dot_bytes  # graphviz takes 28 ms to import

    # room for many arrows side by side
    ranksep = 0.3 + min(2.5, max(0, len(links) - 150) / 100)
    nodesep = 0.24 if direction == "LR" else 0.7  # arithmetic is wider than the box that it is at
    lines = [
        f"digraph{{rankdir={direction};nodesep={nodesep};ranksep={ranksep:.2f};{attributes}"
        'node[shape=box,fixedsize=true,label=""];edge[arrowsize=0.7]'
    ]
    for i, (width, height) in enumerate(sizes):
        lines.append(f'n{i}[id="n{i}",width={width / POINTS:.3f},height={height / POINTS:.3f}]')
    lines += [f'n{a}->n{b}[id="e{i}"]' for i, (a, b) in enumerate(links)]
    root = ElementTree.fromstring(dot_bytes("\n".join([*lines, "}"]), "svg"))
    groups = {group.get("id"): group for group in root.iter() if group.tag.endswith("}g")}
    _, _, width, height = map(float, root.get("viewBox", "").split())
    shift = re.search(
        r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", groups["graph0"].get("transform", "")
    )
    if shift is None:
        raise ValueError("layout: Graphviz's picture has no place")
    return Layout(
        width,
        height,
        (float(shift[1]), float(shift[2])),
        [_corner(_child(groups[f"n{i}"], "polygon").get("points", "")) for i in range(len(sizes))],
        [_link(groups[f"e{i}"]) for i in range(len(links))],
    )


def _child(group: ElementTree.Element, tag: str) -> ElementTree.Element:
    return next(part for part in group.iter() if part.tag.endswith(f"}}{tag}"))


def _corner(points: str) -> tuple[float, float]:
    pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
    return min(x for x, _ in pairs), min(y for _, y in pairs)


def _link(group: ElementTree.Element) -> Link:
    """Places to a tenth of a point: two digits of Graphviz's make a quarter of a page."""
    path, head = _child(group, "path").get("d", ""), _child(group, "polygon").get("points", "")
    return Link(
        *(re.sub(r"-?\d+\.\d+", lambda x: f"{float(x[0]):.1f}", words) for words in (path, head))
    )
