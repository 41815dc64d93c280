"""From DOT text to a picture: finds the Graphviz engine and runs it.

The order: the environment variable AUTOGRAD_ENGINE_DOT (`system`, `embedded` or the path of a
`dot`), then the system's `dot`, then the engine embedded in the package graphviz-pure, which comes
with `pip install` and makes SVG, PNG and JPEG.
"""

from __future__ import annotations

import base64
import html
import importlib.metadata
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import graphviz

from autograd_engine import files
from autograd_engine.errors import RenderError

__all__ = ["FORMATS", "Picture", "accessible", "dot_bytes"]

FORMATS = ("svg", "png", "jpg", "jpeg", "pdf", "dot", "gv")
_EMBEDDED_FORMATS = ("svg", "png", "jpg", "jpeg")
_RASTER = ("png", "jpg", "jpeg")
_INCHES = 300  # the longest side of a PNG or JPEG, 28,800 pixels: larger ones take minutes
_SECONDS = 120.0  # 5,500 nodes take about 20 s
_REMEDY = "install Graphviz (its `dot`) or `pip install graphviz-pure`; the DOT text needs neither"


def dot_bytes(source: str, format: str) -> bytes:
    """The picture of a DOT text in one of `FORMATS`.

    Raises
    ------
    ValueError
        For an unknown format.
    RenderError
        When no engine can make this format, or the engine fails; the message carries the remedy.
    """
    if format not in FORMATS:
        raise ValueError(f"draw: unknown format {format!r}; choose one of {', '.join(FORMATS)}")
    if format in ("dot", "gv"):
        return source.encode()
    engine = _engine(format)
    largest = [f"-Gsize={_INCHES},{_INCHES}"] if format in _RASTER else []
    try:
        done = subprocess.run(
            [engine, f"-T{format}", *largest],
            input=source.encode(),
            capture_output=True,
            timeout=_SECONDS,
        )
    except OSError as error:
        raise RenderError(f"draw: cannot run {engine}: {error.strerror}; {_REMEDY}") from error
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"draw: the layout took over {_SECONDS:.0f} s; draw a smaller part of the graph"
        ) from None
    if done.returncode or not done.stdout:
        words = done.stderr.decode(errors="replace").strip() or "no output"
        raise RenderError(f"draw: {Path(engine).name} failed for {format}: {words[:500]}")
    return done.stdout


def _engine(format: str) -> str:
    """The program to run; raises RenderError where there is none for the format."""
    wanted = os.environ.get("AUTOGRAD_ENGINE_DOT", "")
    if wanted not in ("", "system", "embedded"):
        return wanted
    system = shutil.which("dot") if wanted != "embedded" else None
    if system:
        return system
    embedded = _embedded() if wanted != "system" else None
    if embedded and format in _EMBEDDED_FORMATS:
        return embedded
    if embedded:
        raise RenderError(
            f"draw: {format} needs the system's Graphviz, and no `dot` was found; "
            "install Graphviz, or draw SVG or PNG, which work without it"
        )
    raise RenderError(f"draw: no Graphviz engine found; {_REMEDY}")


def _embedded() -> str | None:
    """The executable of graphviz-pure, found without relying on PATH."""
    try:
        installed = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        installed = []
    for file in installed:
        if file.stem == "graphviz-pure" and Path(str(file.locate())).is_file():
            return str(Path(str(file.locate())).resolve())
    return shutil.which("graphviz-pure", path=sysconfig.get_path("scripts")) or shutil.which(
        "graphviz-pure"
    )


def accessible(svg: str, title: str, description: str) -> str:
    """Graphviz's SVG with a title and a description, for those who do not see it.

    What refers to elsewhere goes (the DOCTYPE), and so do Graphviz's comments. A text that is no
    SVG comes back as it is.
    """
    start = re.search(r"<svg\b[^>]*>", svg)
    if start is None:
        return svg
    declaration = re.match(r"<\?xml[^>]*\?>\n?", svg)
    root = start[0].removesuffix(">") + ' role="img">'
    texts = "".join(
        f"\n<{tag}>{html.escape(text, quote=False)}</{tag}>"
        for tag, text in (("title", title), ("desc", description))
        if text
    )
    body = re.sub(r"<!--.*?-->\n?", "", svg[start.end() :], flags=re.DOTALL)
    return f"{declaration[0] if declaration else ''}{root}{texts}{body}"


class Picture(graphviz.Digraph):  # type: ignore[misc] # graphviz ships no types
    """A `graphviz.Digraph` that also renders where no `dot` is installed.

    Attributes
    ----------
    title, description : str
        What an SVG says to those who do not see it.
    """

    title = ""
    description = ""

    def pipe(
        self, format: str | None = None, *, encoding: str | None = None, **_: Any
    ) -> bytes | str:
        """The picture as bytes, or as text in `encoding`."""
        format = format or self.format
        picture = dot_bytes(self.source, format)
        if format == "svg":
            text = picture.decode("utf-8", "surrogateescape")
            text = accessible(text, self.title, self.description)
            picture = text.encode("utf-8", "surrogateescape")
        return picture.decode(encoding) if encoding else picture

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """For notebooks: SVG, and PNG for places that strip SVG; its text says what is there."""
        bundle = {
            "image/svg+xml": self.pipe("svg", encoding="utf-8"),
            "image/png": base64.b64encode(dot_bytes(self.source, "png")).decode(),
        }
        return {**bundle, "text/plain": self.description} if self.description else bundle

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        *,
        outfile: str | os.PathLike[str] | None = None,
        **_: Any,
    ) -> str:
        """Write the DOT text and, beside it, the picture; returns the picture's path."""
        if outfile is not None:
            filename = filename or Path(outfile).with_suffix(".gv")
            format = format or Path(outfile).suffix[1:].lower()
        format = format or self.format
        picture = self.pipe(format)
        source = Path(self.save(filename, directory=directory))
        path = Path(outfile or f"{source}.{format}")
        files.write(picture, path)
        if cleanup:
            source.unlink()
        if view:
            graphviz.view(str(path))
        return str(path)
