"""Derivatives of any order against mpmath, which computes to as many digits as it is asked for.

A function that is written with operators and primitives runs on `Precise` numbers too: each row of
the table is run on mpmath's numbers. From its values at 50 and more digits mpmath takes central
differences that are exact to all digits of a float. Nothing of our derivatives is used for them.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from autograd_engine.backend import Value
from autograd_engine.conversion import number
from autograd_engine.derivatives import check_order, jacobian
from autograd_engine.errors import GradcheckError
from autograd_engine.following import refuse
from autograd_engine.modes import no_grad
from autograd_engine.operands import Operand, operands_and_floats
from autograd_engine.reports import CheckReport, listed
from autograd_engine.rows import Elementary, Namespace, Primitive
from autograd_engine.structures import flat, leaves, rebuilt

__all__ = ["DerivativeCheck", "DerivativeReport", "check_derivatives"]

DIGITS = 50
_ROUNDING = 1e-15


def _mpmath() -> ModuleType:
    try:
        return importlib.import_module("mpmath")
    except ImportError as error:
        raise ImportError("check_derivatives needs mpmath: pip install mpmath") from error


def _precise_form(form: Elementary) -> Callable[..., Any]:
    """What mpmath calls an elementary function; some it has under another name, or not at all."""
    mpmath = _mpmath()
    name = form.signature.__name__
    ours: dict[str, Callable[..., Any]] = {
        "abs": mpmath.fabs,
        "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
        "log2": lambda x: mpmath.log(x, 2),
        "pow": mpmath.power,
        "where": lambda c, x, y: x if c else y,
    }
    found = ours.get(name) or getattr(mpmath, name, None)
    if found is None:
        raise TypeError(f"mpmath has no {name}")
    return found


_ON_MPMATH = Namespace(_precise_form)


class Precise(Operand):
    """A number of mpmath's; nan where the result is singular or complex."""

    __slots__ = ("_exact",)

    def __init__(self, exact: Any) -> None:
        self._exact = exact

    @staticmethod
    def bind(row: Primitive, operands: tuple[Any, ...]) -> Any:
        """The result of any primitive; NotImplemented where an operand is an array."""
        mp = _mpmath()
        wrapped = [Precise(x) if isinstance(x, mp.mpf) else x for x in operands]  # from `.data`
        known = operands_and_floats(tuple(wrapped), row.name)
        if known is None:
            return NotImplemented
        exact = [mp.mpf(x.data if hasattr(x, "bind") else x) for x in known]
        try:
            z = +row.primal(_ON_MPMATH, exact)
        except (ArithmeticError, ValueError):
            z = mp.nan
        except TypeError as error:
            raise TypeError(
                f"check_derivatives: {row.name} does not run on mpmath's numbers: {error}"
            ) from error
        return Precise(mp.nan if isinstance(z, mp.mpc) else mp.mpf(z))

    @property
    def data(self) -> Any:
        """The number."""
        return self._exact

    def detach(self) -> Precise:
        """The number itself: differences see it move, so a derivative cut off here is found."""
        return self

    def __float__(self) -> float:
        refuse(self)

    def __repr__(self) -> str:
        return f"Precise({_mpmath().nstr(self._exact)})"


