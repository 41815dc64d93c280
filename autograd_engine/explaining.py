"""A gradient in words and numbers: forward, backward, and path by path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autograd_engine.backend import Value, topological_order
from autograd_engine.expansion import expanded
from autograd_engine.formulas import operation_of
from autograd_engine.graph import Graph, Node
from autograd_engine.lesson import MOST_USES, Subject, lesson
from autograd_engine.prose import Block, as_latex, as_markdown, as_text
from autograd_engine.routes import Route

__all__ = ["BackwardStep", "Contribution", "Explanation", "GradientPath", "explain"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a node gets from one that uses it: `product`, the local derivative times `adjoint`.

    Attributes
    ----------
    user : str
        The node that uses it.
    formula : str
        Of the local derivative d user / d node; "" where there is none, and from the seventh use
        of one node on.
    derivative, adjoint, product : float
        Its number, the adjoint of the user, and what they give.
    """

    user: str
    formula: str
    derivative: float
    adjoint: float
    product: float


@dataclass(frozen=True, slots=True)
class BackwardStep:
    """One node going backward: its adjoint is the sum of the contributions, 1 for the output."""

    name: str
    operation: str
    data: float
    adjoint: float
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class GradientPath:
    """From the output to a node: the names on the way, the local derivatives, their product."""

    names: tuple[str, ...]
    derivatives: tuple[float, ...]
    product: float


@dataclass(frozen=True)
class Explanation:
    """What `explain` found. It prints as text; notebooks show it as Markdown with formulas.

    Attributes
    ----------
    output, value
        The name of the explained number, and the number.
    wrt, gradient
        The name of the node by which it is differentiated, and d output / d wrt; None without one.
    steps : tuple of BackwardStep
        The backward steps that are shown, from the output on.
    paths : tuple of GradientPath
        Those that are shown, heaviest first.
    path_count : int
        Of all paths from the output to `wrt`; 0 without one.
    remaining : float
        What the paths that are not shown add up to.
    notes : tuple of str
        What else there is to say, such as why a gradient is 0.
    """

    output: str
    value: float
    wrt: str | None
    gradient: float | None
    steps: tuple[BackwardStep, ...]
    paths: tuple[GradientPath, ...]
    path_count: int
    remaining: float
    notes: tuple[str, ...]
    _blocks: tuple[Block, ...] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return as_text(self._blocks).rstrip("\n")

    def __repr__(self) -> str:
        wrt = "" if self.wrt is None else f" by {self.wrt}: {self.gradient}"
        return f"<Explanation of {self.output}{wrt}>"

    def markdown(self) -> str:
        """Headings, tables and formulas that GitHub and notebooks render."""
        return as_markdown(self._blocks)

    def latex(self) -> str:
        """For a LaTeX document with the packages amsmath and longtable."""
        return as_latex(self._blocks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/markdown": self.markdown()}

    def _repr_markdown_(self) -> str:
        return self.markdown()


def explain(
    value: Value, wrt: Value | None = None, *, names: Mapping[str, Any] | None = None
) -> Explanation:
    """How a number was computed, and how its gradient comes about, step by step.

    Parameters
    ----------
    value : Value
        The output, such as a loss. `backward()` need not have been called on it.
    wrt : Value
        A node that it was computed from: explains d value / d wrt, with the paths that it is the
        sum of. Without it the gradients of all nodes are explained.
    names : mapping of str to Value, list, tuple or dict
        Labels for Values without one, such as `locals()`.

    Returns
    -------
    Explanation
        Print it, or show it in a notebook. Of a large graph it has the steps that matter for `wrt`,
        or the first and the last ones, and says how many it leaves out.

    Raises
    ------
    TypeError
        When `value` or `wrt` is no Value.
    ValueError
        When `value` was not computed from `wrt`.

    Examples
    --------
    >>> from autograd_engine import Value, explain
    >>> x = Value(3.0, label="x")
    >>> e = explain(x * x + x, wrt=x)
    >>> e.gradient, [path.product for path in e.paths]
    (7.0, [3.0, 3.0, 1.0])
    """
    _require_value(value, "value", "the output, such as the loss")
    if wrt is not None:
        _require_value(wrt, "wrt", "a leaf or another node that the output was computed from")
    subject = Subject(*_view(value, wrt, names))
    found, steps = subject.routes, [_step(subject, node) for node in subject.backward]
    return Explanation(
        subject.output.text,
        value.data,
        subject.names[subject.wrt].text if subject.wrt is not None else None,
        subject.graph.nodes[subject.wrt].adjoint if subject.wrt is not None else None,
        tuple(steps),
        tuple([_path(subject, route) for route in found.heaviest]),
        found.count,
        found.remaining,
        tuple([note.text for note in subject.notes]),
        tuple(lesson(subject)),
    )


def _require_value(x: Any, name: str, what: str) -> None:
    if not isinstance(x, Value):
        raise TypeError(f"explain: {name} must be a Value, {what}; got {type(x).__name__}")


def _view(
    value: Value, wrt: Value | None, names: Mapping[str, Any] | None
) -> tuple[Graph, int | None]:
    """The graph, with products for dots where it is small, and the index of `wrt` in it."""
    graph = Graph(value, gradient=1.0, names=names)
    if wrt is None:
        return expanded(graph), None
    place = next((i for i, v in enumerate(topological_order(value)) if v is wrt), None)
    if place is None:
        raise ValueError(
            f"explain: the output was not computed from {wrt!r:.80}; pass a Value that it was "
            "computed from (an operation, such as p = p - 0.1, makes a new Value and leaves the "
            "old one as it is)"
        )
    # as an output it is found again after products came in
    graph = expanded(graph.replaced(outputs=(place, *graph.outputs)))
    return graph, graph.outputs[0]


def _step(subject: Subject, node: Node) -> BackwardStep:
    contributions = [
        Contribution(
            subject.names[edge.target].text,
            subject.slopes.formula(edge).text if i < MOST_USES else "",
            edge.derivative,
            subject.graph.nodes[edge.target].adjoint,
            edge.contribution,
        )
        for i, edge in enumerate(subject.uses[node.index])
    ]
    name, operation = subject.names[node.index], operation_of(node, subject.names)
    return BackwardStep(name.text, operation.text, node.data, node.adjoint, tuple(contributions))


def _path(subject: Subject, route: Route) -> GradientPath:
    nodes = [subject.graph.output.index, *[edge.source for edge in route.edges]]
    return GradientPath(
        tuple([subject.names[i].text for i in nodes]),
        tuple([edge.derivative for edge in route.edges]),
        route.product,
    )
