"""Files for their owner's eyes alone."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from relay_server.private_file import write_private

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_its_owners_alone_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    write_private(path, b"one")
    path.chmod(0o644)
    write_private(path, b"two")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o600)
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises(OSError, match="secret"):
        write_private(tmp_path / "secret", b"one")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
