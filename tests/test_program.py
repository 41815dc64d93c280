"""Programs: plain data that computes what was recorded, prints, compares, saves and loads."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import random
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_expression import NUMBERS, Plain, run, same_bits, steps
from test_primitives import ROWS, by_name, call, points
from test_transform import random_function

import autograd_engine as ae
from autograd_engine import Value, dot, grad, primitive, tanh, value_and_grad, where
from autograd_engine import program as module
from autograd_engine.expression import recorded
from autograd_engine.program import Program
from autograd_engine.recording import recording
from autograd_engine.registry import TABLE
from autograd_engine.rows import Primitive
from autograd_engine.structures import flat
from autograd_engine.transform import compacted

INF, NAN = math.inf, math.nan
Function = Callable[..., Any]


def program_of(f: Function, *names: str) -> Program:
    """What a function of numbers does."""
    with recording() as recorder:
        z = f(*[recorded(name, recorder.tape) for name in names])
        outputs = [recorder.expression(x).index for x in flat(z)]
    return Program(*compacted(recorder.tape, outputs))


def saved(program: Program, path: Path = Path("program.json")) -> dict[str, Any]:
    """What stands in the file of a program."""
    program.save(path)
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def loaded(data: Any, path: Path = Path("program.json")) -> Program:
    """The program of a file in which this stands."""
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return Program.load(path)


def example() -> Program:
    """A program with all kinds of lines."""

    def f(x: Any, y: Any) -> list[Any]:
        z = where(x < y, tanh(x * 2.5), -y)
        return [z, dot([x, y, 2.0], [z, 1.0, y]), x, 3.0]

    return program_of(f, "x", "y")


# --- calling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_program_of_a_row_gives_what_the_row_gives(row: Primitive) -> None:
    for point in points(row):
        program = program_of(lambda *xs: call(row, xs), *[f"x{i}" for i in range(len(point))])
        assert list(map(same_bits, program(*point), [row.evaluate(point)])) == [True]


@pytest.mark.parametrize("seed", range(100))
def test_a_program_gives_what_the_eager_engine_gives(seed: int) -> None:
    f, rng = random_function(seed), random.Random(seed)
    program = program_of(f, "x", "y", "z")
    for _ in range(3):
        point = [rng.uniform(-2.0, 2.0) for _ in range(3)]
        eager = f(*map(Value, point)).data
        assert program(*point) == [pytest.approx(eager, rel=1e-14, abs=1e-14)]


def test_the_program_of_a_gradient_gives_what_the_eager_engine_gives() -> None:
    for seed in range(30):
        f = value_and_grad(random_function(seed), (0, 1, 2))
        program = program_of(f, "x", "y", "z")
        value, slopes = f(0.3, -0.7, 1.1)
        assert program(0.3, -0.7, 1.1) == pytest.approx([value, *slopes], rel=1e-12, abs=1e-12)


def test_outputs_may_be_inputs_constants_and_the_same_again() -> None:
    program = program_of(lambda x, y: [y, x, y, -0.0, x + y, x + y], "x", "y")
    assert program(1.0, 2.0) == [2.0, 1.0, 2.0, -0.0, 3.0, 3.0]
    assert len(program) == 1


def test_a_program_needs_neither_inputs_nor_outputs() -> None:
    assert program_of(lambda: 2.5)() == [2.5]
    assert program_of(lambda x: [], "x")(1.0) == []


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_inputs_is_refused(count: int) -> None:
    with pytest.raises(TypeError, match=f"^Program: expected 2 numbers, got {count}$"):
        example()(*[1.0] * count)


def test_whole_numbers_and_numpy_s_count_as_floats() -> None:
    numpy = pytest.importorskip("numpy")
    program = program_of(lambda x, y: x / y, "x", "y")
    found = program(numpy.float32(1.0), True + 1)
    assert (found, type(found[0])) == ([0.5], float)


def test_a_program_of_values_makes_their_graph() -> None:
    program = program_of(lambda x, y: tanh(x * 2.5) + (x < y) * y, "x", "y")
    x, y = Value(0.3), Value(2.0)
    (z,) = program(x, y)
    assert type(z) is Value
    z.backward()
    assert z.data == program(0.3, 2.0)[0]
    assert (x.grad, y.grad) == (pytest.approx(2.5 * (1.0 - math.tanh(0.75) ** 2)), 1.0)


def test_text_is_no_number() -> None:
    with pytest.raises(TypeError):
        program_of(lambda x: x * 2.0, "x")("1.5")


# --- equality -------------------------------------------------------------------------------------


def test_the_same_function_recorded_twice_is_the_same_program() -> None:
    for seed in range(20):
        f = value_and_grad(random_function(seed), (0, 2))
        first, second = (program_of(f, "x", "y", "z") for _ in range(2))
        assert first is not second
        assert first == second
        assert hash(first) == hash(second)
        assert str(first) == str(second)
        assert not first != second
        assert len({first, second}) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda x, y: x * y,
        lambda x, y: y + x,
        lambda x, y: [x + y, x],
        lambda x, y: x + y + 0.0,
        lambda x, y: x - y,
        lambda x, y: x,
        lambda x, y: x < y,
        lambda x, y: x <= y,
    ],
)
def test_another_function_is_another_program(other: Function) -> None:
    assert program_of(other, "x", "y") != program_of(lambda x, y: x + y, "x", "y")


def test_programs_that_differ_in_names_or_in_bits_of_constants_differ() -> None:
    def f(c: float) -> Program:
        return program_of(lambda x: x * c, "x")

    assert f(0.0) != f(-0.0)
    assert f(0.1) != f(0.1 + 1e-17 * 2)
    assert f(NAN) == f(NAN)
    assert f(2.0) != program_of(lambda x: x * 2.0, "y")
    assert f(2.0) != program_of(lambda x, y: x * 2.0, "x", "y")
    assert f(2.0) != "program"


def test_where_lines_come_from_makes_no_difference() -> None:
    first = program_of(lambda x: tanh(x), "x")
    second = program_of(lambda x: tanh(x), "x")
    assert first.origins != second.origins
    assert first == second


SCRIPT = """
import sys
import autograd_engine as ae
from autograd_engine import Value, dot, grad, tanh, value_and_grad, where
from autograd_engine.expression import recorded
from autograd_engine.program import Program
from autograd_engine.recording import recording
from autograd_engine.structures import flat
from autograd_engine.transform import compacted

