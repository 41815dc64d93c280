"""What a model says over the plane of its two inputs, at many moments of its training.

One byte holds a point: the winning class and by how much it leads (with one output, the sign and
the size), or how large the output is. A page draws the boundary from that between the points.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import autograd_engine
from autograd_engine import Value, no_grad
from nn.module import Module
from nn.training import class_of

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "GRID",
    "NOT_A_NUMBER",
    "Targets",
    "encoded",
    "grid_over",
    "outputs_at",
    "right",
    "targets_of",
]

GRID = 60  # points along each side
NOT_A_NUMBER = 255  # the byte of such an output; others are below
MARGIN = 0.15  # of the extent of the samples, on each side


@dataclass(frozen=True)
class Targets:
    """What the targets mean: `kind` is "signs", "classes" or "numbers"; `y` (n,) in that form.

    Signs are the classes 0 (negative) and 1 (positive).
    """

    kind: str
    y: np.ndarray[Any, Any]
    classes: int


def targets_of(y: Sequence[Any], outputs: int) -> Targets | None:
    """How `y` goes with a model of so many outputs; None: as neither classes nor single numbers."""
    import numpy as np

    if outputs > 1:
        try:
            indices = [_one_class(t, outputs, i) for i, t in enumerate(y)]
        except ValueError:
            return None
        return Targets("classes", np.array(indices), outputs)
    try:
        numbers = np.array(y, dtype=float).reshape(len(y))
    except (TypeError, ValueError):
        return None
    if np.isin(numbers, (-1.0, 1.0)).all():
        return Targets("signs", (numbers > 0).astype(int), 2)
    return Targets("numbers", numbers, 0)


def _one_class(target: Any, k: int, i: int) -> int:
    if hasattr(target, "__len__") and not isinstance(target, str):
        if min(target) < 0.0 or abs(sum(target) - 1.0) > 1e-9:
            raise ValueError("several numbers, and not the probabilities of classes")
    return class_of(target, k, i)


def outputs_at(
    model: Module, moments: Sequence[Sequence[float]], rows: np.ndarray[Any, Any]
) -> Iterator[np.ndarray[Any, Any]]:
    """The outputs (n, k) for rows (n, d) with the parameters of each moment."""
    import numpy as np

    predict: Callable[..., Any] = autograd_engine.compile(
        lambda parameters, x: model.with_parameters(parameters)(x), batched="x"
    )
    for moment in moments:
        try:
            with no_grad():
                outputs = predict(list(moment), rows)
            columns = outputs if isinstance(outputs, list | tuple) else [outputs]
            yield np.stack([np.broadcast_to(column, len(rows)) for column in columns], axis=1)
        except (AttributeError, TypeError, ValueError):  # it cannot be compiled: sample by sample
            here = model.with_parameters([Value(x) for x in moment])
            yield np.array(here.predict(rows.tolist()), dtype=float).reshape(len(rows), -1)


def grid_over(X: np.ndarray[Any, Any]) -> tuple[list[float], list[float], np.ndarray[Any, Any]]:
    """The lower left and upper right corner around the samples, and the points in between.

    Points are (GRID * GRID, 2), the first coordinate running fastest.
    """
    import numpy as np

    low, high = X.min(axis=0), X.max(axis=0)
    single = np.maximum(1.0, np.abs(low))  # the extent of a column of equal numbers
    margin = MARGIN * np.where(high > low, high - low, single)
    sides = [np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1)]
    across, up = np.meshgrid(*sides)
    corners = [[float(side[end]) for side in sides] for end in (0, -1)]
    return corners[0], corners[1], np.stack([across.ravel(), up.ravel()], axis=1)


def right(targets: Targets, outputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which samples have the right sign or class."""
    import numpy as np

    if targets.kind == "signs":
        return np.asarray(outputs[:, 0] * (2 * targets.y - 1) > 0)
    return np.asarray((outputs.argmax(axis=1) == targets.y) & np.isfinite(outputs).all(axis=1))


def encoded(targets: Targets, planes: Sequence[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Outputs over the grid as text, a byte a point, all on the same scale.

    A byte is `class * levels + shade`, or NOT_A_NUMBER. Of classes the shade is the lead, from 0
    to `levels - 1` for `high` or more; numbers are one class, with shades from `low` to `high`.
    """
    import numpy as np

    stack = np.array(planes)
    known = np.isfinite(stack).all(axis=2)
    stack = np.where(known[:, :, None], stack, 0.0)
    if targets.kind == "numbers":
        sizes = stack[:, :, 0]
        most = np.percentile(sizes[known], (2, 98)) if known.any() else []
        low, high = _span(np.concatenate([most, targets.y]))
        levels = NOT_A_NUMBER
        bytes_ = (levels - 1) * np.clip((sizes - low) / (high - low), 0.0, 1.0) + 0.5
    else:
        winner, lead = _leads(targets, stack)
        levels = NOT_A_NUMBER // targets.classes
        low, high = 0.0, (float(np.percentile(lead[known], 90)) if known.any() else 0.0) or 1.0
        bytes_ = winner * levels + np.floor(np.minimum(lead / high, 1.0) * (levels - 1) + 0.5)
    codes = np.where(known, bytes_, NOT_A_NUMBER).astype(np.uint8)
    texts = [base64.b64encode(frame.tobytes()).decode() for frame in codes]
    unknown = None if known.all() else NOT_A_NUMBER  # the byte, if there are any
    return {"codes": texts, "levels": levels, "low": low, "high": high, "unknown": unknown}


def _leads(targets: Targets, stack: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The winning class of each point, and how far its score is above the next."""
    import numpy as np

    if targets.kind == "signs":
        return (stack[:, :, 0] > 0).astype(int), np.abs(stack[:, :, 0])
    ordered = np.sort(stack, axis=2)
    return stack.argmax(axis=2), ordered[:, :, -1] - ordered[:, :, -2]


def _span(numbers: np.ndarray[Any, Any]) -> tuple[float, float]:
    low, high = float(numbers.min()), float(numbers.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)
