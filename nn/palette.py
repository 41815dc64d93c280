"""The colours, marks and shades of classes: the same in plots and on pages.

A class has a mark besides its colour: colour is never the only sign.
"""

from __future__ import annotations

from autograd_engine.themes import theme as theme_of

__all__ = ["MARKS", "color", "color_shades", "marker", "number_shades"]

CLASS_COLORS = {
    "light": ("#1D4ED8", "#B91C1C", "#15803D", "#B45309", "#7E22CE", "#0E7490"),
    "dark": ("#60A5FA", "#F87171", "#4ADE80", "#FBBF24", "#C084FC", "#22D3EE"),
    # Okabe & Ito's, as in `autograd_engine.themes`
    "colorblind": ("#0072B2", "#D55E00", "#009E73", "#B58900", "#CC79A7", "#56B4E9"),
}
# matplotlib's name of each mark, and the same as a path of SVG around (0, 0)
MARKS = {
    "o": "M-4,0A4,4 0 1 0 4,0A4,4 0 1 0 -4,0Z",
    "s": "M-3.6,-3.6H3.6V3.6H-3.6Z",
    "D": "M0,-5L5,0L0,5L-5,0Z",
    "^": "M0,-4.8L4.6,3.6H-4.6Z",
    "v": "M0,4.8L4.6,-3.6H-4.6Z",
    "P": "M-1.6,-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6Z",
}
RAMP = ("#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725")  # matplotlib's viridis, CC0
BANDS = 8
PALEST, STRONGEST = 0.1, 0.55  # of a class's colour, on the background


def color(i: int, theme: str = "light") -> str:
    """The colour of class, start or series i; `marker` tells apart those that share one."""
    colors = CLASS_COLORS[theme]
    return colors[i % len(colors)]


def marker(i: int) -> str:
    """The marker of class, start or series i, as matplotlib calls it; a key of `MARKS`."""
    return list(MARKS)[(i + i // len(MARKS)) % len(MARKS)]


def color_shades(full: str, theme: str) -> list[str]:
    """From pale to strong: the shades of a class's colour on the background of a theme."""
    step = (STRONGEST - PALEST) / (BANDS - 1)
    return [_mixed(theme_of(theme).background, full, PALEST + step * b) for b in range(BANDS)]


def number_shades() -> list[str]:
    """From low to high: the shades of numbers."""
    places = [(len(RAMP) - 1) * b / (BANDS - 1) for b in range(BANDS)]
    lower = [min(int(place), len(RAMP) - 2) for place in places]
    return [_mixed(RAMP[k], RAMP[k + 1], p - k) for k, p in zip(lower, places, strict=True)]


def _mixed(a: str, b: str, share: float) -> str:
    """(1 - share) a + share b."""
    pairs = zip(bytes.fromhex(a[1:]), bytes.fromhex(b[1:]), strict=True)
    return "#" + "".join([f"{round(x + (y - x) * share):02X}" for x, y in pairs])
