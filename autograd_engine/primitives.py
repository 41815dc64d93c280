"""The table of primitives: each formula of the engine stands here, once.

A primitive is one row. The function's body is the primal, and the decorator holds one small lambda
per operand: the local derivative, written in the result `z` and the operands.

    @primitive(lambda z, x: z * (1.0 - z), latex=...)
    def sigmoid(x):
        e = exp(-abs(x))
        return where(x < 0.0, e, 1.0) / (1.0 + e)

*Elementary* rows name a function that `math`, NumPy and C share and have no body; *composite* rows
are written with other rows. Formulas are free of branches (`where`, `sign`) and of types, so one
row serves floats, NumPy arrays, Values and every other kind of operand. A `Namespace` is one kind
of number: it knows the elementary functions and derives all other rows from their bodies.

Everything else in the package is a reader of this table.
"""

from __future__ import annotations

import functools
import itertools
import math
import numbers
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any, NamedTuple

Derivative = Callable[..., Any]

REAL = (-math.inf, math.inf)
POSITIVE = (0.0, math.inf)

SINGULAR = (ArithmeticError, ValueError)  # what floats raise where IEEE 754 has inf or nan

TABLE: dict[str, Primitive] = {}


# --- what a row is ---------------------------------------------------------------


class Primitive:
    """A function with known local derivatives; call it on floats, NumPy arrays or Values.

    Attributes
    ----------
    name, symbol, latex : str
        The public name, the sign in pictures, and the formula with `{0}`, `{1}` for the operands.
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
        latex: str,
        symbol: str = "",
        domain: tuple[tuple[float, float], ...] = (),
        analytic: bool = True,
    ) -> None:
        self.elementary = primal if isinstance(primal, Elementary) else None
        self.function = primal.signature if isinstance(primal, Elementary) else primal
        functools.update_wrapper(self, self.function)  # so that help() and doctest see the row
        self.name = self.function.__name__
        self.derivatives = tuple(d if callable(d) else _constant(d) for d in derivatives)
        self.arity = len(derivatives)
        self.symbol, self.latex, self.analytic = symbol or self.name, latex, analytic
        self.domain = domain or (REAL,) * self.arity

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def _repr_latex_(self) -> str:
        return f"$z = {self.latex.format(*self.function.__code__.co_varnames)}$"

    def __call__(self, *operands: Any) -> Any:
        """The result: a float, an array, or what the operands make of it, such as a Value."""
        if len(operands) != self.arity:
            raise TypeError(f"{self.name}: expected {self.arity} operands, got {len(operands)}")
        return self._apply(operands)

    def _apply(self, operands: tuple[Any, ...]) -> Any:
        """Let the first operand that is more than a number decide what an operation means."""
        for operand in operands:
            if hasattr(operand, "bind"):
                return operand.bind(self, operands)
        if any(getattr(operand, "ndim", 0) for operand in operands):
            with _ieee():
                return self.primal(ON_ARRAYS, [_array(x, self.name) for x in operands])
        return self.linearize([number(x, self.name) for x in operands])[0]

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
        with _ieee() as numpy:
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
        assert isinstance(formula, FunctionType)
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
    import numpy  # only when an array or a singular point asks for it: it is slow to load

    return getattr(numpy, form.numpy)


ON_FLOATS = Namespace(lambda form: form.on_floats)
ON_ARRAYS = Namespace(_array_form)


@contextmanager
def _ieee() -> Iterator[Any]:
    """NumPy without its warnings about inf and nan, which are results here."""
    import numpy

    with numpy.errstate(all="ignore"):
        yield numpy


def number(x: Any, operation: str) -> float:
    """`x` as a float: any real number, NumPy scalar or 0-d array; a TypeError names the remedy."""
    if isinstance(x, float):
        return float(x)
    if isinstance(x, numbers.Real):
        try:
            return float(x)
        except OverflowError:
            raise ValueError(f"{operation}: {type(x).__name__} too large for a float") from None
    if getattr(x, "ndim", None) == 0 and hasattr(x, "item"):
        return number(x.item(), operation)
    raise TypeError(f"{operation}: expected a real number, got {_shown(x)}; {_remedy(x)}")


def _array(x: Any, operation: str) -> Any:
    """An array of real numbers as float64; a scalar as in `number`."""
    if not getattr(x, "ndim", 0):
        return number(x, operation)
    if x.dtype.kind not in "biuf":
        raise TypeError(
            f"{operation}: expected an array of real numbers, got one of {x.dtype}; "
            "for an array of Values apply it to each element"
        )
    return x.astype(float)


def _shown(x: Any) -> str:
    text = repr(x)
    return f"{type(x).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def _remedy(x: Any) -> str:
    if hasattr(x, "bind"):
        return "take its .data"
    if isinstance(x, str | bytes):
        return "convert text with float(text)"
    if isinstance(x, complex):
        return "take its real or imaginary part"
    if isinstance(x, Iterable):
        return "make one Value per element, [Value(v) for v in data]"
    return "give it a number first"


class Elementary(NamedTuple):
    """A signature whose primal the machine has: `math`, NumPy and C know it by name."""

    signature: Callable[..., Any]
    on_floats: Callable[..., float]
    numpy: str


def elementary(
    on_floats: Callable[..., float], *, numpy: str = ""
) -> Callable[[Callable[..., Any]], Elementary]:
    """Decorator below `@primitive`: the primal is `on_floats`, in NumPy the one named `numpy`."""
    return lambda signature: Elementary(signature, on_floats, numpy or signature.__name__)


def primitive(
    *derivatives: Derivative | float, nary: bool = False, **facts: Any
) -> Callable[[Callable[..., Any] | Elementary], Primitive]:
    """Decorator: enter a function into the table, with one local derivative per operand."""

    def enter(primal: Callable[..., Any] | Elementary) -> Primitive:
        row = (NaryPrimitive if nary else Primitive)(primal, derivatives, **facts)
        TABLE[row.name] = row
        return row

    return enter


# --- arithmetic ---------------------------------------------------------------
# G&W: Griewank & Walther, Evaluating Derivatives, 2nd ed., SIAM 2008. DLMF: dlmf.nist.gov.


@primitive(1.0, 1.0, symbol="+", latex="{0} + {1}")
def add(x: Any, y: Any) -> Any:
    """x + y. Source: G&W, chapter 2."""
    return x + y


@primitive(1.0, -1.0, symbol="-", latex="{0} - {1}")
def sub(x: Any, y: Any) -> Any:
    """x - y. Source: G&W, chapter 2."""
    return x - y


@primitive(lambda z, x, y: y, lambda z, x, y: x, symbol="*", latex=r"{0} \cdot {1}")
def mul(x: Any, y: Any) -> Any:
    """x * y. Source: G&W, chapter 2."""
    return x * y


@primitive(
    lambda z, x, y: 1.0 / y, lambda z, x, y: -z / y, symbol="/", latex=r"\frac{{{0}}}{{{1}}}"
)
def div(x: Any, y: Any) -> Any:
    """x / y. Convention: 1/0 = inf, 0/0 = nan (IEEE 754). Source: G&W, chapter 2."""
    return x / y


def _pow_by_base(z: Any, x: Any, y: Any) -> Any:
    return where(y == 0.0, 0.0, y * pow(x, where(y == 0.0, 1.0, y - 1.0)))


def _pow_by_exponent(z: Any, x: Any, y: Any) -> Any:
    return z * log(where(x == 0.0, where(y < 0.0, x, 1.0), x))


@primitive(
    _pow_by_base, _pow_by_exponent, symbol="**", latex="{0}^{{{1}}}", domain=(POSITIVE, REAL)
)
@elementary(math.pow, numpy="power")
def pow(x: Any, y: Any) -> Any:
    """x ** y, a real number or nan.

    Convention: (-2) ** 0.5 = nan; d/dx x ** 0 = 0 everywhere; d/dy 0 ** y = 0 for y >= 0; d/dy is
    nan for x < 0, where the power is real only at whole y. Source: DLMF 4.2(iv), 4.7(ii).
    """


@primitive(-1.0, symbol="neg", latex="-{0}")
def neg(x: Any) -> Any:
    """-x. Source: G&W, chapter 2."""
    return -x


# --- choice ---------------------------------------------------------------


def _select(c: float, x: float, y: float) -> float:
    return x if c else y


def _if_chosen(z: Any, c: Any, x: Any, y: Any) -> Any:
    return where(c, 1.0, 0.0)


def _if_not_chosen(z: Any, c: Any, x: Any, y: Any) -> Any:
    return where(c, 0.0, 1.0)


@primitive(0.0, _if_chosen, _if_not_chosen, latex=r"{0}\ ?\ {1} : {2}", analytic=False)
@elementary(_select)
def where(c: Any, x: Any, y: Any) -> Any:
    """x where the condition c holds (is true, or a number other than 0), else y.

    Convention: the derivative by the condition is 0, and so is that by the operand not chosen.
    Source: G&W, chapter 14.
    """


@primitive(0.0, latex=r"\operatorname{{sign}} {0}", analytic=False)
def sign(x: Any) -> Any:
    """-1, 0 or 1. Convention: sign(0) = sign'(0) = 0, sign(nan) = nan. Source: G&W, chapter 14."""
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


