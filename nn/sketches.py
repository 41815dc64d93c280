"""The sketch of a network: neurons as circles in columns, weights as edges between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from autograd_engine import Value
from autograd_engine.themes import Theme
from autograd_engine.wording import number, printable, signed
from nn.passes import Run, blank, colored_gradient, plain_text

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["draw_neurons"]

MOST_LABELS = 40  # weights that are written on their edges; of larger networks hover to read them
MOST_NEURONS = 16  # of a layer; larger ones are shown by their first and last
FIRST, LAST = 8, 4
DOTS = -1  # in the place of a neuron: those that are not shown

WIDEST = 3.0  # edge, in points
RADIUS = 0.38  # lengths in inches
LABEL_WIDTH, LABEL_HEIGHT = 0.6, 0.21
CLEAR = 0.08


@dataclass(frozen=True, slots=True)
class _Column:
    """Where the neurons of a layer, or the inputs, are; `dots` stands for those that are not."""

    x: float
    y: dict[int, float]
    dots: float | None
    count: int


def draw_neurons(run: Run, colors: Theme) -> Picture:
    """Circles in columns, at fixed places, so that numbers on edges have room."""
    picture = blank(run, colors, layout="neato", outputorder="edgesfirst", splines="line")
    numbered = _is_numbered(run.widths)
    columns = _columns(run.widths, numbered)
    largest = max([abs(p.data) for p in run.model.parameters() if math.isfinite(p.data)] or [1.0])
    for k, layer in enumerate(run.model.layers):
        between = columns[k], columns[k + 1]
        for i, j in _pairs(*between):
            w = layer.neurons[j].w[i]
            look = _edge(w.data, largest or 1.0, WIDEST if numbered else WIDEST / 2, colors)
            tip = f"layer {k}, neuron {j}, weight {i}: {_with_gradient(w, run)}"
            picture.edge(f"n{k}_{i}", f"n{k + 1}_{j}", arrowhead="none", tooltip=tip, **look)
            if numbered:
                _write(picture, signed(w.data), _label_place(*between, i, j), look["color"], colors)
    for k, column in enumerate(columns):
        _draw_column(picture, run, k, column, colors, numbered)
    _write_texts(picture, run, columns, colors)
    return picture


def _is_numbered(widths: list[int]) -> bool:
    weights = sum(n * m for n, m in pairwise(widths))
    return weights <= MOST_LABELS and max(widths) <= MOST_NEURONS


def _columns(widths: list[int], numbered: bool) -> list[_Column]:
    """Each layer spread over the height; where numbers stand on edges, it is enough for them."""
    slots = [_slots(n) for n in widths]
    height = max(map(len, slots)) * (1.15 if numbered else 0.85)
    if numbered:
        needed = [LABEL_HEIGHT * max(pair) * (min(pair) + 1) for pair in pairwise(widths)]
        height = max(height, *needed)
    columns, x = [], 0.0
    for k, row in enumerate(slots):
        if k and numbered:
            part = _label_part(widths[k - 1], widths[k])
            x += max(2.2, (RADIUS + LABEL_WIDTH / 2 + CLEAR) / min(part, 1.0 - part))
        elif k:
            x += max(1.8, 0.3 * height)
        step = height / len(row)
        y = {i: ((len(row) - 1) / 2 - place) * step for place, i in enumerate(row)}
        dots = y.pop(DOTS, None)
        columns.append(_Column(x, y, dots, widths[k]))
    return columns


def _slots(n: int) -> list[int]:
    """The neurons that are shown, from above, and a place for the dots."""
    return list(range(n)) if n <= MOST_NEURONS else [*range(FIRST), DOTS, *range(n - LAST, n)]


def _pairs(left: _Column, right: _Column) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in left.y for j in right.y)


def _label_part(n: int, m: int) -> float:
    """At which part of the way from n neurons to m the numbers on edges are equally far apart.

    Where all edges cross the line at this part of the way, those of a neuron on the side with fewer
    are next to each other.
    """
    return 1 / (1 + n) if n <= m else m / (1 + m)


def _label_place(left: _Column, right: _Column, i: int, j: int) -> tuple[float, float]:
    part = _label_part(left.count, right.count)
    return (
        left.x + part * (right.x - left.x),
        left.y[i] + part * (right.y[j] - left.y[i]),
    )


def _edge(w: float, largest: float, widest: float, colors: Theme) -> dict[str, str]:
    """How the edge of a weight looks."""
    if not math.isfinite(w):
        return {"color": colors.warning, "style": "dotted", "penwidth": "2"}
    if w == 0.0:
        return {"color": colors.muted, "style": "dotted", "penwidth": "0.5"}
    width = f"{0.4 + widest * abs(w) / largest:.2f}"
    color, style = (colors.positive, "solid") if w > 0.0 else (colors.negative, "dashed")
    return {"color": color, "style": style, "penwidth": width}


def _draw_column(
    picture: Picture, run: Run, k: int, column: _Column, colors: Theme, numbered: bool
) -> None:
    """The circles of the inputs (k = 0) or of layer k - 1."""
    last = len(run.widths) - 1
    for i, y in column.y.items():
        fill = colors.input if k == 0 else colors.output if k == last else colors.interior
        neuron = run.model.layers[k - 1].neurons[i] if k else None
        picture.node(
            f"n{k}_{i}",
            _inside(run, k, i, neuron.activation if neuron else f"x{i}", colors),
            shape="circle",
            fixedsize="true",
            width=f"{2 * RADIUS}",
            style="filled",
            fillcolor=fill,
            color=colors.line,
            tooltip=_tooltip(run, k, i),
            pos=_pos(column.x, y),
        )
        if neuron and neuron.b is not None and numbered:
            place = column.x, y - RADIUS - 0.11
            _write(picture, f"b {signed(neuron.b.data)}", place, colors.muted, colors)
        if not k and run.columns:
            _write(picture, f"x{i}", (column.x - RADIUS - 0.2, y), colors.muted, colors)
    if column.dots is not None:
        hidden = f"· · ·\n{column.count - len(column.y):,} more\n· · ·"
        _write(picture, hidden, (column.x, column.dots), colors.muted, colors)


def _inside(run: Run, k: int, i: int, name: str, colors: Theme) -> str:
    """What is written in a circle: activation and gradient, else what the neuron computes."""
    if not run.columns:
        return plain_text(printable(name, 10))
    value = run.columns[k][i]
    if run.result is None:
        return number(value.data)
    return f"<{number(value.data)}<BR/>{colored_gradient(value.grad, colors)}>"


def _tooltip(run: Run, k: int, i: int) -> str:
    text = f"layer {k - 1}, neuron {i}" if k else f"x{i}"
    if run.columns:
        text += f": {_with_gradient(run.columns[k][i], run)}"
    bias = run.model.layers[k - 1].neurons[i].b if k else None
    return text if bias is None else f"{text}; bias {_with_gradient(bias, run)}"


def _with_gradient(value: Value, run: Run) -> str:
    return f"{value.data!r}" + (f", grad {value.grad!r}" if run.result is not None else "")


def _write_texts(picture: Picture, run: Run, columns: list[_Column], colors: Theme) -> None:
    """Headings above the columns, and below them how to read the picture."""
    ends = [y for column in columns for y in column.y.values()]
    names = ["inputs"] + [
        f"layer {k}\n{len(layer.neurons):,} × {layer.neurons[0].activation}"
        for k, layer in enumerate(run.model.layers)
    ]
    for column, name in zip(columns, names, strict=True):
        _write(picture, name, (column.x, max(ends) + 0.75), colors.ink, colors, size="11")
    lines = ["weights: solid above 0, dashed below 0, wider the larger"]
    if run.result is not None:
        lines.append(f"in a circle: its output, below it the gradient of the {run.result_name}")
    elif run.columns:
        lines.append(f"in a circle: its output; {run.result_name}")
    middle = columns[-1].x / 2, min(ends) - 0.9
    _write(picture, "\n".join(lines), middle, colors.muted, colors)


def _write(
    picture: Picture,
    text: str,
    place: tuple[float, float],
    color: str,
    colors: Theme,
    size: str = "9",
) -> None:
    """A text with room around it, over the edges."""
    picture.node(
        f"t{len(picture.body)}",
        plain_text(text),
        shape="box",
        tooltip=plain_text(text),
        style="filled",
        penwidth="0",
        fillcolor=colors.background,
        fontcolor=color,
        fontsize=size,
        margin="0.03,0.01",
        width="0",
        height="0",
        pos=_pos(*place),
    )


def _pos(x: float, y: float) -> str:
    return f"{x:.3f},{y:.3f}!"
