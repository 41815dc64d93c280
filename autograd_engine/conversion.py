"""Numbers and arrays as they come from outside: what counts as one, and what the error says."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["elementwise", "float_array", "ieee", "is_array", "kind", "number", "shown"]


@contextmanager
def ieee() -> Iterator[Any]:
    """NumPy without its warnings about inf and nan, which are results here."""
    import numpy

    with numpy.errstate(all="ignore"):
        yield numpy
        numpy.add(0.0, 0.0)  # clears the flags, which a loop of NumPy's around us would report


def elementwise(f: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """The array of the objects that `f` makes of broadcast operands; for scalars the one object."""
    import numpy

    columns = numpy.broadcast_arrays(*[numpy.asarray(x, dtype=object) for x in operands])
    results = map(f, *[column.flat for column in columns])
    return numpy.fromiter(results, object, columns[0].size).reshape(columns[0].shape)[()]


def number(x: Any, operation: str) -> float:
    """`x` as a float: any real number, NumPy scalar or 0-d array; a TypeError names the remedy."""
    if isinstance(x, float):
        return float(x)
    if isinstance(x, numbers.Real):
        try:
            return float(x)
        except OverflowError:
            raise ValueError(f"{operation}: {type(x).__name__} too large for a float") from None
    if getattr(x, "ndim", None) == 0 and hasattr(x, "item"):
        return number(x.item(), operation)
    raise TypeError(f"{operation}: expected a real number, got {shown(x)}; {_remedy(x, operation)}")


def is_array(x: Any) -> bool:
    """Whether x is an array; a 0-d one counts as its number, unless it holds an object."""
    ndim = getattr(x, "ndim", None)
    return bool(ndim) or (ndim == 0 and kind(x) == "O")


def kind(array: Any) -> str:
    """The letter by which NumPy calls a kind of data; "O" for objects, and where it has none."""
    return str(getattr(getattr(array, "dtype", None), "kind", "O"))


def float_array(x: Any, operation: str) -> Any:
    """An array of real numbers as float64, a scalar as in `number`."""
    return x.astype(float) if getattr(x, "ndim", 0) else number(x, operation)


def shown(x: Any) -> str:
    """Type and value, short, for a message."""
    text = repr(x)
    return f"{type(x).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def _remedy(x: Any, operation: str) -> str:
    if hasattr(x, "bind"):
        return "use it as it is, or take its .data"
    if isinstance(x, str | bytes):
        return "convert text with float(text)"
    if isinstance(x, complex):
        return "take its real or imaginary part"
    if isinstance(x, Iterable):
        call = operation if operation.isidentifier() else "Value"
        return f"take one element at a time, as in [{call}(v) for v in data]"
    return "convert it with float(...)" if hasattr(x, "__float__") else "give it a number first"
