"""Training: `fit`, and the scores of what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Protocol

from tqdm import tqdm

from autograd_engine import Value, named_scope
from nn.data import DataError, Rng, finite, generator, matrix
from nn.module import Module

__all__ = ["History", "accuracy", "fit", "r_squared"]


class Optimizer(Protocol):
    """What `fit` needs of an optimizer, such as SGD."""

    def zero_grad(self) -> None:
        """Set the gradients to 0."""

    def step(self) -> None:
        """Move the parameters by their gradients."""


@dataclass
class History:
    """What happened during `fit`: `loss` has the mean of each epoch, batches before their steps."""

    loss: list[float] = field(default_factory=list)


def fit(
    model: Module,
    X: Any,
    y: Sequence[Any],
    *,
    loss: Callable[[Any, Any], Value],
    optimizer: Optimizer,
    epochs: int = 100,
    batch_size: int | None = None,
    rng: Rng = None,
    progress: bool = True,
) -> History:
    """Minimise the mean loss over the samples by steps over shuffled batches.

    Parameters
    ----------
    model : Module
        Called on one row at a time.
    X : (n, d) numbers
        One row per sample.
    y : (n,) or (n, k)
        The targets, in the form that `loss` wants.
    loss : callable
        `loss(output, target)` of one sample, such as `nn.hinge`.
    optimizer : SGD or alike
        Holds the parameters that it moves.
    epochs, batch_size : int
        Passes over the data, and samples per step (None: all of them).
    rng : int, random.Random or None
        Shuffles; the same seed gives the same run.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    History
        The mean loss of each epoch.

    Raises
    ------
    ValueError
        When X or y is empty, ragged or not finite, or their lengths differ.
    FloatingPointError
        When the loss becomes nan or infinite; the parameters keep the last step before it.
    """
    rows = matrix(X, "fit: X")
    if len(rows) != len(y):
        raise DataError(f"fit: X has {len(rows)} rows, y has {len(y)}")
    if epochs < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"fit: epochs={epochs} and batch_size={batch_size} must be at least 1")
    for i, target in enumerate(y):
        for x in target if hasattr(target, "__len__") and not isinstance(target, str) else [target]:
            finite(x, f"fit: y: target {i}")
    order, random_numbers, history = list(range(len(rows))), generator(rng), History()
    with tqdm(total=epochs, unit="epoch", disable=not progress, mininterval=0.2) as bar:
        for epoch in range(epochs):
            random_numbers.shuffle(order)
            total = 0.0
            for start in range(0, len(order), batch_size or len(order)):
                batch = order[start : start + (batch_size or len(order))]
                optimizer.zero_grad()
                mean = _accumulate(model, loss, [(rows[i], y[i]) for i in batch])
                if not math.isfinite(mean):
                    raise FloatingPointError(
                        f"fit: the loss became {mean} in epoch {epoch}; "
                        "lower the learning rate, or standardize the inputs"
                    )
                optimizer.step()
                total += mean * len(batch)
            history.loss.append(total / len(rows))
            bar.set_postfix(loss=f"{history.loss[-1]:.4g}", refresh=False)
            bar.update()
    return history


def _accumulate(
    model: Module, loss: Callable[[Any, Any], Value], samples: list[tuple[list[float], Any]]
) -> float:
    """Add the gradient of the mean loss to the parameters, sample by sample; returns that mean.

    One small graph at a time: each is freed before the next, and the gradients add up by
    themselves.
    """
    total = 0.0
    for x, target in samples:
        output = model(x)
        with named_scope("loss"):
            sample_loss = loss(output, target)
        if not isinstance(sample_loss, Value):
            raise TypeError(f"fit: the loss must return one Value, got {sample_loss!r}")
        sample_loss.backward(1.0 / len(samples))
        total += sample_loss.data
    return total / len(samples)


def accuracy(outputs: Sequence[Any], targets: Sequence[Any]) -> float:
    """The share of right classes, from 0 to 1, of the outputs of `model.predict`.

    Lists of k outputs: the class is the index of the largest, and targets are class indices or
    one-hot rows. Single outputs: the class is the sign, and targets are -1 and +1.

    Raises
    ------
    ValueError
        When there are none, the lengths differ, or the targets have another form.
    """
    if len(outputs) != len(targets) or not len(outputs):
        raise ValueError(f"accuracy: {len(outputs)} outputs, {len(targets)} targets")
    right = 0
    for i, (output, target) in enumerate(zip(outputs, targets, strict=True)):
        if hasattr(output, "__len__"):
            right += _argmax(output) == _class_of(target, len(output), i)
        elif target in (-1, 1):
            right += output * target > 0
        else:
            raise ValueError(
                f"accuracy: with one output per sample targets must be -1 or +1; "
                f"target {i} is {target!r}"
            )
    return right / len(outputs)


def r_squared(outputs: Sequence[float], targets: Sequence[float]) -> float:
    """1 - (squared error) / (squared deviation from the mean): 1 is perfect, 0 as good as the mean.

    nan when all targets are equal. Source: Draper & Smith, Applied Regression Analysis, 3rd ed.
    """
    if len(outputs) != len(targets) or not len(outputs):
        raise ValueError(f"r_squared: {len(outputs)} outputs, {len(targets)} targets")
    mean = math.fsum(targets) / len(targets)
    spread = math.fsum((t - mean) * (t - mean) for t in targets)
    error = math.fsum((o - t) * (o - t) for o, t in zip(outputs, targets, strict=True))
    return 1.0 - error / spread if spread else math.nan


def _class_of(target: Any, k: int, i: int) -> int:
    """The class index that a target means, an index or a one-hot row."""
    if hasattr(target, "__len__") and not isinstance(target, str) and len(target) == k:
        return _argmax(list(target))
    if isinstance(target, float | Integral) and target in range(k):
        return int(target)
    raise ValueError(
        f"accuracy: with {k} outputs per sample a target must be a class index from 0 to {k - 1} "
        f"or a one-hot row; target {i} is {target!r}"
    )


def _argmax(xs: Sequence[float]) -> int:
    return max(range(len(xs)), key=lambda i: xs[i])
