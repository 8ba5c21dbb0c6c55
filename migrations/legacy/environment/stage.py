"""Environment keys that only the WebSocket server and its client read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.engine.diff import line_in
from migrations.engine.edits import Edits
from migrations.engine.syntax import SOURCE_SUFFIXES, text_of
from migrations.legacy.environment.env_lines import EnvLine, env_files, env_lines, is_env_file, without_keys
from migrations.legacy.environment.env_objects import DeclaredMember, declared_members, remove_declared
from migrations.legacy.environment.lost_words import changed_sources, lost_reads, lost_words
from migrations.legacy.environment.settings import settings_of, without_settings
from migrations.legacy.pieces import Found, Piece
from migrations.transforms.env_schema import KIT_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from migrations.engine.source import SourceFile
    from migrations.legacy.pieces import LegacyApp

# Read by Node, Next.js, hosts and databases' clients themselves, whoever else reads them.
_NEVER = frozenset({"PORT", "HOST", "HOSTNAME", "NODE_ENV", "DATABASE_URL", "APP_URL", "CI", "TZ", "DEBUG"}) | {
    variable.name for variable in KIT_VARIABLES
}
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE|CREDENTIAL|_KEY$|^KEY$")
_SOCKET_NAME = re.compile(
    r"(^|_)(WSS?|WEB_?SOCKETS?|SOCKETS?(?=_?(URL|URI|PORT|HOST|SERVER)))(URL|URI|PORT|HOST)?(_|$)"
)
# A key by such a name that nothing reads is the server's, whether removed code read it or not.
_SERVER_NAME = re.compile(
    r"((NEXT_PUBLIC|NEXT|TRPC)_)*(WSS?|WEB_?SOCKET)(_SERVER)?_?(URL|URI|PORT|HOST|ENDPOINT|ADDRESS)"
)
_SOCKET_VALUE = re.compile(rb"""["'`]?wss?://""")
_DOCUMENTS = (".md", ".mdx", ".markdown", ".txt", ".rst", ".adoc")
_NO_TEXT = (
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf", ".otf", ".pdf", ".zip"),
    *(".mp3", ".mp4", ".wasm", ".lockb", ".map", ".svg", ".snap", ".lock"),
)
_LONGEST = 1 << 20
_MANIFEST = "package.json"
_READ_BY_NOTHING = "nothing reads it once the WebSocket server and its client are gone"


@dataclass
class _Ledger:
    """What is known about the names that may go. A place is (file, line); `inside` says in the declaration of which
    other names they stand, by which they are no longer used once those go.
    """

    uses: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    inside: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    mentions: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    def going(self, names: Collection[str]) -> frozenset[str]:
        """Those of the names that nothing else needs."""
        left = {name for name in names if not self.uses.get(name)}
        while True:
            needed = {name for name in left if self.inside.get(name, {}).keys() - left}
            if not needed:
                return frozenset(left)
            left -= needed


def clean_environment(app: LegacyApp) -> Found:
    """Take out the keys that only removed code read: from env files, the env schema with its runtime pair, the runtime
    config of Next.js, and where a platform's file plainly sets them. Values are never told.
    """
    changed = changed_sources(app)
    if not changed:
        return Found()
    view = app.view
    declared = declared_members(view, app.layout)
    keys = {path: env_lines(view.read(path) or b"") for path in env_files(view)}
    names = _candidates(app, changed, declared, keys)
    if not names:
        return Found()
    ledger = _read_everything(app, names, declared, keys)
    going = ledger.going(names)
    unsure = frozenset(name for name in going if not _is_plain(name, declared, keys))
    going = ledger.going(going - unsure)  # what the declaration of an unsure name needs stays with it
    edits = Edits(view)
    pieces = [*_take_out(app, edits, going, declared, keys)]
    changes = edits.changes()
    pieces += _kept(ledger, names - going - unsure)
    pieces += _by_hand(app, unsure, declared, keys)
    pieces += _mentioned(ledger, going, {change.path: change.after or b"" for change in changes})
    return Found(pieces=tuple(pieces), changes=changes)


def _candidates(
    app: LegacyApp,
    changed: tuple[str, ...],
    declared: Collection[DeclaredMember],
    keys: dict[str, tuple[EnvLine, ...]],
) -> frozenset[str]:
    """The names that removed code read, those that only their declarations read, and those for a socket that nothing
    reads at all.
    """
    in_files = {line.key for lines in keys.values() for line in lines if line.key}
    known = in_files | {member.name for member in declared}
    found = (lost_words(app, changed) & known) | lost_reads(app, changed)
    for line in (line for lines in keys.values() for line in lines):
        if _SERVER_NAME.fullmatch(line.key) and _SOCKET_VALUE.match(line.value):
            found |= {line.key}
    found |= {member.name for member in declared if _SERVER_NAME.fullmatch(member.name)}
    while True:
        inner = {
            word
            for member in declared
            if member.name in found
            for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text_of(member.member))
            if word in known or f"env.{word}" in text_of(member.member)
        }
        if inner <= found:
            return frozenset(found - _NEVER)
        found |= inner


