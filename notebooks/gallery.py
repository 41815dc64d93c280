"""Every kind of picture, each made by one call, on one page of HTML that needs no network.

    python notebooks/gallery.py [-o gallery.html]

The code beside a picture is the code that made it: each piece runs as a notebook's cell does, all
in one namespace, and what its last line gives is what the page shows.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import html
import io
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from autograd_engine.drawing import write
from autograd_engine.page import Page, image


class Piece(NamedTuple):
    title: str
    text: str
    code: str


SETUP = """\
from autograd_engine import Value, animate, draw_dot, explain, mermaid, stepper, text_tree
from nn import *

x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
b = Value(6.8813735870195432, label="b")
o = (x1 * w1 + x2 * w2 + b).tanh()  # the neuron of Karpathy's lecture
o.label = "o"
o.backward()

small = MLP(3, [4, 4, 1], activation="tanh", rng=1)

X, y = two_moons(100, noise=0.1, rng=1)
moons = MLP(2, [16, 16, 1], rng=1)
settings = dict(loss=hinge, optimizer=SGD(moons.parameters(), lr=0.1, momentum=0.9), epochs=40)
history = fit(moons, X, y, **settings, rng=0, progress=False, snapshots=True)
loss = squared_error(moons(X[0]), y[0])
loss.backward()
"""

PIECES = [
    Piece(
        "Computation graph with values and gradients",
        "Each card has its value and, after backward(), its gradient; the number on an arrow is a "
        "local derivative.",
        "draw_dot(o)",
    ),
    Piece(
        "What each arrow contributes",
        "Local derivative × gradient of the result = what it adds to the operand's gradient.",
        "draw_dot(o, contributions=True)",
    ),
    Piece(
        "Boxes in a row",
        "The records of the lecture, dark, from top to bottom.",
        'draw_dot(o, style="records", theme="dark", rankdir="TB")',
    ),
    Piece(
        "Animated backward pass",
        "A film as an SVG, for slides; .gif and .mp4 work too.",
        'animate(o, "backward.svg")',
    ),
    Piece(
        "Backward pass step by step",
        "With buttons, a slider, the arrow keys and the space bar.",
        "stepper(o)",
    ),
    Piece("Why is this gradient -1.5?", "The chain rule in words and numbers.", "explain(o, x1)"),
    Piece("Computation graph as text", "For a terminal.", "text_tree(o)"),
    Piece("Computation graph for GitHub", "GitHub shows Mermaid as a picture.", "mermaid(x1 * w1)"),
    Piece(
        "Large graph, folded by layer",
        "A card stands for a layer; above 500 values that happens by itself.",
        'draw_dot(loss, fold="layer")',
    ),
    Piece(
        "Sketch of a network with its weights",
        "An edge is solid above zero and dashed below, and wider the larger its weight.",
        "draw_network(small)",
    ),
    Piece(
        "What runs through it, forward and backward",
        "In each circle the output for an example, below it the gradient of the loss.",
        "draw_network(small, example=[2.0, 3.0, -1.0], target=1.0)",
    ),
    Piece(
        "Sketch of a larger network",
        "Above 40 weights the numbers are in the tooltips of the SVG; of a layer above 16 neurons "
        "the first and the last are shown.",
        'draw_network(MLP(24, [12, 10], rng=0), theme="colorblind")',
    ),
    Piece(
        "Block diagram of layers",
        "One card a layer, with the ranges for an example.",
        'draw_network(moons, example=X[0], target=y[0], style="layers")',
    ),
    Piece(
        "Error curve: creeping, a good rate, overshooting, diverging",
        "The parabola E(w) = w², and steps of gradient descent with four learning rates.",
        "error_curve(lambda w: w**2, 3.0, lr=[0.03, 0.3, 0.9, 1.1])",
    ),
    Piece(
        "Local minimum",
        "From 3.4 descent ends in the local minimum at w = 2.07, "
        "from -3.6 in the one that is lowest at w = -2.37.",
        "error = lambda w: 0.05 * w**4 - 0.5 * w**2 + 0.3 * w + 2\n"
        "error_curve(error, [3.4, -3.6], lr=0.1, steps=30)",
    ),
    Piece(
        "Parabola of two weights: a bowl",
        "From above and as a surface.",
        "valley(lambda w: w[0] ** 2 + 4 * w[1] ** 2, (3.0, 2.0), lr=0.05)",
    ),
    Piece(
        "Narrow valley",
        "Rosenbrock's function: steep sides, and a floor that hardly falls.",
        "valley(\n"
        "    lambda w: 10 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2,\n"
        "    (-1.0, 1.0),\n"
        "    lr=0.03,\n"
        "    steps=100,\n"
        "    span=((-1.5, 1.5), (-0.7, 1.7)),\n"
        ")",
    ),
    Piece(
        "Activations and their derivatives",
        "The line of a derivative is broken where it jumps.",
        "activation_curves()",
    ),
    Piece("Loss curve", "The mean loss of each epoch.", "loss_curve(history.loss)"),
    Piece(
        "Decision boundary",
        "What the network says everywhere, and the samples.",
        "decision_boundary(moons.predict, X, y)",
    ),
    Piece(
        "Training, epoch by epoch",
        "Loss, boundary, weights and gradients at every recorded epoch.",
        "training_stepper(moons, history, X, y)",
    ),
]

STYLE = """
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; font-family: system-ui, sans-serif;
       color: #0f172a; background: #fff; line-height: 1.5 }
