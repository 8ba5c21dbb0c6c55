"""An `onSuccess` that makes ids and times: which of them are made once a reply, and how that is written."""

from __future__ import annotations

import pytest

from migrations.engine import Applied, AppView, Pending, make_plan
from migrations.m5_component import StreamingComponent
from tests.migrations.component_apps import COMPONENT, app, body_of, component, migrated, plan
from tests.migrations.test_m5_component import FORMATS, written_as
from tests.migrations.transforms.test_live_text import HISTORY, chat, reason

IMPORTS = """\
import { createId } from "@paralleldrive/cuid2";
import cuid from "cuid";
import { nanoid } from "nanoid";
import { useState } from "react";
import { ulid } from "ulid";
import * as uuid from "uuid";
import { v4 as uuidv4 } from "uuid";"""
ABOVE = f"""\
{HISTORY}
const [typing, setTyping] = useState(true);
const show = (text?: string) => {{
  setHistory((prev) => [...prev, {{ id: nanoid(), text }}]);
}};"""


def page(on_success: str) -> str:
    return chat(on_success, above=ABOVE).replace('import { useState } from "react";', IMPORTS)


# onSuccess, and what is written from `live` on.
MADE: dict[str, tuple[str, str]] = {
    "a time in a template": (
        """\
(data) => {
  setHistory((prev) => [
    ...prev,
    { id: `bot-${Date.now()}`, role: "bot", content: data.reply },
  ]);
}""",
        """\
live: true,
onSuccess: (data) => {
  setHistory((prev) => [
    ...prev,
    {
      id: oncePerReply("id", () => `bot-${Date.now()}`),
      role: "bot",
      content: data.reply,
    },
  ]);
},""",
    ),
    "a time in a sum, a date": (
        """\
(data) =>
  setHistory((prev) => [
    ...prev,
    {
      id: Date.now().toString() + "_bot",
      role: "assistant",
      content: data.reply,
      timestamp: new Date(),
    },
  ])""",
        """\
live: true,
onSuccess: (data) =>
  setHistory((prev) => [
    ...prev,
    {
      id: oncePerReply("id", () => Date.now().toString() + "_bot"),
      role: "assistant",
      content: data.reply,
      timestamp: oncePerReply("timestamp", () => new Date()),
    },
  ]),""",
    ),
    "before the setter, over several lines, in a part of onSuccess": (
        """\
(text) => {
  const message = {
    id: (Date.now() + 1).toString(),
    content: text,
    timestamp: new Date().toLocaleTimeString([], {
      hour: "2-digit",
      minute: "2-digit",
    }),
  };
  setHistory((prev) => [...prev, message]);
  setTyping(false);
}""",
        """\
live: (text) => {
  const message = {
    id: oncePerReply("id", () => (Date.now() + 1).toString()),
    content: text,
    timestamp: oncePerReply("timestamp", () =>
      new Date().toLocaleTimeString([], {
        hour: "2-digit",
        minute: "2-digit",
      }),
    ),
  };
  setHistory((prev) => [...prev, message]);
},
onSuccess: (text) => {
  const message = {
    id: oncePerReply("id", () => (Date.now() + 1).toString()),
    content: text,
    timestamp: oncePerReply("timestamp", () =>
      new Date().toLocaleTimeString([], {
        hour: "2-digit",
        minute: "2-digit",
      }),
    ),
  };
  setHistory((prev) => [...prev, message]);
  setTyping(false);
},""",
    ),
    "two ids": (
        """\
(text, { message }) => {
  const id = nanoid();
  setHistory((prev) => [...prev, { id: uuidv4(), message }, { id, text }]);
}""",
        """\
live: true,
onSuccess: (text, { message }) => {
  const id = oncePerReply("id", () => nanoid());
  setHistory((prev) => [
    ...prev,
    { id: oncePerReply("id2", () => uuidv4()), message },
    { id, text },
  ]);
},""",
    ),
    "an id of the browser": (
        """\
(text) =>
  setHistory((prev) => [...prev, { id: crypto.randomUUID(), text }])""",
        """\
live: true,
onSuccess: (text) =>
  setHistory((prev) => [
    ...prev,
    { id: oncePerReply("id", () => crypto.randomUUID()), text },
  ]),""",
    ),
    "by a name of its owner": (
        "(text) => {\n  setHistory((p) => [...p, window.crypto.randomUUID(), uuid.v4(), text]);\n}",
        """\
live: true,
onSuccess: (text) => {
  setHistory((p) => [
    ...p,
    oncePerReply("value", () => window.crypto.randomUUID()),
    oncePerReply("value2", () => uuid.v4()),
    text,
  ]);
},""",
    ),
    "random numbers and chains": (
        """\
(text) => {
  setHistory((p) => [
    ...p,
    {
      id: Math.random().toString(36).substring(2, 9),
      key: `${Date.now()}-${Math.random()}`,
      short: crypto.randomUUID().split("-")[0],
      since: Math.floor(performance.now()),
      until: new Date(Date.now() + 60_000),
      createdAt: new Date().toISOString(),
      text,
    },
  ]);
}""",
        """\
live: true,
onSuccess: (text) => {
  setHistory((p) => [
    ...p,
    {
      id: oncePerReply("id", () =>
        Math.random().toString(36).substring(2, 9),
      ),
      key: oncePerReply("key", () => `${Date.now()}-${Math.random()}`),
      short: oncePerReply(
        "short",
        () => crypto.randomUUID().split("-")[0],
      ),
      since: oncePerReply("since", () => Math.floor(performance.now())),
      until: oncePerReply("until", () => new Date(Date.now() + 60_000)),
      createdAt: oncePerReply("createdAt", () =>
        new Date().toISOString(),
      ),
      text,
    },
  ]);
},""",
    ),
    "beside what is known only here": (
        "(text) => {\n  setHistory((p) => [...p, { id: p.length + (Date.now() + 1), text }]);\n}",
        """\
live: true,
onSuccess: (text) => {
  setHistory((p) => [
    ...p,
    { id: p.length + oncePerReply("id", () => Date.now() + 1), text },
  ]);
},""",
    ),
    "a time for each that is changed": (
        """\
(text) => {
  setHistory((p) =>
    p.map((turn) =>
      turn.isOpen ? { ...turn, text, timestamp: new Date() } : turn,
    ),
  );
}""",
        """\
live: true,
onSuccess: (text) => {
  setHistory((p) =>
    p.map((turn) =>
      turn.isOpen
        ? {
            ...turn,
            text,
            timestamp: oncePerReply("timestamp", () => new Date()),
          }
        : turn,
    ),
  );
},""",
    ),
    "other makers, given as they are": (
        "(text) => {\n  setHistory((p) => [...p, createId(), cuid(), ulid(), nanoid(10), text]);\n}",
        """\
live: true,
onSuccess: (text) => {
  setHistory((p) => [
    ...p,
    oncePerReply("value", () => createId()),
    oncePerReply("value2", () => cuid()),
    oncePerReply("value3", () => ulid()),
    oncePerReply("value4", () => nanoid(10)),
    text,
  ]);
},""",
    ),
    "only in what is not shown": (
        """\
(text) => {
  const id = nanoid();
  setHistory((p) => [...p, { role: "model", text }]);
  log(id, Date.now());
}""",
        """\
live: (text) => {
  setHistory((p) => [...p, { role: "model", text }]);
},
onSuccess: (text) => {
  const id = nanoid();
  setHistory((p) => [...p, { role: "model", text }]);
  log(id, Date.now());
},""",
    ),
    "once already": (
        '(text) =>\n  setHistory((p) => [...p, oncePerReply("id", () => nanoid()), nanoid(), text])',
        """\
live: true,
onSuccess: (text) =>
  setHistory((p) => [
    ...p,
    oncePerReply("id", () => nanoid()),
    oncePerReply("value", () => nanoid()),
    text,
  ]),""",
    ),
}


