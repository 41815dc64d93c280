"""Pictures of a computation graph: cards for values, circles for operations.

An edge from an operand into an operation bears the local derivative; times the adjoint of the
result it is what that edge adds to the operand's `grad`. Large graphs are folded by scope.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd_engine.backend import Value
from autograd_engine.errors import RenderError
from autograd_engine.graph import Graph, Group, Node, extent, fold, summary

if TYPE_CHECKING:
    from autograd_engine.rendering import Picture

__all__ = ["draw", "draw_dot"]

MAX_DETOURS = 800  # with longer arrows than this in all, numbers on them take the layout too long
MAX_VALUES = 500  # node by node, more than this is neither readable nor quick to lay out

INPUT, PARAMETER, INTERIOR, OUTPUT = "#DCFCE7", "#DBEAFE", "#F8FAFC", "#FDE68A"
OPERATION, LINE, INK, MUTED = "#E2E8F0", "#94A3B8", "#0F172A", "#64748B"
POSITIVE, NEGATIVE, ZERO, WARNING = "#15803D", "#B91C1C", "#64748B", "#B45309"

_PARAMETER_NAME = re.compile(r"(w|b|weights?|bias)[\W_]*\d*([\W_]\d+)*", re.IGNORECASE)
_CAPTION = "number on an arrow: local derivative of the result by that operand"
_CAPTION_TOOLTIP = "local derivatives: in the tooltips of the arrows"
_NO_BACKWARD = "no backward yet"
_OUTDATED = "data changed since forward"


def draw(value: Value, path: str | Path, *, max_values: int | None = MAX_VALUES) -> Path:
    """Write a picture of the graph below `value`; the ending of `path` decides the format.

    Parameters
    ----------
    value : Value
        The output; all that it was computed from is drawn.
    path : str or Path
        Ends in .svg, .png or .jpg (drawn from `pip install` alone), .pdf (needs the system's
        Graphviz), .dot or .gv (text for other tools).
    max_values : int or None
        Above so many values the graph is folded by `named_scope`, one card a scope. None: never.

    Returns
    -------
    Path
        The file written. It is written whole or not at all.

    Raises
    ------
    TypeError
        When `value` is not a Value.
    ValueError
        For an unknown ending, or a graph above `max_values` that still is when folded.
    RenderError
        When no engine can make the format; the message carries the remedy.

    Examples
    --------
    >>> from autograd_engine import Value, draw
    >>> x = Value(0.5, label="x")
    >>> y = x.tanh()
    >>> y.backward()
    >>> draw(y, "graph.svg")  # doctest: +SKIP
    PosixPath('graph.svg')
    """
    path = Path(path)
    picture = draw_dot(value, format=_format_of(path), max_values=max_values)
    data = picture.pipe()
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_bytes(data if isinstance(data, bytes) else data.encode())
        return unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def draw_dot(
    root: Value, format: str = "svg", rankdir: str = "LR", *, max_values: int | None = MAX_VALUES
) -> Picture:
    """The graph below `root` as a `graphviz.Digraph`, which a notebook shows as a picture.

    Parameters
    ----------
    root : Value
        The output.
    format : str
        What `.render()` writes unless told otherwise: svg, png, jpg, pdf.
    rankdir : {"LR", "TB"}
        Left to right, or top to bottom.
    max_values : int or None
        As in `draw`, which also lists the errors.
    """
    if rankdir not in ("LR", "TB"):
        raise ValueError(f"draw_dot: rankdir must be 'LR' or 'TB', got {rankdir!r}")
    from autograd_engine.rendering import FORMATS, Picture  # graphviz takes 28 ms to import

    if format not in FORMATS:
        raise ValueError(f"draw_dot: unknown format {format!r}; choose one of {', '.join(FORMATS)}")
    count, scoped = extent(root)
    folded = max_values is not None and count > max_values
    if folded and not scoped:
        raise _too_large(count, max_values)
    graph = Graph(root)
    picture = Picture(
        format=format,
        graph_attr={"rankdir": rankdir, "fontname": "Helvetica,Arial,sans-serif", "nodesep": "0.2"},
        node_attr={"fontname": "Helvetica,Arial,sans-serif", "fontsize": "11"},
        edge_attr={"color": LINE, "fontname": "Helvetica,Arial,sans-serif", "fontsize": "9"},
    )
    picture.attr(labelloc="b", fontsize="9", fontcolor=MUTED)
    if folded:
        _draw_groups(graph, picture, max_values)
    else:
        _draw_nodes(graph, picture)
    return picture


def _too_large(count: int, max_values: int | None) -> ValueError:
    return ValueError(
        f"draw: the graph has {count:,} values, more than max_values={max_values}; "
        "draw an inner Value, put `with named_scope('part'):` around parts so that they fold, "
        "or pass max_values=None to draw them all"
    )


def mimebundle(value: Value, **_: Any) -> dict[str, Any]:
    """What a notebook shows for a Value: SVG, PNG for places that strip SVG, and text.

    Never raises: where no picture can be made, the text says why.
    """
    try:
        return {**draw_dot(value)._repr_mimebundle_(), "text/plain": repr(value)}
    except (RenderError, ValueError) as error:
        return {"text/plain": f"{value!r}\n(no picture: {error})"}


# Put in from here, so that the engine knows nothing of pictures.
setattr(Value, "_repr_mimebundle_", mimebundle)  # noqa: B010 (the type checker sees a final class)


def _format_of(path: Path) -> str:
    ending = path.suffix[1:].lower()
    from autograd_engine.rendering import FORMATS

    if ending not in FORMATS:
        raise ValueError(
            f"draw: {str(path)!r} does not end in a known format; "
            f"choose one of {', '.join('.' + name for name in FORMATS)}"
        )
    return ending


# --- node by node ---------------------------------------------------------------


def _draw_nodes(graph: Graph, picture: Picture) -> None:
    derivatives = {(edge.target, edge.position): edge.derivative for edge in graph.edges}
    labelled = _detours(graph) <= MAX_DETOURS
    notes = [] if graph.differentiated else [f"{_NO_BACKWARD}: call .backward() on the output"]
    notes += [_CAPTION if labelled else _CAPTION_TOOLTIP] if graph.edges else []
    picture.attr(
        label="\n".join(f"    {note}    " for note in notes),
        **({} if labelled else {"nslimit": "2"}),
    )
    for node in graph.nodes:
        picture.node(
            f"v{node.index}",
            _card(node, _fill(node, graph), graph.differentiated),
            shape="plain",
            tooltip=_tooltip(node),
        )
        if node.is_leaf:
            continue
        _draw_operation(node, picture)
        for position, operand in enumerate(node.operands):
            if isinstance(operand, int):
                derivative = _number(derivatives[node.index, position])
                number = {"label": f" {derivative} "} if labelled else {}
                picture.edge(
                    f"v{operand}",
                    f"o{node.index}",
                    fontcolor=MUTED,
                    tooltip=f"local derivative {derivative}",
                    **number,
                )


def _detours(graph: Graph) -> int:
    """How far arrows reach beyond the nearest use of their source, added up.

    Much of it makes the layout slow: 90 uses of one Value in a chain took 53 s with numbers on the
    arrows, 12 s without, 0.2 s with a bound (nslimit) on how long Graphviz improves positions.
    """
    ranks: list[int] = []
    for node in graph.nodes:
        ranks.append(1 + max((ranks[x] for x in node.operands if isinstance(x, int)), default=0))
    nearest: dict[int, int] = {}
    for edge in graph.edges:
        nearest[edge.source] = min(ranks[edge.target], nearest.get(edge.source, len(ranks)))
    return sum(ranks[edge.target] - nearest[edge.source] for edge in graph.edges)


def _draw_operation(node: Node, picture: Picture) -> None:
    """The circle, with a lone constant written inside (`* 3`), more of them as small grey notes."""
    inside = len(node.operands) <= 2
    picture.node(
        f"o{node.index}",
        _text(_with_constant(node) if inside else node.symbol),
        shape="circle" if len(node.symbol) == 1 and not _constants(node) else "box",
        style="filled,rounded",
        fillcolor=OPERATION,
        color=LINE,
        margin="0.08,0.04",
        width="0.35",
        height="0.35",
        tooltip=_tooltip(node),
    )
    picture.edge(f"o{node.index}", f"v{node.index}")
    for position, constant in [] if inside else _constants(node):
        name = f"c{node.index}_{position}"
        picture.node(name, _number(constant), shape="plaintext", fontcolor=MUTED, height="0.2")
        picture.edge(name, f"o{node.index}", style="dashed", arrowsize="0.6")


def _constants(node: Node) -> list[tuple[int, float]]:
    return [(i, x) for i, x in enumerate(node.operands) if isinstance(x, float)]


def _with_constant(node: Node) -> str:
    """`* 3` for `v * 3`, `3 -` for `3 - v`, the bare symbol where all operands are Values."""
    for position, constant in _constants(node):
        text = f"{constant:g}"
        return f"{node.symbol} {text}" if position else f"{text} {node.symbol}"
    return node.symbol


def _fill(node: Node, graph: Graph) -> str:
    """The colour of a card. Parameters are the leaves of a model's scopes, else known by name."""
    if node is graph.output:
        return OUTPUT
    if not node.is_leaf:
        return INTERIOR
    is_parameter = node.scope if graph.has_scoped_leaves else _PARAMETER_NAME.fullmatch(node.label)
    return PARAMETER if is_parameter else INPUT


