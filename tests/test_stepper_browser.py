"""The stepper in a browser: what it shows is what the engine computes, and every control works."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from autograd_engine import Value, animate, named_scope, stepper
from autograd_engine.themes import THEMES
from autograd_engine.wording import number, printable, short, signed
from nn import MLP, SGD, fit, hinge, training_stepper

HOSTILE = [
    "</script><script>window.pwned=1</script>",
    "</script x='<!--<script '>",
    "<img src=x onerror=window.pwned=1>",
    "]]></style></title></svg><script>window.pwned=1</script>",
    "\"'`{|}<>&amp;\\n${window.pwned=1}",
    "\u202eshalom שלום \U0001f600",
    "-->\x00\u2028\n",
    "a" * 10_000,
]


def graph() -> dict[str, Value]:
    """An expression in which a value is used twice, a square, a constant and a negative sign."""
    x, y, w = Value(2.0, label="x"), Value(-3.0, label="y"), Value(5.5, label="w")
    values = {"x": x, "y": y, "w": w}
    p = values["p"] = x * y
    q = values["q"] = p + w
    r = values["r"] = q * q
    s = values["s"] = r * 0.1
    t = values["t"] = s.exp()
    values["o"] = t - p
    for label, value in values.items():
        value.label = label
    return values


def local_derivatives() -> dict[str, list[tuple[str, float]]]:
    """By hand: of each operation, its operands and the derivatives by them."""
    p = 2.0 * -3.0
    q = p + 5.5
    return {
        "p": [("x", -3.0), ("y", 2.0)],
        "q": [("p", 1.0), ("w", 1.0)],
        "r": [("q", q), ("q", q)],
        "s": [("r", 0.1)],
        "t": [("s", math.exp(q * q * 0.1))],
        "o": [("t", 1.0), ("p", -1.0)],
    }


SIGNS = {"p": "*", "q": "+", "r": "*", "s": "* 0.1", "t": "exp", "o": "-"}


def neuron() -> Value:
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2, b = Value(-3.0, label="w1"), Value(1.0, label="w2"), Value(6.8813735, label="b")
    return (x1 * w1 + x2 * w2 + b).tanh()


CARDS = ["x1", "w1", "x1*w1", "x2", "w2", "x2*w2", "x1*w1 + x2*w2", "b"]
CARDS += ["x1*w1 + x2*w2 + b", "tanh(x1*w1 + x2*w2 + b)"]  # of the neuron


def perceptron() -> tuple[MLP, Value]:
    """The largest that is stepped through node by node."""
    model = MLP(7, [5, 5, 1], activation="tanh", rng=0)
    return model, model([0.1 * i for i in range(7)])


def html(value: Value, **settings: Any) -> str:
    return stepper(value, **settings).html()


STATE = """root => {
  const all = (selector) => [...root.querySelectorAll(selector)];
  const title = (card) => card.querySelector(".t,.s").textContent;
  return {
    step: Number(root.dataset.step),
    cards: Object.fromEntries(all("[data-c]").filter((card) => card.querySelector("[data-r]")).map(
      (card) => [title(card), [...card.querySelectorAll("[data-r]")].map((t) => t.textContent)])),
    give: all(".give[data-c]").map(title),
    take: all(".take[data-c]").map(title),
    arrows: all(".on[data-e]").length,
    arithmetic: all("text.a").map((text) => text.textContent),
    headline: root.querySelector(".headline").textContent,
    table: all("tr").map((row) => [...row.cells].map((cell) => cell.textContent)),
  };
}"""
STEP = "root => Number(root.dataset.step)"
BOX = """root => {
  const [view, svg] = [".view", "svg"].map((name) => root.querySelector(name));
  const [window, whole] = [view, svg].map((element) => element.getBoundingClientRect());
  const scale = whole.width / svg.viewBox.baseVal.width;
  return [window.left + view.clientLeft - whole.left, window.top + view.clientTop - whole.top,
    view.clientWidth, view.clientHeight].map((x) => x / scale);
}"""  # left, top, width and height of the part in view, in points


def root_of(page: Any, which: int = 0) -> Any:
    return page.locator(".ae-stepper").nth(which)


def states(root: Any) -> list[dict[str, Any]]:
    """What is on screen before the first step and after each, by the button."""
    found = [root.evaluate(STATE)]
    for _ in range(int(root.locator("input").get_attribute("max"))):
        root.get_by_title("step forward").click()
        found.append(root.evaluate(STATE))
    return found


# --- numbers and marks ---------------------------------------------------------------


def test_forward_steps_show_the_engines_numbers_one_result_at_a_time(visit: Any) -> None:
    values, operands = graph(), local_derivatives()
    shown = states(root_of(visit(html(graph()["o"]))))
    known = {"x", "y", "w"}
    for step in range(7):
        state = shown[step]
        if step:
            (result,) = state["take"]
            inputs = {operand for operand, _ in operands[result]}
            assert inputs <= known
            assert set(state["give"]) == {*inputs, SIGNS[result]}
            assert state["arrows"] == len(operands[result]) + 1
            assert state["headline"].startswith(f"{result} = ")
            assert state["headline"].endswith(f" = {short(values[result].data)}")
            known.add(result)
        expected = {
            label: [number(value.data) if label in known else "", "0.0000"]
            for label, value in values.items()
        }
        assert state["cards"] == expected
        assert state["arithmetic"] == []
    assert known == set(values)


def test_backward_steps_show_the_engines_numbers_one_node_at_a_time(visit: Any) -> None:
    values, operands = graph(), local_derivatives()  # a sweep by hand, on a graph of its own
    final = graph()
    final["o"].backward()
    shown = states(root_of(visit(html(graph()["o"]))))
    assert len(shown) == 14 and [state["step"] for state in shown] == list(range(14))
    assert shown[7]["give"] == ["o"] and shown[7]["take"] == []
    values["o"].grad = 1.0
    waiting = set(operands)
    for step in range(7, 14):
        state = shown[step]
        if step > 7:
            (current,) = set(state["give"]) & waiting
            waiting.remove(current)
            before = {label: value.grad for label, value in values.items()}
            assert before[current] == final[current].grad, "not complete at its turn"
            values[current]._backward()
            assert set(state["give"]) == {current, SIGNS[current]}
            assert set(state["take"]) == {operand for operand, _ in operands[current]}
            assert state["arrows"] == len(operands[current]) + 1
            check_arithmetic(state, operands[current], before, before[current])
        assert state["cards"] == {
            label: [number(value.data), signed(value.grad)] for label, value in values.items()
        }
    assert not waiting


def check_arithmetic(
    state: dict[str, Any],
    operands: list[tuple[str, float]],
    before: dict[str, float],
    adjoint: float,
) -> None:
    """The texts at the cards, and the table: derivative times gradient, and the running sum."""
    headings, *rows = state["table"]
    sums = dict(before)
    assert len(headings) == 5 and len(rows) == len(operands)
    for (operand, derivative), row, text in zip(operands, rows, state["arithmetic"], strict=True):
        product = derivative * adjoint
        factor = f"({short(adjoint)})" if adjoint < 0 else short(adjoint)
        assert text == f"{short(derivative)} × {factor} = {short(product)}"
        start, sums[operand] = sums[operand], sums[operand] + product
        assert row[0] == operand
        assert row[1].split(" = ")[-1] == short(derivative)
        assert row[2:4] == [short(adjoint), short(product)]
        assert row[4] == f"{short(start)} → {short(sums[operand])}"


def test_arithmetic_stands_at_its_card_and_a_second_one_below(visit: Any) -> None:
    root = root_of(visit(html(graph()["o"])))
    for step, count in ((8, 1), (9, 1), (11, 2), (12, 1)):
        root.locator("input").fill(str(step))
        boxes = [card.bounding_box() for card in root.locator(".take[data-c] rect").all()]
        texts = [text.bounding_box() for text in root.locator("text.a").all()]
        assert len(texts) == count * len(boxes)
        for text in texts:
            middle = text["x"] + text["width"] / 2
            near = [
                box
                for box in boxes
                if abs(box["x"] + box["width"] / 2 - middle) < 2
                and (
                    0 <= box["y"] - (text["y"] + text["height"]) + 4 < 12
                    or 0 <= text["y"] - (box["y"] + box["height"]) + 4 < 12
                )
            ]
            assert near, (step, text, boxes)
        tops = [text["y"] for text in texts]
        assert len(set(tops)) == len(tops)


def test_gradients_are_coloured_by_sign_and_bear_it_as_text(visit: Any) -> None:
    root = root_of(visit(html(graph()["o"])))
    root.locator("input").press("End")
    grads = root.locator("[data-r='1']").all()
    assert {text.text_content()[0] for text in grads} == {"+", "-"}
    for text in grads:
        color = {"+": THEMES["light"].positive, "-": THEMES["light"].negative}
        assert fill_of(text) == rgb(color[text.text_content()[0]])


def fill_of(element: Any) -> str:
    return element.evaluate("e => getComputedStyle(e).fill")


def rgb(color: str) -> str:
    return f"rgb({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_a_network_ends_with_the_gradients_of_backward(visit: Any) -> None:
    model, output = perceptron()
    root = root_of(visit(html(output)))
    assert root.locator("input").get_attribute("max") == "195"
    root.locator("input").press("End")
    shown = root.locator(".parameter [data-r]").all_text_contents()
    output.backward()
    expected = [(number(p.data), signed(p.grad)) for p in model.parameters()]
    used = set(zip(shown[::2], shown[1::2], strict=True))
    assert len(shown) == 2 * len(expected)
    assert used == set(expected)


def test_a_large_graph_shows_what_each_layer_or_neuron_gets(visit: Any) -> None:
    model = MLP(2, [16, 16, 1], rng=0)
    rows = [[0.1 * i, 1.0 - 0.1 * i] for i in range(8)]
    loss = sum((model(row) - 1.0) ** 2 for row in rows)
    root = root_of(visit(html(loss)))
    assert "folded by neuron" in root.locator(".legend").text_content()
    root.press("End")
    cards = root.evaluate(STATE)["cards"]
    loss.backward()
    for i, layer in enumerate(model.layers):
        for j, one in enumerate(layer.neurons):
            largest = max(abs(p.grad) for p in one.parameters())
            assert cards[f"layer {i} / neuron {j}"][2] == number(largest)


# --- controls ---------------------------------------------------------------


def test_buttons_keys_and_slider_move_the_state(visit: Any) -> None:
    root = root_of(visit(html(neuron())))
    assert root.evaluate(STEP) == 0
    buttons = {
        "forward": "step forward", "back": "step back", "last": "last step", "first": "first step",
    }  # fmt: skip
    for name, step in [
        ("back", 0), ("forward", 1), ("forward", 2), ("back", 1),
        ("last", 11), ("forward", 11), ("back", 10), ("first", 0),
    ]:  # fmt: skip
        root.get_by_title(buttons[name]).click()
        assert root.evaluate(STEP) == step, name
    for element in (root, root.locator("input"), root.get_by_title("fit")):
        for key, step in [
            ("ArrowLeft", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1),
            ("End", 11), ("ArrowRight", 11), ("ArrowLeft", 10), ("Home", 0),
        ]:  # fmt: skip
            element.press(key)
            assert root.evaluate(STEP) == step, key
    root.locator("input").fill("6")
    assert root.evaluate(STEP) == 6
    assert root.locator("input").get_attribute("aria-valuetext") == "step 6"
    assert root.locator(".where").text_content() == "step 6 of 11 · start of backward"
    assert root.locator("input").input_value() == "6"


def test_play_goes_on_pauses_obeys_the_speed_and_starts_anew(visit: Any) -> None:
    page = visit(html(neuron()))
    root, play = root_of(page), page.locator(".play")
    page.clock.install()
    play.click()
    assert "pause" in play.text_content()
    for step in (1, 2):
        page.clock.run_for(1200)
        assert root.evaluate(STEP) == step
    root.locator("select").select_option("4")
    page.clock.run_for(1200)
    page.clock.run_for(2 * 300)
    assert root.evaluate(STEP) == 5
    play.click()
    assert "play" in play.text_content()
    page.clock.run_for(60_000)
    assert root.evaluate(STEP) == 5
    root.press("Space")
    page.clock.run_for(300)
    assert root.evaluate(STEP) == 6
    root.press("ArrowLeft")  # who steps by hand wants no more of it
    page.clock.run_for(60_000)
    assert root.evaluate(STEP) == 5
    root.press("Space")
    page.clock.run_for(60_000)
    assert root.evaluate(STEP) == 11 and "play" in play.text_content()
    root.press("Space")
    assert root.evaluate(STEP) == 0
    page.clock.run_for(300)
    assert root.evaluate(STEP) == 1


def test_play_stops_when_the_element_leaves_the_page(visit: Any) -> None:
    page = visit(html(neuron()))
    page.clock.install()
    page.get_by_title("play (space)").click()
    page.clock.run_for(1200)
    root = page.query_selector(".ae-stepper")
    page.evaluate("document.querySelector('.ae-stepper').remove()")
    page.clock.run_for(60_000)
    assert root.evaluate(STEP) == 1
    assert "play" in root.query_selector(".play").text_content()
    page.evaluate("root => document.body.append(root)", root)
    page.clock.run_for(60_000)
    assert root.evaluate(STEP) == 1


def test_buttons_and_keys_zoom_and_fit_undoes_it(visit: Any) -> None:
    page = visit(html(neuron()))
    root = root_of(page)
    start = root.evaluate(BOX)

    def zoom(title: str) -> Callable[[], None]:
        return page.get_by_title(title).click

    for deed, undo in [
        (zoom("zoom in"), zoom("fit")),
        (lambda: root.press("+"), lambda: root.press("0")),
        (zoom("zoom in"), lambda: root.press("-")),
        (lambda: root.press("+"), zoom("zoom out")),
    ]:
        deed()
        assert root.evaluate(BOX)[2] == pytest.approx(start[2] / 1.25)
        undo()
        assert root.evaluate(BOX)[2] == pytest.approx(start[2])


def test_fit_shows_the_whole_of_a_wide_picture(visit: Any) -> None:
    y = Value(1.0, label="y")
    for _ in range(40):
        y = y.tanh()
    page = visit(html(y))
    whole = """root => { const outer = root.querySelector(".view").getBoundingClientRect();
        return [...root.querySelectorAll("[data-c]")].every((card) => {
            const box = card.getBoundingClientRect();
            return box.left >= outer.left && box.right <= outer.right; }); }"""
    assert not root_of(page).evaluate(whole)
    page.get_by_title("fit").click()
    assert root_of(page).evaluate(whole)


def test_keys_work_at_once_on_a_page_of_its_own(visit: Any, tmp_path: Path) -> None:
    page = visit(stepper(neuron()).save(tmp_path / "page.html"))
    page.keyboard.press("ArrowRight")
    assert root_of(page).get_attribute("data-step") == "1"


def test_among_other_things_keys_wait_for_the_focus(visit: Any) -> None:
    page = visit(html(neuron()))
    page.keyboard.press("ArrowRight")
    assert root_of(page).get_attribute("data-step") == "0"


def test_the_wheel_zooms_about_the_pointer_with_ctrl_and_scrolls_the_page_without(
    visit: Any,
) -> None:
    page = visit(f"{html(neuron())}<div style='height:2000px'>")
    root = root_of(page)
    start, size = root.evaluate(BOX), root.locator(".view").bounding_box()
    page.mouse.move(size["x"] + size["width"] / 4, size["y"] + size["height"] / 2)
    page.keyboard.down("Control")
    page.evaluate("addEventListener('wheel', (event) => { window.kept = event.defaultPrevented; })")
    page.mouse.wheel(0, -100)
    page.wait_for_function(
        f"w => ({BOX})(document.querySelector('.ae-stepper'))[2] < w", arg=start[2] - 1
    )
    page.keyboard.up("Control")
    left, _, width, _ = root.evaluate(BOX)
    assert left + width / 4 == pytest.approx(start[0] + start[2] / 4, abs=1)
    assert page.evaluate("[window.kept, window.devicePixelRatio, window.scrollY]") == [True, 1, 0]
    page.mouse.wheel(0, 150)
    page.wait_for_function("window.scrollY === 150")
    assert page.evaluate("window.kept") is False
    assert root.evaluate(BOX)[2] == width


def test_dragging_moves_the_picture_and_selects_nothing(visit: Any) -> None:
    page = visit(html(perceptron()[1]))
    root = root_of(page)
    root.locator("input").fill("100")
    start, size = root.evaluate(BOX), root.locator(".view").bounding_box()
    x, y = size["x"] + size["width"] / 2, size["y"] + size["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=3)
    page.mouse.up()
    page.mouse.move(x, y)
    shift = [b - a for a, b in zip(start, root.evaluate(BOX), strict=True)]
    assert shift == pytest.approx([-60, -30, 0, 0], abs=1)  # too large to fit, it is at scale 1
    assert page.evaluate("String(getSelection())") == ""
    assert root.evaluate(STEP) == 100


def test_pointing_at_a_card_tells_more(visit: Any) -> None:
    root = root_of(visit(html(graph()["o"])))
    final = graph()
    final["o"].backward()
    root.locator("[data-c]", has_text="q").first.hover()
    told = root.locator(".hover").text_content()
    assert repr(final["q"].data) in told and repr(final["q"].grad) in told
    root.locator(".bar").hover()
    root.locator("svg").hover(position={"x": 3, "y": 3})
    assert root.locator(".hover").text_content() == ""


def test_keys_elsewhere_and_keys_of_lists_and_shortcuts_are_left_alone(visit: Any) -> None:
    page = visit(f"<input id=other value=abc>{html(neuron())}")
    root = root_of(page)
    for key in ("ArrowRight", "End", "Space", "+", "0"):
        page.locator("#other").press(key)
        page.locator("body").press(key)
    root.locator("select").press("ArrowDown")
    root.locator("select").press("End")
    for key in ("Control+ArrowRight", "Alt+End", "Meta+ArrowRight", "x", "ArrowDown"):
        root.press(key)
    assert root.evaluate(STEP) == 0
    assert root.locator("select").input_value() == "8"
    assert "+0" in page.locator("#other").input_value()
    root.press("ArrowRight")
    assert root.evaluate(STEP) == 1


def training(path: Path) -> Path:
    """The other page with a script of its own; their keys are to be alike."""
    X, y = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [-1.0, 1.0, 1.0]
    model = MLP(2, [2, 1], rng=0)
    optimizer = SGD(model.parameters(), lr=0.1)
    settings: dict[str, Any] = {"epochs": 2, "rng": 0, "progress": False, "snapshots": True}
    history = fit(model, X, y, loss=hinge, optimizer=optimizer, **settings)
    return training_stepper(model, history, X, y).save(path)


@pytest.mark.parametrize("what", ["stepper", "training"])
def test_the_page_around_gets_the_keys_that_are_not_ours_and_no_others(
    visit: Any, what: str, tmp_path: Path
) -> None:
    page = visit(html(neuron()) if what == "stepper" else training(tmp_path / "training.html"))
    page.evaluate(
        """() => { window.got = [];
        addEventListener("keydown", (event) => {
          got.push(event.key);
          if (event.ctrlKey) event.preventDefault();
        }); }"""
    )
    control = page.get_by_title(re.compile("forward"))
    control.focus()
    for key in ("ArrowRight", "Home", "End", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate("got") == []
    for key in ("Escape", "a", "Control+s", "Control+ArrowRight", "Tab"):
        page.keyboard.press(key)
    expected = ["Escape", "a", "Control", "s", "Control", "ArrowRight", "Tab"]
    assert page.evaluate("got") == expected


# --- many at once, many steps ---------------------------------------------------------------


def test_steppers_on_one_page_do_not_meet(visit: Any) -> None:
    themes = ("light", "dark", "colorblind")
    page = visit("".join(html(graph()["o"], theme=theme) for theme in themes) + html(neuron()))
    roots = [root_of(page, i) for i in range(4)]
    roots[1].locator("input").press("End")
    roots[2].press("ArrowRight")
    roots[3].get_by_title("step forward").click()
    roots[3].get_by_title("step forward").click()
    roots[0].locator("input").fill("13")
    roots[0].press("ArrowLeft")
    assert [root.evaluate(STEP) for root in roots] == [12, 13, 1, 2]
    for root, name in zip(roots, (*themes, "light"), strict=True):
        theme = THEMES[name]
        root.locator("input").press("End")
        background = "root => getComputedStyle(root).backgroundColor"
        assert root.evaluate(background) == rgb(theme.background)
        assert fill_of(root.locator("[data-r='1'].pos").first) == rgb(theme.positive)
        assert fill_of(root.locator(".parameter rect, .input rect").first) == rgb(theme.input)
        for kind, color in (("give", theme.current), ("take", theme.receiving)):
            card = root.locator(f".{kind}[data-c] rect").first
            assert card.evaluate("e => getComputedStyle(e).stroke") == rgb(color)
            sample = root.locator(f".legend .{kind}")
            assert sample.evaluate("e => getComputedStyle(e).borderTopColor") == rgb(color)


def test_one_output_shown_twice_works_twice(visit: Any) -> None:
    once = html(neuron())  # a notebook's "new view for output" does so
    page = visit(f"<div>{once}</div><div>{once}</div>")
    root_of(page, 1).press("ArrowRight")
    assert [root_of(page, i).evaluate(STEP) for i in (0, 1)] == [0, 1]


def test_a_step_takes_less_than_a_screen_refresh(visit: Any) -> None:
    root = root_of(visit(html(perceptron()[1])))
    times = root.evaluate(
        """root => Array.from({length: 195}, () => {
          const button = root.querySelector("[title^='step forward']"), start = performance.now();
          button.click();
          document.body.getBoundingClientRect();  // layout too
          root.querySelector("svg").getBBox();
          return performance.now() - start;
        })"""
    )
    assert root.evaluate(STEP) == 195
    assert sorted(times)[len(times) * 9 // 10] < 16.0


@pytest.mark.parametrize("width", [380, 1200])
def test_what_changes_is_in_view_at_every_step(visit: Any, width: int) -> None:
    page = visit(html(perceptron()[1]), width=width, height=700)
    seen = root_of(page).evaluate(
        """root => Array.from({length: 195}, () => {
          root.querySelector("[title^='step forward']").click();
          const view = root.querySelector(".view").getBoundingClientRect();
          const inside = (box) => view.left <= box.left && box.right <= view.right
            && view.top <= box.top && box.bottom <= view.bottom;
          const receiving = [...root.querySelectorAll(".take[data-c] rect")];
          const cards = receiving.length ? receiving : [root.querySelector(".give[data-c] rect")];
          return cards.some((card) => inside(card.getBoundingClientRect()));
        })"""
    )
    assert seen == [True] * 195


# --- where things are different ---------------------------------------------------------------


def test_without_scripts_the_final_picture_is_shown(visit: Any) -> None:
    final = graph()
    final["o"].backward()
    page = visit(html(graph()["o"]), java_script_enabled=False)
    assert page.locator("button, input, select").count() == 0
    picture = page.locator("img")
    assert picture.is_visible() and picture.bounding_box()["width"] > 500
    assert picture.get_attribute("alt").startswith(f"o = {number(final['o'].data)}")
    source = base64.b64decode(picture.get_attribute("src").partition(",")[2])
    texts = [element.text for element in ElementTree.fromstring(source).iter()]
    for label, value in final.items():
        assert label in texts and number(value.data) in texts and signed(value.grad) in texts


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label[:12]))
def test_hostile_labels_neither_break_nor_inject(visit: Any, label: str, tmp_path: Path) -> None:
    value = Value(2.0, label=label) * Value(3.0) + 1.0
    value.label = label
    page = visit(stepper(value, names={label: value}).save(tmp_path / "hostile.html"))
    shown = states(root_of(page))
    title = printable(label, 24).strip()[:12]  # the rest may tell it from others
    assert any(card.startswith(title) for card in shown[-1]["cards"])
    root_of(page).locator("[data-c]").first.hover()
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.locator("img").count() == 1 and not page.locator("img").is_visible()
    assert page.evaluate("window.pwned") is None
    page.set_viewport_size({"width": 380, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    headline = root_of(page).locator(".headline")
    assert headline.evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label[:12]))
def test_hostile_scopes_neither_break_nor_inject(visit: Any, label: str) -> None:
    value = Value(1.0, label=label)
    with named_scope(label):
        for _ in range(150):
            value = value + 1.0
    page = visit(html(value))
    root_of(page).press("End")
    assert root_of(page).locator("[data-c] [data-r]").first.is_visible()
    assert page.evaluate("[window.pwned, document.querySelectorAll('script').length]") == [None, 1]


def test_print_has_the_whole_picture_and_all_steps_as_text(visit: Any) -> None:
    page = visit(html(graph()["o"], theme="dark"))
    root = root_of(page)
    whole = root.evaluate(BOX)[2:]
    root.locator("input").fill("9")
    for _ in range(5):
        root.press("+")
    zoomed = root.evaluate(BOX)
    assert not root.locator("pre").is_visible()
    page.emulate_media(media="print")
    assert not any(part.is_visible() for part in root.locator("button, input, select, img").all())
    assert root.locator(".title, .headline").evaluate_all("e => e.map((x) => x.clientHeight > 9)")
    lines = root.locator("pre").text_content().splitlines()
    assert root.locator("pre").is_visible()
    assert [int(line.split(".")[0]) for line in lines if line[0] != " "] == list(range(1, 14))
    assert "    x  |  y = -3  |  -1.1025  |  3.3076  |  0 → 3.3076" in lines
    printed = root.evaluate(BOX)
    assert printed[:2] == pytest.approx([0, 0])
    assert printed[2:] == pytest.approx([whole[0], whole[1]], abs=2)
    assert root.evaluate("root => getComputedStyle(root).printColorAdjust") == "exact"
    page.emulate_media(media="screen")
    assert root.evaluate(BOX) == pytest.approx(zoomed)
    assert not root.locator("pre").is_visible()


def test_a_print_before_the_first_step_has_the_picture_after_the_last(visit: Any) -> None:
    page = visit(html(graph()["o"]))
    root = root_of(page)
    page.emulate_media(media="print")
    assert root.locator("img").is_visible() and not root.locator(".view").is_visible()
    assert root.locator("img").evaluate("i => i.complete && i.naturalWidth") > 300
    assert root.locator(".title").is_visible() and root.locator("pre").is_visible()
    assert not root.locator(".headline").is_visible()
    page.emulate_media(media="screen")
    assert not root.locator("img").is_visible() and root.locator(".view").is_visible()


def test_the_title_stands_over_the_controls(visit: Any) -> None:
    root = root_of(visit(html(graph()["o"])))
    title = root.locator(".title")
    assert re.match(r"o = \S+, step by step", title.text_content())
    assert title.bounding_box()["y"] < root.locator("button").first.bounding_box()["y"]


def test_a_page_saved_with_all_that_scripts_made_works_again(visit: Any) -> None:
    first = visit(html(graph()["o"], theme="dark"))
    root_of(first).locator("input").fill("9")
    page = visit(first.content())
    root = root_of(page)
    assert root.evaluate(STEP) == 0
    root.press("End")
    assert root.evaluate(STEP) == 13
    assert [page.locator(name).count() for name in (".bar", "svg", "pre", "img")] == [1] * 4
    assert root.locator("[data-r]").all_text_contents().count("") == 0


def test_an_output_that_is_made_again_and_again_leaves_nothing_behind(visit: Any) -> None:
    page = visit("<div id=host></div>")
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    fragment = html(neuron())

    def alive(times: int) -> dict[str, int]:
        """What is in memory after so many re-runs of a cell that is cleared in the end."""
        page.evaluate(
            """async ([times, html]) => {
              const host = document.querySelector("#host");
              for (let i = 0; i < times; i++) {
                host.replaceChildren(document.createRange().createContextualFragment(html));
                await new Promise((done) => setTimeout(done, 20));
              }
              host.replaceChildren();
            }""",
            [times, fragment],
        )
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        return session.send("Memory.getDOMCounters")

    before, after = alive(2), alive(20)
    assert after["jsEventListeners"] <= before["jsEventListeners"]
    assert after["nodes"] < before["nodes"] + 100  # each page has several hundred


def test_a_narrow_page_does_not_overflow(visit: Any) -> None:
    root = root_of(page := visit(html(neuron()), width=380, height=700))
    for step in range(12):
        root.locator("input").fill(str(step))
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        inside = "say => [say.scrollWidth <= say.clientWidth, say.clientHeight > 60]"
        assert root.locator(".say").evaluate(inside) == [True, True]
    page.set_viewport_size({"width": 1200, "height": 800})
    page.wait_for_function(
        "document.querySelector('.view svg').getBoundingClientRect().width > 1000"
    )
    assert root.evaluate(STEP) == 11


# --- without a mouse, without eyes ---------------------------------------------------------------


def test_tab_reaches_every_control_in_order_with_a_visible_focus(visit: Any) -> None:
    page = visit(html(neuron()))
    reached = []
    for _ in range(13):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => { const e = document.activeElement, style = getComputedStyle(e);
                return [e.ariaLabel || e.textContent, style.outlineStyle, style.outlineWidth]; }"""
            )
        )
    assert [re.split(r" \(|: ", name)[0] for name, *_ in reached[1:]] == [
        "first step", "step back", "play", "step forward", "last step", "step", "speed",
        "zoom out", "zoom in", "fit the picture", CARDS[0], "All steps as text",
    ]  # fmt: skip
    assert reached[0][0].endswith("step by step")
    assert {(line, width) for _, line, width in reached} == {("solid", "2px"), ("solid", "3px")}
    page.keyboard.press("Enter")
    assert "11. backward: " in page.locator("pre").text_content()
    for _ in range(8):
        page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("step forward")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")  # a button does what it says
    assert root_of(page).evaluate(STEP) == 2


