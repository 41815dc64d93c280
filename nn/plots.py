"""Plots of training and of activations, as matplotlib figures; matplotlib is in the extra `plot`.

Figures are returned, never shown: save them, or let the notebook display them.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from autograd_engine import no_grad, value_and_grad
from nn.data import finite, matrix
from nn.layers import Activation, Neuron
from nn.palette import color, marker
from nn.planes import GRID, grid_over

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "activation_curves",
    "curve_grid",
    "decision_boundary",
    "loss_curve",
    "plain",
    "subplots",
]

CURVE_COLOR, SLOPE_COLOR = "#2563EB", "#B45309"
CURVE_POINTS = 401
PANELS_IN_A_ROW = 3
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu")
LONGEST_NAME = 30


def loss_curve(loss: Sequence[float], *, title: str = "loss") -> Figure:
    """The mean loss of each epoch on a logarithmic scale (linear where it reaches 0)."""
    figure, (axes,) = subplots()
    dot = "o" if len(loss) == 1 else ""
    axes.plot(range(1, len(loss) + 1), loss, color=CURVE_COLOR, marker=dot)
    axes.set(
        title=plain(title),
        xlabel="epoch",
        ylabel="mean loss",
        yscale="log" if min(loss) > 0.0 else "linear",
    )
    axes.grid(alpha=0.3)
    return figure


def decision_boundary(
    predict: Callable[[list[list[float]]], list[Any]],
    X: Any,
    y: Sequence[Any],
    *,
    names: Sequence[str] = ("x0", "x1"),
    classes: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """What a model with two inputs says everywhere in the plane, and the samples.

    Parameters
    ----------
    predict : callable
        From rows (n, 2) to outputs, such as `model.predict`: one number each, or one per class.
    X, y : (n, 2) and (n,)
        The samples; y holds class indices where outputs are lists, else -1 and +1 or any numbers.
    names, classes : sequences of str
        For the axes and the legend.
    """
    import numpy as np

    points = np.array(matrix(X, "decision_boundary: X"))
    if points.shape[1] != 2:
        raise ValueError(f"decision_boundary: needs two inputs, got {points.shape[1]}")
    _, _, plane = grid_over(points)
    axis0, axis1 = plane[:GRID, 0], plane[::GRID, 1]
    outputs = np.array(predict(plane.tolist()), dtype=float)
    figure, (axes,) = subplots()
    if outputs.ndim == 1:
        shade = outputs.reshape(GRID, GRID)
        _draw_numbers(axes, (axis0, axis1, shade), points, np.array(y, dtype=float), classes)
    else:
        scores = outputs.T.reshape(-1, GRID, GRID)
        _draw_classes(axes, (axis0, axis1, scores), points, np.array(y, dtype=int), classes)
    axes.set(xlabel=plain(names[0]), ylabel=plain(names[1]), title=plain(title))
    return figure


def _draw_numbers(
    axes: Axes, plane: tuple[Any, Any, Any], points: Any, y: Any, classes: Sequence[str] | None
) -> None:
    """One output: shaded by its value; with targets -1 and +1 also the line where it is 0."""
    import numpy as np

    if set(np.unique(y)) <= {-1.0, 1.0}:
        bound = max(float(np.abs(plane[2]).max()), 1e-9)
        axes.contourf(*plane, levels=np.linspace(-bound, bound, 21), cmap="RdBu_r")
        axes.contour(*plane, levels=[0.0], colors="black")
        _scatter(axes, points, (y > 0).astype(int), classes or ("-1", "+1"))
        return
    levels = np.linspace(min(plane[2].min(), y.min()), max(plane[2].max(), y.max()) + 1e-9, 21)
    shades = axes.contourf(*plane, levels=levels, cmap="viridis")
    axes.scatter(
        points[:, 0],
        points[:, 1],
        c=y,
        cmap="viridis",
        vmin=levels[0],
        vmax=levels[-1],
        edgecolors="white",
    )
    axes.figure.colorbar(shades, ax=axes)


def _draw_classes(
    axes: Axes, plane: tuple[Any, Any, Any], points: Any, y: Any, classes: Sequence[str] | None
) -> None:
    """One output per class: the region in which its score is the largest."""
    import numpy as np

    scores, k = plane[2], len(plane[2])
    for i in range(k):
        lead = scores[i] - np.delete(scores, i, axis=0).max(axis=0)
        if lead.max() > 0.0:
            levels = [0.0, float(lead.max()) + 1.0]
            axes.contourf(*plane[:2], lead, levels=levels, colors=[color(i)], alpha=0.25)
    _scatter(axes, points, y, classes or [f"class {i}" for i in range(k)])


def _scatter(axes: Axes, points: Any, y: Any, classes: Sequence[str]) -> None:
    handles = [
        axes.scatter(*points[y == i].T, color=color(i), marker=marker(i), edgecolors="white")
        for i in range(len(classes))
    ]
    axes.legend(handles, [plain(name) for name in classes])


def activation_curves(
    activations: Sequence[Activation] = ACTIVATIONS, *, span: tuple[float, float] = (-5.0, 5.0)
) -> Figure:
    """Each activation and its derivative, which the engine computes, in a panel each.

    Parameters
    ----------
    activations : sequence of str or callable
        As for `nn.Neuron`: "linear", primitives by name, or functions from Value to Value.
    span : (float, float)
        The inputs to show.

    Raises
    ------
    ValueError
        For an unknown activation, an empty sequence or an empty span.

    Examples
    --------
    >>> from nn import activation_curves
    >>> figure = activation_curves(["tanh", "relu"])
    >>> [axes.get_title() for axes in figure.axes]
    ['tanh', 'relu']
    """
    grid = curve_grid(span, "activation_curves: span")
    if isinstance(activations, str) or not activations:
        raise ValueError(
            f"activation_curves: expected a list of activations, got {activations!r}; "
            "write ['tanh', 'relu']"
        )
    neurons = [Neuron.from_weights([1.0], activation=a) for a in activations]  # checks them too
    figure, panels = subplots(len(neurons))
    for axes, neuron, activation in zip(panels, neurons, activations, strict=True):
        with no_grad():
            pairs = [value_and_grad(lambda x, f=neuron: f([x]))(x) for x in grid]
        heights = _broken([float(y) for y, _ in pairs])
        axes.plot(grid, heights, color=CURVE_COLOR, label="f(x)")
        slopes = _broken([float(slope) for _, slope in pairs])
        axes.plot(grid, slopes, color=SLOPE_COLOR, linestyle="--", label="f '(x)")
        for line in (axes.axhline, axes.axvline):
            line(0.0, color="#94A3B8", linewidth=0.8, zorder=0)
        name = getattr(activation, "__name__", activation)
        axes.set(title=plain(str(name)), xlim=(grid[0], grid[-1]))
        axes.grid(alpha=0.3)
    panels[0].legend()
    return figure


def _broken(heights: list[float]) -> list[float]:
    """With a gap where a curve jumps, as the derivative of relu: no line joins the two sides."""
    known = [y for y in heights if math.isfinite(y)] or [0.0]
    jump = max(0.1 * (max(known) - min(known)), 1e-9)
    return [
        b if abs(b - a) <= jump else math.nan
        for a, b in zip([heights[0], *heights], heights, strict=False)
    ]


def curve_grid(span: Sequence[float], name: str) -> list[float]:
    """Equally spaced numbers from one end of a span to the other, to draw a curve by.

    Raises
    ------
    ValueError
        When the span is not two finite numbers, the smaller first.
    """
    ends = [finite(x, name) for x in span]
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(f"{name} must be (low, high) with low < high, got {span!r}")
    low, high = ends
    return [low + (high - low) * i / (CURVE_POINTS - 1) for i in range(CURVE_POINTS)]


def plain(name: str) -> str:
    """A name as it is, short enough for a plot: a dollar sign must not start mathematics."""
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
    return short.replace("$", r"\$")


@functools.cache
def _shown_in_notebooks(figure: type[Figure]) -> type[Figure]:
    """A Figure that a notebook shows as a picture also without `%matplotlib inline`."""

    class Plot(figure):  # type: ignore[misc,valid-type]
        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png")
            return out.getvalue()

    return Plot


def subplots(panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure and the axes of its panels, at most three in a row; 0 for a figure to fill.

    Raises
    ------
    ImportError
        Without matplotlib; the message carries the remedy.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            'plots need matplotlib; install the extra: pip install -e ".[plot]"'
        ) from None
    rows = max(1, -(-panels // PANELS_IN_A_ROW))
    columns = max(1, -(-panels // rows))
    size = (6.0, 4.5) if panels == 1 else (4.0 * columns, 3.4 * rows)
    figure = _shown_in_notebooks(Figure)(figsize=size, dpi=100, layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(panels)]