def _card(node: Node, fill: str, differentiated: bool) -> str:
    rows = [("data", _number(node.data), INK)]
    if differentiated:
        rows.append(("grad", *_signed(node.grad)))
    else:
        rows.append(("grad", _NO_BACKWARD, MUTED))
    if node.outdated:
        rows.append(("", _OUTDATED, WARNING))
    return _table(node.label, rows, fill)


def _tooltip(node: Node) -> str:
    place = "/".join((*node.scope, node.label)) or "value"
    made = f" = {_with_constant(node)}" if node.symbol else ""
    return _text(f"{place}{made}: data={node.data!r}, grad={node.grad!r}")


# --- folded by scope ---------------------------------------------------------------


def _draw_groups(graph: Graph, picture: Picture, max_values: int | None) -> None:
    groups, flows = fold(graph)
    if max_values is not None and len(groups) > max_values:
        raise _too_large(len(graph.nodes), max_values)
    note = "" if graph.differentiated else f"{_NO_BACKWARD} · "
    picture.attr(label=f"{note}{len(graph.nodes):,} values, folded by scope")
    for group in groups:
        has_output = group.nodes[-1] is graph.output
        picture.node(
            f"g_{_key(group.name, groups)}",
            _group_card(group, has_output, graph.differentiated),
            shape="plain",
            tooltip=_text(f"{group.name}: {summary(group.nodes)}"),
        )
    for (source, target), nodes in flows.items():
        label = f" {len(nodes):,} value{'s' * (len(nodes) != 1)} "
        if graph.differentiated:
            label += f"\n|grad| {_number(max(map(_size, nodes)))} "
        picture.edge(
            f"g_{_key(source, groups)}",
            f"g_{_key(target, groups)}",
            label=label,
            penwidth=f"{1 + min(3.0, len(nodes) / 16):.2f}",
        )


