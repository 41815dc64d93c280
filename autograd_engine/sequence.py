"""Backpropagation as a sequence of steps: forward node by node, then backward the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_engine.formulas import arithmetic_of, derivatives_of, names_of, operation_of
from autograd_engine.graph import OUTDATED, Graph, Node
from autograd_engine.notation import ATOM, PRODUCT, Formula, rounded
from autograd_engine.wording import short

__all__ = ["Contribution", "Step", "sequence", "view"]


class Contribution(NamedTuple):
    """What one operand gets in a backward step: product = derivative * adjoint, added to `before`.

    `gradient` is how that gradient is called, `(x1*w1).grad`; `formula` that of the local
    derivative, "" for a plain number; `position` counts the operands, constants too.
    """

    node: Node
    name: str
    gradient: str
    position: int
    formula: str
    derivative: float
    adjoint: float
    product: float
    before: float
    after: float

    @property
    def arithmetic(self) -> str:
        """The product in numbers, such as `-3 × 0.5 = -1.5`."""
        adjoint = rounded(self.adjoint).within(ATOM).text
        return f"{short(self.derivative)} × {adjoint} = {short(self.product)}"

    def __str__(self) -> str:
        formula = f"{self.formula} × grad = " if self.formula else ""
        return f"{self.gradient} += {formula}{self.arithmetic}  ->  {short(self.after)}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the forward or the backward pass.

    Attributes
    ----------
    phase : {"forward", "start", "backward"}
        "start" is between the two: the output's gradient becomes 1.
    position, total : int
        The number of the step, from 1, and how many there are.
    node : Node
        The node whose turn it is, and `name`, what it is called.
    operation, arithmetic : str
        How it is computed, in names and in numbers.
    adjoint : float
        Its gradient in this step: 0 forward, complete backward. `gradient` is how that is called.
    contributions : tuple of Contribution
        What its operands get; empty going forward.
    """

    phase: str
    position: int
    total: int
    node: Node
    name: str
    gradient: str
    operation: str
    arithmetic: str
    adjoint: float = 0.0
    contributions: tuple[Contribution, ...] = ()

    def __repr__(self) -> str:
        return f"<Step {self.position} of {self.total}, {self.phase}: {self.name}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What a notebook shows."""
        printer.text(str(self))

    def __str__(self) -> str:
        head = f"{self.position:>3}/{self.total} {self.phase:<8}  "
        if self.phase == "forward":
            return f"{head}{self.name} = {self.statement}"
        lines = [f"{head}{self.gradient} = {short(self.adjoint)}{self.remark}"]
        return "\n".join([*lines, *(f"{'':>18}{c}" for c in self.contributions)])

    @property
    def statement(self) -> str:
        """What a forward step computes, without its name: `2*(-3) = -6`."""
        operation = f"{self.operation} = " if self.operation != self.name else ""
        return f"{operation}{self.arithmetic} = {short(self.node.data)}{self.remark}"

    @property
    def remark(self) -> str:
        """That the numbers do not go together, where somebody has set one since."""
        return f" ({OUTDATED})" if self.node.outdated else ""


def view(value: Any, names: Mapping[str, Any] | None) -> Graph:
    """The graph of one output, whose backward pass starts with 1.

    Raises
    ------
    TypeError
        When it is no Value; of several outputs there is no one pass.
    """
    if isinstance(value, list | tuple):
        raise TypeError(
            f"expected one Value, the output, got a {type(value).__name__} of {len(value)}; "
            "take one of them, or their sum"
        )
    return Graph(value, gradient=1.0, names=names)


def sequence(graph: Graph) -> Iterator[Step]:
    """The steps of both passes over a graph whose adjoints start at 1.

    Contributions are added in the order, and so to the same bits, as in `backward`; to rounding
    where a dot is shown as its products.
    """
    names = names_of(graph)
    data = [node.data for node in graph.nodes]
    operations = [node for node in graph.nodes if not node.is_leaf]
    total = 2 * len(operations) + 1

    def step(
        phase: str,
        position: int,
        node: Node,
        adjoint: float = 0.0,
        contributions: tuple[Contribution, ...] = (),
    ) -> Step:
        return Step(
            phase,
            position,
            total,
            node,
            names[node.index].text,
            _gradient(names[node.index]),
            operation_of(node, names).text,
            arithmetic_of(node, data).text,
            adjoint,
            contributions,
        )

    for i, node in enumerate(operations):
        yield step("forward", i + 1, node)
    grads = [0.0] * len(data)
    for output in graph.outputs:
        grads[output] += 1.0
    yield step("start", len(operations) + 1, graph.output, 1.0)
    for i, node in enumerate(reversed(operations)):
        yield step(
            "backward",
            len(operations) + 2 + i,
            node,
            grads[node.index],
            tuple(_contributions(graph, node, names, data, grads)),
        )


def _without_numbers(formula: Formula) -> str:
    """A formula as a factor; of 1 or -0.5, which the arithmetic has, nothing."""
    return formula.within(PRODUCT).text if re.search(r"[^\W\d]", formula.text) else ""


def _gradient(name: Formula) -> str:
    return f"{name.within(ATOM).text}.grad"


def _contributions(
    graph: Graph, node: Node, names: list[Formula], data: list[float], grads: list[float]
) -> Iterator[Contribution]:
    """What the operands of a node get, added to `grads`."""
    formulas = derivatives_of(node, names, data)
    adjoint = grads[node.index]
    for edge in graph.edges_into(node):
        before, product = grads[edge.source], edge.derivative * adjoint
        grads[edge.source] = before + product
        yield Contribution(
            graph.nodes[edge.source],
            names[edge.source].text,
            _gradient(names[edge.source]),
            edge.position,
            _without_numbers(formulas[edge.position]),
            edge.derivative,
            adjoint,
            product,
            before,
            before + product,
        )
