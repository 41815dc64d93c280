"""Are the gradients right? Compare them with derivatives got by other means.

The whole function is compared with central differences, input by input, and every local derivative
in its graph with a central difference of that one primitive, and where the primitive extends to
complex numbers with a complex step, which has no cancellation. So a wrong gradient comes with the
name of the operation that is to blame.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from autograd_engine.backend import Value, topological_order
from autograd_engine.conversion import number
from autograd_engine.derivatives import jacobian
from autograd_engine.errors import GradcheckError
from autograd_engine.modes import current_mode, no_grad
from autograd_engine.reports import CheckReport, listed
from autograd_engine.rows import ON_ARRAYS, Primitive
from autograd_engine.structures import flat, leaves, rebuilt

__all__ = ["Check", "Report", "central_difference", "complex_step", "gradcheck"]

_COMPLEX_STEP = 1e-13
_SECOND = "gradient of "


@dataclass(frozen=True, slots=True)
class Check:
    """One derivative by two or three means.

    `operation` is the function or the primitive, `operand` says by what the derivative is taken and
    `at` where; `allowed` is how far it may be from the central difference.
    """

    operation: str
    operand: str
    at: float
    analytic: float
    central: float
    complex_step: float | None
    allowed: float

    @property
    def error(self) -> float:
        """The disagreement with the central difference."""
        return abs(self.analytic - self.central)

    @property
    def passed(self) -> bool:
        """Whether all estimates agree; nan agrees with nothing."""
        if not self.error <= self.allowed:
            return False
        exact = self.complex_step
        return exact is None or abs(self.analytic - exact) <= _COMPLEX_STEP * max(1.0, abs(exact))

    def __str__(self) -> str:
        exact = "" if self.complex_step is None else f", complex step {self.complex_step:.15g}"
        return (
            f"{'ok  ' if self.passed else 'FAIL'} {self.operation}, {self.operand} = {self.at:g}: "
            f"analytic {self.analytic:.15g}, central difference {self.central:.15g}{exact}"
        )


@dataclass(frozen=True, slots=True)
class Report(CheckReport):
    """The outcome of a gradcheck; true when it passed; prints one line per derivative.

    `of_inputs` are the derivatives of the function by its inputs, `of_operations` the local
    derivatives in its graph.
    """

    title: ClassVar[str] = "gradcheck"

    of_inputs: tuple[Check, ...]
    of_operations: tuple[Check, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """All of them."""
        return self.of_inputs + self.of_operations

    def _advice(self) -> list[str]:
        if self.passed:
            return []
        wrong = sorted({check.operation for check in self.of_operations if not check.passed})
        if wrong:
            return [
                f"look at the local derivatives of {', '.join(wrong)}, or move off a kink or tie"
            ]
        if all(check.operation.startswith(_SECOND) for check in self.failures):
            return [
                "every first derivative agrees, so look at how formulas of local derivatives are "
                "written: with primitives, so that they can be differentiated; or move off a kink"
            ]
        return [
            "every local derivative agrees, so something leaves the graph: float(), .data, math "
            "functions, no_grad or detach between input and output; or the inputs are at a kink"
        ]


def gradcheck(
    f: Callable[..., Any],
    values: Sequence[Any],
    order: int = 1,
    *,
    atol: float = 1e-7,
    rtol: float = 1e-7,
    raise_exception: bool = True,
) -> Report:
    """Check the gradients of `f(*values)` and every local derivative in its graph.

    Parameters
    ----------
    f : callable
        Takes Values, returns a Value, or a nested structure of Values such as the list of softmax;
        called often, so it must give the same result each time.
    values : sequence
        The arguments of f: real numbers, Values, arrays, or nested lists, tuples and dicts of them;
        f gets the same structure with a new Value in place of each number. Choose a point away from
        kinks and ties, where a central difference averages both sides.
    order : int
        2 compares second derivatives too: those of each gradient, which go through the recorded
        derivatives of f, with central differences of the gradient.
    atol, rtol : float
        A gradient may differ from the central difference by atol + rtol * |central difference|,
        and by what the rounding of f can do to that. Below atol, choose it smaller: 2e-9 passes for
        4e-9. Complex steps must agree to 1e-13, relative to max(1, |derivative|).
    raise_exception : bool
        False returns the report of a failed check too, instead of raising.

    Returns
    -------
    Report
        What was compared; true when all agrees. `print` it.

    Raises
    ------
    GradcheckError
        When a derivative disagrees; the message is the full report.
    TypeError
        When an input is not a number, or `f` returns anything but Values.
    ValueError
        Under `no_grad`, for another order, for a function that gives two results at one point, and
        when there is nothing to check.

    Notes
    -----
    Values that f captures, such as a model's parameters, are no inputs; but every operation on
    them is checked, and their gradients are left alone. Where f raises ValueError or
    ArithmeticError next to the point, as math.log does, it counts as nan there. A sum of n operands
    takes of the order of n * n steps to check.

    Sources: Griewank & Walther, Evaluating Derivatives, 2nd ed., section 1.1; Squire & Trapp,
    Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998).

    Examples
    --------
    >>> from autograd_engine import dot, gradcheck, tanh
    >>> print(gradcheck(lambda w, x: tanh(dot(w, x)), [[0.5], [-1.5]]))  # doctest: +ELLIPSIS
    gradcheck: 0 of 5 derivatives disagree
    ok   <lambda>, input 0[0] = 0.5: analytic -0.8948..., central difference -0.8948...
    ok   <lambda>, input 1[0] = -1.5: analytic 0.2982..., central difference 0.2982...
    ok   dot, operand 0 = 0.5: analytic -1.5, central difference -1.5, complex step -1.5
    ok   dot, operand 1 = -1.5: analytic 0.5, central difference 0.5, complex step 0.5
    ok   tanh, operand 0 = -0.75: analytic 0.5965..., complex step 0.5965...
    """
    if order not in (1, 2):
        raise ValueError(
            f"gradcheck: checks derivatives of order 1 or 2, got order={order!r}; "
            "check_derivatives goes further"
        )
    if not current_mode().records:
        raise ValueError("gradcheck: nothing is recorded under no_grad; leave the block first")
    arguments = listed("gradcheck: values", values)
    case = _Case(f, arguments, atol, rtol)
    of_inputs = list(case.of_inputs())
    if order == 2:
        of_inputs += _Case(_gradients_of(f), arguments, atol, rtol).of_inputs()
    report = Report(tuple(of_inputs), tuple(case.of_operations()))
    if raise_exception and not report:
        raise GradcheckError(str(report))
    return report


def _gradients_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """All first derivatives, as Values: also those that do not vary."""

    def gradients(*args: Any) -> Any:
        slopes = jacobian(f, range(len(args)), mode="reverse")(*args)
        return rebuilt(
            slopes, iter([x if isinstance(x, Value) else Value(x) for x in flat(slopes)])
        )

    gradients.__name__ = f"{_SECOND}{getattr(f, '__name__', type(f).__name__)}"
    return gradients


class _Case:
    """A function at a point, with its graph there: one row of derivatives for each output."""

    def __init__(
        self, f: Callable[..., Any], arguments: tuple[Any, ...], atol: float, rtol: float
    ) -> None:
        self._f, self._arguments, self._atol, self._rtol = f, arguments, atol, rtol
        self._name = getattr(f, "__name__", type(f).__name__)
        self._inputs = [
            (f"input {path[1:].replace(']', '', 1)}", _number(x)) for path, x in leaves(arguments)
        ]
        self._values = [Value(x) for _, x in self._inputs]
        self._outputs = self._call(self._values)
        if not self._values or not self._outputs:
            raise ValueError("gradcheck: nothing to check, for f has no inputs or no outputs")
        self._check_repeats()

    def _call(self, values: Sequence[Value]) -> list[tuple[str, Value]]:
        outputs = list(leaves(self._f(*rebuilt(self._arguments, iter(values)))))
        if not current_mode().records:  # where f takes a derivative inside, that is a float
            outputs = [(path, Value(x) if isinstance(x, float) else x) for path, x in outputs]
        for path, output in outputs:
            if not isinstance(output, Value):
                place = f" at {path}" if path else ""
                raise TypeError(
                    f"gradcheck: f returned {type(output).__name__}{place}, not a Value; "
                    "return Values computed from the arguments"
                )
        return outputs

    def of_inputs(self) -> Iterator[Check]:
        """Each output by each input."""
        gradients = self._gradients()
        along = [
            functools.cache(functools.partial(self._along, i)) for i in range(len(self._inputs))
        ]
        for k, (path, _) in enumerate(self._outputs):
            for i, (name, x) in enumerate(self._inputs):

                def output(t: float, i: int = i, k: int = k) -> float:
                    return along[i](t)[k]

                yield self._check(self._name + path, name, x, gradients[k][i], output)

    def of_operations(self) -> Iterator[Check]:
        """Every node by each of its operands, operands first."""
        for node in self._nodes():
            if node._primitive is not None and not node._primitive.opaque:
                yield from self._of_operation(node, node._primitive)

    def _of_operation(self, node: Value, row: Primitive) -> Iterator[Check]:
        at = [float(x) for x in node._operands]
        positions = [i for i, x in enumerate(node._operands) if isinstance(x, Value)]
        for i, analytic in zip(positions, node._derivatives, strict=True):

            def result(t: float, i: int = i) -> float:
                return row.evaluate([*at[:i], t, *at[i + 1 :]])

            exact = complex_step(row, at, i) if row.analytic else None
            yield self._check(row.symbol, f"operand {i}", at[i], analytic, result, exact)

    def _check(
        self,
        operation: str,
        operand: str,
        at: float,
        analytic: float,
        along: Callable[[float], float],
        exact: float | None = None,
    ) -> Check:
        central, noise = _central_difference(along, at)
        # A difference that is mostly rounding confirms nothing.
        noise = min(noise, 1e-2 * max(1.0, abs(central)))
        allowed = self._atol + self._rtol * abs(central) + noise
        return Check(operation, operand, at, analytic, central, exact, allowed)

    def _nodes(self) -> list[Value]:
        """The graph of all outputs, operands first."""
        seen: set[Value] = set()
        outputs = [output for _, output in self._outputs]
        return [n for v in outputs if v not in seen for n in topological_order(v, seen)]

    def _gradients(self) -> list[list[float]]:
        """d output / d input for each; captured Values, such as a model's, keep their gradients."""
        nodes = self._nodes()
        kept = [node.grad for node in nodes]
        rows = []
        try:
            for _, output in self._outputs:
                for x in self._values:
                    x.zero_grad()
                output.backward()
                rows.append([x.grad for x in self._values])
        finally:
            for node, grad in zip(nodes, kept, strict=True):
                node.grad = grad
        return rows

    def _along(self, i: int, t: float) -> list[float]:
        """The outputs where input i is t."""
        point = [Value(t if i == j else x) for j, (_, x) in enumerate(self._inputs)]
        try:
            with no_grad():
                return [output.data for _, output in self._call(point)]
        except (ArithmeticError, ValueError):  # outside the domain, also under detect_anomaly
            return [math.nan] * len(self._outputs)

    def _check_repeats(self) -> None:
        with no_grad():
            again = [output.data for _, output in self._call([Value(x) for _, x in self._inputs])]
        before = [output.data for _, output in self._outputs]
        if len(again) != len(before) or any(map(_differ, before, again)):
            raise ValueError(
                f"gradcheck: f gave {before} and then {again} at the same point; "
                "make it deterministic, with a fixed seed"
            )


