"""Are the gradients right? Compare them with derivatives got by other means.

The whole function is compared with central differences, input by input, and every local derivative
in its graph with a central difference of that one primitive, and where the primitive extends to
complex numbers with a complex step, which has no cancellation. So a wrong gradient comes with the
name of the operation that is to blame.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autograd_engine.backend import Value, topological_order
from autograd_engine.errors import GradcheckError
from autograd_engine.modes import current_mode, no_grad
from autograd_engine.primitives import ON_ARRAYS, Primitive, number

__all__ = ["Check", "Report", "central_difference", "complex_step", "gradcheck"]

COMPLEX_STEP_TOLERANCE = 1e-13
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One derivative by two or three means; `error` is relative to max(1, |numeric|)."""

    operation: str
    operand: str
    at: float
    analytic: float
    central: float
    complex_step: float | None
    tolerance: float

    @property
    def error(self) -> float:
        """The disagreement with the central difference."""
        return _error(self.analytic, self.central)

    @property
    def passed(self) -> bool:
        """Whether all estimates agree; nan agrees with nothing."""
        if not self.error <= self.tolerance:
            return False
        exact = self.complex_step
        return exact is None or _error(self.analytic, exact) <= COMPLEX_STEP_TOLERANCE

    def __str__(self) -> str:
        exact = "" if self.complex_step is None else f", complex step {self.complex_step:.15g}"
        return (
            f"{'ok  ' if self.passed else 'FAIL'} {self.operation}, {self.operand} = {self.at:g}: "
            f"analytic {self.analytic:.15g}, central difference {self.central:.15g}{exact}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a gradcheck; prints as one line per derivative, failures first."""

    checks: tuple[Check, ...]

    @property
    def failures(self) -> list[Check]:
        """The derivatives that disagree."""
        return [check for check in self.checks if not check.passed]

    @property
    def passed(self) -> bool:
        """Whether every derivative agrees."""
        return not self.failures

    def __str__(self) -> str:
        lines = [str(check) for check in sorted(self.checks, key=lambda check: check.passed)]
        left = f"\n({len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
        head = f"gradcheck: {len(self.failures)} of {len(self.checks)} derivatives disagree\n"
        return head + "\n".join(lines[:_SHOWN]) + left


def gradcheck(f: Callable[..., Value], values: Sequence[Any], *, tolerance: float = 1e-7) -> Report:
    """Check the gradient of `f(*values)` and every local derivative in its graph.

    Parameters
    ----------
    f : callable
        Takes Values, returns one Value; called often, so it must give the same result each time.
    values : sequence of real numbers or Values
        The point, away from kinks and ties, where a central difference averages both sides.
    tolerance : float
        For central differences, relative to max(1, |numeric|). Complex steps must agree to 1e-13.

    Returns
    -------
    Report
        What was compared; `print` it.

    Raises
    ------
    GradcheckError
        When a derivative disagrees; the message is the full report.
    TypeError
        When `f` does not return a Value.
    ValueError
        Under `no_grad`.

    Notes
    -----
    Sources: Griewank & Walther, Evaluating Derivatives, 2nd ed., section 1.1; Squire & Trapp,
    Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998).

    Examples
    --------
    >>> from autograd_engine import gradcheck, tanh
    >>> print(gradcheck(lambda x, w: tanh(x * w), [0.5, -1.5]))  # doctest: +ELLIPSIS
    gradcheck: 0 of 5 derivatives disagree
    ok   <lambda>, input 0 = 0.5: analytic -0.8948..., central difference -0.8948...
    ok   <lambda>, input 1 = -1.5: analytic 0.2982..., central difference 0.2982...
    ok   *, operand 0 = 0.5: analytic -1.5, central difference -1.5, complex step -1.5
    ok   *, operand 1 = -1.5: analytic 0.5, central difference 0.5, complex step 0.5
    ok   tanh, operand 0 = -0.75: analytic 0.5965..., complex step 0.5965...
    """
    if not current_mode().records:
        raise ValueError("gradcheck: nothing is recorded under no_grad; leave the block first")
    if not hasattr(values, "__iter__"):
        raise TypeError(f"gradcheck: values must list the arguments of f, got {values!r}")
    point = [x.data if isinstance(x, Value) else number(x, "gradcheck") for x in values]
    inputs = [Value(x) for x in point]
    output = f(*inputs)
    if not isinstance(output, Value):
        raise TypeError(
            f"gradcheck: f returned {type(output).__name__}, not a Value; "
            "return one Value computed from the arguments"
        )
    order = topological_order(output)
    kept = [node.grad for node in order]  # captured Values, such as a model's parameters
    output.backward()
    gradients = [x.grad for x in inputs]
    for node, grad in zip(order, kept, strict=True):
        node.grad = grad
    name = getattr(f, "__name__", type(f).__name__)
    checks = [_check_input(f, name, point, i, g, tolerance) for i, g in enumerate(gradients)]
    for node in order:
        checks += _check_node(node, tolerance)
    report = Report(tuple(checks))
    if not report.passed:
        raise GradcheckError(str(report))
    return report


def central_difference(f: Callable[[float], float], x: float) -> float:
    """f'(x) from values of f alone, with the step that disturbs the result least.

    Steps shrink by 4; each pair is extrapolated to a 4th-order estimate, and the one that moves
    least against its predecessor, rounding of f included, is returned. nan when no estimate is
    finite.

    Source: Ridders, Accurate computation of F'(x) and F'(x)F''(x), Adv. Eng. Software 4 (1982).
    """
    if not math.isfinite(x):
        return math.nan
    best, least = math.nan, math.inf
    previous = slope_before = math.nan
    step = 0.25 * max(1.0, abs(x))
    while x + step != x and step > sys.float_info.min:
        high, low = f(x + step), f(x - step)
        slope = (high - low) / ((x + step) - (x - step))
        estimate = slope + (slope - slope_before) / 15.0
        rounding = sys.float_info.epsilon * max(abs(high), abs(low)) / step
        change = (abs(estimate - previous) + rounding) / max(1.0, abs(estimate))
        if change < least:
            best, least = estimate, change
        previous, slope_before, step = estimate, slope, step / 4.0
    return best


def complex_step(row: Primitive, operands: Sequence[float], position: int) -> float | None:
    """dz/d(operand) of an analytic primitive: Im z(x + ih) / h, exact for a tiny step h.

    None outside the domain, where the complex form need not be real, and where the operand is too
    small for a step far below it.
    """
    import numpy

    domain = row.domain * (len(operands) // row.arity)
    step = 1e-30 * min(1.0, abs(operands[position]) or 1.0)
    inside = all(low < x < high for x, (low, high) in zip(operands, domain, strict=True))
    if not inside or step < sys.float_info.min:
        return None
    point = [numpy.complex128(x) for x in operands]
    point[position] += 1j * step
    with numpy.errstate(all="ignore"):
        return float(numpy.imag(row.primal(ON_ARRAYS, point)) / step)


def _error(analytic: float, numeric: float) -> float:
    return abs(analytic - numeric) / max(1.0, abs(numeric))


def _check_input(
    f: Callable[..., Value],
    name: str,
    point: list[float],
    i: int,
    analytic: float,
    tolerance: float,
) -> Check:
    def along(x: float) -> float:
        with no_grad():
            return float(f(*[Value(x if j == i else p) for j, p in enumerate(point)]).data)

    central = central_difference(along, point[i])
    return Check(name, f"input {i}", point[i], analytic, central, None, tolerance)


def _check_node(node: Value, tolerance: float) -> list[Check]:
    row = node._primitive
    if row is None:
        return []
    data = [float(x) for x in node._operands]
    positions = [i for i, x in enumerate(node._operands) if isinstance(x, Value)]
    return [
        _check_edge(row, data, position, derivative, tolerance)
        for position, derivative in zip(positions, node._derivatives, strict=True)
    ]


def _check_edge(
    row: Primitive, data: list[float], position: int, analytic: float, tolerance: float
) -> Check:
    def along(x: float) -> float:
        return row.linearize([*data[:position], x, *data[position + 1 :]])[0]

    central = central_difference(along, data[position])
    exact = complex_step(row, data, position) if row.analytic else None
    return Check(
        row.symbol, f"operand {position}", data[position], analytic, central, exact, tolerance
    )
