"""The colours of pictures and pages: light, dark, and one safe for the colour-blind.

A colour is never the only sign: gradients carry + or -, negative edges are dashed, kinds of cards
are named in their descriptions.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["THEMES", "Theme", "theme"]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as #RRGGBB; the first four of cards are backgrounds."""

    name: str
    input: str
    parameter: str
    interior: str
    output: str
    operation: str
    background: str
    line: str
    ink: str
    muted: str
    positive: str
    negative: str
    warning: str
    current: str  # the node whose turn it is
    receiving: str  # those that get something from it


THEMES = {
    "light": Theme(
        "light",
        input="#DCFCE7", parameter="#DBEAFE", interior="#F8FAFC", output="#FDE68A",
        operation="#E2E8F0", background="#FFFFFF", line="#94A3B8", ink="#0F172A", muted="#526076",
        positive="#166534", negative="#B91C1C", warning="#B45309",
        current="#DC2626", receiving="#EA580C",
    ),
    "dark": Theme(
        "dark",
        input="#14532D", parameter="#1E3A8A", interior="#1E293B", output="#713F12",
        operation="#334155", background="#0F172A", line="#64748B", ink="#F1F5F9", muted="#B4C0D2",
        positive="#4ADE80", negative="#FCA5A5", warning="#FBBF24",
        current="#F87171", receiving="#FB923C",
    ),
    # blue against vermilion: Okabe & Ito's palette, jfly.uni-koeln.de/color, 2008
    "colorblind": Theme(
        "colorblind",
        input="#CFF0E4", parameter="#D3E3F8", interior="#F8FAFC", output="#FBF3C0",
        operation="#E2E8F0", background="#FFFFFF", line="#94A3B8", ink="#0F172A", muted="#526076",
        positive="#0063A0", negative="#A03C00", warning="#7A5C00",
        current="#A3327A", receiving="#C77700",
    ),
}  # fmt: skip


def theme(name: str) -> Theme:
    """The theme of that name.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.
    """
    if name not in THEMES:
        raise ValueError(f"unknown theme {name!r}; choose one of {', '.join(THEMES)}")
    return THEMES[name]
