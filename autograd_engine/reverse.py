"""Reverse mode with results that can be differentiated again.

`Value.backward` multiplies and adds floats. Here the same sweep also runs on operands: the local
derivatives are computed anew, by their formulas, on the Values of the graph, so the adjoints are
Values too, and they form a second graph, which a derivative around this one goes through in turn.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from autograd_engine.backend import Value, path_between, varying
from autograd_engine.dual import Dual, Perturbation, coefficients_of
from autograd_engine.expression import Expression
from autograd_engine.following import RUNNING, following
from autograd_engine.linearization import local_derivatives
from autograd_engine.modes import current_mode
from autograd_engine.primitives import dot, mul
from autograd_engine.transform import pulled_back

__all__ = ["pulled", "settled"]


_backward = threading.RLock()  # a pullback may be called by several threads, on one graph

Pair = tuple[Any, Any]  # a cotangent, and the output that it belongs to


def pulled(pairs: Sequence[Pair], inputs: Sequence[Any], since: int) -> list[Any]:
    """The sum of cotangent * d output / d input over the pairs, for each input, as it is outside.

    The inputs are nodes made for this, at the time `since`; the graph below them is not entered,
    and cotangents are constants, whatever they depend on.
    """
    duals = [x.of for pair in pairs for x in pair if isinstance(x, Dual)]
    if duals:  # the derivative of a series: that of each coefficient
        of = max(duals)
        parts = [pulled(part, inputs, since) for part in _coefficients(pairs, of)]
        return settled([Dual(c, of) for c in zip(*parts, strict=True)], since)
    recorder = current_mode().recorder
    if recorder is not None:
        lines = [tuple([recorder.expression(x).index for x in pair]) for pair in pairs]
        found = pulled_back(recorder.tape, lines, [x.index for x in inputs])
        return [Expression(recorder.tape, line) for line in found]
    pairs = [(cotangent, x) for cotangent, x in pairs if isinstance(x, Value)]
    if not pairs:
        return [0.0] * len(inputs)
    whole = any(isinstance(cotangent, Value) for cotangent, _ in pairs)
    path, constants = path_between(inputs, [x for _, x in pairs], since, RUNNING, whole)
    if path is not None:
        return settled(_sweep(path, pairs, inputs), since)
    weighted = _weighted(pairs)
    with _backward:
        before = [x.grad for x in constants]
        for x in inputs:
            x.zero_grad()
        weighted.backward()
        gradients = [x.grad for x in inputs]
        for x, grad in zip(constants, before, strict=True):
            x.grad = grad
    return gradients


def _coefficients(pairs: Sequence[Pair], of: Perturbation) -> Iterator[list[Pair]]:
    """The pairs that belong to each power of a perturbation in the sum of products of pairs."""
    columns = [tuple(coefficients_of(x, of) for x in pair) for pair in pairs]
    for k in range(of.order + 1):
        yield [
            (c[i], x[k - i])
            for c, x in columns
            for i in range(min(k + 1, len(c)))
            if k - i < len(x)
        ]


def _weighted(pairs: Sequence[Pair]) -> Value:
    """The sum of products of pairs as a node, so that one backward pass serves for all outputs."""
    cotangents, outputs = zip(*pairs, strict=True)
    if cotangents == (1.0,):
        return pairs[0][1]  # type: ignore[no-any-return]
    with following(()):
        weighted: Value = dot(cotangents, outputs)
    return weighted


def settled(results: Sequence[Any], since: int) -> list[Any]:
    """What was computed since then as it is outside: floats, except where something varies still.

    Under `no_grad` nothing does.
    """
    records = current_mode().differentiates
    nodes = [x for x in results if isinstance(x, Value)]
    varies = dict(zip(nodes, varying(nodes, since, RUNNING), strict=True))
    found = []
    for x in results:
        if isinstance(x, Dual):
            x = Dual(tuple(settled(x.coefficients, since)), x.of) if records else x.data
        elif isinstance(x, Value) and not (varies[x] and (records or _made(x) < since)):
            x = x.data
        found.append(x)
    return found


def _made(x: Value) -> int:
    return x._info.made if x._info else 0


def _sweep(path: list[Value], pairs: Sequence[Pair], inputs: Sequence[Value]) -> list[Any]:
    """As `Value.backward`, on operands; it leaves the `.grad` of all nodes alone."""
    edges = _recorded_edges if current_mode().records else _edges
    dependent = {*inputs, *path}
    adjoints: dict[Value, Any] = {}
    for cotangent, x in pairs:
        if x in dependent:
            adjoints[x] = adjoints[x] + cotangent if x in adjoints else cotangent
    with following({x for node in path for x in node._prev}):  # so that no formula leaves the graph
        for node in reversed(path):
            adjoint = adjoints.pop(node)
            for x, slope in edges(node, dependent):
                sent = _product(slope, adjoint)
                adjoints[x] = adjoints[x] + sent if x in adjoints else sent
    return [_own(adjoints.get(x, 0.0)) for x in inputs]


def _own(gradient: Any) -> Any:
    """A node of its own in place of a leaf, such as the weight w as the derivative of w * x."""
    return mul(gradient, 1.0) if isinstance(gradient, Value) and not gradient._prev else gradient


def _edges(node: Value, dependent: set[Value]) -> list[tuple[Value, float]]:
    """The operands on the path, each with its local derivative."""
    edges = zip(node._prev, node._derivatives, strict=True)
    return [(x, slope) for x, slope in edges if x in dependent]


def _recorded_edges(node: Value, dependent: set[Value]) -> list[tuple[Value, Any]]:
    """The same, with local derivatives that remember how they depend on the operands."""
    row, operands = node._primitive, node._operands
    assert row is not None
    wanted = [i for i, x in enumerate(operands) if isinstance(x, Value) and x in dependent]
    slopes = local_derivatives(row, node, operands, wanted)
    edges = []
    for (x, before), slope in zip(_edges(node, dependent), slopes, strict=True):
        _check_unchanged(node, x, before, slope)
        edges.append((x, slope))
    return edges


def _check_unchanged(node: Value, x: Value, before: float, slope: Any) -> None:
    now = slope.data if isinstance(slope, Value) else slope
    if not (math.isclose(now, before, rel_tol=1e-6, abs_tol=1e-300) or now != now):
        raise RuntimeError(
            f"{node._op}: the data of an operand was changed after this was computed, so its local "
            f"derivative by {x!r}, {before}, cannot be differentiated; compute it again, or under "
            "no_grad, where the derivatives of before are taken as they are"
        )


def _product(slope: Any, adjoint: Any) -> Any:
    """slope * adjoint, without a node for a factor of 1."""
    if slope.__class__ is float and slope == 1.0:
        return adjoint
    return slope if adjoint.__class__ is float and adjoint == 1.0 else slope * adjoint
