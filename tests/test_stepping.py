"""The stepper's page: what it weighs, what it shows, and that no label gets out of its place."""

from __future__ import annotations

import base64
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from test_page import Reader, data_of
from test_scene import SVG
from test_sequence import HOSTILE, expression, neuron
from test_storyboard import batch, small_model

import autograd_engine as ae
from autograd_engine import Graph, Value, compile, log, named_scope, softmax, stepper, tanh
from autograd_engine.expansion import expanded
from autograd_engine.stepping import MAX_STEPS, Stepper
from autograd_engine.wording import number, signed
from nn import MLP

KILOBYTE = 1000


def network() -> Value:
    """MLP(7, [5, 5, 1]) on one sample: 195 steps."""
    return MLP(7, [5, 5, 1], rng=0)([0.1 * i for i in range(7)])


def quickest(make: Callable[[], Any], enough: float, repeat: int = 30) -> float:
    """The shortest time of several, for a machine may be busy with something else."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        make()
        times.append(time.perf_counter() - start)
        if times[-1] <= enough:
            break
    return min(times)


def picture_of(page: str) -> ElementTree.Element:
    (source,) = [str(attrs["src"]) for tag, attrs in Reader(page).tags if tag == "img"]
    return ElementTree.fromstring(base64.b64decode(source.partition(",")[2]))


def last_texts(page: str) -> dict[tuple[int, int], str]:
    """What the script writes on each row of each card in the last step."""
    return {(card, row): changes[-1][1] for card, row, changes in data_of(page)["texts"]}


# --- size and speed ------------------------------------------------------


def test_page_of_a_neuron_is_small(tmp_path: Path) -> None:
    path = stepper(neuron()).save(tmp_path / "page.html")
    assert path.stat().st_size <= 40 * KILOBYTE


def test_page_of_a_network_has_195_steps_and_a_bounded_size(tmp_path: Path) -> None:
    found = stepper(network())
    assert len(found) == 195
    assert found.save(tmp_path / "page.html").stat().st_size <= 800 * KILOBYTE


@pytest.mark.parametrize("make", [neuron, network], ids=["neuron", "network"])
def test_page_is_built_at_once(make: Any, tmp_path: Path) -> None:
    output = make()
    assert quickest(lambda: stepper(output).save(tmp_path / "page.html"), 0.3) <= 0.3


def test_more_values_are_folded_to_fewer_steps() -> None:
    for output in (batch(MLP(2, [16, 16, 1], rng=0), 30), expression_of_many_steps()):
        found = stepper(output)
        assert len(found) <= MAX_STEPS
        assert "folded by" in data_of(found.html())["note"]


def expression_of_many_steps() -> Value:
    value = Value(1.0)
    for _ in range(200):
        value = tanh(value) + 0.1
    return value


# --- what it shows -------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_numbers_on_the_page_are_the_engines(seed: int) -> None:
    texts = last_texts(stepper(expression(seed)).html())
    (fresh := expression(seed)).backward()
    nodes = expanded(Graph(fresh, gradient=1.0)).nodes
    assert {card for card, _ in texts} == set(range(len(nodes)))
    for i, node in enumerate(nodes):
        assert texts[i, 0] == number(node.data)
        assert float(texts[i, 1]) == pytest.approx(node.grad, rel=1e-3, abs=6e-5, nan_ok=True)


def test_without_a_script_the_picture_after_the_last_step_remains() -> None:
    page = stepper(neuron()).html()
    texts = last_texts(page)
    for group in picture_of(page).iter(f"{SVG}g"):
        for text in group.findall(f"{SVG}text"):
            if text.get("data-r") is not None:
                assert text.text == texts[int(group.get("data-c", "")), int(text.get("data-r", ""))]


def test_every_frame_refers_to_what_is_in_the_picture() -> None:
    page = stepper(network()).html()
    picture = picture_of(page)
    cards = {int(x.get("data-c", "")) for x in picture.iter() if x.get("data-c")}
    arrows = {int(x.get("data-e", "")) for x in picture.iter() if x.get("data-e")}
    frames = data_of(page)["frames"]
    assert len(frames) == 195
    for phase, giving, receiving, links, arithmetic, headline, table in frames:
        assert phase in (0, 1, 2) and headline
        assert cards.issuperset(giving + receiving) and arrows.issuperset(links)
        assert (phase == 2) == bool(table) == bool(arithmetic)
        assert len({len(row) for row in table}) <= 1


def test_texts_change_in_the_order_of_the_steps() -> None:
    data = data_of(stepper(network()).html())
    for _, _, changes in data["texts"]:
        steps = [step for step, _ in changes]
        assert steps[0] == 0 and steps == sorted(set(steps)) and steps[-1] <= len(data["frames"])


def test_stepper_changes_no_value() -> None:
    output = neuron()
    output.backward(3.0)
    before = [(node.data, node.grad) for node in Graph(output).nodes]
    stepper(output).html()
    assert [(node.data, node.grad) for node in Graph(output).nodes] == before


def test_gradient_of_an_earlier_pass_does_not_matter() -> None:
    output = neuron()
    output.backward(3.0)
    assert last_texts(stepper(output).html()) == last_texts(stepper(neuron()).html())


def test_names_come_from_the_callers_variables() -> None:
    first, second = Value(2.0), Value(3.0)
    titles = {x.text for x in picture_of(stepper(first * second, names=locals()).html()).iter()}
    assert {"first", "second", "first*second"} <= titles


def test_repr_counts_the_steps_and_names_the_output() -> None:
    assert repr(stepper(neuron())) == ("<Stepper of 7 steps: tanh(x*w + b) = 0.4621, step by step>")


def test_a_notebook_gets_the_page_and_a_line_of_text() -> None:
    found = stepper(neuron())
    bundle = found._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(found)
    assert Reader(bundle["text/html"]).names == ["div", "img", "style", "script"]


def test_picture_has_a_text_for_those_who_do_not_see_it() -> None:
    (alt,) = [attrs["alt"] for tag, attrs in Reader(stepper(neuron()).html()).tags if tag == "img"]
    assert alt is not None and alt.startswith("tanh(x*w + b) = 0.4621, step by step. Computation")


# --- one page, or several ------------------------------------------------


def test_two_pages_of_one_value_have_names_of_their_own() -> None:
    found = stepper(neuron())
    one, other = (Reader(found.html()).tags[0][1]["id"] for _ in range(2))
    assert one != other


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    page = stepper(network()).save(tmp_path / "page.html").read_text("utf-8")
    svg = ElementTree.tostring(picture_of(page), encoding="unicode")
    outside = re.findall(r"(?:https?:)?//[\w.]+[^\s\"'<>)]*", page_without_comments(page) + svg)
    assert set(outside) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|@import|url\(|\bfetch\(|XMLHttpRequest|import\(", page)


def page_without_comments(page: str) -> str:
    """Without the script's comments, and without base64, in which // may stand."""
    return re.sub(r"base64,[^\"]*|(?m:(?:^|\s)// .*$)", "", page)


