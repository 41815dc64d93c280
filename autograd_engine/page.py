"""Self-contained pieces of HTML: a picture, data and a script, with no server and no network.

Where a page strips scripts, as a notebook that is not trusted, the picture is what stays: it is
an `<img>` with its SVG inside, because inline `<svg>` does not survive there. The script unpacks
it, and makes all controls, so that nothing is shown that would not work.
"""

from __future__ import annotations

import base64
import html
import json
import os
import secrets
from abc import ABC, abstractmethod
from importlib.resources import files
from pathlib import Path
from typing import Any

from autograd_engine.files import write

__all__ = ["Page", "document", "fragment", "image"]


def image(svg: str, description: str) -> str:
    """An SVG as an `<img>` that carries it inside, with a text for those who do not see it."""
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img alt="{html.escape(description)}" style="max-width:100%" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def fragment(name: str, picture: str, data: Any, *, package: str = "autograd_engine") -> str:
    """One interactive element, for a page or a notebook's cell.

    Parameters
    ----------
    name : str
        Of the script and style in `package`: `stepper` means stepper.js and stepper.css. The
        script is the body of a function of `root`, the element, and `data`; the style's rules
        begin with `#ID`, which becomes the element's own name: two elements do not meet.
    picture : str
        HTML for where scripts are stripped, such as an `image`.
    data : JSON
        What the script gets; nan and infinities must be strings in it.
    package : str
        Whose folder holds the script and the style.
    """
    key = f"ae-{secrets.token_hex(6)}"
    folder = files(package)
    style = (folder / f"{name}.css").read_text("utf-8").replace("#ID", f"#{key}")
    script = (folder / f"{name}.js").read_text("utf-8")
    return (
        f'<div id="{key}" class="ae-{name}">{picture}</div>\n<style>{style}</style>\n'
        f"<script>\n(function (root, data) {{\n{script}\n}})"
        # a notebook may show one output twice: the element next to the script is its own
        f'((document.currentScript?.parentNode ?? document).querySelector("#{key}") '
        f'?? document.getElementById("{key}"), {_json(data)});\n</script>\n'
    )


def document(body: str, title: str) -> str:
    """A whole page around fragments."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        "<style>body{margin:1rem;font-family:system-ui,sans-serif}</style>\n"
        f"</head>\n<body data-alone>\n{body}</body>\n</html>\n"
    )


class Page(ABC):
    """Something interactive: a notebook shows it, `save` writes it as a page.

    Attributes
    ----------
    title : str
        Of the page.
    """

    title: str

    @abstractmethod
    def html(self) -> str:
        """The element, for a page of one's own."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs nothing else; whole, or not at all.

        Raises
        ------
        ValueError
            When `path` does not end in .html or .htm.
        """
        if Path(path).suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"save: {str(path)!r} does not end in .html")
        return write(document(self.html(), self.title), path)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": repr(self)}


def _json(data: Any) -> str:
    """JSON inside a script: no text in it can end the script or start a comment."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
