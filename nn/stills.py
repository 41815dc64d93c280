"""The last epoch of a training stepper as one SVG: what stays where scripts are stripped.

Loss, and for a model with two inputs the plane; `draw_network` is the picture of a network.
"""

from __future__ import annotations

import base64
import html
import itertools
import math
from collections.abc import Iterator
from typing import Any

from autograd_engine.wording import number
from nn.palette import MARKS

__all__ = ["still"]

SIDE, GAP, TOP = 300.0, 30.0, 40.0
LEAST_WIDTH = 620.0  # for the line of text below


def still(data: dict[str, Any]) -> str:
    """What the page shows at its last epoch, without controls."""
    panels = [*([_plane(data)] if "plane" in data else []), _curve(data)]
    colors, x, parts = data["colors"], GAP, []
    for panel in panels:
        parts.append(f'<g transform="translate({x:g} {TOP:g})">{"".join(panel)}</g>')
        x += SIDE + GAP
    x, height = max(x, LEAST_WIDTH), TOP + SIDE + 3 * GAP
    title = _text(GAP, 24, _state(data), 'font-weight="600" font-size="14"')
    hint = _text(GAP, height - 14, _HINT, f'fill="{colors["muted"]}"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{x:g}" height="{height:g}" '
        f'viewBox="0 0 {x:g} {height:g}" font-family="system-ui,sans-serif" font-size="12" '
        f'fill="{colors["ink"]}"><rect width="100%" height="100%" fill="{colors["background"]}"/>'
        f"{title}{''.join(parts)}{hint}</svg>"
    )


_HINT = "The last epoch. The controls need scripts: in a notebook, trust it and run the cell again."


def _state(data: dict[str, Any]) -> str:
    parts = [f"epoch {data['epochs'][-1]}", f"loss {_number(data['loss'][-1])}"]
    if "right" in data:
        parts.append(f"{data['right'][-1]} of {data['total']} right")
    return " · ".join(parts)


def _plane(data: dict[str, Any]) -> Iterator[str]:
    """The plane as runs of equal shades, and the samples on it."""
    plane, side, cell = data["plane"], data["plane"]["side"], SIDE / data["plane"]["side"]
    codes = base64.b64decode(plane["codes"][-1])
    shapes: dict[str, list[str]] = {}
    for j in range(side):
        x = 0
        shades = [_shade(data, code) for code in codes[j * side : (j + 1) * side]]
        for shade, run in itertools.groupby(shades):
            n = len(list(run))
            shape = f"M{x * cell:g} {SIDE - (j + 1) * cell:g}h{n * cell:g}v{cell:g}h{-n * cell:g}"
            shapes.setdefault(shade, []).append(shape)
            x += n
    for shade, parts in shapes.items():
        yield f'<path shape-rendering="crispEdges" {shade} d="{"".join(parts)}"/>'
    yield from _samples(data)


def _samples(data: dict[str, Any]) -> Iterator[str]:
    """The marks and their meaning."""
    (left, low), (right, high) = data["plane"]["from"], data["plane"]["to"]
    classes = data.get("classes") or [
        {"name": "", "color": data["colors"]["ink"], "mark": MARKS["o"]}
    ]
    for k, one in enumerate(classes):
        yield f'<g fill="{one["color"]}" stroke="{data["colors"]["background"]}">'
        yield f'<defs><path id="m{k}" d="{one["mark"]}"/></defs>'
        for (a, b), target in zip(data["samples"]["X"], data["samples"]["y"], strict=True):
            if target == k or "classes" not in data:
                x, y = (a - left) / (right - left) * SIDE, (high - b) / (high - low) * SIDE
                yield f'<use href="#m{k}" x="{x:.1f}" y="{y:.1f}"/>'
        yield "</g>"
        if k < 3 and one["name"]:
            yield f'<use href="#m{k}" x="{k * 100 + 6}" y="{SIDE + 16:g}" fill="{one["color"]}"/>'
            yield _text(k * 100 + 16, SIDE + 20, one["name"][:12])


def _shade(data: dict[str, Any], code: int) -> str:
    """The fill of a point."""
    if code == data["plane"]["unknown"]:
        return f'fill="{data["colors"]["muted"]}"'
    winner, shade = divmod(code, data["plane"]["levels"])
    table = data["shades"][winner]
    band = shade * len(table) // max(1, data["plane"]["levels"] - 1)
    return f'fill="{table[min(len(table) - 1, band)]}"'


def _curve(data: dict[str, Any]) -> Iterator[str]:
    """The loss over the epochs."""
    points = [
        (epoch, loss)
        for epoch, loss in zip(data["epochs"], data["loss"], strict=True)
        if isinstance(loss, float)
    ]
    yield _text(0, 10, "loss", 'font-weight="600"')
    if not points:
        return
    last = data["epochs"][-1] or 1
    logarithmic = min(loss for _, loss in points) > 0.0
    heights = [math.log10(loss) if logarithmic else loss for _, loss in points]
    low, high = min(heights), max(heights)
    step = (SIDE - 40) / ((high - low) or 1.0)
    line = " ".join(
        f"{epoch / last * SIDE:.1f},{SIDE - 10 - step * (h - low):.1f}"
        for (epoch, _), h in zip(points, heights, strict=True)
    )
    yield f'<path d="M0,20V{SIDE:g}H{SIDE:g}" fill="none" stroke="{data["colors"]["line"]}"/>'
    yield f'<polyline points="{line}" fill="none" stroke="{data["colors"]["ink"]}" '
    yield 'stroke-width="2"/>'
    x, y = line.split()[-1].split(",")
    yield f'<circle cx="{x}" cy="{y}" r="3.5"/>'  # of one epoch there is no line
    scale = "log scale, " if logarithmic else ""
    largest, least = max(p[1] for p in points), min(p[1] for p in points)
    yield _text(0, SIDE + 20, f"{scale}from {number(least)} to {number(largest)}", 'font-size="11"')


def _number(x: float | str | None) -> str:
    return "not recorded" if x is None else x if isinstance(x, str) else number(x)


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {more}>{html.escape(words)}</text>'