weights = [Value(0.5, label="w"), Value(-1.0), Value(2.0)]

def loss(p, q):
    h = tanh(dot(weights, [p, q, 1.0]))
    return where(h > 0.1, h * p, ae.logsumexp([h, q, p]) ** 3) + ae.softmax([p, q, h])[0]

with recording() as recorder:
    xs = [recorded(name, recorder.tape) for name in ("p", "q")]
    found = value_and_grad(lambda ps: grad(lambda q: loss(ps[0], q))(ps[1]))(xs)
    outputs = [recorder.expression(x).index for x in flat(found)]
program = Program(*compacted(recorder.tape, outputs))
print(program)
program.save(sys.argv[1])
"""


def test_a_function_is_the_same_program_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    texts, files = set(), set()
    for seed in ("0", "1", "12345"):
        path = tmp_path / f"program{seed}.json"
        done = subprocess.run(
            [sys.executable, str(script), str(path)],
            capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        texts.add(done.stdout)
        files.add(path.read_bytes())
    assert len(texts) == len(files) == 1
    assert str(Program.load(path)) + "\n" == texts.pop()


# --- printing -------------------------------------------------------------------------------------


def test_the_listing_names_every_line_and_where_it_comes_from() -> None:
    def f(x: Any, y: Any) -> list[Any]:
        z = tanh(x * 2.5)
        c = z < y
        return [where(c, -z, y / -2.0), x, 3.0, dot([x, y], [z, 1.0])]

    line = f.__code__.co_firstlineno
    here = os.path.basename(__file__)
    program = program_of(f, "x", "y")
    found = [text.split("#") for text in str(program).splitlines()]
    assert [text[0].strip() for text in found] == [
        "v0 = x",
        "v1 = y",
        "v3 = v0 * 2.5",
        "v4 = tanh(v3)",
        "v5 = v4 < v1",
        "v6 = -v4",
        "v8 = v1 / -2.0",
        "v9 = where(v5, v6, v8)",
        "v11 = dot([v0, v1], [v4, 1.0])",
        "return v9, v0, 3.0, v11",
    ]
    assert [text[1].strip() for text in found if len(text) > 1] == [
        f"{here}:{line + n}" for n in (1, 1, 2, 3, 3, 3, 3)
    ]


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: -2.0 - x, "(-2.0) - v0"),
        (lambda x: (-2.0) ** x, "(-2.0) ** v0"),
        (lambda x: x**-2, "v0 ** -2.0"),
        (lambda x: x * INF, "v0 * inf"),
        (lambda x: NAN * x, "nan * v0"),
        (lambda x: x * -0.0, "v0 * -0.0"),
        (lambda x: 5e-324 + x, "5e-324 + v0"),
        (lambda x: ae.atan2(x, -1), "atan2(v0, -1.0)"),
        (lambda x: ae.sum([x, x, -1]), "sum([v0, v0, -1.0])"),
        (lambda x: x != 3, "v0 != 3.0"),
        (lambda x: abs(x), "abs(v0)"),
        (lambda x: x**2, "square(v0)"),
    ],
)
def test_lines_read_as_python(f: Function, text: str) -> None:
    program = program_of(f, "x")
    assert program.line(program.outputs[0]) == text


@settings(max_examples=150)
@given(steps(), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS) | st.floats(-3.0, 3.0))
def test_the_listing_runs_as_python_and_gives_the_same_bits(
    written: list[tuple[Any, tuple[Any, ...]]], x: float, y: float
) -> None:
    program = program_of(lambda a, b: [run(written, a, b), a], "x", "y")
    text = textwrap.indent(str(program), "    ")
    names: dict[str, Any] = {**TABLE, "inf": INF, "nan": NAN, "x": Plain(x), "y": Plain(y)}
    exec(f"def listed():\n{text}\n", names)
    found = [z.data if isinstance(z, Plain) else z for z in names["listed"]()]
    assert list(map(same_bits, found, program(x, y))) == [True, True]


def test_repr_says_how_large_it_is() -> None:
    assert repr(example()) == "<Program of 2 inputs, 6 operations, 4 outputs>"
    assert len(example()) == 6


# --- saving and loading ---------------------------------------------------------------------------


def test_what_was_saved_is_loaded() -> None:
    program = example()
    program.save("a.json")
    found = Program.load("a.json")
    assert found == program
    assert hash(found) == hash(program)
    assert str(found) == str(program)
    assert repr(found) == repr(program)
    assert found(0.5, 2.0) == program(0.5, 2.0)
    assert Program.load(Path("a.json")) == program


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_every_row_is_saved_and_loaded(row: Primitive) -> None:
    point = points(row, 3)[0]
    program = program_of(lambda *xs: call(row, xs), *[f"x{i}" for i in range(len(point))])
    program.save("row.json")
    assert Program.load("row.json") == program
    assert same_bits(Program.load("row.json")(*point)[0], row.evaluate(point))


@pytest.mark.parametrize("seed", range(20))
def test_gradients_are_saved_and_loaded(seed: int) -> None:
    program = program_of(value_and_grad(random_function(seed), (0, 1, 2)), "x", "y", "z")
    program.save("gradient.json")
    found = Program.load("gradient.json")
    assert found == program
    assert found(0.1, -0.4, 1.3) == program(0.1, -0.4, 1.3)


def test_comparisons_are_saved_and_loaded() -> None:
    program = program_of(lambda x, y: [x < y, x <= y, x > y, x >= y, x == y, x != y], "x", "y")
    program.save("compare.json")
    assert Program.load("compare.json") == program
    assert Program.load("compare.json")(1.0, 2.0) == [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]


CONSTANTS = [
    0.0, -0.0, INF, -INF, NAN, 5e-324, -5e-324, 2.2250738585072014e-308, 2.225073858507201e-308,
    1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1.0 / 3.0, math.pi, 1e22, 1e23,
]  # fmt: skip


@pytest.mark.parametrize("c", CONSTANTS)
def test_constants_keep_their_last_bit(c: float) -> None:
    program = program_of(lambda x: [c, x + c], "x")
    program.save("constant.json")
    found = Program.load("constant.json")
    assert found == program
    assert same_bits(found(0.0)[0], c)
    assert all(same_bits(found.constants[i], x) for i, x in program.constants.items())


@settings(max_examples=100)
@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_any_constants_keep_their_last_bit(constants: list[float]) -> None:
    program = program_of(lambda x: [x, *constants], "x")
    program.save("constants.json")
    found = Program.load("constants.json")(1.0)
    assert list(map(same_bits, found, [1.0, *constants])) == [True] * len(found)


@pytest.mark.parametrize("name", ["", "ä", "a\nb", '"', "\\", "\x00", "\ud800", "😀", "a" * 1000])
def test_names_of_any_kind_survive(name: str) -> None:
    program = program_of(lambda x: x * 2.0, name)
    program.save("name.json")
    assert Program.load("name.json").inputs == (name,)


def test_the_file_is_json_without_anything_of_this_machine() -> None:
    data = saved(example())
    assert data.keys() == {"format", "inputs", "lines", "outputs", "origins"}
    assert __file__ not in Path("program.json").read_text()
    assert os.path.dirname(__file__) not in Path("program.json").read_text()


def test_saving_again_gives_the_same_file() -> None:
    example().save("one.json")
    Program.load("one.json").save("two.json")
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_copies_and_pickles_are_equal() -> None:
    program = example()
    for found in (copy.copy(program), copy.deepcopy(program)):
        assert found == program
        assert found(1.0, 2.0) == program(1.0, 2.0)
    assert pickle.loads(pickle.dumps(program)) == program


def own_row() -> Primitive:
    @primitive(lambda z, x: 3.0 * x * x)
    def cube_of_mine(x: Any) -> Any:
        """x * x * x. Source: a test."""
        return x * x * x

    return cube_of_mine


def test_a_program_with_a_row_of_a_user_refuses_to_be_saved() -> None:
    row = own_row()
    program = program_of(lambda x: row(x) + 1.0, "x")
    with pytest.raises(ValueError, match=r"^Program\.save: .*cube_of_mine"):
        program.save("own.json")
    assert not Path("own.json").exists()


def test_a_program_with_a_row_that_is_gone_refuses_to_be_saved() -> None:
    row = own_row()
    program = program_of(lambda x: row(x) + 1.0, "x")
    del TABLE[row.name]
    with pytest.raises(ValueError, match=r"^Program\.save: .*cube_of_mine"):
        program.save("own.json")
    assert not Path("own.json").exists()


def test_a_program_with_a_row_of_a_user_can_be_called_and_printed() -> None:
    row = own_row()
    program = program_of(grad(lambda x: row(x) + row(2.0 * x)), "x")
    assert program(2.0) == [108.0]
    assert "cube_of_mine(v0)" in str(program_of(row, "x"))


# --- damaged and hostile files --------------------------------------------------------------------


def refused(data: Any, path: Path = Path("program.json")) -> str:
    """The message of the ValueError that names the file."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        loaded(data, path)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return str(error.value)