@pytest.mark.parametrize(("on_success", "expected"), MADE.values(), ids=MADE)
def test_what_onsuccess_makes_anew_is_made_once_a_reply(on_success: str, expected: str) -> None:
    body = body_of(migrated(app(page=page(on_success))))
    written = body.split("input: (variables, trackId) => ({ ...variables, trackId }),\n")[1].removesuffix("\n  },\n);")
    assert "\n".join(line.removeprefix("    ") for line in written.split("\n")) == expected


@pytest.mark.parametrize("on_success", [on_success for on_success, _ in MADE.values()], ids=MADE)
def test_it_is_left_alone_afterwards(on_success: str) -> None:
    first = make_plan(AppView.of_files(app(page=page(on_success))), [StreamingComponent()])
    assert [step.state for step in first.steps] == ["pending"]
    assert StreamingComponent().plan(first.after) == Applied()


def test_it_is_imported_with_the_state_in_one_statement_by_name() -> None:
    text = migrated(app(page=page(MADE["two ids"][0])))
    assert 'import { oncePerReply, useLiveState } from "~/relay-kit/client/live-state";\n' in text


def test_a_named_function_is_changed_where_it_stands_and_once_for_two_calls() -> None:
    calls = "\n".join(f"const {name} = api.chat.sendMessage.useMutation({{ onSuccess: show }});" for name in "ab")
    body = body_of(migrated(app(page=component(f"{ABOVE}\n{calls}", imports=IMPORTS))))
    assert body.split("const a =")[0].endswith(
        """\
const show = (text?: string) => {
  setHistory((prev) => [
    ...prev,
    { id: oncePerReply("id", () => nanoid()), text },
  ]);
};
"""
    )
    assert body.count("oncePerReply(") == 1
    assert body.count("live: true,\n    onSuccess: show,") == 2


