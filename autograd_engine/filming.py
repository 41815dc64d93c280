"""A stepper's scene filmed with matplotlib, as GIF or MP4. Import it only to use it."""

from __future__ import annotations

import io
import math
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from autograd_engine.layout import POINTS
from autograd_engine.scene import MARGIN, Scene, sign_class
from autograd_engine.storyboard import Card, Frame

try:
    from matplotlib.artist import Artist
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Polygon
    from matplotlib.path import Path
    from matplotlib.text import Text
    from PIL import Image
except ImportError:
    raise ImportError(
        'animate: .gif and .mp4 need matplotlib: pip install -e ".[plot]"; .svg needs nothing'
    ) from None

__all__ = ["film"]

WIDEST, MOST_PIXELS = 1600.0, 4e6
COLORS = 128  # of a GIF: a few flat ones, and what smooths letters
SIZE = 8.6  # of the font; matplotlib's own is wider than a browser's


def film(
    scene: Scene, ending: str, *, seconds: float, hold: int, captions: list[list[str]]
) -> bytes:
    """The film as bytes, with the last picture `hold` steps longer.

    `captions` has the lines above the picture, before the first step and in each.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # emoji show as boxes
        pictures = _Stage(scene).pictures(captions)
        write = _gif if ending == ".gif" else _mp4
        return write(pictures, len(captions), seconds, hold)


def _gif(pictures: Iterator[Image.Image], count: int, seconds: float, hold: int) -> bytes:
    keeping = Image.Quantize.FASTOCTREE  # rare colours, those of the marks, too
    few = (x.quantize(COLORS, keeping, dither=Image.Dither.NONE) for x in pictures)
    milliseconds = [round(1000 * seconds)] * count
    milliseconds[-1] *= 1 + hold
    out = io.BytesIO()
    next(few).save(
        out, "GIF", save_all=True, append_images=few, duration=milliseconds, loop=0, disposal=1
    )
    return out.getvalue()


def _mp4(pictures: Iterator[Image.Image], count: int, seconds: float, hold: int) -> bytes:
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # the package comes without a program for some machines
        raise ImportError(
            'animate: .mp4 needs ffmpeg: pip install -e ".[film]"; .svg and .gif work without'
        ) from None
    picture = next(pictures)
    even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"  # the codec wants even sizes
    with tempfile.TemporaryDirectory() as folder:
        path = File(folder) / "film.mp4"
        sink = imageio_ffmpeg.write_frames(
            str(path), picture.size, fps=1.0 / seconds, macro_block_size=1,
            output_params=["-vf", even], ffmpeg_log_level="quiet",
        )  # fmt: skip
        sink.send(None)
        for _ in range(count + hold):
            sink.send(picture.tobytes())
            picture = next(pictures, picture)
        sink.close()
        return path.read_bytes()


class _Stage:
    """The scene as a figure; a frame changes texts and borders."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.theme = scene, scene.theme
        width, height = scene.extent(moving=True)
        dpi = POINTS * min(1.5, WIDEST / width, math.sqrt(MOST_PIXELS / (width * height)))
        figure = Figure(figsize=(width / POINTS, height / POINTS), dpi=dpi)
        figure.set_facecolor(self.theme.background)
        self.canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its methods untyped
        self.axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        left, top = scene.origin(moving=True)
        self.axes.set_xlim(-left, width - left)
        self.axes.set_ylim(height - top, -top)
        self._caption = [
            self._text(MARGIN - left, 18.0 + 17.0 * i - top, "", weight=weight)
            for i, weight in enumerate(("normal", "bold"))
        ]
        for link in range(len(scene.storyboard.links)):
            for patch in self._arrow(link, self.theme.line, 1.0):
                self.axes.add_patch(patch)
        for i, card in enumerate(scene.storyboard.cards):
            self._card(i, card)
        self._rows = {
            place: self._text(*scene.place_of(*place), changes[0][1], ha="right")
            for place, changes in scene.storyboard.changes().items()
        }
        for artist in (*self._caption, *self._rows.values()):
            artist.set_animated(True)

    def pictures(self, captions: list[list[str]]) -> Iterator[Image.Image]:
        """Before the first frame, and in each: what does not change is drawn once."""
        self.canvas.draw()
        ground = self.canvas.copy_from_bbox(self.axes.bbox)
        for frame, lines in zip([None, *self.scene.storyboard.frames], captions, strict=True):
            self.canvas.restore_region(ground)
            for artist in self._artists(frame, lines):
                self.axes.draw_artist(artist)
            pixels = self.canvas.buffer_rgba()
            yield Image.frombytes("RGBA", pixels.shape[1::-1], bytes(pixels)).convert("RGB")

    def _text(self, x: float, y: float, text: str, **style: Any) -> Text:
        style = {"size": SIZE, "color": self.theme.ink, **style}
        return self.axes.text(x, y, text, parse_math=False, **style)

    def _arrow(
        self, link: int, color: str, width: float, *, back: bool = False
    ) -> tuple[Patch, Patch]:
        words, head = self.scene.layout.links[link]
        points = _pairs(words)
        codes = [Path.MOVETO, *[Path.CURVE4] * (len(points) - 1)]
        line = PathPatch(Path(points, codes), fill=False, color=color, linewidth=width)
        tip = _head(points[0], points[1]) if back else _pairs(head)
        return line, Polygon(tip, color=color, linewidth=width)

    def _border(self, card: int) -> Patch:
        radius = 9.0 if self.scene.storyboard.cards[card].rows else 14.0
        style = f"round,pad=0,rounding_size={radius}"
        corner, size = self.scene.layout.corners[card], self.scene.sizes[card]
        return FancyBboxPatch(corner, *size, boxstyle=style)

    def _card(self, i: int, card: Card) -> None:
        border = self._border(i)
        border.set(facecolor=getattr(self.theme, card.kind), edgecolor=self.theme.line)
        self.axes.add_patch(border)
        (x, y), (width, _) = self.scene.layout.corners[i], self.scene.sizes[i]
        weight = "bold" if card.rows else "normal"
        top = y + (15.0 if card.rows else 19.0)
        self._text(x + width / 2, top, card.title, ha="center", weight=weight)
        for row, (name, _) in enumerate(card.rows):
            baseline = self.scene.place_of(i, row)[1]
            self._text(x + 9.0, baseline, name, color=self.theme.muted)

    def _artists(self, frame: Frame | None, lines: list[str]) -> Iterator[Artist]:
        """What is drawn over the ground; None is the picture before the first frame."""
        for line, text in zip(self._caption, lines, strict=True):
            line.set_text(text)
            yield line
        if frame is not None:
            for (card, row), text in frame.texts.items():
                self._rows[card, row].set_text(text)
                sign = {" pos": self.theme.positive, " neg": self.theme.negative}
                color = sign.get(sign_class(text)) if row else None
                self._rows[card, row].set_color(color or self.theme.ink)
            yield from self._marks(frame)
        yield from self._rows.values()
        if frame is not None:
            yield from self._arithmetic(frame)

    def _marks(self, frame: Frame) -> Iterator[Artist]:
        back = frame.phase == "backward"  # gradients run against the arrows
        found = [
            x for link in frame.links for x in self._arrow(link, self.theme.current, 2.0, back=back)
        ]
        for cards, color, style in (
            (frame.receiving, self.theme.receiving, (0, (3, 1.2))),
            (frame.giving, self.theme.current, "-"),
        ):
            for card in cards:
                border = self._border(card)
                border.set(edgecolor=color, linewidth=2.6, linestyle=style, fill=False)
                found.append(border)
        for patch in found:
            self.axes.add_patch(patch)
            yield patch
            patch.remove()

    def _arithmetic(self, frame: Frame) -> Iterator[Artist]:
        box = {"facecolor": self.theme.background, "edgecolor": "none", "pad": 1.0, "alpha": 0.8}
        style = {"color": self.theme.current, "weight": "bold", "ha": "center", "bbox": box}
        for x, y, text in self.scene.arithmetic(frame):
            label = self._text(x, y, text, **style)
            yield label
            label.remove()


def _head(tip: tuple[float, float], towards: tuple[float, float]) -> list[tuple[float, float]]:
    """The head of an arrow that comes from there and ends at `tip`."""
    x, y = towards[0] - tip[0], towards[1] - tip[1]
    length = math.hypot(x, y) or 1.0
    x, y = 7.0 * x / length, 7.0 * y / length
    return [tip, (tip[0] + x - y / 3, tip[1] + y + x / 3), (tip[0] + x + y / 3, tip[1] + y - x / 3)]


def _pairs(words: str) -> list[tuple[float, float]]:
    """The points in a path of Graphviz: a move, then curves; or in a list of points."""
    numbers = [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?", words)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
