"""Migration 5: the component's call of the chat through the hook that can stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrations.engine import Applied, AppView, Blocked, NotApplicable, Pending, make_plan
from migrations.hints import AppHints
from migrations.m5_component import StreamingComponent
from tests.migrations.component_apps import (
    COMPONENT,
    HISTORY_INPUT,
    ROOT,
    ROUTER,
    YIELD_ITEM,
    YIELD_TEXT,
    app,
    body_of,
    component,
    migrated,
    migrated_body,
    plan,
    router,
)

PLAIN = "const send = api.chat.sendMessage.useMutation();"
HISTORY = "const [history, setHistory] = useState<Turn[]>([]);"
LIGHTS = 'import { dispatch } from "~/lib/lights";'
LIGHTS_FILE = "src/lib/lights.ts"


def blocked(files: dict[str, bytes], hints: AppHints | None = None) -> Blocked:
    outcome = plan(files, hints)
    assert isinstance(outcome, Blocked), outcome
    return outcome


def pending(files: dict[str, bytes], hints: AppHints | None = None) -> Pending:
    outcome = plan(files, hints)
    assert isinstance(outcome, Pending), outcome
    return outcome


def page(body: str = PLAIN) -> dict[str, bytes]:
    return app(page=component(body))


# --- where nothing may change


def test_without_a_chat_there_is_nothing_to_do() -> None:
    files = app(page=component(PLAIN)) | {ROUTER: b"export const chatRouter = {};\n"}
    assert isinstance(plan(files), NotApplicable)


def test_a_procedure_that_no_page_calls_needs_no_hook() -> None:
    assert plan(app()) == NotApplicable("no page calls chat.sendMessage")


def test_a_call_in_a_test_is_no_page() -> None:
    assert isinstance(plan(app({"src/chat.test.tsx": component(PLAIN)})), NotApplicable)


def test_a_page_that_subscribes_itself_needs_no_hook() -> None:
    reads = "api.chat.sendMessageStream.useSubscription({ message: draft }, { onData: show });"
    outcome = plan(page(f"{PLAIN}\n{reads}"))
    assert isinstance(outcome, NotApplicable)
    assert "subscribes to chat.sendMessageStream itself" in outcome.reason
    was_disabled = page(f"{PLAIN}\n// {reads}")
    assert COMPONENT in {change.path for change in pending(was_disabled).changes}


def test_a_procedure_of_the_same_name_in_another_router_is_not_touched() -> None:
    root = ROOT.replace("  chat: chatRouter,", "  chat: chatRouter,\n  mail: mailRouter,")
    mail = router().replace("chatRouter", "mailRouter").replace("ai.chat.completions", "db.mail")
    body = "const send = api.mail.sendMessage.useMutation();"
    other = app({"src/server/api/root.ts": root, "src/mail.ts": mail}, page=component(body))
    assert isinstance(plan(other, AppHints(mutation=f"{ROUTER}:sendMessage")), NotApplicable)


def test_an_object_that_is_no_trpc_client_is_not_touched() -> None:
    client = "export const api = { chat: { sendMessage: { useMutation: () => null } } };\n"
    assert isinstance(plan(app({"src/trpc/react.tsx": client}, page=component(PLAIN))), NotApplicable)


def test_a_name_of_the_component_itself_is_not_the_client() -> None:
    body = "const api = fake();\nconst send = api.chat.sendMessage.useMutation();"
    source = component(body).replace('import { api } from "~/trpc/react";\n', "")
    assert isinstance(plan(app(page=source)), NotApplicable)


def test_trpc_10_is_refused() -> None:
    files = page() | {"package.json": b'{"dependencies": {"@trpc/server": "^10.45.0"}}\n'}
    assert blocked(files).reason == "tRPC 10: the kit needs tRPC 11"


def test_javascript_apps_are_refused() -> None:
    files = {path: data for path, data in page().items() if path != "tsconfig.json"}
    files[COMPONENT] = files[COMPONENT].replace(b"~/trpc", b"../trpc")
    files["src/server/api/root.ts"] = files["src/server/api/root.ts"].replace(b"~/server/api", b".")
    assert "tsconfig.json" in blocked(files).reason


def test_a_file_with_a_syntax_error_is_not_edited() -> None:
    files = page() | {COMPONENT: component(PLAIN + "\nconst = ;").encode()}
    assert blocked(files) == Blocked("the file has a syntax error", COMPONENT, 8, "mend it")


def test_a_subscription_that_is_not_live_is_waited_for() -> None:
    lines = router().split("\n")
    at = next(number for number, line in enumerate(lines) if "sendMessageStream" in line)
    commented = [f"  // {line[2:]}" if at <= number < len(lines) - 2 else line for number, line in enumerate(lines)]
    found = blocked(app(page=component(PLAIN), chat="\n".join(commented)))
    assert "no live subscription" in found.reason
    assert (found.file, found.line) == (ROUTER, at + 1)


def test_an_app_with_only_the_mutation_is_waited_for() -> None:
    found = blocked(app(page=component(PLAIN), chat=router(stream="")))
    assert "no live subscription" in found.reason


def test_mutation_options_are_refused_with_their_place() -> None:
    source = component("const trpc = useTRPC();\nconst send = useMutation(trpc.chat.sendMessage.mutationOptions());")
    source = source.replace("{ api }", "{ useTRPC }")
    made = 'import { createTRPCContext } from "@trpc/tanstack-react-query";\n'
    client = f"{made}export const {{ useTRPC }} = createTRPCContext();\n"
    found = blocked(app({"src/trpc/react.tsx": client}, page=source))
    assert (found.file, found.line) == (COMPONENT, 8)
    assert "`mutationOptions`" in found.reason


def test_a_vanilla_call_is_refused_with_its_place() -> None:
    client = 'import { createTRPCClient } from "@trpc/client";\nexport const api = createTRPCClient({ links: [] });\n'
    body = 'const send = () => api.chat.sendMessage.mutate({ message: "hi" });'
    found = blocked(app({"src/trpc/react.tsx": client}, page=component(body)))
    assert (found.file, found.line) == (COMPONENT, 7)
    assert "`mutate`" in found.reason


def test_a_field_that_the_component_does_not_have_is_refused() -> None:
    found = blocked(app(page=component(PLAIN), chat=router(stream_input=HISTORY_INPUT)))
    assert (found.file, found.line) == (COMPONENT, 7)
    assert "needs `history`" in found.reason


def test_a_state_of_that_name_and_another_kind_is_not_that_field() -> None:
    body = f'const [history, setHistory] = useState("");\n{PLAIN}'
    assert "needs `history`" in blocked(app(page=component(body), chat=router(stream_input=HISTORY_INPUT))).reason


def test_a_field_that_the_mutation_may_leave_out_is_refused_where_the_stream_needs_it() -> None:
    chat = router(
        mutation_input="z.object({ message: z.string(), tone: z.string().optional() })",
        stream_input="z.object({ trackId: z.string(), message: z.string(), tone: z.string() })",
    )
    assert "without `tone`" in blocked(app(page=component(PLAIN), chat=chat)).reason


def test_a_stream_without_track_id_is_refused() -> None:
    chat = router(stream_input="z.object({ message: z.string() })")
    assert "no trackId" in blocked(app(page=component(PLAIN), chat=chat)).reason


def test_an_input_that_is_no_object_is_refused() -> None:
    found = blocked(app(page=component(PLAIN), chat=router(mutation_input="z.string()")))
    assert found.file == ROUTER
    assert "chat.sendMessage is not a z.object" in found.reason


@pytest.mark.parametrize(
    "returns",
    [
        "return await db.message.create({ data: {} });",
        "return { id: row.id, reply: completion.choices[0]?.message.content };",
        "return { reply: completion.choices[0]?.message.content, at: new Date() };",
        "return [completion.choices[0]?.message.content];",
        "return `${completion.id}`;",
        "return completion.choices[0]!.message.content!.slice(0, 100);",
        "if (!completion) return { error: true };\n      return { reply: completion.choices[0]?.message.content };",
    ],
)
def test_a_value_that_is_more_than_the_text_is_refused(returns: str) -> None:
    found = blocked(app(page=component(PLAIN), chat=router(returns=returns)))
    assert (found.file, found.line) == (ROUTER, 9)
    assert "cannot be made of the reply's text alone" in found.reason


def test_a_stream_without_text_is_refused() -> None:
    chat = router(yields="yield { kind: 1, note: 2 };")
    assert "yields has no text" in blocked(app(page=component(PLAIN), chat=chat)).reason


def test_of_two_components_none_is_changed_where_one_is_not_understood() -> None:
    files = app(
        {"src/other.tsx": component(PLAIN)},
        page=component(f"{HISTORY}\n{PLAIN}"),
        chat=router(stream_input=HISTORY_INPUT),
    )
    found = blocked(files)
    assert found.file == "src/other.tsx"
    files["src/third.tsx"] = files["src/other.tsx"]
    assert "(and so in src/third.tsx:7)" in blocked(files).reason


def test_what_is_migrated_is_left_alone() -> None:
    plan_of = make_plan(AppView.of_files(page()), [StreamingComponent()])
    assert [step.state for step in plan_of.steps] == ["pending"]
    again = make_plan(plan_of.after, [StreamingComponent()])
    assert [step.state for step in again.steps] == ["applied"]
    assert [(left.what, left.how) for left in again.leftovers] == [(left.what, left.how) for left in plan_of.leftovers]
    assert plan_of.leftovers != ()


# --- the call

CALLS: dict[str, tuple[str, str]] = {
    "no options": (
        PLAIN,
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
  },
);""",
    ),
    "empty options": (
        "const send = api.chat.sendMessage.useMutation({});",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
  },
);""",
    ),
    "options elsewhere": (
        "const send = api.chat.sendMessage.useMutation(options);",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
    ...options,
  },
);""",
    ),
    "options chosen": (
        "const send = api.chat.sendMessage.useMutation(loud ? a : b);",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
    ...(loud ? a : b),
  },
);""",
    ),
    "options on one line": (
        "const send = api.chat.sendMessage.useMutation({ onError, retry: 2, ...rest });",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
    onError,
    retry: 2,
    ...rest,
  },
);""",
    ),
    "destructured": (
        "const { mutate, isPending } = api.chat.sendMessage.useMutation();",
        """\
const { mutate, isPending } = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
  },
);""",
    ),
    "a type argument, which the hook infers": (
        "const send = api.chat.sendMessage.useMutation<Context>();",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
  },
);""",
    ),
    "a broken chain": (
        """\
