from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from migrations.engine import AppView
from migrations.engine.listing import list_files
from relay_server.errors import UsageError
from tests.migrations.engine.apps import FORMATS, app_files

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = {
    ".gitignore": "node_modules\n/build\n*.log\n!keep.log\n.env\n",
    "package.json": "{}",
    "src/a.ts": "a",
    "src/[id]/(group)/[...all].tsx": "a",
    "src/with space/ü.ts": "a",
    "src/x.log": "ignored",
    "src/keep.log": "kept",
    "src/generated/.gitignore": "*\n!.gitignore\n",
    "src/generated/b.ts": "ignored",
    "src/build/c.ts": "not the build folder at the top",
    "build/d.ts": "ignored",
    "node_modules/e/index.ts": "ignored",
    "packages/f/node_modules/g.ts": "ignored",
    ".env": "ignored",
    "dist/h.js": "skipped",
    "packages/f/.next/i.js": "skipped",
    ".chatops/state.json": "skipped",
}
LISTED = [
    ".gitignore",
    "package.json",
    "src/[id]/(group)/[...all].tsx",
    "src/a.ts",
    "src/build/c.ts",
    "src/generated/.gitignore",
    "src/keep.log",
    "src/with space/ü.ts",
]


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], cwd=root, check=True, capture_output=True
    )


@pytest.mark.parametrize("kind", ["no git", "git", "committed", "inside an ignoring tree"])
def test_what_git_ignores_and_what_tools_make_is_left_out(tmp_path: Path, kind: str) -> None:
    """The same list with git and without, even where dist, .next and the like are committed."""
    root = tmp_path / "app"
    write(root, IGNORED)
    if kind in ("git", "committed"):
        git(root, "init", "-q")
    if kind == "committed":
        git(root, "add", "-A")
        git(root, "add", "-f", "dist", "packages")
        git(root, "commit", "-qm", "all")
    if kind == "inside an ignoring tree":
        git(tmp_path, "init", "-q")
        (tmp_path / ".gitignore").write_text("app\n")
    assert list_files(root) == LISTED


def test_a_part_of_a_work_tree_is_listed_from_itself(tmp_path: Path) -> None:
    write(tmp_path, {"apps/web/package.json": "{}", "apps/web/a.ts": "", "apps/other/b.ts": "", ".gitignore": "c.ts"})
    write(tmp_path, {"apps/web/c.ts": ""})
    git(tmp_path, "init", "-q")
    assert list_files(tmp_path / "apps/web") == ["a.ts", "package.json"]


def test_links_to_folders_are_not_followed_and_a_file_comes_once(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": "{}", "a/b.ts": ""})
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "file.ts").symlink_to("a/b.ts")
    (tmp_path / "etc.ts").symlink_to("/etc/hostname")
    assert list_files(tmp_path) == ["a/b.ts", "etc.ts", "package.json"]
    git(tmp_path, "init", "-q")
    assert list_files(tmp_path) == ["a/b.ts", "etc.ts", "package.json"]


def test_a_tracked_file_that_is_gone_is_no_source(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": "{}", "a.ts": "", "b.ts": ""})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    (tmp_path / "a.ts").unlink()
    assert [file.path for file in AppView.of_folder(tmp_path).sources()] == ["b.ts"]


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_no_app_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="there is no folder") as caught:
        AppView.of_folder(tmp_path / name)
    assert caught.value.code == "no_app"
    with pytest.raises(UsageError, match=r"no package\.json"):
        AppView.of_folder(tmp_path)


def test_sources_are_those_that_hold_every_needle() -> None:
    view = AppView.of_files({
        "a.ts": b"one two", "b.tsx": b"one", "c.md": b"one two", "d.js": b"two one", "dist/e.ts": b"one two",
        "big.js": b"one two" + b" " * (1 << 20),
    })  # fmt: skip
    assert [file.path for file in view.sources("one", "two")] == ["a.ts", "d.js"]
    assert [file.path for file in view.sources("one", suffixes=(".tsx",))] == ["b.tsx"]


