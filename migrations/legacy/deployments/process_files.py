"""Files that start processes line by line: Procfile and systemd units."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from migrations.legacy.deployments.commands import Handled
from migrations.legacy.line_removal import split_lines, with_lines, without_lines

if TYPE_CHECKING:
    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.commands import DeployedCommands

_PROCESS = re.compile(r"(?P<head>(?P<name>[\w-]+)\s*:\s*)(?P<command>\S.*?)(?P<tail>\s*)")
_SHELL_FILE = re.compile(
    r"(^|/)(\.husky/[^/]+|(GNU)?[Mm]akefile|[Jj]ustfile|Taskfile\.ya?ml|lefthook\.ya?ml|[^/]+\.(sh|bash|zsh|mk|bat|cmd|ps1))$"
)
_RELEASE = frozenset({"release", "postdeploy"})


def is_procfile(path: str) -> bool:
    return re.fullmatch(r"Procfile(\.\w+)?", posixpath.basename(path)) is not None


def is_unit(path: str) -> bool:
    return path.endswith(".service")


def is_shell_file(path: str) -> bool:
    """Shell scripts, git hooks and files of make and its like."""
    return _SHELL_FILE.search(path) is not None


def clean_procfile(commands: DeployedCommands, file: SourceFile) -> Handled:
    """A process that ran the server alone goes; one that ran Next.js within it runs `next start`."""
    lines = split_lines(file.data)
    handled = Handled(file.data)
    gone: set[int] = set()
    for number, line in enumerate(lines):
        found = _PROCESS.fullmatch(line.decode(errors="replace"))
        if found is None:
            continue
        name, line_number = found["name"], number + 1
        verdict = commands.verdict(found["command"], name="build" if name in _RELEASE else "start")
        if verdict.becomes == "gone":
            gone.add(number)
            handled.rewrite(line_number, f"process {name}", "it runs the WebSocket server and nothing else")
        elif verdict.becomes == "unclear":
            how = f"give it a command without the server, such as `npm start`, then run this again: {verdict.why}"
            handled.need(line_number, f"process {name} runs what goes", how)
        elif verdict.becomes != "same":
            text = commands.with_next_found(verdict.text)
            lines[number] = (found["head"] + text + found["tail"]).encode()
            handled.becomes(line_number, f"process {name}", text)
    handled.after = without_lines(with_lines(file.data, lines), gone)
    return handled


def clean_unit(commands: DeployedCommands, file: SourceFile) -> Handled:
    """A systemd unit whose process is what went is a need: it is installed where nothing here can see it."""
    handled = Handled(file.data)
    for number, text in enumerate(file.data.decode(errors="replace").splitlines(), start=1):
        found = re.match(r"\s*Exec\w+\s*=\s*[-@:+!]*(.*)", text)
        if found is None:
            continue
        command = re.sub(r"^/\S*/(?=(node|npm|npx|pnpm|yarn|bun)\b)", "", found[1].strip())
        verdict = commands.verdict(command)
        if verdict.becomes != "same" or commands.mentioned(found[1]):
            how = "stop the service where it is installed, take this line or file out, then run this again"
            handled.need(number, "the service runs what goes", how)
    return handled
