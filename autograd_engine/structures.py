"""Arguments and results that are nested: lists, tuples, dicts and arrays of numbers or Values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["leaves", "rebuilt"]


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) for each number or Value, in order; a path reads as the indices, `[0]['w']`."""
    children = _children(tree)
    if children is None:
        yield path, tree
        return
    for key, child in children:
        yield from leaves(child, f"{path}[{key}]")


def rebuilt(tree: Any, new: Iterator[Any]) -> Any:
    """The same structure with the next of the `new` leaves in place of each of its own.

    An array comes back as an array of objects.
    """
    children = _children(tree)
    if children is None:
        return next(new)
    parts = [rebuilt(child, new) for _, child in children]
    if isinstance(tree, dict):
        return dict(zip(tree, parts, strict=True))
    if isinstance(tree, list | tuple):
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    import numpy

    array = numpy.fromiter(parts, object, len(parts))
    return array.reshape(tree.shape)


def _children(tree: Any) -> list[tuple[str, Any]] | None:
    """(index, child) for each child, or None for a leaf."""
    if isinstance(tree, dict):
        return [(repr(key), child) for key, child in tree.items()]
    if isinstance(tree, list | tuple):
        return [(str(i), child) for i, child in enumerate(tree)]
    if getattr(tree, "ndim", 0):
        import numpy

        return [(", ".join(map(str, i)), tree[i]) for i in numpy.ndindex(tree.shape)]
    return None
