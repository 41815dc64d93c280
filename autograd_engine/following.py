"""While a derivative is taken, nothing may quietly leave it.

`grad` and its kin call the user's function inside `following(arguments)`. There operations are
recorded, whatever the mode outside; and `float()`, `int()` and `math.exp()` of a node that depends
on one of the arguments raise: the result would be a plain number, whose derivative is 0. Comparing
and formatting stay allowed.

Whether a node depends on an argument is found by walking its graph when it is asked for, so that no
other operation pays for it, and a node of a derivative that is done converts as ever.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from autograd_engine.modes import MODE, Info, Mode, users_line

__all__ = [
    "RUNNING",
    "following",
    "now",
    "refuse",
    "take_clock",
    "unchanged",
    "unfollowed",
    "unrecorded",
]

T = TypeVar("T")

RUNNING: set[Any] = set()
"""The arguments of all derivatives that are being taken, in all threads: a function may hand its
numbers to others."""

_clock: Callable[[], int] = itertools.count(1).__next__


def now() -> int:
    """The time; it passes whenever somebody asks."""
    return _clock()


def take_clock(clock: Callable[[], int]) -> None:
    """Tell the time from now on by the clock of the native engine, which also counts its walks."""
    global _clock
    _clock = clock


@contextmanager
def following(arguments: Collection[Any]) -> Iterator[None]:
    """Record, note the time in every node, and let none that depends on these become a number."""
    outer = MODE.get()
    info = (outer.info or Info())._replace(made=now())
    recorder = outer.recorder
    mode = MODE.set(Mode(recorder is None, outer.detects, info, outer, recorder))
    new = [x for x in arguments if x not in RUNNING] if recorder is None else []
    RUNNING.update(new)
    try:
        yield
    finally:
        RUNNING.difference_update(new)
        MODE.reset(mode)


def unfollowed(node: T) -> T:
    """The node itself, unless it depends on an argument of a running derivative.

    Raises
    ------
    TypeError
        When it does.
    """
    unrecorded(node)
    seen: set[Any] = set()
    stack: list[Any] = [node] if RUNNING else []
    while stack:
        x = stack.pop()
        if x in RUNNING:
            refuse(node)
        if x not in seen:
            seen.add(x)
            stack.extend(x._prev)
    return node


def unrecorded(node: T, choice: bool = False) -> T:
    """The node itself, unless a function is being recorded: then it stands for what it will be.

    Raises
    ------
    TypeError
        While a function is recorded.
    """
    if RUNNING and (recorder := MODE.get().recorder):
        recorder.refuse(node, choice)
    return node


def unchanged(node: T) -> T:
    """The node itself, which somebody is about to change.

    Raises
    ------
    TypeError
        While a function is recorded: that would happen once, not at each call.
    """
    if RUNNING and MODE.get().recorder is not None:
        file, line = users_line()
        raise TypeError(
            f"{file}:{line}: {node!r} is changed inside a function that is being recorded, which "
            "would happen once and not at each call; do it outside"
        )
    return node


def refuse(x: Any) -> NoReturn:
    """Say why `x` does not become a plain number."""
    raise TypeError(
        f"{x!r} depends on the argument of a derivative that is being taken, and as a plain number "
        "or a copy it would lose that derivative; use the primitives of autograd_engine instead of "
        "float(), int(), round() and the functions of math, or take .data where the loss is meant"
    )
