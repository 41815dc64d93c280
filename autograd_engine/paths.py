"""What results owe to chosen nodes, and whether anything else may still vary in them.

Every node that is made while a derivative is taken has the time of that derivative in its info. A
leaf *varies* for a derivative that began at `since` if it is older than that, or an argument of a
derivative that is running elsewhere; all other leaves were made on the way, and are constants.

(Times come from the mode, and a thread or a task has modes of its own. So a node may seem older
than it is; it then counts as varying, which is never wrong. That it cannot depend on an input is
not concluded from its time. The native engine knows the order in which nodes were made without any
mode, and spares the walk below those that are older than the inputs.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["path_between", "varying"]


def path_between(
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    since: int,
    running: set[Any],
    whole: bool = False,
) -> tuple[list[Any] | None, list[Any]]:
    """The nodes that depend on the inputs, among those that the outputs depend on; operands first.

    The inputs are not in the list, and the graph below them is not entered. None in place of the
    list where the outputs depend on inputs and constants alone: then `backward` reaches all that is
    wanted, and no node of anybody else. (With `whole` there is a list in any case.) The second
    result has the constants that are leaves.
    """
    order, constant = _classified(inputs, outputs, since, running)
    dependent, path = set(inputs), []
    for node in order:
        if not dependent.isdisjoint(node._prev):
            dependent.add(node)
            path.append(node)
    leaves = [node for node in order if not node._prev and node in constant]
    alone = path and constant.issuperset(outputs) and not whole
    return (None if alone else path), leaves


def varying(outputs: Sequence[Any], since: int, running: set[Any]) -> list[bool]:
    """For each output, whether it depends on anything that varies."""
    _, constant = _classified((), outputs, since, running, range(since))
    return [output not in constant for output in outputs]


def _classified(
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    since: int,
    running: set[Any],
    varying_anyway: range = range(0),
) -> tuple[list[Any], set[Any]]:
    """The nodes below the outputs, operands first, and those that depend on nothing that varies.

    What was made at the times that count as varying anyway is not looked into.
    """
    order = _order(inputs, outputs, varying_anyway)
    constant = {x for x in inputs if not x._prev}
    for node in order:
        if node._prev:
            is_constant = constant.issuperset(node._prev) and _made(node) not in varying_anyway
        else:
            is_constant = _made(node) >= since and node not in running
        if is_constant:
            constant.add(node)
    return order, constant


def _order(inputs: Sequence[Any], outputs: Sequence[Any], older: range) -> list[Any]:
    """As `topological_order`, for several outputs, and not below inputs and what is older."""
    seen, order = set(inputs), []
    for output in outputs:
        stack = [] if output in seen else [(output, iter(_below(output, older)))]
        seen.add(output)
        while stack:
            node, operands = stack[-1]
            for operand in operands:
                if operand not in seen:
                    seen.add(operand)
                    stack.append((operand, iter(_below(operand, older))))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def _below(node: Any, older: range) -> tuple[Any, ...]:
    return () if _made(node) in older else node._prev


def _made(node: Any) -> int:
    return node._info.made if node._info else 0
