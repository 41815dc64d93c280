"""The engine for DOT text: which one is chosen, and what is said when there is none."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from autograd_engine import RenderError, Value, draw, draw_dot, rendering
from autograd_engine.rendering import FORMATS, accessible, dot_bytes

DOT = "digraph { a -> b }"
PNG = b"\x89PNG\r\n\x1a\n"

scripts = pytest.mark.skipif(
    os.name == "nt", reason="the scripts that stand in for `dot` are POSIX's"
)


@pytest.fixture(autouse=True)
def _no_system_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("AUTOGRAD_ENGINE_DOT", raising=False)


def fake(code: str, name: str = "fake") -> str:
    """An executable that stands in for `dot`: a Python script; named `dot` the system's."""
    path = Path("bin") / name
    path.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path.absolute())


def failure(format: str = "svg") -> str:
    with pytest.raises(RenderError) as caught:
        dot_bytes(DOT, format)
    message = str(caught.value)
    assert message.startswith("draw: ")
    return message


def use(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    monkeypatch.setenv("AUTOGRAD_ENGINE_DOT", engine)


# --- the embedded engine ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "start"), [("svg", b"<?xml"), ("png", PNG), ("jpg", b"\xff\xd8\xff")]
)
@pytest.mark.parametrize("engine", ["", "embedded"])
def test_pictures_come_without_a_system_dot(
    format: str, start: bytes, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, engine)
    assert dot_bytes(DOT, format).startswith(start)


@pytest.mark.parametrize("format", ["dot", "gv"])
def test_dot_text_needs_no_engine(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "nowhere/dot")
    assert dot_bytes(DOT, format) == DOT.encode()


def test_pdf_without_a_system_dot_is_refused_with_the_remedy() -> None:
    message = failure("pdf")
    assert "pdf needs the system's Graphviz" in message
    assert "install Graphviz" in message
    with pytest.raises(RenderError):
        draw(Value(1.0), "graph.pdf")
    assert not Path("graph.pdf").exists()


@pytest.mark.parametrize("format", ["gif", "", "SVG", "ps"])
def test_unknown_format_is_refused_with_the_known_ones(format: str) -> None:
    with pytest.raises(ValueError, match="choose one of svg, png"):
        dot_bytes(DOT, format)


def test_bad_dot_text_is_an_error_with_the_engines_words() -> None:
    with pytest.raises(RenderError, match="syntax error"):
        dot_bytes("digraph { a ->", "svg")


# --- the choice of an engine ---------------------------------------------------------------


@scripts
def test_system_dot_comes_before_the_embedded_one() -> None:
    fake("print('system', sys.argv[1], sys.stdin.read())", "dot")
    assert dot_bytes(DOT, "svg") == f"system -Tsvg {DOT}\n".encode()


@scripts
def test_system_dot_makes_pdf() -> None:
    fake("print('%PDF')", "dot")
    assert draw(Value(1.0), "graph.pdf").read_bytes() == b"%PDF\n"


@scripts
def test_embedded_is_used_when_asked_for_in_spite_of_a_system_dot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake("print('system')", "dot")
    use(monkeypatch, "embedded")
    assert dot_bytes(DOT, "svg").startswith(b"<?xml")


@scripts
def test_system_is_used_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake("print('system')", "dot")
    use(monkeypatch, "system")
    assert dot_bytes(DOT, "svg") == b"system\n"


@scripts
def test_path_of_an_engine_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    fake("print('system')", "dot")
    use(monkeypatch, fake("print('mine', sys.argv[1:])"))
    assert dot_bytes(DOT, "png") == b"mine ['-Tpng', '-Gsize=300,300']\n"


def test_system_without_a_system_dot_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, "system")
    message = failure()
    assert "no Graphviz engine found" in message
    assert "pip install graphviz-pure" in message


def test_embedded_engine_is_found_by_its_package_not_by_path() -> None:
    assert list(Path("bin").iterdir()) == []
    assert dot_bytes(DOT, "svg").startswith(b"<?xml")


# --- engines that do not work ---------------------------------------------------------------


@scripts
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit('out of paper')", "out of paper"),
        ("sys.exit(3)", "no output"),
        ("", "no output"),
        ("print('half'); sys.exit('broken')", "broken"),
        ("sys.stdin.close(); sys.exit('closed')", "closed"),
        ("sys.stderr.buffer.write(bytes([255])); sys.exit(1)", "failed for svg"),
        ("sys.exit('x' * 100_000)", "xxx"),
    ],
)
def test_engine_that_fails_is_named_with_its_words(
    code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, fake(code))
    message = failure()
    assert "fake failed for svg" in message
    assert words in message
    assert len(message) < 1000


@scripts
def test_engine_that_fails_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, fake("print('half'); sys.exit(1)"))
    with pytest.raises(RenderError):
        draw(Value(1.0), "graph.svg")
    with pytest.raises(RenderError):
        draw_dot(Value(1.0)).render("graph")
    assert [path.name for path in Path().iterdir()] == ["bin"]


