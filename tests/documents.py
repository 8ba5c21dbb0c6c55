"""The parts of the documents that are made from the code. Run as a module it writes them; test_docs compares."""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import typer

from cli.config import KEYS, default_file
from cli.main import EXIT_CODES, app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SHIPPED_CONFIG = ROOT / "partyconfig.toml"

COMMANDS = [
    [],
    ["init"],
    ["plan"],
    ["migrate", "up"],
    ["migrate", "down"],
    ["migrate", "status"],
    ["mode"],
    ["deploy"],
    ["doctor"],
    ["stream-test"],
    ["cleanup-legacy"],
    ["health"],
    ["tail"],
    ["relay", "serve"],
    ["relay", "status"],
    ["relay", "stop"],
]


def commands() -> str:
    """Each command's `--help`, as a terminal of 80 columns shows it."""
    return "\n\n".join(
        f"```text\n$ chatops {' '.join([*words, '--help'])}\n{help_of(words)}\n```" for words in COMMANDS
    )


def help_of(words: list[str]) -> str:
    command = typer.main.get_command(app)
    with mock.patch.dict(os.environ, COLUMNS="80"), redirect_stdout(io.StringIO()) as out:
        command.main([*words, "--help"], prog_name="chatops", standalone_mode=False)
    return re.sub(r" +$", "", out.getvalue(), flags=re.MULTILINE).strip("\n")


def exit_codes() -> str:
    return table(["code", "meaning"], ([str(code), meaning] for code, meaning in EXIT_CODES.items()))


def configuration() -> str:
    rows = (
        [f"`{key.name}`", f"`{key.variable}`", f"`{shown(key.default)}`" if key.default != "" else "", key.comment]
        for key in KEYS.values()
    )
    return table(["key", "variable", "default", ""], rows)


def shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def table(head: list[str], rows: Iterator[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in [head, ["---"] * len(head), *rows])


GENERATED = {"commands": commands, "exit codes": exit_codes, "configuration": configuration}


def readme() -> str:
    """README.md with its generated parts made anew."""
    text = README.read_text()
    for name, make in GENERATED.items():
        begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{make()}\n\n{end}{rest.partition(end)[2]}"
    return text


def write() -> None:
    README.write_text(readme())
    SHIPPED_CONFIG.write_text(default_file())


if __name__ == "__main__":
    write()
