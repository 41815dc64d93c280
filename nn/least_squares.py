"""Levenberg-Marquardt: the optimizer for sums of squares with few parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from autograd_engine import Value, no_grad

__all__ = ["LevenbergMarquardt"]

_MOST_DAMPING = 1e16


class LevenbergMarquardt:
    """Least squares by damped Gauss-Newton: (J^T J + damping * d I) dw = -J^T r; w += dw.

    J is the Jacobian of the residuals r by the parameters, d the largest element on the diagonal of
    J^T J. Little damping makes Newton-like steps, much of it short ones down the gradient. A step
    that does not lower the loss is taken back and tried again with ten times the damping; one that
    does divides it by ten. One step costs a backward pass per residual and a least-squares problem
    (NumPy's), so it is for up to some hundreds of parameters, on all data at once.

    Parameters
    ----------
    parameters : iterable of Value
        What to change: `model.parameters()`.
    damping : float
        To begin with; settable between steps.

    Raises
    ------
    ValueError
        For no parameters, or a damping that is not in (0, 1e16].

    Notes
    -----
    The least-squares problem is that of the stacked matrix (J, sqrt(damping * d) I), which is as
    accurate as J; forming J^T J would square its condition number. The damping is Levenberg's, the
    same for all parameters: Marquardt's, by the diagonal of J^T J, lets weights of saturated
    neurons run away (a 2-3-1 tanh network then got stuck from 6 of 12 initial weights, not from 0).
    Sources: Levenberg, A method for the solution of certain non-linear problems in least squares,
    Quart. Appl. Math. 2 (1944); Nocedal & Wright, Numerical Optimization, 2nd ed., Springer 2006,
    section 10.3; d as in Madsen, Nielsen & Tingleff, Methods for non-linear least squares problems,
    DTU 2004.

    Examples
    --------
    >>> from autograd_engine import Value, exp
    >>> from nn import LevenbergMarquardt
    >>> a, b = Value(1.0), Value(0.0)
    >>> def residuals():  # fits a * exp(b * t) to 2 * exp(-t / 2)
    ...     return [a * exp(b * t) - 2.0 * exp(-0.5 * t) for t in (0.0, 1.0, 2.0, 3.0)]
    >>> optimizer = LevenbergMarquardt([a, b])
    >>> losses = [optimizer.step(residuals) for _ in range(8)]
    >>> round(a.data, 6), round(b.data, 6), losses[-1] < 1e-12
    (2.0, -0.5, True)
    """

    def __init__(self, parameters: Iterable[Value], damping: float = 1e-3) -> None:
        self.parameters = list({id(p): p for p in parameters}.values())
        if not self.parameters or not all(isinstance(p, Value) for p in self.parameters):
            raise ValueError(
                "LevenbergMarquardt: needs a list of Values, such as model.parameters()"
            )
        if not 0.0 < damping <= _MOST_DAMPING:
            raise ValueError(
                f"LevenbergMarquardt: damping must be in (0, {_MOST_DAMPING:g}], got {damping}"
            )
        self.damping = damping

    def step(self, residuals: Callable[[], Sequence[Any]]) -> float:
        """Move all parameters once; returns half the sum of squared residuals after it.

        Parameters
        ----------
        residuals : callable
            Computes the residuals, a list of Values, from the parameters as they are now; called
            again for each trial. Gradients of the parameters are zeroed; those of other Values in
            there add up.

        Raises
        ------
        FloatingPointError
            When the residuals, or derivatives of them, are not finite to begin with.
        ValueError
            When there are no residuals.

        Notes
        -----
        Where no step lowers the loss, at its minimum, the parameters stay as they are. So they do
        when `residuals` raises.
        """
        r, jacobian = self._linearized(list(residuals()))
        loss = _half_square(r)
        start = [p.data for p in self.parameters]
        try:
            while self.damping <= _MOST_DAMPING:
                self._place(np.asarray(start) + self._direction(r, jacobian))
                with no_grad():
                    trial = _half_square(_numbers(residuals()))
                if trial < loss:
                    self.damping = max(self.damping / 10.0, 1.0 / _MOST_DAMPING)
                    start = [p.data for p in self.parameters]
                    return trial
                self.damping *= 10.0
        finally:
            self._place(start)
        self.damping = 1.0
        return loss

    def _linearized(self, found: list[Any]) -> tuple[Any, Any]:
        """The residuals (m,), and their derivatives by the parameters (m, n)."""
        if not found:
            raise ValueError("LevenbergMarquardt: there are no residuals")
        jacobian = np.zeros((len(found), len(self.parameters)))
        for row, residual in zip(jacobian, found, strict=True):
            for p in self.parameters:
                p.zero_grad()
            if isinstance(residual, Value):
                residual.backward()
                row[:] = [p.grad for p in self.parameters]
        for p in self.parameters:
            p.zero_grad()
        r = _numbers(found)
        if not (math.isfinite(_half_square(r)) and np.isfinite(jacobian).all()):
            raise FloatingPointError(
                "LevenbergMarquardt: the sum of squares, or a derivative, is not finite; start "
                "from other parameters"
            )
        known = set(self.parameters)
        if not jacobian.any() and any(isinstance(x, Value) and x not in known for x in found):
            raise ValueError(
                "LevenbergMarquardt: no residual depends on a parameter; compute them from the "
                "parameters, and not under no_grad; or the parameters are at a stationary point"
            )
        return r, jacobian

    def _direction(self, r: Any, jacobian: Any) -> Any:
        """The step with the damping of now."""
        width = jacobian.shape[1]
        largest = np.linalg.norm(jacobian, axis=0).max() or 1.0
        matrix = np.vstack([jacobian, math.sqrt(self.damping) * largest * np.eye(width)])
        return np.linalg.lstsq(matrix, np.concatenate([-r, np.zeros(width)]), rcond=None)[0]

    def _place(self, data: Iterable[float]) -> None:
        for p, x in zip(self.parameters, data, strict=True):
            p.data = x


def _numbers(residuals: Iterable[Any]) -> Any:
    return np.array([x.data if isinstance(x, Value) else float(x) for x in residuals])


def _half_square(r: Any) -> float:
    with np.errstate(over="ignore"):  # inf, which no step is accepted with
        return float(0.5 * (r @ r))
