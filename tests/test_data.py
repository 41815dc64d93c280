"""Data: the two sets, splitting and scaling, and reading CSV files that people really have."""

from __future__ import annotations

import math
import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nn import DataError, Dataset, iris, one_hot, read_csv, standardize, train_test_split, two_moons


def read(content: str | bytes, target: str = "t") -> Dataset:
    path = Path("table.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, target)


def message_for(content: str | bytes, target: str = "t") -> str:
    with pytest.raises(DataError) as caught:
        read(content, target)
    message = str(caught.value)
    assert message.startswith("table.csv: ")
    return message


# --- Iris ---------------------------------------------------------------


def test_iris_has_fifty_flowers_of_each_species() -> None:
    data = iris()
    assert data.classes == ["setosa", "versicolor", "virginica"]
    assert [data.y.count(i) for i in range(3)] == [50, 50, 50]
    assert len(data.X) == 150
    assert {len(row) for row in data.X} == {4}


def test_iris_names_its_columns_and_begins_with_the_known_row() -> None:
    data = iris()
    assert data.inputs == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert (data.target, data.left_out) == ("species", ())
    assert (data.X[0], data.y[0]) == ([5.1, 3.5, 1.4, 0.2], 0)
    assert (data.X[-1], data.y[-1]) == ([5.9, 3.0, 5.1, 1.8], 2)


def test_iris_is_fishers_table() -> None:
    """Rows 35 and 38, which the copy of the UCI Repository has wrong, as in Fisher's paper."""
    data = iris()
    means = [round(statistics.fmean(column), 4) for column in zip(*data.X, strict=True)]
    assert means == [5.8433, 3.0573, 3.758, 1.1993]
    assert (data.X[34], data.X[37]) == ([4.9, 3.1, 1.5, 0.2], [4.9, 3.6, 1.4, 0.1])


# --- moons ---------------------------------------------------------------


@pytest.mark.parametrize(("n", "upper"), [(2, 1), (3, 1), (100, 50), (101, 50)])
def test_moons_halve_the_samples(n: int, upper: int) -> None:
    X, y = two_moons(n, rng=0)
    assert (len(X), len(y), y.count(-1), y.count(1)) == (n, n, upper, n - upper)


def test_moons_without_noise_lie_on_two_half_circles() -> None:
    for (a, b), label in zip(*two_moons(50, noise=0.0, rng=0), strict=True):
        x, y = (a, b) if label == -1 else (1.0 - a, 0.5 - b)
        assert math.hypot(x, y) == pytest.approx(1.0)
        assert y >= -1e-12


def test_noise_is_the_standard_deviation_of_each_coordinate() -> None:
    clean, noisy = two_moons(4000, 0.0, rng=0), two_moons(4000, 0.2, rng=0)
    assert clean != noisy
    distances = [
        math.hypot(*(point if label == -1 else (1.0 - point[0], 0.5 - point[1]))) - 1.0
        for point, label in zip(*noisy, strict=True)
    ]
    assert statistics.pstdev(distances) == pytest.approx(0.2, rel=0.1)


def test_moons_come_shuffled_and_the_same_for_the_same_seed() -> None:
    _, y = two_moons(40, rng=1)
    assert y != sorted(y)
    assert two_moons(40, rng=1) == two_moons(40, rng=1) == two_moons(40, rng=random.Random(1))
    assert two_moons(40, rng=1) != two_moons(40, rng=2)


def test_moons_without_rng_follow_the_random_module() -> None:
    random.seed(4)
    first = two_moons(10)
    random.seed(4)
    assert two_moons(10) == first


@pytest.mark.parametrize(
    "settings", [{"n": 1}, {"n": 0}, {"noise": -0.1}, {"noise": math.nan}, {"noise": math.inf}]
)
def test_moons_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="two_moons: needs"):
        two_moons(**settings)


# --- splitting ---------------------------------------------------------------


@given(st.integers(2, 60), st.floats(0.05, 0.95), st.integers(0, 99))
def test_split_keeps_every_row_once_with_its_target(n: int, share: float, seed: int) -> None:
    assume(0 < round(n * share) < n)
    X, y = [[i] for i in range(n)], [-i for i in range(n)]
    X_train, X_test, y_train, y_test = train_test_split(X, y, share, rng=seed)
    assert len(X_test) == round(n * share)
    assert sorted(X_train + X_test) == X
    assert [-row[0] for row in X_train + X_test] == y_train + y_test


