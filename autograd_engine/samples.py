"""The arrays that a function gets while it is recorded: NumPy's, with comparisons that record.

NumPy makes booleans of a comparison of two arrays of objects, and chooses by them in `maximum` and
its like; of recorded numbers nobody knows that yet. Everything else is as with other arrays.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

from autograd_engine import primitives
from autograd_engine.conversion import elementwise

__all__ = ["NUMPYS_COMPARISONS", "sample_array"]

NUMPYS_COMPARISONS = {
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt,
    "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge,
}  # fmt: skip
_RECORDED = {
    **NUMPYS_COMPARISONS,
    "maximum": primitives.maximum,
    "minimum": primitives.minimum,
    "sign": primitives.sign,
}


def sample_array(elements: list[Any], shape: tuple[int, ...]) -> Any:
    """An array of recorded numbers."""
    import numpy

    return numpy.fromiter(elements, object, len(elements)).reshape(shape).view(_class())


@functools.cache
def _class() -> Any:
    """The class, made when NumPy is needed."""
    import numpy

    class SampleArray(numpy.ndarray[Any, Any]):
        """An array of recorded numbers."""

        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
            plain = [_plain(x) for x in inputs]
            record: Any = _RECORDED.get(ufunc.__name__)
            if record is not None and method == "__call__" and not options:
                return _viewed(elementwise(record, plain))
            if record is not None and method == "reduce" and _reduces_all(plain[0], options):
                return functools.reduce(record, plain[0].flat)
            if "out" in options:
                options["out"] = tuple(map(_plain, options["out"]))
            return _viewed(getattr(ufunc, method)(*plain, **options))

    def _reduces_all(x: Any, options: dict[str, Any]) -> bool:
        axis = options.get("axis", 0)
        usual = {"axis": axis, "where": True}
        others = (value for name, value in options.items() if value is not usual.get(name))
        return (axis is None or (x.ndim == 1 and axis in (0, -1))) and not any(others)

    def _plain(x: Any) -> Any:
        return x.view(numpy.ndarray) if isinstance(x, SampleArray) else x

    def _viewed(x: Any) -> Any:
        found = isinstance(x, numpy.ndarray) and x.dtype == object
        return x.view(SampleArray) if found else x

    return SampleArray
