"""Losses for one sample: `loss(output, target)`, small when the output fits.

An output is what a model returns: one Value, or a list of Values. `fit` averages over samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import autograd_engine
from autograd_engine import Value, dot, logsumexp, relu, where

__all__ = ["half_squared_error", "hinge", "softmax_cross_entropy", "squared_error"]


def squared_error(output: Any, target: Any) -> Value:
    """(output - target)^2, added up over the outputs.

    Raises
    ------
    ValueError
        When output and target differ in length.
    """
    outputs, targets = _as_list(output), _as_list(target)
    if len(outputs) != len(targets) or not outputs:
        raise ValueError(f"loss: {len(outputs)} outputs but {len(targets)} targets")
    squares: list[Value] = [(o - t) ** 2 for o, t in zip(outputs, targets, strict=True)]
    loss: Value = squares[0] if len(squares) == 1 else autograd_engine.sum(squares)
    return loss


def half_squared_error(output: Any, target: Any) -> Value:
    """(output - target)^2 / 2, whose derivative is just output - target."""
    return 0.5 * squared_error(output, target)


def hinge(output: Value, target: float) -> Value:
    """max(0, 1 - target * output): one output, the target is -1 or +1.

    Source: Cortes & Vapnik, Support-vector networks, Machine Learning 20 (1995).

    Inside `compile`, where a target cannot be looked at, another one gives nan.

    Raises
    ------
    ValueError
        For another target, or several outputs.
    """
    if isinstance(output, list | tuple):
        raise ValueError(f"hinge: needs a model with one output, got {len(output)}")
    if _is_recorded(target):  # inside `compile` it cannot be checked: another target gives nan
        either: Value = where(target * target == 1.0, relu(1 - target * output), math.nan)
        return either
    if getattr(target, "ndim", 0) or target not in (-1, 1):
        raise ValueError(f"hinge: the target must be -1 or +1, got {target!r}")
    loss: Value = relu(1 - target * output)
    return loss


def softmax_cross_entropy(output: Sequence[Value], target: Any) -> Value:
    """-log(softmax(output)[target]), from the logits, so that nothing overflows.

    `target` is a class index, or one probability per class (a one-hot list, say) adding up to 1.
    Inside `compile`, where it cannot be looked at, an index out of range gives nan.

    Source: Bishop, Pattern Recognition and Machine Learning, Springer 2006, section 4.3.4.

    Raises
    ------
    ValueError
        When there are fewer than two outputs, or the target does not fit them.
    """
    if not isinstance(output, list | tuple) or len(output) < 2:
        raise ValueError(
            "softmax_cross_entropy: needs a model with one output per class, two or more"
        )
    k = len(output)
    if _is_recorded(target):  # a class index inside `compile`: chosen without looking at it
        chosen = [where(target == i, x, 0.0) for i, x in enumerate(output)]
        known = autograd_engine.sum([where(target == i, 1.0, 0.0) for i in range(k)])
        picked: Value = where(known, logsumexp(output) - autograd_engine.sum(chosen), math.nan)
        return picked
    if hasattr(target, "__len__") and not isinstance(target, str):
        recorded = any(map(_is_recorded, target))
        fits = recorded or (abs(sum(target) - 1.0) <= 1e-9 and min(target) >= 0.0)
        if len(target) != k or not fits:
            raise ValueError(
                f"softmax_cross_entropy: the target must be {k} probabilities that add up to 1, "
                f"got {target!r}"
            )
        loss: Value = logsumexp(output) - dot(output, target)
        return loss
    if not isinstance(target, float | Integral) or target not in range(k):
        raise ValueError(
            f"softmax_cross_entropy: the target must be a class index from 0 to {k - 1}, "
            f"got {target!r}"
        )
    loss = logsumexp(output) - output[int(target)]
    return loss


def _is_recorded(x: Any) -> bool:
    """Whether a function is being compiled, and this number is not known yet."""
    return hasattr(x, "tape")


def _as_list(x: Any) -> list[Any]:
    return list(x) if hasattr(x, "__len__") else [x]
