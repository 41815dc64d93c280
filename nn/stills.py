"""The last epoch of a training stepper as one SVG: what stays where scripts are stripped."""

from __future__ import annotations

import base64
import html
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from autograd_engine.wording import number

__all__ = ["MARKS", "RAMP", "still"]

# one for each class, drawn around (0, 0)
MARKS = (
    "M-4,0A4,4 0 1 0 4,0A4,4 0 1 0 -4,0Z",  # circle
    "M-3.6,-3.6H3.6V3.6H-3.6Z",  # square
    "M0,-5L5,0L0,5L-5,0Z",  # diamond
    "M0,-4.8L4.6,3.6H-4.6Z",  # triangle
    "M0,4.8L4.6,-3.6H-4.6Z",  # and upside down
    "M-1.6,-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6Z",  # cross
)
RAMP = ("#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725")  # matplotlib's viridis, CC0
BANDS = 8
SIDE, GAP, TOP = 300.0, 30.0, 40.0
WIDEST_EDGE = 3.5


def still(data: dict[str, Any]) -> str:
    """What the page shows at its last epoch, without controls."""
    panels = [
        (SIDE, _plane(data) if "plane" in data else None),
        (1.3 * SIDE, _network(data) if "network" in data else None),
        (SIDE, [*_curve(data), *_gradients(data)]),
    ]
    colors, x, parts = data["colors"], GAP, []
    for width, panel in panels:
        if panel is not None:
            parts.append(f'<g transform="translate({x:g} {TOP:g})">{"".join(panel)}</g>')
            x += width + GAP
    height = TOP + SIDE + 3 * GAP
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
        {"name": "", "color": data["colors"]["ink"], "mark": MARKS[0]}
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
    plane = data["plane"]
    if code == 255:
        return f'fill="{data["colors"]["muted"]}"'
    if "classes" not in data:
        return f'fill="{RAMP[min(len(RAMP) - 1, code * len(RAMP) // 255)]}"'
    winner, lead = divmod(code, plane["levels"])
    band = int(lead / max(1, plane["levels"] - 1) * (BANDS - 0.001))
    return f'fill="{data["classes"][winner]["color"]}" fill-opacity="{0.1 + 0.06 * band:.2f}"'


def _network(data: dict[str, Any]) -> Iterator[str]:
    """Circles and edges; the width is the size of a weight, dashes are negative ones."""
    network, colors, numbers = data["network"], data["colors"], iter(data["numbers"][-1])
    drawn = network["drawn"]
    places = [[(x, y) for y in _spread(n)] for n, x in zip(drawn, _columns(drawn), strict=True)]
    largest = _largest(data["numbers"][-1])
    edges: dict[bool, list[str]] = {False: [], True: []}
    for layer, before, after in zip(network["layers"], places, places[1:], strict=False):
        for x1, y1 in after:
            for x0, y0 in before:
                weight = next(numbers)
                if isinstance(weight, float):
                    edges[weight < 0.0].append(_edge((x0, y0, x1, y1), abs(weight) / largest))
            if layer["bias"]:
                next(numbers)
    yield f'<g stroke="{colors["positive"]}">{"".join(edges[False])}</g>'
    yield f'<g stroke="{colors["negative"]}" stroke-dasharray="4 3">{"".join(edges[True])}</g>'
    for x, y in itertools.chain(*places):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colors["interior"]}" '
        yield f'stroke="{colors["line"]}"/>'
    for (x, _), n in zip([column[0] for column in places], network["sizes"], strict=True):
        yield _text(x, SIDE + 20, str(n), 'text-anchor="middle"')


def _columns(drawn: Sequence[int]) -> list[float]:
    return [20 + (1.3 * SIDE - 40) * i / (len(drawn) - 1) for i in range(len(drawn))]


def _spread(n: int) -> list[float]:
    gap = min(40.0, SIDE / n)
    return [SIDE / 2 + (i - (n - 1) / 2) * gap for i in range(n)]


def _largest(numbers: Sequence[Any]) -> float:
    return max([abs(x) for x in numbers if isinstance(x, float)], default=0.0) or 1.0


def _edge(ends: tuple[float, ...], size: float) -> str:
    x0, y0, x1, y1 = ends
    width, opacity = 0.4 + (WIDEST_EDGE - 0.4) * size, 0.25 + 0.65 * size
    return (
        f'<path d="M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}" '
        f'stroke-width="{width:.1f}" opacity="{opacity:.2f}"/>'
    )


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
    line = " ".join(
        f"{epoch / last * SIDE:.1f},{150 - 125 * (h - low) / ((high - low) or 1.0):.1f}"
        for (epoch, _), h in zip(points, heights, strict=True)
    )
    yield f'<path d="M0,20V155H{SIDE:g}" fill="none" stroke="{data["colors"]["line"]}"/>'
    yield f'<polyline points="{line}" fill="none" stroke="{data["colors"]["ink"]}" '
    yield 'stroke-width="2"/>'
    scale = "log scale, " if logarithmic else ""
    largest, least = max(p[1] for p in points), min(p[1] for p in points)
    yield _text(0, 172, f"{scale}from {number(least)} to {number(largest)}", 'font-size="11"')


def _gradients(data: dict[str, Any]) -> Iterator[str]:
    gradients = data["gradients"]
    yield _text(0, 200, "gradient, root mean square", 'font-weight="600"')
    lines = list(zip(gradients["names"], gradients["sizes"][-1], strict=True))
    for i, (name, size) in enumerate(lines[:6]):
        yield _text(0, 220 + 17 * i, name)
        yield _text(SIDE, 220 + 17 * i, _number(size), 'text-anchor="end"')


def _number(x: float | str | None) -> str:
    return "not recorded" if x is None else x if isinstance(x, str) else number(x)


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {more}>{html.escape(words)}</text>'
