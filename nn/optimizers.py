"""Optimizers: they change parameters in place, by their gradients."""

from __future__ import annotations

from collections.abc import Iterable

from autograd_engine import Value

__all__ = ["SGD"]


class SGD:
    """Gradient descent with momentum: dw = -lr * grad + momentum * dw_previous; w += dw.

    Parameters
    ----------
    parameters : iterable of Value
        What to change: `model.parameters()`.
    lr : float
        The learning rate, settable between steps.
    momentum : float
        0 <= momentum < 1.

    Raises
    ------
    ValueError
        For no parameters, a negative or infinite learning rate, or a momentum outside [0, 1).

    Notes
    -----
    Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors,
    Nature 323 (1986). PyTorch's form, v = momentum * v + grad; w -= lr * v, is the same as long as
    the learning rate stays constant.

    Examples
    --------
    >>> from autograd_engine import Value
    >>> from nn import SGD
    >>> w = Value(1.0)
    >>> optimizer = SGD([w], lr=0.1)
    >>> for _ in range(50):
    ...     optimizer.zero_grad()
    ...     ((w - 3) ** 2).backward()
    ...     optimizer.step()
    >>> round(w.data, 3)
    3.0
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.1, *, momentum: float = 0.0
    ) -> None:
        self.parameters = list({id(p): p for p in parameters}.values())  # a shared one moves once
        if not self.parameters or not all(isinstance(p, Value) for p in self.parameters):
            raise ValueError("SGD: needs a list of Values, such as model.parameters()")
        if not 0.0 <= lr < float("inf"):
            raise ValueError(f"SGD: lr must be finite and not negative, got {lr}")
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"SGD: momentum must be in [0, 1), got {momentum}")
        self.lr, self.momentum = lr, momentum
        self._steps = [0.0] * len(self.parameters)

    def zero_grad(self) -> None:
        """Set every gradient to 0, before the next `backward` adds to it."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def step(self) -> None:
        """Move every parameter against its gradient."""
        for i, parameter in enumerate(self.parameters):
            step = -self.lr * parameter.grad + self.momentum * self._steps[i]
            self._steps[i] = step
            parameter.data += step
