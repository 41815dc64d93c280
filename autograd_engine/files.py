"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write"]


def write(content: bytes | str, path: str | Path) -> Path:
    """Put the content (text as UTF-8) into a file, in one move after all of it is there.

    Raises
    ------
    OSError
        When it cannot be written; what was there before is still there.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_bytes(content if isinstance(content, bytes) else content.encode())
        return unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