def test_saved_page_is_whole(tmp_path: Path) -> None:
    found = stepper(neuron())
    path = found.save(str(tmp_path / "page.HTM"))
    assert path == tmp_path / "page.HTM"
    page = Reader(path.read_text("utf-8"))
    assert page.names == [
        "html",
        "head",
        "meta",
        "meta",
        "title",
        "style",
        "body",
        *"div img style script".split(),
    ]
    assert "".join(page.texts["title"]) == "tanh(x*w + b) = 0.4621, step by step"
    assert [p.name for p in tmp_path.iterdir()] == ["page.HTM"]


@pytest.mark.parametrize("name", ["page", "page.svg", "page.html.txt", ".html", "page.pdf"])
def test_other_endings_are_refused_and_write_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"save: .* does not end in \.html"):
        stepper(neuron()).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stepper(neuron()).save(tmp_path / "nowhere" / "page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("theme", ["light", "dark", "colorblind"])
@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_themes_and_directions(theme: str, direction: str) -> None:
    page = stepper(neuron(), theme=theme, direction=direction).html()
    assert data_of(page)["theme"] == theme
    assert picture_of(page).get("class") == f"ae-{theme}"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"theme": "neon"}, "unknown theme 'neon'.*light"),
        ({"theme": ""}, "unknown theme"),
        ({"direction": "RL"}, "direction must be 'LR' or 'TB', got 'RL'"),
        ({"direction": "tb"}, "direction must be"),
    ],
)
def test_other_themes_and_directions_are_refused(settings: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        stepper(neuron(), **settings)


@pytest.mark.parametrize("value", [3.0, "x", None, [], small_model, [Value(1.0)]])
def test_anything_but_one_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"expected (one|a) Value"):
        stepper(value)


