"""Docker compose files of an app whose WebSocket server is gone."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.legacy.deployments.commands import Handled, Verdict, as_line, json_words
from migrations.legacy.deployments.dockerfiles import runs_only_the_server
from migrations.legacy.environment.settings import block_end, holder_of, indent_of, is_filled, lost_anchor
from migrations.legacy.line_removal import split_lines, without_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.commands import DeployedCommands

_NAME = re.compile(r"(docker-)?compose([.-][\w.-]+)?\.ya?ml")
_KEY = re.compile(r"""\s*(?:-\s+)?["']?(?P<key>[\w.-]+)["']?\s*:(?:\s+(?P<value>.*))?$""")
# What of a service may name another: an address, or a key whose value (in one line) is a service.
_REFERS = re.compile(r"//|@|\b(host|hostname|extends|service|container|network_mode|depends_on|links|volumes_from)\b")
_PORT_ITEM = re.compile(r"""\s*-\s+["']?(?:[\d.]+:)?(?:(?P<host>\d+):)?(?P<port>\d+)(?:/\w+)?["']?\s*(?:#.*)?$""")


def is_compose_file(path: str) -> bool:
    return _NAME.fullmatch(posixpath.basename(path)) is not None


@dataclass
class Service:
    """A service by its lines, numbered from 0; `keys` are those directly under it, with value and number."""

    name: str
    start: int
    end: int
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)


def clean_compose(commands: DeployedCommands, file: SourceFile) -> Handled:
    """A service that only ran the server goes, with what the others say of it; whatever else runs it is a need."""
    lines = split_lines(file.data)
    handled = Handled(file.data)
    texts = [line.decode(errors="replace").rstrip("\r\n") for line in lines]
    services = list(services_of(texts))
    gone: set[int] = set()
    removed = []
    for service in services:
        verdict = _verdict(commands, file.path, texts, service)
        if verdict.becomes == "gone":
            removed.append(service)
            gone.update(range(service.start, service.end))
            handled.rewrite(
                service.start + 1, f"service {service.name}", "it runs the WebSocket server and nothing else"
            )
        elif verdict.becomes != "same":
            line = service.keys.get("command", service.keys.get("entrypoint", ("", service.start)))[1] + 1
            how = "give it a command without the server, then run this again" + (
                f": {verdict.why}" if verdict.why else ""
            )
            handled.need(line, f"service {service.name} runs what goes", how)
        else:
            _drop_ports(commands, handled, texts, service, gone)
    if removed and len(removed) == len(services):
        line = removed[0].start + 1
        handled.pieces.clear()
        handled.need(line, "the services run nothing but what goes", "delete the file by hand, then run this again")
        return handled
    images = {service.name: _dockerfile(file.path, texts, service) for service in services}
    kept = {image for name, image in images.items() if name not in {service.name for service in removed}}
    handled.freed |= {image for image in images.values() if image is not None and image not in kept}
    for service in removed:
        _drop_references(handled, texts, service, gone)
    anchor = lost_anchor(lines, gone)
    if removed and anchor is not None:
        handled.need(
            removed[0].start + 1, f"has the anchor {anchor}", "write it elsewhere by hand, then run this again"
        )
    _need_of_checks(commands, handled, texts, gone)
    handled.after = without_lines(file.data, gone)
    return handled


def services_of(texts: Sequence[str]) -> Iterator[Service]:
    """The services, as far as they are written in block style."""
    top = next((n for n, text in enumerate(texts) if re.match(r"services\s*:\s*(#.*)?$", text)), None)
    if top is None:
        return
    data = [text.encode() for text in texts]
    end = block_end(data, top)
    inside = [n for n in range(top + 1, end) if is_filled(data[n])]
    indent = indent_of(data[inside[0]]) if inside else 0
    starts = [n for n in inside if indent_of(data[n]) == indent]
    for start in starts:
        found = _KEY.match(texts[start])
        if found is None:
            continue
        service = Service(found["key"], start, block_end(data, start))
        under = [n for n in range(start + 1, service.end) if is_filled(data[n])]
        for number in under:
            key = _KEY.match(texts[number])
            if key is not None and indent_of(data[number]) == indent_of(data[under[0]]):
                service.keys.setdefault(key["key"], (_plain(key["value"] or ""), number))
        yield service


def _plain(value: str) -> str:
    """A scalar without its comment."""
    return re.sub(r"\s+#.*$", "", value).strip()


def command_text(value: str) -> str | None:
    """The command line of a scalar or a list in one line; None if it is written in another way."""
    words = json_words(value.replace("'", '"')) if value.startswith("[") else None
    if words is not None:
        return as_line(words)
    if not value or value[0] in "[{|>&*":
        return None
    if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1:
        inner = value[1:-1]
        return inner.replace('\\"', '"') if value[0] == '"' else inner.replace("''", "'")
    return value


