"""What chatops keeps about an app, in `<app>/.chatops`, which git ignores by a .gitignore of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

FOLDER = ".chatops"


def write_kept(app: Path, name: str, value: object) -> None:
    """Write `<app>/.chatops/<name>` anew as JSON; a reader never sees half of it. Raises OSError."""
    folder = make_folder(app)
    data = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    handle, coming = tempfile.mkstemp(prefix=f".{name}-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(coming).chmod(0o644)
        Path(coming).replace(folder / name)
    except BaseException:
        Path(coming).unlink(missing_ok=True)
        raise


def make_folder(app: Path) -> Path:
    """The folder, which the migrations' journal shares."""
    folder = app / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_bytes(b"*\n")
    return folder
