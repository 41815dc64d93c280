"""What a row of the table of primitives is, and how it runs on each kind of number.

The table itself is `primitives.py`. A *row* (`Primitive`) is a function with its local derivatives.
*Elementary* rows name a function that `math`, NumPy and C share and have no body; *composite* rows
are written with other rows. A `Namespace` is one kind of number, such as floats or arrays: it knows
the elementary functions, and derives every other row from its body.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType, MappingProxyType
from typing import Any, NamedTuple

from autograd_engine.conversion import elementwise, float_array, ieee, is_array, kind, number, shown

__all__ = [
    "ON_ARRAYS",
    "ON_FLOATS",
    "ON_OPERANDS",
    "REAL",
    "SINGULAR",
    "Elementary",
    "Namespace",
    "NaryPrimitive",
    "Primitive",
]

Derivative = Callable[..., Any]

_OURS = "autograd_engine.primitives"

REAL = (-math.inf, math.inf)
# What floats raise where IEEE 754 has inf or nan; a TypeError when they have turned complex.
SINGULAR = (ArithmeticError, ValueError, TypeError)


class Primitive:
    """A function with known local derivatives; call it on floats, NumPy arrays or Values.

    On arrays it works element by element, with broadcasting; where an operand is a Value or an
    array of Values, the result of that is an array of Values.

    Numbers of another kind take part through a method `bind(row, operands)` of their class. It gets
    all operands, those of an n-ary row one after the other, and returns the result, made with
    `row.primal` and `row.local_derivatives`, or NotImplemented to leave it to the other operands.

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
    slopes : tuple of float
        The local derivatives where all are constants; else ().
    elementary : Elementary or None
        Where to find the primal of an elementary row on floats (`math.exp`) and on arrays.
    domain : tuple of (low, high)
        The open interval of each operand inside which the row is real and differentiable.
    analytic : bool
        Whether the formulas hold for complex numbers too, so that gradcheck may step there.
    opaque : bool
        Whether there are no formulas: only what a node has found when it was made (`fusion.py`).
    """

    opaque = False

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
        constants = [float(d) for d in derivatives if not callable(d)]  # x + y: nodes share them
        self.slopes = tuple(constants) if len(constants) == len(derivatives) else ()
        self._of_ours = self.function.__module__ == _OURS  # tested, so not checked at every call
        self.symbol, self.analytic = symbol or self.name, analytic
        self.latex = latex or _default_latex(self.name, self.arity)
        self.domain = domain or (REAL,) * self.arity
        numpy_name = self.elementary.numpy if self.elementary else ""
        self.aliases = aliases if numpy_name in ("", self.name) else (numpy_name, *aliases)

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
        return self.apply(operands)

    def apply(self, operands: tuple[Any, ...]) -> Any:
        """The result for flat operands: those that are more than numbers decide what it means.

        The first that has a `bind` is asked first; it may answer NotImplemented, as operators do.
        """
        asked = None
        for operand in operands:
            bind = getattr(type(operand), "bind", None)
            if bind is not None and bind is not asked:
                z = operand.bind(self, operands)
                if z is not NotImplemented:
                    return z
                asked = bind
        if any(map(is_array, operands)):
            return self._on_arrays(operands)
        plain = [number(x, self.name) for x in operands if asked is None or not hasattr(x, "bind")]
        if asked is not None:
            raise TypeError(f"{self.name}: these operands do not go together: {shown(operands)}")
        return self.evaluate(plain)

    def _on_arrays(self, operands: tuple[Any, ...]) -> Any:
        kinds = {kind(x) for x in operands if is_array(x)}
        if kinds <= set("biuf") and not any(hasattr(x, "bind") for x in operands):
            with ieee() as numpy, self._blamed("the result on arrays"):
                columns = [float_array(x, self.name) for x in operands]
                z = numpy.asarray(self.primal(ON_ARRAYS, columns))
                if kind(z) not in "biuf":
                    raise TypeError(f"expected an array of real numbers, got one of {z.dtype}")
                shape = numpy.broadcast_shapes(*map(numpy.shape, columns))
                return (z if z.shape == shape else numpy.broadcast_to(z, shape)).astype(float)
        return elementwise(lambda *xs: self.apply(xs), operands)

    def primal(self, on: Namespace, operands: Sequence[Any]) -> Any:
        """The result on numbers of one namespace."""
        return on.primal(self)(*operands)

    def local_derivatives(self, on: Namespace, z: Any, operands: Sequence[Any]) -> Sequence[Any]:
        """Every dz/d(operand), on numbers of one namespace."""
        return [derivative(z, *operands) for derivative in on.derivatives(self)]

    def evaluate(self, operands: Sequence[float]) -> float:
        """The result at plain floats: as IEEE 754 has it, never an exception.

        Floats raise at 1/0 and `math` at log(0), so a singular point is evaluated again on NumPy's
        numbers, which follow IEEE 754. A formula that raises there too is nan.
        """
        try:
            z = self.primal(ON_FLOATS, operands)
            if z.__class__ is float:
                return z
        except SINGULAR:
            pass
        with self._blamed("the result"):
            z = _singular(lambda point: self.primal(ON_ARRAYS, point), operands)
            return number(_only(z), self.name)

    def linearize(self, operands: Sequence[float]) -> tuple[float, Sequence[float]]:
        """The result and every dz/d(operand) at plain floats, as in `evaluate`."""
        z = self.evaluate(operands)
        try:
            derivatives = self.local_derivatives(ON_FLOATS, z, operands)
            if self._of_ours or [d.__class__ for d in derivatives] == [float] * len(operands):
                return z, derivatives
        except SINGULAR:
            pass
        with self._blamed("the local derivatives"):
            derivatives = _singular(
                lambda point: self.local_derivatives(ON_ARRAYS, point[0], point[1:]), [z, *operands]
            )
            if derivatives is math.nan:
                derivatives = [math.nan] * len(operands)
            return z, [number(_only(d), "dz/d(operand)") for d in derivatives]

    @contextmanager
    def _blamed(self, part: str) -> Iterator[None]:
        """Name the row in an error of its formulas."""
        try:
            yield
        except TypeError as error:
            raise TypeError(f"{self.name}: {part} of this primitive: {error}") from error


class NaryPrimitive(Primitive):
    """A primitive of whole sequences, such as `sum(xs)` or `dot(w, x)`.

    The formulas take lists; the operands of a node are the lists' elements one after the other. All
    lists are equally long, so the flat operands split again without a note of the lengths. Elements
    are added from left to right.
    """

    def __call__(self, *sequences: Iterable[Any]) -> Any:
        """The result for whole sequences, also generators, of equal length."""
        if len(sequences) != self.arity:
            call = f"{self.name}({', '.join(['[x, y]'] * self.arity)})"
            many = f"{self.arity} sequence{'s' if self.arity > 1 else ''}, as in {call}"
            raise TypeError(f"{self.name}: expected {many}; got {len(sequences)}")
        rows = self.tuples(sequences)
        if len(set(map(len, rows))) > 1:
            lengths = " and ".join(str(len(row)) for row in rows)
            raise ValueError(f"{self.name}: the sequences differ in length: {lengths}")
        if not rows[0]:
            try:
                return self.primal(ON_FLOATS, ())
            except (ArithmeticError, LookupError, TypeError):
                raise ValueError(f"{self.name}: needs at least one value, got none") from None
        return self.apply(tuple(itertools.chain.from_iterable(rows)))

    def tuples(self, sequences: Sequence[Iterable[Any]]) -> list[tuple[Any, ...]]:
        """The sequences as tuples, so that a generator is used up once."""
        try:
            return [tuple(xs) for xs in sequences]
        except TypeError as error:
            raise TypeError(
                f"{self.name}: expected a sequence of numbers or Values: {error}"
            ) from None

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
            part = derivative(z, *sequences)
            if not self._of_ours and len(part) != len(sequences[0]):
                raise TypeError(f"{len(part)} for {len(sequences[0])} operands")
            derivatives.extend(part)
        return derivatives


def _singular(formula: Callable[[list[Any]], Any], operands: Sequence[float]) -> Any:
    """A formula on NumPy's numbers; on arrays of one where it makes plain floats of those."""
    with ieee() as numpy:
        try:
            return formula([numpy.float64(x) for x in operands])
        except (ArithmeticError, ValueError):
            pass
        try:
            return formula([numpy.array([x]) for x in operands])
        except SINGULAR:
            return math.nan


