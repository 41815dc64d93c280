"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_engine.files import write


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_as_utf8_and_bytes_as_they_are(tmp_path: Path) -> None:
    assert write("é漢\n", tmp_path / "a.txt") == tmp_path / "a.txt"
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\xe6\xbc\xa2\n"
    write(b"\x00\r\n", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"\x00\r\n"
    assert listed(tmp_path) == ["a.txt", "b"]


def test_file_of_before_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a much longer text than the new one")
    write("new", path)
    assert path.read_text() == "new"


@pytest.mark.parametrize("content", ["half \ud800", "new"])
def test_failure_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises((OSError, UnicodeEncodeError)):
        write(content, path)
    assert path.read_text() == "old"
    assert listed(tmp_path) == ["a.txt"]


def test_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write("x", tmp_path / "nowhere" / "a.txt")
    assert listed(tmp_path) == []


def test_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError):
        write("x", tmp_path / "a.txt")
    assert listed(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").is_dir()
