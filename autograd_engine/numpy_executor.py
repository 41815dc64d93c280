"""A program on NumPy: one line after the other, each on all samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autograd_engine.conversion import ieee, number
from autograd_engine.splitting import EACH, SHARE
from autograd_engine.structures import blocks
from autograd_engine.tape import applied
from autograd_engine.templates import Template, batch_of, described, parts_of, targets
from autograd_engine.work import MISMATCH, Work

__all__ = ["OnNumPy"]


class OnNumPy:
    """The program, one line after the other, each on all samples."""

    def __init__(self, work: Work, result: Template) -> None:
        self._work, self._result = work, result
        last = dict[int, int]()  # when each line is used last
        for i, operands in enumerate(work.program.operands):
            last.update(dict.fromkeys(operands, i))
        last.update(dict.fromkeys(work.program.outputs, -1))
        self._done: dict[int, list[int]] = {}
        for line, i in last.items():
            self._done.setdefault(i, []).append(line)

    def __call__(self, args: tuple[Any, ...], out: Any) -> Any:
        """The result, or `MISMATCH`; it fills `out` and returns that, where it is given."""
        import numpy

        work = self._work
        numbers: list[Any] = []
        sizes = set[int]()
        if len(args) != len(work.arguments):
            return MISMATCH
        for x, template in zip(args, work.arguments, strict=True):
            try:
                if described(x, "an argument", _has_rows(template)) != template:
                    return MISMATCH
            except (TypeError, ValueError):  # said again, with the name
                return MISMATCH
            _read(x, template, numbers, sizes)
        if len(sizes) > 1:
            return MISMATCH
        n = sizes.pop() if sizes else 1
        numbers += [x.data for x in work.captured]
        results = [
            self._over_batch(x, kind, n)
            for x, kind in zip(self._run(numbers), work.kinds, strict=True)
        ]
        flat_result = iter(results)
        built = _built(self._result, flat_result, n if work.batched else 0)
        if out is None:
            return built
        leaves = list(blocks(built))
        given = parts_of(out, self._result)
        for target, x in zip(targets([numpy.shape(x) for x in leaves], given), leaves, strict=True):
            target[...] = x
        return out

    def _run(self, numbers: list[Any]) -> list[Any]:
        program = self._work.program
        operations, operands, constants = program.operations, program.operands, program.constants
        with ieee():
            for i in range(len(numbers), len(operations)):
                operation = operations[i]
                if operation is None:
                    numbers.append(constants[i])
                    continue
                xs = tuple([numbers[j] for j in operands[i]])
                numbers.append(applied(operation, xs))
                for j in self._done.get(i, ()):
                    numbers[j] = None  # so that not all lines of a long program are kept
        return [numbers[i] for i in program.outputs]

    def _over_batch(self, x: Any, kind: str, n: int) -> Any:
        """One number of the result: of each sample, a share of the mean, or the sum or mean."""
        import numpy

        work = self._work
        if not work.batched:
            return x
        if kind == EACH or kind == SHARE:
            column = numpy.broadcast_to(numpy.asarray(x, float), (n,))
            return column / n if kind == SHARE and work.reduce == "mean" else column
        if getattr(x, "ndim", 0):
            total = float(numpy.add.reduce(x))
            return total / n if work.reduce == "mean" else total
        return x if work.reduce == "mean" else x * n


def _has_rows(template: Template) -> bool:
    return template.kind.endswith("rows") or any(map(_has_rows, template.children))


def _read(x: Any, template: Template, numbers: list[Any], sizes: set[int]) -> None:
    """The numbers of an argument: floats, and one array for each number of a sample."""
    import numpy

    kind = template.kind
    if kind.endswith("rows"):
        batch = batch_of(x, "an argument")
        sizes.add(len(batch))
        numbers.extend(batch.reshape(len(batch), -1).T)
    elif kind in ("number", "value"):
        numbers.append(x.data if kind == "value" else number(x, "compile"))
    elif kind == "array":
        numbers.extend(map(float, numpy.asarray(x).flat))
    else:
        children = x.values() if kind == "dict" else x.flat if kind == "objects" else x
        for child, below in zip(children, template.children, strict=True):
            _read(child, below, numbers, sizes)


def _built(template: Template, new: Iterator[Any], n: int) -> Any:
    """The structure of a result, of floats and arrays; those of samples have the batch in front."""
    import numpy

    kind, shape = template.kind, template.shape
    if kind == "number":
        x = next(new)
        return numpy.array(x) if getattr(x, "ndim", 0) else float(x)
    if kind == "array":
        elements = [next(new) for _ in range(int(numpy.prod(shape)))]
        if any(getattr(x, "ndim", 0) for x in elements):
            return numpy.stack(elements, axis=1).reshape((n, *shape))
        return numpy.array(elements, float).reshape(shape)
    parts = [_built(child, new, n) for child in template.children]
    if kind == "dict":
        return dict(zip(template.keys, parts, strict=True))
    if kind == "list":
        return parts
    return template.type(*parts) if template.type else tuple(parts)
