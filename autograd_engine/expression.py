"""Expression: an operand that is not a number but records what is done to it.

Rows, operators and comparisons work on Expressions as on numbers, and the result is an Expression
that knows the operation and its operands:

    >>> from autograd_engine.expression import Expression
    >>> from autograd_engine.primitives import sigmoid
    >>> x = Expression("x")
    >>> sigmoid(2.0 * x) + 1.0
    sigmoid(2.0 * x) + 1.0

So a formula can be written out in another language: `codegen.py` runs every row on Expressions and
prints the C that the native engine is made of.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn, final

from autograd_engine import primitives
from autograd_engine.conversion import is_array, number
from autograd_engine.rows import Primitive

__all__ = ["COMPARISONS", "INFIX", "Expression"]

INFIX = {
    getattr(primitives, name): sign
    for name, sign in {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}.items()
}
COMPARISONS: dict[Callable[[Any, Any], Any], str] = {
    operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=",
    operator.eq: "==", operator.ne: "!=",
}  # fmt: skip


def _infix(operation: Any) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods of a binary operator: `expression o other` and `number o expression`."""

    def method(self: Expression, other: Any) -> Any:
        return Expression.bind(operation, (self, other))

    def reflected(self: Expression, other: Any) -> Any:
        return Expression.bind(operation, (other, self))

    return method, reflected


@final
class Expression:
    """A named input, or the result of an operation on Expressions and numbers.

    Attributes
    ----------
    name : str
        Of an input; "" for a result.
    operation : Primitive, function or None
        The primitive or, for a comparison, the function of `operator`; None for an input.
    operands : tuple of Expression and float

    Raises
    ------
    TypeError
        When the program needs the number, which is not there: in an `if`, or in `float()`.
    """

    __slots__ = ("name", "operands", "operation")

    def __init__(self, name: str = "", operation: Any = None, operands: tuple[Any, ...] = ()):
        self.name, self.operation, self.operands = name, operation, operands

    @staticmethod
    def bind(operation: Primitive | Callable[..., Any], operands: tuple[Any, ...]) -> Any:
        """The result of an operation; NotImplemented where an operand is an array."""
        if any(map(is_array, operands)):
            return NotImplemented
        name = getattr(operation, "name", None) or COMPARISONS[operation]
        known = [x if isinstance(x, Expression) else number(x, name) for x in operands]
        return Expression("", operation, tuple(known))

    __add__, __radd__ = _infix(primitives.add)
    __sub__, __rsub__ = _infix(primitives.sub)
    __mul__, __rmul__ = _infix(primitives.mul)
    __truediv__, __rtruediv__ = _infix(primitives.div)
    __pow__, __rpow__ = _infix(primitives.pow)
    __lt__, __gt__ = _infix(operator.lt)[0], _infix(operator.gt)[0]
    __le__, __ge__ = _infix(operator.le)[0], _infix(operator.ge)[0]
    __eq__, __ne__ = _infix(operator.eq)[0], _infix(operator.ne)[0]
    __hash__ = object.__hash__  # by identity: == makes an Expression

    def __neg__(self) -> Expression:
        return Expression("", primitives.neg, (self,))

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return Expression("", primitives.abs, (self,))

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is recorded, and not known to be true or false; write "
            "where(condition, x, y), maximum or minimum instead of `if`, `and`, `or`, max and min"
        )

    def __float__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is recorded, and has no number yet; use the primitives of autograd_engine "
            "instead of float(), int() and the functions of math"
        )

    __int__ = __index__ = __float__

    def __repr__(self) -> str:
        if self.operation is None:
            return self.name
        sign = INFIX.get(self.operation) or COMPARISONS.get(self.operation)
        if sign:
            left, right = map(_in_parentheses, self.operands)
            if sign == "**" and left.startswith("-"):
                left = f"({left})"  # Python reads -2.0 ** x as -(2.0 ** x)
            return f"{left} {sign} {right}"
        if self.operation is primitives.neg:
            return f"-{_in_parentheses(self.operands[0])}"
        return f"{self.operation.name}({', '.join(map(repr, self.operands))})"


def _in_parentheses(operand: Any) -> str:
    """The operand of an operator: in parentheses when it is itself written with one."""
    operation = getattr(operand, "operation", None)
    infix = operation in INFIX or operation in COMPARISONS or operation is primitives.neg
    return f"({operand!r})" if infix else repr(operand)
