"""Neuron, Layer and MLP: shapes, weights, scopes, and the same numbers as PyTorch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd_engine import Graph, Value, grad, hessian, hvp, jacobian, tanh
from nn import MLP, Layer, Module, Neuron, squared_error


def weights_of(model: Module) -> list[float]:
    return [p.data for p in model.parameters()]


def twice(x: Value) -> Value:
    return x * 2


# --- shapes ---------------------------------------------------------------


def test_neuron_returns_one_value() -> None:
    assert isinstance(Neuron(2, rng=0)([1.0, 2.0]), Value)


@pytest.mark.parametrize("nout", [2, 5])
def test_wide_layer_returns_a_list(nout: int) -> None:
    out = Layer(3, nout, rng=0)([1.0, 2.0, 3.0])
    assert isinstance(out, list)
    assert len(out) == nout


def test_layer_and_network_of_width_one_return_the_value_itself() -> None:
    assert isinstance(Layer(1, 1, rng=0)([1.0]), Value)
    assert isinstance(MLP(1, [1], rng=0)([1.0]), Value)


def test_network_with_hidden_layers_of_width_one_passes_lists_between_layers() -> None:
    model = MLP.from_weights([[[2.0]], [[3.0]], [[4.0]]], activation="linear")
    assert model([1.0]).data == 24.0


@pytest.mark.parametrize("nouts", [[4, 1], (4, 1), range(4, 6)])
def test_any_sequence_of_widths_builds_a_network(nouts: Any) -> None:
    model = MLP(2, nouts, rng=0)
    assert [len(layer.neurons) for layer in model.layers] == list(nouts)


def test_number_of_parameters_is_weights_and_biases() -> None:
    assert len(MLP(3, [4, 4, 1], rng=0).parameters()) == 41
    assert len(MLP(3, [4, 4, 1], bias=False, rng=0).parameters()) == 32


@pytest.mark.parametrize("x", [[1.0], [1.0, 2.0, 3.0], []])
def test_wrong_number_of_inputs_is_an_error_that_names_both(x: list[float]) -> None:
    for model in (Neuron(2, rng=0), Layer(2, 3, rng=0), MLP(2, [3, 1], rng=0)):
        with pytest.raises(ValueError, match=f"expected 2 inputs, got {len(x)}"):
            model(x)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3", None])
def test_sizes_that_are_no_positive_whole_numbers_are_refused(size: Any) -> None:
    with pytest.raises(ValueError, match=r"nin must be a whole number"):
        Neuron(size, rng=0)
    with pytest.raises(ValueError, match=r"nout must be a whole number"):
        Layer(2, size, rng=0)


@pytest.mark.parametrize("nouts", [[], (), 3])
def test_networks_without_a_list_of_widths_are_refused(nouts: Any) -> None:
    with pytest.raises(ValueError, match="nouts must list the width of each layer"):
        MLP(2, nouts, rng=0)


# --- activations ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("linear", -1.5),
        ("relu", 0.0),
        ("tanh", math.tanh(-1.5)),
        ("sigmoid", 1 / (1 + math.exp(1.5))),
        ("exp", math.exp(-1.5)),
        (tanh, math.tanh(-1.5)),
        (twice, -3.0),
    ],
)
def test_activation_by_name_or_function(activation: Any, expected: float) -> None:
    neuron = Neuron.from_weights([1.0, -2.0], 0.5, activation=activation)
    assert neuron([2.0, 2.0]).data == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    "activation",
    ["", "Relu", "unknown", "dot", "add", "Value", "draw", "no_grad", None, 3, [], math.tanh],
)
def test_unknown_activation_fails_at_construction(activation: Any) -> None:
    with pytest.raises(ValueError, match="unknown activation"):
        Neuron(2, activation=activation, rng=0)


def test_nonlin_false_leaves_the_activation_out_as_in_micrograd() -> None:
    neuron = Neuron(1, nonlin=False, rng=0)
    neuron.w[0].data = -1.0
    assert neuron([1.0]).data == -1.0


def test_output_activation_is_linear_unless_chosen() -> None:
    weights = [[[1.0]], [[1.0]]]
    assert MLP.from_weights(weights, activation="tanh")([1.0]).data == math.tanh(1.0)
    both = MLP.from_weights(weights, activation="tanh", output="tanh")
    assert both([1.0]).data == math.tanh(math.tanh(1.0))


def test_each_layer_gets_its_own_activation() -> None:
    model = MLP(2, [3, 2, 1], activation="tanh", output="sigmoid", rng=0)
    names = [{n.activation for n in layer.neurons} for layer in model.layers]
    assert names == [{"tanh"}, {"tanh"}, {"sigmoid"}]


def test_reprs_say_sizes_and_activations() -> None:
    assert repr(Neuron(2, rng=0)) == "Neuron(2, relu)"
    assert repr(Layer(2, 3, activation="tanh", rng=0)) == "Layer of 3 x Neuron(2, tanh)"
    model = MLP(2, [3, 1], activation="tanh", output="sigmoid", rng=0)
    assert repr(model) == "MLP(2 -> 3 tanh -> 1 sigmoid), 13 parameters"


# --- weights and randomness ---------------------------------------------------------------


def test_weights_start_between_minus_one_and_one_and_biases_at_zero() -> None:
    parameters = MLP(4, [8, 8, 1], rng=0).named_parameters()
    weights = [p.data for name, p in parameters if not name.endswith(".b")]
    assert all(-1.0 <= w <= 1.0 for w in weights)
    assert len(set(weights)) == len(weights)
    assert {p.data for name, p in parameters if name.endswith(".b")} == {0.0}


def test_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    assert weights_of(MLP(2, [3, 1], rng=1)) == weights_of(MLP(2, [3, 1], rng=1))
    assert weights_of(MLP(2, [3, 1], rng=1)) != weights_of(MLP(2, [3, 1], rng=2))


def test_seed_and_generator_with_that_seed_agree() -> None:
    assert weights_of(MLP(2, [3, 1], rng=5)) == weights_of(MLP(2, [3, 1], rng=random.Random(5)))


def test_generator_moves_on_from_model_to_model() -> None:
    rng = random.Random(5)
    assert weights_of(Layer(2, 2, rng=rng)) != weights_of(Layer(2, 2, rng=rng))


@pytest.mark.parametrize(
    "make",
    [lambda: Neuron(2), lambda: Layer(2, 3), lambda: MLP(2, [3, 1])],
    ids=["Neuron", "Layer", "MLP"],
)
def test_without_rng_the_random_module_decides(make: Callable[[], Module]) -> None:
    random.seed(7)
    first, other = weights_of(make()), weights_of(make())
    random.seed(7)
    assert weights_of(make()) == first != other


def test_seeded_models_leave_the_random_module_alone() -> None:
    state = random.getstate()
    MLP(2, [3, 1], rng=0)
    assert random.getstate() == state


@pytest.mark.parametrize("rng", ["0", True, 1.0, [0]])
def test_rng_of_another_type_is_refused(rng: Any) -> None:
    with pytest.raises(TypeError, match=r"rng: expected an int seed or a random\.Random"):
        MLP(2, [1], rng=rng)


def test_from_weights_uses_exactly_these_numbers() -> None:
    weights = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]
    model = MLP.from_weights(weights, [[0.5, 0.25], [0.125]])
    assert weights_of(model) == [1.0, 2.0, 0.5, 3.0, 4.0, 0.25, 5.0, 6.0, 0.125]
    assert model([1.0, -1.0]).data == 0.125
    assert model([1.0, 1.0]).data == 5 * 3.5 + 6 * 7.25 + 0.125


def test_from_weights_without_biases_has_none() -> None:
    assert Neuron.from_weights([1.0]).b is None
    assert weights_of(Layer.from_weights([[1.0], [2.0]])) == [1.0, 2.0]
    assert weights_of(MLP.from_weights([[[1.0]], [[2.0]]])) == [1.0, 2.0]


def test_from_weights_draws_no_random_numbers() -> None:
    state = random.getstate()
    MLP.from_weights([[[1.0]]], [[0.0]])
    assert random.getstate() == state


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ([], None, "Layer: weights must be"),
        ([[]], None, "nin must be"),
        ([[1.0], [1.0, 2.0]], None, "all equally long"),
        ([[1.0], [2.0]], [0.0], "2 rows of weights but 1 biases"),
        ([[1.0]], [0.0, 0.0], "1 rows of weights but 2 biases"),
    ],
)
def test_layer_from_weights_that_do_not_fit_is_refused(
    weights: Any, biases: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Layer.from_weights(weights, biases)


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ([], None, "MLP: weights of 0 layers"),
        ([[[1.0]], [[1.0]]], [[0.0]], "weights of 2 layers, biases of 1"),
        ([[[1.0]], [[1.0, 2.0]]], None, "layer 1 has weights for 2 inputs, but layer 0 has 1"),
        ([[[1.0], [1.0, 2.0]], [[1.0, 1.0]]], None, "all equally long"),
        ([[[1.0]]], [[0.0, 0.0]], "1 rows of weights but 2 biases"),
        ([[], [[1.0]]], None, "weights must be"),
    ],
)
def test_network_from_weights_that_do_not_fit_is_refused(
    weights: Any, biases: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MLP.from_weights(weights, biases)


def test_weights_of_text_are_refused() -> None:
    with pytest.raises(TypeError, match="convert text with float"):
        Neuron.from_weights(["1"])  # type: ignore[list-item]


# --- parameters ---------------------------------------------------------------


def test_parameters_come_layer_by_layer_neuron_by_neuron_weights_before_bias() -> None:
    names = [name for name, _ in MLP(2, [2, 1], rng=0).named_parameters()]
    neurons = ["layers.0.neurons.0", "layers.0.neurons.1", "layers.1.neurons.0"]
    assert names == [f"{neuron}.{part}" for neuron in neurons for part in ("w.0", "w.1", "b")]


def test_parameters_and_named_parameters_are_the_same_values() -> None:
    model = MLP(2, [2, 1], rng=0)
    named = [p for _, p in model.named_parameters()]
    assert list(map(id, named)) == list(map(id, model.parameters()))


class Siamese(Module):
    def __init__(self) -> None:
        self.left = Neuron(2, rng=0)
        self.right = self.left
        self.scale = Value(2.0)
        self.again = [self.scale, (self.scale,)]


def test_shared_parameters_come_once_under_their_first_name() -> None:
    names = [name for name, _ in Siamese().named_parameters()]
    assert names == ["left.w.0", "left.w.1", "left.b", "scale"]


def test_equal_numbers_are_not_taken_for_shared_parameters() -> None:
    assert len(Neuron.from_weights([1.0, 1.0, 1.0], 1.0).parameters()) == 4


class Table(Module):
    def __init__(self) -> None:
        self.rows = {"a": Value(1.0), "b": [Value(2.0), Neuron(1, bias=False, rng=0)]}
        self.name, self.size, self.nothing = "table", 3, None


def test_parameters_inside_dicts_lists_and_modules_are_found() -> None:
    assert [name for name, _ in Table().named_parameters()] == [
        "rows.a",
        "rows.b.0",
        "rows.b.1.w.0",
    ]


def test_zero_grad_forgets_all_gradients() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    model([1.0, 2.0]).backward()
    assert all(p.grad != 0.0 for p in model.parameters())
    model.zero_grad()
    assert {p.grad for p in model.parameters()} == {0.0}


def test_module_without_a_call_says_what_to_define() -> None:
    with pytest.raises(TypeError, match=r"Siamese defines no __call__\(self, x\)"):
        Siamese().predict([[1.0]])


# --- predict ---------------------------------------------------------------


def test_predict_equals_the_call_and_returns_plain_floats() -> None:
    one, two = MLP(2, [3, 1], rng=0), MLP(2, [3, 2], rng=0)
    X = [[1.0, 2.0], [-0.5, 0.25]]
    assert one.predict(X) == [one(x).data for x in X]
    assert two.predict(X) == [[out.data for out in two(x)] for x in X]
    assert type(one.predict(X)[0]) is type(two.predict(X)[0][0]) is float


class Spy(Module):
    def __init__(self) -> None:
        self.w = Value(2.0)
        self.seen: list[Any] = []

    def __call__(self, x: Any) -> Value:
        self.seen.append(self.w * x[0])
        return self.w * x[0]


def test_predict_records_no_graph() -> None:
    model = Spy()
    assert model.predict([[3.0]]) == [6.0]
    assert model.seen[0]._prev == ()


def test_predict_takes_numpy_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    model = MLP(2, [3, 1], rng=0)
    assert model.predict(numpy.array([[1, 2]])) == model.predict([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X is empty"),
        ([1.0, 2.0], "must have rows, one per sample; row 0 is 1.0"),
        ([[1.0, 2.0], [1.0]], "row 1 has 1 numbers, row 0 has 2"),
        ([[1.0, 2.0], [1.0, math.nan]], "row 1, column 1: nan is not a finite number"),
        ([[-math.inf, 2.0]], "row 0, column 0: -inf is not a finite number"),
        ([[1.0, "b"]], "row 0, column 1: 'b' is not a number"),
        ([[None, 1.0]], "row 0, column 0: None is not a number"),
        ([[1.0]], "expected 2 inputs, got 1"),
        (["ab"], "row 0 is 'ab'"),
    ],
)
def test_predict_refuses_bad_tables_and_names_the_place(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLP(2, [3, 1], rng=0).predict(X)


# --- scopes ---------------------------------------------------------------


def test_nodes_and_parameters_know_their_layer_and_neuron() -> None:
    graph = Graph(MLP(2, [2, 1], rng=0)([Value(1.0), Value(2.0)]))
    assert graph.output.scope == ("layer 1",)
    operations = {node.scope for node in graph.nodes if not node.is_leaf}
    assert operations == {("layer 0",), ("layer 1",)}
    assert {node.scope for node in graph.nodes if node.is_leaf} == {
        (),
        ("layer 0", "neuron 0"),
        ("layer 0", "neuron 1"),
        ("layer 1", "neuron 0"),
    }
    assert sum(node.scope == ("layer 0", "neuron 1") for node in graph.nodes) == 3


def test_weights_from_lists_have_the_same_scopes_as_random_ones() -> None:
    def scopes(model: MLP) -> list[tuple[str, ...]]:
        return [node.scope for node in Graph(model([1.0])).nodes]

    listed = MLP.from_weights([[[1.0], [2.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    assert scopes(listed) == scopes(MLP(1, [2, 1], rng=0))


def test_parameters_are_labelled_w_and_b() -> None:
    assert [p.label for p in Neuron(2, rng=0).parameters()] == ["w0", "w1", "b"]


# --- comparison ---------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_values_and_gradients_equal_pytorch(activation: str) -> None:
    torch = pytest.importorskip("torch")
    model = MLP(3, [5, 4, 2], activation=activation, rng=0)
    x, target = [0.5, -1.5, 2.0], [1.0, -1.0]
    loss = squared_error(model(x), target)
    loss.backward()

    parts = []
    hidden = torch.tensor(x, dtype=torch.float64)
    for i, layer in enumerate(model.layers):
        rows = [[w.data for w in neuron.w] for neuron in layer.neurons]
        weight = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(len(rows), dtype=torch.float64, requires_grad=True)
        parts.append((weight, bias))
        hidden = weight @ hidden + bias
        if i < len(model.layers) - 1:
            hidden = getattr(torch, activation)(hidden)
    reference = ((hidden - torch.tensor(target, dtype=torch.float64)) ** 2).sum()
    reference.backward()

    assert loss.data == pytest.approx(reference.item(), rel=1e-13)
    for layer, (weight, bias) in zip(model.layers, parts, strict=True):
        for i, neuron in enumerate(layer.neurons):
            gradients = [w.grad for w in neuron.w]
            assert gradients == pytest.approx(weight.grad[i].tolist(), rel=1e-12, abs=1e-14)
            assert neuron.b is not None
            assert neuron.b.grad == pytest.approx(bias.grad[i].item(), rel=1e-12, abs=1e-14)


def test_a_result_stored_in_a_module_is_no_parameter() -> None:
    class Keeper(Module):
        def __init__(self) -> None:
            self.w = Value(2.0)
            self.me = self
            self.out = self.w * 3.0

    assert [name for name, _ in Keeper().named_parameters()] == ["w"]


@pytest.mark.parametrize("name", ["zz", "draw", "sum", "Value"])
def test_an_unknown_activation_is_refused_also_where_no_layer_uses_it(name: str) -> None:
    with pytest.raises(ValueError, match="unknown activation"):
        MLP(2, [1], activation=name)


def test_a_model_with_other_parameters_is_the_same_function_of_them() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    numbers = [p.data for p in model.parameters()]
    x = [0.3, -0.8]

    def output(p: Any) -> Any:
        return model.with_parameters(p)(x)

    model(x).backward()
    expected = [p.grad for p in model.parameters()]
    assert grad(output)(numbers) == expected
    assert [p.grad for p in model.parameters()] == expected
    assert output(numbers) == model(x).data
    assert [p.data for p in model.parameters()] == numbers
    assert type(model.with_parameters(model.parameters())) is MLP
    forward = jacobian(output, mode="forward")(numbers)
    assert forward == pytest.approx(expected, rel=1e-14)
    second = np.array(hessian(output)(numbers))
    v = [1.0] + [0.5] * (len(numbers) - 1)
    assert hvp(output, (numbers,), (v,)) == pytest.approx(second @ v, rel=1e-12, abs=1e-14)


def test_a_shared_parameter_is_replaced_everywhere_and_a_wrong_number_refused() -> None:
    class Twice(Module):
        def __init__(self) -> None:
            self.parts = {"a": [Value(2.0)], "rest": (1, "text")}
            self.again, self.me = self.parts["a"][0], self

        def __call__(self, x: Any) -> Any:
            return self.parts["a"][0] * self.again * x[0]

    model = Twice()
    other = model.with_parameters([3.0])
    assert other([1.0]) == 9.0
    assert other.me is other
    assert model([1.0]).data == 4.0
    with pytest.raises(ValueError, match=r"^with_parameters: expected 1 numbers, got 2$"):
        model.with_parameters([1.0, 2.0])
