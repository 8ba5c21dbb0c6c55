"""YAML files with commands in them: workflows and other CI, Render's blueprint."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.legacy.deployments.commands import Handled, Verdict
from migrations.legacy.deployments.compose_files import command_text
from migrations.legacy.environment.settings import block_end, indent_of, is_filled, lost_anchor
from migrations.legacy.line_removal import split_lines, with_lines, without_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.commands import DeployedCommands

_COMMAND_KEYS = frozenset(
    ("run", "script", "scripts", "command", "cmd", "bash", "startCommand", "buildCommand", "preDeployCommand")
)
_KEYED = re.compile(
    r"""(?P<head>(?P<dash>\s*(?:-\s+)?)["']?(?P<key>[\w-]+)["']?\s*:\s+)(?P<value>\S.*?)(?P<tail>\s*)"""
)
_ITEM = re.compile(r"(?P<head>\s*-\s+)(?P<value>\S.*?)(?P<tail>\s*)")
_BLOCK = re.compile(r"[|>][+-]?\d?\s*(#.*)?")
# Commands that fail where what they are to take along is missing.
_TAKES = r"\b(?:rsync|scp|cp|mv|tar|zip)\b"
# What a step may have besides its command and still be for it alone.
_STEP_KEYS = frozenset({"name", "run", "env", "working-directory", "shell", "timeout-minutes", "continue-on-error"})
_BUILDING = re.compile(r"build|preDeploy", re.IGNORECASE)
_BY_HAND = "take it out by hand, then run this again"


def clean_pipeline(commands: DeployedCommands, file: SourceFile) -> Handled:
    """Steps, items and services that only built or ran the server go; commands that did more lose that part."""
    work = _Pipeline(commands, Handled(file.data), split_lines(file.data))
    work.clean()
    anchor = lost_anchor(work.lines, work.gone)
    if anchor is not None:
        line = min(work.gone) + 1
        work.handled.need(line, f"has the anchor {anchor}", "write it elsewhere by hand, then run this again")
    if not work.handled.needs:
        work.handled.after = without_lines(with_lines(file.data, work.lines), work.gone)
    return work.handled


@dataclass
class _Pipeline:
    """The work on one file."""

    commands: DeployedCommands
    handled: Handled
    lines: list[bytes]
    gone: set[int] = field(default_factory=set)

    def clean(self) -> None:
        number = 0
        while number < len(self.lines):
            text = self.lines[number].decode(errors="replace")
            if not is_filled(self.lines[number]):
                number += 1
                continue
            keyed, item = _KEYED.fullmatch(text), _ITEM.fullmatch(text)
            value = keyed["value"] if keyed is not None else ""
            if keyed is not None and keyed["key"] in _COMMAND_KEYS:
                if _BLOCK.fullmatch(value):
                    end = self._block_end(number, keyed)
                    self._block(number, end, keyed["key"])
                    number = end
                    continue
                self._scalar(number, keyed, keyed["key"])
            elif item is not None and keyed is None:
                self._item(number, item)
            number += 1

    def _block_end(self, number: int, keyed: re.Match[str]) -> int:
        """The number behind the last line of a text in block style."""
        column = len(keyed["dash"])
        end = number + 1
        while end < len(self.lines) and (not self.lines[end].strip() or indent_of(self.lines[end]) > column):
            end += 1
        return end

    def _verdict(self, text: str, key: str = "run") -> Verdict:
        return self.commands.verdict(text, name="build" if _BUILDING.search(key) else "start")

    def _scalar(self, number: int, keyed: re.Match[str], key: str) -> None:
        text = command_text(keyed["value"])
        verdict = self._verdict(text, key) if text is not None else Verdict("same")
        if verdict.becomes == "same" or text is None:
            return
        if verdict.becomes == "gone":
            self._drop_owner(number, key)
        elif verdict.becomes == "unclear" or text not in keyed["value"]:
            self.handled.need(number + 1, "runs or builds what goes", _how(verdict))
        else:
            new = self.commands.with_next_found(verdict.text)
            value = keyed["value"].replace(text, new)
            self.lines[number] = (keyed["head"] + value + keyed["tail"]).encode()
            self.handled.becomes(number + 1, f"{key} of the WebSocket server", new)

    def _item(self, number: int, item: re.Match[str]) -> None:
        text = command_text(item["value"])
        verdict = self._verdict(text) if text is not None else Verdict("same")
        if verdict.becomes == "same" or text is None:
            return
        siblings = self._siblings(number)
        if verdict.becomes == "gone" and any(n not in self.gone for n in siblings if n != number):
            self.gone.add(number)
            self.handled.rewrite(number + 1, "command for the WebSocket server", "what it builds or runs is gone")
        elif verdict.becomes == "less" and text in item["value"]:
            self.lines[number] = (item["head"] + item["value"].replace(text, verdict.text) + item["tail"]).encode()
            self.handled.becomes(number + 1, "command for the WebSocket server", verdict.text)
        else:
            self.handled.need(number + 1, "runs or builds what goes", _how(verdict))

    def _block(self, number: int, end: int, key: str) -> None:
        """A text of several commands, a line each."""
        inside = [n for n in range(number + 1, end) if self.lines[n].strip()]
        lost: list[int] = []
        for n in inside:
            text = self.lines[n].decode(errors="replace")
            if text.lstrip().startswith("#"):
                continue
            verdict = self._verdict(text.strip(), key)
            joined = text.rstrip().endswith("\\") or self.lines[n - 1].rstrip().endswith((b"\\", b"&&", b"||", b"|"))
            if verdict.becomes == "same" and not self.commands.mentioned(text):
                continue
            is_free = indent_of(self.lines[n]) == indent_of(self.lines[inside[0]]) and not joined
            if verdict.becomes == "gone" and is_free:
                lost.append(n)
            elif verdict.becomes == "less" and is_free:
                self.lines[n] = text.replace(text.strip(), verdict.text).encode()
                self.handled.becomes(n + 1, "command for the WebSocket server", verdict.text)
            else:
                self.handled.need(n + 1, "runs or builds what goes", _how(verdict))
        if lost and len(lost) == len(inside):
            self._drop_owner(number, key)
            return
        self.gone.update(lost)
        for n in lost:
            self.handled.rewrite(n + 1, "command for the WebSocket server", "what it builds or runs is gone")

    def _drop_owner(self, number: int, key: str) -> None:
        """Take out the step, or the service, that a command is the whole of."""
        start = self._owner(number)
        line = number + 1
        if start is None or _BUILDING.search(key) or key not in ("run", "startCommand"):
            self.handled.need(line, "runs or builds what goes", _BY_HAND)
            return
        end = block_end(self.lines, start)
        keys = self._keys(start, end)
        name = keys.get("name", "").strip("\"'")
        is_step = key == "run" and set(keys) <= _STEP_KEYS
        is_service = key == "startCommand" and "type" in keys and not self._is_named(name, range(start, end))
        others = [n for n in self._siblings(start) if n != start and n not in self.gone]
        if not others or not (is_step or is_service):
            self.handled.need(line, "runs or builds what goes", _BY_HAND)
            return
        self.gone.update(range(start, end))
        kind = "step" if is_step else "service"
        self.handled.rewrite(start + 1, f"{kind} {name}".strip(), "it is for the WebSocket server only")

    def _owner(self, number: int) -> int | None:
        """The first line of the list's item that a key is directly in."""
        if self.lines[number].lstrip().startswith(b"-"):
            return number
        column = indent_of(self.lines[number])
        for above in range(number - 1, -1, -1):
            line = self.lines[above]
            if is_filled(line) and indent_of(line) < column:
                opening = re.match(rb"\s*-\s+", line)
                return above if opening is not None and len(opening[0]) == column else None
        return None

    def _keys(self, start: int, end: int) -> dict[str, str]:
        """The keys directly in a list's item, with their values."""
        opening = re.match(rb"\s*-\s+", self.lines[start])
        column = len(opening[0]) if opening is not None else 0
        found = {}
        for n in range(start, end):
            text = self.lines[n].decode(errors="replace")
            own = column if n == start else indent_of(self.lines[n])
            key = re.match(r"""["']?([\w-]+)["']?\s*:\s*(.*)""", text[column:]) if own == column else None
            if key is not None and is_filled(self.lines[n]):
                found[key[1]] = key[2].strip()
        return found

    def _siblings(self, start: int) -> list[int]:
        """The first lines of the items of the list that this item is in."""
        indent = indent_of(self.lines[start])
        found = [start]
        for step in (-1, 1):
            n = start + step
            while 0 <= n < len(self.lines):
                line = self.lines[n]
                if is_filled(line):
                    if indent_of(line) < indent or (indent_of(line) == indent and not line.lstrip().startswith(b"-")):
                        break
                    if indent_of(line) == indent:
                        found.append(n)
                n += step
        return sorted(found)

    def _is_named(self, name: str, own: range) -> bool:
        """Whether something else in the file refers to a service by its name."""
        named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
        texts = (line.decode(errors="replace") for n, line in enumerate(self.lines) if n not in own and is_filled(line))
        return not name or any(named.search(text) for text in texts)


def _how(verdict: Verdict) -> str:
    return f"{_BY_HAND}: {verdict.why}" if verdict.why else _BY_HAND


def lines_naming(commands: DeployedCommands, texts: Sequence[str]) -> list[tuple[int, str]]:
    """The lines (from 1) that name something that went, or take a folder along that nothing fills any more, with its
    name; no comments.
    """
    found = []
    folders = "|".join(map(re.escape, sorted(commands.out_folders)))
    taken = re.compile(rf"{_TAKES}.*?[\s\"'](?:\./)?({folders})(?:/\S*)?(?=[\s\"']|$)") if folders else None
    for number, text in enumerate(texts, start=1):
        if not text.lstrip().lower().startswith(("#", "//", "*", ";", "::", "rem ")):
            lost = commands.mentioned(text)
            takes = taken.search(text) if lost is None and taken is not None else None
            lost = takes[1] if takes is not None else lost
            if lost is not None:
                found.append((number, lost))
    return found
