"""The training stepper: what it records it shows, in every browser state, and nothing else."""

from __future__ import annotations

import base64
import math
import re
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from autograd_engine import Value, dot
from autograd_engine.wording import number, signed
from nn import (
    MLP,
    SGD,
    History,
    Module,
    TrainingStepper,
    accuracy,
    fit,
    half_squared_error,
    hinge,
    one_hot,
    softmax_cross_entropy,
    training_stepper,
    two_moons,
)
from nn.layers import Layer
from nn.planes import GRID, NOT_A_NUMBER
from nn.stills import still

X, Y = two_moons(40, noise=0.1, rng=0)
CLASSES = [0 if x[0] < 0.0 else 1 if x[0] < 1.0 else 2 for x in X]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'`{|}&amp;",
    "\u202eshalom שלום \U0001f600",
    "a" * 10_000,
    "-->\x00\u2028\n",
]


def trained(model: Module, y: Any = Y, loss: Any = hinge, epochs: int = 6, X: Any = X) -> History:
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    settings = {"epochs": epochs, "batch_size": 8, "rng": 0, "progress": False}
    return fit(model, X, y, loss=loss, optimizer=optimizer, snapshots=True, **settings)


def network(*widths: int) -> MLP:
    return MLP(2, list(widths or (4, 1)), activation="tanh", rng=0)


def moons(epochs: int = 6, **settings: Any) -> tuple[MLP, History, TrainingStepper]:
    model = network()
    history = trained(model, epochs=epochs)
    return model, history, training_stepper(model, history, X, Y, **settings)


def data_of(stepper: TrainingStepper) -> dict[str, Any]:
    return stepper._data


def at(model: Module, parameters: Any, rows: Any = X) -> list[Any]:
    """What the model says with these parameters, sample by sample."""
    return model.with_parameters([Value(p) for p in parameters]).predict(rows)


class Switch(Module):
    """It cannot be compiled, and has no layers."""

    def __init__(self) -> None:
        self.slope, self.curve = Value(2.0), [Value(0.5), Value(-1.5)]

    def __call__(self, x: Any) -> Any:
        out = self.slope * x[0] + dot(self.curve, [x[0] ** 2, x[1]])
        return out if out > -100.0 else out * 2.0


# --- what the page is made from ---------------------------------------------------------------


def test_losses_gradients_and_parameters_are_the_recorded_ones() -> None:
    _, history, stepper = moons()
    data = data_of(stepper)
    assert data["epochs"] == list(range(7))
    for i, snapshot in enumerate(history.snapshots):
        assert snapshot.loss is not None
        assert number(data["loss"][i]) == number(snapshot.loss)
        assert data["gradients"]["names"] == ["layer 0", "layer 1"]
        shown = [number(x) for x in data["gradients"]["sizes"][i]]
        assert shown == [number(x) for x in snapshot.gradients.values()]
        assert [number(x) for x in data["numbers"][i]] == [number(x) for x in snapshot.parameters]


def test_right_and_wrong_samples_are_those_of_the_model_at_each_epoch() -> None:
    model, history, stepper = moons()
    data = data_of(stepper)
    for i, snapshot in enumerate(history.snapshots):
        outputs = at(model, snapshot.parameters)
        assert data["right"][i] / data["total"] == accuracy(outputs, Y)
        wrong = [k for k, (o, t) in enumerate(zip(outputs, Y, strict=True)) if o * t <= 0]
        assert data["wrong"][i] == wrong


@pytest.mark.parametrize("targets", [CLASSES, one_hot(CLASSES)])
def test_classes_may_be_indices_or_rows(targets: Any) -> None:
    model = network(5, 3)
    history = trained(model, targets, softmax_cross_entropy)
    data = data_of(training_stepper(model, history, X, targets))
    final = at(model, history.snapshots[-1].parameters)
    assert data["right"][-1] / data["total"] == accuracy(final, CLASSES)
    assert [one["name"] for one in data["classes"]] == ["class 0", "class 1", "class 2"]
    assert len({one["mark"] for one in data["classes"]}) == 3


