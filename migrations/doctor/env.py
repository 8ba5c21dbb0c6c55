"""The app's env files: what the app and the relay read there, and who else can."""

from __future__ import annotations

import re
import stat
from itertools import combinations
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.discovery.env_schema import CLIENT_PREFIX
from migrations.doctor.findings import Finding, Fix, bad, bad_for, check, good, unknown
from migrations.engine import Edits, FileChange, git
from migrations.engine.line_edits import get_env
from migrations.mode import ENV_FILES, HOST_KEY, MODE_KEY, SECRET_KEY, current_mode, env_value, env_values
from migrations.transforms.env_example import example_path, show_variables
from migrations.transforms.ignore_files import ignore_state
from relay_server.client.address import RelayAddress, relay_address_of_host
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from migrations.doctor.findings import Situation
    from migrations.engine import AppView

URL_KEY = "RELAY_URL"

_KEYS = (MODE_KEY, HOST_KEY, SECRET_KEY, URL_KEY)
_MODES = ("send-message", "streaming")
_RELAY_FILES = 2  # the migration that adds them, with the variables
_RELAY_FILE = "party/room.ts"  # there for every target
# Where a name says that a value is nobody's business. Keys that are meant for browsers (Firebase's and maps' API keys,
# anon keys, publishable keys) are not among them.
_SECRET_NAME = re.compile(r"SECRET|PASSWORD|PRIVATE_KEY|(OPENAI|ANTHROPIC|GEMINI|MISTRAL|GROQ)\w*(KEY|TOKEN)")
_SECRET_VALUE = re.compile(r"sk-[\w-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY")
_ASSIGNMENT = re.compile(r"^[ \t]*(?:export[ \t]+)?(?P<key>[A-Za-z_][\w.-]*)[ \t]*=(?P<value>[^\r\n]*)", re.MULTILINE)
_CURLY = frozenset("\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb")
_QUOTES = ("'", '"', "`")


def check_env(situation: Situation) -> list[Finding]:
    """Every check of this module."""
    checks = (
        check_mode_key,
        check_host,
        check_secret,
        check_quoting,
        check_values,
        check_public,
        check_git_sees,
        check_permissions,
        check_example,
        check_ignored,
    )
    return [make(situation) for make in checks]


@check("env mode")
def check_mode_key(situation: Situation) -> Finding:
    """The key that the hook reads has one of its two values."""
    values = env_values(situation.view, MODE_KEY)
    wrong = next((there for there in values if there.value not in _MODES), None)
    if wrong is not None:
        said = f'{wrong.file} sets {MODE_KEY} to "{wrong.value[:40]}", which counts as send-message'
        return bad(said, "chatops mode streaming, or chatops mode send-message")
    if not values:
        return unknown(f"{MODE_KEY} is set nowhere, so the chat answers in one piece", "chatops mode streaming")
    return good(f"{values[0].value} ({values[0].file})")


@check("env relay host")
def check_host(situation: Situation) -> Finding:
    """The address that browsers and the server get is one that they can use from where they are."""
    view = situation.view
    hosts = [(key, there) for key in (HOST_KEY, URL_KEY) for there in env_values(view, key) if there.value]
    for key, there in hosts:
        try:
            address = relay_address_of_host(there.value)
        except UsageError as error:
            return bad(f"{key} in {there.file}: {error.message}", error.next_step)
        if there.file.startswith(".env.production") and address.is_loopback:
            said = f"{there.file} sends the deployed app to a relay on its own machine: {key} is {there.value}"
            return bad(said, "put the address of the deployed relay there, or take the line out")
        if key == HOST_KEY and _is_refused_by_browsers(address):
            said = f"{there.file} has {there.value}: a page on https may not connect to it"
            return bad(said, "give the relay a certificate, and leave out http://")
    if not any(key == HOST_KEY for key, _ in hosts):
        mend = "chatops deploy, or chatops mode streaming --relay URL"
        if current_mode(view) == "streaming":
            return bad(f"the mode is streaming and {HOST_KEY} is set nowhere: replies come over HTTP", mend)
        return unknown(f"{HOST_KEY} is set nowhere yet", mend)
    return good(", ".join(f"{there.value} ({there.file})" for _, there in hosts))


