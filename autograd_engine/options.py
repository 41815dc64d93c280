"""What `compile` was told, and what follows from it for arguments and results."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from autograd_engine.derivatives import Derives
from autograd_engine.splitting import EACH, SHARE, TOTAL
from autograd_engine.structures import leaves

__all__ = ["Batched", "Options", "called", "derives", "kinds", "options"]

Function = Callable[..., Any]
Batched = int | str | Iterable[int | str]

_THREADS = 1024  # more would only wait for each other


class Options(NamedTuple):
    """What `compile` was told.

    Attributes
    ----------
    names : tuple of str
        Of the positional arguments; "*" in the last place where there may be more.
    batched : frozenset of int
        The positions of those whose first axis is the batch.
    defaults : dict of str to object
        Of the arguments that may be left out.
    """

    f: Function
    names: tuple[str, ...]
    batched: frozenset[int]
    reduce: str | None
    threads: int
    defaults: dict[str, Any]

    def name(self, i: int) -> str:
        """The name of an argument."""
        fixed = self.names[:-1] if self.names[-1:] == ("*",) else self.names
        return fixed[i] if i < len(fixed) else f"args[{i}]"

    def positional(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position.

        Raises
        ------
        TypeError
            When they are too many, too few, or not those of the function.
        """
        args = self._without_names(args, named) if named else args
        if len(args) > len(self.names) and "*" not in self.names:
            raise TypeError(
                f"compile: {called(self.f)} takes {len(self.names)} positional arguments, got "
                f"{len(args)}"
            )
        missing = [self.name(i) for i in sorted(self.batched) if i >= len(args)]
        if missing:
            raise TypeError(f"compile: {missing[0]} is batched, but was not given")
        return args

    def _without_names(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        left = [name for name in self.names[len(args) :] if name != "*"]
        for name in named:
            if name in self.names[: len(args)]:
                raise TypeError(f"compile: {name!r} is given by position and by name")
            if name not in left:
                raise TypeError(f"compile: {called(self.f)} has no argument {name!r}")
        last = max(left.index(name) for name in named)
        given = {**self.defaults, **named}
        missing = [name for name in left[: last + 1] if name not in given]
        if missing:
            raise TypeError(f"compile: {called(self.f)} needs {missing[0]!r}, which was not given")
        return (*args, *(given[name] for name in left[: last + 1]))


def called(f: Any) -> str:
    """How messages call a function."""
    return str(getattr(f, "__name__", None) or type(f).__name__)


def options(f: Function, batched: Batched, reduce: str | None, threads: int) -> Options:
    """What `compile` was told, checked.

    Raises
    ------
    TypeError, ValueError
        For what makes no sense; the message names the remedy.
    """
    if any(
        runs_late(function)
        for function in (f, getattr(f, "__call__", None))  # noqa: B004 (its code is looked at)
        for runs_late in (
            inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        )
    ):  # fmt: skip
        raise TypeError(
            f"compile: {called(f)} runs after its call returns; compile a plain function"
        )
    if type(f).__name__ == "ufunc":
        raise TypeError(f"compile: use the primitives of autograd_engine, not numpy.{called(f)}")
    if reduce not in ("mean", "sum", None):
        raise ValueError(f"compile: reduce must be 'mean', 'sum' or None, got {reduce!r}")
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"compile: threads must be a whole number of at least 1, got {threads!r}")
    parameters = _parameters(f)
    names = tuple(parameters)
    places = frozenset(_places(f, batched, names))
    if reduce is not None and not places:
        raise TypeError(
            f"compile: reduce={reduce!r}, but no argument is batched; say which, as in "
            "batched=(1, 2) or batched=('x', 'y')"
        )
    defaults = {name: x for name, x in parameters.items() if x is not inspect.Parameter.empty}
    return Options(f, names, places, reduce, min(threads, _THREADS), defaults)


