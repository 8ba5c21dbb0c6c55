"""A wheel of the chatops that runs, for an image that is to run the same one.

It is put together from the installed packages, as a tool that was installed has no sources to build from; the form is
that of the binary distribution format (packaging.python.org, "Binary distribution format", 1.0).
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTRIBUTION = "chatops-partykit"
_PACKAGES = ("cli", "migrations", "relay_server")
# What pyproject.toml keeps out of the wheel that is released; an installed package has none of it.
_LEFT_OUT = {"node_modules", ".partykit", ".wrangler", "__pycache__"}
_LEFT_OUT_AT = ("relay_server/typescript/tests/", "migrations/kit/tests/", "migrations/kit/lowest/")
_LEFT_OUT_SUFFIXES = (".pyc", ".tsbuildinfo")
_WHEEL = "Wheel-Version: 1.0\nGenerator: chatops\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same wheel from the same files


def make_wheel() -> tuple[str, bytes]:
    """Name and bytes of the wheel. Raises UsageError where chatops is not installed as a package."""
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        raise UsageError(
            "chatops runs from its sources without being installed, so there is nothing to put into an image",
            next_step="install it (pipx install ., or pip install .), and run this again",
            code="not_installed",
        ) from None
    base = f"{DISTRIBUTION.replace('-', '_')}-{installed.version}"
    info = f"{base}.dist-info"
    contents = dict(_package_files())
    contents[f"{info}/METADATA"] = (installed.read_text("METADATA") or "").encode()
    contents[f"{info}/WHEEL"] = _WHEEL.encode()
    contents[f"{info}/entry_points.txt"] = (installed.read_text("entry_points.txt") or "").encode()
    contents[f"{info}/RECORD"] = _record(contents, f"{info}/RECORD")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return f"{base}-py3-none-any.whl", buffer.getvalue()


def is_wheel(name: str) -> bool:
    """Whether a file name is that of such a wheel, of whatever version."""
    return name.startswith(f"{DISTRIBUTION.replace('-', '_')}-") and name.endswith("-py3-none-any.whl")


def _package_files() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(set(folders) - _LEFT_OUT)
            for name in sorted(names):
                path = Path(place) / name
                inside = f"{package}/{path.relative_to(folder).as_posix()}"
                if not inside.startswith(_LEFT_OUT_AT) and not inside.endswith(_LEFT_OUT_SUFFIXES):
                    yield inside, path.read_bytes()


def _record(contents: dict[str, bytes], record: str) -> bytes:
    lines = []
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}")
    return "\n".join([*lines, f"{record},,", ""]).encode()