const send = api.chat.sendMessage
  .useMutation({
    onError: (error) => {
      report(error);
    },
  });""",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
    onError: (error) => {
      report(error);
    },
  },
);""",
    ),
    "behind the equals sign of a line before": (
        """\
const { mutateAsync: send } =
  api.chat.sendMessage.useMutation({
    retry: 1,
  });""",
        """\
const { mutateAsync: send } = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
    retry: 1,
  },
);""",
    ),
    "a target that leaves no room": (
        "const { mutateAsync: sendTheMessage, isPending: isTheMessageSending } = api.chat.sendMessage.useMutation();",
        """\
const { mutateAsync: sendTheMessage, isPending: isTheMessageSending } =
  useStreamingMutation(api.chat.sendMessage, api.chat.sendMessageStream, {
    input: (variables, trackId) => ({ ...variables, trackId }),
  });""",
    ),
    "comments and literals": (
        """\
const send = api.chat.sendMessage.useMutation({ // why
  // before
  onError: () => {
    report(`one
  two ${"x"}
three`); /* behind */
  },
  /* last */
});""",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    // why
    input: (variables, trackId) => ({ ...variables, trackId }),
    // before
    onError: () => {
      report(`one
  two ${"x"}
three`); /* behind */
    },
    /* last */
  },
);""",
    ),
    "a line that gets too long": (
        """\
