"""Modes that the creation of a node obeys: `no_grad`, `detect_anomaly` and `named_scope`.

The current mode is one immutable object in a context variable, so every thread (and every asyncio
task) has its own, and making a node reads a single word. A context variable is also the fastest
such place in pure Python: 11 ns a read against 34 ns for `threading.local`.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar, overload

__all__ = [
    "MODE",
    "Info",
    "Mode",
    "current_mode",
    "detect_anomaly",
    "named_scope",
    "no_grad",
    "users_line",
]

F = TypeVar("F", bound=Callable[..., Any])


class Info(NamedTuple):
    """What a node knows about itself beyond its numbers: shared, immutable, strings and ints only.

    Never a module, frame or object of the user's: a node must not keep those alive. `origin` is the
    file and line that made it, noted under `detect_anomaly`; `made`, when, if that was while a
    derivative was taken (`following.py`).
    """

    label: str = ""
    scope: tuple[str, ...] = ()
    origin: tuple[str, int] | None = None
    made: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """What holds while a node is made: is it recorded, is it searched for inf and nan, its scope.

    `outer` is the mode that held before. While a function is recorded (`recording.py`), no nodes
    are made, and `recorder` says what operations on Values become instead.
    """

    records: bool = True
    detects: bool = False
    info: Info | None = None
    outer: Mode | None = None
    recorder: Any = None

    @property
    def differentiates(self) -> bool:
        """Whether what is computed may be differentiated later: not under `no_grad`."""
        return self.records or self.recorder is not None

    def same(self, other: Mode) -> bool:
        """Whether both mean the same, whatever held before."""
        if self is other:  # nearly always
            return True
        mine = self.records, self.detects, self.info, self.recorder
        return mine == (other.records, other.detects, other.info, other.recorder)


MODE: ContextVar[Mode] = ContextVar("autograd_engine_mode", default=Mode())  # noqa: B039 (immutable)
current_mode: Callable[[], Mode] = MODE.get


class _Manager(ContextDecorator, ABC):
    """A `with` block or decorator that changes the mode.

    It has no state of its own, so one object may serve many threads, and be entered inside itself;
    only the last pair of outer mode and mode inside is remembered, for speed.
    """

    _last: tuple[Mode | None, Mode | None] = (None, None)

    @abstractmethod
    def _inside(self, outer: Mode) -> Mode:
        """The mode of the block, when `outer` holds around it."""

    def __enter__(self) -> None:
        outer = current_mode()
        known, inside = self._last
        if inside is None or outer is not known:
            inside = self._inside(outer)
            if inside.recorder is None:  # else this would keep all that is recorded
                self._last = outer, inside
        MODE.set(inside)

    def __exit__(self, *error: object) -> None:
        mode = current_mode()
        known, inside = self._last
        if inside is mode and known is not None and known is mode.outer:
            MODE.set(known)
            return
        if mode.outer is not None and self._inside(mode.outer).same(mode):
            MODE.set(mode.outer)
            return
        MODE.set(Mode())  # whose mode to restore is unknown, so none: silence would be worse
        if error[0] is None:
            raise RuntimeError(
                f"{self._called()}: left out of order; do not `yield` inside its `with` block"
            )

    def __call__(self, function: F) -> F:
        """Decorate a function; not one whose body runs after the call returns."""
        if not callable(function):
            raise TypeError(f"{self._called()}: expected a function to decorate, got {function!r}")
        late = (
            inspect.isgeneratorfunction,
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
        )
        if any(runs_late(function) for runs_late in late):
            raise TypeError(
                f"{self._called()}: {function.__qualname__} runs after its call returns; "
                "put the `with` block inside it instead, but not around a `yield`"
            )
        return super().__call__(function)

    def _called(self) -> str:
        return type(self).__name__.lstrip("_")


def _with(outer: Mode, change: str, value: Any) -> Mode:
    """The mode of a block inside `outer`; the same one when the block is entered again."""
    if outer.recorder is not None:  # not kept: it holds all that is being recorded
        return _changed.__wrapped__(outer, change, value)
    return _changed(outer, change, value)


@functools.lru_cache(maxsize=4096)
def _changed(outer: Mode, change: str, value: Any) -> Mode:
    return replace(outer, outer=outer, **{change: value})


class _no_grad(_Manager):
    def _inside(self, outer: Mode) -> Mode:
        if outer.recorder is not None:
            raise TypeError(
                "no_grad: not inside a function that is being recorded; take .detach() of what is "
                "to be constant, or call the compiled function under no_grad"
            )
        return _with(outer, "records", False)


class _detect_anomaly(_Manager):
    def _inside(self, outer: Mode) -> Mode:
        if outer.recorder is not None:
            raise TypeError(
                "detect_anomaly: not inside a function that is being recorded; put it around the "
                "call of the compiled function"
            )
        return _with(outer, "detects", True)


@overload
def no_grad() -> _no_grad: ...
@overload
def no_grad(function: F) -> F: ...
def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Build no graph: `with no_grad(): ...`, `@no_grad` or `@no_grad()`.

    Results are Values without operands, so evaluation costs neither memory nor a later `backward`.
    Do not `yield` inside the block: the caller would go on without recording.

    Raises
    ------
    TypeError
        When it decorates a generator or a coroutine function, whose body runs after the call.
    RuntimeError
        When blocks are left out of order, as a `yield` inside one may do.

    Examples
    --------
    >>> from autograd_engine import Value, no_grad
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y._prev
    (Value(data=9.0, grad=0.0), ())
    """
    return _no_grad() if function is None else _no_grad()(function)


