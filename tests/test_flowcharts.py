"""Mermaid: every node and arrow of the picture, labels that mean nothing to it, its limits."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_engine import Graph, Value, draw, logsumexp, named_scope, tanh
from autograd_engine import sum as sum_of
from autograd_engine.drawing import mermaid
from autograd_engine.flowcharts import arrows_of
from nn import MLP


class Chart:
    """A flowchart's text as its nodes, arrows, classes and subgraphs, with texts decoded."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.nodes = {
            m[1]: decoded(m[2]).split("<br/>")
            for m in self._matches(r'(\w+)[\[(]+"(.*)"[\])]+')
            if m[1] != "note"
        }
        self.arrows = {
            (m[1], m[3]): decoded(m[2] or "")
            for m in self._matches(r'(\w+) -->(?:\|"(.*)"\|)? (\w+)')
        }
        self.classes = {name: m[2] for m in self._matches(r"class (\S+) (\w+)") for name in
                        m[1].split(",")}  # fmt: skip
        self.frames = [decoded(m[1]) for m in self._matches(r'subgraph \w+\["(.*)"\]')]
        self.note = [decoded(m[1]) for m in self._matches(r'note\["(.*)"\]')]

    def _matches(self, pattern: str) -> list[re.Match[str]]:
        return [m for line in self.lines if (m := re.fullmatch(pattern, line))]


def decoded(text: str) -> str:
    text = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), text)
    return text.removeprefix("\N{ZERO WIDTH SPACE}")


def neuron() -> Value:
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(5.0, label="b")
    output = tanh(x * w + b)
    output.label = "output"
    return output


def test_every_value_operation_and_arrow_is_there() -> None:
    output = neuron()
    output.backward()
    chart = Chart(mermaid(output))
    assert chart.lines[0] == "flowchart LR"
    assert chart.nodes["v0"] == ["x", "data 2.0000", "grad -1.2599"]
    assert chart.nodes["v5"] == ["output", "data -0.7616", "grad +1.0000"]
    assert {name: x[0] for name, x in chart.nodes.items() if name[0] == "o"} == {
        "o2": "*",
        "o4": "+",
        "o5": "tanh",
    }
    assert len(chart.arrows) == 5 + 3
    assert chart.arrows["v0", "o2"] == "-3.0000"
    assert chart.arrows["o5", "v5"] == ""


def test_kinds_are_classes_with_the_colours_of_the_theme() -> None:
    chart = Chart(mermaid(neuron(), theme="dark"))
    assert (chart.classes["v0"], chart.classes["v1"]) == ("input", "parameter")
    assert (chart.classes["v2"], chart.classes["v5"]) == ("interior", "output")
    assert chart.classes["o2"] == "operation"
    assert "classDef input fill:#14532D,stroke:#64748B,color:#F1F5F9" in chart.lines


def test_signs_of_contributions_are_in_colours_and_dashes() -> None:
    output = neuron()
    assert "linkStyle" not in mermaid(output)
    output.backward()
    styles = dict(re.findall(r"linkStyle (\S+) (.*)", mermaid(output)))
    first = next(style for numbers, style in styles.items() if "0" in numbers.split(","))
    assert first.startswith("stroke:#B91C1C,") and "stroke-dasharray" in first
    second = next(style for numbers, style in styles.items() if "1" in numbers.split(","))
    assert second.startswith("stroke:#166534,") and "stroke-dasharray" not in second
    numbers = sorted(int(n) for part in styles for n in part.split(","))
    assert numbers == list(range(8))


def test_constants_among_many_operands_are_notes() -> None:
    chart = Chart(mermaid(logsumexp([Value(1.0), 2.0])))
    assert chart.nodes["o1"] == ["logsumexp 2"]
    text = mermaid(logsumexp([Value(1.0), 2.0, 3.0]))
    assert re.findall(r"(c1_\d)\[\"(.*)\"\]", text) == [("c1_1", "2.0000"), ("c1_2", "3.0000")]
    assert "c1_2 -.-> o1" in text


def test_scopes_are_subgraphs_inside_one_another() -> None:
    output = MLP(1, [2, 1], rng=0)([Value(1.0)])
    chart = Chart(mermaid(output))
    assert chart.frames == ["layer 1", "neuron 0", "layer 0", "neuron 0", "neuron 1"]
    assert chart.lines.count("end") == 5
    assert Chart(mermaid(output, clusters=False)).frames == []


def test_what_is_not_known_yet_is_said() -> None:
    (note,) = Chart(mermaid(neuron())).note
    assert note.startswith("no backward yet: call .backward() on the output")


def test_direction_and_description() -> None:
    lines = mermaid(neuron(), direction="TB").splitlines()
    assert lines[0] == "flowchart TB"
    assert lines[1] == "accTitle: Computation graph of output = -0.7616"
    assert lines[2].startswith("accDescr: Computation graph of output = -0.7616: 6 values, 1 input")


# --- labels ---------------------------------------------------------------

LABELS: list[str] = [
    '"', "`code`", "end", "[x]", "(x)", "{x}", "a|b", "<b>", "&amp;", "#quot;", "#35;", ";", "%%",
    "x --> y", "click x", "style a:#b;", ":::", "$$x^2$$", "\\n", "- x", "1. x", "* x", "+",
    "subgraph", "</script>", "~~~", "@{}", "漢字", "😀",
]  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_label_stands_for_itself(label: str) -> None:
    with named_scope(label):
        x = Value(1.0, label=label)
    y = x * 2.0
    y.label = label
    chart = Chart(mermaid(y))
    assert chart.nodes["v0"][0] == chart.nodes["v1"][0] == label
    assert chart.frames == [label]
    assert Chart(mermaid(y, fold="layer")).nodes["g0"][0] == label