def points_of(plane: dict[str, Any]) -> list[list[float]]:
    low, high = plane["from"], plane["to"]
    sides = [np.linspace(low[i], high[i], GRID) for i in (0, 1)]
    return [[float(a), float(b)] for b in sides[1] for a in sides[0]]


def test_plane_has_the_sign_and_the_size_of_the_output_everywhere() -> None:
    model, history, stepper = moons()
    plane = data_of(stepper)["plane"]
    for i in (0, 3, 6):
        codes = base64.b64decode(plane["codes"][i])
        outputs = at(model, history.snapshots[i].parameters, points_of(plane))
        assert len(codes) == GRID * GRID
        step = plane["high"] / (plane["levels"] - 1)
        for code, output in zip(codes, outputs, strict=True):
            winner, lead = divmod(code, plane["levels"])
            assert winner == (output > 0)
            assert lead * step == pytest.approx(min(abs(output), plane["high"]), abs=0.51 * step)


def test_plane_has_the_winning_class_and_its_lead() -> None:
    model = network(5, 3)
    history = trained(model, CLASSES, softmax_cross_entropy)
    plane = data_of(training_stepper(model, history, X, CLASSES))["plane"]
    codes = base64.b64decode(plane["codes"][-1])
    outputs = at(model, history.snapshots[-1].parameters, points_of(plane))
    for code, scores in zip(codes, outputs, strict=True):
        first, second = sorted(scores)[-1], sorted(scores)[-2]
        assert code // plane["levels"] == scores.index(first)
        lead = min(1.0, (first - second) / plane["high"]) * (plane["levels"] - 1)
        assert code % plane["levels"] == pytest.approx(lead, abs=0.51)


def test_numbers_as_targets_have_a_plane_without_counting() -> None:
    model, targets = network(), [x[0] - x[1] for x in X]
    history = trained(model, targets, half_squared_error)
    data = data_of(training_stepper(model, history, X, targets))
    assert data["kind"] == "numbers"
    assert "right" not in data and "classes" not in data
    plane = data["plane"]
    outputs = at(model, history.snapshots[-1].parameters, points_of(plane))
    for code, output in zip(base64.b64decode(plane["codes"][-1]), outputs, strict=True):
        share = (output - plane["low"]) / (plane["high"] - plane["low"])
        assert code == pytest.approx(254 * min(1.0, max(0.0, share)), abs=0.51)


def test_other_than_two_inputs_have_no_plane() -> None:
    rows = [[*x, 1.0] for x in X]
    model = MLP(3, [4, 1], rng=0)
    data = data_of(training_stepper(model, trained(model, X=rows), rows, Y))
    assert "plane" not in data
    assert data["right"][-1] > 0
    ElementTree.fromstring(still(data))


def test_several_numbers_as_targets_have_neither_plane_nor_counts() -> None:
    model, targets = network(4, 2), [[x[1], x[0]] for x in X]
    history = trained(model, targets, lambda o, t: half_squared_error(o[0], t[0]))
    assert not {"plane", "right"} & set(data_of(training_stepper(model, history, X, targets)))


def test_model_without_layers_shows_groups_of_parameters() -> None:
    model, targets = Switch(), [x[0] for x in X]
    history = trained(model, targets, half_squared_error)
    data = data_of(training_stepper(model, history, X, targets))
    assert "network" not in data
    assert [(g["title"], g["names"]) for g in data["groups"]] == [
        ("slope", ["slope"]),
        ("curve", ["0", "1"]),
    ]
    assert data["numbers"][-1] == pytest.approx(history.snapshots[-1].parameters, rel=1e-2)
    assert data["title"] == "Switch"


