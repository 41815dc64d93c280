"""Copies and pickles of Values, with their graphs, however deep.

What `copy` and `pickle` do by themselves is to go from a node to its operands, and from those to
theirs: too deep for a stack. Here a node takes the nodes below it along as a flat list, operands
first, so that each finds its operands done already. Within one deepcopy, or one pickle, every Value
is copied once: a model and its loss still share the parameters afterwards.

Loading a pickle calls nothing but `restore` and `Below`, and looks up primitives by their names. As
with every pickle, load only what you trust.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import ref

from autograd_engine.backend import Value, assemble, topological_order
from autograd_engine.following import unfollowed
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
    """The Value with these fields; `below` is the list of nodes that had to be restored before.

    `derivatives` has one number for each of the operands that are Values; `info` is an Info, also
    as a plain tuple.

    Raises
    ------
    ValueError
        When the fields do not fit each other.
    """
    values = len([x for x in operands if isinstance(x, Value)])
    fits = len(derivatives) == values if row else not operands and not derivatives
    if not fits or (row and not values):
        given = f"{row}, {values} Values, {len(derivatives)} derivatives"
        raise ValueError(f"restore: these fields do not make a Value: {given}")
    return assemble(data, grad, row, operands, derivatives, None if info is None else _shared(info))


@functools.lru_cache(maxsize=4096)
def _shared(info: tuple[Any, ...]) -> Info:
    """The nodes of one scope share one Info, also after they are copied; a copy has no time."""
    return Info(*info)._replace(made=0)


def _fields(node: Value) -> tuple[Any, ...]:
    derivatives = tuple(node._derivatives)
    return node._number, node._grad, node._primitive, node._operands, derivatives, node._info


def copy(self: Value) -> Value:
    """`copy.copy`: a second node with the same data and gradient, on the same operands."""
    return restore((), *_fields(self if self._prev else unfollowed(self)))


def deepcopy(self: Value, memo: dict[Any, Any]) -> Value:
    """`copy.deepcopy`: the whole graph below, except what this deepcopy has met before."""
    seen = memo.setdefault(deepcopy, set())
    unfollowed(self)
    for node in topological_order(self, seen):
        if id(node) not in memo:
            data, grad, row, operands, *rest = _fields(node)
            operands = tuple([memo[id(x)] if isinstance(x, Value) else x for x in operands])
            memo[id(node)] = restore((), data, grad, row, operands, *rest)
    copied: Value = memo[id(self)]
    return copied


class Session:
    """What one pickler has met. It lives as long as the pickler, whose memo holds a `Below`."""

    __slots__ = ("__weakref__", "infos", "pending", "seen")

    def __init__(self) -> None:
        self.seen: set[Value] = set()
        self.pending: set[Value] = set()
        self.infos: dict[Info | None, tuple[Any, ...] | None] = {None: None}

    def fields(self, node: Value) -> tuple[Any, ...]:
        """The fields of a node, with its Info as a plain tuple: one object for all who share it."""
        *fields, info = _fields(node)
        if info not in self.infos:
            self.infos[info] = tuple(info)
        return (*fields, self.infos[info])


class _Sessions(threading.local):
    """The sessions of this thread's picklers, the innermost last."""

    def __init__(self) -> None:
        self.known: list[ref[Session]] = []

    def of(self, node: Value) -> Session:
        """The session in which the pickler that asks for this node can be.

        A pickler asks once for each node, so one that a session has seen, and does not wait for,
        is asked for by another pickler.
        """
        alive = [session for known in reversed(self.known) if (session := known()) is not None]
        waiting = (session for session in alive if node in session.pending)
        strangers = (session for session in alive if node not in session.seen)
        for session in itertools.chain(waiting, strangers):
            return session
        session = Session()
        self.known = [*map(ref, reversed(alive)), ref(session)]
        return session


_sessions = _Sessions()


class Below(list[Any]):
    """Nodes on their way into a pickle, operands first; when it is loaded, the list of them."""

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

    When the pickler asks for a node that stands in the list of another Value, the operands are in
    its memo already, and so the list for this one is empty.
    """
    session = _sessions.of(unfollowed(self))
    if self in session.pending:
        session.pending.discard(self)
        return restore, ((), *session.fields(self))
    *nodes, _ = topological_order(self, session.seen)
    return restore, (Below(nodes, session), *session.fields(self))


for _name, _method in (("__copy__", copy), ("__deepcopy__", deepcopy), ("__reduce__", reduce)):
    setattr(Value, _name, _method)
