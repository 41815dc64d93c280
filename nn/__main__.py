"""`python -m nn train FILE.csv --target COLUMN` and `python -m nn demo`.

Trains a network on a table and writes what came out: the model, its loss curve, the graph of one
sample, and for two inputs the decision boundary.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autograd_engine import RenderError
from nn.data import DataError, Dataset, iris, read_csv, two_moons
from nn.experiment import Settings, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 2 for bad input, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    out = Path(options.out)
    try:
        import matplotlib  # noqa: F401 (before the training, not after it)

        settings = Settings(**{name: getattr(options, name) for name in Settings.__annotations__})
        if options.command == "train":
            run(read_csv(options.file, options.target), settings, out)
        else:
            _demo(settings, out)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing written", status=130)
    except ImportError:
        return _fail('the plots need matplotlib; install it: pip install -e ".[plot]"')
    except OSError as error:
        return _fail(f"{error.filename or out}: {error.strerror}")
    except (DataError, RenderError, FloatingPointError) as error:
        return _fail(str(error))
    return 0


def _demo(settings: Settings, out: Path) -> None:
    print("Iris: three species from four measurements")
    run(iris(), settings, out / "iris")
    print("\nMoons: which of two half circles?")
    X, y = two_moons(200, noise=0.1, rng=settings.seed)
    classes = [(label + 1) // 2 for label in y]
    run(Dataset(X, classes, ["x", "y"], "moon", ["upper", "lower"]), settings, out / "moons")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nn", description="Train a small neural network and draw what it does."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="train | demo")
    train = commands.add_parser("train", help="train on a CSV file with a header")
    train.add_argument("file", metavar="FILE.csv", help="numeric columns become inputs")
    train.add_argument(
        "--target", required=True, metavar="COLUMN", help="text: classes; numbers: regression"
    )
    demo = commands.add_parser("demo", help="train on Iris and on two moons")
    for command, folder in ((train, "nn-output"), (demo, "demo-output")):
        command.add_argument("--out", default=folder, metavar="DIR", help=f"default: {folder}")
        _add_settings(command)
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    widths = ",".join(map(str, Settings.layers))
    command.add_argument(
        "--layers", type=_widths, default=Settings.layers, metavar="N,N", help=f"hidden: {widths}"
    )
    options: dict[str, tuple[Callable[[str], Any], str]] = {
        "epochs": (_at_least_one, "passes over the training rows"),
        "batch_size": (_at_least_one, "rows per step"),
        "learning_rate": (_positive, "of gradient descent"),
        "momentum": (_share, "of gradient descent"),
        "test_size": (_share, "share of the rows to test on"),
        "seed": (int, "of the split, the weights and the order"),
    }
    for name, (kind, text) in options.items():
        default = getattr(Settings, name)
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=default,
            metavar="N" if isinstance(default, int) else "X",
            help=f"{text}; default: {default}",
        )


def _widths(text: str) -> tuple[int, ...]:
    return tuple(_at_least_one(word) for word in text.split(",") if word.strip())


def _at_least_one(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _positive(text: str) -> float:
    return _number(text, lambda x: 0.0 < x < math.inf, "a positive number")


def _share(text: str) -> float:
    return _number(text, lambda x: 0.0 <= x < 1.0, "a number from 0 to below 1")


def _number(text: str, fits: Callable[[float], bool], what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not fits(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return number


def _fail(message: str, status: int = 2) -> int:
    print(f"nn: error: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