const send = api.chat.sendMessage.useMutation({
  onMutate: ({ message }) => {
    setTurns((turns) => [...turns, { role: "user", text: message, at: 123 }]);
  },
  onError: (error) => showTheError({ title: error.message, text: "Failed" }),
});""",
        """\
const send = useStreamingMutation(
  api.chat.sendMessage,
  api.chat.sendMessageStream,
  {
    input: (variables, trackId) => ({ ...variables, trackId }),
    onMutate: ({ message }) => {
      setTurns((turns) => [
        ...turns,
        { role: "user", text: message, at: 123 },
      ]);
    },
    onError: (error) =>
      showTheError({ title: error.message, text: "Failed" }),
  },
);""",
    ),
}


@pytest.mark.parametrize(("before", "after"), CALLS.values(), ids=CALLS)
def test_the_call_is_rewritten_and_its_options_stay(before: str, after: str) -> None:
    assert migrated_body(before).replace("  two", "two").replace("three", "three") == after.replace("  two", "two")


def test_the_lines_inside_a_template_literal_do_not_move() -> None:
    body = "const send = api.chat.sendMessage.useMutation({\n  onError: () => report(`a\n  b\nc`),\n});"
    source = component(body)
    assert "report(`a\n    b\n  c`)" in source
    assert "report(`a\n    b\n  c`)" in migrated(app(page=source))


def test_short_names_keep_the_options_where_they_are() -> None:
    body = "const ask = api.chat.ask.useMutation({\n  retry: 1,\n});"
    assert migrated_body(body, name="ask") == (
        "const ask = useStreamingMutation(api.chat.ask, api.chat.askStream, {\n"
        "  input: (variables, trackId) => ({ ...variables, trackId }),\n"
        "  retry: 1,\n"
        "});"
    )


def test_imports_come_in_their_order_and_the_kit_with_them() -> None:
    outcome = pending(app(page=component(PLAIN), has_kit=False))
    paths = [change.path for change in outcome.changes]
    assert "src/relay-kit/client/use-streaming-mutation.ts" in paths
    assert "src/relay-kit/client/relay-link.ts" in paths
    text = migrated(page())
    assert (
        text.index('from "react"') < text.index("relay-kit/client/use-streaming-mutation") < text.index("~/trpc/react")
    )


def test_the_client_may_have_any_name() -> None:
    source = component(PLAIN.replace("api.", "trpc.")).replace("{ api }", "{ api as trpc }")
    assert "trpc.chat.sendMessage,\n    trpc.chat.sendMessageStream," in migrated(app(page=source))


def test_a_custom_hook_is_a_component_too() -> None:
    hook = 'import { api } from "~/trpc/react";\n\nexport const useSend = () => api.chat.sendMessage.useMutation();\n'
    files = app({"src/hooks/use-send.ts": hook})
    assert migrated(files, "src/hooks/use-send.ts").endswith(
        "export const useSend = () =>\n"
        "  useStreamingMutation(api.chat.sendMessage, api.chat.sendMessageStream, {\n"
        "    input: (variables, trackId) => ({ ...variables, trackId }),\n"
        "  });\n"
    )


def test_a_component_that_is_named_is_the_only_one_that_changes() -> None:
    files = app({"src/other.tsx": component(PLAIN)}, page=component(PLAIN))
    every = [change.path for change in pending(files).changes]
    named = [change.path for change in pending(files, AppHints(component="src/other.tsx")).changes]
    assert (every, named) == ([COMPONENT, "src/other.tsx"], ["src/other.tsx"])


def test_a_second_run_takes_what_was_added_meanwhile() -> None:
    first = make_plan(AppView.of_files(page()), [StreamingComponent()]).after
    later = first.with_changes({"src/other.tsx": component(PLAIN).encode()})
    outcome = StreamingComponent().plan(later)
    assert isinstance(outcome, Pending)
    assert [change.path for change in outcome.changes] == ["src/other.tsx"]


# --- input, result, text

INPUTS: dict[str, tuple[str, str, str, str]] = {
    "a state": (HISTORY, "{ message: z.string() }", "", "({ message }, trackId) => ({ message, trackId, history })"),
    "an optional field that is not there": (
        "",
        "{ message: z.string() }",
        "tone: z.string().optional()",
        "(variables, trackId) => ({ ...variables, trackId })",
    ),
    "a field that is filled in by tRPC": (
        "",
        "{ message: z.string() }",
        "lastEventId: z.string().nullish()",
        "(variables, trackId) => ({ ...variables, trackId })",
    ),
    "a constant": (
        'const tone = "dry";',
        "{ message: z.string() }",
        "tone: z.string()",
        "({ message }, trackId) => ({ message, trackId, tone })",
    ),
    "a variable that the stream does not want": (
        "",
        "{ message: z.string(), draft: z.boolean() }",
        "",
        "({ message }, trackId) => ({ message, trackId })",
    ),
    "a track id in both": (
        "",
        "{ message: z.string(), trackId: z.string() }",
        "",
        "(variables, trackId) => ({ ...variables, trackId })",
    ),
}


@pytest.mark.parametrize(("above", "mutation", "more", "expected"), INPUTS.values(), ids=INPUTS)
def test_the_input_comes_from_the_variables_and_the_component(
    above: str, mutation: str, more: str, expected: str
) -> None:
    stream = HISTORY_INPUT if above == HISTORY else f"z.object({{ trackId: z.string(), message: z.string(), {more} }})"
    text = migrated_body(f"{above}\n{PLAIN}".strip(), mutation_input=f"z.object({mutation})", stream_input=stream)
    assert f"    input: {expected},\n" in text


def test_a_long_input_is_broken_as_a_formatter_breaks_it() -> None:
    keys = ["message", "conversation", "temperature", "maximum", "assistant"]
    fields = ", ".join(f"{key}: z.string()" for key in keys)
    text = migrated_body(
        PLAIN,
        mutation_input=f"z.object({{ {fields}, draft: z.string() }})",
        stream_input=f"z.object({{ trackId: z.string(), {fields} }})",
    )
    assert (
        "    input: (variables, trackId) => ({\n"
        "      message: variables.message,\n"
        "      conversation: variables.conversation,\n"
        "      temperature: variables.temperature,\n"
        "      maximum: variables.maximum,\n"
        "      assistant: variables.assistant,\n"
        "      trackId,\n"
        "    }),\n"
    ) in text


RESULTS: dict[str, tuple[str, str]] = {
    "text": ("return completion.choices[0]?.message.content;", ""),
    "text with a default": ('return completion.choices[0]?.message.content ?? "";', ""),
    "text that is tidied": ("return completion.choices[0]!.message.content!.trim();", "(text) => text.trim()"),
    "text by a constant": ("const text = completion.choices[0]?.message.content;\n      return text;", ""),
    "text by its type": ("return (await anything()) as string;", ""),
    "a template": ("return `${completion.choices[0]?.message.content}`;", ""),
    "text or nothing": ("if (!completion) return null;\n      return completion.choices[0]?.message.content;", ""),
    "an object": ("return { reply: completion.choices[0]?.message.content };", "(text) => ({ reply: text })"),
    "an object with fixed values": (
        'const reply = completion.choices[0]?.message.content;\n      return { success: true, role: "model", reply };',
        '(text) => ({ success: true, role: "model", reply: text })',
    ),
    "nothing": ("await db.save(completion);", "() => undefined"),
    "only fixed values": ("return { success: true };", "() => ({ success: true })"),
}


@pytest.mark.parametrize(("returns", "option"), RESULTS.values(), ids=RESULTS)
def test_the_result_is_what_the_mutation_would_have_returned(returns: str, option: str) -> None:
    text = migrated_body(PLAIN, returns=returns)
    assert (f"    result: {option},\n" in text) if option else ("result:" not in text)


YIELDS: dict[str, tuple[str, str]] = {
    "tracked text": (YIELD_TEXT, ""),
    "a string": ('yield "a";', ""),
    "an object by another name": ("yield { content: part };", "(value) => value.content"),
    "text and its end": (
        'yield { delta: part, done: false };\n      yield { delta: "", done: true };',
        "(value) => value.delta",
    ),
}


@pytest.mark.parametrize(("yields", "option"), YIELDS.values(), ids=YIELDS)
def test_text_in_another_field_is_named(yields: str, option: str) -> None:
    text = migrated_body(PLAIN, yields=yields)
    assert (f"    text: {option},\n" in text) if option else ("    text:" not in text)


def test_values_that_may_not_be_text_are_left_to_a_person() -> None:
    files = app(page=component(PLAIN), chat=router(yields="for await (const part of parts()) yield part;"))
    leftover = pending(files).leftovers[-1]
    assert leftover.what == f"chat.sendMessageStream yields a value that may not be text ({ROUTER}:24)"


# --- items that are not text

HANDLERS: dict[str, tuple[str, str]] = {
    "by an inline type": ("export function dispatch(event: { name: string; parameters: object }) {}", "dispatch(item)"),
    "by a named type": (
        "type Light = { name: string; at?: number };\nexport const dispatch = (light: Light) => {};",
        "dispatch(item)",
    ),
    "by an interface": (
        "interface Light {\n  name: string;\n}\nexport function dispatch(light: Light) {}",
        "dispatch(item)",
    ),
    "by its parameters": (
        "export function dispatch(name: string, parameters: object) {}",
        "dispatch(item.name, item.parameters)",
    ),
    "by one parameter": ("export function dispatch(name: string, loud = false) {}", "dispatch(item.name)"),
    "async": ("export async function dispatch(name: string) {}", "void dispatch(item.name)"),
    "another type": ("export function dispatch(event: { id: string }) {}", ""),
    "another parameter": ("export function dispatch(id: string) {}", ""),
    "no type": ("export function dispatch(event) {}", ""),
    "no parameters": ("export function dispatch() {}", ""),
    "no function": ("export const dispatch = 1;", ""),
}


@pytest.mark.parametrize(("handler", "call"), HANDLERS.values(), ids=HANDLERS)
def test_items_reach_the_handler_that_fits(handler: str, call: str) -> None:
    files = app(
        {LIGHTS_FILE: f"{handler}\n"},
        page=component(PLAIN, imports=LIGHTS),
        chat=router(yields=f"{YIELD_TEXT}\n      {YIELD_ITEM}"),
    )
    text = body_of(migrated(files))
    leftovers = [leftover.what for leftover in pending(files).leftovers if "no text" in leftover.what]
    if call:
        assert f"    onItem: (item) => {{\n      {call};\n    }},\n" in text
        assert leftovers == []
    else:
        assert "onItem" not in text
        assert leftovers == ["chat.sendMessageStream also yields what is no text (function-call), and nothing takes it"]


def test_a_handlers_type_may_be_imported() -> None:
    files = app(
        {
            LIGHTS_FILE: 'import type { Light } from "./types";\n\nexport const dispatch = (light: Light) => {};\n',
            "src/lib/types.ts": "export type Light = { name: string };\n",
        },
        page=component(PLAIN, imports=LIGHTS),
        chat=router(yields=f"{YIELD_TEXT}\n      {YIELD_ITEM}"),
    )
    assert "dispatch(item);" in migrated(files)


def test_a_handler_that_is_still_called_elsewhere_is_not_taken() -> None:
    files = app(
        {LIGHTS_FILE: "export function dispatch(name: string) {}\n"},
        page=component(f'{PLAIN}\ndispatch("on");', imports=LIGHTS),
        chat=router(yields=f"{YIELD_TEXT}\n      {YIELD_ITEM}"),
    )
    assert "onItem" not in migrated(files)


def test_of_two_handlers_that_fit_none_is_taken() -> None:
    files = app(
        {LIGHTS_FILE: "export function dispatch(name: string) {}\nexport function other(name: string) {}\n"},
        page=component(PLAIN, imports='import { dispatch, other } from "~/lib/lights";'),
        chat=router(yields=f"{YIELD_TEXT}\n      {YIELD_ITEM}"),
    )
    assert "onItem" not in migrated(files)


def test_a_stream_of_text_alone_needs_no_handler() -> None:
    files = app({LIGHTS_FILE: "export function dispatch(name: string) {}\n"}, page=component(PLAIN, imports=LIGHTS))
    assert "onItem" not in migrated(files)


# --- what is left to a person


def test_a_reply_that_is_not_shown_is_listed_until_its_text_is_used() -> None:
    files = page()
    outcome = pending(files)
    (leftover,) = outcome.leftovers
    assert (leftover.file, leftover.what) == (
        COMPONENT,
        "the reply grows in `send.partial`, which nothing shows yet: there is no onSuccess that puts it into a state",
    )
    assert "useMutation()" in files[COMPONENT].decode().split("\n")[leftover.line - 1]
    after = AppView.of_files(files | {c.path: c.after for c in outcome.changes if c.after is not None})
    lines = (after.read(COMPONENT) or b"").decode().split("\n")
    applied = StreamingComponent().plan(after)
    assert isinstance(applied, Applied)
    assert "useStreamingMutation(" in lines[applied.leftovers[0].line - 1]
    assert applied == Applied((replace(leftover, line=applied.leftovers[0].line),))
    shown = (after.read(COMPONENT) or b"").replace(b"{history.length}", b"{send.partial}")
    assert StreamingComponent().plan(after.with_changes({COMPONENT: shown})) == Applied()


def test_the_reason_names_the_line_as_the_file_stands_in_a_plan_and_afterwards() -> None:
    body = f"""\
{HISTORY}
const other = api.chat.sendMessage.useMutation({{ onSuccess: (text) => setHistory([text]) }});
const send = api.chat.sendMessage.useMutation({{
  onSuccess: (text) => {{
    setHistory((prev) => [...prev, toTurn(text)]);
  }},
}});"""
    files = page(body)
    outcome = pending(files)
    (leftover,) = outcome.leftovers
    after = AppView.of_files(files | {c.path: c.after for c in outcome.changes if c.after is not None})
    applied = StreamingComponent().plan(after)
    assert isinstance(applied, Applied)
    for told, file in ((leftover, files[COMPONENT]), (applied.leftovers[0], after.read(COMPONENT) or b"")):
        lines = file.decode().split("\n")
        what, line = told.what.removesuffix(")").rsplit(" (line ", 1)
        assert what.endswith("nothing shows yet: onSuccess cannot be replayed once a frame, as it calls `toTurn(...)`")
        assert "toTurn(text)" in lines[int(line) - 1]
        assert "send = " in lines[told.line - 1]


def test_a_custom_hooks_reply_may_be_shown_where_it_is_used() -> None:
    hook = 'import { api } from "~/trpc/react";\n\nexport const useSend = () => api.chat.sendMessage.useMutation();\n'
    user = 'import { useSend } from "~/hooks/use-send";\n\nexport const Chat = () => useSend().partial;\n'
    files = app({"src/hooks/use-send.ts": hook})
    assert len(pending(files).leftovers) == 1
    assert pending(files | {"src/components/chat.tsx": user.encode()}).leftovers == ()


def test_another_way_of_calling_it_is_listed() -> None:
    client = app()["src/trpc/react.tsx"].decode() + (
        'import { createTRPCClient } from "@trpc/client";\nexport const vanilla = createTRPCClient({ links: [] });\n'
    )
    other = 'import { vanilla } from "~/trpc/react";\n\nexport const ask = () => vanilla.chat.sendMessage.mutate({});\n'
    files = app({"src/trpc/react.tsx": client, "src/ask.ts": other}, page=component(PLAIN))
    assert ("src/ask.ts", 3) in [(leftover.file, leftover.line) for leftover in pending(files).leftovers]


# --- formats


def _format(text: str, *, newline: str = "\n", indent: str = "  ", quote: str = '"', semicolons: bool = True) -> str:
    lines = []
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        bare = bare.replace('"', quote)
        lines.append(indent * ((len(line) - len(bare)) // 2) + (bare if semicolons else bare.removesuffix(";")))
    return newline.join(lines)


def written_as(text: str, form: dict[str, object]) -> str:
    """A file in one of the `FORMATS`."""
    return _format(text, **form)  # type: ignore[arg-type]


FORMATS: dict[str, dict[str, object]] = {
    "crlf": {"newline": "\r\n"},
    "tabs": {"indent": "\t"},
    "four spaces": {"indent": "    "},
    "single quotes": {"quote": "'"},
    "no semicolons": {"semicolons": False},
    "all": {"newline": "\r\n", "indent": "\t", "quote": "'", "semicolons": False},
}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", ""], ids=["final newline", "no final newline"])
def test_every_format_is_kept(form: dict[str, object], mark: str, end: str) -> None:
    body = f"""\
{HISTORY}
const send = api.chat.sendMessage.useMutation({{
  onSuccess: (text) => {{
    setHistory((prev) => [...prev, {{ role: "model", text }}]);
    refresh();
  }},
}});"""
    source = component(body, imports='import { useState } from "react";\nimport { dispatch } from "~/lib/lights";')
    chat = router(stream_input=HISTORY_INPUT, yields=f"{YIELD_TEXT}\n      {YIELD_ITEM}")
    lights = {LIGHTS_FILE: "export function dispatch(name: string) {}\n"}

    def written(text: str) -> str:
        return mark + written_as(text.removesuffix("\n") + end, form)

    expected = migrated(app(lights, page=source, chat=chat))
    assert migrated(app(lights, page=written(source), chat=chat)) == written(expected)
