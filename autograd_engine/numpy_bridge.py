"""NumPy meets Values half-way; every other kind of Operand alike.

    np.float64(2) * v, np.array([1.0, 2.0]) * v     a Value, an array of Values (dtype object)
    np.exp(v), np.exp(array of Values)              the same, by the primitive
    np.array([1.0, 2.0]) < v, np.isfinite(v)        by data: booleans

NumPy calls `__array_ufunc__` where a Value itself is an operand. On an array of Values it calls the
operators and methods of the elements, which is why methods have NumPy's names too (`arcsin`).

NumPy makes some things impossible. On *arrays* of Values

* `np.maximum`, `np.max`, `np.sort` and their like choose an element by comparing data: at a tie one
  gets the whole derivative, and a nan may be lost; `autograd_engine.maximum` shares and shows them;
* functions that call methods (`np.exp`, `np.hypot`) want a Value in every place, or in the first
  operand, and those without a loop for objects (`np.isfinite`, `np.logaddexp`, most of
  `np.linalg`) raise a TypeError: the primitives take arrays of Values, also mixed with numbers;
* `array *= v` on an array of floats raises, because floats cannot hold Values;
* `np.array(values, dtype=float)`, `array.astype(float)`, and putting a Value into an array of
  floats (`floats[0] = v`, or a function that does so, as `np.gradient`) take the data, and the
  graph ends there without an error.
"""

from __future__ import annotations

from typing import Any

from autograd_engine.backend import Value
from autograd_engine.conversion import elementwise, is_array, kind
from autograd_engine.expression import Expression, no_number
from autograd_engine.modes import current_mode
from autograd_engine.operands import Operand
from autograd_engine.registry import ALIASES, TABLE
from autograd_engine.samples import NUMPYS_COMPARISONS

__all__ = ["array_ufunc"]

_OPERATORS = {"subtract": "sub", "multiply": "mul", "divide": "div", "negative": "neg"}
_BY_DATA = {*NUMPYS_COMPARISONS, *"isfinite isinf isnan signbit floor ceil trunc rint".split()}


def array_ufunc(self: Value, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """`Value.__array_ufunc__`: the result of a NumPy function with a Value among its operands.

    Raises
    ------
    TypeError
        For functions that no primitive stands for, options such as `where=` and `dtype=`, and an
        `out=` that cannot hold Values.
    """
    name = ufunc.__name__
    if method == "__call__" and name in _BY_DATA:
        if current_mode().recorder is None and not any(isinstance(x, Expression) for x in inputs):
            return ufunc(*map(_data, inputs), **options)
        if name in NUMPYS_COMPARISONS:
            return elementwise(NUMPYS_COMPARISONS[name], inputs)
        no_number(self)
    row = TABLE.get(_OPERATORS.get(name, name)) or ALIASES.get(name)
    if row is None or method != "__call__":
        called = name if method == "__call__" else f"{name}.{method}"
        raise TypeError(
            f"{called}: no primitive for it on a Value; use a primitive of autograd_engine, or "
            "take .data and lose the gradient"
        )
    (out,) = options.pop("out", (None,))
    if options:
        raise TypeError(f"{name}: {', '.join(options)}= does not go with a Value")
    if out is not None and kind(out) != "O":
        raise TypeError(
            f"{name}: an array of {out.dtype} cannot hold Values; write x = x * v, not x *= v"
        )
    z = elementwise(row, inputs)
    if out is None:
        return z
    out[...] = z
    return out


def _data(x: Any) -> Any:
    """Values as floats, also inside an array; everything else as it is."""
    if is_array(x) and kind(x) == "O":
        return elementwise(_data, [x])
    return x.data if isinstance(x, Value | Operand) else x


def conjugate(self: Value) -> Value:
    """The Value itself, which is real; `np.var` and `np.vdot` ask for it."""
    return self


for _name, _method in (("__array_ufunc__", array_ufunc), ("conjugate", conjugate)):
    setattr(Value, _name, _method)
    setattr(Operand, _name, _method)
