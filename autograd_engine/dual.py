"""Dual: a number with its derivatives along one direction, carried along going forward.

A *dual number* x + x' e, with e * e = 0, holds a number and its tangent, the derivative along a
direction in which the inputs move. A primitive makes of it z + (dz/dx * x') e: the chain rule, from
the first operation to the last. With e ** (n + 1) = 0 instead, the coefficients are those of the
Taylor series up to order n: then k-th derivatives are k! times the coefficient of e ** k.

Coefficients may be operands of any kind, floats, Values, or other dual numbers: derivatives nest in
any mix. Each direction has a `Perturbation` of its own, and the one that was opened last lies
outermost; those of others pass through it as constants. So the derivatives of nested functions
are not confused.

Sources: Griewank & Walther, Evaluating Derivatives, 2nd ed., chapters 3 and 13; Siskind &
Pearlmutter, Nesting forward-mode AD in a functional framework, Higher-Order and Symbolic
Computation 21 (2008).
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from autograd_engine import primitives
from autograd_engine.anomalies import inspected
from autograd_engine.following import now, refuse
from autograd_engine.linearization import linearized, local_derivatives
from autograd_engine.modes import current_mode
from autograd_engine.operands import Operand, data_of, operands_and_floats
from autograd_engine.rows import Primitive

__all__ = ["Dual", "Perturbation", "coefficients_of", "current", "opened", "perturbation"]


class Perturbation(NamedTuple):
    """A direction, by the time when it was opened, and the highest power of it that is kept."""

    serial: int
    order: int


def perturbation(order: int = 1) -> Perturbation:
    """A direction that nobody has yet."""
    return Perturbation(now(), order)


_PRODUCTS = 64  # up to this whole power by products

Coefficients = tuple[Any, ...]  # of 1, e, e ** 2, ...; those not there are 0
Columns = Sequence[Coefficients]  # one for each operand; a constant has one coefficient


def _each(operation: Callable[..., Any]) -> Callable[[Columns, int], Coefficients]:
    """The coefficients of x + y and the like: coefficient by coefficient."""

    def combine(columns: Columns, order: int) -> Coefficients:
        return tuple([operation(*xs) for xs in itertools.zip_longest(*columns, fillvalue=0.0)])

    return combine


def _product(columns: Columns, order: int) -> Coefficients:
    """The coefficients of x * y: each sums the products of coefficients of lower order."""
    x, y = columns
    z: list[Any] = []
    for k in range(min(order + 1, len(x) + len(y) - 1)):
        first, last = max(0, k - len(y) + 1), min(k, len(x) - 1)
        z.append(_added([x[i] * y[k - i] for i in range(first, last + 1)]))
    return tuple(z)


def _quotient(columns: Columns, order: int) -> Coefficients:
    """The coefficients of z = x / y, one after the other from z * y = x."""
    x, y = columns
    z: list[Any] = []
    for k in range(order + 1 if len(y) > 1 else len(x)):
        rest = [y[i] * z[k - i] for i in range(1, min(k + 1, len(y)))]
        above = x[k] if k < len(x) else 0.0
        z.append(primitives.div(above - _added(rest) if rest else above, y[0]))
    return tuple(z)


def _added(terms: list[Any]) -> Any:
    return functools.reduce(operator.add, terms)


def _power(columns: Columns, order: int) -> Coefficients | None:
    """The coefficients of z = x ** y, from z' = z * w' with w = y * log(x).

    For a whole power that is no function of anything, products: those hold at x = 0 as well. None
    where z' = z * w' says nothing, at another power of 0 and where z overflows or underflows.
    """
    if order == 1:
        return None
    x, y = columns
    z0 = primitives.pow(x[0], y[0])
    n = y[0]
    if len(y) == 1 and isinstance(n, float) and 0.0 <= n <= _PRODUCTS and n == int(n):
        return (z0, *_whole_power(x, int(n), order)[1:])
    size = z0 if isinstance(z0, float) else data_of(z0)
    if not isinstance(size, float):  # recorded, and not known to be 0 or not
        return None
    if x[0] == 0.0 or not sys.float_info.min <= math.fabs(size) < math.inf:
        return None
    of = perturbation(order)
    w = coefficients_of(primitives.mul(Dual(y, of), primitives.log(Dual(x, of))), of)
    z = [z0]
    for k in range(1, order + 1):
        z.append(_added([w[j] * (j / k) * z[k - j] for j in range(1, min(k + 1, len(w)))]))
    return tuple(z)


def _whole_power(x: Coefficients, n: int, order: int) -> Coefficients:
    """x * x * ... n times, by squaring."""
    if n == 0:
        return (1.0,)
    half = _whole_power(x, n // 2, order)
    square = _product((half, half), order)
    return _product((square, x), order) if n % 2 else square


_RING: dict[Any, Callable[[Columns, int], Coefficients | None]] = {
    primitives.add: _each(operator.add),
    primitives.sub: _each(operator.sub),
    primitives.neg: _each(operator.neg),
    primitives.mul: _product,
    primitives.div: _quotient,
    primitives.pow: _power,
}


def _chain_rule(row: Primitive, columns: Columns, of: Perturbation) -> Coefficients:
    """The coefficients of any other primitive, from z' = sum of dz/dx * x', power by power.

    The local derivatives are needed up to one order less, so they are found by running their
    formulas on operands cut there, and that by this function again.
    """
    operands = tuple([column[0] for column in columns])
    varying = [i for i, column in enumerate(columns) if len(column) > 1]
    if of.order == 1:
        first, derivatives = linearized(row, operands, varying)
        return first, _added([d * columns[i][1] for i, d in zip(varying, derivatives, strict=True)])
    lower = Perturbation(of.serial, of.order - 1)
    cut = [Dual(c[: of.order], lower) if len(c) > 1 else c[0] for c in columns]
    derivatives = local_derivatives(row, _Result(row, tuple(cut), lower), cut, varying)
    slopes = [coefficients_of(d, lower) for d in derivatives]
    z = [row.apply(operands)]
    for k in range(1, of.order + 1):
        terms = [
            (columns[i][j] if j == k else columns[i][j] * (j / k)) * slope[k - j]
            for i, slope in zip(varying, slopes, strict=True)
            for j in range(1, min(k + 1, len(columns[i])))
            if k - j < len(slope)
        ]
        z.append(_added(terms) if terms else 0.0)
    return tuple(z)


_open: set[int] = set()  # in all threads: a function may hand its numbers to others


@contextmanager
def opened(of: Perturbation) -> Iterator[None]:
    """While a derivative by this perturbation is taken."""
    _open.add(of.serial)
    try:
        yield
    finally:
        _open.discard(of.serial)


def current(x: Any) -> Any:
    """An operand without perturbations whose derivative is done.

    Such may escape from an inner function, in a list of the user's or a pullback; they lie
    outermost and would hide those that are still wanted.
    """
    while isinstance(x, Dual) and x.of.serial not in _open:
        x = x.coefficients[0]
    if isinstance(x, Dual):
        return Dual(tuple(map(current, x.coefficients)), x.of)
    return x


def coefficients_of(x: Any, of: Perturbation) -> Coefficients:
    """What an operand is in one perturbation: a constant, if it has no part in it."""
    return x.coefficients if isinstance(x, Dual) and x.of == of else (x,)


class Dual(Operand):
    """A truncated power series in one perturbation: coefficients of 1, e, e ** 2, ...

    Functions under `jvp`, `derivative` and `taylor` get these in place of numbers. They take part
    in everything that Values do: operators, primitives and their methods, comparisons by data.

    Attributes
    ----------
    coefficients : tuple of operands
        Floats, Values, or Duals of perturbations opened before; those not there are 0.
    of : Perturbation
        Which perturbation, and up to which power.
    data : float
        The number without any derivatives.

    Raises
    ------
    TypeError
        When the program makes a plain number of it, as `float()` and `math.exp()` do: that would
        lose the derivative.
    """

    __slots__ = ("coefficients", "of")

    def __init__(self, coefficients: Coefficients, of: Perturbation) -> None:
        self.coefficients, self.of = coefficients, of

    @staticmethod
    def bind(row: Primitive, operands: tuple[Any, ...]) -> Any:
        """The result of any primitive; NotImplemented where an operand is an array."""
        known = operands_and_floats(operands, row.name)
        if known is None:
            return NotImplemented
        of = max([x.of for x in known if isinstance(x, Dual)])
        columns = [coefficients_of(x, of) for x in known]
        if max(map(len, columns)) == 1 or not current_mode().differentiates:
            return Dual((row.apply(tuple([column[0] for column in columns])),), of)
        z = _RING[row](columns, of.order) if row in _RING else None
        z = z or _chain_rule(row, columns, of)
        if current_mode().detects:
            for x in z:
                if isinstance(x, float):  # Values are looked at when they are made
                    inspected(row, x, known, current_mode().info)
        return Dual(z, of)

    @property
    def data(self) -> float:
        """The number without any derivatives."""
        x = self.coefficients[0]
        return x if isinstance(x, float) else data_of(x)

    def __float__(self) -> float:
        if len(self.coefficients) > 1 and self.of.serial in _open:
            refuse(self)
        return float(self.coefficients[0])

    def detach(self) -> Dual:
        """The same number as a constant."""
        return Dual((self.data,), self.of)

    def __repr__(self) -> str:
        return f"Dual({', '.join(map(repr, self.coefficients))})"


class _Result(Dual):
    """The result in the formula of a local derivative: computed if the formula asks for it."""

    __slots__ = ("_inputs",)

    def __init__(self, row: Primitive, operands: tuple[Any, ...], of: Perturbation) -> None:
        self._inputs, self.of = (row, operands), of

    def __getattr__(self, name: str) -> Any:
        if name != "coefficients":
            return super().__getattr__(name)
        self.coefficients = Dual.bind(*self._inputs).coefficients
        return self.coefficients
