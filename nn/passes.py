"""A network with what ran through it, forward and backward, and the blank picture to draw it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograd_engine import Value
from autograd_engine.dot_text import plain
from autograd_engine.themes import Theme
from autograd_engine.wording import number, printable, signed
from nn.data import matrix
from nn.layers import MLP

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["Run", "blank", "colored_gradient", "plain_text", "run_example"]

LONGEST_LINE = 160  # of a caption
FONT = "Helvetica,Arial,sans-serif"


@dataclass(frozen=True, slots=True)
class Run:
    """A copy of a model after a forward and a backward pass.

    `columns` holds the inputs and each layer's outputs (none without an example), `result` what
    the gradients are of (None: no backward pass), which `result_name` names or else says why.
    """

    model: MLP
    columns: list[list[Value]]
    result: Value | None
    result_name: str
    target: Any

    @property
    def widths(self) -> list[int]:
        """How many inputs, and how many neurons in each layer."""
        return [len(self.model.layers[0].neurons[0].w), *_widths(self.model)]


def _widths(model: MLP) -> list[int]:
    return [len(layer.neurons) for layer in model.layers]


def run_example(model: MLP, example: Any, target: Any, loss: Callable[[Any, Any], Value]) -> Run:
    """The model run on an example, on copies of its parameters: its own gradients stay.

    Raises
    ------
    TypeError
        When the loss returns no Value.
    ValueError
        For an example of another length than the inputs, or a target without an example.
    """
    own = model.with_parameters([Value(p.data) for p in model.parameters()])
    if example is None:
        if target is not None:
            raise ValueError("draw_network: a target needs an example to compute the output of")
        return Run(own, [], None, "", None)
    (row,) = matrix([example], "draw_network: example")
    nin = len(model.layers[0].neurons[0].w)
    if len(row) != nin:
        raise ValueError(f"draw_network: the network has {nin} inputs, the example {len(row)}")
    columns = [[Value(x) for x in row]]
    for layer in own.layers:
        columns.append(layer.outputs(columns[-1]))
    output: Any = columns[-1] if len(columns[-1]) > 1 else columns[-1][0]
    result = output if target is None else loss(output, target)
    if isinstance(result, list):
        return Run(own, columns, None, "gradients need a target, as there are many outputs", None)
    if not isinstance(result, Value):
        raise TypeError(f"draw_network: the loss must return one Value, got {result!r}")
    name = "output" if target is None else "loss"
    if not result._prev:  # inside no_grad, say: zeros would be no gradients
        return Run(own, columns, None, f"no gradients, because the {name} has no graph", target)
    result.backward()
    return Run(own, columns, result, name, target)


def _caption(run: Run) -> str:
    text = repr(run.model)
    if run.result is not None:
        text += f" · {run.result_name} {number(run.result.data)}"
    if run.target is not None:
        text += f" · target {printable(str(run.target))}"
    return text


def blank(run: Run, colors: Theme, **attributes: str) -> Picture:
    """A picture with a caption and nothing else, with these attributes of the graph."""
    from autograd_engine.rendering import Picture

    picture = Picture(
        name="network",
        format="svg",
        graph_attr={"bgcolor": colors.background, "pad": "0.15", "fontname": FONT, **attributes},
        node_attr={"fontname": FONT, "fontsize": "10", "fontcolor": colors.ink},
        edge_attr={"fontname": FONT, "fontsize": "9", "fontcolor": colors.ink},
    )
    picture.title, picture.description = "Network", _caption(run)
    picture.attr(label=plain_text(_caption(run)), labelloc="t", fontsize="12", fontcolor=colors.ink)
    return picture


def plain_text(text: str) -> str:
    """Lines for DOT in which every character stands for itself."""
    import graphviz

    lines = [plain(line, LONGEST_LINE) for line in text.split("\n")]
    label: str = graphviz.nohtml("\\n".join(lines))
    return label  # of a class of its own: `str` would make "<b>" HTML again


def colored_gradient(grad: float, colors: Theme) -> str:
    """A gradient for an HTML-like label: its sign in the number and in the colour."""
    color = colors.positive if grad > 0.0 else colors.negative if grad < 0.0 else colors.muted
    return f'<FONT COLOR="{color}">{signed(grad)}</FONT>'