def _is_plain(name: str, declared: Collection[DeclaredMember], keys: dict[str, tuple[EnvLine, ...]]) -> bool:
    """Whether a name that no file reads is read by nobody: libraries read names of their own from the environment."""
    values = [
        line.value for lines in keys.values() for line in lines if line.key == name and line.value.strip(b"\"'` ")
    ]
    if _SECRET.search(name):
        return False
    if any(member.name == name and member.kind == "runtime config" for member in declared) and not values:
        return True
    is_address = bool(values) and all(_SOCKET_VALUE.match(value) for value in values)
    return is_address or name.startswith("NEXT_PUBLIC_") or _SOCKET_NAME.search(name) is not None or not name.isupper()


# --- who uses a name


def _read_everything(
    app: LegacyApp,
    names: frozenset[str],
    declared: Collection[DeclaredMember],
    keys: dict[str, tuple[EnvLine, ...]],
) -> _Ledger:
    ledger = _Ledger()
    pattern = re.compile(rb"(?<!\w)(?:" + b"|".join(re.escape(n).encode() for n in sorted(names)) + rb")(?!\w)")
    for path, lines in keys.items():
        _read_env_file(ledger, path, lines, pattern)
    members: dict[str, list[DeclaredMember]] = {}
    for member in declared:
        members.setdefault(member.file.path, []).append(member)
    for path in app.view.paths:
        if is_env_file(path) or path.endswith(_NO_TEXT):
            continue
        file = app.view.file(path)
        if file is None or len(file.data) > _LONGEST or not pattern.search(file.data):
            continue
        if path.endswith(_DOCUMENTS):
            _mention_each(ledger, file, pattern)
        elif path.endswith(SOURCE_SUFFIXES):
            _read_source(ledger, file, pattern, members.get(path, []))
        elif path == _MANIFEST:
            _read_scripts(ledger, app, file, pattern)
        else:
            _read_settings(ledger, file, pattern, names)
    return ledger


def _read_env_file(ledger: _Ledger, path: str, lines: tuple[EnvLine, ...], pattern: re.Pattern[bytes]) -> None:
    """A value may be put together of others (`$NAME`, dotenv-expand); a comment only tells of them."""
    for line in lines:
        for found in pattern.finditer(line.text):
            name = found[0].decode()
            if line.key and not line.is_comment and name != line.key:
                ledger.inside.setdefault(name, {}).setdefault(line.key, (path, line.line))
            elif not line.key and line.is_comment:
                ledger.mentions.setdefault(name, []).append((path, line.line))


def _mention_each(ledger: _Ledger, file: SourceFile, pattern: re.Pattern[bytes]) -> None:
    for found in pattern.finditer(file.data):
        ledger.mentions.setdefault(found[0].decode(), []).append((file.path, file.line_of(found.start())))


def _read_source(
    ledger: _Ledger, file: SourceFile, pattern: re.Pattern[bytes], members: Collection[DeclaredMember]
) -> None:
    for found in pattern.finditer(file.data):
        name, place = found[0].decode(), (file.path, file.line_of(found.start()))
        owner = next((member for member in members if member.covers(found.start())), None)
        if owner is not None and owner.name == name:
            continue
        node = file.root.descendant_for_byte_range(found.start(), found.end())
        if owner is not None:
            ledger.inside.setdefault(name, {}).setdefault(owner.name, place)
        elif node is not None and node.type == "comment":
            ledger.mentions.setdefault(name, []).append(place)
        else:
            ledger.uses.setdefault(name, []).append(place)


def _read_scripts(ledger: _Ledger, app: LegacyApp, file: SourceFile, pattern: re.Pattern[bytes]) -> None:
    """A script that only sets a variable (`NAME=... next dev`) reads it as little as one that runs what went."""
    stems = [path.rsplit("/", 1)[-1].split(".")[0].encode() for path in app.gone]
    for number, line in enumerate(file.data.split(b"\n"), start=1):
        runs_it = any(stem in line for stem in stems)
        for found in pattern.finditer(line):
            name, place = found[0].decode(), (file.path, number)
            sets_it = line[found.end() : found.end() + 1] == b"=" and line[found.start() - 1 : found.start()] in b" \"'"
            if not (runs_it or sets_it):
                ledger.uses.setdefault(name, []).append(place)


