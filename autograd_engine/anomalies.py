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

__all__ = ["check_gradient", "inspected", "watched"]

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


def check_gradient(gradient: float) -> None:
    """Refuse to start a backward pass from an inf or nan."""
    if not math.isfinite(gradient):
        raise AnomalyError(f"backward: the gradient to start from is {gradient}")


def watched(nodes: Iterable[Any]) -> Iterator[Any]:
    """Hand out the nodes of a backward pass one by one, and look at what each has sent.

    Leaves get back the gradients they had when an anomaly is found.

    Raises
    ------
    AnomalyError
        When an adjoint is not finite, and for a leaf whose gradient was not to begin with.
    """
    before: dict[int, tuple[Any, float]] = {}
    try:
        for node in nodes:
            _remember(node, before)
            if not math.isfinite(node.grad):
                raise _anomaly(node, f"its adjoint is {node.grad}")
            yield node
            _check_operands(node)
    except AnomalyError:
        for x, grad in before.values():
            x.grad = grad
        raise


def _remember(node: Any, before: dict[int, tuple[Any, float]]) -> None:
    """Note the gradients of leaves before the first contribution to them."""
    for x in node._prev:
        if not x._prev and id(x) not in before:
            before[id(x)] = x, x.grad
            if not math.isfinite(x.grad):
                problem = f"the gradient of {_named(x)} was {x.grad} before; call zero_grad() first"
                raise AnomalyError(f"backward: {problem}")


def _check_operands(node: Any) -> None:
    values = [(i, x) for i, x in enumerate(node._operands) if not isinstance(x, float)]
    for (i, x), derivative in zip(values, node._derivatives, strict=True):
        if not math.isfinite(x.grad):
            sent = f"local derivative {derivative:g} * adjoint {node.grad:g}"
            name = x.label or f"operand {i}"
            raise _anomaly(node, f"{sent} makes the gradient of {name} {x.grad}")


def _anomaly(node: Any, problem: str) -> AnomalyError:
    operation = node._primitive.name if node._primitive else "a leaf"
    where = _described(node._operands, node._info)
    return AnomalyError(f"backward through {operation}: {problem}{where}")


def _described(operands: Sequence[Any], info: Info | None) -> str:
    worst_first = sorted(enumerate(operands), key=lambda pair: math.isfinite(_data(pair[1])))
    lines = [f"operand {i}: {_named(x)}" for i, x in worst_first[:_SHOWN]]
    if len(operands) > _SHOWN:
        lines.append(f"... and {len(operands) - _SHOWN} more operands")
    if info and info.scope:
        lines.append(f"in {', '.join(_scope(operands, info.scope))}")
    if info and info.origin:
        file, line = info.origin
        source = linecache.getline(file, line).strip()
        lines.append(f"made at {file}:{line}" + (f": {source}" if source else ""))
    elif operands:
        lines.append("made outside detect_anomaly; put the forward pass into it to see its line")
    return "".join(f"\n  {line}" for line in lines)


def _scope(operands: Sequence[Any], scope: tuple[str, ...]) -> tuple[str, ...]:
    """The scope of an operation; an operand's that goes deeper: a weight knows its neuron."""
    infos = [info for x in operands if (info := getattr(x, "_info", None))]
    deeper = [info.scope for info in infos if info.scope[: len(scope)] == scope]
    return max([scope, *deeper], key=len)


def _data(x: Any) -> float:
    return x if isinstance(x, float) else x.data


def _named(x: Any) -> str:
    if isinstance(x, float):
        return f"the constant {x}"
    label = getattr(x, "label", "")
    return f"{label} = {x.data}" if label else f"a {type(x).__name__} of {x.data}"
