"""A read-only view of a recorded graph: what pictures, explanations and steps are made from.

Nothing here draws, and nothing else in the package looks inside a Value to show it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple

from autograd_engine.backend import Value, topological_order
from autograd_engine.labels import names_in, parameters_in, with_model
from autograd_engine.modes import MODE, Mode, current_mode
from autograd_engine.operands import Operand
from autograd_engine.program import Program
from autograd_engine.rows import Primitive

__all__ = ["OUTDATED", "Edge", "Graph", "Node"]

OUTDATED = "data changed since forward"  # how a node is marked whose data does not follow


@dataclass(frozen=True, slots=True)
class Node:
    """One Value as it was when the view was made.

    Attributes
    ----------
    index : int
        Its place in `Graph.nodes`: after all its operands.
    label, scope, symbol
        Its name ("" for none), the names of the scopes it was made in, outermost first, and the
        sign of its operation ("" for a leaf).
    data, grad : float
        As the Value holds them: `grad` may hold more than one pass, or none yet.
    adjoint : float
        d output / d node times the view's `gradient`: what one backward pass gives it.
    operands : tuple
        For each operand in order an int, the index of its node, or a float, a constant.
    outdated : bool
        Its data, or that of an operand, was set since the forward pass: `data` does not follow.
    primitive : Primitive or None
        The row that made it; None for a leaf.
    of_model : bool
        It is among the `named_parameters` of the model that was called, or of one in `names`.
    """

    index: int
    label: str
    scope: tuple[str, ...]
    symbol: str
    data: float
    grad: float
    adjoint: float
    operands: tuple[int | float, ...]
    outdated: bool
    primitive: Primitive | None
    of_model: bool = False

    @property
    def is_leaf(self) -> bool:
        """Whether the node was made from a number, not by an operation."""
        return self.primitive is None


class Edge(NamedTuple):
    """From an operand to the node that uses it, with the local derivative d target / d source.

    `contribution`, the local derivative times the target's adjoint, is what a backward pass adds
    to the source's gradient along this edge. `position` counts all operands, constants too.
    """

    source: int
    target: int
    position: int
    derivative: float
    contribution: float


class Graph:
    """The graph below one Value, or several: `nodes` in topological order, and `edges`.

    Parameters
    ----------
    output : Value or sequence of Value
        Of several, adjoints are those of their sum.
    gradient : float or None
        Where adjoints start. None: where a backward pass has come through an output, each output's
        is the gradient that it holds, so that all are what that pass gave; else 1.
    names : mapping of str to Value, list, tuple or dict
        Labels for Values without one, such as `locals()`: `x`, `w[0]`, `p['bias']`, and for the
        parameters of a model `model.w[0]`.

    Attributes
    ----------
    nodes : tuple of Node
    outputs : tuple of int
        The indices of the nodes that the view was made from.
    numbers : bool
        False when only the structure is known, as of a program without an example.

    Raises
    ------
    TypeError
        For anything else than Values.

    Examples
    --------
    >>> from autograd_engine import Graph, Value
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> L = a * b + a
    >>> for edge in (graph := Graph(L, names=locals())).edges:
    ...     print(graph.nodes[edge.source].label or "a*b", "->", edge.contribution)
    a -> 3.0
    b -> 2.0
    a*b -> 1.0
    a -> 1.0
    """

    def __init__(
        self,
        output: Value | Sequence[Value],
        *,
        gradient: float | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        roots, order = _walk(output)
        index = {id(v): i for i, v in enumerate(order)}
        labels = {} if names is None else names_in(names)
        parameters = frozenset[int]() if names is None else parameters_in(names)
        self.outputs = tuple(dict.fromkeys(index[id(v)] for v in roots))
        self.numbers = True
        self._derivatives = tuple([v._derivatives for v in order])
        adjoints = _adjoints(order, index, roots, gradient)
        nodes = [_node(v, i, index, labels, adjoints[i]) for i, v in enumerate(order)]
        if parameters:
            nodes = [
                replace(n, of_model=id(v) in parameters) for n, v in zip(nodes, order, strict=True)
            ]
        self.nodes = tuple(nodes)

    @classmethod
    def of(
        cls,
        subject: Any,
        example: Sequence[float] | None = None,
        *,
        names: Mapping[str, Any] | None = None,
    ) -> Graph:
        """The view of anything that has a graph.

        Parameters
        ----------
        subject : Value, sequence of Value, Graph, Program, compiled function, or callable
            A callable, such as an `nn` module, is called on a list of Values, labelled x0, x1, ...
            What it calls its `named_parameters` labels those without a label.
            A compiled function shows the program of its last call.
        example : sequence of float
            The inputs: for a program one number for each of `program.inputs`. Without it a
            program's view has structure and no numbers.
        names : mapping
            As for `Graph`.

        Raises
        ------
        TypeError
            When the subject has no graph, or needs an example; the message says which.
        """
        if isinstance(subject, Graph):
            if example is not None or names is not None:
                raise TypeError("a Graph has its numbers and names: pass these to make it instead")
            return subject
        program = getattr(subject, "program", subject)
        if isinstance(program, Program):
            with _plain_mode():
                outputs = program(*_inputs(program, example))
            graph = cls(outputs, names=names)
            graph.numbers = example is not None
            return graph
        if isinstance(subject, Value | list | tuple):
            if example is not None:
                raise TypeError("an example belongs to a model, a function or a program")
            return cls(subject, names=names)
        if callable(subject):
            with _plain_mode():
                outputs = _called(subject, example)
            return cls(outputs, names=with_model(names, subject))
        return cls(subject)  # which raises

    @property
    def output(self) -> Node:
        """The last of the outputs: the loss, where there is one."""
        return self.nodes[self.outputs[-1]]

    @property
    def differentiated(self) -> bool:
        """Whether a backward pass has come through an output: its gradient is set."""
        return any(self.nodes[i].grad != 0.0 for i in self.outputs)

    @cached_property
    def knows_parameters(self) -> bool:
        """Whether leaves are a model's, or were made inside a `named_scope`, as those of `nn`."""
        return any(node.is_leaf and (node.scope or node.of_model) for node in self.nodes)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, in the order of their targets and of each one's operands."""
        return tuple([edge for node in self.nodes for edge in self.edges_into(node)])

    def edges_into(self, node: Node) -> Iterator[Edge]:
        """The edges from a node's operands, constants left out, in their order."""
        derivatives = iter(self._derivatives[node.index])
        for position, x in enumerate(node.operands):
            if x.__class__ is int:
                d = next(derivatives)
                yield Edge(x, node.index, position, d, d * node.adjoint)

    @cached_property
    def uses_of(self) -> tuple[tuple[Edge, ...], ...]:
        """For each node the edges to the nodes that use it."""
        found: list[list[Edge]] = [[] for _ in self.nodes]
        for edge in self.edges:
            found[edge.source].append(edge)
        return tuple(map(tuple, found))

    @cached_property
    def _output_set(self) -> frozenset[int]:
        return frozenset(self.outputs)

    def is_output(self, node: Node) -> bool:
        """Whether the view was made from this node."""
        return node.index in self._output_set

    def replaced(
        self,
        *,
        nodes: Sequence[Node] | None = None,
        derivatives: Sequence[Sequence[float]] | None = None,
        outputs: Sequence[int] | None = None,
    ) -> Graph:
        """A view with other parts.

        `derivatives` has for each node those by its operands that are nodes, in their order.
        """
        found = Graph.__new__(Graph)
        found.numbers = self.numbers
        found.nodes = self.nodes if nodes is None else tuple(nodes)
        found.outputs = self.outputs if outputs is None else tuple(outputs)
        found._derivatives = self._derivatives if derivatives is None else tuple(derivatives)
        return found

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} values, {len(self.edges)} edges>"


