"""TOML and JSON files that tell a platform or an editor what to run: fly, Railway, Nixpacks, Heroku, PM2, VS Code."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

from migrations.engine import json_edits
from migrations.legacy.deployments.commands import DeployedCommands, Handled, Verdict, as_line
from migrations.legacy.line_removal import split_lines, with_lines, without_lines
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrations.engine.source import SourceFile

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_TEXT = re.compile(
    r"""(?P<head>\s*(?P<key>[\w."-]+)\s*=\s*)(?P<quote>["'])(?P<value>.*)(?P=quote)(?P<tail>\s*(?:#.*)?)"""
)
_COMMAND_KEYS = re.compile(r"(start|build|preDeploy|watch|dev|install)?[cC]ommand|cmd|release_command|postdeploy")
_BUILDING = re.compile(r"build|release|preDeploy|postdeploy")
_LISTS = {"configurations": "launch configuration", "tasks": "task", "apps": "process"}
_BY_HAND = "take it out by hand, then run this again"


# --- TOML


def clean_toml(commands: DeployedCommands, file: SourceFile) -> Handled:
    """Processes of fly that only ran the server go, with their services; other commands lose what was for it."""
    lines = split_lines(file.data)
    handled = Handled(file.data)
    texts = [line.decode(errors="replace").rstrip("\r\n") for line in lines]
    tables = list(_tables(texts))
    gone: set[int] = set()
    processes: list[str] = []
    for name, start, end in tables:
        for number in range(start, end):
            found = _TEXT.fullmatch(texts[number])
            if found is None or not (name == "processes" or _COMMAND_KEYS.fullmatch(found["key"])):
                continue
            verdict = _toml_verdict(commands, found, name)
            if verdict.becomes == "same":
                continue
            if verdict.becomes == "gone" and name == "processes":
                processes.append(found["key"].strip('"'))
                gone.add(number)
            elif verdict.becomes in ("less", "next") and found["quote"] not in verdict.text and name != "processes":
                text = commands.with_next_found(verdict.text)
                quote = found["quote"]
                ending = lines[number][len(texts[number].encode()) :].decode()
                lines[number] = f"{found['head']}{quote}{text}{quote}{found['tail']}{ending}".encode()
                handled.becomes(number + 1, f"{found['key']} of the WebSocket server", text)
            else:
                why = f"{_BY_HAND}: {verdict.why}" if verdict.why else _BY_HAND
                handled.need(number + 1, f"{found['key']} runs or builds what goes", why)
    _drop_services(commands, handled, texts, tables, processes, gone)
    _drop_processes(handled, texts, tables, processes, gone, lines)
    handled.after = without_lines(with_lines(file.data, lines), gone)
    return handled


def _toml_verdict(commands: DeployedCommands, found: re.Match[str], table: str) -> Verdict:
    building = _BUILDING.search(found["key"]) or _BUILDING.search(table)
    return commands.verdict(found["value"], name="build" if building else "start")


def _tables(texts: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The tables with the numbers of their lines; the part before the first has the name ""."""
    heads = [n for n, text in enumerate(texts) if _TABLE.match(text)]
    yield "", 0, heads[0] if heads else len(texts)
    for n, start in enumerate(heads):
        found = _TABLE.match(texts[start])
        name = found[2] if found is not None else ""
        yield name, start, heads[n + 1] if n + 1 < len(heads) else len(texts)


def _drop_services(
    commands: DeployedCommands,
    handled: Handled,
    texts: Sequence[str],
    tables: Sequence[tuple[str, int, int]],
    processes: Sequence[str],
    gone: set[int],
) -> None:
    """Services of fly for the server's port or for processes that go, each with its inner tables."""
    services = [(name, s, e) for name, s, e in tables if name in ("services", "http_service")]
    lost = []
    for name, start, end in services:
        body = "\n".join(texts[start:end])
        port = re.search(r"^\s*internal_port\s*=\s*\"?(\d+)", body, re.MULTILINE)
        listed = re.search(r"^\s*processes\s*=\s*\[([^\]]*)\]", body, re.MULTILINE)
        names = re.findall(r"[\"']([\w-]+)[\"']", listed[1]) if listed is not None else []
        for_it = bool(names) and all(one in processes for one in names)
        if for_it or (port is not None and int(port[1]) in commands.ports):
            lost.append((name, start))
    if lost and len(lost) == len(services):
        line = lost[0][1] + 1
        handled.need(
            line, "the app on fly serves only what goes", "take it out of what is deployed, then run this again"
        )
        return
    for name, start in lost:
        inner = [(n, s, e) for n, s, e in tables if s >= start]
        end = inner[0][2]
        for other, s, e in inner[1:]:
            if not other.startswith(f"{name}."):
                break
            end = e if s == end else end
        while end - 1 > start and not texts[end - 1].strip():
            end -= 1
        gone.update(range(start, end))
        handled.rewrite(start + 1, "service of the WebSocket server", "nothing listens on its port any more")


def _drop_processes(
    handled: Handled,
    texts: Sequence[str],
    tables: Sequence[tuple[str, int, int]],
    processes: Sequence[str],
    gone: set[int],
    lines: list[bytes],
) -> None:
    for name, start, end in tables:
        for number in range(start, end):
            found = _TEXT.fullmatch(texts[number]) if name == "processes" else None
            key = found["key"].strip('"') if found is not None else ""
            if key in processes:
                rest = [n for n in range(start + 1, end) if "=" in texts[n] and n not in gone]
                if not rest:
                    handled.need(
                        number + 1,
                        f"process {key} is the only one",
                        "take the app out of what is deployed, then run this again",
                    )
                    return
                handled.rewrite(number + 1, f"process {key}", "it runs the WebSocket server and nothing else")
    for number, text in enumerate(texts):
        listed = re.match(r"\s*processes\s*=\s*\[", text)
        if listed is not None and number not in gone:
            for name in processes:
                shorter = re.sub(rf"([\"']){re.escape(name)}\1\s*,\s*|,?\s*([\"']){re.escape(name)}\2", "", text)
                if shorter != text:
                    lines[number] = lines[number].replace(text.encode(), shorter.encode())
                    text = shorter
                    handled.rewrite(number + 1, f"process {name} in a list", "the process goes")


# --- JSON


def clean_json(commands: DeployedCommands, file: SourceFile) -> Handled:
    """Entries of an editor's, PM2's and Heroku's files that only ran the server go; other commands lose their part."""
    handled = Handled(file.data)
    try:
        value: Any = json_edits.parse_json(file.data, file.path)
    except UsageError:  # nothing here can tell what it says; what it names is looked for line by line
        return handled
    data = file.data
    for keys, text in list(_commands_in(value, ())):
        line = _line_of(file.data, text)
        verdict = commands.verdict(text, name="build" if _BUILDING.search(keys[-1]) else "start")
        if verdict.becomes == "same":
            continue
        if verdict.becomes in ("less", "next"):
            new = commands.with_next_found(verdict.text)
            data = json_edits.set_json(data, keys, new, file.path)
            handled.becomes(line, f"{keys[-1]} of the WebSocket server", new)
        else:
            handled.need(
                line, f"{keys[-1]} runs or builds what goes", f"{_BY_HAND}: {verdict.why}" if verdict.why else _BY_HAND
            )
    for section, kind in _LISTS.items():
        listed = value.get(section) if isinstance(value, dict) else None
        entries: list[Any] = listed if isinstance(listed, list) else []
        for entry in entries:
            data = _without_entry(commands, handled, file, data, section, kind, entry, entries)
    handled.after = data
    return handled


def _without_entry(
    commands: DeployedCommands,
    handled: Handled,
    file: SourceFile,
    data: bytes,
    section: str,
    kind: str,
    entry: Any,
    entries: Sequence[Any],
) -> bytes:
    lost = commands.mentioned(_entry_text(entry)) if isinstance(entry, dict) else None
    if lost is None:
        return data
    name = str(entry.get("name", entry.get("label", "")))
    line = _line_of(file.data, name) if name else 0
    verdict = commands.verdict(_entry_text(entry))
    is_next = lost in commands.reducer.gone.next_servers or verdict.becomes == "next"
    if section == "apps" and (is_next or len(entries) == 1):
        handled.need(
            line, f"process {name} runs what goes", "let it run the app without the server, then run this again"
        )
        return data
    if name and file.data.count(f'"{name}"'.encode()) > 1:
        handled.by_hand(line, f"{kind} {name}", "it runs what goes and is named elsewhere in the file; take it out")
        return data
    handled.rewrite(line, f"{kind} {name}".strip(), f"it runs {lost}, which goes")
    return json_edits.remove_item_json(data, (section,), entry)


def _entry_text(entry: Any) -> str:
    """What an entry runs, as far as its texts say it, as one line."""
    if entry.get("type") == "npm" and isinstance(entry.get("script"), str):
        return f"npm run {entry['script']}"
    words: list[str] = []
    for key in ("runtimeExecutable", "runtimeArgs", "command", "program", "script", "args"):
        value = entry.get(key)
        values = value if isinstance(value, list) else [value]
        words += [re.sub(r"\$\{workspace(Folder|Root)\}/", "", one) for one in values if isinstance(one, str)]
    if "command" in entry and " " in str(entry["command"]):
        return " ".join(words)
    return as_line(words) if all(" " not in word for word in words) else " ".join(words)


def _commands_in(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The commands of a platform's file, by their keys; not those in lists."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, str) and _COMMAND_KEYS.fullmatch(key):
            yield (*keys, key), inner
        else:
            yield from _commands_in(inner, (*keys, key))


def _line_of(data: bytes, text: str) -> int:
    at = data.find(json.dumps(text, ensure_ascii=False).encode())
    return data.count(b"\n", 0, at) + 1 if at >= 0 else 0


def without_formation(data: bytes, processes: Sequence[str], path: str) -> bytes:
    """Heroku's app.json without the dynos of processes that its Procfile no longer has."""
    for name in processes:
        data = json_edits.remove_json(data, ("formation", name), path)
    return data


def is_platform_toml(path: str) -> bool:
    return re.fullmatch(r"(fly|railway|nixpacks|netlify)([.-][\w.-]+)?\.toml", posixpath.basename(path)) is not None


def is_platform_json(path: str) -> bool:
    name = posixpath.basename(path)
    in_editor = path.endswith((".vscode/launch.json", ".vscode/tasks.json"))
    return (
        in_editor
        or re.fullmatch(r"(railway|app|nixpacks|vercel|pm2|processes|ecosystem[\w.-]*)\.json", name) is not None
    )
