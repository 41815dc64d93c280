"""What a row of the table of primitives is, and how it runs on each kind of number.

The table itself is `primitives.py`. A *row* (`Primitive`) is a function with its local derivatives.
*Elementary* rows name a function that `math`, NumPy and C share and have no body; *composite* rows
are written with other rows. A `Namespace` is one kind of number, such as floats or arrays: it knows
the elementary functions, and derives every other row from its body.

A user adds a row of their own with the same decorator; see `primitive`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from autograd_engine.conversion import (
    elementwise,
    float_array,
    ieee,
    is_array,
    kind,
    number,
    shown,
)

__all__ = ["NaryPrimitive", "Primitive", "elementary", "primitive"]

Derivative = Callable[..., Any]

REAL = (-math.inf, math.inf)
# What floats raise where IEEE 754 has inf or nan; a TypeError when they have turned complex.
SINGULAR = (ArithmeticError, ValueError, TypeError)

TABLE: dict[str, Primitive] = {}
ALIASES: dict[str, Primitive] = {}

_watchers: list[Callable[[Primitive], None]] = []


class Primitive:
    """A function with known local derivatives; call it on floats, NumPy arrays or Values.

    On arrays it works element by element, with broadcasting; where an operand is a Value or an
    array of Values, the result of that is an array of Values.

    Attributes
    ----------
    name, symbol, latex : str
        The public name, the sign in pictures, and the formula with `{0}`, `{1}` for the operands.
    aliases : tuple of str
        Other names of the method, NumPy's among them.
    function : function
        The row as written: signature, docstring and, unless it is elementary, the primal.
    derivatives : tuple of functions
        One `d(z, *operands)` per operand, the local derivative dz/d(operand).
    elementary : Elementary or None
        Where to find the primal of an elementary row on floats (`math.exp`) and on arrays.
    domain : tuple of (low, high)
        The open interval of each operand inside which the row is real and differentiable.
    analytic : bool
        Whether the formulas hold for complex numbers too, so that gradcheck may step there.
    """

    def __init__(
        self,
        primal: Callable[..., Any] | Elementary,
        derivatives: tuple[Derivative | float, ...],
        *,
        latex: str = "",
        symbol: str = "",
        domain: tuple[tuple[float, float], ...] = (),
        analytic: bool = True,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.elementary = primal if isinstance(primal, Elementary) else None
        self.function = primal.signature if isinstance(primal, Elementary) else primal
        functools.update_wrapper(self, self.function)  # so that help() and doctest see the row
        self.name, self.arity = self.function.__name__, len(derivatives)
        self.derivatives = tuple(d if callable(d) else _constant(float(d)) for d in derivatives)
        self.symbol, self.analytic = symbol or self.name, analytic
        self.latex = latex or _default_latex(self.name, self.arity)
        self.domain = domain or (REAL,) * self.arity
        numpy_name = self.elementary.numpy if self.elementary else self.name
        self.aliases = aliases if numpy_name == self.name else (numpy_name, *aliases)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def _repr_latex_(self) -> str:
        return f"$z = {self.latex.format(*self.function.__code__.co_varnames)}$"

    def __reduce__(self) -> str:  # copied and pickled by name, as functions are
        return self.function.__qualname__

    def __call__(self, *operands: Any) -> Any:
        """The result: a float, an array, or what the operands make of it, such as a Value."""
        if len(operands) != self.arity:
            raise TypeError(f"{self.name}: expected {self.arity} operands, got {len(operands)}")
        return self._apply(operands)

    def _apply(self, operands: tuple[Any, ...]) -> Any:
        """Let the operands that are more than numbers decide what an operation means.

        The first that has a `bind` is asked first; it may answer NotImplemented, as operators do.
        """
        asked = None
        for operand in operands:
            bind = getattr(operand, "bind", None)
            if bind is not None and bind is not asked:
                z = bind(self, operands)
                if z is not NotImplemented:
                    return z
                asked = bind
        if any(map(is_array, operands)):
            return self._on_arrays(operands)
        plain = [number(x, self.name) for x in operands if asked is None or not hasattr(x, "bind")]
        if asked is not None:
            raise TypeError(f"{self.name}: these operands do not go together: {shown(operands)}")
        return self.linearize(plain)[0]

    def _on_arrays(self, operands: tuple[Any, ...]) -> Any:
        kinds = {kind(x) for x in operands if is_array(x)}
        if kinds <= set("biuf") and not any(hasattr(x, "bind") for x in operands):
            with ieee() as numpy:
                columns = [float_array(x, self.name) for x in operands]
                return numpy.asarray(self.primal(ON_ARRAYS, columns), dtype=float)
        return elementwise(lambda *xs: self._apply(xs), operands)

    def primal(self, on: Namespace, operands: Sequence[Any]) -> Any:
        """The result on numbers of one namespace."""
        return on.primal(self)(*operands)

    def local_derivatives(self, on: Namespace, z: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Every dz/d(operand), on numbers of one namespace."""
        return [derivative(z, *operands) for derivative in on.derivatives(self)]

    def linearize(self, operands: Sequence[float]) -> tuple[float, Sequence[float]]:
        """The result and every dz/d(operand) at plain floats: IEEE results, never an exception.

        Floats raise at 1/0 and `math` at log(0), so a singular point is evaluated again on NumPy's
        float64, which follow IEEE 754.
        """
        z = None
        try:
            z = self.primal(ON_FLOATS, operands)
            if z.__class__ is float:
                return z, self.local_derivatives(ON_FLOATS, z, operands)
        except SINGULAR:
            pass
        with ieee() as numpy:
            point = [numpy.float64(x) for x in operands]
            if z.__class__ is not float:  # a derivative alone may be singular
                z = float(self.primal(ON_ARRAYS, point))
            derivatives = self.local_derivatives(ON_ARRAYS, numpy.float64(z), point)
        return z, [float(derivative) for derivative in derivatives]


