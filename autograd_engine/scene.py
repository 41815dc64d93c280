"""A storyboard as one SVG: laid out once, restyled in every frame.

Every card, arrow and text has a `data-` mark by which a script finds it. As it is written, the
picture shows the state after the last frame.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from unicodedata import east_asian_width

from autograd_engine.backend import Value
from autograd_engine.grouped import group_by_group
from autograd_engine.layout import Layout, layout
from autograd_engine.sequence import view
from autograd_engine.storyboard import Card, Frame, Storyboard, node_by_node
from autograd_engine.themes import Theme
from autograd_engine.themes import theme as theme_of

__all__ = ["MARGIN", "Scene", "scene_of", "sign_class"]

ROW, PADDING, CHARACTER = 17.0, 9.0, 6.3  # heights and widths in points, of text of 11 points
MARGIN = 20.0  # at least
CAPTION, WIDTH_OF_CAPTION = 46.0, 640.0  # the lines above a film
NUMERAL, ASCENT, DESCENT = 5.5, 12.0, 4.0  # of a character of arithmetic, on average
WIDEST_NUMBER = 11  # characters: a card keeps its size while its numbers change


def scene_of(
    value: Value, *, names: Mapping[str, Any] | None, theme: str, direction: str, most: int
) -> Scene:
    """The storyboard of a value's graph, laid out: node by node, or folded to `most` steps."""
    if direction not in ("LR", "TB"):
        raise ValueError(f"direction must be 'LR' or 'TB', got {direction!r}")
    colors = theme_of(theme)
    graph = view(value, names)
    return Scene(node_by_node(graph, most) or group_by_group(graph, most), colors, direction)