def _key(name: str, groups: list[Group]) -> int:
    return [group.name for group in groups].index(name)


def _size(node: Node) -> float:
    return abs(node.grad)


def _group_card(group: Group, has_output: bool, differentiated: bool) -> str:
    shown = group.operations or group.leaves
    low, high = min(node.data for node in shown), max(node.data for node in shown)
    span = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
    leaves = "parameters" if group.operations else "values"
    rows = [(leaves, f"{len(group.leaves):,}", INK)] if group.leaves else []
    rows += [("operations", f"{len(group.operations):,}", INK)] if group.operations else []
    rows += [("data", span, INK)]
    if differentiated and group.leaves:
        rows += [(f"max |grad| of {leaves}", _number(max(map(_size, group.leaves))), INK)]
    if has_output:
        rows += [("output", _number(group.nodes[-1].data), INK)]
    if any(node.outdated for node in group.nodes):
        rows += [("", _OUTDATED, WARNING)]
    fill = OUTPUT if has_output else PARAMETER if group.operations else INPUT
    return _table(group.name, rows, fill)


# --- text ---------------------------------------------------------------


def _table(title: str, rows: list[tuple[str, str, str]], fill: str) -> str:
    """A card: an HTML-like DOT label, with every text escaped."""
    lines = []
    if title:
        lines.append(
            f'<TR><TD COLSPAN="2"><B>{_pad(title)}{_html(title)}{_pad(title)}</B></TD></TR>'
        )
    for name, text, color in rows:
        cell = f'<FONT COLOR="{color}">{_html(text)}{_pad(text)}</FONT>'
        if name:
            lines.append(f'<TR><TD ALIGN="LEFT">{name}</TD><TD ALIGN="RIGHT">{cell}</TD></TR>')
        else:
            lines.append(f'<TR><TD COLSPAN="2">{_pad(text)}{cell}</TD></TR>')
    return (
        f'<<TABLE STYLE="ROUNDED" BGCOLOR="{fill}" COLOR="{LINE}" BORDER="1" CELLBORDER="0" '
        f'CELLSPACING="0" CELLPADDING="4">{"".join(lines)}</TABLE>>'
    )


def _pad(text: str) -> str:
    """Room beside a text, because engines estimate its width, each with fonts of its own."""
    return " " * (2 + len(text) // 8)


def _printable(text: str, longest: int = 40) -> str:
    """One line without control characters and of bounded length: a label may hold anything."""
    text = "".join([c if c.isprintable() else " " for c in text[: longest + 1]])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _html(text: str) -> str:
    return html.escape(_printable(text)).replace("\\", "\\\\") or " "


def _text(text: str) -> str:
    """A plain DOT label, safe from DOT's own escapes and from being read as HTML."""
    import graphviz

    return str(graphviz.nohtml(graphviz.escape(_printable(text, longest=400))))


def _number(x: float) -> str:
    """Four decimals in the usual range, else scientific: 0.0000 must mean zero."""
    if x == 0.0 or 1e-3 <= abs(x) < 1e6 or x != x or abs(x) == float("inf"):
        return f"{x:.4f}"
    return f"{x:.3e}"


def _signed(grad: float) -> tuple[str, str]:
    """A gradient with its sign, and the colour that says the same."""
    color = POSITIVE if grad > 0.0 else NEGATIVE if grad < 0.0 else ZERO
    return (
        _number(grad) if grad == 0.0 or grad < 0.0 or grad != grad else f"+{_number(grad)}"
    ), color