@dataclass(frozen=True, slots=True)
class DerivativeCheck:
    """One derivative: of and by what, our mode, ours, mpmath's, and how far they may differ."""

    derivative: str
    mode: str
    ours: float
    exact: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether both agree; nan agrees with nothing."""
        return abs(self.ours - self.exact) <= self.allowed

    def __str__(self) -> str:
        head = f"{'ok  ' if self.passed else 'FAIL'} {self.derivative}, {self.mode}"
        return f"{head}: {self.ours:.15g}, exact {self.exact:.15g}"


@dataclass(frozen=True, slots=True)
class DerivativeReport(CheckReport):
    """The outcome of `check_derivatives`; true when it passed; prints one line per derivative."""

    title: ClassVar[str] = "check_derivatives"

    checks: tuple[DerivativeCheck, ...]


def check_derivatives(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 3,
    *,
    rtol: float = 1e-9,
    raise_exception: bool = True,
) -> DerivativeReport:
    """Compare all partial derivatives of `f(*args)` up to an order, by both modes, with mpmath.

    Parameters
    ----------
    f : callable
        Takes numbers in the structure of `args` and returns numbers in any structure; written with
        operators and primitives only, for it also runs on numbers of 50 digits. Where it is cut off
        from an argument, by `.data`, detach() or no_grad, the check fails.
    args : sequence
        The arguments: numbers, arrays, or nested lists, tuples and dicts of them. Choose a point
        away from kinks, ties and the ends of domains.
    order : int
        The highest order, 1 or more. The work grows fast with it, and with the number of inputs.
    rtol : float
        How far a derivative may be off, relative to the exact one, or to 1e-3 times the largest of
        the same output and order, where it is smaller than that; each multiplied by the sizes of
        the inputs, so that the scale of an input makes no difference. What the rounding of f and of
        derivatives of lower order may do to it is allowed too.
    raise_exception : bool
        False returns the report of a failed check too, instead of raising.

    Returns
    -------
    DerivativeReport
        What was compared; true when all agrees. `print` it.

    Raises
    ------
    GradcheckError
        When a derivative disagrees; the message is the full report.
    ImportError
        When mpmath is not installed.
    TypeError
        When `args` is no sequence of numbers, the order no whole number, or `f` returns anything
        but numbers or uses functions that mpmath does not have.
    ValueError
        When the order is less than 1, or there is nothing to check.

    Notes
    -----
    Values that f captures count as constants of their data. Inside f there may be jvp, derivative
    and taylor, but no grad: reverse mode does not take numbers of 50 digits.

    Examples
    --------
    >>> from autograd_engine import check_derivatives, tanh
    >>> print(check_derivatives(tanh, [0.5], order=2))
    check_derivatives: 0 of 4 derivatives disagree
    ok   tanh by 0, reverse: 0.786447732965927, exact 0.786447732965927
    ok   tanh by 0, forward: 0.786447732965927, exact 0.786447732965927
    ok   tanh by 0 0, reverse: -0.726861981383587, exact -0.726861981383587
    ok   tanh by 0 0, forward: -0.726861981383587, exact -0.726861981383587
    """
    check_order("check_derivatives", order, 1)
    arguments = listed("check_derivatives: args", args)
    with _mpmath().workdps(DIGITS):
        report = DerivativeReport(tuple(_checks(_Case(f, arguments), order, rtol)))
    if not report.checks:
        raise ValueError("check_derivatives: nothing to check, for f has no inputs or no outputs")
    if raise_exception and not report:
        raise GradcheckError(str(report))
    return report


class _Case:
    """A function of nested arguments as one of a list of numbers, which returns a list."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._f, self._args = f, args
        self.names = [path[1:].replace("]", "", 1) for path, _ in leaves(args)]
        self.point = [
            x.data if isinstance(x, Value) else number(x, "check_derivatives: args")
            for x in flat(args)
        ]
        self.sizes = [_mpmath().mpf(abs(x) or 1.0) for x in self.point]
        output = f(*rebuilt(args, iter([Precise(_mpmath().mpf(x)) for x in self.point])))
        for x in flat(output):
            if not isinstance(x, Precise):
                number(x, "check_derivatives: f returned")
        name = getattr(f, "__name__", type(f).__name__)
        self.outputs = [name + path for path, _ in leaves(output)]

    def __call__(self, xs: Sequence[Any]) -> list[Any]:
        return flat(self._f(*rebuilt(self._args, iter(xs))))

    def exact(self, output: int, powers: Sequence[int]) -> Any:
        """A derivative at the point, `powers` times by each input in units of its size."""
        mp = _mpmath()

        def f(*steps: Any) -> Any:
            scaled = zip(self.point, self.sizes, steps, strict=True)
            y = self([Precise(x + size * step) for x, size, step in scaled])[output]
            return y.data if isinstance(y, Precise) else mp.mpf(y)

        origin = [mp.mpf(0)] * len(powers)
        return mp.diff(f, origin, tuple(powers)) if any(powers) else f(*origin)


def _checks(case: _Case, order: int, rtol: float) -> Iterator[DerivativeCheck]:
    """Every partial derivative of every output, order by order, in both modes."""
    tensors: dict[str, Callable[..., Any]] = dict.fromkeys(("reverse", "forward"), case)
    inputs = range(len(case.point))
    scales = [abs(case.exact(k, [0] * len(inputs))) for k in range(len(case.outputs))]
    for k in range(1, order + 1):
        tensors = {mode: jacobian(f, mode=mode) for mode, f in tensors.items()}
        with no_grad():  # captured Values are constants
            ours = {mode: f(case.point) for mode, f in tensors.items()}
        for output in range(len(case.outputs)):
            exact = {
                place: case.exact(output, [place.count(i) for i in inputs])
                for place in itertools.combinations_with_replacement(inputs, k)
            }
            largest = max(map(abs, exact.values()), default=0)
            noise, scales[output] = _ROUNDING * scales[output], max(scales[output], largest)
            for place in itertools.product(inputs, repeat=k):
                expected = exact[tuple(sorted(place))]
                size = _mpmath().fprod(case.sizes[i] for i in place)
                allowed = rtol * max(abs(expected), 1e-3 * largest) + noise
                name = f"{case.outputs[output]} by {' '.join(case.names[i] for i in place)}"
                for mode, tensor in ours.items():
                    found = functools.reduce(lambda part, i: part[i], place, tensor[output])
                    numbers = found, expected / size, allowed / size
                    yield DerivativeCheck(name, mode, *map(float, numbers))
