"""NumPy meets Values half-way.

    np.float64(2) * v, np.array([1.0, 2.0]) * v     a Value, an array of Values (dtype object)
    np.exp(v), np.exp(array of Values)              the same, by the primitive
    np.array([1.0, 2.0]) < v, np.isfinite(v)        by data: booleans

NumPy calls `__array_ufunc__` where a Value itself is an operand. On an array of Values it calls the
operators and methods of the elements, which is why methods have NumPy's names too (`arcsin`).

NumPy makes some things impossible. On *arrays* of Values

* `np.maximum`, `np.max`, `np.sort` and their like choose an element by comparing data: at a tie one
  gets the whole derivative, and a nan may be lost; `autograd_engine.maximum` shares and shows them;
* `np.arctan2(x, array)` and `np.hypot(x, array)` want Values in the first operand; and functions
  without a loop for objects (`np.isfinite`, `np.logaddexp`, `np.linalg`) raise a TypeError:
  `autograd_engine.logaddexp` and the other primitives take arrays of Values;
* `array *= v` on an array of floats raises, because floats cannot hold Values;
* `np.array(values, dtype=float)` and `array.astype(float)` take the data, and the graph ends there.
"""

from __future__ import annotations

from typing import Any

from autograd_engine.backend import Value
from autograd_engine.rows import ALIASES, TABLE, elementwise

__all__ = ["array_ufunc"]

_OPERATORS = {"subtract": "sub", "multiply": "mul", "divide": "div", "negative": "neg"}
_BY_DATA = frozenset(
    "equal not_equal less less_equal greater greater_equal isfinite isinf isnan signbit "
    "floor ceil trunc rint".split()
)


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
        return ufunc(*map(_data, inputs), **options)
    row = TABLE.get(_OPERATORS.get(name, name)) or ALIASES.get(name)
    if row is None or method != "__call__":
        called = name if method == "__call__" else f"{name}.{method}"
        raise TypeError(
            f"np.{called}: no primitive for it on a Value; use a primitive of autograd_engine, or "
            "take .data and lose the gradient"
        )
    (out,) = options.pop("out", (None,))
    if options:
        raise TypeError(f"np.{name}: {', '.join(options)}= does not go with a Value")
    if out is not None and out.dtype.kind != "O":
        raise TypeError(
            f"np.{name}: an array of {out.dtype} cannot hold Values; write x = x * v, not x *= v"
        )
    z = elementwise(row, inputs)
    if out is None:
        return z
    out[...] = z
    return out


def _data(x: Any) -> Any:
    if isinstance(x, Value):
        return x.data
    return x.astype(float) if getattr(getattr(x, "dtype", None), "kind", "") == "O" else x


setattr(Value, "__array_ufunc__", array_ufunc)  # noqa: B010 (the type checker sees a final class)
