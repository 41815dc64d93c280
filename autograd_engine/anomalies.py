"""What `detect_anomaly` does: stop at the first inf or nan, and say where it came from.

The engine hands every new result to `inspected`, and the nodes of a backward pass through
`watched`. Both name the operation, its operands and the line of the user's program.
"""

from __future__ import annotations

import linecache
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from autograd_engine.errors import AnomalyError
from autograd_engine.modes import Info, users_line
from autograd_engine.rows import Primitive

__all__ = ["inspected", "watched"]

_SHOWN = 6


def inspected(row: Primitive, data: float, operands: Sequence[Any], info: Info | None) -> Info:
    """The info of a new node, with the line that made it.

    Raises
    ------
    AnomalyError
        When the result is not finite.
    """
    info = (info or Info())._replace(origin=users_line())
    if not math.isfinite(data):
        raise AnomalyError(f"{row.name}: the result is {data}" + _described(operands, info))
    return info


def watched(nodes: Iterable[Any]) -> Iterator[Any]:
    """Hand out the nodes of a backward pass one by one, and look at what each has sent.

    Leaves get back the gradients they had when an anomaly is found.

    Raises
    ------
    AnomalyError
        When an adjoint, or a contribution to one, is not finite.
    """
    before: dict[int, tuple[Any, float]] = {}
    try:
        for node in nodes:
            before.update((id(x), (x, x.grad)) for x in node._prev if id(x) not in before)
            if not math.isfinite(node.grad):
                raise _backward_anomaly(node, f"its adjoint is {node.grad}")
            yield node
            for i, (x, derivative) in enumerate(zip(node._prev, node._derivatives, strict=True)):
                if not math.isfinite(x.grad):
                    sent = f"local derivative {derivative:g} * adjoint {node.grad:g}"
                    name = x.label or f"Value {i}"
                    raise _backward_anomaly(node, f"{sent} makes the gradient of {name} {x.grad}")
    except AnomalyError:
        for x, grad in before.values():
            if not x._prev:
                x.grad = grad
        raise


def _backward_anomaly(node: Any, problem: str) -> AnomalyError:
    operation = node._primitive.name if node._primitive else "a leaf"
    where = _described(node._operands, node._info)
    return AnomalyError(f"backward through {operation}: {problem}{where}")


def _described(operands: Sequence[Any], info: Info | None) -> str:
    lines = [f"operand {i}: {_named(x)}" for i, x in enumerate(operands[:_SHOWN])]
    if len(operands) > _SHOWN:
        lines.append(f"... and {len(operands) - _SHOWN} more operands")
    if info and info.scope:
        lines.append(f"in {', '.join(info.scope)}")
    if info and info.origin:
        file, line = info.origin
        source = linecache.getline(file, line).strip()
        lines.append(f"made at {file}:{line}" + (f": {source}" if source else ""))
    elif operands:
        lines.append("made outside detect_anomaly; put the forward pass into it to see its line")
    return "".join(f"\n  {line}" for line in lines)


def _named(x: Any) -> str:
    if isinstance(x, float):
        return f"the constant {x}"
    return f"{x.label} = {x.data}" if x.label else f"a Value of {x.data}"
