"""A function recorded for one structure of its arguments, ready to be called.

`Specialization` records, differentiates where Values take part, and builds the two runs that a call
may need: with gradients by the Values, and without.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from autograd_engine.backend import Value
from autograd_engine.conversion import number, shown
from autograd_engine.expression import Expression
from autograd_engine.options import Options, called, derives
from autograd_engine.options import kinds as kinds_of
from autograd_engine.program import Program
from autograd_engine.recording import Recorder, recording
from autograd_engine.replay import runner
from autograd_engine.splitting import EACH, TOTAL
from autograd_engine.structures import blocks, leaves
from autograd_engine.tape import Tape
from autograd_engine.templates import Template, filled, places
from autograd_engine.transform import compacted, dependents, frozen, needed, pulled_back, shortened
from autograd_engine.work import Work

__all__ = ["Specialization"]


class Specialization:
    """Call it with the arguments; `MISMATCH` when their structure is another one.

    Attributes
    ----------
    runs : dict of bool to callable
        What computes it, with gradients by Values or without.
    statistics : dict of str to int
        How many lines there were after each pass, and what the result needs; with gradients by
        Values, once those were computed.
    """

    def __init__(self, options: Options, arguments: tuple[Template, ...]) -> None:
        self._options, self._arguments = options, arguments
        with recording() as recorder:
            self._record(recorder)
        self.runs: dict[bool, Callable[..., Any]] = {}

    def _record(self, recorder: Recorder) -> None:
        """Run the function on inputs of a tape, and add what its gradients need."""
        options, tape = self._options, recorder.tape
        found = [
            (tape.input(path), kind)
            for i, template in enumerate(self._arguments)
            for path, kind in places(template, options.name(i))
        ]
        new = iter([Expression(tape, line) for line, _ in found])
        output = options.f(*[filled(template, new) for template in self._arguments])
        self._result, results = _described_result(options, recorder, output)
        kinds = kinds_of(options, len(self._arguments), output, len(results))
        derived = derives(options.f) is not None
        self._check_dependence(recorder, results, derived)
        self._batched = [line for line, kind in found if kind.endswith("rows")]
        self._captured = tuple(recorder.captured)
        values = [line for line, kind in found if kind == "value"]
        values = [] if derived else [*values, *recorder.captured.values()]
        varying = dependents(tape, tuple(values), max(results, default=-1)) if values else ()
        self._fused = tuple([line in varying for line in results])
        gradients = self._gradients(tape, results, values)
        over_batch = TOTAL if options.reduce else EACH
        self._work = self._simplified(
            tape, [*results, *gradients], (*kinds, *[over_batch] * len(gradients))
        )

    def _gradients(self, tape: Tape, results: list[int], values: list[int]) -> list[int]:
        """The lines of the gradients by Values, of one fused number after the other."""
        one = tape.constant(1.0)
        return [
            line
            for result, fused in zip(results, self._fused, strict=True)
            if fused
            for line in pulled_back(tape, [(one, result)], values)
        ]

    def _simplified(self, tape: Tape, results: list[int], kinds: tuple[str, ...]) -> Work:
        short, lines = compacted(tape, results)
        number = {line: i for i, line in enumerate(tape.names)}
        return Work(
            arguments=self._arguments,
            program=Program(short, lines),
            batched=tuple([number[i] for i in self._batched]),
            kinds=kinds,
            reduce=self._options.reduce,
            result=self._result,
            fused=self._fused,
            captured=self._captured,
            recorded=len(tape),
            name=called(self._options.f),
            threads=self._options.threads,
        )

    def _check_dependence(self, recorder: Recorder, results: list[int], derived: bool) -> None:
        tape = recorder.tape
        lines = needed(tape, results) if not derived else range(len(tape))
        if not any(i in tape.names for i in lines) or (
            derived and all(operation is None for operation in tape.operations)
        ):
            raise TypeError(
                f"compile: the result of {called(self._options.f)} depends on none of its "
                "arguments and on no Value, so it would be the same at every call; compute with "
                "the arguments themselves, not with their .data or a number taken before"
            )

    def __call__(self, args: tuple[Any, ...], out: Any, records: bool) -> Any:
        """The result; `MISMATCH` when the arguments have another structure."""
        if records not in self.runs:
            run, statistics = runner(self._work if records else self._plain())
            if records or not self.runs:
                self.statistics = statistics
            self.runs[records] = run
        return self.runs[records](args, out)

    @functools.cached_property
    def program(self) -> Program:
        """What was recorded, without the gradients by Values; those come last among its inputs."""
        return self._plain().program

    def frozen(self) -> Program:
        """The program with the numbers that captured Values have now."""
        return frozen(self.program, [x.data for x in self._captured])

    def _plain(self) -> Work:
        """The work without gradients by Values."""
        work, count = self._work, len(self._fused)
        if len(work.kinds) == count:
            return work
        program = shortened(work.program, work.program.outputs[:count])
        return work._replace(program=program, kinds=work.kinds[:count])


def _described_result(
    options: Options, recorder: Recorder, output: Any
) -> tuple[Template, list[int]]:
    """The template of a result, and the line of each number in it."""
    lines = []
    if any(hasattr(x, "mask") for x in blocks(output)):
        raise TypeError(f"compile: {called(options.f)} returned a masked array; fill it")
    for path, x in leaves(output):
        try:
            known = x if isinstance(x, Expression | Value) else number(x, "compile")
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"compile: {called(options.f)} returned {shown(x)}"
                f"{' at ' + path if path else ''}; return numbers, or lists, tuples, dicts and "
                f"arrays of them ({error})"
            ) from None
        lines.append(recorder.expression(known).index)
    return _template(output), lines


def _template(x: Any) -> Template:
    """The template of a result: its leaves are numbers."""
    if isinstance(x, dict):
        return Template("dict", (), tuple(x), tuple(map(_template, x.values())))
    if isinstance(x, list | tuple):
        own = type(x) if hasattr(x, "_fields") else None
        kind = "list" if isinstance(x, list) else "tuple"
        return Template(kind, (), (), tuple(map(_template, x)), own)
    if getattr(x, "ndim", 0):
        return Template("array", tuple(x.shape))
    return Template("number")
