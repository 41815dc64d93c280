"""Names for Values from the variables that hold them: `locals()` of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograd_engine.backend import Value
from autograd_engine.conversion import is_array, kind

__all__ = ["names_in"]

DEEPEST = 3  # w[1][0], p['w'][2]: enough to be recognised


def names_in(namespace: Mapping[str, Any]) -> dict[int, str]:
    """The name of each Value in a namespace, by its `id`; the first name that it has.

    Lists, tuples and dicts are looked into; names that begin with an underscore are not, for those
    are a notebook's own, and neither is its `Out`.

    Raises
    ------
    TypeError
        When it is no mapping of names.

    >>> x = Value(1.0)
    >>> list(names_in({"weights": [Value(0.0), x], "x": x}).values())
    ['x', 'weights[0]']
    """
    if not isinstance(namespace, Mapping):
        raise TypeError(
            f"names must be a mapping of names to Values, such as locals(); got {namespace!r:.60}"
        )
    outputs = namespace.get("_oh")  # IPython's other name for Out
    level: list[tuple[str, Any]] = [
        (str(name), x)
        for name, x in namespace.items()
        if not str(name).startswith("_") and x is not outputs
    ]
    found: dict[int, str] = {}
    for _ in range(DEEPEST):  # so that a variable's own name comes before one in a list
        for name, x in level:
            if isinstance(x, Value):
                found.setdefault(id(x), name)
        level = [(f"{name}[{key!r}]", part) for name, x in level for key, part in _parts(x)]
    return found


def _parts(x: Any) -> Iterable[tuple[Any, Any]]:
    """What a container holds that may have a name: datasets are long lists of numbers."""
    if isinstance(x, dict):
        pairs: Iterable[tuple[Any, Any]] = x.items()
    elif _is_array_of_objects(x):
        pairs = enumerate(x) if x.ndim else ()
    else:
        pairs = enumerate(x) if isinstance(x, list | tuple) else ()
    return [(key, part) for key, part in pairs if _may_have_names(part)]


def _may_have_names(x: Any) -> bool:
    return isinstance(x, Value | dict | list | tuple) or _is_array_of_objects(x)


def _is_array_of_objects(x: Any) -> bool:
    """Such as `A @ values`."""
    return is_array(x) and kind(x) == "O"