@overload
def detect_anomaly() -> _detect_anomaly: ...
@overload
def detect_anomaly(function: F) -> F: ...
def detect_anomaly(function: Callable[..., Any] | None = None) -> Any:
    """Stop at the first inf or nan: `with detect_anomaly(): ...`, or as a decorator, as `no_grad`.

    Going forward, the first operation whose result is not finite raises; in `backward`, the first
    that makes a gradient not finite. The error names the operation, its operands, the scope and the
    line of your program; leaves keep the gradients they had before that `backward`. It makes the
    engine several times slower, so use it to look for a fault, and with both passes inside.

    Raises
    ------
    AnomalyError
        Inside the block, at the first inf or nan.

    Examples
    --------
    >>> from autograd_engine import Value, detect_anomaly
    >>> x = Value(0.0, label="x")
    >>> with detect_anomaly():  # doctest: +ELLIPSIS
    ...     y = x.sqrt()  # 0, with an infinite derivative
    ...     y.backward()
    Traceback (most recent call last):
        ...
    autograd_engine.errors.AnomalyError: backward through sqrt: ... makes the gradient of x inf
      operand 0: x = 0.0
      made at ...: y = x.sqrt()  # 0, with an infinite derivative
    """
    return _detect_anomaly() if function is None else _detect_anomaly()(function)


# `nn` is ours too: what its user wants to see is the line that called the model.
_OUR_FILES = tuple(
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), package, "")
    for package in ("autograd_engine", "nn")
)


_PYTHON = os.path.join(os.path.dirname(os.__file__), "")


@functools.lru_cache(maxsize=4096)
def _is_ours(file: str) -> bool:
    """Whether a file is of our packages, or of NumPy or Python, which call back."""
    numpy = sys.modules.get("numpy")
    libraries = _OUR_FILES
    if numpy:
        libraries += (os.path.join(os.path.dirname(str(numpy.__file__)), ""),)
    return file.startswith(libraries) or (
        file.startswith(_PYTHON) and "site-packages" not in file and "dist-packages" not in file
    )


def users_line() -> tuple[str, int]:
    """File and line of the innermost caller outside our packages and NumPy."""
    frame = sys._getframe(1)
    while _is_ours(frame.f_code.co_filename) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


class named_scope(_Manager):
    """Give the nodes made inside a place in the model, such as "layer 0"; scopes nest.

    Pictures of large graphs fold by scope. A node's path is a tuple of names, outermost first.

    Raises
    ------
    TypeError
        When `name` is not a string.
    ValueError
        When `name` is empty.

    Examples
    --------
    >>> from autograd_engine import Graph, Value, named_scope
    >>> with named_scope("encoder"), named_scope("neuron 0"):
    ...     y = Value(2.0).tanh()
    >>> Graph(y).output.scope
    ('encoder', 'neuron 0')
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"named_scope: the name must be a string, got {name!r}")
        if not name:
            raise ValueError("named_scope: the name is empty")
        self._name = str.__str__(name)  # without what a subclass of str may carry

    def _inside(self, outer: Mode) -> Mode:
        return _scoped(outer, self._name)


def _scoped(outer: Mode, name: str) -> Mode:
    """The nodes of one scope share one Info, also when the scope is entered again."""
    return _with(outer, "info", _info_in(outer.info, name))


@functools.lru_cache(maxsize=4096)
def _info_in(outer: Info | None, name: str) -> Info:
    info = outer or Info()
    return info._replace(scope=(*info.scope, name))
