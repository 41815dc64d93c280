"""Pictures of a computation graph, one call for all: `draw(loss, "graph.svg")`.

What is shown is decided here (folded or not, products of a dot or not); how it is written down is
the business of one module for each form: `cards`, `folded_cards`, `flowcharts`, `outline`,
`interchange`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from autograd_engine import files
from autograd_engine.backend import Value
from autograd_engine.errors import RenderError
from autograd_engine.expansion import expanded
from autograd_engine.flowcharts import MOST_ARROWS, MOST_CHARACTERS, arrows_of, flowchart
from autograd_engine.folding import automatic, fold, fold_within
from autograd_engine.graph import Graph
from autograd_engine.interchange import json_text
from autograd_engine.kinds import described, title_of
from autograd_engine.looks import Look, Looks, look_of
from autograd_engine.outline import outline

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["FORMATS", "draw", "draw_dot", "mermaid", "text_tree", "write"]

PICTURES = ("svg", "png", "jpg", "jpeg", "pdf", "dot", "gv")
TEXTS = ("mmd", "md", "json", "txt")
FORMATS = (*PICTURES, *TEXTS)

Names = Mapping[str, Any]
FONT = "Helvetica,Arial,sans-serif"


@overload
def draw(
    subject: Any,
    path: str | os.PathLike[str],
    *,
    example: Sequence[float] | None = None,
    names: Names | None = None,
    **look: Unpack[Looks],
) -> Path: ...
@overload
def draw(
    subject: Any,
    path: None = None,
    *,
    example: Sequence[float] | None = None,
    names: Names | None = None,
    **look: Unpack[Looks],
) -> Picture: ...
def draw(
    subject: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    example: Sequence[float] | None = None,
    names: Names | None = None,
    **look: Unpack[Looks],
) -> Path | Picture:
    """Write a picture of a computation graph; the ending of `path` decides the format.

    Parameters
    ----------
    subject : Value, list of Value, Graph, Program, compiled function, or nn module
        The output, or several; all that it was computed from is drawn.
    path : str, Path or None
        Ends in .svg, .png or .jpg (drawn from `pip install` alone; of PNG and JPEG a side has at
        most 28,800 pixels), .pdf (needs the system's Graphviz), .dot or .gv (text for other tools),
        .mmd (Mermaid), .md (Mermaid that GitHub shows as a picture), .txt (a tree for terminals) or
        .json (data; see `interchange.py`).
        None returns the picture, which a notebook shows.
    example : sequence of float
        The inputs of a program or a model. Gradients are then those of its output, of the sum of
        several, by a backward pass of the picture's own.
    names : mapping
        Labels for Values without one: `draw(loss, "a.svg", names=locals())`.
    **look
        style="cards" or "records"; theme="light", "dark" or "colorblind"; direction="LR" or "TB";
        values, gradients, derivatives, contributions, clusters: True or False; fold="layer",
        "neuron", "scope" or "depth"; max_nodes=500, above which, or above 2,000 arrows, the
        picture is folded by itself, and says so; None draws them all. `looks.Look` says more.

        Each format takes from these what it can show, so the same options go with all of them.
        Text has no style, theme, direction or clusters. JSON is no picture but data: it holds all
        values, never folded, whatever the options; above a million operands it is refused.

    Returns
    -------
    Path or Picture
        The file written, whole or not at all; or a `graphviz.Digraph`.

    Raises
    ------
    TypeError
        When the subject has no graph, or needs an example; or for an unknown option.
    ValueError
        For an unknown ending, or a value that an option does not have.
    RenderError
        When no engine can make the format, or the JSON would be too large; the message carries the
        remedy.

    Examples
    --------
    >>> from autograd_engine import Value, draw
    >>> x = Value(0.5, label="x")
    >>> y = x.tanh()
    >>> y.backward()
    >>> draw(y, "graph.svg")  # doctest: +SKIP
    PosixPath('graph.svg')
    """
    chosen = look_of(look)
    if path is None:
        return _picture(_graph(subject, example, names), chosen)
    path = Path(path)
    content = _WRITERS[_ending(path)]
    return write(content(_graph(subject, example, names), chosen), path)


def draw_dot(
    root: Any,
    format: str = "svg",
    rankdir: str = "LR",
    *,
    example: Sequence[float] | None = None,
    names: Names | None = None,
    **look: Unpack[Looks],
) -> Picture:
    """The graph below `root` as a `graphviz.Digraph`, which a notebook shows as a picture.

    Parameters
    ----------
    root : Value
        The output, or another subject of `draw`.
    format : str
        What `.render()` writes unless told otherwise: svg, png, jpg, pdf.
    rankdir : {"LR", "TB"}
        Left to right, or top to bottom: the option `direction` by its name in Graphviz.
    example, names, **look
        As in `draw`, which also lists the errors.
    """
    if format not in PICTURES:
        raise ValueError(
            f"draw_dot: unknown format {format!r}; choose one of {', '.join(PICTURES)}"
        )
    chosen = look_of({"direction": rankdir, **look})
    return _picture(_graph(root, example, names), chosen, format)


def mermaid(
    subject: Any,
    *,
    example: Sequence[float] | None = None,
    names: Names | None = None,
    **look: Unpack[Looks],
) -> str:
    """The picture as a Mermaid flowchart, a text that GitHub and others show as a picture.

    Parameters are those of `draw`. GitHub shows no chart of more than 500 arrows or 50,000
    characters: above them the chart is folded as it is above `max_nodes`.

    >>> x = Value(2.0, label="x")
    >>> print(mermaid(x * 3).splitlines()[0])
    flowchart LR
    """
    chosen = look_of(look)
    return _mermaid(_graph(subject, example, names), chosen)


def text_tree(
    subject: Any,
    *,
    example: Sequence[float] | None = None,
    names: Names | None = None,
    **look: Unpack[Looks],
) -> str:
    """The graph as a tree of lines for terminals, from the output down to the leaves.

    Parameters are those of `draw`. What is used several times is written once, then referred to.
    After `max_nodes` lines it is cut off, and says so.

    >>> x = Value(2.0, label="x")
    >>> print(text_tree(x * 3, gradients=False))
    x*3 = 6.0000
    └── x = 2.0000  [3.0000]
    <BLANKLINE>
    [...]: local derivative of the result by that operand
    """
    chosen = look_of(look)
    return _tree(_graph(subject, example, names), chosen)


def write(content: Picture | bytes | str, path: str | os.PathLike[str]) -> Path:
    """Write a picture in the format of the path's ending, or bytes or text as they are.

    The file is written whole or not at all.

    Raises
    ------
    ValueError
        For a picture, when the ending is none of those that it can be drawn in.
    RenderError
        When no engine can make the format.
    OSError
        When there is no such directory, or no right to write there.
    """
    path = Path(path)
    if not isinstance(content, bytes | str):
        content = content.pipe(format=_ending(path, PICTURES))
    return files.write(content, path)


def mimebundle(value: Value, **_: Any) -> dict[str, Any]:
    """What a notebook shows for a Value: SVG, PNG for places that strip SVG, and text.

    Where no engine can make a picture, the text says why.
    """
    try:
        return {**draw_dot(value)._repr_mimebundle_(), "text/plain": repr(value)}
    except (RenderError, ValueError) as error:
        return {"text/plain": f"{value!r}\n(no picture: {error})"}


# Put in from here, so that the engine knows nothing of pictures.
setattr(Value, "_repr_mimebundle_", mimebundle)  # noqa: B010 (the type checker sees a final class)


# --- what is shown ---------------------------------------------------------------


def _graph(subject: Any, example: Sequence[float] | None, names: Names | None) -> Graph:
    graph = Graph.of(subject, example, names=names)
    return graph if example is None else _after_backward(graph)


def _after_backward(graph: Graph) -> Graph:
    """The view as a backward pass would make it: nobody else has the outputs to call one on."""
    return graph.replaced(nodes=[replace(node, grad=node.adjoint) for node in graph.nodes])


def _expanded(graph: Graph, look: Look) -> Graph:
    """With a dot's products, unless that makes more nodes than are wanted."""
    larger = expanded(graph)
    fits = look.max_nodes is None or len(larger.nodes) <= look.max_nodes
    return larger if fits else graph


def _picture(graph: Graph, look: Look, format: str = "svg") -> Picture:
    from autograd_engine.rendering import Picture  # graphviz takes 28 ms to import

    colors = look.colors
    picture = Picture(
        format=format,
        graph_attr={
            "rankdir": look.direction, "fontname": FONT, "nodesep": "0.2", "labelloc": "b",
            "fontsize": "9", "fontcolor": colors.muted, "bgcolor": colors.background,
        },
        node_attr={"fontname": FONT, "fontsize": "11"},
        edge_attr={
            "color": colors.line, "fontname": FONT, "fontsize": "9", "fontcolor": colors.muted,
            "arrowsize": "0.7",
        },
    )  # fmt: skip
    folded = fold_within(graph, look.fold, look.max_nodes)
    picture.title, picture.description = title_of(graph), described(graph, folded)
    if folded is None:
        from autograd_engine.cards import draw_cards

        draw_cards(_expanded(graph, look), look, picture)
    else:
        from autograd_engine.folded_cards import draw_groups

        draw_groups(folded, look, picture)
    return picture


def _mermaid(graph: Graph, look: Look) -> str:
    folded = fold_within(graph, look.fold, look.max_nodes, MOST_ARROWS)
    if folded is not None:
        return flowchart(folded, look)
    why = ""
    for shown in dict.fromkeys([_expanded(graph, look), graph]):
        chart, arrows = flowchart(shown, look), arrows_of(shown)
        if look.max_nodes is None or (arrows <= MOST_ARROWS and len(chart) <= MOST_CHARACTERS):
            return chart
        what = (
            f"{MOST_ARROWS} arrows" if arrows > MOST_ARROWS else f"{MOST_CHARACTERS:,} characters"
        )
        why = f"above {what}, Mermaid's limit; max_nodes=None draws them all"
    return flowchart(fold(graph, automatic(graph), reason=why), look)


def _tree(graph: Graph, look: Look) -> str:
    folded = None if look.fold is None else fold_within(graph, look.fold, look.max_nodes)
    return outline(folded or _expanded(graph, look), look)


# --- how it is written ---------------------------------------------------------------


def _fenced(graph: Graph, look: Look) -> str:
    return f"```mermaid\n{_mermaid(graph, look)}```\n"


_WRITERS: dict[str, Callable[[Graph, Look], Picture | str]] = {
    **dict.fromkeys(PICTURES, _picture),
    "mmd": _mermaid,
    "md": _fenced,
    "json": lambda graph, _: json_text(graph),
    "txt": _tree,
}


def _ending(path: Path, known: Sequence[str] = FORMATS) -> str:
    ending = path.suffix[1:].lower()
    if ending not in known:
        raise ValueError(
            f"draw: {str(path)!r} does not end in a known format; "
            f"choose one of {', '.join('.' + name for name in known)}"
        )
    return ending