@given(st.text(max_size=60))
def test_any_text_stays_between_its_quotes(label: str) -> None:
    plain, hostile = Value(1.0, label="a"), Value(1.0, label=label or "a")
    shape = [re.sub(r'".*?"', '""', line) for line in mermaid(plain).splitlines()]
    text = mermaid(hostile)
    assert all(line.isprintable() for line in text.replace("\N{ZERO WIDTH SPACE}", "").split("\n"))
    found = [re.sub(r'".*?"', '""', line) for line in text.splitlines()]
    assert [line for line in found if "acc" not in line] == [x for x in shape if "acc" not in x]
    for line in text.splitlines():
        if line.startswith("acc"):
            assert not set('#;{}<>&"%`|[]\\') & set(line)


# --- size and files ---------------------------------------------------------------


def chain(n: int) -> Value:
    y = Value(1.0)
    for _ in range(n):
        y = y + 1.0
    return y


def test_as_many_arrows_as_github_shows_are_drawn_one_by_one() -> None:
    assert mermaid(chain(250)).count("-->") == 500


def test_more_arrows_than_github_shows_are_folded_and_the_chart_says_so() -> None:
    (note,) = Chart(mermaid(chain(251))).note
    assert "252 values, folded by depth (above 500 arrows, Mermaid's limit" in note
    assert mermaid(chain(251)).count("-->") <= 500
    assert mermaid(chain(251), max_nodes=None).count("-->") == 502


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_arrows_are_counted_as_they_are_drawn(n: int) -> None:
    y = logsumexp([Value(1.0), *[2.0] * (n - 1)]) * 3.0
    text = mermaid(y)
    assert arrows_of(Graph(y)) == len(re.findall(r" -->| -\.->", text))


def test_a_fold_that_was_asked_for_keeps_to_the_limit_too() -> None:
    output = MLP(16, [16, 16, 16, 1], rng=0)([0.1 * i for i in range(16)])
    text = mermaid(output, fold="neuron")
    assert text.count("-->") <= 500
    (note,) = Chart(text).note
    assert "folded by layer (by neuron there are 528 arrows, above 500)" in note
    assert mermaid(output, fold="neuron", max_nodes=None).count("-->") == 528


def test_more_characters_than_github_shows_are_folded_and_the_chart_says_so() -> None:
    y = Value(1.0)
    for i in range(95):
        y = (y * Value(1.1, label=f"weight {i}: ∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂∂")).tanh()
    y.backward()
    assert len(mermaid(y, max_nodes=None, contributions=True)) > 50_000
    text = mermaid(y, contributions=True)
    assert len(text) < 50_000
    (note,) = Chart(text).note
    assert "(above 50,000 characters, Mermaid's limit" in note


def test_underscores_inside_words_stay_readable() -> None:
    text = mermaid(Value(1.0, label="learning_rate") * Value(2.0, label="_b_"))
    assert '"learning_rate<br/>' in text
    assert '"#95;b#95;<br/>' in text


def test_many_outputs_take_linear_time() -> None:
    outputs = [Value(1.0) * 2.0 for _ in range(20_000)]
    start = time.process_time()
    mermaid(outputs)
    assert time.process_time() - start < 6.0  # measured: 2 s; it was 17 s


def test_borders_say_the_kind_of_a_box_and_the_note_says_how() -> None:
    chart = Chart(mermaid(neuron()))
    styles = dict(re.findall(r"classDef (\w+) (.*)", "\n".join(chart.lines)))
    assert [name for name, style in styles.items() if "dasharray" in style] == ["parameter"]
    assert [name for name, style in styles.items() if "stroke-width:2px" in style] == ["output"]
    (note,) = chart.note
    assert note.endswith("<br/>border: dashed for parameters, thick for outputs")


def test_arrows_of_nan_are_dotted() -> None:
    y = Value(math.nan) * Value(1.0)
    y.backward()
    styles = dict(re.findall(r"linkStyle (\S+) (.*)", mermaid(y)))
    assert styles["1"].endswith("stroke-dasharray:2 3")


def test_large_network_is_folded_by_layer() -> None:
    output = MLP(2, [16, 16, 1], rng=0)([Value(1.0), Value(2.0)])
    output.backward()
    chart = Chart(mermaid(output, fold="layer"))
    assert {lines[0] for lines in chart.nodes.values()} == {
        "inputs",
        "layer 0",
        "layer 1",
        "layer 2",
    }
    assert {text.split(",")[0] for text in chart.arrows.values()} == {"2 values", "16 values"}


@pytest.mark.parametrize(("ending", "start"), [("mmd", "flowchart"), ("md", "```mermaid\nflow")])
def test_files_hold_the_chart_bare_or_in_a_fence(ending: str, start: str) -> None:
    output: Any = neuron()
    text = draw(output, f"graph.{ending}").read_text("utf-8")
    assert text.startswith(start)
    assert mermaid(output) in text
    assert text.count("```") == (2 if ending == "md" else 0)
    assert [path.name for path in Path().iterdir()] == [f"graph.{ending}"]


def test_operand_that_comes_very_often_has_one_arrow() -> None:
    graph = Graph(sum_of([Value(0.5)] * 5000))
    assert arrows_of(graph) == 2
    assert 'v0 -->|"5000.0000 #40;×5,000#41;"| o1' in mermaid(graph).splitlines()
