"""`python -m autograd_engine draw "tanh(x*w + b)" x=2 w=-3 b=1 -o neuron.svg`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from autograd_engine.drawing import draw
from autograd_engine.errors import ExpressionError, RenderError
from autograd_engine.parsing import evaluate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) > 1 and re.match(r"-[^oh-]", words[1]):
        words[1] = f"({words[1]})"  # an expression that begins with a minus, not an option
    options = _parser().parse_intermixed_args(words)
    try:
        output = evaluate(options.expression, _values(options.values))
        output.label = output.label or "output"
        output.backward()
        path = draw(output, options.output)
    except OSError as error:
        return _fail(f"cannot write {options.output}: {error.strerror}")
    except (ExpressionError, RenderError, ValueError) as error:
        return _fail(str(error))
    print(f"{options.expression} = {output.data:.6g}; wrote {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m autograd_engine",
        description="Draw the computation graph of a scalar expression, gradients included.",
        epilog='example: python -m autograd_engine draw "tanh(x*w + b)" x=2 w=-3 b=1 -o n.svg',
    )
    parser.add_argument("command", choices=["draw"], metavar="draw", help="what to do")
    parser.add_argument("expression", help="numbers, names, + - * / ** and the primitives")
    parser.add_argument("values", nargs="*", metavar="NAME=NUMBER", help="a value for each name")
    parser.add_argument(
        "-o", "--output", default="graph.svg", metavar="FILE", help=".svg, .png, .jpg, .pdf or .dot"
    )
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
