"""Files that start processes line by line: Procfile, systemd units, Makefiles and shell scripts."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from migrations.legacy.deployed_commands import Handled
from migrations.legacy.line_removal import split_lines, without_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployed_commands import DeployedCommands

_PROCESS = re.compile(r"(?P<head>(?P<name>[\w-]+)\s*:\s*)(?P<command>\S.*?)(?P<tail>\s*)")
_SHELL_NAME = re.compile(r"(^|/)(\.husky/[^/]+|[^/]+\.(sh|bash|zsh))$")
_MAKE_TARGET = re.compile(r"(?P<names>[\w./ -]+?)\s*::?(?!=)\s*(?P<needed>[^#=]*)")
_RELEASE = frozenset({"release", "postdeploy"})


def is_procfile(path: str) -> bool:
    return re.fullmatch(r"Procfile(\.\w+)?", posixpath.basename(path)) is not None


def is_unit(path: str) -> bool:
    return path.endswith(".service")


def is_makefile(path: str) -> bool:
    return re.fullmatch(r"(GNU)?[Mm]akefile|.+\.mk|[Jj]ustfile", posixpath.basename(path)) is not None


def is_shell_script(path: str) -> bool:
    return _SHELL_NAME.search(path) is not None


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
            handled.rewrite(line_number, f"process {name}", f"becomes `{text}`")
    handled.after = without_lines(_joined(file.data, lines), gone)
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


def clean_shell_script(commands: DeployedCommands, file: SourceFile) -> Handled:
    """A line of its own that ran the server alone goes; anything else that runs it is a need."""
    lines = split_lines(file.data)
    handled = Handled(file.data)
    gone: set[int] = set()
    texts = [line.decode(errors="replace").rstrip("\r\n") for line in lines]
    for number, text in enumerate(texts):
        if text.lstrip().startswith("#") or not text.strip():
            continue
        verdict = commands.verdict(text)
        if verdict.becomes == "gone" and _is_free_line(texts, number):
            gone.add(number)
            handled.rewrite(number + 1, "command for the WebSocket server", "what it builds or runs is gone")
        elif verdict.becomes not in ("same", "unclear") or commands.mentioned(text):
            handled.need(number + 1, "runs or builds what goes", "take it out by hand, then run this again")
    if gone and all(n in gone or not t.strip() or t.lstrip().startswith("#") for n, t in enumerate(texts)):
        return _whole_script(file, handled)
    handled.after = without_lines(file.data, gone)
    return handled


def _whole_script(file: SourceFile, handled: Handled) -> Handled:
    result = Handled(file.data)
    for line, *_ in handled.pieces:
        result.need(line, "the script does nothing but run what goes", "delete it by hand, then run this again")
    return result


def _is_free_line(texts: Sequence[str], number: int) -> bool:
    """Whether a script's line stands by itself: in no block, not continued, and nobody waits for its process."""
    text = texts[number]
    before = texts[number - 1].rstrip() if number else ""
    if text[:1].isspace() or text.rstrip().endswith("\\") or before.endswith(("\\", "&&", "||", "|")):
        return False
    following = next((t for t in texts[number + 1 :] if t.strip() and not t.lstrip().startswith("#")), "")
    return "$!" not in following and "$?" not in following


def clean_makefile(commands: DeployedCommands, file: SourceFile) -> Handled:
    """A target that ran the server alone goes, with its name in .PHONY; anything else that runs it is a need."""
    lines = split_lines(file.data)
    handled = Handled(file.data)
    gone: set[int] = set()
    texts = [line.decode(errors="replace").rstrip("\r\n") for line in lines]
    for start, end, names in _targets(texts):
        recipe = [n for n in range(start + 1, end) if texts[n].strip() and not texts[n].lstrip().startswith("#")]
        verdicts = {n: commands.verdict(texts[n].strip().lstrip("@-")) for n in recipe}
        hit = [n for n, v in verdicts.items() if v.becomes != "same" or commands.mentioned(texts[n])]
        if not hit:
            continue
        alone = len(names) == 1 and not _needed(texts, start)
        all_gone = all(verdicts[n].becomes == "gone" for n in recipe)
        if alone and all_gone and not _target_users(texts, names[0], range(start, end)):
            last = max(recipe) + 1
            gone.update(range(start, last))
            lines = _without_phony(lines, names[0])
            handled.rewrite(start + 1, f"target {names[0]}", "it is for the WebSocket server only")
        else:
            handled.need(hit[0] + 1, "runs or builds what goes", "take it out by hand, then run this again")
    handled.after = without_lines(_joined(file.data, lines), gone)
    return handled


def _targets(texts: Sequence[str]) -> list[tuple[int, int, list[str]]]:
    """The rules by their lines, the recipe included, and the names of their targets."""
    found = []
    for number, text in enumerate(texts):
        head = _MAKE_TARGET.fullmatch(text.partition("#")[0].rstrip())
        if head is None or text[:1].isspace() or text.startswith("."):
            continue
        end = number + 1
        while end < len(texts) and (texts[end].startswith(("\t", " ")) or not texts[end].strip()):
            end += 1
        found.append((number, end, head["names"].split()))
    return found


def _needed(texts: Sequence[str], start: int) -> str:
    head = _MAKE_TARGET.fullmatch(texts[start].partition("#")[0].rstrip())
    return head["needed"].strip() if head is not None else ""


def _target_users(texts: Sequence[str], name: str, own: range) -> bool:
    named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
    for number, text in enumerate(texts):
        if number in own or text.startswith(".PHONY") or text.lstrip().startswith("#"):
            continue
        is_rule = not text[:1].isspace() and ":" in text
        if (is_rule and named.search(text)) or re.search(rf"\bmake\)?\b.*\b{re.escape(name)}\b", text, re.IGNORECASE):
            return True
    return False


def _without_phony(lines: Sequence[bytes], name: str) -> list[bytes]:
    """The lines with a target's name taken out of .PHONY; one that would name nothing is emptied."""
    result = []
    for line in lines:
        if line.startswith(b".PHONY"):
            shorter = re.sub(rb"[ \t]+" + re.escape(name).encode() + rb"(?=\s)", b"", line, count=1)
            line = b"" if re.fullmatch(rb"\.PHONY\s*:\s*", shorter) else shorter
        result.append(line)
    return result


def _joined(data: bytes, lines: Sequence[bytes]) -> bytes:
    mark = b"\xef\xbb\xbf"
    return (mark if data.startswith(mark) else b"") + b"".join(lines)