def test_a_file_that_cannot_be_migrated_is_refused_at_the_line_that_is_there() -> None:
    source = page(MADE["before the setter, over several lines, in a part of onSuccess"][0])
    twice = source.replace("\n  return ", "\n  const b = api.chat.sendMessage.useMutation();\n\n  return ")
    chat_router = app()["src/server/api/routers/chat.ts"].decode()
    needs_typing = chat_router.replace(
        "trackId: z.string(), message", "trackId: z.string(), missing: z.string(), message"
    )
    outcome = plan(app(page=twice, chat=needs_typing))
    lines = twice.split("\n")
    assert not isinstance(outcome, Pending)
    assert "useMutation({" in lines[getattr(outcome, "line", 0) - 1]
    other = next(number for number, line in enumerate(lines, 1) if "const b =" in line)
    assert f"(and so in {COMPONENT}:{other})" in getattr(outcome, "reason", "")


NOT_MADE: dict[str, tuple[str, str]] = {
    "one of the app's": ('import { nanoid } from "~/lib/ids";', "nanoid()"),
    "a maker of makers": ('import { customAlphabet } from "nanoid";', 'customAlphabet("ab", 4)'),
    "with an argument from elsewhere": ('import { nanoid } from "nanoid";', "nanoid(size)"),
    "a type": ('import type { nanoid } from "nanoid";', "nanoid()"),
    "a hash": ('import { v5 } from "uuid";', 'v5("a", "b")'),
    "another Math": ('import { Math } from "~/lib/math";', "Math.random()"),
    "another crypto": ("", "crypto.getRandomValues(bytes)"),
}


@pytest.mark.parametrize(("imports", "value"), NOT_MADE.values(), ids=NOT_MADE)
def test_any_other_call_is_refused(imports: str, value: str) -> None:
    source = chat(f"(text) => setHistory((p) => [...p, {{ id: {value}, text }}])")
    told = reason(source.replace('"use client";\n', f'"use client";\n\n{imports}'))
    assert told.startswith(f"onSuccess cannot be replayed once a frame, as it calls `{value.partition('(')[0]}(")


def test_a_name_of_the_component_is_not_the_global_one() -> None:
    source = chat("(text) => setHistory((p) => [...p, Date.now(), text])", above=f"const Date = useDate();\n{HISTORY}")
    assert "it calls `Date.now()`" in reason(source)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    "name", ["a time in a template", "before the setter, over several lines, in a part of onSuccess"]
)
def test_every_format_is_kept(name: str, form: dict[str, object]) -> None:
    source = page(MADE[name][0])
    expected = migrated(app(page=source))
    assert migrated(app(page=written_as(source, form))) == written_as(expected, form)