@primitive(lambda z, x: sign(x), latex="|{0}|", analytic=False)
@elementary(math.fabs)
def abs(x: Any) -> Any:
    """|x|. Convention: |x|'(0) = 0. Source: G&W, chapter 14."""


@primitive(lambda z, x: sign(z), latex=r"\max(0, {0})", analytic=False)
def relu(x: Any) -> Any:
    """max(0, x), the rectified linear unit. Convention: relu'(0) = 0, relu(nan) = nan.

    Source: Glorot, Bordes & Bengio, Deep sparse rectifier neural networks, AISTATS 2011.
    """
    return where(x <= 0.0, 0.0, x)


def _first_larger(z: Any, x: Any, y: Any) -> Any:
    return where(x > y, 1.0, where(x < y, 0.0, where(x == y, 0.5, x + y)))


def _second_larger(z: Any, x: Any, y: Any) -> Any:
    return where(y > x, 1.0, where(y < x, 0.0, where(x == y, 0.5, x + y)))


@primitive(_first_larger, _second_larger, symbol="max", latex=r"\max({0}, {1})", analytic=False)
def maximum(x: Any, y: Any) -> Any:
    """The larger. Convention: a tie halves the derivative, nan wins. Source: G&W, chapter 14."""
    return where(x > y, x, where(x <= y, y, x + y))