def _only(x: Any) -> Any:
    return x[0] if getattr(x, "shape", None) == (1,) else x


def _constant(value: float) -> Derivative:
    return lambda z, *operands: value


def _default_latex(name: str, arity: int) -> str:
    operands = ", ".join(f"{{{i}}}" for i in range(arity))
    return rf"\operatorname{{{{{name.replace('_', chr(92) + '_')}}}}}({operands})"


class Namespace:
    """One kind of number: how its elementary functions are called, and every row made of them.

    Without `elementary` a row in a formula is called as it is, and does what its operands make of
    it. `names` are names in formulas that mean something else here, such as `len` where a sequence
    has no length yet.
    """

    def __init__(
        self,
        elementary: Callable[[Elementary], Callable[..., Any]] | None = None,
        names: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._elementary, self.names = elementary, names
        self.primal: Callable[[Primitive], Callable[..., Any]] = functools.cache(self._primal)
        self.derivatives: Callable[[Primitive], tuple[Derivative, ...]] = functools.cache(
            self._derivatives
        )
        self._rebound: Callable[[Any], Derivative] = functools.cache(self._rebind)

    def _primal(self, row: Primitive) -> Callable[..., Any]:
        if self._elementary is None:
            return row
        return self._elementary(row.elementary) if row.elementary else self.rebind(row.function)

    def _derivatives(self, row: Primitive) -> tuple[Derivative, ...]:
        return tuple(map(self.rebind, row.derivatives))

    def rebind(self, formula: Derivative) -> Derivative:
        """A formula as it is in here; other callables than functions stay as they are."""
        return self._rebound(formula) if isinstance(formula, FunctionType) else formula

    def _rebind(self, formula: FunctionType) -> FunctionType:
        """A copy of a formula in which the name of each row means that row's form in here.

        So a composite row costs what the same lines on `math` would, and is written once. Helper
        functions beside the formula are copied alike.
        """
        meaning: dict[str, Any] = _Meaning(self, formula)
        if formula.__module__ == _OURS:  # they never change, and a plain dict is faster
            known = formula.__globals__.keys() | self.names.keys()
            meaning = {x: meaning[x] for x in _names(formula.__code__) if x in known}
        copy = FunctionType(
            formula.__code__, meaning, formula.__name__, formula.__defaults__, formula.__closure__
        )
        copy.__kwdefaults__ = formula.__kwdefaults__
        copy.__dict__.update(formula.__dict__)
        return copy


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a function and the comprehensions inside it mention."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


class _Meaning(dict[str, Any]):
    """The globals of a copied formula, looked up when it asks, so that they are always current."""

    def __init__(self, namespace: Namespace, formula: FunctionType) -> None:
        self._namespace, self._formula = namespace, formula

    def __missing__(self, name: str) -> Any:
        if name in self._namespace.names:
            return self._namespace.names[name]
        thing = self._formula.__globals__[name]
        if isinstance(thing, Primitive):
            thing = self._namespace.primal(thing)
        elif isinstance(thing, FunctionType) and thing.__module__ == self._formula.__module__:
            thing = self._namespace.rebind(thing)
        return thing


class Elementary(NamedTuple):
    """A signature whose primal the machine has; `numpy` is its name there, "" for none."""

    signature: Callable[..., Any]
    on_floats: Callable[..., float]
    numpy: str


def _array_form(form: Elementary) -> Any:
    """NumPy's function; where none is named (erf), the one on floats, element by element."""
    import numpy  # only when an array or a singular point asks for it: it is slow to load

    def nan_where_singular(*operands: float) -> float:
        try:
            return form.on_floats(*operands)
        except (ArithmeticError, ValueError):
            return math.nan

    if form.numpy not in ("", form.signature.__name__):
        return getattr(numpy, form.numpy)
    same = form.numpy and getattr(numpy, form.numpy, None)
    return same or numpy.vectorize(nan_where_singular, otypes=[float])


ON_FLOATS = Namespace(lambda form: form.on_floats)
ON_ARRAYS = Namespace(_array_form)
ON_OPERANDS = Namespace()