def test_a_layer_is_a_network_too() -> None:
    layer = Layer(2, 3, rng=0)
    history = trained(layer, CLASSES, softmax_cross_entropy)
    data = data_of(training_stepper(layer, history, X, CLASSES))
    assert data["network"]["sizes"] == [2, 3]


def test_parameters_outside_the_layers_are_not_hidden() -> None:
    model = network()
    model.scale = Value(1.0)  # type: ignore[attr-defined]
    data = data_of(training_stepper(model, trained(model), X, Y))
    assert [group["title"] for group in data["groups"]] == ["layer 0", "layer 1", "scale"]


def test_wide_layers_show_their_first_neurons_with_their_own_weights() -> None:
    model = network(40, 40, 1)
    history = trained(model, epochs=1)
    data = data_of(training_stepper(model, history, X, Y))
    drawn = data["network"]["drawn"]
    assert data["network"]["sizes"] == [2, 40, 40, 1]
    assert drawn[1] == drawn[2] < 40
    second = model.layers[1].neurons[0]
    start = drawn[1] * 3  # behind the first layer's two weights and a bias each
    expected = [number(w.data) for w in second.w[: drawn[1]]] + [number(second.b.data)]  # type: ignore[union-attr]
    assert [number(x) for x in data["numbers"][-1][start : start + drawn[1] + 1]] == expected


def test_long_trainings_keep_the_first_the_last_and_even_steps() -> None:
    model, history = network(), History()
    for i in range(1001):
        history.record(model, float(i))
    data = data_of(training_stepper(model, history, X, Y))
    assert len(data["epochs"]) == 100
    assert (data["epochs"][0], data["epochs"][-1]) == (0, 1000)
    gaps = {b - a for a, b in zip(data["epochs"], data["epochs"][1:], strict=False)}
    assert gaps <= {10, 11}
    assert data["loss"] == data["epochs"]


def test_inf_nan_and_missing_numbers_are_shown_as_such() -> None:
    model = network()
    history = trained(model, epochs=1)
    weight = model.parameters()[0]
    for odd in (math.nan, math.inf, 1e300):
        weight.data = odd
        history.record(model, odd)
    history.record(model)
    stepper = training_stepper(model, history, X, Y)
    data = data_of(stepper)
    assert data["loss"][2:] == ["nan", "inf", 1e300, None]
    assert data["numbers"][2][0] == "nan"
    assert set(base64.b64decode(data["plane"]["codes"][2])) == {NOT_A_NUMBER}
    assert data["right"][2] == 0
    assert "NaN" not in stepper.html()


def test_the_model_and_its_gradients_stay_as_they_are() -> None:
    model = network()
    history = trained(model)
    before = [(p.data, p.grad) for p in model.parameters()]
    training_stepper(model, history, X, Y).html()
    assert [(p.data, p.grad) for p in model.parameters()] == before


def test_numbers_as_targets_of_a_diverged_model_keep_the_scale_of_the_targets() -> None:
    model, history = network(), History()
    for p in model.parameters():
        p.data = math.nan
    history.record(model, math.nan)
    stepper = training_stepper(model, history, X, [x[0] for x in X])
    plane = data_of(stepper)["plane"]
    assert (plane["low"], plane["high"]) == (min(x[0] for x in X), max(x[0] for x in X))
    assert plane["unknown"] == NOT_A_NUMBER
    assert set(base64.b64decode(plane["codes"][0])) == {NOT_A_NUMBER}
    ElementTree.fromstring(still(data_of(stepper)))


@pytest.mark.parametrize("theme", ["light", "dark", "colorblind"])
def test_picture_and_page_have_the_same_shades(theme: str) -> None:
    model = network()
    numbers = training_stepper(
        model, trained(model, [x[0] for x in X], half_squared_error), X, [x[0] for x in X]
    )
    for stepper, kinds in ((moons(theme=theme)[2], 2), (numbers, 1)):
        data = data_of(stepper)
        assert len(data["shades"]) == kinds
        shades = {shade for table in data["shades"] for shade in table}
        plane = re.findall(r'<path shape-rendering="crispEdges" fill="([^"]+)"', still(data))
        assert len(plane) > 2 and set(plane) <= shades


