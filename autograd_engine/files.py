"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write"]


def write(content: bytes | str, path: str | os.PathLike[str]) -> Path:
    """Put the content (text as UTF-8) into a file, in one move after all of it is there.

    Raises
    ------
    OSError
        When it cannot be written; what was there before is still there.
    """
    path = Path(path)
    data = content if isinstance(content, bytes) else content.encode()
    unfinished = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}")
    try:
        unfinished.write_bytes(data)
        return unfinished.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from None  # the one asked for
    finally:
        unfinished.unlink(missing_ok=True)
