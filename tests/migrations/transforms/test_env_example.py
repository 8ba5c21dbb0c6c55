from __future__ import annotations

import pytest

from migrations.engine import AppView, Edits
from migrations.transforms.env_example import show_variables

ADDED = """\
# The relay takes replies only with this secret; it is the same here and there.
RELAY_SECRET=""
# Where the chat's relay is: host, and port if it has one.
NEXT_PUBLIC_RELAY_HOST="127.0.0.1:1999"
# How replies arrive: "streaming", or "send-message" in one piece.
NEXT_PUBLIC_CHAT_MODE="send-message"
"""


def shown(files: dict[str, str], *, has_schema: bool = False) -> dict[str, str]:
    """The files that change; doing it again changes nothing."""
    view = AppView.of_files({path: text.encode() for path, text in files.items()})
    edits = Edits(view)
    show_variables(edits, has_schema=has_schema)
    changes = {change.path: change.after or b"" for change in edits.changes()}
    again = Edits(view.with_changes(changes))
    show_variables(again, has_schema=has_schema)
    assert again.changes() == ()
    return {path: data.decode() for path, data in changes.items()}


@pytest.mark.parametrize(
    ("before", "quote"),
    [
        ('A="b"\n', '"'),
        ("A='b'\n", "'"),
        ("A=b\n", ""),
        ("A=\nB='c'\n", "'"),
        ('# Example:\n# SERVERVAR="foo"\n', '"'),
        ("# a note = no assignment\n", '"'),
        ("A=b\nC=d\nexport E='f'\n", ""),
    ],
)
def test_it_keeps_to_the_files_quotes(before: str, quote: str) -> None:
    lines = [line if line.startswith("#") else line.replace('"', quote) for line in ADDED.splitlines()]
    assert shown({".env.example": before}) == {".env.example": before + "\n" + "\n".join(lines) + "\n"}


def test_line_ends_and_a_missing_last_one_stay() -> None:
    after = shown({".env.example": 'A="1"\r\nB="2"'})[".env.example"]
    assert after == ('A="1"\nB="2"\n\n' + ADDED.rstrip("\n")).replace("\n", "\r\n")


def test_keys_that_are_there_stay_and_commented_ones_count_as_absent() -> None:
    before = 'RELAY_SECRET="x"\n# NEXT_PUBLIC_CHAT_MODE="streaming"\n'
    assert shown({".env.example": before})[".env.example"] == before + "\n" + ADDED.split("\n", 2)[2]


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        ({}, []),
        ({".env.local": "A=1\n"}, [".env.example"]),
        ({".env": ""}, [".env.example"]),
        ({".env.sample": "A=1\n", ".env": "A=1\n"}, [".env.sample"]),
        ({".env.local.example": "A=1\n"}, [".env.local.example"]),
        ({".env.example": "A=1\n", ".env.template": "A=1\n"}, [".env.example"]),
    ],
)
def test_it_goes_where_the_app_shows_its_variables_and_nowhere_else(files: dict[str, str], changed: list[str]) -> None:
    assert list(shown(files)) == changed


def test_it_is_made_for_an_app_that_only_has_a_schema() -> None:
    assert shown({}, has_schema=True) == {".env.example": ADDED}