def test_a_notebook_gets_the_page_and_a_line_of_text() -> None:
    stepper = moons()[2]
    bundle = stepper._repr_mimebundle_()
    assert len(stepper) == 7
    assert bundle["text/plain"] == repr(stepper)
    assert data_of(stepper)["title"] in repr(stepper)
    assert '<div id="' in bundle["text/html"] and "<script>" in bundle["text/html"]


# --- trouble ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"history": History()}, "no snapshots; train with"),
        ({"model": network(3, 1)}, "13 parameters, the snapshots have 17"),
        ({"X": []}, "X is empty"),
        ({"X": X[:-1]}, "X has 39 rows, y has 40"),
        ({"X": [[math.nan, 0.0]] * 40}, "not a finite number"),
        ({"X": [[0.0]] * 40}, "expected 2 inputs, got 1"),
        ({"names": ["a"]}, "names must be a list of 2 texts"),
        ({"names": "ab"}, "names must be a list of 2 texts"),
        ({"classes": ["a", "b", "c"]}, "classes must be a list of 2 texts"),
        ({"theme": "pink"}, "unknown theme 'pink'"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, Any], message: str) -> None:
    model = network()
    arguments = {"model": model, "history": trained(model, epochs=1), "X": X, "y": Y, **changes}
    with pytest.raises(ValueError, match=re.escape(message)):
        training_stepper(**arguments)


