"""Where `onSuccess` may run once a frame, and where it is only half known and so is left alone."""

from __future__ import annotations

import pytest

from migrations.engine import Pending
from tests.migrations.component_apps import app, body_of, component, migrated, migrated_body, plan, router

HISTORY = "const [history, setHistory] = useState<Turn[]>([]);"
APPEND = 'setHistory((prev) => [...prev, { role: "model", text }]);'
PURE = f"(text) => {{\n  {APPEND}\n}}"
SHOWN = "<p>{messages}</p>"


def call(on_success: str) -> str:
    lines = "\n".join(f"  {line}" if line else "" for line in f"onSuccess: {on_success},".split("\n"))
    return f"const send = api.chat.sendMessage.useMutation({{\n{lines}\n}});"


def chat(on_success: str, *, above: str = HISTORY, below: str = "") -> str:
    return component("\n".join(part for part in (above, call(on_success), below) if part))


def reason(source: str, **kinds: str) -> str:
    """Why the reply is not shown by the component itself; "" if it is."""
    outcome = plan(app(page=source, chat=router(**kinds)))
    assert isinstance(outcome, Pending), outcome
    found = [leftover.what for leftover in outcome.leftovers if "the reply grows in" in leftover.what]
    assert ("live:" in body_of(migrated(app(page=source, chat=router(**kinds))))) == (not found)
    return found[0].partition(": ")[2] if found else ""


# --- where the reply may not be shown by running onSuccess again

REFUSED: dict[str, tuple[str, str]] = {
    "no state": ("() => refetch()", "onSuccess puts no part of it into a state of this component"),
    "a state without the reply": (
        "() => setHistory([])",
        "onSuccess puts no part of it into a state of this component",
    ),
    "another's function": ("onReply", "`onReply` is not a function of this component"),
    "a made function": ("useEvent((text) => setHistory(text))", "onSuccess is not written as a function"),
    "after a wait": (
        f"async (text) => {{\n  await refetch();\n  {APPEND}\n}}",
        "onSuccess waits for something else first",
    ),
    "in a loop": (
        f"(text) => {{\n  for (const part of text) {{\n    {APPEND}\n  }}\n}}",
        "onSuccess sets the state in a statement that does more",
    ),
    "in a condition with more": (
        f"(text) => {{\n  if (text) {{\n    {APPEND}\n    refetch();\n  }}\n}}",
        "onSuccess sets the state in a statement that does more",
    ),
    "behind an end that does more": (
        f"(text) => {{\n  if (!text) {{\n    toast();\n    return;\n  }}\n  {APPEND}\n}}",
        "onSuccess may end in a statement that does more",
    ),
    "typed out": (
        f"(text) => {{\n  let n = 0;\n  setInterval(() => {{\n    n += 1;\n    {APPEND}\n  }}, 20);\n}}",
        "onSuccess types the finished text out by itself",
    ),
    "with another state in one condition": (
        f"(text) => {{\n  if (text) {{\n    {APPEND}\n    setOther(1);\n  }}\n  setOther(2);\n}}",
        "",
    ),
}
# What may be in an onSuccess, but not run once a frame.
NOT_REPLAYED: dict[str, tuple[str, str]] = {
    "an id": ("(text) => setHistory((p) => [...p, { id: nanoid(), text }])", "it calls `nanoid()`"),
    "an id before": (
        "(text) => {\n  const id = nanoid();\n  setHistory((p) => [...p, { id, text }]);\n}",
        "it calls `nanoid()`",
    ),
    "a counter": (
        "(text) => setHistory((p) => [...p, { id: count++, text }])",
        "`count++` may do more than give a value",
    ),
    "a change in place": (
        "(text) => {\n  setHistory((p) => {\n    p.push(text);\n    return p;\n  });\n}",
        "`p.push(text);` may do more than give a value",
    ),
    "a pushing expression": ("(text) => setHistory((p) => p.push(text))", "it calls `p.push(...)`"),
    "a ref": ("(text) => setHistory((p) => [...p, ref.current, text])", "it reads the ref `ref`"),
    "a global": ("(text) => setHistory((p) => [...p, document.title, text])", "it reads the global `document`"),
    "a parse": ("(text) => setHistory(JSON.parse(text))", "it calls `JSON.parse(...)`"),
    "a part that may be missing": (
        '(text) => setHistory((p) => [...p, text.split(":")[1].trim()])',
        '`text.split(":")[1]` may be missing while the text is short',
    ),
    "a helper": ("(text) => setHistory((p) => append(p, text))", "it calls `append(...)`"),
    "a setter handed on": ("(text) => setHistory(wrap(setHistory, text))", "it calls `wrap(...)`"),
    "its own value": (
        "(text) => setHistory([...history, text])",
        "it reads `history` itself instead of an updater's `(previous) => ...`",
    ),
    "a value made of it": ("(text) => setHistory((p) => [...p, last, text])", "`last` is made from what it sets"),
    "a variable": ("(text) => setHistory((p) => [...p, number, text])", "`number` is a variable that may change"),
    "an async updater": ("(text) => setHistory(async () => text)", "it is async"),
    "a date of something": (
        "(text) => setHistory((p) => [...p, new Date(other), text])",
        "it makes a `new Date` each time",
    ),
    "an id that is no longer known": (
        "(text) => setHistory((p) => [...p, { id: makeId(), at: Date.now(), text }])",
        "it calls `makeId()`",
    ),
    "an id for each of many": (
        "(text) => setHistory((p) => p.map((turn) => ({ ...turn, id: crypto.randomUUID(), text })))",
        "it makes `crypto.randomUUID()` more than once",
    ),
    "a time after a wait": (
        f"async (text) => {{\n  {APPEND}\n  await refetch();\n  setHistory((p) => [...p, Date.now()]);\n}}",
        "it makes `Date.now()` after it has waited",
    ),
    "a random number that is the component's": (
        "(text) => setHistory((p) => [...p, clock.now(), text])",
        "it calls `clock.now()`",
    ),
}
AROUND = f"""\
const ref = useRef("");
{HISTORY}
const [other, setOther] = useState(0);
const last = history.at(-1);
let number = 1;
let count = 0;
const clock = useClock();"""