def _parameters(f: Function) -> dict[str, Any]:
    """The names of the positional arguments, and their defaults."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin that does not tell
        return {"*": inspect.Parameter.empty}
    if any(x.name == "out" for x in parameters):
        raise TypeError("compile: the argument `out` has a meaning here; give it another name")
    for x in parameters:
        if x.kind is x.VAR_KEYWORD or (x.kind is x.KEYWORD_ONLY and x.default is x.empty):
            raise TypeError(
                f"compile: {x.name} can only be given by name; make it a positional argument, or "
                f"bind it with functools.partial({called(f)}, {x.name}=...)"
            )
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = {x.name: x.default for x in parameters if x.kind in kinds}
    if any(x.kind is x.VAR_POSITIONAL for x in parameters):
        found["*"] = inspect.Parameter.empty
    return found


def _length(x: Any) -> int:
    return len(x) if getattr(x, "ndim", 0) else 0


def _places(f: Function, batched: Batched, names: tuple[str, ...]) -> Iterator[int]:
    """The positions of the batched arguments."""
    fixed = [name for name in names if name != "*"]
    listed = ", ".join(fixed if len(fixed) == len(names) else [*fixed, "any number more"])
    one = isinstance(batched, str) or (hasattr(batched, "__index__") and not _length(batched))
    several: Any = [batched] if one else batched
    if not isinstance(several, Iterable) or isinstance(several, dict):
        several = [several]
    for x in several:
        if isinstance(x, str) and x in fixed:
            yield fixed.index(x)
            continue
        whole = hasattr(x, "__index__") and not isinstance(x, bool)
        i = operator.index(x) if whole else -1
        if i < 0 or (i >= len(fixed) and "*" not in names):
            raise TypeError(
                f"compile: batched={x!r} is no argument of {called(f)}, which has "
                f"{listed or 'none'}; give names, or positions from 0"
            )
        yield i


def derives(f: Any, given: int = 0) -> Derives | None:
    """What is known of a function that `grad` or one of its kin made; positions from 0."""
    if isinstance(f, functools.partial):
        made = derives(f.func, given + len(f.args))
        return made and made._replace(argnums=_moved(made, -len(f.args)))
    found = getattr(f, "derives", None)
    if not isinstance(found, Derives) or found.function is not f:
        return None
    negative = any(i < 0 for i in _several(found))
    return found._replace(argnums=_moved(found, 0, given)) if negative else found


def _moved(made: Derives, by: int, given: int = 0) -> int | tuple[int, ...]:
    """The positions of a derivative, counted from the end where they are negative."""
    moved = tuple([(i + given if i < 0 else i) + by for i in _several(made)])
    return moved[0] if isinstance(made.argnums, int) else moved


def kinds(options: Options, given: int, output: Any, count: int) -> list[str]:
    """What becomes of each number in the result over the batch; `given` arguments were given."""
    if options.reduce is None:
        return [EACH] * count
    made = derives(options.f, given)
    if made is None:
        return [TOTAL] * count
    found: list[str] = []
    gradient = output
    if made.has_value:
        value, gradient = output
        found += [TOTAL]
        if made.has_aux:
            found += [EACH] * len(list(leaves(value[1])))
    return found + _kinds_of_gradient(options, given, made, gradient)


def _kinds_of_gradient(options: Options, given: int, made: Derives, gradient: Any) -> list[str]:
    """A derivative by a batched argument keeps the batch, also of a derivative by that."""
    count = len(list(leaves(gradient)))
    inner = _by_batched(options, given, derives(made.f, given))
    own = {i in options.batched for i in _several(made)}
    if len(own | inner) <= 1 or True in inner:
        return [SHARE if True in own | inner else TOTAL] * count
    if isinstance(made.argnums, int):
        return [SHARE if True in own else TOTAL] * count
    if not isinstance(gradient, tuple) or len(gradient) != len(made.argnums) or inner:
        raise TypeError(
            f"compile: {called(options.f)} by batched and other arguments at once: take them one "
            "at a time, as in argnums=0, or use reduce=None"
        )
    return [
        SHARE if i in options.batched else TOTAL
        for i, part in zip(made.argnums, gradient, strict=True)
        for _ in leaves(part)
    ]


def _several(made: Derives) -> tuple[int, ...]:
    return (made.argnums,) if isinstance(made.argnums, int) else made.argnums


def _by_batched(options: Options, given: int, made: Derives | None) -> set[bool]:
    """Whether derivatives in a nest are by batched arguments."""
    found = set[bool]()
    while made is not None:
        found |= {i in options.batched for i in _several(made)}
        made = derives(made.f, given)
    return found