@primitive(_second_larger, _first_larger, symbol="min", latex=r"\min({0}, {1})", analytic=False)
def minimum(x: Any, y: Any) -> Any:
    """The smaller. Convention: a tie halves the derivative, nan wins. Source: G&W, chapter 14."""
    return where(x < y, x, where(x >= y, y, x + y))


# --- exponentials ---------------------------------------------------------------


@primitive(lambda z, x: z, latex="e^{{{0}}}")
@elementary(math.exp)
def exp(x: Any) -> Any:
    """e ** x. Convention: exp(1000) = inf. Source: DLMF 4.7(ii)."""


@primitive(lambda z, x: 1.0 / x, latex=r"\ln {0}", domain=(POSITIVE,))
@elementary(math.log)
def log(x: Any) -> Any:
    """The natural logarithm. Convention: log(0) = -inf, log(-1) = nan, derivative 1/x everywhere.

    Source: DLMF 4.7(i).
    """


@primitive(lambda z, x: 0.5 / (z + 0.0), latex=r"\sqrt{{{0}}}", domain=(POSITIVE,))
@elementary(math.sqrt)
def sqrt(x: Any) -> Any:
    """The square root. Convention: sqrt'(0) = inf, sqrt(-1) = nan. Source: DLMF 4.7(ii).

    The 0.0 in the derivative turns sqrt(-0.0) = -0.0 into 0.0, so that its sign is right there too.
    """