def test_a_page_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper = moons(1)[2]
    path = tmp_path / "training.html"
    assert stepper.save(str(path)) == path
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    monkeypatch.setattr(Path, "replace", lambda self, target: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stepper.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["training.html"]
    assert path.read_text(encoding="utf-8") == page


# --- the page ---------------------------------------------------------------


def test_page_is_small_and_quick() -> None:
    rows, targets = two_moons(200, noise=0.1, rng=0)
    model = network(16, 16, 1)
    history = trained(model, targets, epochs=60, X=rows)
    start = time.perf_counter()
    page = training_stepper(model, history, rows, targets).html()
    assert time.perf_counter() - start <= 2.0
    assert len(page.encode()) <= 600_000


def test_page_needs_no_network() -> None:
    page = moons(1)[2].html()
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|@import|<script src|fetch\(|XMLHttpRequest", page)


def test_without_scripts_the_last_epoch_stays_as_a_picture() -> None:
    _, history, stepper = moons()
    page = stepper.html()
    before_script = page.partition("<script>")[0]
    assert not re.search("<(button|input|select)", before_script)
    found = re.search(r'<img alt="([^"]*)"[^>]* src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert found is not None
    assert found[1] == "MLP(2 -&gt; 4 tanh -&gt; 1 linear), 17 parameters after epoch 6"
    root = ElementTree.fromstring(base64.b64decode(found[2]))
    texts = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert f"epoch 6 · loss {number(history.snapshots[-1].loss or 0.0)} · " in texts[0]
    marks = [element for element in root.iter() if element.tag.endswith("use")]
    assert len(marks) == len(X) + 2  # and the legend


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_neither_break_nor_inject(name: str) -> None:
    stepper = moons(1, names=[name, name], classes=[name, name])[2]
    page = stepper.html()
    assert page.count("<script") == 1 and page.count("</script") == 1
    assert "<img src=x" not in page
    assert len(page) < 150_000
    ElementTree.fromstring(still(data_of(stepper)))


@pytest.mark.parametrize("theme", ["light", "dark", "colorblind"])
def test_every_theme_has_its_colours(theme: str) -> None:
    colors = data_of(moons(1, theme=theme)[2])["colors"]
    assert colors["name"] == theme


# --- in a browser ---------------------------------------------------------------


STATE = """root => [...root.querySelectorAll(".state b, .gradient")].map(x => x.textContent)"""
EPOCH = "root => +root.dataset.epoch"


def root_of(page: Any, which: int = 0) -> Any:
    return page.locator(".ae-training_stepper").nth(which)


def test_numbers_on_screen_are_the_recorded_ones_at_every_epoch(visit: Any) -> None:
    model, history, stepper = moons()
    root = root_of(visit(stepper.html()))
    neuron = model.layers[0].neurons[2]
    places = [i for i, p in enumerate(model.parameters()) if any(p is q for q in neuron.w)]
    root.locator(".choice select").select_option(label="layer 0, neuron 2")
    for i, snapshot in enumerate(history.snapshots):
        right = round(accuracy(at(model, snapshot.parameters), Y) * len(Y))
        epoch, loss, share, *gradients = root.evaluate(STATE)
        assert epoch.split(" (")[0] == f"{i} of 6"
        assert loss == number(snapshot.loss or 0.0)
        assert share == f"{right} of 40 ({100 * right / 40:.1f} %)"
        assert gradients == [number(x) for x in snapshot.gradients.values()]
        shown = root.locator(".values b").all_text_contents()
        weights = [snapshot.parameters[k] for k in (*places, places[-1] + 1)]
        assert shown == [signed(w + 0.0) for w in weights]
        assert root.locator(".ring:not(.hidden)").count() == 40 - right + 1  # one in the legend
        root.locator(".forward").click()


def test_odd_numbers_are_written_as_in_python(visit: Any) -> None:
    model = network()
    history = trained(model, epochs=1)
    odd = [
        0.0,
        -0.0,
        0.03125,
        9.9999e-4,
        999999.99999,
        -0.00099999,
        1e-9,
        123456.78901,
        1e6,
        1e300,
        5e-324,
    ]
    for x in [*odd, math.inf, math.nan]:
        history.record(model, x)
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    shown = []
    for _ in history.snapshots:
        shown.append(root.locator(".value-loss").text_content())
        root.locator(".forward").click()
    assert shown[2:] == [number(x + 0.0) for x in [*odd, math.inf, math.nan]]


def test_every_control_moves_the_state(visit: Any) -> None:
    page = visit(moons(30)[2].html())
    root = root_of(page)
    assert root.evaluate(EPOCH) == 0
    for key, epoch in [
        ("ArrowRight", 1), ("ArrowUp", 2), ("ArrowLeft", 1), ("ArrowDown", 0), ("ArrowLeft", 0),
        ("PageUp", 10), ("PageDown", 0), ("End", 30), ("ArrowRight", 30), ("Home", 0),
    ]:  # fmt: skip
        root.locator("input").press(key)
        assert root.evaluate(EPOCH) == epoch, key
    root.locator(".forward").click()
    root.locator(".forward").press("Space")  # a button does what it says
    assert root.evaluate(EPOCH) == 2
    root.locator(".back").click()
    assert root.evaluate(EPOCH) == 1
    root.locator("input").fill("20")
    assert root.evaluate(EPOCH) == 20
    assert root.locator("input").get_attribute("aria-valuetext") == "epoch 20"
    assert root.locator("[aria-live]").text_content().startswith("epoch 20, loss ")
    box = root.locator(".curve").bounding_box()
    page.mouse.click(box["x"] + box["width"] * (44 + 268 * 12 / 30) / 320, box["y"] + 60)
    assert root.evaluate(EPOCH) == 12


def test_play_runs_to_the_end_and_stops_and_pauses(visit: Any) -> None:
    page = visit(moons(8)[2].html())
    root = root_of(page)
    root.locator("select[aria-label=speed]").select_option("40")
    root.locator(".play").click()
    assert root.locator(".play").get_attribute("aria-label") == "pause"
    page.wait_for_function("document.querySelector('.ae-training_stepper').dataset.epoch === '8'")
    page.wait_for_function("document.querySelector('.play').ariaLabel === 'play'")
    root.locator("select[aria-label=speed]").select_option("2")
    root.locator("input").press(" ")  # from the start again
    assert root.evaluate(EPOCH) == 0
    root.locator("input").press(" ")
    page.wait_for_timeout(700)
    assert root.evaluate(EPOCH) == 0


def test_the_timer_stops_when_the_element_leaves_the_page(visit: Any) -> None:
    page = visit(
        "<script>window.running = new Set();"
        "const start = setInterval, end = clearInterval;"
        "window.setInterval = (f, t) => { const i = start(f, t); running.add(i); return i; };"
        "window.clearInterval = (i) => { running.delete(i); end(i); };</script>"
        + moons(30)[2].html()
    )
    root_of(page).locator(".play").click()
    assert page.evaluate("running.size") == 1
    page.evaluate("document.querySelector('.ae-training_stepper').remove()")
    page.wait_for_function("running.size === 0", timeout=3000)


def test_two_on_one_page_do_not_meet(visit: Any) -> None:
    light, dark = moons()[2], moons(9, theme="dark")[2]
    page = visit(light.html() + dark.html() + light.html())
    roots = [root_of(page, i) for i in range(3)]
    roots[1].locator("input").press("End")
    roots[2].locator(".forward").click()
    assert [root.evaluate(EPOCH) for root in roots] == [0, 9, 1]
    backgrounds = [root.evaluate("r => getComputedStyle(r).backgroundColor") for root in roots]
    assert backgrounds[0] == backgrounds[2] != backgrounds[1]


def test_keys_meant_for_the_page_or_a_list_are_left_alone(visit: Any) -> None:
    page = visit(moons()[2].html())
    root = root_of(page)
    root.locator("select[aria-label=speed]").press("ArrowDown")
    page.locator("body").press("ArrowRight")
    assert root.evaluate(EPOCH) == 0


def test_the_canvas_shows_the_signs_of_the_output(visit: Any) -> None:
    model, history, stepper = moons(20, classes=["no", "yes"])
    root = root_of(visit(stepper.html()))
    root.locator("input").press("End")
    plane = data_of(stepper)["plane"]
    rows = [points_of(plane)[k] for k in range(7, GRID * GRID, 113)]
    outputs = at(model, history.snapshots[-1].parameters, rows)
    low, high = plane["from"], plane["to"]
    shares = [[(p[i] - low[i]) / (high[i] - low[i]) for i in (0, 1)] for p in rows]
    colors = root.locator("canvas").evaluate(
        "(c, shares) => { const n = c.width;"
        " const all = c.getContext('2d').getImageData(0, 0, n, n).data;"
        " return shares.map(([x, y]) => { const p = 4 * (n * Math.round((1 - y) * (n - 1)) +"
        " Math.round(x * (n - 1))); return [...all.slice(p, p + 4)]; }); }",
        shares,
    )
    clear = [
        (red > blue, output > 0)
        for (red, _, blue, _), output in zip(colors, outputs, strict=True)
        if abs(red - blue) > 20  # neither the boundary nor close to it
    ]
    assert len(clear) > 10
    assert {shown for shown, _ in clear} == {True, False}
    assert all(shown == expected for shown, expected in clear)


def test_a_neuron_is_chosen_by_a_click_and_left_by_another(visit: Any) -> None:
    root = root_of(visit(moons()[2].html()))
    neuron = root.locator(".neuron circle").nth(1)
    neuron.click()
    assert root.locator(".values b").count() == 3  # two weights and the bias
    assert root.locator(".edge.on").count() == 2
    neuron.click()
    assert root.locator(".values b").count() == 0


def test_edges_are_dashed_when_their_weight_is_negative(visit: Any) -> None:
    model, _, stepper = moons()
    root = root_of(visit(stepper.html()))
    root.locator("input").press("End")
    dashed = root.locator(".edge[stroke-dasharray]").count()
    weights = [w.data for layer in model.layers for neuron in layer.neurons for w in neuron.w]
    assert 0 < dashed == sum(w < 0.0 for w in weights) < len(weights)


def test_a_large_bias_does_not_hide_the_weights(visit: Any) -> None:
    model = network()
    bias = model.layers[0].neurons[0].b
    assert bias is not None
    bias.data = 50.0
    history = History()
    history.record(model)
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    weights = [w.data for layer in model.layers for neuron in layer.neurons for w in neuron.w]
    widths = root.locator(".edge").evaluate_all(
        "all => all.map(x => +x.getAttribute('stroke-width'))"
    )
    largest = max(map(abs, weights))
    assert widths == [pytest.approx(0.4 + 4 * abs(w) / largest, abs=0.01) for w in weights]
    words = root.locator(".weights .legend").text_content()
    assert float(words.partition("thickest: ")[2]) == pytest.approx(largest, rel=0.01)


def test_controls_do_not_speak_of_epochs_where_some_are_left_out(visit: Any) -> None:
    model, history = network(), History()
    for i in range(301):
        history.record(model, float(i))
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    root.locator(".forward").click()
    assert root.evaluate(EPOCH) == 3
    buttons = root.locator(".bar button")
    words = [b.get_attribute(name) for b in buttons.all() for name in ("title", "aria-label")]
    assert words == ["back", "back", "play", "play", "forward", "forward"]
    assert root.locator("select[aria-label=speed] option").all_text_contents() == [
        f"{n} steps a second" for n in (2, 5, 10, 20, 40)
    ]
    assert "100 of 301 recorded epochs are on this page." in root.text_content()


@pytest.mark.parametrize("place", [".map canvas", ".curve", ".title"])
def test_keys_work_after_a_click_anywhere_inside(visit: Any, place: str) -> None:
    page = visit(moons(30)[2].html())
    root = root_of(page)
    root.locator(place).click(position={"x": 10, "y": 10}, force=True)
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    assert root.evaluate(EPOCH) == 10


@pytest.mark.parametrize("column", [0.0, -3.0, 1e15, 1e300, -1e-300])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_any_column_of_inputs_has_a_page_that_runs(
    visit: Any, column: float, spread: float
) -> None:
    model, history = network(), History()
    history.record(model, 1.0)
    rows = [[column + spread * a, b] for a, b in X]
    root = root_of(visit(training_stepper(model, history, rows, Y).html()))
    for kind in ("plane", "loss", "gradients", "weights"):
        assert root.locator(f".panel.{kind}").count() == 1
    assert 1 <= root.locator(".map text.small").count() <= 42
    assert "NaN" not in root.locator(".map").inner_html()


@pytest.mark.parametrize(
    "losses",
    [
        [math.exp(-0.1 * i) for i in range(60)],
        [math.exp(0.1 * i) for i in range(60)],
        [2.0 + math.sin(i) for i in range(40)],
        [1.0, 9.0, 1.0],
        [1.0],
    ],
    ids=["falling", "rising", "waves", "few", "one"],
)
def test_the_loss_beside_the_cursor_does_not_lie_over_the_curve(
    visit: Any, losses: list[float]
) -> None:
    model, history = network(), History()
    for loss in losses:
        history.record(model, loss)
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    covered = root.evaluate(
        "root => { const tag = root.querySelector('.tag'), line = root.querySelector('.all');"
        " const n = line.getTotalLength(), forward = root.querySelector('.forward');"
        " const points = Array.from({length: n}, (_, i) => line.getPointAtLength(i));"
        " const found = []; for (let last = -1; last !== root.dataset.epoch; forward.click()) {"
        " last = root.dataset.epoch; const box = tag.getBBox();"
        " const right = box.x + box.width, low = box.y + box.height;"
        " if (box.x < 0 || right > 320 || box.y < 0 || low > 155) found.push(last);"
        " if (points.some((p) => p.x > box.x && p.x < right && p.y > box.y + 2 && p.y < low - 2))"
        " found.push(last); } return [root.dataset.epoch, found]; }"
    )
    assert covered == [str(len(losses) - 1), []]


def test_minus_is_written_in_one_way(visit: Any) -> None:
    model, history = network(), History()
    for loss in (-2.0, -1e-9):
        history.record(model, loss)
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    root.locator(".choice select").select_option(label="layer 0, neuron 2")
    root.locator(".forward").click()
    assert root.locator(".value-loss").text_content() == number(-1e-9)
    assert "-" in root.locator(".values").text_content()
    assert "−" not in root.text_content()


def test_elements_that_were_removed_are_freed(visit: Any) -> None:
    pages = [moons()[2].html() for _ in range(5)]
    page = visit("<div id=cell></div>")
    session = page.context.new_cdp_session(page)

    def left() -> tuple[int, int]:
        session.send("HeapProfiler.collectGarbage")
        counters = session.send("Memory.getDOMCounters")
        return counters["nodes"], counters["jsEventListeners"]

    def run(one: str) -> None:
        page.evaluate(
            "html => { const cell = document.getElementById('cell'); cell.innerHTML = html;"
            " const script = document.createElement('script');"
            " script.textContent = cell.querySelector('script').textContent;"
            " cell.querySelector('script').replaceWith(script); }",
            one,
        )
        root_of(page).locator(".forward").click()

    run(pages[0])
    nodes, listeners = left()
    for one in pages * 2:
        run(one)
    assert nodes > 100
    after = left()
    assert after[0] < 1.9 * nodes and after[1] < 1.9 * listeners  # the last, not all eleven


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(visit: Any, name: str) -> None:
    page = visit(moons(1, names=[name, name], classes=[name, "other"])[2].html())
    root_of(page).locator("input").press("End")
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.evaluate("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize(
    ("model", "targets", "loss"),
    [
        (network(5, 3), CLASSES, softmax_cross_entropy),
        (network(), [x[0] for x in X], half_squared_error),
        (Switch(), [x[0] for x in X], half_squared_error),
        (network(40, 1), Y, hinge),
        (Layer(2, 3, rng=0), CLASSES, softmax_cross_entropy),
    ],
    ids=["classes", "numbers", "no layers", "wide", "layer"],
)
def test_every_kind_of_model_has_a_page_that_runs(
    visit: Any, model: Module, targets: Any, loss: Any
) -> None:
    history = trained(model, targets, loss, epochs=2)
    root = root_of(visit(training_stepper(model, history, X, targets).html()))
    for key in ("End", "Home", "ArrowRight"):
        root.locator("input").press(key)
    assert root.locator(".value-loss").text_content() == number(history.snapshots[1].loss or 0.0)


def test_diverged_and_single_epochs_have_a_page_that_runs(visit: Any) -> None:
    model, history = network(), History()
    history.record(model)
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    assert root.locator(".value-loss").text_content() == "–"
    for x in (math.nan, math.inf):
        model.parameters()[0].data = x
        history.record(model, x)
    root = root_of(visit(training_stepper(model, history, X, Y).html()))
    root.locator("input").press("End")
    assert "not a finite number" in root.locator(".plane").text_content()


def test_narrow_and_printed_pages_do_not_overflow(visit: Any) -> None:
    page = visit(moons(classes=["no", "W" * 100])[2].html())
    for width in (320, 640, 1400):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert not root_of(page).locator(".bar").is_visible()
    assert root_of(page).locator(".state").is_visible()


def test_a_step_takes_less_than_a_screen_refresh(visit: Any) -> None:
    model = network(16, 16, 1)
    page = visit(training_stepper(model, trained(model, epochs=60), X, Y).html())
    times = page.evaluate(
        "() => { const f = document.querySelector('.forward'); return Array.from({length: 60},"
        " () => { const t = performance.now(); f.click(); return performance.now() - t; }); }"
    )
    assert sorted(times)[len(times) // 2] < 16.0