def _verdict(commands: DeployedCommands, path: str, texts: Sequence[str], service: Service) -> Verdict:
    """What becomes of what a service runs: its own command, or else that of its image."""
    block = "\n".join(texts[service.start : service.end])
    for key in ("command", "entrypoint"):
        if key not in service.keys:
            continue
        value, number = service.keys[key]
        text = command_text(value)
        if text is None:
            items = _items(texts, number)
            text = as_line(items) if items and not value else None
        if text is None:
            lost = commands.mentioned(block)
            return Verdict("unclear", why=f"it names {lost}") if lost else Verdict("same")
        both = "command" in service.keys and "entrypoint" in service.keys
        verdict = commands.verdict(text, folder=service.keys.get("working_dir", ("", 0))[0], name="start")
        if verdict.becomes != "same" and both:
            return Verdict("unclear", why="entrypoint and command are one command together")
        if verdict.becomes == "same" and (lost := commands.mentioned(text)):
            return Verdict("unclear", why=f"it names {lost}")
        if verdict.becomes != "same" or key == "command":
            return verdict
    image = _dockerfile(path, texts, service)
    file = commands.app.view.file(image) if image is not None else None
    if file is not None and runs_only_the_server(commands, file):
        return Verdict("gone")
    return Verdict("same")


def _items(texts: Sequence[str], number: int) -> list[str]:
    """The items of a list in block style under a key."""
    data = [text.encode() for text in texts]
    end = block_end(data, number)
    while end < len(texts) and texts[end].lstrip().startswith("- ") and indent_of(data[end]) == indent_of(data[number]):
        end += 1
    found = []
    for text in texts[number + 1 : end]:
        item = re.match(r"\s*-\s+(.*)$", text)
        if item is not None:
            found.append(command_text(_plain(item[1])) or "")
    return found


def _dockerfile(path: str, texts: Sequence[str], service: Service) -> str | None:
    """The Dockerfile that a service's image is built from."""
    if "build" not in service.keys:
        return None
    value, number = service.keys["build"]
    folder, name = value.strip("\"'"), "Dockerfile"
    if not value:
        data = [text.encode() for text in texts]
        folder = "."
        for text in texts[number + 1 : block_end(data, number)]:
            found = _KEY.match(text)
            if found is not None and found["key"] == "context":
                folder = _plain(found["value"] or "").strip("\"'")
            elif found is not None and found["key"] == "dockerfile":
                name = _plain(found["value"] or "").strip("\"'")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), folder, name))


def _drop_references(handled: Handled, texts: Sequence[str], removed: Service, gone: set[int]) -> None:
    """Take a service that goes out of the others' depends_on and links; whatever else names it is a need."""
    named = re.compile(rf"(?<![\w.-]){re.escape(removed.name)}(?![\w.-])")
    data = [text.encode() for text in texts]
    for number, text in enumerate(texts):
        if number in gone or not is_filled(data[number]) or not named.search(text):
            continue
        item = re.match(rf"\s*-\s+[\"']?{re.escape(removed.name)}[\"']?\s*(#.*)?$", text)
        key = re.match(rf"\s*{re.escape(removed.name)}\s*:\s*(#.*)?$", text)
        above = holder_of(data, number)
        if above is not None and re.match(r"\s*(depends_on|links)\s*:\s*$", texts[above]) and (item or key):
            gone.update(range(number, block_end(data, number)))
            inside = [n for n in range(above + 1, len(texts)) if is_filled(data[n]) and holder_of(data, n) == above]
            if all(n in gone for n in inside):
                gone.add(above)
            handled.rewrite(number + 1, f"dependency on {removed.name}", "the service goes")
        elif _REFERS.search(text):
            how = "take it out by hand, then run this again"
            handled.need(number + 1, f"names the service {removed.name}, which goes", how)


def _drop_ports(
    commands: DeployedCommands, handled: Handled, texts: Sequence[str], service: Service, gone: set[int]
) -> None:
    """Take the server's port out of the list of a service that stays, unless it is the only one."""
    number = service.keys.get("ports", ("", -1))[1]
    if number < 0:
        return
    data = [text.encode() for text in texts]
    items = [n for n in range(number + 1, service.end) if is_filled(data[n]) and holder_of(data, n) == number]
    lost = [n for n in items if (m := _PORT_ITEM.match(texts[n])) and int(m["port"]) in commands.ports]
    if lost and len(lost) < len(items):
        gone.update(lost)
    for n in lost:
        if n in gone:
            handled.rewrite(n + 1, f"port of the WebSocket server in service {service.name}", "nothing listens there")
        else:
            handled.by_hand(n + 1, f"port of the WebSocket server in service {service.name}", "nothing listens there")


def _need_of_checks(commands: DeployedCommands, handled: Handled, texts: Sequence[str], gone: set[int]) -> None:
    told = {line for line, *_ in (*handled.pieces, *handled.needs)}
    for number, text in enumerate(texts):
        if number in gone or number + 1 in told or text.lstrip().startswith("#"):
            continue
        asks = any(re.search(rf"(localhost|127\.0\.0\.1|0\.0\.0\.0)[: ]{port}(?!\d)", text) for port in commands.ports)
        if asks and re.search(r"\b(test|curl|wget|nc)\b", text):
            handled.need(number + 1, "asks the WebSocket server's port", "ask the app's port, then run this again")