def refused_or_sound(data: Any, path: Path = Path("program.json")) -> bool:
    """Whether it was refused in good order; if not, it must be a program that runs."""
    try:
        program = loaded(data, path)
    except ValueError as error:
        assert str(path) in str(error)
        return True
    assert isinstance(program, Program)
    str(program)
    hash(program)
    found = program(*[0.5] * len(program.inputs))
    assert all(type(x) is float for x in found)
    return False


def small() -> dict[str, Any]:
    """A small file: v3 = v0 * 2.5; v4 = v3 < v1; v5 = dot([v3, v0], [v1, v4])."""

    def f(x: Any, y: Any) -> list[Any]:
        z = x * 2.5
        return [dot([z, x], [y, z < y]), y]

    return saved(program_of(f, "x", "y"))


def with_line(line: Any) -> dict[str, Any]:
    """The small file with another third operation."""
    data = small()
    data["lines"][-1] = line
    return data


def test_the_small_file_is_sound() -> None:
    data = small()
    assert data["lines"][-1] == ["dot", 3, 0, 1, 4]
    assert loaded(data)(2.0, 7.0) == [5.0 * 7.0 + 2.0, 7.0]


def test_a_truncated_file_is_refused_wherever_it_ends() -> None:
    small()
    whole = Path("program.json").read_text()
    for end in range(len(whole)):
        refused(whole[:end])