@primitive(lambda z, x: 1.0 - z * z, latex=r"\tanh {0}")
@elementary(math.tanh)
def tanh(x: Any) -> Any:
    """The hyperbolic tangent; its derivative has an absolute error of 1e-16. Source: DLMF 4.34."""


@primitive(lambda z, x: z * (1.0 - z), latex=r"\sigma({0})", analytic=False)
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), in a form where nothing overflows: only exp(-|x|) <= 1 is computed.

    The derivative, from the result alone, has an absolute error of 1e-16.
    Source: G&W, chapter 3 (chain rule on the definition).
    """
    e = exp(-abs(x))
    return where(x < 0.0, e, 1.0) / (1.0 + e)


@primitive(lambda z, x, y: z, lambda z, x, y: -z, symbol="softmax", latex="e^{{{0} - {1}}}")
def exp_difference(x: Any, y: Any) -> Any:
    """exp(x - y) in one node; `softmax` is made of these. Source: DLMF 4.7(ii)."""
    return exp(x - y)


# --- many operands ---------------------------------------------------------------


def _add_up(xs: Iterable[Any]) -> Any:
    """x0 + x1 + ... from left to right; the builtin `sum` rounds otherwise since Python 3.12."""
    return functools.reduce(operator.add, xs)


@primitive(lambda z, xs: [1.0] * len(xs), nary=True, latex=r"\sum_i {0}_i")
def sum(xs: Any) -> Any:
    """x0 + x1 + ... in one node, from left to right; 0.0 for none. Source: G&W, chapter 2."""
    return _add_up(xs) if xs else 0.0


@primitive(lambda z, xs: [1.0 / len(xs)] * len(xs), nary=True, latex=r"\frac1n \sum_i {0}_i")
def mean(xs: Any) -> Any:
    """(x0 + x1 + ...) / n in one node; needs an operand. Source: G&W, chapter 2."""
    return _add_up(xs) / len(xs)


@primitive(lambda z, w, x: x, lambda z, w, x: w, nary=True, latex=r"\sum_i {0}_i {1}_i")
def dot(w: Any, x: Any) -> Any:
    """w0 * x0 + w1 * x1 + ... in one node, from left to right. Source: G&W, chapter 2."""
    return _add_up(map(operator.mul, w, x)) if w else 0.0


def _shifted(xs: Any) -> Any:
    """The largest operand, and exp(x - largest) of each: nothing overflows, nothing cancels."""
    top = functools.reduce(maximum, xs)
    top = where(top - top == 0.0, top, 0.0)  # an infinite top would make inf - inf
    return top, [exp(x - top) for x in xs]


def _shares(z: Any, xs: Any) -> Any:
    _, e = _shifted(xs)
    total = _add_up(e)
    return [x / total for x in e]


@primitive(_shares, nary=True, latex=r"\ln \sum_i e^{{{0}_i}}")
def logsumexp(xs: Any) -> Any:
    """log(exp(x0) + exp(x1) + ...) in one node, with the largest operand taken out of the sum.

    Source: Blanchard, Higham & Higham, Accurately computing the log-sum-exp and softmax functions,
    IMA J. Numer. Anal. 41 (2021).
    """
    top, e = _shifted(xs)
    return top + log(_add_up(e))


def softmax(xs: Iterable[Any]) -> list[Any]:
    """exp(x_i) / (exp(x0) + exp(x1) + ...), a list: one logsumexp node and one node per operand.

    Nothing overflows. The relative error grows with the largest operand, 2e-16 * max|x|, because
    the nodes share the one rounded logsumexp; subtract a constant from operands beyond 1e6.
    """
    xs = list(xs)
    z = logsumexp(xs)
    return [exp_difference(x, z) for x in xs]


def log_softmax(xs: Iterable[Any]) -> list[Any]:
    """log(softmax(xs)), a list, without forming a softmax that could underflow to 0.

    The absolute error grows with the largest operand, 2e-16 * max|x|, as in `softmax`.
    """
    xs = list(xs)
    z = logsumexp(xs)
    return [x - z for x in xs]