def _read_settings(ledger: _Ledger, file: SourceFile, pattern: re.Pattern[bytes], names: frozenset[str]) -> None:
    owners = {number: setting.name for setting in settings_of(file.path, file.data, names) for number in setting.lines}
    for number, line in enumerate(file.data.split(b"\n")):
        for found in pattern.finditer(line):
            name, place = found[0].decode(), (file.path, number + 1)
            is_comment = line.lstrip().startswith((b"#", b"//"))
            is_given = line[: found.start()].rstrip().endswith(b"--build-arg") and line[found.end() :].startswith(b"=")
            if number in owners:
                if owners[number] != name:
                    ledger.inside.setdefault(name, {}).setdefault(owners[number], place)
            elif is_comment or is_given:
                ledger.mentions.setdefault(name, []).append(place)
            else:
                ledger.uses.setdefault(name, []).append(place)


# --- taking out, and telling


def _take_out(
    app: LegacyApp,
    edits: Edits,
    going: frozenset[str],
    declared: Collection[DeclaredMember],
    keys: dict[str, tuple[EnvLine, ...]],
) -> Iterator[Piece]:
    for path, lines in keys.items():
        for line in lines:
            if line.key in going:
                what = f"{'commented-out ' if line.is_comment else ''}environment key {line.key}"
                yield Piece(path, line.line, what, "rewrite", _READ_BY_NOTHING)
        edits.change(path, lambda data: without_keys(data, going))
    members = [member for member in declared if member.name in going]
    remove_declared(edits, members, _read_elsewhere(app, members))
    for member in members:
        line_number = line_in(app.before.read(member.file.path), member.file.data, member.line)
        yield Piece(member.file.path, line_number, f"{member.kind}: {member.name}", "rewrite", _READ_BY_NOTHING)
    yield from _settings_taken_out(app, edits, going)


def _settings_taken_out(app: LegacyApp, edits: Edits, going: frozenset[str]) -> Iterator[Piece]:
    needles = [name.encode() for name in going]
    for path in app.view.paths:
        if path.endswith((*_NO_TEXT, *_DOCUMENTS, *SOURCE_SUFFIXES)) or is_env_file(path) or path == _MANIFEST:
            continue
        file = app.view.file(path)
        if file is None or len(file.data) > _LONGEST or not any(needle in file.data for needle in needles):
            continue
        found = settings_of(path, file.data, going)
        for setting in found:
            yield Piece(path, setting.line, f"setting of {setting.name}", "rewrite", _READ_BY_NOTHING)
        if found:
            edits.write(path, without_settings(path, file.data, going))


def _read_elsewhere(app: LegacyApp, members: Collection[DeclaredMember]) -> frozenset[str]:
    """The objects of next.config that the app's code still reads."""
    own = {member.file.path for member in members}
    return frozenset(
        name
        for name in ("publicRuntimeConfig", "serverRuntimeConfig")
        if any(file.path not in own for file in app.view.sources(name))
    )


def _kept(ledger: _Ledger, names: Collection[str]) -> Iterator[Piece]:
    """Names for a socket that something else reads, or that another name's value is put together of."""
    for name in sorted(names):
        places = ledger.uses.get(name) or list(ledger.inside.get(name, {}).values())
        if places and _SOCKET_NAME.search(name):
            yield Piece(*places[0], f"environment key {name}", "keep", "it is still read here")


def _by_hand(
    app: LegacyApp,
    names: frozenset[str],
    declared: Collection[DeclaredMember],
    keys: dict[str, tuple[EnvLine, ...]],
) -> Iterator[Piece]:
    for name in sorted(names):
        places = [(path, line.line) for path, lines in keys.items() for line in lines if line.key == name]
        places += [
            (member.file.path, line_in(app.before.read(member.file.path), member.file.data, member.line))
            for member in declared
            if member.name == name
        ]
        why = "nothing in the app reads it any more; take it out if no library and no other program does"
        if places:
            yield Piece(*places[0], f"environment key {name}", "by-hand", why)


def _mentioned(ledger: _Ledger, going: Collection[str], changed: Mapping[str, bytes]) -> Iterator[Piece]:
    """What tells of a key that goes, a file and key at a time; not a comment that goes with it."""
    for name in sorted(going):
        seen: set[str] = set()
        for path, line in ledger.mentions.get(name, ()):
            if path not in seen and name.encode() in changed.get(path, name.encode()):
                seen.add(path)
                yield Piece(path, line, f"mention of {name}", "by-hand", "it tells of a key that is gone; take it out")
