"""Names for Values from the variables that hold them: `locals()` of the caller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autograd_engine.backend import Value
from autograd_engine.conversion import is_array, kind

__all__ = ["names_in", "parameters_in", "with_model"]

DEEPEST = 3  # w[1][0], p['w'][2]: enough to be recognised


def names_in(namespace: Mapping[str, Any]) -> dict[int, str]:
    """The name of each Value in a namespace, by its `id`; the first name that it has.

    Lists, tuples and dicts are looked into, and last what has `named_parameters`, as an `nn` module
    has: `model.w[0][1]`. Names that begin with an underscore are not looked into, for those are a
    notebook's own, and neither is its `Out`.

    Raises
    ------
    TypeError
        When it is no mapping of names.

    >>> x = Value(1.0)
    >>> list(names_in({"weights": [Value(0.0), x], "x": x}).values())
    ['x', 'weights[0]']
    """
    found: dict[int, str] = {}
    models: list[tuple[str, Any]] = []
    for name, x in _walk(namespace):
        if isinstance(x, Value):
            found.setdefault(id(x), name)
        elif _is_model(x):
            models.append((name, x))
    for name, model in sorted(models, key=lambda named: not named[0]):  # bare paths come last
        for path, parameter in _parameters_of(model):
            found.setdefault(id(parameter), f"{name}{path}" if name else path.removeprefix("."))
    return found


def parameters_in(namespace: Mapping[str, Any]) -> set[int]:
    """The `id` of each parameter of the models in a namespace."""
    models = [x for _, x in _walk(namespace) if _is_model(x)]
    return {id(parameter) for model in models for _, parameter in _parameters_of(model)}


def with_model(names: Mapping[str, Any] | None, model: Any) -> Mapping[str, Any] | None:
    """A namespace in which the parameters of a model, if it is one, have bare names: `w[0][1]`."""
    if not _is_model(model):
        return names
    return {**({} if names is None else _checked(names)), "": model}


def _parameters_of(model: Any) -> list[tuple[str, Value]]:
    """(path, parameter) of all Values among a model's parameters; of `w.0.1` it is `.w[0][1]`."""
    return [
        (re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f".{path}"), x)
        for path, x in model.named_parameters()
        if isinstance(x, Value)
    ]


def _is_model(x: Any) -> bool:
    """Whether the class has the method: an object may answer to any name, as mocks do."""
    return callable(getattr(type(x), "named_parameters", None))


def _checked(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(namespace, Mapping):
        raise TypeError(
            f"names must be a mapping of names to Values, such as locals(); got {namespace!r:.60}"
        )
    return namespace


def _walk(namespace: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All that has a name, level by level: a variable's own name comes before one in a list."""
    outputs = _checked(namespace).get("_oh")  # IPython's other name for Out
    level: list[tuple[str, Any]] = [
        (str(name), x)
        for name, x in namespace.items()
        if not str(name).startswith("_") and x is not outputs
    ]
    for _ in range(DEEPEST):
        yield from level
        level = [(f"{name}[{key!r}]", part) for name, x in level for key, part in _parts(x)]


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
    return isinstance(x, Value | dict | list | tuple) or _is_array_of_objects(x) or _is_model(x)


def _is_array_of_objects(x: Any) -> bool:
    """Such as `A @ values`."""
    return is_array(x) and kind(x) == "O"