def test_keys_go_from_card_to_card_and_tell_of_each_what_pointing_tells(visit: Any) -> None:
    page = visit(html(neuron()))
    root, told = root_of(page), page.locator(".hover")
    assert root.locator("[data-c]:not(:has([data-r]))[tabindex]").count() == 0
    root.focus()
    for key, expected in [("n", 0), ("n", 1), ("n", 2), ("N", 1), ("N", 0), ("N", -1), ("n", 0)]:
        page.keyboard.press("Shift+N" if key == "N" else key)
        name = page.evaluate("document.activeElement.ariaLabel")
        assert name.startswith(f"{CARDS[expected]}: ") and told.text_content() == name
        assert root.locator("[data-c][tabindex='0']").count() == 1  # Tab comes back to it
    page.keyboard.press("ArrowRight")  # all else works from there
    assert root.evaluate(STEP) == 1
    root.locator("svg").hover(position={"x": 3, "y": 3})
    assert told.text_content() == name, "the pointer is at no card"
    root.locator("[data-c]", has_text="w1").first.hover()
    assert told.text_content().startswith("w1: ")
    page.keyboard.press("n")  # the pointer is still there, but this came later
    assert told.text_content().startswith(f"{CARDS[1]}: ")
    page.get_by_title("fit").focus()
    assert told.text_content() == ""
    root.locator("[data-c]", has_text="w1").first.hover()
    root.locator(".title").hover()
    assert told.text_content() == ""