class NaryPrimitive(Primitive):
    """A primitive of whole sequences, such as `sum(xs)` or `dot(w, x)`.

    The formulas take lists; the operands of a node are the lists' elements one after the other. All
    lists are equally long, so the flat operands split again without a note of the lengths. Elements
    are added from left to right.
    """

    def __call__(self, *sequences: Iterable[Any]) -> Any:
        """The result for whole sequences, also generators, of equal length."""
        if len(sequences) != self.arity:
            raise TypeError(f"{self.name}: expected {self.arity} sequences, got {len(sequences)}")
        try:
            rows = [tuple(xs) for xs in sequences]
        except TypeError as error:
            raise TypeError(
                f"{self.name}: expected a sequence of numbers or Values: {error}"
            ) from None
        if len(set(map(len, rows))) > 1:
            lengths = " and ".join(str(len(row)) for row in rows)
            raise ValueError(f"{self.name}: the sequences differ in length: {lengths}")
        if not rows[0]:
            try:
                return self.primal(ON_FLOATS, ())
            except (ArithmeticError, LookupError, TypeError):
                raise ValueError(f"{self.name}: needs at least one value, got none") from None
        return self._apply(tuple(itertools.chain.from_iterable(rows)))

    def _repr_latex_(self) -> str:
        return super()._repr_latex_().replace("xs_i", "x_i")

    def _split(self, operands: Sequence[Any]) -> Sequence[Sequence[Any]]:
        if self.arity == 1:
            return (operands,)
        n = len(operands) // self.arity
        return [operands[i * n : (i + 1) * n] for i in range(self.arity)]

    def primal(self, on: Namespace, operands: Sequence[Any]) -> Any:
        """The result on numbers of one namespace."""
        return on.primal(self)(*self._split(operands))

    def local_derivatives(self, on: Namespace, z: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Every dz/d(operand), on numbers of one namespace."""
        sequences, derivatives = self._split(operands), []
        for derivative in on.derivatives(self):
            derivatives += derivative(z, *sequences)
        return derivatives


def _constant(value: float) -> Derivative:
    return lambda z, *operands: value


def _default_latex(name: str, arity: int) -> str:
    operands = ", ".join(f"{{{i}}}" for i in range(arity))
    return rf"\operatorname{{{{{name.replace('_', chr(92) + '_')}}}}}({operands})"


class Namespace:
    """One kind of number: how its elementary functions are called, and every row made of them."""

    def __init__(self, elementary: Callable[[Elementary], Callable[..., Any]]) -> None:
        self._elementary = elementary
        self.primal: Callable[[Primitive], Callable[..., Any]] = functools.cache(self._primal)
        self.derivatives: Callable[[Primitive], tuple[Derivative, ...]] = functools.cache(
            self._derivatives
        )

    def _primal(self, row: Primitive) -> Callable[..., Any]:
        return self._elementary(row.elementary) if row.elementary else self._rebind(row.function)

    def _derivatives(self, row: Primitive) -> tuple[Derivative, ...]:
        return tuple(self._rebind(derivative) for derivative in row.derivatives)

    def _rebind(self, formula: Callable[..., Any]) -> Callable[..., Any]:
        """A copy of a formula in which the name of each row means that row's form in here.

        So a composite row costs what the same lines on `math` would, and is written once. Helper
        functions beside the formula are copied alike.
        """
        if not isinstance(formula, FunctionType):
            return formula
        meaning = dict(formula.__globals__)
        copy = FunctionType(
            formula.__code__, meaning, formula.__name__, formula.__defaults__, formula.__closure__
        )
        copy.__kwdefaults__ = formula.__kwdefaults__
        for name in set(_names(formula.__code__)):
            thing = meaning.get(name)
            if isinstance(thing, Primitive):
                meaning[name] = self.primal(thing)
            elif isinstance(thing, FunctionType) and thing.__module__ == formula.__module__:
                meaning[name] = copy if thing is formula else self._rebind(thing)
        return copy


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a function and the comprehensions inside it mention."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _array_form(form: Elementary) -> Any:
    """NumPy's function; where NumPy has none (erf), the one on floats, element by element."""
    import numpy  # only when an array or a singular point asks for it: it is slow to load

    def nan_where_singular(*operands: float) -> float:
        try:
            return form.on_floats(*operands)
        except (ArithmeticError, ValueError):
            return math.nan

    return getattr(numpy, form.numpy, None) or numpy.vectorize(nan_where_singular, otypes=[float])


ON_FLOATS = Namespace(lambda form: form.on_floats)
ON_ARRAYS = Namespace(_array_form)


# --- entering a row -------------------------------------------------------------------------------


class Elementary(NamedTuple):
    """A signature whose primal the machine has: `math`, NumPy and C know it by name."""

    signature: Callable[..., Any]
    on_floats: Callable[..., float]
    numpy: str


def elementary(
    on_floats: Callable[..., float], *, numpy: str = ""
) -> Callable[[Callable[..., Any]], Elementary]:
    """Decorator below `@primitive`: the primal is `on_floats`, in NumPy the one named `numpy`.

    Without a name, NumPy is looked through for the row's own name; where it has no such function,
    arrays are computed with `on_floats`, element by element.
    """
    return lambda signature: Elementary(signature, on_floats, numpy or signature.__name__)


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
        When the name is taken by another primitive or by an attribute of Value. Defining the same
        function again, as running a notebook's cell twice does, replaces the row.

    Notes
    -----
    A formula sees the global names of its module as they are when it first runs. A row pickles by
    its name, so define it in a module.

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
        if not isinstance(function, FunctionType) or not function.__name__.isidentifier():
            raise TypeError(
                f"primitive: expected a function made by def, got {function!r}; for a function of "
                "a library put @elementary(function) between @primitive and a def without a body"
            )
        row = (NaryPrimitive if nary else Primitive)(primal, derivatives, **facts)
        _check(row)
        for callback in _watchers:
            callback(row)  # before the table, so that a row which is refused leaves nothing behind
        for alias in TABLE[row.name].aliases if row.name in TABLE else ():
            del ALIASES[alias]
        TABLE[row.name] = row
        ALIASES.update(dict.fromkeys(row.aliases, row))
        return row

    return enter


def _check(row: Primitive) -> None:
    parameters = row.function.__code__.co_argcount
    if not row.arity or not parameters == row.arity == len(row.domain):
        raise TypeError(
            f"primitive {row.name}: {parameters} parameters, {row.arity} local derivatives and "
            f"{len(row.domain)} intervals of the domain; each operand needs one of each"
        )
    for name in (row.name, *row.aliases):
        old = TABLE.get(name) or ALIASES.get(name)
        if old and _place(old) != _place(row):
            raise ValueError(
                f"primitive {name}: this name is taken by {old!r} of {old.function.__module__}; "
                "choose another"
            )


def _place(row: Primitive) -> tuple[str, str]:
    return row.function.__module__, row.function.__qualname__


def watch(callback: Callable[[Primitive], None]) -> None:
    """Call back for every row: for those in the table now, and for each that enters later."""
    for row in TABLE.values():
        callback(row)
    _watchers.append(callback)
