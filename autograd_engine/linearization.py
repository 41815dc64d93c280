"""The local derivatives of a primitive on operands of any kind, as operands of that kind.

On Values they are Values, so that a gradient can itself be differentiated; on dual numbers they are
dual numbers. The formulas are those of the table; what they are run on decides what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_engine.conversion import ieee
from autograd_engine.rows import ON_OPERANDS, NaryPrimitive, Primitive

__all__ = ["linearized", "local_derivatives"]


def linearized(
    row: Primitive, operands: tuple[Any, ...], wanted: Sequence[int]
) -> tuple[Any, list[Any]]:
    """The result, and dz/d(operand) for the operands at the wanted positions."""
    if all(x.__class__ is float for x in operands):
        z, derivatives = row.linearize(operands)
        return z, [derivatives[i] for i in wanted]
    z = row.apply(operands)
    return z, local_derivatives(row, z, operands, wanted)


def local_derivatives(
    row: Primitive, z: Any, operands: Sequence[Any], wanted: Sequence[int]
) -> list[Any]:
    """dz/d(operand) for the operands at the wanted positions."""
    try:
        return _formulas(row, z, operands, wanted)
    except (ArithmeticError, ValueError):  # constants among the operands: floats raise at 1/0
        with ieee() as numpy:
            ours = [numpy.float64(x) if x.__class__ is float else x for x in operands]
            found = _formulas(row, z, ours, wanted)
            return [float(d) if isinstance(d, float) else d for d in found]


def _formulas(row: Primitive, z: Any, operands: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
    if isinstance(row, NaryPrimitive):
        found = row.local_derivatives(ON_OPERANDS, z, operands)
        return [found[i] for i in wanted]
    formulas = ON_OPERANDS.derivatives(row)
    return [formulas[i](z, *operands) for i in wanted]