def test_a_card_that_gets_the_focus_is_in_view_with_a_frame_around_it(visit: Any) -> None:
    page = visit(html(perceptron()[1]), width=380, height=500)
    root = root_of(page)
    root.focus()
    seen = []
    for key in ["n"] * 9 + ["Shift+N"] * 15:
        page.keyboard.press(key)
        seen.append(
            root.evaluate(
                """root => {
                const card = document.activeElement, box = card.getBoundingClientRect();
                const view = root.querySelector(".view").getBoundingClientRect();
                const style = getComputedStyle(card);
                return [card.dataset.c !== undefined, style.outlineStyle, style.outlineWidth,
                  view.left <= box.left && box.right <= view.right && 0 <= box.top
                  && view.top <= box.top && box.bottom <= view.bottom && box.bottom <= innerHeight];
                }"""
            )
        )
    assert seen == [[True, "solid", "3px", True]] * 24


def test_shift_and_arrows_move_the_picture(visit: Any) -> None:
    root = root_of(visit(html(perceptron()[1])))
    root.locator("input").fill("100")
    for keys, sign in [(("Right", "Down"), 1), (("Left", "Up"), -1)]:
        for name, axis in zip(keys, (0, 1), strict=True):
            before = root.evaluate(BOX)
            root.press(f"Shift+Arrow{name}")
            shift = [b - a for a, b in zip(before, root.evaluate(BOX), strict=True)]
            assert shift.pop(axis) * sign > 20
            assert shift == pytest.approx([0, 0, 0], abs=1)
    assert root.evaluate(STEP) == 100