section { margin: 3rem 0; break-inside: avoid }
h2 { margin-bottom: 0.25rem } p { margin: 0.25rem 0 0.75rem }
pre { background: #f1f5f9; padding: 0.75rem 1rem; border-radius: 0.5rem; overflow-x: auto;
      font-size: 0.875rem; line-height: 1.4 }
img { max-width: 100%; height: auto }
nav ol { columns: 2 18rem }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Every kind of picture on one page.")
    parser.add_argument("-o", default="gallery.html", metavar="FILE", help="where to write it")
    path = Path(parser.parse_args().o).resolve()
    print(write(page(), path))


def page() -> str:
    """The whole page; it takes some seconds."""
    namespace: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run(SETUP, namespace)
        sections = [section(i, piece, namespace) for i, piece in enumerate(PIECES)]
    links = [f'<li><a href="#p{i}">{html.escape(p.title)}</a></li>' for i, p in enumerate(PIECES)]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Gallery of autograd_engine</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>Every picture by one call</h1>\n"
        "<p>The code above a picture is the code that made it. All pieces begin with:</p>\n"
        f"<pre><code>{html.escape(SETUP)}</code></pre>\n"
        f"<nav><ol>{''.join(links)}</ol></nav>\n{''.join(sections)}</body>\n</html>\n"
    )


def section(i: int, piece: Piece, namespace: dict[str, Any]) -> str:
    result = run(piece.code, namespace)
    return (
        f'<section id="p{i}">\n<h2>{html.escape(piece.title)}</h2>\n'
        f"<p>{html.escape(piece.text)}</p>\n<pre><code>{html.escape(piece.code)}</code></pre>\n"
        f"{shown(result, piece.title)}\n</section>\n"
    )


def run(code: str, namespace: dict[str, Any]) -> Any:
    """Run a piece as a cell of a notebook; returns the value of its last line, if it has one."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "gallery", "exec"), namespace)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "gallery", "eval"), namespace)


def shown(result: Any, title: str) -> str:
    """HTML for what a piece gave, with everything inside."""
    if isinstance(result, Path):
        return image(result.read_text("utf-8"), title)
    if hasattr(result, "savefig"):
        data = io.BytesIO()
        result.savefig(data, format="png", dpi=110)
        encoded = base64.b64encode(data.getvalue()).decode()
        return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{encoded}">'
    if hasattr(result, "pipe"):
        return image(result.pipe("svg", encoding="utf-8"), f"{title}: {result.description}")
    if isinstance(result, Page):
        return result.html()
    return f"<pre>{html.escape(str(result))}</pre>"


if __name__ == "__main__":
    main()