def _walk(output: Any) -> tuple[list[Value], list[Value]]:
    """The outputs, and all that they were computed from in topological order."""
    roots = list(output) if isinstance(output, list | tuple) else [output]
    order: list[Value] = []
    seen: set[Value] = set()
    for root in roots:
        if not isinstance(root, Value):
            raise TypeError(f"expected a Value whose graph to show, {_instead(root)}")
        if root not in seen:
            order += topological_order(root, seen)
    if not order:
        raise TypeError("expected a Value whose graph to show, got none")
    return roots, order


def _instead(root: Any) -> str:
    if isinstance(root, Operand):
        return (
            "got what functions under jvp, taylor and the like are given in place of numbers, "
            "which records none; call the function with Values, and draw what it returns"
        )
    return f"got {type(root).__name__}; pass an output, such as the loss, or a list of outputs"


def _adjoints(
    order: list[Value], index: dict[int, int], roots: list[Value], gradient: float | None
) -> list[float]:
    """d output / d node of all nodes, added up in the order in which `backward` does."""
    adjoints = [0.0] * len(order)
    held: dict[int, float] = {}
    if gradient is None and any(root.grad != 0.0 for root in roots):
        held = {index[id(root)]: root.grad for root in roots}
    else:
        for root in roots:
            adjoints[index[id(root)]] += 1.0 if gradient is None else gradient
    for i in range(len(order) - 1, -1, -1):
        value, adjoints[i] = order[i], held.get(i, adjoints[i])
        for operand, derivative in zip(value._prev, value._derivatives, strict=True):
            adjoints[index[id(operand)]] += derivative * adjoints[i]
    return adjoints