def test_what_happens_is_said_to_those_who_do_not_see_it(visit: Any) -> None:
    root = root_of(visit(html(graph()["o"])))
    snapshot = root.aria_snapshot()
    assert re.findall(r'group "o = \S+, step by step"', snapshot)[1:], "the element, the picture"
    assert re.search(r'img "q: made by \+; data = -0.5,', snapshot)
    live = root.locator("[aria-live=polite]")
    assert live.text_content() == "", "nobody has done anything yet"
    for step, said in ((1, "p = x*y = 2*(-3) = -6"), (7, "starts: d o / d o = 1")):
        root.locator("input").fill(str(step))
        assert said in live.text_content()
        assert said in root.locator(".headline").text_content()
    assert not live.evaluate("e => e.clientWidth > 1 || e.clientHeight > 1")


def test_while_it_plays_only_the_end_is_said(visit: Any) -> None:
    page = visit(html(neuron()))
    root, live = root_of(page), page.locator("[aria-live]")
    page.evaluate(
        """() => { window.said = []; new MutationObserver(() => said.push(
          document.querySelector("[aria-live]").textContent)).observe(
          document.querySelector("[aria-live]"), {childList: true, subtree: true}); }"""
    )
    page.clock.install()
    root.press("Space")
    page.clock.run_for(3 * 1200)
    assert root.evaluate(STEP) == 3 and page.evaluate("said") == []
    root.press("Space")
    assert live.text_content().startswith("step 3 of 11")
    root.press("Space")
    page.clock.run_for(60_000)
    assert root.evaluate(STEP) == 11
    assert [text[:10] for text in page.evaluate("said")] == ["step 3 of ", "step 11 of"]


