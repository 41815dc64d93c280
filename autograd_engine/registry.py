"""How a row enters the table: `@primitive`, for ours in `primitives.py` and for a user's own."""

from __future__ import annotations

import inspect
import math
import string
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from autograd_engine.rows import Derivative, Elementary, NaryPrimitive, Primitive

__all__ = ["ALIASES", "TABLE", "elementary", "primitive", "table_hash", "watch"]

TABLE: dict[str, Primitive] = {}
ALIASES: dict[str, Primitive] = {}

_watchers: list[Callable[[Primitive], None]] = []


def elementary(
    on_floats: Callable[..., float], *, numpy: str = ""
) -> Callable[[Callable[..., Any]], Elementary]:
    """Decorator below `@primitive`: the primal is `on_floats`, in NumPy the one named `numpy`.

    A function of `math` under its own name, such as `math.exp`, is NumPy's too where NumPy has the
    name. Otherwise, without `numpy`, arrays are computed with `on_floats`, element by element.
    """

    def name(signature: Callable[..., Any]) -> Elementary:
        if not isinstance(signature, FunctionType):
            raise TypeError(f"elementary: stands below @primitive, on a def; got {signature!r}")
        own = signature.__name__
        shared = getattr(math, own, None) is on_floats and own != "remainder"  # NumPy's is another
        return Elementary(signature, on_floats, numpy or (own if shared else ""))

    return name


def primitive(
    *derivatives: Derivative | float, nary: bool = False, **facts: Any
) -> Callable[[Callable[..., Any] | Elementary], Primitive]:
    """Decorator: enter a function into the table, with one local derivative per operand.

    The row works everywhere at once: on floats, arrays and Values, as a method of Value when it has
    one or two operands, in pictures, typed expressions and gradcheck.

    Parameters
    ----------
    *derivatives : callable or float
        dz/d(operand) for each operand, as a function of the result `z` and the operands, or a
        constant. Write them, and the body, with operators and other primitives (`exp`, `where`),
        not with `math` or `if`, so that they hold for every kind of number.
    nary : bool
        The operands are whole sequences, as in `sum`; body and derivatives take and return lists.
    **facts
        symbol, latex, domain, analytic, aliases: as the attributes of Primitive; all optional.

    Raises
    ------
    TypeError
        When the body's parameters and the local derivatives differ in number.
    ValueError
        When the name is taken by another primitive or by an attribute of Value, or `latex` has
        other fields than the numbers of the operands. Defining the same function again, as running
        a notebook's cell twice does, replaces the row.

    Notes
    -----
    A row pickles by its name, so define it in a module. Set `analytic=False` when the formula does
    not extend to complex numbers (it has `where`, `abs`, a comparison), else gradcheck steps there.

    Examples
    --------
    >>> from autograd_engine import Value, exp, gradcheck, primitive
    >>> @primitive(lambda z, x: 3.0 * x * x, latex="{0}^3")
    ... def cube(x):
    ...     \"\"\"x * x * x.\"\"\"
    ...     return x * x * x
    >>> cube(2.0), cube(Value(2.0)), Value(2.0).cube()._op
    (8.0, Value(data=8.0, grad=0.0), 'cube')
    >>> gradcheck(lambda x: exp(cube(x)), [0.3]).passed
    True
    """

    def enter(primal: Callable[..., Any] | Elementary) -> Primitive:
        function = primal.signature if isinstance(primal, Elementary) else primal
        if not isinstance(function, FunctionType) or not _is_public(function.__name__):
            raise TypeError(
                f"primitive: expected a def with a public name, got {function!r}; "
                "write @primitive(derivative, ...) above a def, and for a function of a library "
                "@elementary(function) between the two"
            )
        row = (NaryPrimitive if nary else Primitive)(primal, derivatives, **facts)
        _check(row)
        for callback in _watchers:
            callback(row)  # before the table, so that a row which is refused leaves nothing behind
        for alias in TABLE[row.name].aliases if row.name in TABLE else ():
            ALIASES.pop(alias, None)
        TABLE[row.name] = row
        ALIASES.update(dict.fromkeys(row.aliases, row))
        return row

    return enter


def _is_public(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not name.startswith("_")


def _check(row: Primitive) -> None:
    parameters = row.function.__code__.co_argcount
    if not row.arity or not parameters == row.arity == len(row.domain):
        raise TypeError(
            f"primitive {row.name}: {parameters} parameters, {row.arity} local derivatives and "
            f"{len(row.domain)} intervals of the domain; each operand needs one of each"
        )
    for i, derivative in enumerate(row.derivatives):
        try:
            inspect.signature(derivative).bind(*[None] * (1 + row.arity))
        except TypeError as error:
            raise TypeError(
                f"primitive {row.name}: local derivative {i} must take z and the {row.arity} "
                f"operands: {error}"
            ) from None
    if not isinstance(row.aliases, tuple) or not all(map(_is_public, row.aliases)):
        raise TypeError(f"primitive {row.name}: aliases must be a tuple of names: {row.aliases!r}")
    _check_latex(row)
    for name in (row.name, *row.aliases):
        old = TABLE.get(name) or ALIASES.get(name)
        if old and _place(old) != _place(row):
            raise ValueError(
                f"primitive {name}: this name is taken by {old!r} of {old.function.__module__}; "
                "choose another"
            )


def _check_latex(row: Primitive) -> None:
    """Refuse a template that could not be filled in later: fields are numbers of operands."""
    fields = {(str(i), "", None) for i in range(row.arity)}
    try:
        found = {part[1:] for part in string.Formatter().parse(row.latex) if part[1] is not None}
    except ValueError as error:
        found = {(str(error), "", None)}
    if not found <= fields:
        operands = ", ".join([f"{{{i}}}" for i in range(row.arity)])
        raise ValueError(
            f"primitive {row.name}: latex {row.latex!r} may have no other fields than {operands}, "
            "the operands; write {{ and }} for braces of LaTeX itself"
        )


def _place(row: Primitive) -> tuple[str, str]:
    return row.function.__module__, row.function.__qualname__


def watch(callback: Callable[[Primitive], None]) -> None:
    """Call back for every row: for those in the table now, and for each that enters later."""
    for row in TABLE.values():
        callback(row)
    _watchers.append(callback)


def table_hash() -> str:
    """What tells the text of `primitives.py` from any other, so that no kernel is out of date.

    "" where there is no text, only what Python has compiled.
    """
    try:
        text = Path(__file__).with_name("primitives.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    return f"{zlib.crc32(text.encode()):08x}"
