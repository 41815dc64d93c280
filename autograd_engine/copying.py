"""Copies and pickles of Values, with their graphs, however deep.

What `copy` and `pickle` do by themselves is to go from a node to its operands, and from those to
theirs: too deep for a stack. Here a node takes the nodes below it along as a flat list, operands
first, so that each finds its operands done already. Within one deepcopy, or one pickle, every Value
is copied once: a model and its loss still share the parameters afterwards.

Loading a pickle calls nothing but `restore` below and looks up primitives by their names. As with
every pickle, load only what you trust.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import ref

from autograd_engine.backend import Value, topological_order
from autograd_engine.modes import Info
from autograd_engine.rows import Primitive

__all__ = ["restore"]


def restore(
    below: Sequence[Value],
    data: float,
    grad: float,
    row: Primitive | None,
    operands: tuple[Any, ...],
    derivatives: Sequence[float],
    info: tuple[Any, ...] | None,
) -> Value:
    """The Value with these fields; `below` is the list of nodes that had to be restored before."""
    node = Value.__new__(Value)
    node._data, node._grad, node._primitive = data, grad, row
    node._operands, node._derivatives = operands, derivatives
    node._prev = tuple([x for x in operands if isinstance(x, Value)])
    node._info = None if info is None else Info(*info)
    return node


def _fields(node: Value) -> tuple[Any, ...]:
    info = None if node._info is None else tuple(node._info)
    return (
        node._data, node._grad, node._primitive, node._operands, tuple(node._derivatives), info
    )  # fmt: skip


def copy(self: Value) -> Value:
    """`copy.copy`: a second node with the same data and gradient, on the same operands."""
    return restore((), *_fields(self))


def deepcopy(self: Value, memo: dict[Any, Any]) -> Value:
    """`copy.deepcopy`: the whole graph below, except what this deepcopy has met before."""
    seen = memo.setdefault(deepcopy, set())
    for node in topological_order(self, seen):
        if id(node) not in memo:
            data, grad, row, operands, *rest = _fields(node)
            operands = tuple([memo[id(x)] if isinstance(x, Value) else x for x in operands])
            memo[id(node)] = restore((), data, grad, row, operands, *rest)
    copied: Value = memo[id(self)]
    return copied


class Session:
    """What one pickler has met. It lives as long as the pickler, whose memo holds a `Below`."""

    __slots__ = ("__weakref__", "pending", "seen")

    def __init__(self) -> None:
        self.seen: set[Value] = set()
        self.pending: set[Value] = set()


_current = threading.local()


class Below(list[Any]):
    """Nodes on their way into a pickle, operands first; a plain list when it is loaded."""

    __slots__ = ("nodes", "session")

    def __init__(self, nodes: Sequence[Value] = (), session: Session | None = None) -> None:
        self.nodes, self.session = nodes, session or Session()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.nodes:
            return Below, (), None, self._one_by_one()
        self.session.pending.clear()  # the list is done; what is left there was in the memo already
        return Below, ()

    def _one_by_one(self) -> Iterator[Any]:
        try:
            for node in self.nodes:
                self.session.pending.add(node)
                yield node
            yield Below((), self.session)
        except GeneratorExit:  # the pickle has failed
            self.session.pending.clear()
            raise


def reduce(self: Value) -> tuple[Any, ...]:
    """`pickle`: how to restore this node, after those below it.

    A pickler asks this once for each Value. When it asks for one that stands in the list of another
    Value, the operands are in its memo already, and so the list for this one is empty.
    """
    session: Session | None = getattr(_current, "session", lambda: None)()
    if session is not None and self in session.pending:
        session.pending.discard(self)
        return restore, ((), *_fields(self))
    if session is None or self in session.seen:  # it was asked before: another pickler asks now
        session = Session()
        _current.session = ref(session)
    *nodes, _ = topological_order(self, session.seen)
    return restore, (Below(nodes, session), *_fields(self))


for _name, _method in (("__copy__", copy), ("__deepcopy__", deepcopy), ("__reduce__", reduce)):
    setattr(Value, _name, _method)
