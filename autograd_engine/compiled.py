"""compile: scalar code at array speed.

    c = compile(value_and_grad(loss), batched=(1, 2), reduce="mean")
    value, gradients = c(params, X, y)

`loss(params, x, y)` is written for one sample, in plain scalars. It runs once, on numbers that
record (`recording.py`); what was recorded is a Program, which is then replayed on a whole batch, by
the native executor or, where that is missing, by NumPy. It is recorded again when the structure of
the arguments is another one.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, overload

from autograd_engine.evaluation import check_callable
from autograd_engine.inlining import inlined, sees_operations, size_of_batch, watched
from autograd_engine.modes import current_mode
from autograd_engine.options import Batched, called, derives, options
from autograd_engine.program import Program
from autograd_engine.specialization import Specialization
from autograd_engine.templates import Template, described
from autograd_engine.work import MISMATCH

__all__ = ["Compiled", "compile"]

Function = Callable[..., Any]

_STRUCTURES = 64  # of arguments, for which what was recorded is kept
_RECENT = 4  # of those that are tried without a closer look


@overload
def compile(
    f: Function, *, batched: Batched = ..., reduce: str | None = ..., threads: int = ...
) -> Compiled: ...
@overload
def compile(
    f: None = None, *, batched: Batched = ..., reduce: str | None = ..., threads: int = ...
) -> Callable[[Function], Compiled]: ...
def compile(
    f: Function | None = None,
    *,
    batched: Batched = (),
    reduce: str | None = None,
    threads: int = 1,
) -> Any:
    """The same function, recorded once and replayed at array speed; also as a decorator.

    Parameters
    ----------
    f : callable
        Of numbers, Values, arrays, and nested lists, tuples and dicts of them; it returns such.
        Python's `if`, `float()` and the functions of `math` cannot be replayed, and raise. What
        `grad` and its kin return compiles too, in any nesting.
    batched : position, name, or several
        The arguments whose first axis is the batch. Inside `f` they are one sample: an array (n, d)
        is an array (d,), n numbers are one. Nested lists arrive as lists.
    reduce : "mean", "sum" or None
        What becomes of the results over the batch. None: they keep it as their first axis. Else
        gradients by arguments that are not batched are reduced as well; gradients by batched
        arguments keep the batch (for the mean divided by its size), and so does the auxiliary
        result of `value_and_grad(has_aux=True)`.
    threads : int
        At most so many take part in a large batch. Results do not depend on it.

    Returns
    -------
    Compiled
        Call it as `f`; `out=` takes arrays in the structure of the result, and fills them. Results
        are floats and arrays of floats. But where Values take part, as arguments or because `f`
        finds them (a model's parameters), each number that depends on them is one Value, whose
        `backward` reaches them; under `no_grad` it is a Value without a graph. Gradients are plain
        numbers always, and so are arrays over a batch under `no_grad`.

    Raises
    ------
    TypeError
        When `f` is no function, for a `batched` that is no argument of it, at the call for
        arguments that are no numbers, for what cannot be recorded, and for a result that depends on
        nothing. The message names your line, and what to write instead.
    ValueError
        When batches differ in size or are empty, and for another `reduce`.

    Notes
    -----
    It is recorded once for each structure of the arguments, whatever the size of the batch.
    Captured are the Values that were there then; their numbers are read at every call. Captured
    numbers and arrays, and what you read from `.data` of a captured Value, are constants.

    Results equal those of the eager engine to the last bit, with these exceptions: exp, expm1, log,
    log1p, tanh and the rows made of them, which are within 2.5 units in the last place of the true
    value; hypot, which may differ by one; x ** 2, which is x * x; and sums of products (dots,
    adjoints of what is used more than once, sums over a batch), which are added with fused
    multiplications in an order of their own. What NumPy computes differs likewise. A `where` whose
    condition is a constant is the operand that it chooses, for the gradient too.

    `jvp`, `hvp` or `grad` inside a function of your own are part of that function: over a batch its
    results are reduced as values are.

    Examples
    --------
    >>> from autograd_engine import compile, value_and_grad
    >>> def loss(w, x, y):
    ...     return (w * x - y) ** 2
    >>> c = compile(value_and_grad(loss), batched=(1, 2), reduce="mean")
    >>> c(2.0, [1.0, 2.0], [1.0, 3.0])
    (1.0, 3.0)
    >>> @compile(batched="x")
    ... def line(a, x):
    ...     return a * x + 1.0
    >>> line(2.0, [1.0, 2.0, 3.0])
    array([3., 5., 7.])
    """
    if f is None:
        return functools.partial(compile, batched=batched, reduce=reduce, threads=threads)
    check_callable("compile", f)
    if isinstance(f, Compiled) and not f._options.batched:
        f = f._options.f
    return Compiled(f, batched, reduce, threads)


class Compiled:
    """A compiled function; `compile` makes it.

    Attributes
    ----------
    program : Program
        What was recorded for the last call, for one sample: `print(c.program)`.
    statistics : dict of str to int
        How many operations were recorded, and were left when it was simplified; how many of them
        are computed once per call and how many for each sample; in how many instructions, in how
        many registers, for how many samples at a time; and the bytes of it all.
    """

    def __init__(self, f: Function, batched: Batched, reduce: str | None, threads: int) -> None:
        functools.update_wrapper(self, f, updated=())
        self._options = options(f, batched, reduce, threads)
        self._derives = derives(f) is not None
        self._bound: dict[int, Compiled] = {}  # by the instance
        self._known: dict[Any, Specialization] = {}
        self._last: Specialization | None = None
        self._recent: tuple[Specialization, ...] = ()
        self._lock = threading.RLock()

    def __call__(self, /, *args: Any, out: Any = None, **named: Any) -> Any:
        """The result for these arguments; `out` is filled and returned, where it is given."""
        mode = current_mode()
        plain = not (named or mode.recorder or mode.detects)
        if plain and not (self._derives and mode.info):
            for known in self._recent:
                run = known.runs.get(mode.records)
                if run is not None:
                    found = run(args, out)
                    if found is not MISMATCH:
                        self._last = known
                        return found
        return self._looked_up(args, named, out)

    def _looked_up(self, args: tuple[Any, ...], named: dict[str, Any], out: Any) -> Any:
        """A call with arguments of another structure than the last."""
        mode, told = current_mode(), self._options
        args = told.positional(args, named)
        varies = self._derives and mode.info is not None and mode.info.made
        if mode.recorder is not None or varies or sees_operations(told, args):
            return inlined(told, args, out)
        key = tuple(described(x, told.name(i), i in told.batched) for i, x in enumerate(args))
        if mode.detects:
            watched(told, args)
        known = self._recorded(key)
        found = known(args, out, mode.records)
        if found is MISMATCH:
            size_of_batch(told, args)  # says how they differ
            raise ValueError("compile: the arguments changed while they were read")
        self._last = known
        return found

    def _recorded(self, key: tuple[Template, ...]) -> Specialization:
        """What was recorded for these arguments, now or before; the oldest is forgotten."""
        with self._lock:
            known = self._known.pop(key, None)
        if known is None:
            known = Specialization(self._options, key)
        with self._lock:
            self._known[key] = known
            while len(self._known) > _STRUCTURES:
                del self._known[next(iter(self._known))]
            self._recent = tuple(list(self._known.values())[: -_RECENT - 1 : -1])
        return known

    def __reduce__(self) -> Any:
        module = sys.modules.get(getattr(self, "__module__", ""))
        if getattr(module, getattr(self, "__qualname__", ""), None) is self:
            return self.__qualname__  # a decorated function is found under its name
        f, _, batched, reduce, threads, _ = self._options
        return Compiled, (f, tuple(batched), reduce, threads)

    def __get__(self, instance: Any, owner: type | None = None) -> Compiled:
        """As a method: compiled for each instance, as long as that lives."""
        if instance is None:
            return self
        known = self._bound.get(id(instance))
        if known is None:
            f, _, batched, reduce, threads, _ = self._options
            method = _bound_method(f, weakref.ref(instance))
            known = Compiled(method, [i - 1 for i in batched], reduce, threads)
            self._bound[id(instance)] = known
            weakref.finalize(instance, self._bound.pop, id(instance), None)
        return known

    @property
    def _specialization(self) -> Specialization:
        if self._last is None:
            raise RuntimeError("compile: nothing is recorded before the first call; call it once")
        return self._last

    @property
    def program(self) -> Program:
        """What was recorded for the last call."""
        return self._specialization.program

    @property
    def statistics(self) -> dict[str, int]:
        """How many lines there were after each pass, and what the result needs."""
        return self._specialization.statistics

    def frozen(self) -> Program:
        """The program of the last call with captured Values as constants, as they are now.

        So a trained network can be saved: `predict.frozen().save(path)`.
        """
        return self._specialization.frozen()

    def draw(self, path: str | Path | None = None, **options: Any) -> Any:
        """A picture of the program of the last call: `autograd_engine.draw` with its options.

        Without an `example`, one number for each of `program.inputs`, it shows no numbers.
        """
        from autograd_engine.drawing import draw  # what only computes needs no pictures

        return draw(self.program, path, **options)

    def source(self, language: str = "python") -> str:
        """The program of the last call as straight-line code that runs without this package.

        Parameters
        ----------
        language : "python" or "c"
            A Python module with one function, or a C99 file with one function and no allocation,
            for one sample, with captured Values as constants, as they are now. Its comments say
            which input is which; in Python up to 12 inputs are arguments of their own.

        Raises
        ------
        ValueError
            For another language, and for primitives of your own.
        """
        from autograd_engine.source import source

        name = getattr(self, "__name__", "function")
        return source(self.frozen(), language, name)

    def __repr__(self) -> str:
        return f"<compiled {called(self._options.f)}>"


def _bound_method(f: Function, instance: Callable[[], Any]) -> Function:
    """A method of an instance that it does not keep alive."""

    @functools.wraps(f)
    def method(*args: Any) -> Any:
        alive = instance()
        if alive is None:
            raise ReferenceError(f"compile: the object of the method {called(f)} is gone")
        return f(alive, *args)

    signature = inspect.signature(f)
    parameters = list(signature.parameters.values())[1:]
    method.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return method