def test_random_bytes_in_place_of_others_are_refused_or_make_a_sound_program() -> None:
    small()
    path, rng = Path("program.json"), random.Random(0)
    whole = path.read_bytes()
    outcomes = set()
    for _ in range(400):
        changed = bytearray(whole)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            changed[rng.randrange(len(changed))] = rng.choice(
                (rng.randrange(256), *b'0123456789[]{},":-.eE')
            )
        path.write_bytes(changed)
        try:
            program = Program.load(path)
        except ValueError as error:
            assert str(path) in str(error)
            outcomes.add(False)
        else:
            program(*[0.5] * len(program.inputs))
            outcomes.add(True)
    assert outcomes == {False, True}


STRANGE = [
    None, True, False, -1, 0, 1, 5, 6, 10**6, 2**63, 10**30, -(10**30), 0.0, 1.5, -0.0, NAN, INF,
    "", "x", "0x1p0", "nan", "add", "lt", "__class__", "1e5", [], {}, [[]], [None], ["add"],
    ["add", 0], ["add", 0, 0, 0], ["dot", 0], ["sum"], [0, 0], [[0]], {"format": 1}, ["x", "y"],
]  # fmt: skip


def places(x: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part of nested lists and dicts."""
    yield path
    items = x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def replaced(data: Any, path: tuple[Any, ...], by: Any) -> Any:
    """A copy with another part in one place; without it, for the word "gone"."""
    if not path:
        return by
    found = copy.deepcopy(data)
    part = found
    for key in path[:-1]:
        part = part[key]
    if by == "gone":
        del part[path[-1]]
    else:
        part[path[-1]] = by
    return found


@pytest.mark.parametrize("strange", [*STRANGE, "gone"], ids=repr)
def test_anything_in_the_place_of_anything_is_refused_or_makes_a_sound_program(
    strange: Any,
) -> None:
    data = small()
    outcomes = [refused_or_sound(replaced(data, path, strange)) for path in places(data)]
    assert any(outcomes)


@pytest.mark.parametrize("key", ["format", "inputs", "lines", "outputs", "origins"])
def test_each_key_is_needed_and_of_its_type(key: str) -> None:
    for strange in ("gone", None, True, 5, 1.5, "x", {}, [{}], [None], [True]):
        refused(replaced(small(), (key,), strange))


@pytest.mark.parametrize(
    "line",
    [
        ["add", 0, 5], ["add", 0, 6], ["add", 0, 10**9], ["add", 0, -1], ["add", -6, 0],
        ["add", 0, 2**64], ["lt", 5, 0], ["dot", 0, 1, 2, 5], ["neg", -1],
    ],
    ids=repr,
)  # fmt: skip
def test_operands_are_lines_before(line: list[Any]) -> None:
    assert "line 5: operands must be lines before it" in refused(with_line(line))


@pytest.mark.parametrize(
    "line",
    [
        ["add"], ["add", 0], ["add", 0, 1, 2], ["tanh"], ["tanh", 0, 1], ["where", 0, 1], ["dot"],
        ["dot", 0], ["dot", 0, 1, 2], ["sum"], ["logsumexp"], ["lt", 0], ["eq", 0, 1, 2], ["lt"],
    ],
    ids=repr,
)  # fmt: skip
def test_the_number_of_operands_is_that_of_the_operation(line: list[Any]) -> None:
    assert f"line 5: {line[0]} of {len(line) - 1} operands" in refused(with_line(line))


@pytest.mark.parametrize(
    "name",
    ["", "Add", "eval", "__import__", "truediv", "+", "detach", "alias", "swish", "os.system"],
)  # fmt: skip
def test_an_unknown_operation_is_refused_by_name(name: str) -> None:
    assert f"line 5: unknown operation {name!r}" in refused(with_line([name, 0, 1]))


@pytest.mark.parametrize(
    "line", [[], [None, 0, 1], [["add"], 0, 1], [{}, 0], [5, 0, 1], [True, 0, 1]]
)
def test_a_line_begins_with_a_name(line: list[Any]) -> None:
    refused(with_line(line))


@pytest.mark.parametrize("bad", [True, False])
def test_true_and_false_are_no_numbers_of_lines(bad: bool) -> None:
    refused(with_line(["add", 0, bad]))
    refused(with_line(["lt", bad, 0]))
    refused({**small(), "outputs": [bad]})
    refused(replaced(small(), ("origins", 0, 1), bad))


@pytest.mark.parametrize("bad", ["", "x", "0x", "1,5", "0x1p", "infinit", "--1", "0x1p0 0x1p0"])
def test_what_is_no_number_is_no_constant(bad: str) -> None:
    refused(replaced(small(), ("lines", 0), bad))


@pytest.mark.parametrize("bad", ["0x1p1024", "0x1p99999", "-0x1p99999", "0x1" + "0" * 400])
def test_a_constant_that_is_too_large_is_refused(bad: str) -> None:
    refused(replaced(small(), ("lines", 0), bad))


@pytest.mark.parametrize("outputs", [[6], [-1], [0, 10**18], ["0"], [None], [0.0], [[0]], 0, "0"])
def test_outputs_are_lines(outputs: Any) -> None:
    refused({**small(), "outputs": outputs})


@pytest.mark.parametrize(
    "origin", [[], ["f"], ["f", 1, 2], [1, "f"], [None, 1], ["f", "1"], ["f", 1.0], "f1", {"f": 1}]
)
def test_origins_are_files_and_lines(origin: Any) -> None:
    refused(replaced(small(), ("origins", 2), origin))


def test_there_is_one_origin_for_each_line() -> None:
    data = small()
    for origins in (data["origins"][:-1], [*data["origins"], ["f", 1]], []):
        refused({**data, "origins": origins})


@pytest.mark.parametrize("key", ["format", "inputs", "lines", "outputs", "origins"])
def test_a_key_that_is_there_twice_is_refused(key: str) -> None:
    data = small()
    text = json.dumps(data)
    refused(f'{{"{key}": {json.dumps(data[key])}, {text[1:]}')


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
@pytest.mark.parametrize("brackets", ["[]", ['{"lines":', "}"]])
def test_deep_json_is_refused(depth: int, brackets: Any) -> None:
    left, right = brackets
    refused(left * depth + right * depth)
    refused(left * depth)


@pytest.mark.parametrize("depth", [5, 500, 100_000])
@pytest.mark.parametrize("key", ["inputs", "lines", "outputs", "origins", "more"])
def test_deep_json_in_place_of_a_part_is_refused_or_left_out(depth: int, key: str) -> None:
    data = small()
    data[key] = "deep"
    text = json.dumps(data).replace('"deep"', "[" * depth + "]" * depth)
    if key == "more":
        refused_or_sound(text)
    else:
        refused(text)


@pytest.mark.parametrize("digits", [400, 5_000, 100_000])
def test_numbers_of_many_digits_are_refused(digits: int) -> None:
    text = json.dumps(with_line(["add", 0, 77]))
    refused(text.replace("77", "7" * digits))
    refused(text.replace("77", "-" + "7" * digits))
    refused(text.replace("77", "1e" + "7" * 10))


@pytest.mark.parametrize(
    "text",
    ["", " ", "null", "[]", "{}", "5", '"autograd_engine program 1"', "\x00", "{", "NaN", "[1, 2"],
)
def test_what_is_no_program_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x80", b"\x89PNG\r\n", b"\xef\xbb\xbf{}"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    Path("program.json").write_bytes(data)
    with pytest.raises(ValueError, match=re.escape("program.json: no JSON")):
        Program.load("program.json")


def test_another_version_is_refused() -> None:
    message = refused({**small(), "format": "autograd_engine program 2"})
    assert message == "program.json: no program of this version of autograd_engine"


def test_a_file_that_is_too_large_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small()
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    assert "a program has at most 100" in refused(data)


def test_too_many_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small()
    monkeypatch.setattr(module, "MAX_LINES", 5)
    assert "more than 5 lines" in refused(data)
    monkeypatch.setattr(module, "MAX_LINES", 6)
    assert len(loaded(data).operations) == 6


def test_huge_lists_are_refused_in_no_time() -> None:
    data = small()
    refused({**data, "outputs": [10**9] * 200_000})
    refused({**data, "inputs": [0] * 200_000})
    refused(with_line(["sum", *[9] * 200_000]))
    refused({**data, "lines": [["neg", 0]] * 200_000})


@pytest.mark.parametrize("line", [["sum", *[9] * 20_000], ["x" * 20_000, 0]], ids=["sum", "x"])
def test_a_message_of_a_hostile_file_is_short(line: list[Any]) -> None:
    assert len(refused(with_line(line))) < 1_000


def test_a_file_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(FileNotFoundError):
        Program.load("nowhere.json")
