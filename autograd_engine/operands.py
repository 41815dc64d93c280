"""Operand: what a kind of number other than Value needs in order to stand where a Value does.

A kind says in `bind` what a primitive does to it, and in `data` what number it is; operators,
methods (`x.tanh()`), comparisons and formatting follow.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autograd_engine import primitives
from autograd_engine.backend import Value
from autograd_engine.conversion import is_array, number
from autograd_engine.modes import current_mode
from autograd_engine.registry import ALIASES, TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.value import named

__all__ = ["Operand", "data_of", "operands_and_floats"]


def _infix(row: Primitive) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The two methods of a binary operator: `operand o other` and `number o operand`."""

    def method(self: Operand, other: Any) -> Any:
        return self.bind(row, (self, other))

    def reflected(self: Operand, other: Any) -> Any:
        return self.bind(row, (other, self))

    return named(row.symbol, row, method), named(f"r{row.symbol}", row, reflected)


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison by data, with all that has data and with numbers."""

    def method(self: Operand, other: Any) -> Any:
        if isinstance(other, Operand | Value):
            other = data_of(other)
        if isinstance(other, str | bytes) or not hasattr(other, "__float__"):
            return NotImplemented
        found = compare(self.data, other)
        return found if hasattr(found, "bind") else bool(found)  # recorded, it is not known yet

    return method


def data_of(x: Any) -> Any:
    """The number of an operand; of a Value, while something is recorded, the line that it is."""
    recorder = current_mode().recorder
    return recorder.detached(x) if recorder and isinstance(x, Value) else x.data


def operands_and_floats(operands: tuple[Any, ...], operation: str) -> list[Any] | None:
    """Operands of any kind as they are, numbers as floats; None where one is an array.

    Raises
    ------
    TypeError
        For text and the like.
    """
    found = []
    for x in operands:
        if x.__class__ is float or hasattr(x, "bind"):
            found.append(x)
        elif is_array(x):
            return None
        else:
            found.append(number(x, operation))
    return found


class Operand:
    """Base of the kinds of number that take part in everything that Values do."""

    __slots__ = ()

    if TYPE_CHECKING:  # what each kind has

        @staticmethod
        def bind(row: Primitive, operands: tuple[Any, ...]) -> Any:
            """The result of any primitive; NotImplemented to leave it to other operands."""

        @property
        def data(self) -> Any:
            """The number itself."""

        def __float__(self) -> float:
            """The number, for those who may have it without what else is known."""

    __add__, __radd__ = _infix(primitives.add)
    __sub__, __rsub__ = _infix(primitives.sub)
    __mul__, __rmul__ = _infix(primitives.mul)
    __truediv__, __rtruediv__ = _infix(primitives.div)
    __pow__, __rpow__ = _infix(primitives.pow)

    def __neg__(self) -> Any:
        return primitives.neg(self)

    def __abs__(self) -> Any:
        return primitives.abs(self)

    def __pos__(self) -> Any:
        return self

    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.data)

    def __int__(self) -> int:
        return int(float(self))

    __trunc__ = __int__

    def __round__(self, digits: int | None = None) -> float:
        return round(float(self), digits)

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __getattr__(self, name: str) -> Any:
        """A primitive as a method: looked up when it is called, so those added later are there."""
        row = TABLE.get(name) or ALIASES.get(name)
        if row is None or row.arity > 2 or isinstance(row, NaryPrimitive):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return functools.partial(row, self)