@pytest.mark.parametrize(("on_success", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_run_again_and_again_is_told(on_success: str, expected: str) -> None:
    assert reason(chat(on_success, above=AROUND)).partition(" (line")[0] == expected


@pytest.mark.parametrize(("on_success", "expected"), NOT_REPLAYED.values(), ids=NOT_REPLAYED)
def test_what_gives_something_else_in_each_run_is_told(on_success: str, expected: str) -> None:
    told = reason(chat(on_success, above=AROUND)).partition(" (line")[0]
    assert told == f"onSuccess cannot be replayed once a frame, as {expected}"


FOLLOWERS: dict[str, tuple[str, str]] = {
    "sent on": (
        "useEffect(() => {\n  save.mutate(history);\n}, [history]);",
        "an effect that follows `history` does `save.mutate(history)`",
    ),
    "fetched": (
        'useEffect(() => {\n  void fetch("/log");\n});',
        'an effect that follows `history` does `fetch("/log")`',
    ),
    "another page": (
        'useEffect(() => {\n  if (history.length) router.replace("/a");\n}, [history.length, router]);',
        'an effect that follows `history` does `router.replace("/a")`',
    ),
    "by a function": (
        "const save = () => post(history);\nuseEffect(() => {\n  save();\n}, [history]);",
        "an effect that follows `history` does `post(history)`",
    ),
    "counted": (
        "const [n, setN] = useState(0);\nuseEffect(() => {\n  setN((before) => before + 1);\n}, [history]);",
        "an effect that follows `history` does `setN((before) => before + 1)`",
    ),
    "a query": ("const more = api.chat.more.useQuery({ history });", "`useQuery` is given `history`"),
    "a hook of the app": ("useAutosave(history);", "`useAutosave` is given `history`"),
    "set from its own value": (
        "const add = (turn: Turn) => setHistory([...history, turn]);",
        "`setHistory` is told a value made from `history`, not an updater",
    ),
}


@pytest.mark.parametrize(("below", "expected"), FOLLOWERS.values(), ids=FOLLOWERS)
def test_what_follows_a_state_may_not_do_more_than_show_it(below: str, expected: str) -> None:
    assert reason(chat(PURE, below=below)).partition(" (line")[0] == expected


@pytest.mark.parametrize("name", ["onMutate", "onError", "onSettled"])
def test_another_callback_that_reads_the_state_is_no_place_for_it(name: str) -> None:
    source = chat(PURE).replace("onSuccess", f"{name}: () => save(history),\n    onSuccess")
    assert reason(source).partition(" (line")[0] == f"{name} reads a state that would grow"


def test_options_spread_behind_it_may_replace_it() -> None:
    source = chat(PURE).replace("},\n  });", "},\n    ...rest,\n  });")
    assert "may replace onSuccess" in reason(source)


def test_a_setter_from_a_prop_or_a_store_is_not_known() -> None:
    assert "no part of it" in reason(chat("(text) => setHistory(text)", above="const { setHistory } = useStore();"))


def test_what_on_mutate_returned_is_not_there_for_a_part_of_on_success() -> None:
    on_success = "(text, variables, context) => {\n  setHistory((p) => [...p, context, text]);\n  refetch();\n}"
    assert "what onMutate returned" in reason(chat(on_success))


HOOK_FILE = "src/hooks/use-chat.ts"
USERS: dict[str, tuple[str, str]] = {
    "shows it": ("return <p>{history.length}</p>;", ""),
    "scrolls": ("useEffect(() => {\n    ref.current?.scrollTo(0, 9);\n  }, [history]);", ""),
    "saves it": (
        "useEffect(() => {\n    save.mutate(history);\n  }, [history]);",
        "an effect that follows `history` does `save.mutate(history)` (src/chat.tsx:5)",
    ),
}


@pytest.mark.parametrize(("use", "expected"), USERS.values(), ids=USERS)
def test_who_uses_a_custom_hook_may_not_do_more_than_show_its_state(use: str, expected: str) -> None:
    hook = chat(PURE).replace("function Chat()", "function useChat()").replace("<p>{history.length}</p>", "{ history }")
    user = (
        'import { useChat } from "~/hooks/use-chat";\nexport function Chat() {\n'
        f"  const {{ history }} = useChat();\n  {use}\n}}\n"
    )
    outcome = plan(app({HOOK_FILE: hook, "src/chat.tsx": user}))
    assert isinstance(outcome, Pending)
    found = [leftover.what.partition(": ")[2].partition(" (line")[0] for leftover in outcome.leftovers]
    assert found == ([expected] if expected else [])


# --- where it may

WHOLE: dict[str, str] = {
    "appending": PURE,
    "without a block": "(text) => setHistory((p) => [...p, text])",
    "the setter itself": "setHistory",
    "with a guard": f"(text) => {{\n  if (!text) return;\n  {APPEND}\n}}",
    "with a choice": (
        f'(text) => {{\n  if (text) {{\n    {APPEND}\n  }} else {{\n    setHistory((p) => [...p, "?"]);\n  }}\n}}'
    ),
    "with the variables": "(text, { message }) => setHistory((p) => [...p, message, text ?? `...`])",
    "replacing the last": '(text) => setHistory((p) => [...p.slice(0, -1), { role: "model", text }])',
    "by map": "(text) => setHistory((p) => p.map((turn) => (turn.isOpen ? { ...turn, text } : turn)))",
    "with a constant": f"(reply) => {{\n  const text = reply?.trim() ?? '';\n  {APPEND}\n}}",
    "with a block in the updater": (
        "(text) => setHistory((p) => {\n  const last = p.at(-1);\n  return last ? [...p, text] : [text];\n})"
    ),
    "with another state": "(text) => setHistory((p) => [...p, input, text])",
    "with what onMutate returned": "(text, _, context) => setHistory((p) => [...p, context?.sent, text])",
    "two states": f"(text) => {{\n  {APPEND}\n  setLast(text);\n}}",
    "async without a wait": f"async (text) => {{\n  {APPEND}\n}}",
    "a method": f"METHOD(text) {{\n  {APPEND}\n}}",
    "a named function": "show",
}
STATES = f"""\
{HISTORY}
const [last, setLast] = useState("");
const [input, setInput] = useState("");
const show = (text?: string) => {{
  {APPEND}
}};"""


@pytest.mark.parametrize("on_success", WHOLE.values(), ids=WHOLE)
def test_pure_updaters_run_as_they_stand(on_success: str) -> None:
    source = chat(on_success, above=STATES).replace("onSuccess: METHOD", "onSuccess")
    text = body_of(migrated(app(page=source)))
    assert "    live: true,\n" in text
    assert "const [history, setHistory] = useLiveState<Turn[]>([]);" in text
    assert 'const [input, setInput] = useState("");' in text


PARTS: dict[str, tuple[str, str]] = {
    "a refetch behind it": (
        f"(text) => {{\n  {APPEND}\n  void utils.invalidate();\n}}",
        f"live: (text) => {{\n      {APPEND}\n    }},",
    ),
    "a wait behind it": (
        f"async (text) => {{\n  {APPEND}\n  await utils.invalidate();\n}}",
        f"live: (text) => {{\n      {APPEND}\n    }},",
    ),
    "a field that is emptied": (
        f'(text, variables) => {{\n  {APPEND}\n  setInput("");\n}}',
        f"live: (text) => {{\n      {APPEND}\n    }},",
    ),
    "with the variables": (
        "(text, { message }) => {\n  setHistory((p) => [...p, message, text]);\n  scroll();\n}",
        "live: (text, { message }) => {\n      setHistory((p) => [...p, message, text]);\n    },",
    ),
    "the user's turn by itself": (
        f"(text, {{ message }}) => {{\n  setHistory((p) => [...p, message]);\n  log();\n  {APPEND}\n}}",
        f"live: (text, {{ message }}) => {{\n      setHistory((p) => [...p, message]);\n      {APPEND}\n    }},",
    ),
    "a guard and the constants it needs": (
        "(reply) => {\n  const id = nanoid();\n  const text = reply?.trim();\n"
        f"  if (!text) return;\n  {APPEND}\n  setLast(id);\n}}",
        f"live: (reply) => {{\n      const text = reply?.trim();\n      if (!text) return;\n      {APPEND}\n    }},",
    ),
}


@pytest.mark.parametrize(("on_success", "live"), PARTS.values(), ids=PARTS)
def test_of_an_on_success_that_does_more_only_what_shows_the_reply_runs(on_success: str, live: str) -> None:
    text = body_of(migrated(app(page=chat(on_success, above=STATES))))
    assert f"    {live}\n    onSuccess: " in text
    assert 'const [input, setInput] = useState("");' in text


HARMLESS: dict[str, str] = {
    "scrolling": "useEffect(() => {\n  ref.current?.scrollIntoView();\n}, [history]);",
    "scrolling by a function": (
        "const down = () => ref.current?.scrollTo(0, 9);\nuseEffect(() => {\n  down();\n}, [history]);"
    ),
    "a property": (
        "useEffect(() => {\n  if (ref.current && history.length) ref.current.scrollTop = 9;\n}, [history]);"
    ),
    "storage": 'useEffect(() => {\n  localStorage.setItem("h", JSON.stringify(history));\n}, [history]);',
    "another state": "useEffect(() => {\n  setOther(history.length);\n}, [history]);",
    "an effect of others": 'useEffect(() => {\n  void fetch("/log");\n}, [other]);',
    "a memo": "const users = useMemo(() => history.filter((turn) => turn.role), [history]);",
    "an updater elsewhere": "const clear = () => setHistory((p) => p.slice(1));",
    "a value elsewhere": "const clear = () => setHistory([]);",
    "the variables": "const go = () => send.mutate({ message: String(history.length) });",
}


@pytest.mark.parametrize("below", HARMLESS.values(), ids=HARMLESS)
def test_showing_a_state_is_no_reason_against_it(below: str) -> None:
    above = f"{HISTORY}\nconst [other, setOther] = useState(0);"
    assert reason(chat(PURE, above=above, below=below)) == ""


DEPENDENCIES: dict[str, tuple[str, str]] = {
    "none": ("useEffect(() => {\n  setHistory([]);\n}, []);", "}, [setHistory]);"),
    "some": ("const clear = useCallback(() => {\n  setHistory([]);\n}, [a]);", "}, [a, setHistory]);"),
    "there already": ("useEffect(() => {\n  setHistory([]);\n}, [setHistory]);", "}, [setHistory]);"),
    "not used": ("useEffect(() => {\n  other();\n}, []);", "}, []);"),
}


@pytest.mark.parametrize(("below", "expected"), DEPENDENCIES.values(), ids=DEPENDENCIES)
def test_hooks_name_a_setter_that_lint_no_longer_knows_as_stable(below: str, expected: str) -> None:
    assert body_of(migrated(app(page=chat(PURE, below=below)))).endswith(expected)


STATE_CALLS: dict[str, tuple[str, str]] = {
    "a type": ("useState<Turn[]>([])", "useLiveState<Turn[]>([])"),
    "no type": ("useState([])", "useLiveState([])"),
    "a function": ("useState(() => load())", "useLiveState(() => load())"),
    "no value": ("useState<Turn[]>()", "useLiveState<Turn[] | undefined>(undefined)"),
    "neither": ("useState()", "useLiveState(undefined)"),
    "by React": ("React.useState<Turn[]>([])", "useLiveState<Turn[]>([])"),
    "by another name": ("useLocal([])", "useLiveState([])"),
}


@pytest.mark.parametrize(("before", "after"), STATE_CALLS.values(), ids=STATE_CALLS)
def test_the_state_becomes_live(before: str, after: str) -> None:
    imports = 'import * as React from "react";\nimport { useState, useState as useLocal } from "react";'
    body = f"const [history, setHistory] = {before};\n{call(PURE)}"
    assert f"  const [history, setHistory] = {after};\n" in migrated(app(page=component(body, imports=imports)))


def test_use_state_is_imported_as_long_as_it_is_used() -> None:
    assert "useState }" not in migrated(app(page=chat(PURE)))
    assert "useState }" in migrated(app(page=chat(PURE, above=STATES)))


# --- a state that is left over

DEAD: dict[str, tuple[str, str, str]] = {
    "a list": (
        "const [messages, setMessages] = useState<string[]>([]);",
        "const send = api.chat.sendMessage.useMutation({ onSuccess: () => refetch() });",
        "const messages = send.partial ? [send.partial] : [];",
    ),
    "a text": (
        'const [messages] = useState("");',
        "const send = api.chat.sendMessage.useMutation();",
        "const messages = send.partial;",
    ),
    "with a pattern": (
        'const [messages] = useState("");',
        "const { mutate } = api.chat.sendMessage.useMutation();",
        "const messages = partial;",
    ),
}


@pytest.mark.parametrize(("state", "hook", "expected"), DEAD.values(), ids=DEAD)
def test_a_state_that_nothing_sets_any_more_shows_the_reply(state: str, hook: str, expected: str) -> None:
    source = component(f"{state}\n{hook}", jsx=SHOWN)
    text = body_of(migrated(app(page=source)))
    assert text.endswith(f"\n);\n{expected}")
    assert "useState" not in migrated(app(page=source))
    assert ("{ mutate, partial }" in text) == ("{ mutate }" in hook)
    outcome = plan(app(page=source))
    assert isinstance(outcome, Pending)
    assert outcome.leftovers == ()


def test_a_broken_pattern_gets_a_line_more() -> None:
    body = 'const [messages] = useState("");\nconst {\n  mutate,\n  isPending,\n} = api.chat.sendMessage.useMutation();'
    assert "const {\n  mutate,\n  isPending,\n  partial,\n} = use" in migrated_body(body, jsx=SHOWN)


@pytest.mark.parametrize("pattern", ["{ mutate, ...rest }", "{ mutate }, partial = 1"])
def test_a_pattern_without_room_is_left_alone(pattern: str) -> None:
    body = (
        f'const [messages] = useState("");\nconst {pattern.partition(", p")[0]} = api.chat.sendMessage.useMutation();'
    )
    more = "\nconst partial = 1;" if "partial" in pattern else ""
    assert "const messages" not in migrated_body(body + more, jsx=SHOWN)


NOT_DEAD: dict[str, str] = {
    "set somewhere": 'const [messages, setMessages] = useState("");\nconst clear = () => setMessages("");',
    "not empty": 'const [messages] = useState("hello");',
    "no text": "const [messages] = useState<number[]>([]);",
    "two of them": 'const [messages] = useState("");\nconst [more] = useState("");\nconst shown = <p>{more}</p>;',
    "declared with another": 'const [messages] = useState(""), [other] = useState(1);',
    "with something behind it": 'const [messages] = useState(""); log();',
    "not shown": 'const [unseen] = useState("");\nconst messages = 1;',
}


@pytest.mark.parametrize("above", NOT_DEAD.values(), ids=NOT_DEAD)
def test_any_other_state_stays(above: str) -> None:
    hook = "const send = api.chat.sendMessage.useMutation();"
    body = f"{above.split(chr(10))[0]}\n{hook}\n" + "\n".join(above.split("\n")[1:])
    if "more" in above:
        body = f"{above.rsplit(chr(10), 1)[0]}\n{hook}\n{above.rsplit(chr(10), 1)[1]}"
    source = component(body, jsx=SHOWN)
    assert "partial" not in migrated(app(page=source))


def test_a_reply_that_is_typed_out_is_not_shown_a_second_time() -> None:
    on_success = "(text) => {\n  setInterval(() => setHistory(text), 20);\n}"
    source = component(f'{HISTORY}\nconst [messages] = useState("");\n{call(on_success)}', jsx=SHOWN)
    assert "onSuccess types the finished text out by itself" in reason(source)


@pytest.mark.parametrize("start", ["", "const timer = "])
def test_typing_a_finished_text_out_is_to_be_taken_out(start: str) -> None:
    on_success = f"(text) => {{\n  {start}setInterval(() => setHistory(text), 20);\n}}"
    outcome = plan(app(page=chat(on_success)))
    assert isinstance(outcome, Pending)
    assert outcome.leftovers[0].how.endswith(
        "while the mutation is pending, and let onSuccess set the whole text at once"
    )
