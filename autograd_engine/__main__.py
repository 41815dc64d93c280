"""`python -m autograd_engine draw "tanh(x*w + b)" x=2 w=-3 b=1 -o neuron.svg`; explain; step."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograd_engine.animating import animate
from autograd_engine.backend import Value
from autograd_engine.drawing import draw, text_tree
from autograd_engine.errors import ExpressionError, RenderError
from autograd_engine.explaining import explain
from autograd_engine.files import write
from autograd_engine.parsing import evaluate
from autograd_engine.stepping import stepper, steps
from autograd_engine.themes import THEMES

OUTPUTS = {"draw": "graph.svg", "explain": "-", "step": "steps.html"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # an expression that begins with a minus is no option
    options = _parser().parse_intermixed_args([re.sub(r"^(-[^oh-].*)$", r"(\1)", x) for x in words])
    target = options.output or OUTPUTS[options.command]
    try:
        _check(options)
        leaves = {name: Value(x, label=name) for name, x in _values(options.values).items()}
        output = evaluate(options.expression, leaves)
        output.label = output.label or "output"
        output.backward()
        done = _COMMANDS[options.command](output, leaves, target, options)
    except OSError as error:
        return _fail(f"cannot write {target}: {error.strerror}")
    except (ExpressionError, RenderError, ImportError, ValueError) as error:
        return _fail(str(error))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may not know the signs of a tree
        sys.stdout.reconfigure(errors="backslashreplace")
    if target == "-":
        print(done)
    else:
        print(f"{options.expression} = {output.data:.6g}; wrote {done}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse an option that the command would ignore."""
    for name in {"theme", "direction"} if options.command == "explain" else {"wrt"}:
        if getattr(options, name) is not None:
            raise ExpressionError(
                f"--{name} {getattr(options, name)}: {options.command} has no use for it"
            )


def _draw(
    output: Value, leaves: Mapping[str, Value], target: str, options: argparse.Namespace
) -> object:
    if target == "-":
        return text_tree(output)
    return draw(output, target, **_look(options))


def _explain(
    output: Value, leaves: Mapping[str, Value], target: str, options: argparse.Namespace
) -> object:
    if options.wrt is not None and options.wrt not in leaves:
        known = ", ".join(leaves) or "none"
        raise ExpressionError(f"--wrt {options.wrt}: no such name; there is {known}")
    explanation = explain(output, wrt=leaves[options.wrt] if options.wrt else None)
    if target == "-":
        return explanation
    forms: dict[str, Callable[[], str]] = {
        ".txt": lambda: f"{explanation}\n",
        ".md": explanation.markdown,
        ".tex": explanation.latex,
    }
    form = forms.get(Path(target).suffix.lower())
    if form is None:
        raise ValueError(f"explain: {target!r} does not end in {', '.join(forms)}")
    return write(form(), target)


def _step(
    output: Value, leaves: Mapping[str, Value], target: str, options: argparse.Namespace
) -> object:
    if target == "-":
        return "\n".join(map(str, steps(output)))
    if Path(target).suffix.lower() in (".html", ".htm"):
        return stepper(output, **_look(options)).save(target)
    return animate(output, target, **_look(options))


def _look(options: argparse.Namespace) -> dict[str, Any]:
    return {"theme": options.theme or "light", "direction": options.direction or "LR"}


_COMMANDS: dict[str, Callable[..., object]] = {"draw": _draw, "explain": _explain, "step": _step}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m autograd_engine",
        description="Show the computation graph of a scalar expression, and its gradients.",
        epilog='examples: draw "tanh(x*w + b)" x=2 w=-3 b=1 -o neuron.svg; '
        'explain "x*x + x" x=3 --wrt x; step "tanh(x*w + b)" x=2 w=-3 b=1 -o steps.html',
    )
    parser.add_argument(
        "command",
        choices=list(OUTPUTS),
        metavar="draw|explain|step",
        help="a picture, the gradients in words, or a page (or film) to step through",
    )
    parser.add_argument("expression", help="numbers, names, + - * / ** and the primitives")
    parser.add_argument("values", nargs="*", metavar="NAME=NUMBER", help="a value for each name")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the ending decides the format; - is standard output, as text. draw: .svg (the "
        "default, graph.svg), .png, .jpg, .pdf, .dot, .mmd, .md, .json, .txt; explain: - (the "
        "default), .txt, .md, .tex; step: .html (the default, steps.html), .svg, .gif, .mp4",
    )
    parser.add_argument("--wrt", metavar="NAME", help="explain: the paths to this one, too")
    parser.add_argument("--theme", choices=list(THEMES), help="light, unless told")
    parser.add_argument("--direction", choices=["LR", "TB"], help="LR, unless told")
    return parser


def _values(words: Sequence[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for word in words:
        name, equals, number = word.partition("=")
        if not equals or not name.isidentifier():
            raise ExpressionError(f"expected NAME=NUMBER, got {word!r}")
        if name in values:
            raise ExpressionError(f"{name!r} has two values")
        try:
            values[name] = float(number)
        except ValueError:
            raise ExpressionError(f"{name}={number}: {number!r} is not a number") from None
    return values


def _fail(message: str) -> int:
    print(f"autograd_engine: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