# --- labels --------------------------------------------------------------


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_no_label_gets_out_of_its_place(label: str, tmp_path: Path) -> None:
    def page_of(text: str) -> str:
        x = Value(2.0, label=text)
        with named_scope(text):
            y = x * Value(3.0, label=text)
        y.label = text
        path = stepper(tanh(y + 1.0)).save(tmp_path / "page.html")
        return path.read_text("utf-8")

    benign, hostile = page_of("x"), page_of(label)
    assert Reader(hostile).names == Reader(benign).names
    assert hostile.lower().count("</script") == 1
    tags = [element.tag for element in picture_of(hostile).iter()]
    assert tags == [element.tag for element in picture_of(benign).iter()]
    assert len(data_of(hostile)["frames"]) == 7
    assert len(hostile) < len(benign) + 20 * KILOBYTE
    script = hostile.partition("<script>")[2]
    assert "\u202e" not in hostile and "\u2028" not in script and "\x00" not in hostile


def test_row_of_the_readers_own_may_have_any_symbol() -> None:
    @ae.primitive(lambda z, x: 2.0, symbol="</script>\x00\ud800" + "a" * 1000)
    def doubled(x: Any) -> Any:
        """2 * x."""
        return 2.0 * x

    page = stepper(doubled(Value(1.0)) * 2.0).html()
    assert Reader(page).names == ["div", "img", "style", "script"]
    assert "</script> " in {x.text and x.text[:10] for x in picture_of(page).iter()}


# --- kinds of graphs -----------------------------------------------------


def fused() -> Value:
    @compile
    def f(a: Any, b: Any) -> Any:
        return tanh(a * b) + a

    return f(Value(1.0), Value(2.0)) * 2.0  # type: ignore[no-any-return]


GRAPHS = {
    "leaf": (lambda: Value(1.0, label="x"), 1),
    "nan in data": (lambda: log(Value(-1.0)) * Value(2.0), 5),
    "infinite gradient": (lambda: Value(0.0) ** 0.5, 3),
    "infinite data": (lambda: log(Value(0.0)) - Value(math.inf), 5),
    "huge and small": (lambda: Value(1e300) * Value(-1e-300) * 1e308, 5),
    "constants beside one operand": (lambda: ae.dot([Value(2.0), 3.0], [4.0, 5.0]), 5),
    "fused": (fused, 5),
    "softmax": (lambda: softmax([Value(1.0), Value(2.0), Value(-1.0)])[0], 5),
    "reduction": (lambda: ae.logsumexp([Value(1.0), Value(2.0), 0.5]), 3),
    "choice": (lambda: ae.where(True, Value(1.0), Value(2.0)), 3),
    "negative zero": (lambda: Value(-0.0) * Value(3.0), 3),
}


@pytest.mark.parametrize(("make", "steps"), GRAPHS.values(), ids=list(GRAPHS))
def test_every_kind_of_graph_has_a_page(make: Any, steps: int) -> None:
    found = stepper(make())
    page = found.html()
    assert len(found) == len(data_of(page)["frames"]) == steps
    texts = last_texts(page)
    (fresh := make()).backward()
    for i, node in enumerate(expanded(Graph(fresh, gradient=1.0)).nodes):
        assert texts[i, 0] == number(node.data)
        assert texts[i, 1] == signed(node.grad)


def test_a_value_made_without_recording_is_a_leaf() -> None:
    with ae.no_grad():
        y = Value(2.0) * 3.0
    assert len(stepper(y)) == 1


def test_class_is_what_stepper_returns() -> None:
    assert isinstance(stepper(neuron()), Stepper)
