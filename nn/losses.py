"""Losses for one sample: `loss(output, target)`, small when the output fits.

An output is what a model returns: one Value, or a list of Values. `fit` averages over samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import autograd_engine
from autograd_engine import Value, dot, logsumexp, relu

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

    Raises
    ------
    ValueError
        For another target, or several outputs.
    """
    if isinstance(output, list | tuple):
        raise ValueError(f"hinge: needs a model with one output, got {len(output)}")
    if getattr(target, "ndim", 0) or target not in (-1, 1):
        raise ValueError(f"hinge: the target must be -1 or +1, got {target!r}")
    loss: Value = relu(1 - target * output)
    return loss


def softmax_cross_entropy(output: Sequence[Value], target: Any) -> Value:
    """-log(softmax(output)[target]), from the logits, so that nothing overflows.

    `target` is a class index, or one probability per class (a one-hot list, say) adding up to 1.

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
    if hasattr(target, "__len__") and not isinstance(target, str):
        if len(target) != k or not (abs(sum(target) - 1.0) <= 1e-9 and min(target) >= 0.0):
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


def _as_list(x: Any) -> list[Any]:
    return list(x) if hasattr(x, "__len__") else [x]
