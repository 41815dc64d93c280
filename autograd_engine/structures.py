"""Arguments and results that are nested: lists, tuples, dicts and arrays of numbers or Values."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from typing import Any

from autograd_engine.modes import current_mode
from autograd_engine.samples import sample_array

__all__ = ["array", "assembled", "blocks", "flat", "leaves", "rebuilt"]


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) for each number or Value, in order; a path reads as the indices, `[0]['w']`."""
    if isinstance(tree, dict):
        children = [(repr(key), child) for key, child in tree.items()]
    elif isinstance(tree, list | tuple):
        children = [(str(i), child) for i, child in enumerate(tree)]
    elif _is_array(tree):
        import numpy

        children = [(", ".join(map(str, i)), tree[i]) for i in numpy.ndindex(tree.shape)]
    else:
        yield path, tree.item() if _is_wrapped(tree) else tree
        return
    for key, child in children:
        yield from leaves(child, f"{path}[{key}]")


def flat(tree: Any) -> list[Any]:
    """The leaves alone."""
    if _is_array(tree):
        return list(tree.flat)
    children = _children(tree)
    if children is None:
        return [tree.item() if _is_wrapped(tree) else tree]
    found = []
    for child in children:
        if child.__class__ is float:  # most are
            found.append(child)
        else:
            found.extend(flat(child))
    return found


def rebuilt(tree: Any, new: Iterator[Any]) -> Any:
    """The same structure with the next of the `new` leaves in place of each of its own.

    An array comes back as an array, of floats if the new leaves are that, else of objects.
    """
    if tree.__class__ is float:
        return next(new)
    if _is_array(tree):
        return array(tree.shape, [next(new) for _ in range(tree.size)])
    children = _children(tree)
    if children is None:
        return next(new)
    return _same_container(tree, [rebuilt(child, new) for child in children])


def blocks(tree: Any) -> Iterator[Any]:
    """Each array in the structure, and each leaf outside of arrays."""
    children = _children(tree)
    if children is None:
        yield tree
        return
    for child in children:
        yield from blocks(child)


def assembled(tree: Any, new: Iterator[Any]) -> Any:
    """The same structure with the next of the `new` things in place of each of its blocks."""
    children = _children(tree)
    if children is None:
        return next(new)
    return _same_container(tree, [assembled(child, new) for child in children])


def array(shape: tuple[int, ...], elements: list[Any]) -> Any:
    """An array of floats if the elements are that, else of objects; for shape () the element."""
    if not shape:
        return elements[0]
    import numpy

    if current_mode().recorder is not None:
        return sample_array(elements, shape)
    kind = float if all(isinstance(x, float) for x in elements) else object
    return numpy.fromiter(elements, kind, len(elements)).reshape(shape)


def _is_array(tree: Any) -> bool:
    return bool(getattr(tree, "ndim", 0)) and hasattr(tree, "flat")


def _is_wrapped(tree: Any) -> bool:
    """Whether it is an operand in a 0-d array, as NumPy makes them."""
    return getattr(tree, "ndim", None) == 0 and getattr(tree.dtype, "kind", "") == "O"


def _children(tree: Any) -> Collection[Any] | None:
    """The children of a list, tuple or dict; None for all else."""
    if isinstance(tree, dict):
        return tree.values()
    return tree if isinstance(tree, list | tuple) else None


def _same_container(tree: Any, parts: list[Any]) -> Any:
    if hasattr(tree, "_fields"):
        return type(tree)(*parts)
    if isinstance(tree, tuple):
        return type(tree)(parts)
    same = copy.copy(tree)  # also of a subclass, such as defaultdict
    if isinstance(tree, dict):
        same.update(zip(tree, parts, strict=True))
    else:
        same[:] = parts
    return same
