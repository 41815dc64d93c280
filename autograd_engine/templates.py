"""Templates: the structure of arguments and results, without the numbers in it.

A compiled function records once for each structure of its arguments. A template is that structure
as plain data, which compares and hashes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from autograd_engine.backend import Value
from autograd_engine.conversion import kind as kind_of
from autograd_engine.conversion import number, shown
from autograd_engine.samples import sample_array

__all__ = [
    "Template",
    "batch_of",
    "described",
    "filled",
    "is_nested_rows",
    "parts_of",
    "places",
    "targets",
]


class Template(NamedTuple):
    """A place in a structure, and what is below it.

    Attributes
    ----------
    kind : str
        "number", "value" (a Value), "array" (of numbers), "rows" (one sample of an array, along
        whose first axis the batch lies), "nested rows" (the same of nested lists); "list", "tuple",
        "dict", "objects" (an array with Values in it).
    shape : tuple of int
        Of an array or a sample.
    keys : tuple
        Of a dict.
    children : tuple of Template
    type : type or None
        Of a namedtuple.
    """

    kind: str
    shape: tuple[int, ...] = ()
    keys: tuple[Any, ...] = ()
    children: tuple[Template, ...] = ()
    type: Any = None


_NUMBER, _VALUE = Template("number"), Template("value")


def described(x: Any, place: str, batched: bool = False) -> Template:
    """The template of an argument.

    Raises
    ------
    TypeError, ValueError
        Where it holds anything but numbers and Values, or has no axis for the batch.
    """
    if x.__class__ is float and not batched:
        return _NUMBER
    if isinstance(x, dict):
        children = tuple(described(y, f"{place}[{key!r}]", batched) for key, y in x.items())
        return Template("dict", (), tuple(x), children)
    if isinstance(x, list | tuple) and not (batched and is_nested_rows(x)):
        children = tuple(described(y, f"{place}[{i}]", batched) for i, y in enumerate(x))
        own = type(x) if hasattr(x, "_fields") else None
        return Template("list" if isinstance(x, list) else "tuple", (), (), children, own)
    if batched:
        return _rows(x, place)
    if isinstance(x, Value):
        return _VALUE
    if getattr(x, "ndim", 0):
        return _array(x, place)
    try:
        number(x, f"compile: {place}")
    except TypeError as error:
        listed = "; pass list(x), or an array" if hasattr(x, "__iter__") else ""
        raise TypeError(
            f"{error}{listed}. An argument is numbers; what is a setting, bind: "
            "compile(functools.partial(f, setting=...))"
        ) from None
    return _NUMBER


def _array(x: Any, place: str) -> Template:
    """The template of an array that is no batch."""
    array = _known_array(x, place)
    if kind_of(array) in "biuf":
        return Template("array", tuple(array.shape))
    if kind_of(array) != "O":
        raise TypeError(f"compile: {place}: expected a real number, got an array of {array.dtype}")
    flat = tuple(described(y, f"{place}[...]") for y in array.flat)
    return Template("objects", tuple(array.shape), (), flat)


def _known_array(x: Any, place: str) -> Any:
    """An array of NumPy; those of others are converted, and masked ones refused."""
    import numpy

    if isinstance(x, numpy.ma.MaskedArray):
        raise TypeError(
            f"compile: {place} is a masked array; fill it, as in x.filled(0.0), or leave masked "
            "samples out"
        )
    try:
        return numpy.asarray(x)
    except ValueError:
        shapes = [str(numpy.shape(row)) for row in x]
        i = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
        raise ValueError(
            f"compile: {place}[{i}] has the shape {shapes[i]}, {place}[0] {shapes[0]}; samples "
            "must not differ in shape"
        ) from None


def is_nested_rows(x: Any) -> bool:
    """Whether a list is of nested numbers, rather than of arrays or dicts with a batch in each."""
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return not isinstance(x, dict) and not getattr(x, "ndim", 0)


def _rows(x: Any, place: str) -> Template:
    """The template of one sample of a batch."""
    array = batch_of(x, place)
    return Template("rows" if hasattr(x, "ndim") else "nested rows", array.shape[1:])


def batch_of(x: Any, place: str) -> Any:
    """A batch as an array of floats.

    Raises
    ------
    TypeError, ValueError
        When it is none, ragged, or empty.
    """
    if isinstance(x, Value | str | bytes | set) or not (
        hasattr(x, "__len__") or hasattr(x, "ndim")
    ):
        raise TypeError(
            f"compile: {place} is batched, so its first axis is the batch; got {shown(x)}: pass an "
            "array or list of numbers, one for each sample, or leave it out of batched="
        )
    array = _known_array(x, place)
    if not array.ndim:
        raise TypeError(f"compile: {place} is batched, but is one number without a first axis")
    if not array.size:
        what = "the batch is empty" if not len(array) else f"samples of shape {array.shape[1:]}"
        raise ValueError(f"compile: {place}: {what}; there is nothing to compute with")
    if array.dtype.kind not in "biuf":
        _refuse_batch(x, array, place)
    return array.astype(float, copy=False)


def _refuse_batch(x: Any, array: Any, place: str) -> NoReturn:
    """Say what in a batch is no number."""
    import numpy

    if not hasattr(x, "dtype"):
        for i, y in numpy.ndenumerate(numpy.asarray(x, object)):
            number(y, f"compile: {place}{''.join(f'[{k}]' for k in i)}")
    raise TypeError(
        f"compile: {place}: expected real numbers, got an array of {array.dtype}; convert it with "
        "x.astype(float)"
    )


def places(template: Template, path: str) -> Iterator[tuple[str, str]]:
    """(path, kind) of each number, in order; a path reads as the indices, `params[0]['w']`."""
    if template.kind in ("number", "value"):
        yield path, template.kind
    elif template.kind in ("array", "rows", "nested rows"):
        for i in itertools.product(*map(range, template.shape)):
            yield (f"{path}[{', '.join(map(str, i))}]" if i else path), template.kind
    else:
        for key, child in zip(_keys(template), template.children, strict=True):
            yield from places(child, f"{path}[{key}]")


def _keys(template: Template) -> Iterator[str]:
    if template.kind == "dict":
        return map(repr, template.keys)
    if template.kind == "objects":
        every = itertools.product(*map(range, template.shape))
        return (", ".join(map(str, i)) for i in every)
    return map(str, range(len(template.children)))


def filled(template: Template, new: Iterator[Any]) -> Any:
    """The structure with the next of `new` in each place; arrays are arrays of objects."""
    kind, shape = template.kind, template.shape
    if kind in ("number", "value"):
        return next(new)
    if kind in ("array", "rows"):
        return _object_array(shape, [next(new) for _ in range(math.prod(shape))])
    if kind == "nested rows":
        return _nested(shape, new)
    parts = [filled(child, new) for child in template.children]
    make: Callable[[], Any] = {
        "list": lambda: parts,
        "tuple": lambda: template.type(*parts) if template.type else tuple(parts),
        "dict": lambda: dict(zip(template.keys, parts, strict=True)),
        "objects": lambda: _object_array(shape, parts),
    }[kind]
    return make()


def _object_array(shape: tuple[int, ...], elements: list[Any]) -> Any:
    return sample_array(elements, shape) if shape else elements[0]


def _nested(shape: tuple[int, ...], new: Iterator[Any]) -> Any:
    if not shape:
        return next(new)
    return [_nested(shape[1:], new) for _ in range(shape[0])]


def targets(shapes: list[tuple[int, ...]], arrays: list[Any]) -> list[Any]:
    """The arrays of an `out=`, which are to be filled.

    Raises
    ------
    TypeError, ValueError
        When they are no writable arrays of floats, not of these shapes, or overlap.
    """
    import numpy

    for array, shape in zip(arrays, shapes, strict=True):
        if not isinstance(array, numpy.ndarray) or array.dtype != float:
            raise TypeError(
                f"compile: out takes arrays of floats, for one number numpy.empty(()); got "
                f"{shown(array)}"
            )
        if array.shape != shape or not array.flags.writeable:
            raise ValueError(
                f"compile: out has an array {array.shape} that is to be filled with {shape}"
                f"{'' if array.flags.writeable else '; it is read-only'}"
            )
    for x, y in itertools.combinations(arrays, 2):
        if numpy.shares_memory(x, y):
            raise ValueError("compile: two arrays in out share memory; give each its own")
    return arrays


def parts_of(out: Any, template: Template) -> list[Any]:
    """The parts of an `out=` in the places of the numbers and arrays of a result.

    Raises
    ------
    ValueError
        When it has another structure.
    """
    leaf = not template.children and template.kind in ("number", "array")
    if leaf and not isinstance(out, list | tuple | dict):
        return [out]
    fits = not leaf and isinstance(out, dict if template.kind == "dict" else list | tuple)
    if fits and template.kind == "dict" and set(out) == set(template.keys):
        out = [out[key] for key in template.keys]
    if not fits or isinstance(out, dict) or len(out) != len(template.children):
        raise ValueError(f"compile: out has another structure than the result: {sketch(template)}")
    pairs = zip(out, template.children, strict=True)
    return [part for x, child in pairs for part in parts_of(x, child)]


def sketch(template: Template) -> str:
    """A structure in short, such as `(number, [array(3, 2)])`."""
    if template.kind == "dict":
        pairs = zip(template.keys, template.children, strict=True)
        return "{" + ", ".join(f"{key!r}: {sketch(child)}" for key, child in pairs) + "}"
    if template.kind in ("list", "tuple"):
        inside = ", ".join(map(sketch, template.children))
        return f"[{inside}]" if template.kind == "list" else f"({inside})"
    return f"array{template.shape}" if template.shape else template.kind
