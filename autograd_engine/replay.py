"""How a recorded function runs: on the native executor, or instruction by instruction on NumPy.

Both are called with the arguments and give the result, or `MISMATCH` for arguments of another
structure. NumPy takes over where the native executor was not built, and for primitives of users,
which have no kernel in C.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from autograd_engine.backend import Value, backend
from autograd_engine.conversion import ieee, number
from autograd_engine.encoding import OPCODES, encoded
from autograd_engine.fusion import Fused
from autograd_engine.lowering import lowered
from autograd_engine.program import Program
from autograd_engine.splitting import EACH, SHARE
from autograd_engine.structures import blocks
from autograd_engine.tape import applied
from autograd_engine.templates import Template, batch_of, described, parts_of, targets

__all__ = ["MISMATCH", "Work", "executor", "runner"]

MISMATCH = object()


class Work(NamedTuple):
    """A recorded function, and what is to be done with it.

    Attributes
    ----------
    arguments, result : Template
    program : Program
        With the numbers of the result first, then the gradients of those that are fused, one after
        the other.
    batched : tuple of int
        The inputs with a number for each sample.
    kinds : tuple of str
        What becomes of each output over the batch.
    fused : tuple of bool
        Which numbers of the result depend on Values.
    captured : tuple of Value
        The last inputs.
    recorded : int
        How many lines there were before anything was left out.
    """

    arguments: tuple[Template, ...]
    program: Program
    batched: tuple[int, ...]
    kinds: tuple[str, ...]
    reduce: str | None
    result: Template
    fused: tuple[bool, ...]
    captured: tuple[Value, ...]
    recorded: int
    name: str
    threads: int


@functools.cache
def executor() -> Any:
    """The native executor, or None: with the engine in Python too, NumPy does all the work."""
    if backend != "native":
        return None
    try:
        native = importlib.import_module("autograd_engine._executor")
    except ModuleNotFoundError:
        return None
    if native.KERNELS_HASH != _engine().kernels_hash:
        warnings.warn(
            "compile uses NumPy: the native executor was built from another table of primitives; "
            "install autograd_engine again",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return native


def _engine() -> Any:
    return importlib.import_module("autograd_engine._native")


def runner(work: Work) -> tuple[Any, dict[str, int]]:
    """What computes this work (where Values take part, its results are Values), and its size."""
    known = all(operation is None or operation in OPCODES for operation in work.program.operations)
    gradients = len(work.kinds) - len(work.fused)
    make = _on_executor if known and executor() is not None else _on_numpy
    run, statistics = make(work, _with_gradients(work, gradients))
    if any(work.fused):
        over_batch = bool(work.batched) and work.reduce is None
        run = Fused(
            work.name, run, work.arguments, work.captured, work.fused, gradients > 0, over_batch,
            MISMATCH,
        )  # fmt: skip
    return run, {"recorded": work.recorded, "simplified": len(work.program), **statistics}


def _on_executor(work: Work, result: Template) -> tuple[Any, dict[str, int]]:
    """A plan, run in C."""
    low = lowered(work.program, work.batched, work.kinds, work.reduce)
    plan = encoded(low)
    native = executor()
    call = native.Caller(
        executor=native.Executor(**plan.keywords),
        arguments=work.arguments,
        result=result,
        outputs=plan.outputs,
        captured=work.captured,
        value_type=Value,
        number_of=_engine().number_of,
        threads=work.threads,
        mismatch=MISMATCH,
    )
    once = sum(len(x.lines) for x in (*low.before, *low.after))
    return call, {
        "once per call": once,
        "for each sample": sum(len(getattr(x, "lines", "x")) for x in low.body),
        **plan.statistics,
    }


def _on_numpy(work: Work, result: Template) -> tuple[Any, dict[str, int]]:
    return _OnNumPy(work, result), {}


def _with_gradients(work: Work, gradients: int) -> Template:
    """The template of the result, and that of all gradients as one array behind it."""
    if not gradients:
        return work.result
    return Template("tuple", (), (), (work.result, Template("array", (gradients,))))


class _OnNumPy:
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
