"""Run all benchmarks, or those named, and print one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.benchmarks.measuring import (
    Row,
    Settings,
    in_fresh_process,
    parser,
    report,
    rows_of,
    settings,
)

QUESTIONS = ("moons", "gpt", "operations", "memory", "growth", "derivatives", "compiled", "seeing")


def all_rows(questions: Sequence[str], chosen: Settings) -> Iterator[Row]:
    """The rows of each benchmark, from a process of its own.

    So each finds the memory and the collector as it does when it runs alone: PyTorch, once
    imported, has so many objects that every full collection takes longer.
    """
    for question in questions:
        yield from in_fresh_process(rows_of, f"tests.benchmarks.{question}", chosen)


def main() -> None:
    """Read the command line and print the table."""
    options = parser(__doc__)
    options.add_argument("questions", nargs="*", metavar="question", help=", ".join(QUESTIONS))
    arguments = options.parse_args()
    if unknown := set(arguments.questions) - set(QUESTIONS):
        options.error(f"unknown question {min(unknown)!r}; there are {', '.join(QUESTIONS)}")
    report(all_rows(arguments.questions or QUESTIONS, settings(arguments)))


if __name__ == "__main__":
    main()
