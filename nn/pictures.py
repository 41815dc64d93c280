"""Pictures of a network: the sketch of circles and edges, and the block diagram of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from autograd_engine import Value
from autograd_engine.dot_text import Row, card
from autograd_engine.drawing import write
from autograd_engine.themes import Theme
from autograd_engine.themes import theme as theme_named
from autograd_engine.wording import number
from nn.layers import MLP, Layer
from nn.losses import squared_error
from nn.passes import Run, blank, run_example
from nn.sketches import draw_neurons

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["draw_network"]

Loss = Callable[[Any, Any], Value]

MOST_ROWS = 4  # numbers that a card lists one by one


@overload
def draw_network(
    model: MLP,
    path: str | Path,
    *,
    example: Sequence[float] | None = None,
    target: Any = None,
    loss: Loss = squared_error,
    style: str = "neurons",
    theme: str = "light",
) -> Path: ...
@overload
def draw_network(
    model: MLP,
    path: None = None,
    *,
    example: Sequence[float] | None = None,
    target: Any = None,
    loss: Loss = squared_error,
    style: str = "neurons",
    theme: str = "light",
) -> Picture: ...
def draw_network(
    model: MLP,
    path: str | Path | None = None,
    *,
    example: Sequence[float] | None = None,
    target: Any = None,
    loss: Loss = squared_error,
    style: str = "neurons",
    theme: str = "light",
) -> Picture | Path:
    """A picture of an MLP: its weights and, with an example, what runs through it both ways.

    "neurons" is the sketch of circles and edges: an edge is wider the larger its weight, dashed
    where it is negative; small networks carry their weights and biases in numbers. "layers" has one
    card per layer. The model and its gradients stay as they are.

    Parameters
    ----------
    model : MLP
        The network.
    path : str, Path or None
        Where to write the picture; the ending decides the format, as in `autograd_engine.draw`.
        None: the picture is returned, and a notebook shows it.
    example : (nin,) numbers or None
        An input: circles then show activations and gradients, cards their ranges.
    target : number, class index or list, or None
        What the output for the example should be: gradients are those of `loss(output, target)`.
        Without one they are those of the output, if there is only one.
    loss : callable
        As for `nn.fit`.
    style : {"neurons", "layers"}
        The sketch, or the block diagram.
    theme : {"light", "dark", "colorblind"}
        The colours.

    Returns
    -------
    Picture or Path
        A `graphviz.Digraph`, or the path of the file, which is written whole or not at all.

    Raises
    ------
    TypeError
        When the model is no MLP, or the loss returns no Value.
    ValueError
        For an unknown style, theme or ending, an example of another length than the network's
        inputs, or a target without an example.
    RenderError
        When no engine can make the format.

    Examples
    --------
    >>> from nn import MLP, draw_network
    >>> model = MLP(2, [3, 1], activation="tanh", rng=0)
    >>> draw_network(model, "network.svg", example=[0.5, -1.0], target=1.0)  # doctest: +SKIP
    PosixPath('network.svg')
    """
    if not isinstance(model, MLP):
        raise TypeError(
            f"draw_network: expected an MLP, got {type(model).__name__}; "
            "autograd_engine.draw(model(x), path) shows the graph of any module"
        )
    if style not in _STYLES:
        raise ValueError(f"draw_network: style must be 'neurons' or 'layers', got {style!r}")
    picture = _STYLES[style](run_example(model, example, target, loss), theme_named(theme))
    if path is None:
        return picture
    return write(picture, path)


def _draw_layers(run: Run, colors: Theme) -> Picture:
    """A card for the inputs, for each layer, and for what comes out."""
    picture = blank(run, colors, rankdir="LR")
    picture.node("n0", _card("inputs", _input_rows(run), colors.input, colors), shape="plain")
    for k, layer in enumerate(run.model.layers):
        card = _card(f"layer {k}", _layer_rows(run, k, layer), colors.parameter, colors)
        picture.node(f"n{k + 1}", card, shape="plain")
        _arrow(picture, run, k, colors)
    last = len(run.model.layers)
    card = _card(
        run.result_name if run.result is not None else "output",
        _output_rows(run),
        colors.output,
        colors,
    )
    picture.node(f"n{last + 1}", card, shape="plain")
    _arrow(picture, run, last, colors)
    return picture


def _input_rows(run: Run) -> list[tuple[str, str]]:
    if not run.columns:
        return [("values", f"{run.widths[0]:,}")]
    return _listed("x", run.columns[0], run)


def _layer_rows(run: Run, k: int, layer: Layer) -> Iterator[tuple[str, str]]:
    neurons, parameters = layer.neurons, layer.parameters()
    yield "neurons", f"{len(neurons):,} × {neurons[0].activation}"
    yield "shape", f"{run.widths[k]:,} → {run.widths[k + 1]:,}"
    yield "parameters", f"{len(parameters):,}"
    yield "their range", _range([p.data for p in parameters])
    if run.columns:
        yield "outputs", _range([v.data for v in run.columns[k + 1]])
    if run.result is not None:
        yield "max |grad|", _largest(parameters)


def _output_rows(run: Run) -> list[tuple[str, str]]:
    if not run.columns:
        return [("values", f"{run.widths[-1]:,}")]
    rows = _listed("o", run.columns[-1], run)
    if run.target is not None and run.result is not None:
        rows += [("target", str(run.target)), ("loss", number(run.result.data))]
    return rows


def _listed(name: str, values: list[Value], run: Run) -> list[tuple[str, str]]:
    """The numbers one by one, or the range of many; and the largest gradient."""
    few = len(values) <= MOST_ROWS
    rows = [(f"{name}{i}", number(v.data)) for i, v in enumerate(values) if few]
    rows = rows or [("values", f"{len(values):,}"), ("range", _range([v.data for v in values]))]
    return rows if run.result is None else [*rows, ("max |grad|", _largest(values))]


def _range(numbers: list[float]) -> str:
    low, high = min(numbers), max(numbers)
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def _largest(values: list[Value]) -> str:
    return number(max(abs(v.grad) for v in values))


def _arrow(picture: Picture, run: Run, k: int, colors: Theme) -> None:
    """From card k to the next: how many values go forward, and the gradients that come back."""
    n = run.widths[k]
    label = f"  {n:,} value{'s' * (n != 1)}  "
    if run.result is not None:
        label += f"\\n|grad| ≤ {_largest(run.columns[k])}\\n "
    picture.edge(f"n{k}", f"n{k + 1}", label, color=colors.line, penwidth=f"{1 + min(3.0, n / 16)}")


def _card(title: str, rows: Iterable[tuple[str, str]], fill: str, colors: Theme) -> str:
    return card(title, [Row(name, text, colors.ink) for name, text in rows], fill, colors)


_STYLES: dict[str, Callable[[Run, Theme], Picture]] = {
    "neurons": draw_neurons,
    "layers": _draw_layers,
}