def test_split_is_shuffled_by_the_seed() -> None:
    X = list(range(20))
    assert train_test_split(X, X, rng=0) == train_test_split(X, X, rng=0)
    assert train_test_split(X, X, rng=0) != train_test_split(X, X, rng=1)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0, -1.0, 2.0])
def test_split_into_nothing_is_refused(share: float) -> None:
    with pytest.raises(DataError, match=r"of 4 rows leaves a part empty"):
        train_test_split([1, 2, 3, 4], [1, 2, 3, 4], share)


def test_split_of_other_lengths_is_refused() -> None:
    with pytest.raises(DataError, match="X has 2 rows, y has 1"):
        train_test_split([1, 2], [1])


# --- scaling ---------------------------------------------------------------


def test_standardize_gives_mean_zero_and_deviation_one() -> None:
    rows, scaling = standardize([[1.0, 10.0], [2.0, 30.0], [6.0, 80.0]])
    for column in zip(*rows, strict=True):
        assert statistics.fmean(column) == pytest.approx(0.0, abs=1e-15)
        assert statistics.pstdev(column) == pytest.approx(1.0)
    assert scaling.mean == pytest.approx([3.0, 40.0])


def test_scaling_treats_other_rows_alike() -> None:
    _, scaling = standardize([[0.0], [2.0]])
    assert scaling([[1.0], [3.0], [5.0]]) == [[0.0], [2.0], [4.0]]


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, 1e-9, 1e300])
def test_constant_column_becomes_zero(constant: float) -> None:
    rows, scaling = standardize([[constant]] * 3)
    assert rows == [[0.0]] * 3
    assert scaling([[constant + 1.0]]) == [[(constant + 1.0) - constant]]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X is empty"),
        ([[1.0], [1.0, 2.0]], "row 1 has 2 numbers, row 0 has 1"),
        ([[1.0, math.inf]], "row 0, column 1: inf is not a finite number"),
        ([1.0, 2.0], "must have rows"),
    ],
)
def test_standardize_refuses_bad_tables(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        standardize(X)


def test_scaling_refuses_rows_of_another_length() -> None:
    _, scaling = standardize([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError):
        scaling([[1.0]])


# --- one-hot ---------------------------------------------------------------


def test_one_hot_rows_have_a_single_one() -> None:
    assert one_hot([0, 2, 1]) == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert one_hot([0], 3) == [[1.0, 0.0, 0.0]]
    assert one_hot([]) == []


@pytest.mark.parametrize(("labels", "k"), [([2], 2), ([-1], None), ([0, 1.5], None), ([0], 0)])
def test_one_hot_refuses_what_is_no_class_index(labels: Any, k: int | None) -> None:
    with pytest.raises(DataError, match="not a class index"):
        one_hot(labels, k)


# --- reading: good files ---------------------------------------------------------------

ROWS = "a,t\n1,x\n2,y\n3,x\n4,y\n"


def test_text_target_makes_classes_in_alphabetical_order() -> None:
    data = read("a,t,b\n1,pear,0.5\n2,apple,1e3\n3,pear,-2\n4,apple,+4\n")
    expected = [[1.0, 0.5], [2.0, 1000.0], [3.0, -2.0], [4.0, 4.0]]
    assert data == Dataset(expected, [1, 0, 1, 0], ["a", "b"], "t", ["apple", "pear"])


def test_numeric_target_makes_a_regression() -> None:
    assert read("a,t\n1,2.5\n2,-1\n") == Dataset([[1.0], [2.0]], [2.5, -1.0], ["a"], "t", None)


def test_any_column_may_be_the_target() -> None:
    assert read("a,b\n1,2\n3,4\n", "a") == Dataset([[2.0], [4.0]], [1.0, 3.0], ["b"], "a", None)


def test_other_text_columns_are_left_out() -> None:
    data = read("id,a,note,t\nq1,1,hot,5\nq2,2,cold,6\n")
    assert (data.inputs, data.left_out) == (["a"], ("id", "note"))


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ROWS.encode(),
        ROWS.replace("\n", "\r\n"),
        ROWS.replace("\n", "\r"),
        ROWS.rstrip("\n"),
        ROWS.replace("\n", "\n\n"),
        "\n\n" + ROWS,
        ROWS.replace(",", " , "),
        '"a","t"\n"1","x"\n2,"y"\n"3",x\n4,y\n',
    ],
    ids=["BOM", "CRLF", "CR", "no end", "blank lines", "blank begin", "spaces", "quotes"],
)
def test_every_way_to_write_the_same_table_reads_the_same(content: str | bytes) -> None:
    assert read(content) == read(ROWS)


