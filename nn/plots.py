"""Plots of training, as matplotlib figures; matplotlib is in the extra `plot`.

Figures are returned, never shown: save them, or let the notebook display them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nn.data import matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["decision_boundary", "loss_curve"]

CLASS_COLORS = ("#1D4ED8", "#B91C1C", "#15803D", "#B45309", "#7E22CE", "#0E7490")
CLASS_MARKERS = "osD^vP"
GRID = 60
LONGEST_NAME = 30


def loss_curve(loss: Sequence[float], *, title: str = "loss") -> Figure:
    """The mean loss of each epoch on a logarithmic scale (linear where it reaches 0)."""
    figure, axes = _figure()
    axes.plot(range(1, len(loss) + 1), loss, color="#2563EB", marker="o" if len(loss) == 1 else "")
    axes.set(
        title=_plain(title),
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
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * np.where(high > low, high - low, 1.0)
    axis0, axis1 = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    plane = [[float(a), float(b)] for b in axis1 for a in axis0]
    outputs = np.array(predict(plane), dtype=float)
    figure, axes = _figure()
    if outputs.ndim == 1:
        shade = outputs.reshape(GRID, GRID)
        _draw_numbers(axes, (axis0, axis1, shade), points, np.array(y, dtype=float), classes)
    else:
        scores = outputs.T.reshape(-1, GRID, GRID)
        _draw_classes(axes, (axis0, axis1, scores), points, np.array(y, dtype=int), classes)
    axes.set(xlabel=_plain(names[0]), ylabel=_plain(names[1]), title=_plain(title))
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
            axes.contourf(*plane[:2], lead, levels=levels, colors=[_color(i)], alpha=0.25)
    _scatter(axes, points, y, classes or [f"class {i}" for i in range(k)])


def _scatter(axes: Axes, points: Any, y: Any, classes: Sequence[str]) -> None:
    markers = [CLASS_MARKERS[(i + i // 6) % 6] for i in range(len(classes))]
    handles = [
        axes.scatter(*points[y == i].T, color=_color(i), marker=marker, edgecolors="white")
        for i, marker in enumerate(markers)
    ]
    axes.legend(handles, [_plain(name) for name in classes])


def _color(i: int) -> str:
    return CLASS_COLORS[i % len(CLASS_COLORS)]


def _plain(name: str) -> str:
    """A name as it is, short enough for a plot: a dollar sign must not start mathematics."""
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
    return short.replace("$", r"\$")


def _figure() -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            'plots need matplotlib; install the extra: pip install -e ".[plot]"'
        ) from None
    figure = Figure(figsize=(6.0, 4.5), dpi=100, layout="constrained")
    return figure, figure.add_subplot()
