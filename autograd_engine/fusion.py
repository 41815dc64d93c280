"""Fused: the one node that stands for all that a compiled function did.

Its operands are the Values that took part, and its local derivatives the gradient by them, which
was computed along with the result. `backward` goes through it as through any other node.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, NoReturn

from autograd_engine.anomalies import inspected
from autograd_engine.backend import Value, assemble, backend
from autograd_engine.modes import current_mode
from autograd_engine.rows import NaryPrimitive
from autograd_engine.structures import assembled, blocks, flat, rebuilt
from autograd_engine.templates import Template
from autograd_engine.work import MISMATCH

__all__ = ["Fused", "FusedPrimitive"]


def _node(row: Any, data: float, operands: tuple[Value, ...], slopes: Any) -> Value:
    """The node of a compiled function; its derivatives are in an array."""
    return assemble(data, 0.0, row, operands, slopes.tolist(), current_mode().info)


_make: Any = _node
if backend == "native":
    _make = importlib.import_module("autograd_engine._native").fused_node


def fused_node(row: Any, data: float, operands: tuple[Value, ...], slopes: Any) -> Value:
    """The node of a compiled function, with an eye on inf and nan under `detect_anomaly`."""
    node: Value = _make(row, data, operands, slopes)
    mode = current_mode()
    if mode.detects:
        node._info = inspected(row, data, operands, mode.info)
    return node


def _no_formula(xs: Any) -> Any:
    raise NotImplementedError


class FusedPrimitive(NaryPrimitive):
    """What a fused node has in the place of a row: a name, and no formula.

    Raises
    ------
    TypeError
        When somebody wants to differentiate it again.
    """

    opaque = True

    def __init__(self, name: str) -> None:
        fused = FunctionType(_no_formula.__code__, {}, name)
        fused.__doc__ = f"{name}, compiled: one node for all that it does."
        super().__init__(fused, (0.0,), analytic=False)

    def __reduce__(self) -> Any:
        return FusedPrimitive, (self.name,)

    def _refuse(self) -> NoReturn:
        raise TypeError(
            f"{self.name}: a compiled function is one node that knows its gradient, but not how "
            "that depends on anything; for a second derivative compile the first: compile(grad(f))"
        )

    def primal(self, on: Any, operands: Sequence[Any]) -> NoReturn:
        """There is none."""
        self._refuse()

    def local_derivatives(self, on: Any, z: Any, operands: Sequence[Any]) -> NoReturn:
        """There are none that could be differentiated again."""
        self._refuse()


class Fused:
    """A run whose results are Values.

    Parameters
    ----------
    name : str
        Of the function.
    run : callable
        Returns the result, and behind it the gradients as one array, if there are any.
    arguments : tuple of Template
    captured : tuple of Value
    fused : tuple of bool
        Which numbers of the result depend on Values.
    """

    def __init__(
        self, name: str, run: Any, arguments: tuple[Template, ...], captured: tuple[Any, ...],
        fused: tuple[bool, ...], gradients: bool, over_batch: bool,
    ) -> None:  # fmt: skip
        self._over_batch = over_batch
        self._row, self._run, self._arguments = FusedPrimitive(name), run, arguments
        self._captured, self._fused, self._gradients = captured, fused, gradients
        self._has_values = any(map(_has_value, arguments))

    def __call__(self, args: tuple[Any, ...], out: Any) -> Any:
        """The Values; under `no_grad`, when no gradients were computed, without a graph.

        Then the results of samples stay arrays of plain numbers.
        """
        if out is not None and self._gradients:
            raise TypeError(
                f"compile: {self._row.name} returns Values, and out= takes plain numbers; call it "
                "under no_grad, or compile(value_and_grad(...))"
            )
        found = self._run(args, out)
        if found is MISMATCH:
            return found
        if not self._gradients:
            plain = self._over_batch or out is not None
            return found if plain else rebuilt(found, iter(self._leaves(flat(found))))
        result, gradients = found
        operands = self._captured
        if self._has_values:
            operands = (*_values(args, self._arguments), *operands)
        if result.__class__ is float:  # one number: most are
            return fused_node(self._row, result, operands, gradients)
        return self._several(result, gradients, operands)

    def _leaves(self, numbers: list[Any]) -> list[Any]:
        pairs = zip(numbers, self._fused, strict=True)
        return [Value(x) if fused else x for x, fused in pairs]

    def _several(self, result: Any, gradients: Any, operands: tuple[Any, ...]) -> Any:
        """Values in the structure of the result; each has its part of the gradients."""
        starts = iter(range(0, gradients.shape[-1], len(operands)))

        def node(x: Any, fused: bool) -> Any:
            if not fused:
                return x
            start = next(starts)
            part = gradients[..., start : start + len(operands)].copy()
            if part.ndim == 1:
                return fused_node(self._row, float(x), operands, part)
            return _each(lambda y, own: fused_node(self._row, y, operands, own), x, part)

        return _over_numbers(result, lambda xs: list(map(node, xs, self._fused)), self._over_batch)


def _each(make: Callable[..., Any], x: Any, *rest: Any) -> Any:
    """What `make` makes of a number, or an array of what it makes of each."""
    if not getattr(x, "ndim", 0):
        return make(float(x), *rest)
    import numpy

    return numpy.fromiter(map(make, x.tolist(), *rest), object, len(x))


def _over_numbers(result: Any, change: Callable[[list[Any]], list[Any]], over_batch: bool) -> Any:
    """A result with its numbers changed; over a batch those are columns of its arrays."""
    if not over_batch:
        return rebuilt(result, iter(change(flat(result))))
    import numpy

    arrays = list(blocks(result))
    new = iter(change([column for x in arrays for column in x.reshape(len(x), -1).T]))
    stacked = [
        numpy.stack([next(new) for _ in range(math.prod(x.shape[1:]))], axis=-1).reshape(x.shape)
        for x in arrays
    ]
    return assembled(result, iter(stacked))


def _has_value(template: Template) -> bool:
    return template.kind == "value" or any(map(_has_value, template.children))


def _values(args: Any, templates: Sequence[Template]) -> Iterator[Any]:
    """The Values in arguments."""
    for x, template in zip(args, templates, strict=True):
        if template.kind == "value":
            yield x
        elif _has_value(template):
            children = x.values() if isinstance(x, dict) else x.flat if hasattr(x, "flat") else x
            yield from _values(children, template.children)
