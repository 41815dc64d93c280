"""Texts in DOT: cards, records and plain labels in which any character stands for itself."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from autograd_engine.themes import Theme
from autograd_engine.wording import LONGEST_LABEL, printable

__all__ = ["Row", "card", "on_arrow", "plain", "record", "tooltip_of"]

LONGEST_TOOLTIP = 400


class Row(NamedTuple):
    """A line of a card: a name ("" where the text takes the whole line), a text, its colour."""

    name: str
    text: str
    color: str


def card(
    title: str,
    rows: Sequence[Row],
    fill: str,
    colors: Theme,
    note: str = "",
    *,
    width: float = 1.0,
    dashed: bool = False,
) -> str:
    """An HTML-like label: a rounded table with a title, a note below it, and rows.

    `width` and `dashed` are its border's.
    """
    lines = []
    if title:
        bold = " " * (min(len(title), LONGEST_LABEL) // 5)  # wider than engines think
        text = f"{_pad(title)}{_cell(title)}{_pad(title)}{bold}"
        lines.append(_line(f"<B>{text}</B>", colors.ink))
    if note:
        lines.append(_line(_cell(note), colors.muted, size=9))
    for name, text, color in rows:
        if name:
            left = f'<FONT COLOR="{colors.ink}">{_cell(name)}{_pad(name)}</FONT>'
            right = f'<FONT COLOR="{color}">{_cell(text)}{_pad(text)}</FONT>'
            lines.append(f'<TR><TD ALIGN="LEFT">{left}</TD><TD ALIGN="RIGHT">{right}</TD></TR>')
        else:
            lines.append(_line(f"{_pad(text)}{_cell(text)}{_pad(text)}", color))
    return (
        f'<<TABLE STYLE="ROUNDED{",DASHED" * dashed}" BGCOLOR="{fill}" COLOR="{colors.line}" '
        f'BORDER="{width:g}" '
        f'CELLBORDER="0" CELLSPACING="0" CELLPADDING="4">{"".join(lines)}</TABLE>>'
    )


def _line(cell: str, color: str, size: int = 11) -> str:
    font = f'<FONT COLOR="{color}" POINT-SIZE="{size}">{cell}</FONT>'
    return f'<TR><TD COLSPAN="2">{font}</TD></TR>'


def on_arrow(text: str, room: int = 2) -> str:
    """An arrow's label, with room around it so that the line does not touch it."""
    return (
        f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{room}">'
        f"<TR><TD>{_cell(text)}{_pad(text)}</TD></TR></TABLE>>"
    )


def record(texts: Sequence[str], direction: str) -> str:
    """A record's label: boxes in a row, `{ x | data 2.0000 | grad 0.0000 }`."""
    padded = [f"{' ' * (len(text) // 12)}{printable(text)}{_pad(text)}" for text in texts]
    fields = [re.sub(r"([\\{}| ])", r"\\\1", _entities(text)) for text in padded]
    boxes = " | ".join(fields)
    return f"{{ {boxes} }}" if direction == "LR" else boxes


def plain(text: str, longest: int = LONGEST_LABEL) -> str:
    """A plain label, safe from DOT's own escapes and from being read as HTML."""
    return _entities(printable(text, longest)).replace("\\", "\\\\")


def tooltip_of(text: str) -> str:
    """The same for a tooltip, whose escapes Graphviz reads twice; it may be longer."""
    return _entities(printable(text, LONGEST_TOOLTIP)).replace("\\", "\\" * 4)


def _entities(text: str) -> str:
    """DOT reads `&amp;` as HTML does, and a text between < and > as HTML."""
    return html.escape(text, quote=False)


def _cell(text: str) -> str:
    return html.escape(printable(text)).replace("\\", "\\\\") or " "


def _pad(text: str) -> str:
    """Room beside a text, because engines estimate its width, each with fonts of its own."""
    return " " * (1 + min(len(text), LONGEST_LABEL) // 6) if text else ""