def _node(
    value: Value, i: int, index: dict[int, int], labels: Mapping[int, str], adjoint: float
) -> Node:
    operands = tuple([index[id(x)] if isinstance(x, Value) else x for x in value._operands])
    scope = value._info.scope if value._info else ()
    return Node(
        i,
        value.label or labels.get(id(value), ""),
        scope,
        value._op,
        value.data,
        value.grad,
        adjoint,
        operands,
        _is_outdated(value),
        value._primitive,
    )


def _is_outdated(value: Value) -> bool:
    if value._primitive is None or value._primitive.opaque:
        return False
    again = value._primitive.evaluate([getattr(x, "data", x) for x in value._operands])
    return again != value.data and not (math.isnan(again) and math.isnan(value.data))


@contextmanager
def _plain_mode() -> Iterator[None]:
    """Graphs are recorded, and placeholders may be nan, whatever holds around."""
    token = MODE.set(Mode(info=current_mode().info))
    try:
        yield
    finally:
        MODE.reset(token)


def _inputs(program: Program, example: Sequence[float] | None) -> list[Value]:
    """A program's inputs as Values with their names."""
    numbers = [math.nan] * len(program.inputs) if example is None else _listed(example)
    if len(numbers) != len(program.inputs):
        raise TypeError(
            f"the program has {len(program.inputs)} inputs ({', '.join(program.inputs[:8])}"
            f"{', ...' if len(program.inputs) > 8 else ''}), the example has {len(numbers)} "
            f"number{'s' * (len(numbers) != 1)}"
        )
    return [Value(x, label=name) for x, name in zip(numbers, program.inputs, strict=True)]


def _called(function: Callable[[list[Value]], Any], example: Sequence[float] | None) -> Any:
    """What a model or function makes of an example."""
    name = getattr(function, "__name__", type(function).__name__)
    if example is None:
        raise TypeError(
            f"{name} has a graph only when it is called: pass "
            "example=[...], its inputs, or what it returned"
        )
    values = [Value(x, label=f"x{i}") for i, x in enumerate(_listed(example))]
    try:
        inspect.signature(function).bind(values)
    except TypeError as error:
        raise TypeError(
            f"{name} is called with one argument, the list of inputs, and {error}; "
            f"pass what it returned, or lambda xs: {name}(*xs)"
        ) from None
    except ValueError:  # a builtin without a signature
        pass
    outputs = function(values)
    if isinstance(outputs, Real):
        raise TypeError(f"{name} returned the plain number {outputs!r}, which has no graph")
    return outputs


def _listed(example: Sequence[float]) -> list[float]:
    if not hasattr(example, "__len__") or isinstance(example, str):
        raise TypeError(
            f"example must be a list of numbers, one for each input; got {example!r:.60}"
        )
    return list(example)
