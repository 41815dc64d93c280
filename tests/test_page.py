"""Pieces of HTML: pictures inside, data that cannot end the script, elements that do not meet."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from autograd_engine.page import Page, document, fragment, image

NASTY = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]>",
    "\"'`&amp;\\",
    "\u2028\u2029\x00",
    "\ud800",
    "שלום \U0001f600",
]


class Reader(HTMLParser):
    """The tags with their attributes, the texts, and the scripts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:  # img and meta have no end
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    @property
    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


def data_of(page: str) -> Any:
    """What the script of a page gets."""
    script = "".join(Reader(page).texts["script"])
    start = re.search(r"\n\}\)\s*\(.*?, (?=[{\[\"])", script, re.DOTALL)
    assert start is not None
    return json.JSONDecoder().raw_decode(script[start.end() :])[0]


def test_image_carries_its_svg_inside() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>é漢</text></svg>'
    ((tag, attributes),) = Reader(image(svg, "é")).tags
    assert (tag, attributes["alt"]) == ("img", "é")
    head, _, body = str(attributes["src"]).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(body, validate=True).decode() == svg


@pytest.mark.parametrize("text", [x for x in NASTY if x.isprintable()])
def test_description_of_an_image_stays_a_description(text: str) -> None:
    ((tag, attributes),) = Reader(image("<svg/>", text)).tags
    assert (tag, attributes["alt"]) == ("img", text)


@pytest.mark.parametrize("text", NASTY)
def test_data_reach_the_script_unchanged_and_cannot_end_it(text: str) -> None:
    data = {"text": text, text: [1.5, None, text]}
    page = fragment("stepper", "<img>", data)
    assert Reader(page).names == ["div", "img", "style", "script"]
    assert page.lower().count("</script") == 1 and "<!--" not in page
    assert data_of(page) == data


@pytest.mark.parametrize("x", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_refused(x: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        fragment("stepper", "", {"x": x})


def test_two_fragments_share_no_name() -> None:
    ids = [Reader(fragment("stepper", "", {})).tags[0][1]["id"] for _ in range(50)]
    assert len(set(ids)) == 50


@pytest.mark.parametrize(
    ("name", "package"), [("stepper", "autograd_engine"), ("training_stepper", "nn")]
)
def test_every_rule_of_the_style_holds_inside_the_element_only(name: str, package: str) -> None:
    page = Reader(fragment(name, "", {}, package=package))
    key = page.tags[0][1]["id"]
    style = re.sub(r"@(?:media|container)[^{]*\{", "", "".join(page.texts["style"]))
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", style)
    assert len(rules) > 10
    for rule in rules:
        assert all(part.strip().startswith(f"#{key}") for part in rule.split(",")), rule


@pytest.mark.parametrize(
    ("name", "package"), [("stepper", "autograd_engine"), ("training_stepper", "nn")]
)
def test_scripts_are_strict(name: str, package: str) -> None:
    script = "".join(Reader(fragment(name, "", {}, package=package)).texts["script"])
    body = re.sub(r"^\s*//.*\n", "", script.partition("{\n")[2], flags=re.MULTILINE)
    assert body.lstrip().startswith('"use strict";')


def test_script_finds_its_element() -> None:
    page = Reader(fragment("stepper", "", {}))
    assert f'"{page.tags[0][1]["id"]}"' in "".join(page.texts["script"])


def test_another_package_may_have_the_script() -> None:
    page = fragment("training_stepper", "", {}, package="nn")
    assert 'class="ae-training_stepper"' in page


@pytest.mark.parametrize("title", NASTY)
def test_document_is_one_page_with_that_title(title: str) -> None:
    page = Reader(document("<p>body</p>", title))
    assert page.names == ["html", "head", "meta", "meta", "title", "style", "body", "p"]
    assert "".join(page.texts["title"]) == title
    assert page.tags[0][1]["lang"] == "en"


def test_document_says_its_encoding() -> None:
    assert document("", "t").startswith("<!DOCTYPE html>")
    assert Reader(document("", "t")).tags[2] == ("meta", {"charset": "utf-8"})


class Greeting(Page):
    title = "<greeting>"

    def html(self) -> str:
        return "<p>é</p>"

    def __repr__(self) -> str:
        return "Greeting()"


@pytest.mark.parametrize("name", ["a.html", "a.HTM"])
def test_page_is_saved_as_a_document(tmp_path: Path, name: str) -> None:
    path = Greeting().save(str(tmp_path / name))
    assert path == tmp_path / name
    assert path.read_text("utf-8") == document("<p>é</p>", "<greeting>")


@pytest.mark.parametrize("name", ["a.svg", "a", ".html", "a.html.gz"])
def test_other_endings_are_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"does not end in \.html"):
        Greeting().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_notebook_gets_the_element_and_its_text() -> None:
    assert Greeting()._repr_mimebundle_() == {"text/html": "<p>é</p>", "text/plain": "Greeting()"}


def test_page_without_html_is_refused() -> None:
    with pytest.raises(TypeError, match="html"):
        Page()  # type: ignore[abstract]
