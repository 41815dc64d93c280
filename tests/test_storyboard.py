"""Storyboards, node by node and group by group: what the cards say at every step is so."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
from test_sequence import HOSTILE, expression, neuron

from autograd_engine import Graph, Value, dot, log, mean, named_scope, tanh
from autograd_engine import sum as sum_of
from autograd_engine.expansion import READABLE, expanded
from autograd_engine.folding import Folded, fold
from autograd_engine.graph import Node
from autograd_engine.grouped import _Drafter, _stretches, group_by_group
from autograd_engine.storyboard import Storyboard, node_by_node
from autograd_engine.wording import number, signed
from nn import MLP

DATA, GRAD, LEAVES = 0, 1, 2
WAYS = ("neuron", "layer", "depth")


def view(output: Value) -> Graph:
    return Graph(output, gradient=1.0)


def by_nodes(output: Value, most: int = 200) -> Storyboard:
    board = node_by_node(view(output), most)
    assert board is not None
    return board


def shown(board: Storyboard, step: int) -> dict[tuple[int, int], str]:
    """What every row of every card says in a step; 0 is before the first."""
    return {
        place: next(text for first, text in reversed(changes) if first <= step)
        for place, changes in board.changes().items()
    }


def at_the_end(board: Storyboard) -> dict[tuple[int, int], str]:
    return shown(board, len(board.frames))


# --- node by node --------------------------------------------------------


@pytest.mark.parametrize("chunk", range(4))
def test_cards_end_at_the_engines_numbers(chunk: int) -> None:
    for seed in range(25 * chunk, 25 * chunk + 25):
        board = by_nodes(expression(seed))
        (fresh := expression(seed)).backward()
        end = at_the_end(board)
        for i, node in enumerate(expanded(view(fresh)).nodes):
            assert end[i, DATA] == number(node.data)
            grad = float(end[i, GRAD])
            assert grad == pytest.approx(node.grad, rel=1e-3, abs=6e-5, nan_ok=True)


def test_forward_writes_one_number_a_step_and_backward_none() -> None:
    for seed in range(20):
        board = by_nodes(expression(seed))
        nodes = expanded(view(expression(seed))).nodes
        done = {i for i, node in enumerate(nodes) if node.is_leaf}
        for step, frame in enumerate(board.frames, start=1):
            if frame.phase == "forward":
                (i,) = frame.receiving
                done.add(i)
            texts = shown(board, step)
            assert {i for i in range(len(nodes)) if texts[i, DATA]} == done


def test_gradients_are_zero_until_the_backward_pass() -> None:
    board = by_nodes(neuron())
    for step, frame in enumerate(board.frames, start=1):
        grads = [text for (_, row), text in shown(board, step).items() if row == GRAD]
        assert (set(grads) == {"0.0000"}) == (frame.phase == "forward")


def test_running_sums_are_written_as_they_grow() -> None:
    a = Value(3.0, label="a")
    board = by_nodes(a * a + a)
    assert [text for _, text in board.changes()[0, GRAD]] == ["0.0000", "+1.0000", "+7.0000"]
    assert board.frames[-1].table[1:] == [
        ("a", "a = 3", "1", "3", "1 → 4"),
        ("a", "a = 3", "1", "3", "4 → 7"),
    ]


def test_there_is_a_circle_for_each_operation_and_an_arrow_for_each_operand() -> None:
    for seed in range(20):
        graph = expanded(view(expression(seed)))
        board = by_nodes(expression(seed))
        operations = [node for node in graph.nodes if not node.is_leaf]
        assert sum(not card.rows for card in board.cards) == len(operations)
        assert len(board.cards) == len(graph.nodes) + len(operations)
        assert len(board.links) == len(graph.edges) + len(operations)
        assert len(board.frames) == 2 * len(operations) + 1


def test_frames_mark_the_cards_and_arrows_of_their_node() -> None:
    board = by_nodes(neuron())
    titles = [card.title for card in board.cards]
    product = next(f for f in board.frames if f.headline.startswith("(x*w).grad"))
    assert [titles[i] for i in product.giving] == ["x*w", "*"]
    assert [titles[i] for i in product.receiving] == ["x", "w"]
    ends = {(titles[board.links[i][0]], text) for i, text in product.links.items()}
    assert ends == {
        ("x", "-3 × 0.7864 = -2.3593"),
        ("w", "2 × 0.7864 = 1.5729"),
        ("*", ""),
    }
    forward = board.frames[0]
    assert (forward.headline, forward.receiving) == ("x*w = 2*(-3) = -6", [2])
    assert [titles[i] for i in forward.giving] == ["*", "x", "w"]


def test_every_arrow_of_a_frame_ends_or_begins_at_its_circle() -> None:
    for seed in range(20):
        board = by_nodes(expression(seed))
        for frame in board.frames:
            if frame.phase != "start":
                (circle,) = [i for i in frame.giving if not board.cards[i].rows]
                assert all(circle in board.links[i] for i in frame.links)
                assert len(frame.links) == sum(circle in link for link in board.links)


def test_circles_show_constants_beside_the_sign() -> None:
    x = Value(2.0)
    signs = [card.title for card in by_nodes(2.0 ** (3.5 - x) * 4.0 + x).cards if not card.rows]
    assert signs == ["3.5 -", "2 **", "* 4", "+"]


@pytest.mark.parametrize(("most", "found"), [(7, True), (6, False)])
def test_more_steps_than_allowed_are_left_to_groups(most: int, found: bool) -> None:
    assert (node_by_node(view(neuron()), most) is not None) == found


def test_more_values_than_can_be_read_are_left_to_groups() -> None:
    output = dot([Value(1.0)] * READABLE, [Value(float(i)) for i in range(READABLE)])
    assert node_by_node(view(output), 1000) is None


def test_leaf_has_one_card_and_one_frame() -> None:
    board = by_nodes(Value(3.0, label="x"))
    assert [card.title for card in board.cards] == ["x"]
    assert [frame.phase for frame in board.frames] == ["start"]
    assert at_the_end(board) == {(0, DATA): "3.0000", (0, GRAD): "+1.0000"}


def test_tip_has_all_digits_and_the_scope() -> None:
    with named_scope("layer"), named_scope("neuron"):
        y = Value(1.0, label="x") / 3.0
    y.label = "y"
    assert by_nodes(y).cards[1].tip == (
        "y: in layer, neuron; made by /; data = 0.3333333333333333, d output / d this = 1.0"
    )


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("grouped", [False, True])
def test_every_text_is_one_line_of_bounded_length(label: str, grouped: bool) -> None:
    x = Value(2.0, label=label)
    with named_scope(label), named_scope(label):
        y = x * Value(3.0, label=label)
    y.label = label
    graph = view(tanh(y + 1.0))
    board = group_by_group(graph, 200) if grouped else node_by_node(graph, 200)
    assert board is not None
    for text in every_text(board):
        assert text.isprintable() and len(text) < 700, text


def every_text(board: Storyboard) -> list[str]:
    texts = [board.title, board.note]
    for card in board.cards:
        texts += [card.title, card.tip, *(text for row in card.rows for text in row)]
    for frame in board.frames:
        texts += [frame.headline, *frame.links.values(), *frame.texts.values()]
        texts += [cell for row in frame.table for cell in row]
    return texts


# --- group by group ------------------------------------------------------


def batch(model: MLP, samples: int = 12, inputs: int = 2) -> Value:
    rng = random.Random(1)
    found = [model([rng.uniform(-1.0, 1.0) for _ in range(inputs)]) for _ in range(samples)]
    return mean([tanh(y) * 0.5 for y in found])


def small_model() -> MLP:
    return MLP(2, [4, 3, 1], activation="tanh", rng=0)


def scattered(seed: int, values: int = 60) -> Value:
    """Values in scopes that come again and again, with leaves of their own or from outside."""
    rng = random.Random(seed)
    pool = [Value(rng.uniform(-1.0, 1.0)) for _ in range(4)]
    for _ in range(values):
        with named_scope(rng.choice("abc")):
            a = rng.choice(pool)
            b = Value(rng.uniform(-1.0, 1.0)) if rng.random() < 0.3 else rng.choice(pool)
            pool.append(tanh(a * b + 0.5) if rng.random() < 0.5 else a - b)
    return mean(pool)


def through(output: Value, by: str) -> tuple[Storyboard, Folded]:
    """The storyboard that folds in this way."""
    folded = fold(view(output), by)
    return _Drafter(folded, _stretches(folded), by).storyboard(), folded


OUTPUTS = {
    "batch": lambda: batch(small_model()),
    "one sample": lambda: small_model()([0.5, -1.0]),
    "scattered": lambda: scattered(0),
    "scattered again": lambda: scattered(1, 150),
}


@pytest.mark.parametrize("by", [*WAYS, "scope"])
@pytest.mark.parametrize("make", OUTPUTS.values(), ids=list(OUTPUTS))
def test_stretches_hold_each_operation_once_and_after_its_operands(make: Any, by: str) -> None:
    folded = fold(view(make()), by)
    done = {node.index for node in folded.graph.nodes if node.is_leaf}
    for group, nodes, results in _stretches(folded):
        assert results
        for node in nodes:
            assert folded.group_of[node.index] == group
            assert node.index not in done
            assert done.issuperset(x for x in node.operands if isinstance(x, int))
            done.add(node.index)
    assert len(done) == len(folded.graph.nodes)


def test_a_batch_goes_through_each_layer_and_each_neuron_once() -> None:
    folded = fold(view(batch(small_model(), 40)), "layer")
    names = [folded.groups[stretch.group].name for stretch in _stretches(folded)]
    assert names == ["layer 0", "layer 1", "layer 2", "outside any scope"]
    folded = fold(view(batch(small_model(), 40)), "neuron")
    names = [folded.groups[stretch.group].name for stretch in _stretches(folded)]
    assert names == [
        *(f"layer 0 / neuron {i}" for i in range(4)),
        *(f"layer 1 / neuron {i}" for i in range(3)),
        "layer 2 / neuron 0",
        "outside any scope",
    ]


def test_bands_of_depth_are_passed_once_each() -> None:
    for seed in range(20):
        folded = fold(view(scattered(seed, 100)), "depth")
        groups = [stretch.group for stretch in _stretches(folded)]
        assert len(set(groups)) == len(groups) <= 12


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("make", OUTPUTS.values(), ids=list(OUTPUTS))
def test_groups_end_at_the_engines_numbers(make: Any, by: str) -> None:
    board, folded = through(make(), by)
    (fresh := make()).backward()
    nodes = Graph(fresh).nodes
    end = at_the_end(board)
    assert len(board.cards) == len(folded.groups) > 1
    for i, group in enumerate(folded.groups):
        used = exits(folded, i)
        assert same_span(end[i, DATA], [nodes[node.index].data for node in used])
        assert same_size(end[i, GRAD], [nodes[node.index].grad for node in used])
        if (i, LEAVES) in end:
            grads = [nodes[node.index].grad for node in group.leaves]
            assert float(end[i, LEAVES]) == pytest.approx(max(map(abs, grads)), rel=1e-3, abs=6e-5)


def exits(folded: Folded, group: int) -> list[Node]:
    """The nodes of a group that another group uses, and the output."""
    graph, found = folded.graph, {folded.graph.output.index}
    for edge in graph.edges:
        if folded.group_of[edge.source] != folded.group_of[edge.target]:
            found.add(edge.source)
    return [node for node in folded.groups[group].nodes if node.index in found]


def same_span(text: str, numbers: list[float]) -> bool:
    low, _, high = text.partition(" to ")
    return [float(low), float(high or low)] == pytest.approx(
        [min(numbers), max(numbers)], rel=1e-3, abs=6e-5
    )


def same_size(text: str, numbers: list[float]) -> bool:
    if len(numbers) == 1:
        return float(text) == pytest.approx(numbers[0], rel=1e-3, abs=6e-5)
    size = float(text.removeprefix("up to ±"))
    return size == pytest.approx(max(map(abs, numbers)), rel=1e-3, abs=6e-5)


def two_stretches() -> Value:
    """Scope a, then b, which needs a, then a again, which needs b."""
    x = Value(2.0, label="x")
    with named_scope("a"):
        y = x * 3.0
    with named_scope("b"):
        z = y + 1.0
    with named_scope("a"):
        w = z * 100.0
    with named_scope("b"):
        return w + z


def test_a_group_that_comes_again_shows_what_it_has_so_far() -> None:
    board = group_by_group(view(two_stretches()), 200)
    assert [frame.headline.partition(":")[0] for frame in board.frames] == [
        "a", "b", "a", "b", "The backward pass starts", "b", "a", "b", "a",
    ]  # fmt: skip
    a = [card.title for card in board.cards].index("a")
    assert [text for _, text in board.changes()[a, DATA]] == ["", "6.0000", "6.0000 to 700.0000"]
    assert at_the_end(board)[a, GRAD] == "up to ±101.0000"


def test_output_that_is_used_inside_its_own_group_has_a_complete_gradient() -> None:
    x = Value(2.0, label="x")
    with named_scope("a"):
        y = x * 3.0
        z = y * 10.0
    board = group_by_group(view(z + y), 200)
    cards = [card.title for card in board.cards]
    assert at_the_end(board)[cards.index("a"), GRAD] == "up to ±11.0000"
    assert "what it gave on, up to ±11.0000, is complete" in board.frames[-1].headline


def test_a_result_that_only_its_own_group_uses_later_has_its_size_told() -> None:
    w, u = Value(2.0, label="w"), Value(4.0, label="u")
    with named_scope("A"):
        first = w * w
    with named_scope("B"):
        other = u * first
    with named_scope("A"):
        second = first + other
    board = group_by_group(view(second), 200)
    assert "gave on, +5.0000, is complete; back through 1 operation" in board.frames[-1].headline
    assert board.frames[0].table[1] == ("v1", "4.0000")


def test_numbers_set_since_the_forward_pass_are_noted() -> None:
    x = Value(3.0, label="x")
    y = x * x
    assert by_nodes(y).note == ""
    x.data = 4.0
    assert by_nodes(y).note == "data changed since forward in some cards"
    assert by_nodes(y).frames[0].headline.endswith("(data changed since forward)")
    assert "; data changed since forward in some cards" in group_by_group(view(y), 200).note


def test_many_scopes_fold_by_depth_without_delay() -> None:
    y = x = Value(1.0)
    for i in range(5000):
        with named_scope(f"s{i}"):
            y = y + x
    graph = view(y)
    start = time.process_time()
    assert "folded by depth" in group_by_group(graph, 200).note
    assert time.process_time() - start < 1.5


def test_wide_layers_are_not_drawn_arrow_by_arrow() -> None:
    model = MLP(10, [40, 40, 1], rng=0)
    board = group_by_group(view(model([0.1] * 10)), 200)
    assert "folded by layer" in board.note
    assert len(board.links) < 100


def test_leaves_that_another_group_uses_have_complete_gradients() -> None:
    with named_scope("a"):
        w = Value(2.0, label="w")
    with named_scope("b"):
        z = w * 100.0
    with named_scope("a"):
        output = z * 3.0
    board = group_by_group(view(output), 200)
    a = [card.title for card in board.cards].index("a")
    assert board.cards[a].rows[LEAVES][0] == "max |grad|, 1 leaf"
    assert at_the_end(board)[a, LEAVES] == "300.0000"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("first", [True, False])
def test_nan_and_infinity_among_many_numbers_are_shown(bad: float, first: bool) -> None:
    with named_scope("a"):
        values = [log(Value(x)) for x in (1.0, 2.0, 3.0)]
        values.insert(0 if first else 3, Value(1.0) * bad)
    with named_scope("b"):
        output = mean(values)
    board = group_by_group(view(output), 200)
    a = [card.title for card in board.cards].index("a")
    assert str(bad) in at_the_end(board)[a, DATA]
    assert str(bad) in at_the_end(board)[a, LEAVES]


@pytest.mark.parametrize("most", [25, 80, 200])
def test_there_are_never_more_steps_than_allowed(most: int) -> None:
    for make in (*OUTPUTS.values(), lambda: batch(MLP(3, [30, 30, 1], rng=0), 2, 3)):
        assert len(group_by_group(view(make()), most).frames) <= most
    for seed in range(10):
        assert len(group_by_group(view(scattered(seed, 300)), most).frames) <= most


def test_finest_fold_that_fits_is_taken_and_named() -> None:
    graph = view(batch(MLP(2, [16, 16, 1], rng=0)))
    notes = [group_by_group(graph, most).note for most in (200, 69, 68, 9)]
    ways = [note.partition("folded by ")[2].partition(":")[0] for note in notes]
    assert ways == ["neuron", "neuron", "layer", "layer"]
    assert notes[0].startswith(f"{len(graph.nodes):,} values")


def test_contributions_between_groups_are_written_on_their_arrow_and_in_the_table() -> None:
    x = Value(2.0, label="x")
    with named_scope("a"):
        y = x * 3.0
    with named_scope("b"):
        output = y * 5.0
    board = group_by_group(view(output), 200)
    titles = [card.title for card in board.cards]
    frame = next(f for f in board.frames if f.phase == "backward")
    assert [titles[i] for i in frame.receiving] == ["a"]
    assert list(frame.links.values()) == ["+5.0000"]
    assert frame.table[1:] == [("a", "1", "+5.0000", "+5.0000")]
    assert [signed(15.0)] == [board.frames[-1].table[1][3]]


def test_long_tables_are_cut_off_with_the_number_that_is_missing() -> None:
    board = group_by_group(view(batch(small_model(), 30)), 9)
    frame = next(f for f in board.frames if f.headline.startswith("layer 2"))
    assert len(frame.table) == 1 + 8 + 1
    assert frame.table[-1] == ("and 22 more",)


def test_a_hundred_thousand_values_take_seconds() -> None:
    def chain() -> Value:
        value = Value(1.0, label="x")
        for _ in range(50_000):
            value = (value + 1e-5) * 0.99999
        return value

    graph = view(chain())
    assert len(graph.nodes) > 100_000
    start = time.perf_counter()
    board = group_by_group(graph, 200)
    assert time.perf_counter() - start < 5.0
    assert len(board.frames) == 25
    assert at_the_end(board)[0, LEAVES] == number(graph.nodes[0].adjoint)


def test_operand_that_comes_very_often_has_one_arrow_and_few_lines() -> None:
    board = by_nodes(sum_of([Value(0.5, label="x")] * 5000))
    assert len(board.links) == 2
    forward, backward = board.frames[0], board.frames[-1]
    assert len(forward.headline) < 1000
    assert forward.headline.endswith("= 2500")
    assert backward.links[0] == "5,000 contributions, together 5000"
    assert len(backward.table) == 42
    assert backward.table[-1] == ("and 4,960 more",)
    assert backward.texts[0, 1] == "+5000.0000"


def test_cards_of_equal_long_labels_have_titles_of_their_own() -> None:
    x, y = Value(1.0, label="n" * 60), Value(2.0, label="n" * 60)
    titles = [card.title for card in by_nodes(x * y).cards]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) <= 24
