from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrations.engine import AppView, Edits
from migrations.transforms.ignore_files import ignore_for_linters, ignore_state

CODE = "export function f() {\n  if (a) {\n    b();\n  }\n}\n" * 6


def changed(files: dict[str, str], *, linters: bool) -> dict[str, str]:
    """The files that change; doing it again changes nothing."""

    def changes(view: AppView) -> dict[str, bytes]:
        edits = Edits(view)
        if linters:
            ignore_for_linters(edits, "party")
        else:
            ignore_state(edits)
        return {change.path: change.after or b"" for change in edits.changes()}

    view = AppView.of_files(
        {path: text.encode() for path, text in ({"package.json": "{}"} | files).items()}, Path("/acme/apps/web")
    )
    after = changes(view)
    assert changes(view.with_changes(after)) == {}
    return {path: data.decode() for path, data in after.items()}


@pytest.mark.parametrize(
    ("files", "after"),
    [
        ({".gitignore": "/node_modules\n"}, {".gitignore": "/node_modules\n\n# partykit\n.partykit\n"}),
        ({".gitignore": "a\r\n.idea"}, {".gitignore": "a\r\n.idea\r\n\r\n# partykit\r\n.partykit"}),
        ({".gitignore": ".partykit\n"}, {}),
        ({".gitignore": "/.partykit/\n"}, {}),
        ({".gitignore": ".*\n!.env.example\n"}, {}),
        # Another repository around the app's own says nothing.
        ({"../../.gitignore": ".partykit\n", ".git/HEAD": ""}, {".gitignore": "# partykit\n.partykit\n"}),
        ({"../../.gitignore": ".partykit\n"}, {}),
        ({"../../.git/HEAD": ""}, {".gitignore": "# partykit\n.partykit\n"}),
        ({}, {}),
        (
            {".gitignore": ".partykit\n", ".dockerignore": "node_modules\n", ".vercelignore": ".partykit/**\n"},
            {".dockerignore": "node_modules\n.partykit\n"},
        ),
    ],
)
def test_the_relays_local_state_is_kept_out(files: dict[str, str], after: dict[str, str]) -> None:
    assert changed(files, linters=False) == after


def test_what_the_workspace_ignores_below_the_app_needs_no_line() -> None:
    view = AppView.of_files({"package.json": b"{}", "../.gitignore": b"app/.partykit\n"})
    edits = Edits(view)
    ignore_state(edits)
    assert edits.changes() == ()


PRETTIER = '{"devDependencies": {"prettier": "^3"}}'


@pytest.mark.parametrize(
    ("files", "after"),
    [
        # As create-t3-app sets them up, and with what the files are written to.
        ({"package.json": PRETTIER, "prettier.config.js": "export default { plugins: ['x'] };"}, {}),
        ({"package.json": PRETTIER, ".prettierrc": '{"singleQuote": true, "useTabs": true}'}, {}),
        ({"package.json": PRETTIER, "a.ts": CODE}, {}),
        ({"biome.jsonc": '{"vcs": {}}', "package.json": '{"devDependencies": {"@biomejs/biome": "^2.2.5"}}'}, {}),
        # Other lines.
        ({".prettierrc": "printWidth: 100\n"}, {".prettierignore": "party\n"}),
        ({"package.json": '{"prettier": "@acme/prettier"}'}, {".prettierignore": "party\n"}),
        ({"package.json": '{"prettier": {"trailingComma": "none"}}'}, {".prettierignore": "party\n"}),
        ({"package.json": PRETTIER, "a.ts": CODE.replace("  ", "    ")}, {".prettierignore": "party\n"}),
        ({"package.json": PRETTIER, "a.ts": CODE.replace(";", "")}, {".prettierignore": "party\n"}),
        ({"package.json": PRETTIER, ".editorconfig": "[*]\nmax_line_length = 120\n"}, {".prettierignore": "party\n"}),
        ({".prettierrc": "printWidth: 100\n", ".prettierignore": "dist\n"}, {".prettierignore": "dist\nparty\n"}),
        ({".prettierrc": "printWidth: 100\n", ".prettierignore": "*\n!src\n"}, {}),
        ({".prettierignore": "dist\n", "a.ts": CODE.replace("  ", "    ")}, {}),
        ({".eslintignore": "dist\n"}, {".eslintignore": "dist\nparty\n"}),
        ({".eslintignore": "party/\n"}, {}),
    ],
)
def test_a_folder_is_kept_from_formatters_that_would_write_it_otherwise(
    files: dict[str, str], after: dict[str, str]
) -> None:
    assert changed(files, linters=True) == after


@pytest.mark.parametrize(
    ("before", "files"),
    [
        ({"formatter": {"lineWidth": 120}}, {"includes": ["**", "!party"]}),
        ({"formatter": {"lineWidth": 120}, "files": {"includes": ["src/**"]}}, {"includes": ["src/**", "!party"]}),
        ({"formatter": {"lineWidth": 120}, "files": {"includes": ["**", "!party"]}}, {"includes": ["**", "!party"]}),
        ({"$schema": "https://biomejs.dev/schemas/1.9.4/schema.json"}, {"ignore": ["party"]}),
        (
            {"$schema": "https://biomejs.dev/schemas/1.8.0/schema.json", "files": {"ignore": ["x"]}},
            {"ignore": ["x", "party"]},
        ),
        ({"$schema": "https://biomejs.dev/schemas/2.2.5/schema.json"}, None),
    ],
)
def test_biome_gets_it_in_its_settings(before: dict[str, object], files: object) -> None:
    text = json.dumps(before, indent=2) + "\n"
    after = changed({"biome.json": text}, linters=True).get("biome.json", text)
    assert json.loads(after) == (before if files is None else {**before, "files": files})
