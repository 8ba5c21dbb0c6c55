"""The configuration: flags over environment over `partyconfig.toml` over defaults.

Each key is declared once, below, with its default (which gives the type), its environment variable and the comment that
stands above it in the file. The shipped `partyconfig.toml`, the table in the README and the loader all come from here.
"""

from __future__ import annotations

import difflib
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "partyconfig.toml"

Value: TypeAlias = str | int | float | bool

MODES = ("send-message", "streaming")
TARGETS = ("partykit", "cloudflare", "local", "docker")


def _key(
    default: Value,
    variable: str,
    comment: str,
    *,
    lowest: float | None = None,
    highest: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    metadata = {"variable": variable, "comment": comment, "lowest": lowest, "highest": highest, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Where the relay is. Empty text means not set."""

    url: str = _key(
        "",
        "CHATOPS_RELAY_URL",
        "Base URL of the relay, such as https://relay.example.com. Empty: none is deployed yet.",
    )
    secret_file: str = _key(
        "",
        "RELAY_SECRET_FILE",
        "File that holds the relay's secret, seen from this file's folder; keep it out of git. RELAY_SECRET in the "
        "environment comes first. The secret itself never stands here.",
    )


@dataclass(frozen=True, slots=True)
class AppConfig:
    """The app's parts, as `chatops init` finds them; paths are seen from the app's folder. Empty: looked for anew."""

    mode: str = _key("", "CHATOPS_MODE", "What `chatops mode` has set last.", choices=MODES)
    mutation: str = _key(
        "",
        "CHATOPS_MUTATION",
        "The mutation that answers the chat, as the page calls it (chat.sendMessage) or by its file "
        "(src/server/chat.ts:sendMessage).",
    )
    subscription: str = _key("", "CHATOPS_SUBSCRIPTION", "The subscription that streams, named likewise.")
    client: str = _key("", "CHATOPS_TRPC_CLIENT", "File that makes the tRPC client of the browser.")
    route_handler: str = _key("", "CHATOPS_ROUTE_HANDLER", "File of the HTTP handler that serves tRPC.")
    component: str = _key("", "CHATOPS_COMPONENT", "File of the component that calls the mutation.")
    env_schema: str = _key("", "CHATOPS_ENV_SCHEMA", "File that checks the environment (T3's createEnv).")


@dataclass(frozen=True, slots=True)
class DeployConfig:
    """Where `chatops deploy` puts the relay."""

    target: str = _key(
        "partykit",
        "CHATOPS_TARGET",
        "Where the relay goes: partykit, cloudflare (your own account), local (a process in the background) or docker "
        "(files for hosting it yourself).",
        choices=TARGETS,
    )
    name: str = _key(
        "", "CHATOPS_DEPLOY_NAME", "Name of the project there. Empty: that of partykit.json, or the app's."
    )
    domain: str = _key("", "CHATOPS_DEPLOY_DOMAIN", "Domain of your own for it. Empty: the platform's.")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The model that stream-test asks, on any server that speaks OpenAI's chat completions. Empty: the built-in one."""

    name: str = _key(
        "", "CHATOPS_MODEL", "Model that stream-test asks. Empty: the built-in one, which needs no key and no network."
    )
    base_url: str = _key(
        "",
        "OPENAI_BASE_URL",
        "Base URL of the model's API, such as http://127.0.0.1:11434/v1. Empty: OpenAI's own. The key is "
        "OPENAI_API_KEY in the environment.",
    )


@dataclass(frozen=True, slots=True)
class StreamTestConfig:
    """What stream-test does when it is not told otherwise."""

    clients: int = _key(5, "CHATOPS_CLIENTS", "Subscribers that read along.", lowest=1)
    rate: float = _key(
        60.0, "CHATOPS_RATE", "Pieces a second of the built-in model; 0 is as fast as it goes.", lowest=0
    )
    prompt: str = _key("Say hello to everybody in this room.", "CHATOPS_PROMPT", "What the model is asked.")
    timeout: float = _key(
        30.0, "CHATOPS_TIMEOUT", "Seconds without anything new after which the test gives up.", lowest=0.1
    )


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """The bundled relay, `chatops relay serve`."""

    host: str = _key(
        "127.0.0.1", "RELAY_HOST", "Address that the bundled relay listens on; 0.0.0.0 is every one of the machine."
    )
    port: int = _key(1999, "RELAY_PORT", "Port that it listens on; 0 picks a free one.", lowest=0, highest=65535)
    db: str = _key(
        "",
        "RELAY_DB",
        "SQLite file that keeps rooms over a restart, or memory. Empty: one for each port, in the user's state folder.",
    )
    model: bool = _key(False, "RELAY_MODEL", "Serve the built-in model too, at /v1.")
    model_rate: float = _key(
        60.0, "RELAY_MODEL_RATE", "Pieces a second of the built-in model; 0 is as fast as it goes.", lowest=0
    )


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that `partyconfig.toml` and the environment decide."""

    relay: RelayConfig = field(default_factory=RelayConfig, metadata={"comment": "The relay that the app uses."})
    app: AppConfig = field(
        default_factory=AppConfig, metadata={"comment": "The app that chatops init, plan, migrate and mode work on."}
    )
    deploy: DeployConfig = field(default_factory=DeployConfig, metadata={"comment": "chatops deploy"})
    model: ModelConfig = field(default_factory=ModelConfig, metadata={"comment": "The model behind stream-test."})
    stream_test: StreamTestConfig = field(
        default_factory=StreamTestConfig, metadata={"comment": "chatops stream-test ROOM"}
    )
    serve: ServeConfig = field(default_factory=ServeConfig, metadata={"comment": "chatops relay serve"})


@dataclass(frozen=True, slots=True)
class Key:
    """A declared key: `name` is `section.key` as messages write it, sizes and bounds are inclusive."""

    section: str
    key: str
    default: Value
    variable: str
    comment: str
    lowest: float | None
    highest: float | None
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def type_name(self) -> str:
        return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[type(self.default)]

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return " or ".join(f'"{choice}"' for choice in self.choices)
        if self.lowest is None:
            return self.type_name
        if self.highest is None:
            return f"{self.type_name} from {self.lowest:g} up"
        return f"{self.type_name} from {self.lowest:g} to {self.highest:g}"

    def accepts(self, value: object) -> bool:
        if isinstance(value, bool) or isinstance(self.default, bool):
            return isinstance(value, bool) and isinstance(self.default, bool)
        if isinstance(self.default, str):
            return isinstance(value, str) and (not self.choices or value in (self.default, *self.choices))
        if not isinstance(value, (int, float) if isinstance(self.default, float) else int):
            return False
        lowest = -float("inf") if self.lowest is None else self.lowest
        return lowest <= value <= (1e15 if self.highest is None else self.highest)  # no nan, no infinity

    def coerced(self, value: Any) -> Value:
        """An accepted value in the type of the default: 5 becomes 5.0 where a number is wanted."""
        return float(value) if isinstance(self.default, float) else value

    def read(self, text: str) -> Value | None:
        """The value of an environment variable, or None if it cannot be one."""
        value: Value | None = None
        if isinstance(self.default, bool):
            value = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False}.get(
                text.lower(), False if text.lower() == "off" else None
            )
        elif isinstance(self.default, str):
            value = text
        else:
            with suppress(ValueError):
                value = float(text) if isinstance(self.default, float) else int(text)
        return self.coerced(value) if value is not None and self.accepts(value) else None


_SECTIONS: dict[str, Any] = {section.name: section.default_factory for section in fields(Config)}

SECTIONS: dict[str, str] = {section.name: section.metadata["comment"] for section in fields(Config)}
KEYS: dict[str, Key] = {
    f"{section}.{key.name}": Key(section, key.name, cast("Value", key.default), **key.metadata)
    for section, kind in _SECTIONS.items()
    for key in fields(kind)
}

_SEE_KEYS = "the keys are in the partyconfig.toml that comes with chatops, and in its README"
_BYTE_ORDER_MARK = "\ufeff"
_SECRET_WORD = re.compile(r"secret|token|passw|api_?key|private_?key|credential|bearer", re.IGNORECASE)


def load_config(app: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration of the app in the folder `app`; defaults where it has no file. Raises UsageError."""
    if not app.is_dir():
        raise UsageError(f"there is no folder {app}", next_step="give the app's folder: --app PATH", code="no_app")
    path = app / FILE_NAME
    values = {name: key.default for name, key in KEYS.items()}
    text = _read(path)
    if text is not None:
        values |= _values(path, text)
        if values["relay.secret_file"]:
            values["relay.secret_file"] = str(app / str(values["relay.secret_file"]))
    for key in KEYS.values():
        given = environment.get(key.variable, "").strip()
        if given:
            value = key.read(given)
            if value is None:
                raise UsageError(
                    f"{key.variable} in the environment is not {key.expected}",
                    next_step=f"set {key.variable} to {key.expected}, or unset it",
                    code="bad_config",
                )
            values[key.name] = value
    sections = {
        section: kind(**{key.key: values[key.name] for key in KEYS.values() if key.section == section})
        for section, kind in _SECTIONS.items()
    }
    return Config(**sections)


def with_value(path: Path, data: bytes | None, name: str, value: Value) -> bytes:
    """The bytes of the file `path` with one key (`section.key`) set, every other byte as it is. `data` None: no file.

    Raises UsageError for an unknown key, a value that the key does not take, and a file that is wrong already.
    """
    key = KEYS.get(name)
    if key is None:
        raise UsageError(f'there is no key "{name}"{_nearest(name, KEYS)}', next_step=_SEE_KEYS, code="bad_config")
    if not key.accepts(value):
        raise UsageError(f"{name} must be {key.expected}", next_step=_SEE_KEYS, code="bad_config")
    text = _decoded(path, data or b"")
    if data is not None and _values(path, text).get(name) == value:
        return data
    return _with_value(text, key, key.coerced(value)).encode()


def _with_value(text: str, key: Key, value: Value) -> str:
    """The text of a valid file with one key set."""
    import tomlkit
    from tomlkit.items import Table

    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    ends_open = bool(text) and not text.endswith("\n")
    document = tomlkit.parse(text + "\n" if ends_open else text)
    if key.section not in document:
        if document.body:
            document.add(tomlkit.nl())
        document.add(key.section, tomlkit.table())
    section: Any = document[key.section]
    # What stands between the section's last key and the next header (an empty line, a comment) belongs to the latter.
    rest: list[Any] = []
    if isinstance(section, Table) and key.key not in section:
        body = section.value.body
        while body and body[-1][0] is None:
            rest.insert(0, body.pop())
    section[key.key] = value
    if rest:
        section.value.body.extend(rest)
    written = tomlkit.dumps(document)
    if "\r\n" in text and not re.search(r"(?<!\r)\n", text):
        written = re.sub(r"(?<!\r)\n", "\r\n", written)
    return mark + (written.rstrip("\r\n") if ends_open else written)


def default_file(*only: str) -> str:
    """The text of the shipped `partyconfig.toml`: each key with its comment and its default. `only`: these sections."""
    import textwrap

    import tomlkit

    these = "there are more sections, see the README" if only else "these are the defaults"
    lines = [f"# chatops: flags over environment over this file over defaults. Every key is optional; {these}."]
    for section, comment in SECTIONS.items():
        if only and section not in only:
            continue
        lines += ["", f"# {comment}", f"[{section}]"]
        for key in KEYS.values():
            if key.section == section:
                about = f"{key.comment} ({key.variable})"
                lines += textwrap.wrap(about, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
                lines.append(f"{key.key} = {tomlkit.item(key.default).as_string()}")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> str | None:
    """The text of the file with its line ends, None if it does not exist."""
    try:
        return _decoded(path, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", next_step="make it a readable file", code="bad_config"
        ) from None


def _decoded(path: Path, data: bytes) -> str:
    """The text, with a byte order mark if there is one."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _bad_file(path, data[: error.start].count(b"\n") + 1, "not UTF-8", "save the file as UTF-8") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        number = re.match(r"line (\d+)", place)
        line = int(number[1]) if number else max(1, len(text.splitlines()))
        raise _bad_file(path, line, f"not TOML: {what[:1].lower()}{what[1:]}", "mend the line") from None


def _values(path: Path, text: str) -> dict[str, Value]:
    """The values that the file gives, by `section.key`. Raises UsageError with the line of the first that is wrong."""
    values: dict[str, Value] = {}
    for section, table in _parse(path, text).items():
        if section not in SECTIONS:
            what = "section" if isinstance(table, dict) else "key"
            _refuse_secret(path, text, "", section)
            hint = _nearest(section, SECTIONS)
            raise _bad_file(path, _line(text, "", section), f'unknown {what} "{section}"{hint}', _SEE_KEYS)
        if not isinstance(table, dict):
            raise _bad_file(path, _line(text, "", section), f'"{section}" is a section, not a key', _SEE_KEYS)
        for name, value in table.items():
            key = KEYS.get(f"{section}.{name}")
            if key is None:
                _refuse_secret(path, text, section, name)
                hint = _nearest(name, [key.key for key in KEYS.values() if key.section == section])
                raise _bad_file(path, _line(text, section, name), f'unknown key "{section}.{name}"{hint}', _SEE_KEYS)
            if not key.accepts(value):
                raise _bad_file(
                    path, _line(text, section, name), f"{key.name} is not {key.expected}", f"make it {key.expected}"
                )
            values[key.name] = key.coerced(value)
    return values


def _refuse_secret(path: Path, text: str, section: str, name: str) -> None:
    """A secret that somebody wrote here is told where it belongs, and is not shown."""
    if _SECRET_WORD.search(name):
        variable = "OPENAI_API_KEY" if section == "model" or "openai" in name.lower() else "RELAY_SECRET"
        what = f"{section}.{name}" if section else name
        raise _bad_file(
            path,
            _line(text, section, name),
            f'"{what}" does not belong in this file, which git keeps',
            f"take it out and set {variable} in the environment; if it was ever committed, replace it by a new one",
            code="secret_in_config",
        )


def _nearest(name: str, known: Mapping[str, object] | list[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _bad_file(path: Path, line: int | None, what: str, next_step: str, code: str = "bad_config") -> UsageError:
    place = f"{path}:{line}" if line else str(path)
    return UsageError(f"{place}: {what}", next_step=next_step, code=code)


def _line(text: str, section: str, name: str) -> int | None:
    """The line in which a key or a section stands, counted from 1; tomlkit does not keep it."""
    quoted = rf"[\"']?{re.escape(name)}[\"']?"
    current = ""
    for number, line in enumerate(text.removeprefix(_BYTE_ORDER_MARK).splitlines(), 1):
        header = re.match(r"\s*\[+\s*(.+?)\s*\]", line)
        if header:
            current = re.sub(r"[\"'\s]", "", header[1])
            if not section and re.match(rf"{re.escape(name)}(\.|$)", current):
                return number
            if section and re.match(rf"{re.escape(section)}\.{re.escape(name)}(\.|$)", current):
                return number
        elif (current == section and re.match(rf"\s*{quoted}\s*[.=]", line)) or (
            section and not current and re.match(rf"\s*[\"']?{section}[\"']?\s*(\.\s*{quoted}|=.*\b{quoted}\s*=)", line)
        ):
            return number
    return None