def test_only_files_that_hold_the_needle_are_parsed() -> None:
    """A file with a syntax error or in another encoding is nobody's business where the needle is not in it."""
    view = AppView.of_files({"a.ts": b"\xff\xfe", "b.ts": b"needle()", "c.ts": b"((("})
    (file,) = view.sources("needle")
    assert file.root.type == "program"


def test_a_file_is_read_and_parsed_once(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": "{}", "a.ts": "a"})
    view = AppView.of_folder(tmp_path)
    file = view.file("a.ts")
    assert file is not None
    tree = file.tree
    (tmp_path / "a.ts").write_text("changed")
    changed = view.with_changes({"b.ts": b"b"})
    assert changed.file("a.ts") is file
    assert file.tree is tree


def test_changes_lie_over_the_files() -> None:
    view = AppView.of_files({"a.ts": b"a", "b.ts": b"b"})
    after = view.with_changes({"a.ts": None, "c.ts": b"c", "b.ts": b"B"})
    assert (after.paths, after.read("b.ts"), after.exists("a.ts")) == (("b.ts", "c.ts"), b"B", False)
    again = after.with_changes({"a.ts": b"back", "c.ts": None})
    assert (again.paths, again.read("b.ts")) == (("a.ts", "b.ts"), b"B")
    assert (view.paths, view.read("b.ts")) == (("a.ts", "b.ts"), b"b")


def test_a_file_that_is_not_utf8_is_refused_by_name_and_line() -> None:
    view = AppView.of_files({"src/a.ts": b"const a = 1;\nconst b = '\xe9';\n"})
    (file,) = view.sources("const")
    for read in (lambda: file.text, lambda: file.tree):
        with pytest.raises(UsageError, match=r"^src/a\.ts:2 is not UTF-8") as caught:
            read()
        assert caught.value.code == "not_utf8"


def test_a_byte_order_mark_is_in_the_bytes_and_not_in_the_text() -> None:
    file = AppView.of_files({"a.ts": b"\xef\xbb\xbfone\r\ntwo"}).file("a.ts")
    assert file is not None
    assert (file.text, file.line_start(4), file.line_start(9), file.line_of(9)) == ("one\r\ntwo", 3, 8, 2)
    assert [node.start_byte for node in file.root.children] == [3, 8]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.ts", "const a = 1;", None),
        ("a.ts", "const a = <T>b;", None),
        ("a.tsx", "const a = <T>b;", 1),
        ("a.js", "const a = <b />;", None),
        ("a.mjs", "export default 1\n", None),
        ("a.ts", "const a = 1;\n\nlet b = ;\n", 3),
        ("a.ts", "function f() {\n", 1),
    ],
)
def test_a_syntax_error_has_a_line(path: str, text: str, line: int | None) -> None:
    file = AppView.of_files({path: text.encode()}).file(path)
    assert file is not None
    assert file.syntax_error_line == line


def test_json_and_toml_are_read() -> None:
    view = AppView.of_files(
        {"a.json": b'{"a": 1}', "b.json": b'{"b": [1,], /* */}', "c.toml": b"c = 1\n", "d.toml": b"d"}
    )
    assert (view.json("a.json"), view.json("b.json"), view.json("x.json")) == ({"a": 1}, {"b": [1]}, None)
    assert (view.toml("c.toml"), view.toml("x.toml")) == ({"c": 1}, None)
    with pytest.raises(UsageError, match=r"d\.toml is not TOML"):
        view.toml("d.toml")


@pytest.mark.parametrize("name", FORMATS)
def test_new_files_take_the_style_that_most_of_the_app_has(name: str) -> None:
    view = AppView.of_files({**app_files(FORMATS[name]), "tiny.ts": b"'a'\n"})
    assert view.style == FORMATS[name].style


def test_a_folder_that_cannot_be_read_as_a_file_is_no_file(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": "{}", "folder.ts/a.ts": ""})
    view = AppView.of_folder(tmp_path)
    assert view.file("folder.ts") is None
    assert view.file("package.json/b") is None
