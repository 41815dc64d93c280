"""Training: `fit`, and the scores of what came out."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Protocol

from tqdm import tqdm

from autograd_engine import Value, named_scope
from nn.data import DataError, Rng, finite, generator, matrix
from nn.module import Module

__all__ = ["History", "Snapshot", "accuracy", "class_of", "fit", "layer_of", "r_squared"]


class Optimizer(Protocol):
    """What `fit` needs of an optimizer, such as SGD."""

    def zero_grad(self) -> None:
        """Set the gradients to 0."""

    def step(self) -> None:
        """Move the parameters by their gradients."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a model was at one moment of its training.

    Attributes
    ----------
    parameters : array of float
        In the order of `model.parameters()`; `model.with_parameters(...)` takes them.
    gradients : dict
        The root mean square of the gradient over the parameters of each layer. "layers.0" is what
        `model.layers[0]` holds; parameters outside such a list go by the attribute they are in.
    loss : float or None
        As it was given to `History.record`.
    """

    parameters: array[float]
    gradients: dict[str, float]
    loss: float | None


@dataclass
class History:
    """What happened during training: `loss` and, if they were asked for, `snapshots`.

    `loss` has the mean of each epoch in `fit`, batches before their steps. `snapshots` has what
    `record` noted: the model before training (epoch 0), then after each epoch.

    Examples
    --------
    In a loop of one's own, call `record` before the first epoch and after each:

    >>> from nn import MLP, SGD, History, two_moons
    >>> X, y = two_moons(20, rng=0)
    >>> model = MLP(2, [4, 1], rng=0)
    >>> optimizer, history = SGD(model.parameters(), lr=0.1), History()
    >>> history.record(model)
    >>> for epoch in range(3):
    ...     optimizer.zero_grad()
    ...     loss = sum((model(x) - t) ** 2 for x, t in zip(X, y)) / len(X)
    ...     loss.backward()
    ...     optimizer.step()
    ...     history.record(model, loss)
    >>> len(history.snapshots), list(history.snapshots[0].gradients)
    (4, ['layers.0', 'layers.1'])
    """

    loss: list[float] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)

    def record(self, model: Module, loss: Value | float | None = None) -> None:
        """Note the parameters of `model`, the size of their gradients as they are now, and `loss`.

        A snapshot takes 8 bytes for each parameter: 100 epochs of 337 parameters are 270 kB.

        Raises
        ------
        ValueError
            When the model has none, or not as many parameters as in the snapshots before.
        """
        named = model.named_parameters()
        expected = len(self.snapshots[0].parameters) if self.snapshots else len(named) or 1
        if len(named) != expected:
            raise ValueError(
                f"record: the model has {len(named)} parameters, expected {expected}; "
                "one History is for one model"
            )
        squares: dict[str, list[float]] = {}
        for name, parameter in named:
            squares.setdefault(layer_of(name), []).append(parameter.grad * parameter.grad)
        sizes = {name: math.sqrt(sum(parts) / len(parts)) for name, parts in squares.items()}
        numbers = array("d", [parameter.data for _, parameter in named])
        self.snapshots.append(Snapshot(numbers, sizes, None if loss is None else float(loss)))


def layer_of(name: str) -> str:
    """The layer that a parameter of this name belongs to.

    >>> layer_of("layers.0.neurons.3.w.2"), layer_of("hidden.b"), layer_of("matrix.0.1")
    ('layers.0', 'hidden', 'matrix')
    """
    parts = name.split(".")
    while len(parts) > 1 and parts[-1].isdecimal():  # its place in a list of Values
        parts.pop()
    place = next((i for i, part in enumerate(parts) if part.isdecimal()), 0)
    return ".".join(parts[: place + 1])


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
    snapshots: bool = False,
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
    snapshots : bool
        Whether to record the model before training and after each epoch, for
        `training_stepper`: with the mean loss over all samples at that moment, and its gradient,
        whatever the batches were. That takes as long again as the training itself.

    Returns
    -------
    History
        The mean loss of each epoch, and the snapshots.

    Raises
    ------
    ValueError
        When X or y is empty, ragged or not finite, or their lengths differ.
    FloatingPointError
        When the loss becomes nan or infinite; the parameters keep the last step before it.
    """
    samples = _checked(X, y, epochs, batch_size)
    order, random_numbers, history = list(range(len(samples))), generator(rng), History()
    if snapshots:
        _record(history, model, loss, samples)
    with tqdm(total=epochs, unit="epoch", disable=not progress, mininterval=0.2) as bar:
        for epoch in range(epochs):
            random_numbers.shuffle(order)
            total = 0.0
            for start in range(0, len(order), batch_size or len(order)):
                batch = order[start : start + (batch_size or len(order))]
                optimizer.zero_grad()
                mean = _accumulate(model, loss, [samples[i] for i in batch])
                if not math.isfinite(mean):
                    raise FloatingPointError(
                        f"fit: the loss became {mean} in epoch {epoch}; "
                        "lower the learning rate, or standardize the inputs"
                    )
                optimizer.step()
                total += mean * len(batch)
            history.loss.append(total / len(samples))
            if snapshots:
                _record(history, model, loss, samples)
            bar.set_postfix(loss=f"{history.loss[-1]:.4g}", refresh=False)
            bar.update()
    return history


_Samples = list[tuple[list[float], Any]]


def _checked(X: Any, y: Sequence[Any], epochs: int, batch_size: int | None) -> _Samples:
    """The samples, when all arguments are good."""
    rows = matrix(X, "fit: X")
    if len(rows) != len(y):
        raise DataError(f"fit: X has {len(rows)} rows, y has {len(y)}")
    if epochs < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"fit: epochs={epochs} and batch_size={batch_size} must be at least 1")
    for i, target in enumerate(y):
        for x in target if hasattr(target, "__len__") and not isinstance(target, str) else [target]:
            finite(x, f"fit: y: target {i}")
    return list(zip(rows, y, strict=True))


def _record(
    history: History, model: Module, loss: Callable[[Any, Any], Value], samples: _Samples
) -> None:
    """Note the model with the loss over all samples and its gradient."""
    model.zero_grad()
    history.record(model, _accumulate(model, loss, samples))
    model.zero_grad()  # nothing is left for parameters that the optimizer does not know


def _accumulate(model: Module, loss: Callable[[Any, Any], Value], samples: _Samples) -> float:
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
            right += _argmax(output) == class_of(target, len(output), i)
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


def class_of(target: Any, k: int, i: int) -> int:
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