@check("env relay secret")
def check_secret(situation: Situation) -> Finding:
    """The app has the relay's secret, and it is the one that chatops has."""
    if situation.secret_error is not None:
        return bad_for(situation.secret_error)
    values = [there for there in env_values(situation.view, SECRET_KEY) if there.value]
    if not values:
        if current_mode(situation.view) == "streaming" and not situation.environment.get(SECRET_KEY):
            said = f"the mode is streaming and no env file sets {SECRET_KEY}: nothing is published"
            return bad(said, f"set {SECRET_KEY} in .env to the relay's secret, and keep that file out of git")
        return unknown(f"no env file sets {SECRET_KEY} yet", "chatops deploy makes one")
    if situation.secret is not None and situation.secret != values[0].value:
        said = f"{values[0].file} sets another {SECRET_KEY} than chatops finds in the environment or relay.secret_file"
        return bad(said, "make them the same: the one that the relay has")
    return good(f"set in {values[0].file}")


@check("env quoting")
def check_quoting(situation: Situation) -> Finding:
    """What Next.js (dotenv with expansion) reads from a line is what whoever wrote it meant."""
    looked = 0
    for file, key, raw in _assignments(situation.view):
        if key not in _KEYS:
            continue
        looked += 1
        what = oddity(raw)
        if what:
            return bad(f"{key} in {file} {what}", f'write it as {key}="value", on one line')
    return good("as Next.js reads it") if looked else unknown("none of the relay's variables is set")


@check("env values")
def check_values(situation: Situation) -> Finding:
    """A variable has one value where one is meant. Files for development and for production may differ."""
    view = situation.view
    for key in _KEYS:
        values = env_values(view, key)
        for first, second in combinations(values, 2):
            apart = {_environment_of(first.file), _environment_of(second.file)}
            if first.value == second.value or apart == {"development", "production"}:
                continue
            # `chatops mode` sets the mode in every file; of the others, a file for one environment may have its own.
            if key != MODE_KEY and apart != {""}:
                continue
            said = f"{first.file} and {second.file} set {key} to different values, and the first counts"
            return bad(said, "take out the line that is not meant")
        twice = next((file for file in ENV_FILES if len(set(_raw_values(view, file, key))) > 1), None)
        if twice:
            return bad(f"{twice} sets {key} twice, to different values; the last counts", "take out the other")
    return good("no two files disagree")


@check("public variables")
def check_public(situation: Situation) -> Finding:
    """No secret is in a variable that Next.js builds into what browsers get."""
    secrets = {situation.secret, env_value(situation.view, SECRET_KEY)} - {None, ""}
    for file, key, _ in _assignments(situation.view):
        if not key.startswith(CLIENT_PREFIX):
            continue
        value = get_env(situation.view.read(file) or b"", key) or ""
        is_secret = value in secrets or _SECRET_VALUE.match(value) or (value and _SECRET_NAME.search(key))
        if is_secret:
            said = f"{file}: every browser gets {key}, which is a secret by its name or its value"
            return bad(said, f"rename it without {CLIENT_PREFIX}, and replace the secret if it was ever deployed")
    return good("no secret among them")


@check("secrets and git")
def check_git_sees(situation: Situation) -> Finding:
    """git neither has nor would take a file with the relay's secret."""
    view = situation.view
    files = [there.file for there in env_values(view, SECRET_KEY) if there.value]
    if situation.secret_file and view.exists(situation.secret_file):
        files.append(situation.secret_file)
    if not files:
        return unknown("no file of the app holds the relay's secret")
    seen = git.tracked_and_new(view.root)
    if seen is None:
        return unknown("the app is in no git repository")
    open_files = [file for file in files if file in seen]
    if not open_files:
        return good(f"git ignores {', '.join(files)}")
    file = open_files[0]
    mend = f"add it to .gitignore; if it was committed, also git rm --cached {file} and make a new secret"
    return bad(f"{file} holds the relay's secret, and git does not ignore it", mend, Fix(_ignoring(open_files)))


@check("env permissions")
def check_permissions(situation: Situation) -> Finding:
    """Files with the relay's secret are not for every user of the machine."""
    view = situation.view
    files = [there.file for there in env_values(view, SECRET_KEY) if there.value]
    try:
        modes = {file: stat.S_IMODE((view.root / file).stat().st_mode) for file in files}
    except OSError as error:
        return unknown(f"{error.strerror}")
    readable = [file for file, mode in modes.items() if mode & stat.S_IROTH]
    if readable:
        said = f"every user of this machine can read the relay's secret in {', '.join(readable)}"
        return bad(said, f"chmod 600 {' '.join(readable)}", Fix(owner_only=tuple(readable)))
    if not files:
        return unknown("no env file holds the relay's secret")
    return good(f"{', '.join(files)}: not for others")