class Scene:
    """A storyboard with places for everything.

    Attributes
    ----------
    storyboard : Storyboard
    theme : Theme
    sizes : list of (width, height)
        Of the cards, in points.
    layout : Layout
    """

    def __init__(self, storyboard: Storyboard, theme: Theme, direction: str) -> None:
        self.storyboard, self.theme = storyboard, theme
        self._changes = storyboard.changes()
        self.sizes = [
            _size(card, [self._changes[i, row][-1][1] for row in range(len(card.rows))])
            for i, card in enumerate(storyboard.cards)
        ]
        dense = len(storyboard.links) > 300  # then the last improvement takes Graphviz too long
        self.layout: Layout = layout(
            self.sizes,
            storyboard.links,
            direction=direction,
            attributes="nslimit=2;mclimit=0.5;" if dense else "",
        )

    def svg(self, extra: str = "", *, moving: bool = False, style: str = "") -> str:
        """The picture after the last frame.

        Parameters
        ----------
        extra, style : str
            More of SVG, above all else, and more rules.
        moving : bool
            Whether `extra` has all texts that change, and a caption over the picture.
        """
        board = self.storyboard
        (width, height), (x, y) = self.extent(moving), self.origin(moving)
        body = [f'<g data-e="{i}">{self.arrow(i)}</g>' for i in range(len(board.links))]
        body += [self._card(i, card, moving) for i, card in enumerate(board.cards)]
        note = f" {board.note}." if board.note else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="ae-{self.theme.name}" role="img" '
            f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
            f"<title>{_text(board.title)}</title><desc>{_text(self.description + note)}</desc>"
            f"<style>{self.style()}{style}</style>"
            f'<defs><marker id="ae-back-{self.theme.name}" viewBox="0 0 8 8" refX="7" refY="4" '
            f'markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" '
            f'orient="auto-start-reverse"><polygon points="0,0 8,4 0,8" '
            f'style="display:inline;stroke:none;fill:{self.theme.current}"/></marker></defs>'
            f'<g transform="translate({x:g},{y:g})">{"".join(body)}{extra}</g></svg>'
        )

    def extent(self, moving: bool) -> tuple[float, float]:
        """Width and height, with margins and, for a film, with room for a caption."""
        width = max(self.layout.width, WIDTH_OF_CAPTION if moving else 0.0)
        across, down = self._margins
        return width + 2 * across, self.layout.height + 2 * down + (CAPTION if moving else 0.0)

    def origin(self, moving: bool) -> tuple[float, float]:
        """Where the origin of all places is, from the upper left corner."""
        x, y = self.layout.shift
        across, down = self._margins
        return x + across, y + down + (CAPTION if moving else 0.0)

    @cached_property
    def _margins(self) -> tuple[float, float]:
        """Room beside, and above and below, for arithmetic at the cards on the edge."""
        across = down = MARGIN
        for frame in self.storyboard.frames:
            for x, y, text in self.arithmetic(frame):
                x, y = x + self.layout.shift[0], y + self.layout.shift[1]
                half = len(text) * NUMERAL / 2
                across = max(across, half - x, x + half - self.layout.width)
                down = max(down, ASCENT - y, y + DESCENT - self.layout.height)
        return math.ceil(across), math.ceil(down)

    def arrow(self, link: int) -> str:
        """An arrow, as SVG."""
        path, head = self.layout.links[link]
        return f'<path d="{path}"/><polygon points="{head}"/>'

    def outline(self, card: int) -> str:
        """The border of a card, as SVG."""
        (x, y), (width, height) = self.layout.corners[card], self.sizes[card]
        radius = 9 if self.storyboard.cards[card].rows else 15
        return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}"/>'

    def place_of(self, card: int, row: int) -> tuple[float, float]:
        """Where the text of a row ends, on its baseline."""
        (x, y), (width, _) = self.layout.corners[card], self.sizes[card]
        return x + width - PADDING, y + 15.0 + ROW * (row + 1)

    def arithmetic(self, frame: Frame) -> list[tuple[float, float, str]]:
        """Where, centred, to write what each operand gets: above its card, a second time below."""
        found: list[tuple[float, float, str]] = []
        counts: Counter[int] = Counter()
        for link, text in frame.links.items():
            if text:
                card = self.storyboard.links[link][0]
                (x, y), (width, height) = self.layout.corners[card], self.sizes[card]
                level, below = divmod(counts[card], 2)
                place = y + height + 13.0 + 12.0 * level if below else y - 5.0 - 12.0 * level
                found.append((round(x + width / 2, 1), round(place, 1), text))
                counts[card] += 1
        return found

    @property
    def description(self) -> str:
        """The picture in a sentence or two."""
        board = self.storyboard
        cards = sum(bool(card.rows) for card in board.cards)
        return (
            f"Computation graph after the backward pass: {cards} cards, each with data and "
            f"gradient, {len(board.links)} arrows from operands to results."
        )

    def style(self) -> str:
        """The rules of the theme, in force only inside a picture of that theme."""
        theme, scope = self.theme, f".ae-{self.theme.name}"
        rules = {
            "text": f"font:11px Helvetica,Arial,sans-serif;fill:{theme.ink}",
            "rect": f"stroke:{theme.line};fill:{theme.interior}",
            ".s": "text-anchor:middle",
            ".t": "font-weight:bold;text-anchor:middle",
            ".n": "text-anchor:end",
            ".l": f"fill:{theme.muted}",
            ".pos": f"fill:{theme.positive}",
            ".neg": f"fill:{theme.negative}",
            ".input rect": f"fill:{theme.input}",
            ".parameter rect": f"fill:{theme.parameter}",
            ".output rect": f"fill:{theme.output}",
            ".operation rect": f"fill:{theme.operation}",
            "path": f"fill:none;stroke:{theme.line}",
            "polygon": f"fill:{theme.line};stroke:{theme.line}",
            ".give rect": f"stroke:{theme.current};stroke-width:3",
            ".take rect": (f"stroke:{theme.receiving};stroke-width:3;stroke-dasharray:7 3"),
            ".on path,{}.on polygon": f"stroke:{theme.current};stroke-width:2.2",
            ".on polygon": f"fill:{theme.current}",
            # gradients run against the arrows
            ".back path": f"marker-start:url(#ae-back-{theme.name})",
            ".back polygon": "display:none",
            ".a": (
                f"fill:{theme.current};font-weight:bold;text-anchor:middle;"
                f"paint-order:stroke;stroke:{theme.background};stroke-width:4px"
            ),
        }
        return "".join(
            f"{scope} {name.replace('{}', f'{scope} ')}{{{rule}}}" for name, rule in rules.items()
        )

    def _card(self, i: int, card: Card, moving: bool) -> str:
        x, y = self.layout.corners[i]
        middle = f'x="{x + self.sizes[i][0] / 2:g}"'
        parts = [f"<title>{_text(card.tip)}</title>{self.outline(i)}"]
        kind = "t" if card.rows else "s"
        top = y + 15 + (0 if card.rows else 4)
        parts.append(f'<text class="{kind}" {middle} y="{top:g}">{_text(card.title)}</text>')
        for row, (name, _) in enumerate(card.rows):
            right, baseline = self.place_of(i, row)
            number = self._changes[i, row][-1][1]
            parts.append(
                f'<text class="l" x="{x + PADDING:g}" y="{baseline:g}">{_text(name)}</text>'
            )
            if not moving:
                sign = sign_class(number) if row else ""
                parts.append(
                    f'<text class="n{sign}" data-r="{row}" x="{right:g}" y="{baseline:g}">'
                    f"{_text(number)}</text>"
                )
        return f'<g data-c="{i}" class="{card.kind}">{"".join(parts)}</g>'


def sign_class(number: str) -> str:
    """Colours a gradient by its sign, which is written too."""
    return " pos" if number.startswith("+") else " neg" if number.startswith("-") else ""


def _size(card: Card, texts: list[str]) -> tuple[float, float]:
    """How large a card must be for its title and for the longest texts that its rows may have."""
    title = sum(2 if east_asian_width(c) in "WF" else 1 for c in card.title)  # emoji are wide, too
    if not card.rows:
        return max(30.0, 14.0 + CHARACTER * title), 30.0
    rows = max(
        len(name) + max(WIDEST_NUMBER, len(text))
        for (name, _), text in zip(card.rows, texts, strict=True)
    )
    characters = max(title * 1.1, rows)
    return round(2 * PADDING + CHARACTER * characters), 15.0 + ROW * len(card.rows) + 8.0


def _text(text: str) -> str:
    return html.escape(text, quote=True)
