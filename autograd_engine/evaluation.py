"""A user's function, run once on Values or on dual numbers, and what can be asked of it then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autograd_engine.backend import Value, assemble
from autograd_engine.conversion import kind, number, shown
from autograd_engine.dual import Dual, coefficients_of, current, opened, perturbation
from autograd_engine.expression import Expression
from autograd_engine.following import following, now
from autograd_engine.modes import Info, current_mode
from autograd_engine.primitives import mul
from autograd_engine.reverse import pulled, settled
from autograd_engine.structures import assembled, blocks, flat, leaves, rebuilt

__all__ = ["Call", "Carried", "Recorded", "aligned", "check_callable", "given"]

# A jacobian of more than this many outputs for each input goes forward. By the number of operations
# 1 would be right; but a backward pass takes less than a hundredth of the time of an evaluation on
# Duals, and only sees what one output depends on: on a curve of 4,000 points with 3 parameters all
# rows take a tenth of the time of 3 columns; it is the same for 1,000 outputs along one long chain.
_TALL = 1000


class Call:
    """A call of the user's function, and the arguments by which it is differentiated.

    Attributes
    ----------
    name : str
        What messages begin with: the function that the user called, such as "grad".
    primals : structure
        The arguments chosen by `argnums`: one, or a tuple.
    """

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        argnums: int | tuple[int, ...],
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> None:
        check_callable(name, f)
        self.name, self._f, self._args, self._named = name, f, args, named
        positions = argnums if isinstance(argnums, tuple) else (argnums,)
        try:
            self._positions = [range(len(args))[i] for i in positions]
        except IndexError:
            raise ValueError(
                f"{name}: argnums={argnums!r}, but the function was called with {len(args)} "
                "positional arguments"
            ) from None
        if len(set(self._positions)) < len(self._positions):
            raise ValueError(f"{name}: argnums={argnums!r} names an argument twice")
        # copies, for the function may change what it was given while it runs
        chosen = tuple(rebuilt(args[i], iter(flat(args[i]))) for i in self._positions)
        self.primals: Any = chosen if isinstance(argnums, tuple) else chosen[0]

    def operands(self) -> list[Any]:
        """The numbers in the arguments, as floats or operands; under `no_grad` all are floats."""
        found = []
        for i in self._positions:
            found += given(f"{self.name}: argument {i}", self._args[i])
        return found

    def run(self, new: Sequence[Any], arguments: Sequence[Any]) -> Any:
        """What the function returns with other operands in place of the numbers.

        `arguments` are the Values among those.
        """
        args, rest = list(self._args), iter(new)
        for i in self._positions:
            args[i] = rebuilt(self._args[i], rest)
        with following(arguments):
            return self._f(*args, **self._named)


def check_callable(name: str, f: Any) -> None:
    """Refuse what is no function, as in `grad(f(x))`.

    Raises
    ------
    TypeError
        When it is none.
    """
    if not callable(f):
        raise TypeError(f"{name}: expected a function, got {shown(f)}")


class Recorded:
    """A function run on Values.

    Attributes
    ----------
    primals : structure
        The arguments by which it is differentiated, as they were given.
    inputs : list of Value, or of Expression while something is recorded
        What the function got in place of the numbers in there.
    output : structure
        What it returned.
    """

    def __init__(self, call: Call) -> None:
        self._name, self.primals = call.name, call.primals
        self._since, self.inputs = now(), list[Any]()
        self.output = call.run([self._lifted(x) for x in call.operands()], self.inputs)

    def _lifted(self, x: Any) -> Any:
        """A new node for a number; over a Value, one that depends on it."""
        if isinstance(x, Dual):
            first, *rest = x.coefficients
            return Dual((self._lifted(first), *rest), x.of)
        recorder = current_mode().recorder
        if recorder is not None and isinstance(x, float | Value | Expression):
            self.inputs.append(recorder.renewed(x))
            return self.inputs[-1]
        if not isinstance(x, float | Value):
            raise TypeError(
                f"{self._name}: reverse mode takes numbers, Values and dual numbers, got "
                f"{shown(x)}; use jvp or derivative for it"
            )
        node = mul(x, 1.0) if isinstance(x, Value) else assemble(x, 0.0, None, (), (), None)
        node._info = (node._info or Info())._replace(made=self._since)
        self.inputs.append(node)
        return node

    def outputs(self) -> list[Any]:
        """The numbers in the output."""
        return operands(f"{self._name}: the function returned", self.output)

    def is_tall(self) -> bool:
        """Whether forward mode is cheaper for all derivatives."""
        return len(self.outputs()) > _TALL * max(1, len(self.inputs))

    def row(self, output: Any) -> list[Any]:
        """d output / d input, for each input."""
        return pulled([(1.0, output)], self.inputs, self._since)

    def gradient(self) -> Any:
        """The gradient of the only number in the output, in the structure of the primals."""
        return rebuilt(self.primals, iter(self.row(self._scalar())))

    def pullback(self, cotangents: Sequence[Any]) -> Any:
        """The sum of cotangent * d output / d input, in the structure of the primals."""
        pairs = list(zip(cotangents, self.outputs(), strict=True))
        return rebuilt(self.primals, iter(pulled(pairs, self.inputs, self._since)))

    def value(self) -> Any:
        """The only number in the output, as it is outside."""
        return settled([self._scalar()], self._since)[0]

    def values(self) -> Any:
        """The output as it is outside; from now on it is kept as it is, in a copy."""
        numbers = self.outputs()
        self.output = rebuilt(self.output, iter(numbers))
        return rebuilt(self.output, iter(settled(numbers, self._since)))

    def released(self, tree: Any) -> Any:
        """Whatever the function has returned besides numbers, with its numbers as outside."""
        parts = [x if _holds_objects(x) else None for x in blocks(tree)]
        mixed = [y for x in parts if x is not None for y in flat(x)]
        rest = iter(settled(list(map(current, mixed)), self._since))
        found = [
            x if part is None else rebuilt(part, rest)
            for x, part in zip(blocks(tree), parts, strict=True)
        ]
        return assembled(tree, iter(found))

    def _scalar(self) -> Any:
        """The output as one number, or the reason why it is none."""
        x = self.output
        many = isinstance(x, Iterable) and not isinstance(x, str | bytes)
        if x is not None and (getattr(x, "ndim", None) == 0 or not many):
            return operands(f"{self._name}: the function returned", x)[0]
        remedy = "use jacobian for the derivatives of several numbers, or add them up"
        remedy = "return the number" if x is None else remedy
        raise TypeError(
            f"{self._name}: the function must return one number, got {shown(x)}; {remedy}"
        )


def _holds_objects(x: Any) -> bool:
    """Whether part of a result may hold operands: not so an array of whole numbers, or a name."""
    return kind(x) == "O" if hasattr(x, "dtype") else hasattr(x, "bind")


class Carried:
    """A function run on dual numbers; `columns` has the coefficients of each number in arguments.

    Attributes
    ----------
    output : structure
        What it returned.
    """

    def __init__(self, call: Call, columns: Sequence[tuple[Any, ...]], order: int = 1) -> None:
        self._of = perturbation(order)
        with opened(self._of):
            self.output = call.run([Dual(column, self._of) for column in columns], ())
            self._numbers = operands(f"{call.name}: the function returned", self.output)

    def coefficients(self, k: int) -> list[Any]:
        """The coefficient of e ** k of each number in the output."""
        columns = [coefficients_of(x, self._of) for x in self._numbers]
        return settled([c[k] if k < len(c) else 0.0 for c in columns], self._of.serial)

    def coefficient(self, k: int) -> Any:
        """The same in the structure of the output."""
        return rebuilt(self.output, iter(self.coefficients(k)))


def operands(what: str, tree: Any) -> list[Any]:
    """The leaves of a structure: operands as they are now, numbers as floats.

    Raises
    ------
    TypeError
        When one is neither; it says where.
    """
    given, found, recorder = flat(tree), list[Any](), current_mode().recorder
    try:
        for x in given:
            if recorder is not None and isinstance(x, Value):
                found.append(recorder.expression(x))
            else:
                found.append(current(x) if hasattr(x, "bind") else number(x, what))
    except TypeError:
        pass
    if len(found) < len(given):  # again, and say where
        path, x = list(leaves(tree))[len(found)]
        number(x, what + path)
    return found


def given(what: str, tree: Any) -> list[Any]:
    """The same for what the user hands in, where under `no_grad` operands count as numbers."""
    found = operands(what, tree)
    if current_mode().differentiates:
        return found
    return [x.data if isinstance(x, Value | Dual) else x for x in found]


def aligned(what: str, tree: Any, expected: Any) -> list[Any]:
    """The leaves of a structure in the order of another, which must have the same places.

    Raises
    ------
    ValueError
        With the first place where they differ.
    TypeError
        When a leaf is no number.
    """
    found = given(what, tree)
    places, wanted = ([path for path, _ in leaves(x)] for x in (tree, expected))
    if places == wanted:
        return found
    if sorted(places) != sorted(wanted):
        first = min(set(places) ^ set(wanted))
        raise ValueError(
            f"{what} and what they belong to differ in structure: {len(places)} and {len(wanted)} "
            f"numbers, first at {first or 'the top'}"
        )
    by_place = dict(zip(places, found, strict=True))
    return [by_place[place] for place in wanted]