@check("env example")
def check_example(situation: Situation) -> Finding:
    """The file that shows what `.env` is to hold shows the relay's variables."""
    view = situation.view
    path = example_path(view)
    if not view.exists(_RELAY_FILE):
        return unknown(f"migration {_RELAY_FILES} adds the variables")
    if not view.exists(path):
        return unknown("the app has none")
    missing = [key for key in (SECRET_KEY, HOST_KEY, MODE_KEY) if get_env(view.read(path) or b"", key) is None]
    if missing:
        said = f"{path} does not show {', '.join(missing)}"
        return bad(said, f"add {'it' if len(missing) == 1 else 'them'}", Fix(_showing_variables))
    return good(path)


@check("ignore files")
def check_ignored(situation: Situation) -> Finding:
    """The relay's local state stays out of git and of what is uploaded."""
    view = situation.view
    if not view.exists(_RELAY_FILE):
        return unknown(f"migration {_RELAY_FILES} adds the entries")
    changes = _ignoring_state(view)
    if changes:
        files = ", ".join(change.path for change in changes)
        return bad(f".partykit, the relay's local state, is missing in {files}", "add it", Fix(_ignoring_state))
    return good("the relay's local state is ignored")


def oddity(raw: str) -> str:
    """What is odd about a value as it stands behind the `=`, as the end of a sentence; "" if nothing is."""
    text = raw.strip()
    if _CURLY & set(text):
        return "has typographic quotes, which are taken for a part of the value"
    quote = text[:1]
    inner = text
    if quote in _QUOTES:
        end = text.find(quote, 1)
        if end < 0:
            return "has a quote that is not closed"
        inner, rest = text[1:end], text[end + 1 :].strip()
        if not inner and rest[-1:] == quote:
            return "is quoted twice"
        if rest and not rest.startswith("#"):
            return "goes on behind its closing quote"
        if inner[:1] in _QUOTES and inner[-1:] == inner[:1]:
            return "is quoted twice"
        if inner != inner.strip():
            return "has white space inside its quotes"
    else:
        inner = re.split(r"\s#", f" {text}", maxsplit=1)[0].strip()
        if "#" in inner:
            return "has a # outside of quotes, where the value is cut off"
        if inner[-1:] in _QUOTES:
            return "ends with a quote that does not begin it"
    if re.search(r"(?<!\\)\$[A-Za-z_{]", inner):
        return "has a $, which stands for another variable unless a backslash is before it"
    return ""


def _is_refused_by_browsers(address: RelayAddress) -> bool:
    """Not encrypted, and in no network where that is usual: `as_host` keeps the scheme for just that."""
    return not address.secure and address.as_host.startswith("http://")


def _environment_of(file: str) -> str:
    return next((kind for kind in ("development", "production") if kind in file), "")


def _assignments(view: AppView) -> Iterator[tuple[str, str, str]]:
    """File, key and what stands behind the `=`, of every line of the env files that sets something."""
    for path in ENV_FILES:
        file = view.file(path)
        text = file.data.decode(errors="replace").removeprefix("\ufeff") if file is not None else ""
        yield from ((path, match["key"], match["value"]) for match in _ASSIGNMENT.finditer(text))


def _raw_values(view: AppView, path: str, key: str) -> list[str]:
    return [raw.strip().strip("'\"`") for file, name, raw in _assignments(view) if (file, name) == (path, key)]


def _ignoring(files: Sequence[str]) -> Callable[[AppView], Sequence[FileChange]]:
    def changes(view: AppView) -> Sequence[FileChange]:
        edits = Edits(view)
        edits.add_lines(".gitignore", [f"/{PurePosixPath(file)}" for file in files], comment=["secrets"])
        return edits.changes()

    return changes


def _showing_variables(view: AppView) -> Sequence[FileChange]:
    edits = Edits(view)
    show_variables(edits, has_schema=True)
    return edits.changes()


def _ignoring_state(view: AppView) -> Sequence[FileChange]:
    edits = Edits(view)
    ignore_state(edits)
    return edits.changes()
