"""A compiled function, not compiled: run as it is, sample by sample where there is a batch.

For numbers that must see every operation: dual numbers, those of another function that is being
recorded, and Values in a batch; and under `detect_anomaly`, where the error is to name your line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autograd_engine.backend import Value
from autograd_engine.conversion import kind, shown
from autograd_engine.dual import Dual
from autograd_engine.expression import Expression
from autograd_engine.options import Options, kinds
from autograd_engine.primitives import div, mean, sum
from autograd_engine.splitting import EACH, SHARE
from autograd_engine.structures import array, assembled, blocks, flat
from autograd_engine.templates import is_nested_rows

__all__ = ["inlined", "sees_operations", "size_of_batch", "watched"]


def sees_operations(options: Options, args: tuple[Any, ...]) -> bool:
    """Whether there are arguments that must see every operation."""
    for i, arg in enumerate(args):
        kinds = Dual | Expression | Value if i in options.batched else Dual | Expression
        if not isinstance(arg, Value) and any(isinstance(x, kinds) for x in _objects(arg)):
            return True
    return False


def _objects(tree: Any) -> Iterator[Any]:
    """The leaves of a structure, without those of arrays of plain numbers."""
    for x in blocks(tree):
        if not getattr(x, "ndim", 0):
            yield x
        elif kind(x) == "O" and hasattr(x, "flat"):
            yield from x.flat


def inlined(options: Options, args: tuple[Any, ...], out: Any = None) -> Any:
    """The result of the function itself, reduced over the batch.

    Raises
    ------
    TypeError
        When there is an `out` to fill: what comes out are no plain numbers.
    """
    if out is not None:
        raise TypeError("compile: out= takes plain numbers, and here the results are others")
    if not options.batched:
        return options.f(*args)
    results = list(_by_sample(options, args))
    first = results[0]
    numbers = iter(kinds(options, len(args), first, len(flat(first))))
    parts = [
        _reduced(options, list(column), next(numbers), [next(numbers) for _ in flat(column[0])[1:]])
        for column in zip(*map(blocks, results), strict=True)
    ]
    return assembled(first, iter(parts))


def _reduced(options: Options, column: list[Any], kind: str, same: list[str]) -> Any:
    """One number or array of the result over the batch."""
    shape, n = getattr(column[0], "shape", ()), len(column)
    numbers = [flat(x) for x in column]
    if kind in (EACH, SHARE):
        each = [x for row in numbers for x in row]
        if kind == SHARE and options.reduce == "mean":
            each = [div(x, float(n)) for x in each]
        return array((n, *shape), each)
    row = mean if options.reduce == "mean" else sum
    return array(shape, [row(xs) for xs in zip(*numbers, strict=True)])


def size_of_batch(options: Options, args: tuple[Any, ...]) -> int:
    """How many samples there are.

    Raises
    ------
    TypeError, ValueError
        When an argument has no batch, or an empty one, and when batches differ in size.
    """
    sizes: dict[str, int] = {}
    for i in sorted(options.batched):
        sizes.update(_sizes(args[i], options.name(i)))
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise ValueError(f"compile: the batches differ in size: {listed}")
    return next(iter(sizes.values()))


def _by_sample(options: Options, args: tuple[Any, ...]) -> Iterator[Any]:
    """What the function returns for each sample."""
    for k in range(size_of_batch(options, args)):
        yield options.f(*[_sample(x, k) if i in options.batched else x for i, x in enumerate(args)])


def _collection(x: Any) -> bool:
    """Whether the batch is in each of the parts of x, not along x itself."""
    return isinstance(x, dict) or (isinstance(x, list | tuple) and not is_nested_rows(x))


def _sizes(x: Any, place: str) -> Iterator[tuple[str, int]]:
    if _collection(x):
        for key, part in x.items() if isinstance(x, dict) else enumerate(x):
            yield from _sizes(part, f"{place}[{key!r}]")
    elif not hasattr(x, "__len__") or isinstance(x, str | bytes | set):
        raise TypeError(
            f"compile: {place} is batched, so its first axis is the batch; got {shown(x)}"
        )
    elif not len(x):
        raise ValueError(f"compile: {place}: the batch is empty")
    else:
        yield place, len(x)


def _sample(x: Any, k: int) -> Any:
    if isinstance(x, dict):
        return {key: _sample(part, k) for key, part in x.items()}
    if _collection(x):
        parts = [_sample(part, k) for part in x]
        if hasattr(x, "_fields"):
            return type(x)(*parts)
        return parts if isinstance(x, list) else tuple(parts)
    return x[k]


def watched(options: Options, args: tuple[Any, ...]) -> None:
    """Run the function as it is, for what `detect_anomaly` may find in it."""
    for _ in _by_sample(options, args) if options.batched else [options.f(*args)]:
        pass
