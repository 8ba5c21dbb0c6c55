from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder in memory where the system has such a place: thousands of fsyncs take their time on a disk."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="chatops-", dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder).resolve()
