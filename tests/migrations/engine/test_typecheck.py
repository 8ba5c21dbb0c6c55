from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from migrations.engine import Engine, FileChange
from migrations.engine.typecheck import Checked, CompilerError, check_types, parse_errors
from relay_server.errors import CheckFailed
from relay_server.process import run
from tests.migrations.engine.apps import Writes, snapshot

if TYPE_CHECKING:
    from pathlib import Path

OUTPUT = """\
src/a.ts(12,5): error TS2322: Type '{ a: string; }' is not assignable to type 'A'.
  Types of property 'a' are incompatible.
    Type 'string' is not assignable to type 'number'.
src/app/(group)/[id]/page.tsx(1,1): error TS2307: Cannot find module './b (c)'.
error TS18003: No inputs were found in config file 'tsconfig.json'.

Found 3 errors.
"""


def test_no_output_is_no_error() -> None:
    assert parse_errors("") == ()
    assert parse_errors("Version 5.9.3\n") == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_errors_are_read_with_the_lines_that_belong_to_them(newline: str) -> None:
    first, second, third = parse_errors(OUTPUT.replace("\n", newline))
    assert (first.file, first.line, first.code) == ("src/a.ts", 12, "TS2322")
    assert first.message.endswith("    Type 'string' is not assignable to type 'number'.")
    assert str(first) == "src/a.ts:12: TS2322: Type '{ a: string; }' is not assignable to type 'A'."
    assert (second.file, second.message) == ("src/app/(group)/[id]/page.tsx", "Cannot find module './b (c)'.")
    assert (third.file, third.code) == ("", "TS18003")


def test_an_error_that_only_moved_is_not_new() -> None:
    one, moved, other = (CompilerError("a.ts", "TS1", text, line) for text, line in [("x", 1), ("x", 9), ("y", 1)])
    assert Checked((moved,)).new_since(Checked((one,))) == ()
    assert Checked((moved, other)).new_since(Checked((one,))) == (other,)
    assert Checked((one, moved)).new_since(Checked((one,))) == (moved,)
    assert Checked(()).new_since(Checked((one,))) == ()


def test_without_settings_or_compiler_it_says_so(tmp_path: Path) -> None:
    assert check_types(tmp_path).unavailable == "the app has no tsconfig.json"
    (tmp_path / "tsconfig.json").write_text("{}")
    (tmp_path / ".git").mkdir()
    assert check_types(tmp_path).unavailable == "TypeScript is not installed in the app's node_modules"


SETTINGS = '{"compilerOptions": {"strict": true, "noEmit": true, "incremental": true, "types": []}, "include": ["src"]}'
TYPED = "export const count: number = 1;\n"


@pytest.fixture(scope="module")
def typed_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with the compiler of create-t3-app, a file that is right and one with an error of long standing."""
    root = tmp_path_factory.mktemp("typed")
    (root / "package.json").write_text('{"name": "a", "private": true}')
    ended = run(["npm", "install", "--no-audit", "--no-fund", "--save-dev", "typescript@5"], root, seconds=100)
    assert ended.code == 0, ended.output
    (root / "tsconfig.json").write_text(SETTINGS)
    (root / "src").mkdir()
    (root / "src/right.ts").write_text(TYPED)
    (root / "src/wrong.ts").write_text('export const old: number = "old";\n')
    return root


@pytest.mark.slow
def test_new_type_errors_take_the_migration_back(typed_app: Path) -> None:
    before = snapshot(typed_app)
    change = FileChange("src/right.ts", b'\n\nexport const count: number = "one";\n')
    with pytest.raises(CheckFailed, match=r"new type errors: src/right\.ts:3: TS2322: Type 'string' is not") as caught:
        Engine(typed_app, [Writes((change,))]).up()
    assert caught.value.code == "type_errors"
    assert len(caught.value.report["type_errors"]) == 1  # type: ignore[arg-type]
    assert snapshot(typed_app) == before
    assert not (typed_app / ".chatops").exists()


@pytest.mark.slow
def test_errors_of_before_are_no_reason_even_where_their_lines_move(typed_app: Path) -> None:
    """And the compiler leaves no build info behind in an app that is set to incremental."""
    before = snapshot(typed_app)
    change = FileChange("src/wrong.ts", b'\n\nexport const old: number = "old";\n')
    engine = Engine(typed_app, [Writes((change,))])
    assert not any("types" in note for note in engine.up().notes)
    assert set(snapshot(typed_app)) == set(before)
    engine.down()
    assert snapshot(typed_app) == before


@pytest.mark.slow
def test_settings_that_the_compiler_does_not_take_are_no_verdict(typed_app: Path, tmp_path: Path) -> None:
    for name in ("package.json", "node_modules"):
        (tmp_path / name).symlink_to(typed_app / name)
    (tmp_path / "tsconfig.json").write_text('{"include": ["nothing"]}')
    assert check_types(tmp_path).unavailable.startswith("tsc does not take the app's settings: TS18003: No inputs")
    (tmp_path / "a.ts").write_text("")
    (tmp_path / "tsconfig.json").write_text(SETTINGS.replace('["src"]', '["a.ts"]'))
    assert check_types(tmp_path) == Checked()