def test_the_play_button_is_called_after_what_it_does(visit: Any) -> None:
    page = visit(html(neuron()))
    play = page.locator(".play")
    for name in ("play", "pause", "play"):
        assert play.get_attribute("aria-label") == play.get_attribute("title") == f"{name} (space)"
        assert name in play.text_content()
        play.click()


def test_the_picture_is_described_as_it_is(visit: Any) -> None:
    root = root_of(visit(html(neuron())))
    for step in (0, 4, 11):
        root.locator("input").fill(str(step))
        description = root.locator("svg desc").text_content()
        assert f"step {step} of 11" in description and "after the backward" not in description


# --- films ---------------------------------------------------------------


def film(tmp_path: Path) -> Path:
    return animate(graph()["o"], tmp_path / "film.svg", seconds=0.1)


def test_the_animated_picture_moves_in_an_img(visit: Any, tmp_path: Path) -> None:
    page = visit(f'<img src="{film(tmp_path).name}">')
    seen = {page.screenshot()}
    for _ in range(30):
        page.wait_for_timeout(40)
        seen.add(page.screenshot())
        if len(seen) > 3:
            break
    assert len(seen) > 3


def test_the_animated_picture_shows_its_end_to_those_who_want_no_motion(
    visit: Any, tmp_path: Path
) -> None:
    page = visit(film(tmp_path), reduced_motion="reduce")  # an <img> obeys the machine's setting
    final = graph()
    final["o"].backward()
    numbers = [f(x) for v in final.values() for f, x in ((number, v.data), (signed, v.grad))]
    for _ in range(4):
        shown = page.evaluate(
            """() => [...document.querySelectorAll("text.v")].filter(
              (e) => getComputedStyle(e).visibility === "visible").map((e) => e.textContent)"""
        )
        assert sorted(shown) == sorted(numbers)
        page.wait_for_timeout(70)
