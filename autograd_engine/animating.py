"""The steps of a stepper as a film: an animated SVG, a GIF or an MP4.

The SVG is text and needs nothing; it moves in browsers, also inside an `<img>`. GIF and MP4 are
drawn with matplotlib, MP4 through ffmpeg.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograd_engine.backend import Value
from autograd_engine.conversion import number
from autograd_engine.files import write
from autograd_engine.scene import MARGIN, Scene, scene_of, sign_class
from autograd_engine.storyboard import Frame

__all__ = ["animate"]

FORMATS = (".svg", ".gif", ".mp4")
MAX_STEPS = 80  # in a film, which cannot be leafed through; above, cards stand for more
HOLD = 2  # how many steps longer the last picture stays
LETTER = 6.1  # the width of one in the headline, at most on average
_PHASES = {"forward": "forward", "start": "start of the backward pass", "backward": "backward"}


def animate(
    value: Value,
    path: str | Path,
    *,
    names: Mapping[str, Any] | None = None,
    theme: str = "light",
    direction: str = "LR",
    seconds: float = 1.2,
) -> Path:
    """Write the forward and backward pass as a film; the ending of `path` decides the format.

    Parameters
    ----------
    value : Value
        The output.
    path : str or Path
        Ends in .svg (needs nothing), .gif (matplotlib) or .mp4 (matplotlib and imageio-ffmpeg).
    names, theme, direction
        As for `stepper`.
    seconds : float
        How long a step lasts, from 0.05 to 60.

    Returns
    -------
    Path
        The file, written whole or not at all.

    Raises
    ------
    TypeError
        When `value` is not a Value.
    ValueError
        For another ending, theme or direction, or a step that is too short.
    ImportError
        When matplotlib or ffmpeg is missing; the message says what to install.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"animate: {str(path)!r} does not end in {', '.join(FORMATS)}")
    if not 0.05 <= number(seconds, "animate: seconds") <= 60.0:
        raise ValueError(f"animate: seconds must be from 0.05 to 60, got {seconds!r}")
    scene = scene_of(value, names=names, theme=theme, direction=direction, most=MAX_STEPS)
    if path.suffix.lower() == ".svg":
        return write(animated_svg(scene, seconds), path)
    from autograd_engine.filming import film  # matplotlib

    captions = [caption(frame, scene) for frame in (None, *scene.storyboard.frames)]
    return write(
        film(scene, path.suffix.lower(), seconds=seconds, hold=HOLD, captions=captions), path
    )


def caption(frame: Frame | None, scene: Scene) -> list[str]:
    """The two lines above the picture in a step; None: before the first."""
    board, longest = scene.storyboard, int(scene.extent(moving=True)[0] / LETTER)
    title = f"{board.title} ({board.note})" if board.note else board.title
    if frame is None:
        return [title, "The inputs and parameters are given."]
    headline = f"{_PHASES[frame.phase]}: {frame.headline}"
    return [title, textwrap.shorten(headline, longest, placeholder=" …")]


# --- the SVG ---------------------------------------------------------------


def animated_svg(scene: Scene, seconds: float) -> str:
    """One SVG in which texts and marks appear and disappear in turn."""
    board = scene.storyboard
    clock = _Clock(len(board.frames) + 1 + HOLD, seconds)
    parts = [_texts(scene, clock)]
    for i, frame in enumerate([None, *board.frames]):
        last = i == len(board.frames)
        shown = clock.during(i, clock.end if last else i + 1)
        marks = _marks(scene, frame) if frame else ""
        lines = caption(frame, scene)
        parts.append(f'<g class="film"{_hidden(last)}>{shown}{marks}{_heading(scene, lines)}</g>')
    return scene.svg(
        "".join(parts),
        moving=True,
        style=".film rect{fill:none}@media (prefers-reduced-motion:reduce){.film{display:none}"
        ".v{visibility:hidden!important}.last{visibility:visible!important}}",
    )


class _Clock:
    """SMIL's words for "visible from this step to that one", over and over."""

    def __init__(self, end: int, seconds: float) -> None:
        self.end, self.seconds = end, seconds

    def during(self, first: int, end: int) -> str:
        """An element's visibility; nothing where it is always seen."""
        if first == 0 and end >= self.end:
            return ""
        values, times = ["visible"], ["0"]
        if first > 0:
            values, times = ["hidden", "visible"], ["0", f"{first / self.end:.5f}"]
        if end < self.end:
            values, times = [*values, "hidden"], [*times, f"{end / self.end:.5f}"]
        return (
            f'<animate attributeName="visibility" calcMode="discrete" repeatCount="indefinite" '
            f'dur="{self.end * self.seconds:g}s" values="{";".join(values)}" '
            f'keyTimes="{";".join(times)}"/>'
        )


def _texts(scene: Scene, clock: _Clock) -> str:
    """Every text that a card's row has in turn."""
    parts = []
    for (card, row), changes in scene.storyboard.changes().items():
        ends = [*(first for first, _ in changes[1:]), clock.end]
        for (first, text), end in zip(changes, ends, strict=True):
            last = end == clock.end
            kind = f"n v{' last' if last else ''}{sign_class(text) if row else ''}"
            x, y = scene.place_of(card, row)
            parts.append(
                f'<text class="{kind}" x="{x:g}" y="{y:g}"{_hidden(last)}>'
                f"{html.escape(text)}{clock.during(first, end)}</text>"
            )
    return "".join(parts)


def _hidden(last: bool) -> str:
    """What is seen where nothing moves: the end."""
    return "" if last else ' visibility="hidden"'


def _marks(scene: Scene, frame: Frame) -> str:
    """The cards and arrows at work, drawn over the picture, with the arithmetic."""
    way = "on back" if frame.phase == "backward" else "on"
    parts = [f'<g class="{way}">{scene.arrow(link)}</g>' for link in frame.links]
    for cards, kind in ((frame.receiving, "take"), (frame.giving, "give")):
        parts += [f'<g class="{kind}">{scene.outline(card)}</g>' for card in cards]
    for x, y, text in scene.arithmetic(frame):
        parts.append(f'<text class="a" x="{x:g}" y="{y:g}">{html.escape(text)}</text>')
    return "".join(parts)


def _heading(scene: Scene, lines: list[str]) -> str:
    left, top = scene.origin(moving=True)
    x, y = MARGIN - left, 18.0 - top
    return "".join(
        f'<text x="{x:g}" y="{y + 17 * i:g}" style="font-weight:{weight}">'
        f"{html.escape(line)}</text>"
        for i, (line, weight) in enumerate(zip(lines, ("normal", "bold"), strict=True))
    )