@pytest.mark.parametrize("engine", ["nowhere/dot", "bin", "plain.txt"])
def test_engine_that_cannot_run_is_named_with_the_remedy(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("plain.txt").write_text("not a program")
    use(monkeypatch, str(Path(engine).absolute()))
    message = failure()
    assert f"cannot run {Path(engine).absolute()}" in message
    assert "install Graphviz" in message


@scripts
def test_engine_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_SECONDS", 0.2)
    use(monkeypatch, fake("import time; time.sleep(20)"))
    assert "draw a smaller part" in failure()


@scripts
def test_large_graph_goes_through_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, fake("print(len(sys.stdin.read()))"))
    text = "digraph {" + "a -> b;" * 100_000 + "}"
    assert int(dot_bytes(text, "svg")) == len(text)


# --- the graphviz.Digraph ---------------------------------------------------------------


def test_pipe_gives_bytes_or_text() -> None:
    shown = draw_dot(Value(1.0))
    assert isinstance(shown.pipe(), bytes)
    assert shown.pipe("png").startswith(PNG)
    assert str(shown.pipe(encoding="utf-8")).startswith("<?xml")
    assert shown.pipe(format="dot") == shown.source.encode()


def test_render_writes_dot_text_and_picture_and_returns_its_path() -> None:
    path = draw_dot(Value(1.0)).render("graph")
    assert path == "graph.svg"
    assert Path("graph").read_text().startswith("digraph {")
    assert Path("graph.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({"filename": "g", "cleanup": True}, ["g.svg"]),
        ({"filename": "g", "format": "png"}, ["g", "g.png"]),
        ({"filename": "g", "directory": "sub", "cleanup": True}, ["sub/g.svg"]),
        ({"outfile": "g.svg"}, ["g.gv", "g.svg"]),
        ({"outfile": "g.png", "cleanup": True}, ["g.png"]),
    ],
)
def test_render_options_of_graphviz_decide_the_files(
    options: dict[str, Any], files: list[str]
) -> None:
    path = draw_dot(Value(1.0)).render(**options)
    written = [p for p in Path().rglob("*") if p.is_file() and p.parent.name != "bin"]
    assert sorted(p.as_posix() for p in written) == files
    start = PNG if path.endswith(".png") else b"<?xml"
    assert Path(path).read_bytes().startswith(start)


def test_save_writes_the_dot_text() -> None:
    shown = draw_dot(Value(1.0))
    assert Path(shown.save("graph.gv")).read_text() == shown.source


def test_notebook_shows_the_digraph_without_a_system_dot() -> None:
    bundle = draw_dot(Value(1.0))._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<?xml")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_made_or_refused_with_a_remedy(format: str) -> None:
    try:
        assert dot_bytes(DOT, format)
    except RenderError as error:
        assert format == "pdf"
        assert "install Graphviz" in str(error)


# --- for those who do not see it ---------------------------------------------------------------


def test_svg_gets_a_title_and_a_description_and_loses_what_is_outside() -> None:
    svg = (
        '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://w3.org/x">\n'
        '<!-- made by -->\n<svg width="1pt">\n<!-- v0 -->\n<g>a &#45;&#45;&gt; b</g>\n</svg>\n'
    )
    assert accessible(svg, "a < b", "all & everything") == (
        '<?xml version="1.0"?>\n<svg width="1pt" role="img">\n<title>a &lt; b</title>\n'
        "<desc>all &amp; everything</desc>\n<g>a &#45;&#45;&gt; b</g>\n</svg>\n"
    )


def test_what_is_no_svg_stays_as_it_is() -> None:
    assert accessible("plain words", "t", "d") == "plain words"


def test_every_way_to_an_svg_makes_it_accessible() -> None:
    picture = draw_dot(Value(1.0, label="x"))
    texts = [
        str(picture.pipe(encoding="utf-8")),
        picture.pipe("svg").decode(),  # type: ignore[union-attr]
        Path(picture.render("graph")).read_text("utf-8"),
        picture._repr_mimebundle_()["image/svg+xml"],
        draw(Value(1.0, label="x"), "a.svg").read_text("utf-8"),
    ]
    assert len(set(texts)) == 1
    assert "<title>Computation graph of x = 1.0000</title>" in texts[0]


@scripts
def test_engine_whose_svg_is_no_text_is_left_alone() -> None:
    fake("import os; os.write(1, bytes([60, 255, 62]))", "dot")
    assert draw_dot(Value(1.0)).pipe("svg") == bytes([60, 255, 62])


def test_render_leaves_an_older_picture_where_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_dot(Value(1.0)).render("graph")
    before = Path("graph.svg").read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        draw_dot(Value(2.0)).render("graph")
    assert Path("graph.svg").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == [
        "graph",
        "graph.svg",
    ]
