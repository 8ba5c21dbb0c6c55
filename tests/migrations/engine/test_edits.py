from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.engine import AppView, EditConflict, Edits, FileChange, FileEdit, SourceFile
from migrations.engine.syntax import find_all
from tests.migrations.engine.apps import CHAT, FORMATS, Format, app_files


def test_no_edit_is_no_change() -> None:
    view = AppView.of_files(app_files())
    edits = Edits(view)
    edits.source("src/chat.ts")
    edits.delete("no/such.ts")
    edits.change("no/such.env", lambda data: data)
    edits.set_json("package.json", ("scripts", "dev"), "next dev")
    edits.add_lines(".gitignore", ["node_modules"])
    edits.write("src/other.ts", view.read("src/other.ts") or b"")
    assert edits.changes() == ()


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_nothing_but_the_span_moves(form: Format) -> None:
    source = SourceFile("src/chat.ts", form.write(CHAT))
    edit = FileEdit(source)
    for node in find_all(source.root, "identifier"):
        if node.text == b"oldCall":
            edit.replace_node(node, "newCall")
    assert edit.result() == source.data.replace(b"oldCall", b"newCall")


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_a_line_is_inserted_at_the_indentation_of_its_place(form: Format) -> None:
    source = SourceFile("src/chat.ts", form.write(CHAT))
    edit = FileEdit(source)
    at = next(find_all(source.root, "if_statement"))
    edit.insert_line(at.start_byte, 'if (!text) {\n  log("none");\n}')
    edit.insert_line(0, 'import "./first";')
    edit.insert_line(len(source.data), 'export const last = "x";')
    expected = CHAT.replace("  if (!text) {", '  if (!text) {\n    log("none");\n  }\n  if (!text) {', 1)
    assert edit.result() == form.write(f'import "./first";\n{expected}export const last = "x";\n')


def test_insertions_at_one_place_stand_in_the_order_of_the_calls_and_before_a_replacement() -> None:
    edit = FileEdit(SourceFile("a.ts", b"abcd"))
    edit.replace(1, 3, "X")
    edit.insert(1, "1")
    edit.insert(1, "2")
    edit.insert(3, "3")
    assert edit.result() == b"a12X3d"


def test_the_same_replacement_twice_counts_once() -> None:
    edit = FileEdit(SourceFile("a.ts", b"abcd"))
    edit.replace(1, 3, "X")
    edit.replace(1, 3, "X")
    assert edit.result() == b"aXd"


@pytest.mark.parametrize("second", [(1, 3, "Y"), (2, 4, ""), (0, 4, "Z"), (2, 2, "in")])
def test_edits_of_the_same_bytes_are_refused(second: tuple[int, int, str]) -> None:
    edit = FileEdit(SourceFile("a.ts", b"abcd"))
    edit.replace(1, 3, "X")
    edit.replace(*second)
    with pytest.raises(EditConflict, match=r"^a\.ts:1: "):
        edit.result()


def test_whole_lines_are_deleted_with_their_line_end() -> None:
    source = SourceFile("a.ts", b"\xef\xbb\xbfone\r\n  two\r\nthree")
    for span, left in [((4, 5), b"\xef\xbb\xbf  two\r\nthree"), ((10, 12), b"\xef\xbb\xbfone\r\nthree")]:
        edit = FileEdit(source)
        edit.delete_lines(*span)
        assert edit.result() == left


def test_functions_on_one_file_add_up() -> None:
    edits = Edits(AppView.of_files(app_files()))
    edits.set_json("package.json", ("scripts", "a"), "1")
    edits.set_json("package.json", ("scripts", "b"), "2")
    edits.set_json("party.json", ("main",), "server.ts")
    edits.set_env(".env", "A", "1")
    changes = {change.path: change.after for change in edits.changes()}
    assert list(changes) == [".env", "package.json", "party.json"]
    assert changes["party.json"] == b'{\n  "main": "server.ts"\n}\n'
    assert b'"dev": "next dev",\n    "a": "1",\n    "b": "2"\n' in (changes["package.json"] or b"")


def test_a_file_is_not_changed_in_two_ways() -> None:
    edits = Edits(AppView.of_files(app_files()))
    edits.source("src/chat.ts")
    with pytest.raises(EditConflict):
        edits.write("src/chat.ts", b"")


@pytest.mark.parametrize("path", ["../a.ts", "/a.ts", ".git/config", ".chatops/state.json", "a/../../b"])
def test_no_migration_writes_outside_of_the_app(path: str) -> None:
    with pytest.raises(AssertionError):
        Edits(AppView.of_files({})).write(path, b"")


def test_a_file_may_be_removed() -> None:
    edits = Edits(AppView.of_files(app_files()))
    edits.delete("src/legacy.ts")
    assert edits.changes() == (FileChange("src/legacy.ts", None),)


@given(st.binary(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.text("xyz", max_size=3))))
def test_edits_that_do_not_meet_are_the_same_in_any_order(data: bytes, wanted: list[tuple[int, int, str]]) -> None:
    """Replacements that do not overlap, spliced from the back by plain slicing, give what FileEdit gives."""
    spans: list[tuple[int, int, str]] = []
    for start, length, text in sorted(wanted):
        end = start + length
        if end <= len(data) and length and (not spans or spans[-1][1] <= start):
            spans.append((start, end, text))
    expected = data
    for start, end, text in reversed(spans):
        expected = expected[:start] + text.encode() + expected[end:]
    edit = FileEdit(SourceFile("a.txt", data))
    for span in sorted(spans, key=lambda span: span[2]):
        edit.replace(*span)
    assert edit.result() == expected
