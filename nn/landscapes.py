"""The error of one or two weights as a landscape, and the steps of gradient descent on it.

Figures of matplotlib, returned and never shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from autograd_engine import Value, no_grad, value_and_grad
from nn.data import finite
from nn.palette import color, marker
from nn.plots import CURVE_COLOR, SLOPE_COLOR, curve_grid, plain, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["error_curve", "valley"]

SHADES, LINE_COLOR = "Blues", "#64748B"
VALLEY_POINTS = 60
LEVELS = 16
MARGIN = 0.08
TANGENT = 0.16  # half its length, as a part of the frame
APART = 0.05  # numbers of steps keep this distance, as a part of the frame
FAR = 1e6  # frames: where a step leads further, only its direction is drawn

_Span = tuple[float, float]
_Point = tuple[float, float]
_Error = Callable[[list[Any]], Any]


def error_curve(
    error: Callable[[Any], Any],
    start: float | Sequence[float],
    *,
    lr: float | Sequence[float],
    steps: int = 10,
    span: _Span | None = None,
    title: str = "",
) -> Figure:
    """The curve E(w) of one weight, and w <- w - lr dE/dw on it, step by step.

    A small `lr` creeps, a large one overshoots or diverges; a start in another valley ends in a
    local minimum. Points carry the number of their step. A path that leaves the frame ends there,
    and the legend says so.

    Parameters
    ----------
    error : callable
        E(w) of one weight, written with operators and primitives.
    start : float or sequence of float
        Where descent begins; several starts share the curve.
    lr : float or sequence of float
        The learning rate, above 0; several make a panel each.
    steps : int
        How many steps to take.
    span : (float, float) or None
        The weights to show. None: from each start to the opposite slope of its valley, and the
        path as far as it stays near.
    title : str
        Above the figure.

    Raises
    ------
    ValueError
        For a learning rate, a number of steps or a start out of range, or an error that is not
        finite at a start.

    Examples
    --------
    >>> from nn import error_curve
    >>> figure = error_curve(lambda w: w**2, 3.0, lr=[0.1, 0.5, 1.05])
    >>> [axes.get_title() for axes in figure.axes]
    ['learning rate 0.1', 'learning rate 0.5', 'learning rate 1.05']
    """

    def of_list(w: list[Any]) -> Any:
        return error(w[0])

    starts = [finite(w, "error_curve: start") for w in _listed(start)]
    rates = _listed(lr)
    if not starts or not rates:
        raise ValueError("error_curve: needs at least one start and one learning rate")
    rows = [[_descend("error_curve", of_list, [w], rate, steps) for w in starts] for rate in rates]
    figure, panels = subplots(len(rates))
    for axes, rate, paths in zip(panels, rates, rows, strict=True):
        grid = curve_grid(span or _stretch(of_list, paths), "error_curve: span")
        curve = [_error_at(of_list, [w]) for w in grid]
        limits = _limits(curve, [path.errors[0] for path in paths])
        axes.set(xlim=(grid[0], grid[-1]), ylim=limits, xlabel="w", ylabel="E(w)")
        axes.set_title(f"learning rate {rate:g}")
        axes.plot(grid, [e if math.isfinite(e) else math.nan for e in curve], color=CURVE_COLOR)
        _draw_descents(axes, paths)
    if title:
        figure.suptitle(plain(title))
    return figure


def valley(
    error: Callable[[list[Any]], Any],
    start: Sequence[float],
    *,
    lr: float,
    steps: int = 30,
    span: tuple[_Span, _Span] | None = None,
    title: str = "",
) -> Figure:
    """The error of two weights from above, as contour lines, and as a surface, with the path down.

    Parameters
    ----------
    error : callable
        E(w) of a list of two weights, `w[0]` and `w[1]`.
    start : (float, float)
        Where descent begins.
    lr, steps, title
        As in `error_curve`, with one learning rate.
    span : ((float, float), (float, float)) or None
        The range of each weight to show. None: around the lowest point of the path, so wide that
        start and path are in it, as far as the path stays near.

    Raises
    ------
    ValueError
        As `error_curve` does.

    Examples
    --------
    >>> from nn import valley
    >>> figure = valley(lambda w: w[0] ** 2 + 4.0 * w[1] ** 2, (3.0, 2.0), lr=0.05)
    >>> len(figure.axes)  # from above, and as a surface
    2
    """
    import numpy as np

    begin = [finite(w, "valley: start") for w in start]
    if len(begin) != 2 or (span is not None and len(span) != 2):
        raise ValueError(f"valley: start and span need two entries, got {start!r} and {span!r}")
    descent = _descend("valley", error, begin, lr, steps)
    ends = [curve_grid(s, "valley: span") for s in span or _around_lowest(error, descent)]
    sides = [np.linspace(s[0], s[-1], VALLEY_POINTS) for s in ends]
    plane = np.array([[_error_at(error, [a, b]) for a in sides[0]] for b in sides[1]])
    limits = _limits(plane.ravel().tolist(), [descent.errors[0]])
    heights = np.where(np.isfinite(plane), np.clip(plane, *limits), np.nan)
    figure, _ = subplots(0)
    figure.set_size_inches(11.0, 4.8)
    inside = _draw_contours(figure.add_subplot(1, 2, 1), sides, heights, descent)
    surface = figure.add_subplot(1, 2, 2, projection="3d")
    _draw_surface(surface, sides, heights, descent, inside)
    if title:
        figure.suptitle(plain(title))
    return figure


# --- descent ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Descent:
    """Points from the start on, their errors and slopes; `finite` says whether it came to an end.

    Otherwise the next step leads to an error, or from a slope, that is nan or infinite.
    """

    points: list[list[float]]
    errors: list[float]
    slopes: list[list[float]]
    finite: bool


def _descend(name: str, error: _Error, start: list[float], lr: Any, steps: Any) -> _Descent:
    """w <- w - lr dE/dw, as long as everything is finite."""
    if not 0.0 < finite(lr, f"{name}: lr"):
        raise ValueError(f"{name}: lr must be above 0, got {lr!r}")
    if not isinstance(steps, Integral) or isinstance(steps, bool) or steps < 1:
        raise ValueError(f"{name}: steps must be a whole number of at least 1, got {steps!r}")
    path = _Descent([], [], [], True)
    differentiated, w = value_and_grad(error), start
    for _ in range(int(steps) + 1):
        with no_grad():  # an error that uses a model's weights gives Values otherwise
            value, slope = differentiated(w)
        value, slope = float(value), [float(s) for s in slope]
        if not all(map(math.isfinite, [value, *slope, *w])):
            if not path.points:
                raise ValueError(
                    f"{name}: at the start {start} the error is {value} with slope {slope}; "
                    "begin where both are finite"
                )
            return _Descent(path.points, path.errors, path.slopes, False)
        path.points.append(w)
        path.errors.append(value)
        path.slopes.append(slope)
        w = [x - lr * s for x, s in zip(w, slope, strict=True)]
    return path


def _error_at(error: _Error, w: Iterable[float]) -> float:
    """E as a number; of Values, because E may use their methods."""
    with no_grad():
        return float(error([Value(float(x)) for x in w]))


def _listed(x: Any) -> list[Any]:
    return list(x) if hasattr(x, "__len__") and not isinstance(x, str) else [x]


# --- what to show ---------------------------------------------------------------


def _opposite(error: _Error, path: _Descent) -> list[float]:
    """Where the error is again as large as at the start, straight on beyond the valley.

    The start itself where the ground is level, or falls without end.
    """
    start, slope = path.points[0], path.slopes[0]
    norm, scale = math.hypot(*slope), max(1.0, *map(abs, start))
    distance = 1e-3 * scale
    while norm and distance < 100.0 * scale:
        w = [x - distance * s / norm for x, s in zip(start, slope, strict=True)]
        if not _error_at(error, w) < path.errors[0]:
            return w
        distance *= 1.1
    return start


def _stretch(error: _Error, paths: list[_Descent]) -> _Span:
    """What to show of a single weight."""
    ends = [w[0] for path in paths for w in (path.points[0], _opposite(error, path))]
    width = max(ends) - min(ends) or 10.0 * max(map(_first_step, paths)) or 1.0
    near = min(ends) - width, max(ends) + width
    shown = ends + [w for path in paths for (w,) in path.points if near[0] <= w <= near[1]]
    margin = MARGIN * (max(shown) - min(shown)) or width
    return min(shown) - margin, max(shown) + margin


def _first_step(path: _Descent) -> float:
    return abs(path.points[min(1, len(path.points) - 1)][0] - path.points[0][0])


def _around_lowest(error: _Error, path: _Descent) -> list[_Span]:
    """What to show of two weights: the lowest point of the path is the middle."""
    _, middle = min(zip(path.errors, path.points, strict=True))
    ends = [path.points[0], _opposite(error, path)]
    reach = [max(abs(w[i] - middle[i]) for w in ends) for i in (0, 1)]
    widest = max(reach) or 1.0
    spans = []
    for i in (0, 1):
        near = [abs(w[i] - middle[i]) for w in path.points if abs(w[i] - middle[i]) <= 2.0 * widest]
        half = (1.0 + 2.0 * MARGIN) * max(*near, reach[i], 0.4 * widest)
        spans.append((middle[i] - half, middle[i] + half))
    return spans


def _limits(errors: list[float], starts: list[float]) -> _Span:
    """What to show of the error: the starts, and all of it but what towers above the rest."""
    known = sorted([e for e in errors if math.isfinite(e)]) or starts
    tenth, most = known[len(known) // 10], known[len(known) * 9 // 10]
    low = min(*starts, max(known[0], tenth - 3.0 * (most - tenth)))
    high = max(*starts, min(known[-1], most + 3.0 * (most - tenth)))
    margin = MARGIN * (high - low) or 1.0
    return low - margin, high + margin


# --- drawing ---------------------------------------------------------------


def _draw_descents(axes: Axes, paths: list[_Descent]) -> None:
    """Each path on the curve, the tangent at its start, and in the legend where it leads."""
    taken: list[_Point] = []
    for i, path in enumerate(paths):
        points = [(w, e) for (w,), e in zip(path.points, path.errors, strict=True)]
        inside = _draw_path(axes, points, i, taken)
        _draw_tangent(axes, points[0], path.slopes[0][0])
        axes.plot([], [], **_style(i), label=_outcome(path, inside))
    axes.plot([], [], color=SLOPE_COLOR, linestyle="--", label="first tangent")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9, frameon=False)


def _outcome(path: _Descent, inside: int) -> str:
    """Where a path leads, in words."""
    begin, steps = _written(path.points[0]), len(path.points) - 1
    if inside <= steps:
        return f"from {begin}: leaves the frame at step {inside}"
    if not path.finite:
        return f"from {begin}: not finite at step {steps + 1}"
    end = f"w = {_written(path.points[-1])}, E = {path.errors[-1]:.3g}"
    return f"from {begin}: {steps} step{'s' * (steps != 1)} to {end}"


def _written(w: list[float]) -> str:
    numbers = ", ".join([f"{x:.3g}" for x in w])
    return numbers if len(w) == 1 else f"({numbers})"


def _draw_path(axes: Axes, points: list[_Point], i: int, taken: list[_Point]) -> int:
    """Marks, arrows and numbers, up to where the path leaves the frame.

    Returns how many points are inside. Near numbers that are `taken` there are no others.
    """
    frame = axes.get_xlim(), axes.get_ylim()
    inside = next((k for k, p in enumerate(points) if not _contains(frame, p)), len(points))
    shown = points[:inside]
    ends = [*shown[1:], *(_exit(frame, shown[-1], p) for p in points[inside : inside + 1])]
    for a, b in zip(shown, ends, strict=False):
        if _distance(frame, a, b) > 0.3 * APART:
            arrow = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 2, "shrinkB": 2}
            axes.annotate("", b, a, arrowprops={**arrow, "color": _style(i)["color"], "zorder": 3})
    axes.plot(*zip(*shown, strict=True), **{**_style(i), "linestyle": ""}, zorder=4)
    for k, point in enumerate(shown):
        if all(_distance(frame, point, other) > APART for other in taken):
            taken.append(point)
            _write_number(axes, k, point)
    return inside


def _style(i: int) -> dict[str, Any]:
    """Of path i; the colour of classes that comes first is too much like that of the curve."""
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 5.5}
    return {"color": color(i + 1), "marker": marker(i), "linewidth": 1.2, **edge}


def _write_number(axes: Axes, k: int, point: _Point) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    place: dict[str, Any] = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
    axes.annotate(str(k), point, **place, fontsize=8, zorder=5, path_effects=halo)


def _draw_tangent(axes: Axes, point: _Point, slope: float) -> None:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    half = TANGENT / math.hypot(1.0 / (right - left), slope / (high - low))
    ends = [point[0] - half, point[0] + half], [point[1] - slope * half, point[1] + slope * half]
    axes.plot(*ends, color=SLOPE_COLOR, linestyle="--", linewidth=1.8, zorder=2)


def _contains(frame: tuple[_Span, _Span], point: _Point) -> bool:
    return all(low <= x <= high for (low, high), x in zip(frame, point, strict=True))


def _exit(frame: tuple[_Span, _Span], inner: _Point, outer: _Point) -> _Point:
    """Where the line between two points leaves the frame."""
    part, ways = 1.0, []
    for (low, high), a, b in zip(frame, inner, outer, strict=True):
        reach = FAR * (high - low)
        ways.append(max(low - reach, min(high + reach, b)) - a)
        if not low <= b <= high:
            part = min(part, ((high if b > high else low) - a) / ways[-1])
    return inner[0] + part * ways[0], inner[1] + part * ways[1]


def _distance(frame: tuple[_Span, _Span], a: _Point, b: _Point) -> float:
    """In parts of the frame."""
    return math.hypot(
        *[(y - x) / (high - low) for (low, high), x, y in zip(frame, a, b, strict=True)]
    )


def _draw_contours(axes: Axes, sides: list[Any], heights: Any, path: _Descent) -> int:
    """Lines of equal error, and the path; returns how many of its points are inside."""
    import numpy as np
    from matplotlib import colormaps

    levels = _levels(heights)
    if len(levels) > 1:  # else the ground is level
        shade = colormaps[SHADES](np.linspace(0.0, 0.9, len(levels) - 1))
        axes.contourf(*sides, heights, levels=levels, colors=shade)
        line: dict[str, Any] = {"colors": LINE_COLOR, "linestyles": "solid", "linewidths": 0.7}
        axes.contour(*sides, heights, levels=levels, **line)
    axes.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]], xlabel="w0", ylabel="w1")
    points = [(a, b) for a, b in path.points]
    inside = _draw_path(axes, points, 0, [])
    axes.set_title(_outcome(path, inside), fontsize=10)
    return inside


def _draw_surface(axes: Any, sides: list[Any], heights: Any, path: _Descent, inside: int) -> None:
    """The same shades on a surface, and the path over it."""
    import numpy as np
    from matplotlib import colormaps

    levels = _levels(heights)
    shade = colormaps[SHADES](np.interp(heights, levels, np.linspace(0.0, 0.9, len(levels))))
    axes.computed_zorder = False  # the path goes over the surface
    surface = {"facecolors": shade, "edgecolor": LINE_COLOR, "linewidth": 0.15, "shade": False}
    axes.plot_surface(
        *np.meshgrid(*sides), heights, rcount=VALLEY_POINTS, ccount=VALLEY_POINTS, **surface
    )
    axes.plot(*zip(*path.points[:inside], strict=True), path.errors[:inside], **_style(0), zorder=5)
    axes.set(xlabel="w0", ylabel="w1", zlabel="E")
    axes.locator_params(nbins=5)


def _levels(heights: Any) -> Any:
    """Errors with equally much ground between them: a long flat valley gets lines too."""
    import numpy as np

    return np.unique(np.nanquantile(heights, np.linspace(0.0, 1.0, LEVELS)))