def test_quoted_fields_may_hold_commas_quotes_and_line_ends() -> None:
    data = read('"a, cm",t\n1,"x, ""q"""\n2,"y\nz"\n3,"y\nz"\n4,"x, ""q"""\n')
    assert (data.inputs, data.classes, data.y) == (["a, cm"], ['x, "q"', "y\nz"], [0, 1, 1, 0])


def test_names_and_classes_in_any_script() -> None:
    data = read("größe,種\n1,松\n2,竹\n3,松\n4,竹\n", "種")
    assert (data.inputs, data.classes) == (["größe"], ["松", "竹"])


def test_path_may_be_text_or_path() -> None:
    read(ROWS)
    assert read_csv("table.csv", "t") == read_csv(Path("table.csv"), "t")


# --- reading: bad files ---------------------------------------------------------------


def test_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"^nowhere\.csv: .*No such file"):
        read_csv("nowhere.csv", "t")


def test_directory_is_refused() -> None:
    Path("folder.csv").mkdir()
    with pytest.raises(DataError, match=r"^folder\.csv: "):
        read_csv("folder.csv", "t")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("a,t\n1,é\n".encode("latin-1"), ["not UTF-8"]),
        ("a,t\n1,2\n".encode("utf-16"), ["not UTF-8"]),
        (b"\x89PNG\r\n\x1a\n\x00\xff", ["not UTF-8"]),
        ("", ["the file is empty"]),
        ("\n\n\n", ["the file is empty"]),
        ("a,t\n", ["a header but no rows"]),
        ("a,t\n\n\n", ["a header but no rows"]),
        ("a,b\n1,2\n", ["no column 't'", "a, b"]),
        ("a;t\n1;2\n", ["row 1", "separated by ';'"]),
        ("a,a,t\n1,2,3\n", ["row 1", "'a'", "twice"]),
        ("a,,t\n1,2,3\n", ["row 1", "''", "empty"]),
        ("a,t\n1,2\n1,2,3\n", ["row 3 has 3 cells", "header has 2"]),
        ("a,t\n1,2\n\n1\n", ["row 4 has 1 cells", "header has 2"]),
        ("a,b,t\n1,2,x\n,3,y\n1,2,x\n3,4,y\n", ["row 3, column 'a'"]),
        ("a,b,t\n1,2,x\n3,oops,y\n5,6,x\n7,8,y\n", ["row 3, column 'b': 'oops' is not a number"]),
        ("a,t\n1,x\n2,y\n\nnan,x\n4,y\n", ["row 5, column 'a': nan is not a finite"]),
        ("a,t\n1,x\n-inf,y\n3,x\n4,y\n", ["row 3, column 'a': -inf is not a finite"]),
        ("a,t\n1,x\n1e999,y\n3,x\n4,y\n", ["row 3, column 'a': inf is not a finite"]),
        ("a,t\n1,5\n2,nan\n3,6\n", ["row 3, column 't': nan is not a finite"]),
        ("a,t\n1,5\n2,?\n3,6\n", ["row 3, column 't': '?' is not a number"]),
        ("a,t\n1,x\n2,\n3,y\n4,y\n", ["row 3, column 't'", "missing"]),
        ("a,t\n1,x\n2,x\n3,x\n", ["column 't' has one class only, 'x'"]),
        ("a,t\n1,x\n2,y\n3,z\n", ["column 't' has 3 classes in 3 rows"]),
        ("t\n1\n2\n", ["no numeric column besides the target 't'"]),
        ("a,t\nu,x\nv,y\nu,x\nv,y\n", ["no numeric column besides the target 't'"]),
        ('a,t\n1,"x"y\n2,y\n', ["row 2"]),
        ('a,t\n1,"x\n2,y\n', ["row 3", "unexpected end"]),
        ("a,t\n1," + "x" * 200_000 + "\n", ["row 2", "field larger"]),
    ],
)
def test_bad_file_is_refused_with_its_place(content: str | bytes, parts: list[str]) -> None:
    message = message_for(content)
    assert [part for part in parts if part not in message] == []


def test_message_is_one_line_even_where_names_are_not() -> None:
    assert "\n" not in message_for('"a\nb",c\n1,2\n')


def test_rows_are_counted_as_a_text_editor_counts_lines() -> None:
    content = 'a,note,t\n1,"two\nlines",1\n2,z,2\n3,z,oops\n4,z,3\n'
    assert "row 5, column 't'" in message_for(content)
