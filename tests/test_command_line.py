"""The two command lines as a user meets them: subprocesses, good input and every kind of bad."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from nn import load

PNG = b"\x89PNG\r\n\x1a\n"
QUICK = ("--epochs", "2", "--layers", "3")

pytest.importorskip("matplotlib")


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", **environment},
        timeout=120,
    )


def succeed(module: str, *arguments: str, **environment: str) -> str:
    done = run(module, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def fail(module: str, *arguments: str, **environment: str) -> str:
    """The one line of a refusal, after the checks that hold for all of them."""
    before = files()
    done = run(module, *arguments, **environment)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert files() == before
    lines = [line for line in done.stderr.split("\n") if line and "epoch/s" not in line]
    if lines[0].startswith("usage: "):
        return lines[-1]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{module}: error: ")
    return lines[0]


def files() -> dict[str, bytes | None]:
    """Every path below the working directory, with the content of the files."""
    return {
        path.as_posix(): path.read_bytes() if path.is_file() else None for path in Path().rglob("*")
    }


def table(header: str, row: Callable[[random.Random, int], str], n: int = 24) -> str:
    rng = random.Random(0)
    Path("table.csv").write_text(
        "\n".join([header, *(row(rng, i) for i in range(n))]) + "\n", encoding="utf-8"
    )
    return "table.csv"


def two_inputs() -> str:
    return table("a,b,kind", lambda r, i: f"{r.gauss(i % 2, 0.3)},{r.random()},{'xy'[i % 2]}")


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


PICTURES = ["graph.png", "graph.svg", "loss.png"]


# --- nn train: good input ---------------------------------------------------------------


def test_classification_of_two_inputs_writes_all_files_readable() -> None:
    out = succeed("nn", "train", two_inputs(), "--target", "kind", "--out", "out", *QUICK)
    assert names("out") == ["decision.png", *PICTURES, "model.json"]
    for name in ("decision.png", "graph.png", "loss.png"):
        assert Path("out", name).read_bytes().startswith(PNG)
    assert ET.parse("out/graph.svg").getroot().tag.endswith("svg")
    model, notes = load("out/model.json")
    assert repr(model) == "MLP(2 -> 3 tanh -> 2 linear), 17 parameters"
    assert (notes["inputs"], notes["target"], notes["classes"]) == (["a", "b"], "kind", ["x", "y"])
    assert "train accuracy: " in out
    assert "test accuracy: " in out
    assert "18 rows to train, 6 to test" in out


def test_classification_of_three_inputs_has_no_decision_boundary() -> None:
    file = table("a,b,c,kind", lambda r, i: f"{r.random()},{r.random()},{i},{'xyz'[i % 3]}")
    succeed("nn", "train", file, "--target", "kind", "--out", "out", *QUICK)
    assert names("out") == [*PICTURES, "model.json"]
    assert load("out/model.json")[1]["classes"] == ["x", "y", "z"]


def test_regression_leaves_text_columns_out_and_learns_the_target() -> None:
    file = table(
        "a,name,b,out", lambda r, i: f"{(a := r.random())},n{i},{(b := r.random())},{a + 2 * b}", 60
    )
    out = succeed("nn", "train", file, "--target", "out", "--out", "out", "--layers", "4")
    assert "columns left out, because they hold text: name" in out
    assert names("out") == ["decision.png", *PICTURES, "model.json"]
    assert float(out.split("test R^2: ")[1].split()[0]) > 0.9
    model, notes = load("out/model.json")
    assert (notes["inputs"], notes["classes"]) == (["a", "b"], None)
    scaled = [
        (x - m) / s for x, m, s in zip([0.5, 0.5], *notes["input_scaling"].values(), strict=True)
    ]
    (mean,), (scale,) = notes["target_scaling"].values()
    assert model.predict([scaled])[0] * scale + mean == pytest.approx(1.5, abs=0.2)


def test_single_input_and_no_hidden_layer_train() -> None:
    file = table("a,out", lambda r, i: f"{i},{2 * i + 1}")
    succeed("nn", "train", file, "--target", "out", "--out", "out", "--layers", "", "--epochs", "3")
    assert repr(load("out/model.json")[0]) == "MLP(1 -> 1 linear), 2 parameters"


def test_names_with_special_characters_train() -> None:
    file = table(
        '"<b>{|}","\\N $x$",größe',
        lambda r, i: f"{r.random()},{r.random()},{'$a_' if i % 2 else '<p>'}",
    )
    succeed("nn", "train", file, "--target", "größe", "--out", "out", *QUICK)
    assert names("out") == ["decision.png", *PICTURES, "model.json"]


def test_same_seed_writes_the_same_model() -> None:
    file = two_inputs()
    for out, seed in (("one", "7"), ("two", "7"), ("three", "8")):
        succeed("nn", "train", file, "--target", "kind", "--out", out, "--seed", seed, *QUICK)
    one, two, three = (Path(out, "model.json").read_bytes() for out in ("one", "two", "three"))
    assert one == two != three


def test_settings_reach_the_training() -> None:
    succeed(
        "nn", "train", two_inputs(), "--target", "kind", "--layers", "5,4", "--epochs", "1",
        "--batch-size", "3", "--learning-rate", "0.01", "--momentum", "0", "--test-size", "0.5",
    )  # fmt: skip
    document = json.loads(Path("nn-output/model.json").read_text(encoding="utf-8"))
    assert [len(layer) for layer in document["model"]["weights"]] == [5, 4, 2]


def test_progress_goes_to_stderr() -> None:
    done = run("nn", "train", two_inputs(), "--target", "kind", "--out", "out", *QUICK)
    assert "2/2" in done.stderr
    assert "epoch/s" not in done.stdout


def test_existing_output_directory_keeps_its_other_files() -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    Path("out/model.json").write_text("old")
    succeed("nn", "train", two_inputs(), "--target", "kind", "--out", "out", *QUICK)
    assert names("out") == ["decision.png", *PICTURES[:-1], "loss.png", "mine.txt", "model.json"]
    assert Path("out/mine.txt").read_text() == "mine"
    assert load("out/model.json")


def test_output_directory_is_made_with_its_parents_and_nothing_else() -> None:
    succeed("nn", "train", two_inputs(), "--target", "kind", "--out", "a/b/out", *QUICK)
    assert (names("."), names("a"), names("a/b")) == (["a", "table.csv"], ["b"], ["out"])


# --- nn train: bad tables ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["the file is empty"]),
        ("a,kind\n", ["a header but no rows"]),
        ("a,b\n1,2\n", ["no column 'kind'", "a, b"]),
        ('"a\nb",c\n1,2\n', ["no column 'kind'"]),
        ("a,kind\n1,x\n2\n", ["row 3 has 1 cells"]),
        ("a,a,kind\n1,2,x\n", ["row 1", "'a'"]),
        ("a,kind\n1,x\noops,y\n3,x\n4,y\n", ["row 3, column 'a': 'oops' is not a number"]),
        ("a,kind\n1,x\n2,y\n,x\n4,y\n", ["row 4, column 'a'"]),
        ("a,kind\n1,x\n2,y\n3,x\nnan,y\n", ["row 5, column 'a': nan"]),
        ("a,kind\n1,1\n2,2\n3,inf\n", ["row 4, column 'kind': inf"]),
        ("a,kind\n1,x\n2,x\n3,x\n", ["column 'kind'", "one class only"]),
        ("a,kind\n1,x\n2,y\n3,z\n", ["column 'kind'", "3 classes"]),
        ("kind\nx\ny\nx\ny\n", ["no numeric column besides"]),
        ("a,kind\n1,2\n", ["1 rows"]),
    ],
)
def test_bad_table_is_one_line_with_the_place_and_writes_nothing(
    content: str, parts: list[str]
) -> None:
    Path("table.csv").write_text(content, encoding="utf-8")
    line = fail("nn", "train", "table.csv", "--target", "kind", "--out", "out")
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize("file", ["nowhere.csv", "folder.csv", "binary.csv"])
def test_file_that_is_no_table_is_named(file: str) -> None:
    Path("folder.csv").mkdir()
    Path("binary.csv").write_bytes(PNG + b"\xff\x00")
    assert f"error: {file}: " in fail("nn", "train", file, "--target", "kind", "--out", "out")


# --- nn train: bad options ---------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("train",),
        ("train", "table.csv"),
        ("train", "table.csv", "--target"),
        ("train", "table.csv", "--target", "kind", "--unknown"),
        ("train", "table.csv", "--target", "kind", "--epochs", "0"),
        ("train", "table.csv", "--target", "kind", "--epochs", "many"),
        ("train", "table.csv", "--target", "kind", "--epochs", "1.5"),
        ("train", "table.csv", "--target", "kind", "--batch-size", "-1"),
        ("train", "table.csv", "--target", "kind", "--layers", "3,0"),
        ("train", "table.csv", "--target", "kind", "--layers", "wide"),
        ("train", "table.csv", "--target", "kind", "--learning-rate", "0"),
        ("train", "table.csv", "--target", "kind", "--learning-rate", "nan"),
        ("train", "table.csv", "--target", "kind", "--momentum", "1"),
        ("train", "table.csv", "--target", "kind", "--test-size", "1"),
        ("train", "table.csv", "--target", "kind", "--seed", "x"),
        ("demo", "--epochs", "0"),
        ("demo", "extra"),
    ],
)
def test_bad_option_is_a_usage_error_without_private_names(arguments: tuple[str, ...]) -> None:
    two_inputs()
    line = fail("nn", *arguments)
    assert ": error: " in line
    assert " _" not in line


@pytest.mark.parametrize("share", ["0", "0.001", "0.999"])
def test_test_size_that_leaves_a_part_empty_is_refused(share: str) -> None:
    line = fail("nn", "train", two_inputs(), "--target", "kind", "--test-size", share)
    assert "24 rows leaves a part empty" in line


@pytest.mark.parametrize("out", ["table.csv", "table.csv/out"])
def test_output_that_cannot_be_a_directory_is_refused(out: str) -> None:
    assert "table.csv" in fail(
        "nn", "train", two_inputs(), "--target", "kind", "--out", out, *QUICK
    )


def test_output_file_that_is_a_directory_is_refused_before_anything_is_written() -> None:
    Path("out/model.json").mkdir(parents=True)
    line = fail("nn", "train", two_inputs(), "--target", "kind", "--out", "out", *QUICK)
    assert "model.json" in line


# --- nn train: trouble on the way ---------------------------------------------------------------


def diverging(epochs: str) -> list[str]:
    file = table("a,b,out", lambda r, i: f"{r.random()},{r.random()},{i}")
    step = ["--learning-rate", "1e300", "--batch-size", "99", "--epochs", epochs]
    return ["train", file, "--target", "out", "--out", "out", *step]


def test_divergence_is_one_line_and_writes_nothing() -> None:
    assert "lower the learning rate" in fail("nn", *diverging("5"))


def test_divergence_in_the_last_step_is_no_traceback() -> None:
    done = run("nn", *diverging("1"))
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


@pytest.mark.parametrize("out", ["out", "a/b/out"])
def test_missing_engine_is_one_line_with_the_remedy_and_writes_nothing(out: str) -> None:
    line = fail(
        "nn", "train", two_inputs(), "--target", "kind", "--out", out, *QUICK,
        AUTOGRAD_ENGINE_DOT="system", PATH="",
    )  # fmt: skip
    assert "pip install graphviz-pure" in line


def test_missing_matplotlib_is_one_line_with_the_remedy_before_the_training() -> None:
    Path("hidden/matplotlib").mkdir(parents=True)
    Path("hidden/matplotlib/__init__.py").write_text("raise ImportError\n")
    line = fail(
        "nn", "train", two_inputs(), "--target", "kind",
        PYTHONPATH="hidden", PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    assert 'pip install -e ".[plot]"' in line


# --- nn demo ---------------------------------------------------------------


def test_demo_trains_on_iris_and_the_moons() -> None:
    out = succeed("nn", "demo", "--epochs", "2")
    assert out.count("test accuracy: ") == 2
    assert names("demo-output") == ["iris", "moons"]
    assert names("demo-output/iris") == [*PICTURES, "model.json"]
    assert names("demo-output/moons") == ["decision.png", *PICTURES, "model.json"]
    assert load("demo-output/iris/model.json")[1]["target"] == "species"


# --- autograd_engine draw ---------------------------------------------------------------

NEURON = ("tanh(x1*w1 + x2*w2 + b)", "x1=2", "w1=-3", "x2=0", "w2=1", "b=6.88")


def test_draw_writes_the_neuron_with_its_gradients() -> None:
    out = succeed("autograd_engine", "draw", *NEURON, "-o", "neuron.svg")
    assert "= 0.706419" in out
    assert "neuron.svg" in out
    texts = [e.text or "" for e in ET.parse("neuron.svg").iter() if e.tag.endswith("}text")]
    stripped = [text.replace("\xa0", " ").strip() for text in texts]
    assert {"x1", "w1", "x2", "w2", "b", "tanh", "6.8800", "-1.5029", "+0.5010"} <= set(stripped)
    assert not any("no backward" in text for text in texts)
    assert names(".") == ["neuron.svg"]


@pytest.mark.parametrize(
    ("name", "start"), [("n.png", PNG), ("n.jpg", b"\xff\xd8"), ("n.dot", b"digraph")]
)
def test_draw_makes_the_format_of_the_ending(name: str, start: bytes) -> None:
    succeed("autograd_engine", "draw", *NEURON, "-o", name)
    assert Path(name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    "arguments",
    [
        ("x*2", "x=-3"),
        ("x*2", "x=1e-3", "-o", "a.svg"),
        ("-o", "a.svg", "x*2", "x=1"),
        ("--", "-x", "x=1"),
        ("9**9**9**9",),
        ("1/x", "x=0"),
        ("log(x)", "x=-1"),
        ("x", "x=nan"),
        ("größe", "größe=1"),
        ("2 + 3",),
        (f"sum([{','.join(['x*2'] * 600)}])", "x=1"),  # 602 values: folded
        ("--theme", "dark", "-x*2", "x=1"),
        ("-o", "a.svg", "-x*2", "x=-1"),
    ],
)
def test_draw_accepts(arguments: tuple[str, ...]) -> None:
    assert "wrote" in succeed("autograd_engine", "draw", *arguments)
    assert len(names(".")) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("x*y", "x=1"), "'y' has no value; add y=NUMBER"),
        (("x", "x=1", "y=2"), "'y' has a value but is not in the expression"),
        (("x", "x=1", "x=2"), "'x' has two values"),
        (("x", "x"), "expected NAME=NUMBER, got 'x'"),
        (("x", "1=2"), "expected NAME=NUMBER"),
        (("x", "x=one"), "'one' is not a number"),
        (("x", "x="), "'' is not a number"),
        (("x", "x=1\n2"), "is not a number"),
        (("x +", "x=1"), "cannot read 'x +'"),
        (("",), "cannot read ''"),
        (("x\ny",), "cannot read"),
        (("x.real", "x=1"), "cannot read 'x.real'"),
        (("__import__('os').system('touch bad')",), "only numbers, names"),
        (("open('bad', 'w')",), "'open' is no primitive"),
        (("lambda: x", "x=1"), "only numbers, names"),
        (("9" * 400,), "too large"),
        (("(" * 500 + "x" + ")" * 500, "x=1"), "cannot read"),
        (("1-(" * 120 + "x" + ")" * 120, "x=1"), "nested deeper"),
        (("x" * 20_000, "x=1"), "longer than 10,000 characters"),
        (("x", "x=1", "-o", "a.gif"), "known format"),
        (("x", "x=1", "-o", "a"), "known format"),
        (("x", "x=1", "-o", "nowhere/a.svg"), "nowhere/a.svg"),
        (("x", "x=1", "--unknown"), "unrecognized arguments"),
        ((), "required"),
    ],
)
def test_draw_refuses_in_one_line_and_writes_nothing(arguments: tuple[str, ...], part: str) -> None:
    line = fail("autograd_engine", "draw", *arguments)
    assert part in line
    assert len(line) < 1000


def test_draw_writes_a_tree_to_standard_output() -> None:
    lines = succeed("autograd_engine", "draw", *NEURON, "-o", "-").splitlines()
    assert lines[0].startswith("output = tanh(")
    assert len([line for line in lines if "x1 = 2.0000" in line]) == 1
    assert names(".") == []


def test_standard_output_without_the_signs_of_a_tree_gets_their_codes() -> None:
    text = succeed(
        "autograd_engine", "draw", "x*2", "x=1", "-o", "-", PYTHONUTF8="0", PYTHONIOENCODING="ascii"
    )
    assert r"\u2514\u2500\u2500 x = 1.0000" in text


@pytest.mark.parametrize("ending", ["svg", "png", "dot", "mmd", "md", "json", "txt"])
def test_draw_takes_the_format_from_the_ending(ending: str) -> None:
    output = succeed("autograd_engine", "draw", "x*w", "x=2", "w=3", "-o", f"a.{ending}")
    assert output == f"x*w = 6; wrote a.{ending}\n"
    assert names(".") == [f"a.{ending}"]


def test_explain_prints_unless_there_is_a_file() -> None:
    text = succeed("autograd_engine", "explain", "x*x + x", "x=3", "--wrt", "x")
    assert "d (x*x + x) / d x = 7" in text
    assert "3 paths from x*x + x to x" in text
    assert names(".") == []
    assert "paths from" not in succeed("autograd_engine", "explain", "x*x + x", "x=3")


@pytest.mark.parametrize(("ending", "sign"), [("txt", "Forward:"), ("md", "$"), ("tex", "\\begin")])
def test_explain_takes_the_form_from_the_ending(ending: str, sign: str) -> None:
    succeed("autograd_engine", "explain", "x*x + x", "x=3", "-o", f"a.{ending}")
    assert sign in Path(f"a.{ending}").read_text(encoding="utf-8")


def test_step_writes_a_page_or_a_film_or_prints() -> None:
    assert "wrote steps.html" in succeed("autograd_engine", "step", "x*w", "x=2", "w=3")
    assert "wrote a.svg" in succeed("autograd_engine", "step", "x*w", "x=2", "w=3", "-o", "a.svg")
    text = succeed("autograd_engine", "step", "x*w", "x=2", "w=3", "-o", "-")
    assert text.splitlines()[-1].split() == "w.grad += x × grad = 2 × 1 = 2 -> 2".split()
    assert names(".") == ["a.svg", "steps.html"]
    assert "<animate " in Path("a.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("explain", "x", "x=1", "--wrt", "y"), "--wrt y: no such name; there is x"),
        (("explain", "2 + 3", "--wrt", "y"), "--wrt y"),
        (("explain", "x", "x=1", "-o", "a.pdf"), "does not end in .txt, .md, .tex"),
        (("step", "x", "x=1", "-o", "a.pdf"), "does not end in"),
        (("step", "x", "x=1", "-o", "nowhere/a.html"), "nowhere/a.html"),
        (("step", "x", "x=1", "--theme", "pink"), "invalid choice"),
        (("draw", "x", "x=1", "--wrt", "x"), "--wrt x: draw has no use for it"),
        (("explain", "x", "x=1", "--theme", "dark"), "--theme dark: explain has no use for it"),
    ],
)
def test_explain_and_step_refuse_in_one_line_and_write_nothing(
    arguments: tuple[str, ...], part: str
) -> None:
    assert part in fail("autograd_engine", *arguments)


def test_draw_needs_its_command() -> None:
    assert "error" in fail("autograd_engine")
    assert "'paint'" in fail("autograd_engine", "paint", "x", "x=1")


def test_draw_onto_a_directory_is_refused() -> None:
    Path("a.svg").mkdir()
    assert "a.svg" in fail("autograd_engine", "draw", "x", "x=1", "-o", "a.svg")


@pytest.mark.parametrize(
    ("engine", "part"),
    [("system", "pip install graphviz-pure"), ("nowhere/dot", "cannot run nowhere/dot")],
)
def test_draw_without_an_engine_names_the_remedy(engine: str, part: str) -> None:
    line = fail("autograd_engine", "draw", *NEURON, AUTOGRAD_ENGINE_DOT=engine, PATH="")
    assert part in line
    assert "install Graphviz" in line


@pytest.mark.skipif(os.name == "nt", reason="the script that stands in for `dot` is POSIX's")
def test_engine_that_says_much_is_still_one_line() -> None:
    Path("engine").write_text(f"#!{sys.executable}\nimport sys\nsys.exit('one\\ntwo\\nthree')\n")
    Path("engine").chmod(0o755)
    line = fail(
        "autograd_engine", "draw", *NEURON, AUTOGRAD_ENGINE_DOT=str(Path("engine").absolute())
    )
    assert "one" in line


def test_draw_pdf_without_a_system_dot_names_the_remedy() -> None:
    line = fail("autograd_engine", "draw", *NEURON, "-o", "a.pdf", PATH="")
    assert "install Graphviz" in line


@pytest.mark.parametrize("module", ["nn", "autograd_engine"])
def test_help_explains_the_commands(module: str) -> None:
    assert f"usage: python -m {module}" in succeed(module, "--help")


def test_an_interrupted_training_says_so_and_writes_nothing() -> None:
    Path("t.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(50)))
    command = [sys.executable, "-m", "nn", "train", "t.csv", "--target", "b", "--out", "o"]
    process = subprocess.Popen(
        [*command, "--epochs", "1000000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted; nothing written" in errors
    assert not Path("o").exists()


def test_a_picture_of_an_earlier_run_does_not_stay_beside_the_new_model() -> None:
    Path("t.csv").write_text(
        "a,b,c,y\n" + "".join(f"{i},{i * i % 7},{i % 3},{i * 2}\n" for i in range(20))
    )
    Path("o").mkdir()
    Path("o/decision.png").write_bytes(b"old")
    Path("o/mine.txt").write_text("mine")
    command = [sys.executable, "-m", "nn", "train", "t.csv", "--target", "y", "--out", "o"]
    subprocess.run([*command, "--epochs", "1", "--layers", "2"], check=True, capture_output=True)
    assert not Path("o/decision.png").exists()
    assert Path("o/mine.txt").read_text() == "mine"
