from __future__ import annotations

import pytest

from migrations.engine.line_edits import add_lines, get_env, set_env


@pytest.mark.parametrize("data", [b"A=1", b"A=1\n", b'\xef\xbb\xbfA="1" # one\r\n', b"export A = '1'\n", b"A=2\nA=1\n"])
def test_what_is_so_already_changes_nothing(data: bytes) -> None:
    assert set_env(data, "A", "1", comment=["new"]) == data
    assert add_lines(data, [data.decode().splitlines()[0]]) == data


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"A=1\n", "1"),
        (b"A=\n", ""),
        (b" export A = one two # three\n", "one two"),
        (b"A=a#b\n", "a#b"),
        (b'A="one # two" # three\n', "one # two"),
        (b"#A=1\nAA=2\n", None),
        (b"A=1\nA=2\n", "2"),
        (b"\xef\xbb\xbfA=1\r\n", "1"),
    ],
)
def test_a_value_is_read_as_dotenv_reads_it(data: bytes, value: str | None) -> None:
    assert get_env(data, "A") == value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"A=x y\n"),
        (b"B=1", b"B=1\nA=x y"),
        (b"B=1\r\n", b"B=1\r\nA=x y\r\n"),
        (b"\xef\xbb\xbf", b"\xef\xbb\xbfA=x y\n"),
        (b"# A=1\n", b"# A=1\nA=x y\n"),
        (b"A=1\nB=2\n", b"A=x y\nB=2\n"),
        (b"A='1' # one\n", b"A='x y' # one\n"),
        (b"A=\nB=2", b"A=x y\nB=2"),
        (b"A=1 # one", b"A=x y # one"),
        (b"\xef\xbb\xbfA=1\r\n", b"\xef\xbb\xbfA=x y\r\n"),
        (b"A=1\nA=2\n", b"A=1\nA=x y\n"),
    ],
)
def test_setting_a_key_leaves_everything_else(before: bytes, after: bytes) -> None:
    after = after.replace(b"x y", b'"x y"') if b"'" not in after else after
    assert set_env(before, "A", "x y") == after
    assert get_env(after, "A") == "x y"
    assert set_env(after, "A", "x y") == after


def test_a_new_key_comes_under_its_comment_after_an_empty_line() -> None:
    assert set_env(b"B=1\n", "A", "2", comment=["one", "two"]) == b"B=1\n\n# one\n# two\nA=2\n"
    assert set_env(b"B=1\n\n", "A", "2", comment=["one"]) == b"B=1\n\n# one\nA=2\n"
    assert set_env(b"", "A", "2", comment=["one"]) == b"# one\nA=2\n"


def test_only_missing_lines_are_added() -> None:
    assert add_lines(b"/a\r\n  b\r\n", ["b", "c", "/a"], comment=["ours"]) == b"/a\r\n  b\r\n\r\n# ours\r\nc\r\n"
    assert add_lines(b"a", ["b"]) == b"a\nb"


def test_a_value_that_readers_of_env_files_differ_on_is_not_written() -> None:
    with pytest.raises(AssertionError):
        set_env(b"", "A", 'a"b')
