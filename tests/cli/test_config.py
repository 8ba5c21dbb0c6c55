"""The configuration: what wins over what, what is refused and where, and writing that leaves the rest alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import config
from cli.config import (
    KEYS,
    SECTIONS,
    Config,
    Key,
    Value,
    default_file,
    load_config,
    with_value,
)
from relay_server.errors import UsageError

SHIPPED = Path(config.__file__).parent.parent / "partyconfig.toml"
NOTHING: dict[str, str] = {}


def value_of(loaded: Config, name: str) -> Value:
    section, key = name.split(".")
    value: Value = getattr(getattr(loaded, section), key)
    return value


def write(folder: Path, text: str) -> Path:
    path = folder / config.FILE_NAME
    path.write_bytes(text.encode())
    return path


def complaint(folder: Path, text: str) -> UsageError:
    """What is said about a file, without the folder."""
    write(folder, text)
    with pytest.raises(UsageError) as caught:
        load_config(folder, NOTHING)
    assert caught.value.message.startswith(f"{folder}/")
    caught.value.message = caught.value.message.removeprefix(f"{folder}/")
    return caught.value


# --- loading


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_config(tmp_path, NOTHING) == Config()


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert load_config(tmp_path, NOTHING) == Config()


def test_the_shipped_file_is_made_from_the_declarations_and_says_the_defaults(tmp_path: Path) -> None:
    assert SHIPPED.read_text() == default_file(), "run scripts/docs"
    assert load_config(SHIPPED.parent, NOTHING) == Config()


def test_the_shipped_file_has_every_key_under_its_comment() -> None:
    lines = SHIPPED.read_text().splitlines()
    for key in KEYS.values():
        index = next(
            i
            for i, line in enumerate(lines)
            if line.startswith(f"{key.key} = ") and section_at(lines, i) == key.section
        )
        assert lines[index - 1].startswith("# ")
        assert key.variable in lines[index - 1]


def section_at(lines: list[str], index: int) -> str:
    return next(line[1:-1] for line in reversed(lines[:index]) if line.startswith("["))


def test_variables_and_keys_are_declared_once() -> None:
    variables = [key.variable for key in KEYS.values()]
    assert len(set(variables)) == len(variables)
    assert {key.section for key in KEYS.values()} == set(SECTIONS)
    assert all(key.accepts(key.default) for key in KEYS.values())


def test_the_file_wins_over_the_defaults_and_the_environment_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, '[relay]\nurl = "http://file"\n[stream_test]\nclients = 7\nrate = 5\n')
    from_file = load_config(tmp_path, NOTHING)
    assert (from_file.relay.url, from_file.stream_test.clients, from_file.stream_test.rate) == ("http://file", 7, 5.0)
    assert isinstance(from_file.stream_test.rate, float)
    from_both = load_config(tmp_path, {"CHATOPS_RELAY_URL": "http://environment", "CHATOPS_RATE": "2.5"})
    assert (from_both.relay.url, from_both.stream_test.clients) == ("http://environment", 7)
    assert from_both.stream_test.rate == 2.5


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_every_variable_reaches_its_key(key: Key, tmp_path: Path) -> None:
    text = key.choices[-1] if key.choices else "other"
    other: Any = {bool: not key.default, int: 4321, float: 4.5, str: text}[type(key.default)]
    loaded = load_config(tmp_path, {key.variable: str(other)})
    assert value_of(loaded, key.name) == other


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", "on"])
def test_true_in_the_environment(text: str, tmp_path: Path) -> None:
    assert load_config(tmp_path, {"RELAY_MODEL": text}).serve.model is True


@pytest.mark.parametrize("text", ["0", "false", "No", "off", "", " "])
def test_false_in_the_environment(text: str, tmp_path: Path) -> None:
    assert load_config(tmp_path, {"RELAY_MODEL": text}).serve.model is False


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("CHATOPS_CLIENTS", "many", "a whole number from 1 up"),
        ("CHATOPS_CLIENTS", "0", "a whole number from 1 up"),
        ("CHATOPS_CLIENTS", "1.5", "a whole number from 1 up"),
        ("RELAY_PORT", "70000", "a whole number from 0 to 65535"),
        ("CHATOPS_RATE", "nan", "a number from 0 up"),
        ("CHATOPS_RATE", "inf", "a number from 0 up"),
        ("RELAY_MODEL", "maybe", "true or false"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(variable: str, text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^{variable} in the environment is not {expected}$"):
        load_config(tmp_path, {variable: text})


def test_a_folder_that_is_not_there_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere"):
        load_config(tmp_path / "nowhere", NOTHING)


def test_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    write(tmp_path, "\ufeff[serve]\r\nport = 5\r\n")
    assert load_config(tmp_path, NOTHING).serve.port == 5


# --- refusing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stream_test]\n# a comment\nclient = 3\n", '3: unknown key "stream_test.client"; did you mean "clients"?'),
        ("[stream-test]\nclients = 3\n", '1: unknown section "stream-test"; did you mean "stream_test"?'),
        ("\n[zebra]\n", '2: unknown section "zebra"'),
        ("url = 1\n", '1: unknown key "url"'),
        ("relay.urk = 1\n", '1: unknown key "relay.urk"; did you mean "url"?'),
        ("relay = {urk = 1}\n", '1: unknown key "relay.urk"; did you mean "url"?'),
        ("[serve]\nport = 1\n[relay]\nport = 2\n", '4: unknown key "relay.port"'),
        ("[relay.more]\nx = 1\n", '1: unknown key "relay.more"'),
        ("relay = 3\n", '1: "relay" is a section, not a key'),
        ("[[relay]]\nurl = ''\n", '1: "relay" is a section, not a key'),
        ("[relay]\nurl = 3\n", "2: relay.url is not text"),
        ('[serve]\n"port" = 70000\n', "2: serve.port is not a whole number from 0 to 65535"),
        ("[serve]\nport = true\n", "2: serve.port is not a whole number from 0 to 65535"),
        ("[serve]\nmodel = 1\n", "2: serve.model is not true or false"),
        ("[stream_test]\nclients = 1.0\n", "2: stream_test.clients is not a whole number from 1 up"),
        ("[stream_test]\nrate = nan\n", "2: stream_test.rate is not a number from 0 up"),
        ("[relay]\nurl =\n", "2: not TOML: invalid value"),
        ("[relay]\nurl = 'a'\nurl = 'b'\n", "3: not TOML: cannot overwrite a value"),
        ("[relay\n", "1: not TOML: expected ']' at the end of a table declaration"),
        ("x = '''never closed\n\n", "2: not TOML: expected \"'''\""),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    error = complaint(tmp_path, text)
    assert error.message == f"partyconfig.toml:{message}"
    assert error.next_step


@pytest.mark.parametrize(
    ("text", "line", "variable"),
    [
        ('[relay]\nsecret = "hunter2"\n', 2, "RELAY_SECRET"),
        ('[relay]\nurl = ""\ntoken = "hunter2"\n', 3, "RELAY_SECRET"),
        ('relay_secret = "hunter2"\n', 1, "RELAY_SECRET"),
        ('[model]\napi_key = "hunter2"\n', 2, "OPENAI_API_KEY"),
        ('OPENAI_API_KEY = "hunter2"\n', 1, "OPENAI_API_KEY"),
        ('[secrets]\nrelay = "hunter2"\n', 1, "RELAY_SECRET"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(text: str, line: int, variable: str, tmp_path: Path) -> None:
    error = complaint(tmp_path, text)
    assert error.code == "secret_in_config"
    assert error.message.startswith(f"partyconfig.toml:{line}: ")
    assert variable in error.next_step
    assert "hunter2" not in error.message + error.next_step


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / config.FILE_NAME).write_bytes(b"# a\n# \xff\n")
    with pytest.raises(UsageError, match=r"partyconfig\.toml:2: not UTF-8"):
        load_config(tmp_path, NOTHING)


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / config.FILE_NAME).mkdir()
    with pytest.raises(UsageError, match=r"partyconfig\.toml cannot be read: Is a directory"):
        load_config(tmp_path, NOTHING)


# --- writing


def set_value(path: Path, name: str, value: Value) -> bool:
    """Write one key; whether that changed the file."""
    before = path.read_bytes() if path.exists() else None
    after = with_value(path, before, name, value)
    path.write_bytes(after)
    return after != before


def test_a_value_that_is_already_there_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "[serve]\nport = 0x10  # sixteen\n")
    assert set_value(path, "serve.port", 16) is False


def test_setting_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / config.FILE_NAME
    assert set_value(path, "stream_test.rate", 5) is True
    assert set_value(path, "stream_test.rate", 5.0) is False


@pytest.mark.parametrize(
    ("before", "name", "value", "after"),
    [
        (None, "relay.url", "http://x", '[relay]\nurl = "http://x"\n'),
        ("[serve]\nport = 1  # why\n", "serve.port", 2, "[serve]\nport = 2  # why\n"),
        ("# top\n", "serve.port", 2, "# top\n\n[serve]\nport = 2\n"),
        ("[serve]\nport = 1", "serve.host", "::1", '[serve]\nport = 1\nhost = "::1"'),
        ("[serve]\nport = 1", "relay.url", "x", '[serve]\nport = 1\n\n[relay]\nurl = "x"'),
        (
            "[relay]\r\nurl = 'a'\r\n\r\n# the model\r\n[model]\r\n",
            "relay.secret_file",
            ".secret",
            "[relay]\r\nurl = 'a'\r\nsecret_file = \".secret\"\r\n\r\n# the model\r\n[model]\r\n",
        ),
        ("\ufeff[serve]\nmodel = false\n", "serve.model", True, "\ufeff[serve]\nmodel = true\n"),
        ("relay.url = 'a'\n", "relay.url", "b", 'relay.url = "b"\n'),
        ("relay = {url = 'a'} # one\n", "relay.url", "b", 'relay = {url = "b"} # one\n'),
    ],
)
def test_only_the_one_value_changes(before: str | None, name: str, value: Value, after: str, tmp_path: Path) -> None:
    path = tmp_path / config.FILE_NAME
    if before is not None:
        path.write_bytes(before.encode())
    assert set_value(path, name, value) is True
    assert path.read_bytes().decode() == after
    assert value_of(load_config(tmp_path, NOTHING), name) == value or name == "relay.secret_file"


def values(key: Key) -> st.SearchStrategy[Any]:
    """What a key may hold."""
    lowest, highest = key.lowest or 0, key.highest or 2**31
    if key.choices:
        return st.sampled_from((key.default, *key.choices))
    return {
        bool: st.booleans(),
        int: st.integers(int(lowest), int(highest)),
        float: st.floats(lowest, highest, allow_nan=False),
        str: st.text(st.characters(codec="utf-8")),
    }[type(key.default)]


writes = st.sampled_from(list(KEYS.values())).flatmap(lambda key: st.tuples(st.just(key.name), values(key)))


@settings(max_examples=40)
@given(
    written=st.lists(writes, min_size=1, max_size=6),
    line_end=st.sampled_from(["\n", "\r\n"]),
    from_shipped=st.booleans(),
)
def test_what_was_written_is_read_and_every_other_line_stays(
    written: list[tuple[str, Value]], line_end: str, from_shipped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("app")
    path = folder / config.FILE_NAME
    start = default_file() if from_shipped else "# mine\n[serve]\nhost = 'h' # here\n\n# the end\n"
    path.write_bytes(start.replace("\n", line_end).encode())
    for name, value in written:
        set_value(path, name, value)
    text = path.read_bytes().decode()
    tomllib.loads(text)
    loaded = load_config(folder, NOTHING)
    for name, value in dict(written).items():
        if name != "relay.secret_file":  # seen from the file's folder when it is loaded
            assert value_of(loaded, name) == value
    assert not re.search(r"(?<!\r)\n", text) if line_end == "\r\n" else "\r" not in text
    kept = [line for line in start.splitlines() if line.startswith(("#", "["))]
    remaining = iter(text.splitlines())
    assert all(line in remaining for line in kept)


def test_a_file_that_is_wrong_is_not_written_to(tmp_path: Path) -> None:
    path = write(tmp_path, "[relay]\nurk = 1\n")
    with pytest.raises(UsageError, match="unknown key"):
        set_value(path, "relay.url", "http://x")
    assert path.read_text() == "[relay]\nurk = 1\n"


def test_a_key_or_a_value_that_cannot_be_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / config.FILE_NAME
    with pytest.raises(UsageError, match=r'there is no key "relay.urk"; did you mean "relay.url"\?'):
        set_value(path, "relay.urk", "x")
    with pytest.raises(UsageError, match=r"serve\.port must be a whole number from 0 to 65535"):
        set_value(path, "serve.port", -1)
    assert not path.exists()