def _differ(x: float, y: float) -> bool:
    return x != y and not (math.isnan(x) and math.isnan(y))


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else number(x, "gradcheck")


def central_difference(f: Callable[[float], float], x: float) -> float:
    """f'(x) from values of f alone, with the step that disturbs the result least.

    Steps shrink by 4; each pair is extrapolated to a 4th-order estimate, and the one that moves
    least against its predecessor, rounding of f included, is returned. nan when no estimate is
    finite.

    Source: Ridders, Accurate computation of F'(x) and F'(x)F''(x), Adv. Eng. Software 4 (1982).
    """
    return _central_difference(f, x)[0]


def _central_difference(f: Callable[[float], float], x: float) -> tuple[float, float]:
    """The estimate, and how far the rounding of f alone may have moved it."""
    if not math.isfinite(x):
        return math.nan, 0.0
    best, noise, least = math.nan, 0.0, math.inf
    previous = slope_before = math.nan
    step = 0.25 * max(1.0, abs(x))
    smallest = sys.float_info.min if x else 1e-18  # at 0 no step is too small to change x
    while x + step != x and step > smallest:
        high, low = f(x + step), f(x - step)
        slope = (high - low) / ((x + step) - (x - step))
        estimate = slope + (slope - slope_before) / 15.0
        rounding = sys.float_info.epsilon * max(abs(high), abs(low)) / step
        change = (abs(estimate - previous) + rounding) / max(1.0, abs(estimate))
        if change < least:
            best, noise, least = estimate, rounding, change
        previous, slope_before, step = estimate, slope, step / 4.0
    return best, noise


def complex_step(row: Primitive, operands: Sequence[float], position: int) -> float | None:
    """dz/d(operand) of an analytic primitive: Im z(x + ih) / h, exact for a tiny step h.

    None outside the domain, where the complex form need not be real; where the operand is too small
    for a step far below it; and for a formula that takes no complex numbers.
    """
    import numpy

    domain = row.domain * (len(operands) // row.arity)
    step = 1e-30 * min(1.0, abs(operands[position]) or 1.0)
    inside = all(low < x < high for x, (low, high) in zip(operands, domain, strict=True))
    if not inside or step < sys.float_info.min:
        return None
    point = [numpy.complex128(x) for x in operands]
    point[position] += 1j * step
    try:
        with numpy.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", numpy.exceptions.ComplexWarning)
            return float(numpy.imag(row.primal(ON_ARRAYS, point)) / step)
    except (TypeError, numpy.exceptions.ComplexWarning):  # as functions of `math` do
        return None
