from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrations.engine import Applied, AppView, Blocked, NotApplicable, Outcome, Pending, make_plan
from migrations.hints import AppHints
from migrations.m3_procedure import StreamingProcedure
from tests.migrations.engine.apps import FORMATS
from tests.migrations.procedure_app import (
    IMPORTS,
    MUTATION,
    PACKAGE,
    PAGE,
    ROOT,
    ROUTE,
    ROUTE_TEXT,
    ROUTER,
    STREAM,
    TRPC,
    WRAPPED,
    WRAPPED_IMPORTS,
    app,
    commented,
    commented_router,
    router,
    view,
)

KIT = tuple(
    f"src/relay-kit/{name}"
    for name in ("server/publisher.ts", "server/reply-log.ts", "server/through-relay.ts", "shared.ts")
)
NEW_ROUTE = ROUTE_TEXT.replace("router: appRouter,\n", "router: appRouter,\n    allowMethodOverride: true,\n")


def plan(app_view: AppView, **hints: str) -> Outcome:
    return StreamingProcedure(AppHints(**hints)).plan(app_view)


def after(app_view: AppView, **hints: str) -> AppView:
    """The app with the migration applied, planned as the engine does, which checks the result."""
    made = make_plan(app_view, [StreamingProcedure(AppHints(**hints))])
    assert made.steps[0].state == "pending", made.steps[0].reason
    return made.after


def text(app_view: AppView, path: str = ROUTER) -> str:
    return (app_view.read(path) or b"").decode()


def refusal(outcome: Outcome) -> tuple[str, str, int]:
    assert isinstance(outcome, Blocked), outcome
    assert outcome.next_step
    return outcome.reason, outcome.file, outcome.line


# --- nothing may change


def test_an_app_that_streams_already_is_left_alone() -> None:
    done = after(view())
    assert plan(done) == Applied()
    made = make_plan(done, [StreamingProcedure()])
    assert (made.files, made.diff()) == ((), "")


@pytest.mark.parametrize("name", FORMATS)
def test_a_second_run_changes_nothing_in_every_format(name: str) -> None:
    form = FORMATS[name]
    done = after(view(commented_router(form), form))
    assert plan(done) == Applied()


def test_an_app_without_a_chat_has_nothing_for_it() -> None:
    outcome = plan(view(router('  hello: publicProcedure.query(() => "hi"),\n')))
    assert isinstance(outcome, NotApplicable)


def test_a_router_file_that_is_commented_out_whole_is_named_with_its_line() -> None:
    outcome = plan(view(commented(router(MUTATION, STREAM), "marks")))
    assert isinstance(outcome, NotApplicable)
    assert f"{ROUTER}:24" in outcome.reason


@pytest.mark.parametrize("version", ["^10.45.2", "10.x", "~10.0.0", "10"])
def test_trpc_10_is_refused(version: str) -> None:
    manifest = PACKAGE | {"dependencies": {"@trpc/server": version}}
    assert refusal(plan(view(others={"package.json": json.dumps(manifest).encode()}))) == (
        "tRPC 10: the kit needs tRPC 11",
        "package.json",
        0,
    )


@pytest.mark.parametrize("version", ["^11.0.0", "11.0.0-rc.446", "next", "catalog:", "workspace:*"])
def test_what_is_or_may_be_trpc_11_is_taken(version: str) -> None:
    manifest = PACKAGE | {"dependencies": {"@trpc/server": version}}
    assert isinstance(plan(view(others={"package.json": json.dumps(manifest).encode()})), Pending)


def test_an_app_in_javascript_is_refused() -> None:
    assert refusal(plan(view(others={"tsconfig.json": None})))[0].startswith("the app has no tsconfig.json")


def stream(
    argument: str = "async function* ({ input }) {\n      yield input.message;\n    }",
    before: str = "",
    schema: str = "",
) -> str:
    schema = schema or "z.object({ trackId: z.string(), message: z.string() })"
    return f"  sendMessageStream: publicProcedure\n    .input({schema}){before}\n    .subscription({argument}),\n"


REFUSED = {
    "an observable": (
        stream("() => observable((emit) => emit.next(ai))"),
        "the subscription chat.sendMessageStream is written with observable(), which tRPC 11 gives up",
        19,
    ),
    "a generator that is not async": (
        stream("function* ({ input }) {\n      yield input.message;\n    }"),
        "the generator of chat.sendMessageStream is not async",
        19,
    ),
    "a generator that returns a value": (
        stream("async function* ({ input }) {\n      yield 1;\n      return input.message;\n    }"),
        "the generator of chat.sendMessageStream returns a value, which no client ever sees",
        21,
    ),
    "another wrapper": (
        stream("limited(async function* ({ input }) {\n      yield input.message;\n    })"),
        "the subscription chat.sendMessageStream goes through a function that is not known",
        19,
    ),
    "an output schema": (
        stream(before="\n    .output(z.string())"),
        "the output of chat.sendMessageStream is checked by .output(), which does not know what goes over the relay",
        19,
    ),
    "no input": (
        "  sendMessageStream: publicProcedure.subscription(async function* () {\n    yield 1;\n  }),\n",
        "chat.sendMessageStream takes no input, and a reply over the relay needs a trackId",
        17,
    ),
    "an input that is no object": (stream(schema="z.string()"), "the input is no object", 18),
    "an input of another library": (
        stream(schema='type({ trackId: "string" })'),
        "the input's schema is not written so that its trackId can be found",
        18,
    ),
    "a track id that is a number": (stream(schema="z.object({ trackId: z.number() })"), "trackId is no string", 18),
    "a syntax error in the procedure": (
        stream("async function* ({ input }) {\n      const = 1;\n      yield input.message;\n    }"),
        "there is a syntax error here",
        20,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_well_enough_is_refused_with_its_line(name: str) -> None:
    member, reason, line = REFUSED[name]
    assert refusal(plan(view(router(MUTATION, member)))) == (reason, ROUTER, line)


def test_a_name_that_the_commented_code_uses_and_nobody_has_is_refused() -> None:
    body = router(MUTATION, commented(STREAM.replace("{ role: ", "lampTurn,\n            { role: ", 1)))
    reason, file, line = refusal(plan(view(body)))
    assert (reason, file) == (
        "chat.sendMessageStream uses lampTurn, which is neither declared nor imported",
        ROUTER,
    )
    assert "lampTurn" in body.splitlines()[line - 1]


def test_a_name_that_is_ambient_is_not_missing() -> None:
    body = router(MUTATION, commented(STREAM.replace("{ role: ", "lampTurn,\n            { role: ", 1)))
    assert isinstance(plan(view(body, others={"src/types.d.ts": "declare const lampTurn: string;\n"})), Pending)


def test_a_subscription_that_is_commented_out_beyond_repair_is_refused_rather_than_derived() -> None:
    half = commented(STREAM.removesuffix("    }),\n"))
    assert refusal(plan(view(router(MUTATION, half)))) == (
        "a subscription is commented out here in a way that cannot be undone for certain",
        ROUTER,
        24,
    )


def test_a_commented_procedure_outside_a_router_is_refused_with_its_line() -> None:
    loose = commented("const sendMessageStream = publicProcedure.subscription(async function* () {\n  yield 1;\n});\n")
    body = router(MUTATION).replace("export const", f"{loose}\nexport const")
    assert refusal(plan(view(body)))[1:] == (ROUTER, 6)


def test_a_member_that_bears_the_streams_name_is_not_overwritten() -> None:
    other = "  sendMessageStream: publicProcedure.query(() => null),\n"
    assert refusal(plan(view(router(MUTATION, other)))) == (
        "sendMessageStream is there already, and is not the stream of chat.sendMessage",
        ROUTER,
        17,
    )


# --- un-commented, wrapped


def test_the_whole_of_it() -> None:
    done = after(view())
    assert text(done) == router(MUTATION, WRAPPED, imports=WRAPPED_IMPORTS)
    assert text(done, ROUTE) == NEW_ROUTE
    assert all(done.exists(path) for path in KIT)


def test_the_files_that_change_are_the_router_the_route_and_the_kit() -> None:
    outcome = plan(view())
    assert isinstance(outcome, Pending)
    assert tuple(change.path for change in outcome.changes) == (ROUTE, *KIT, ROUTER)
    assert (outcome.packages, outcome.leftovers) == ((), ())


@pytest.mark.parametrize("way", ["vscode", "marks", "jetbrains", "formatted", "own"])
def test_every_way_of_commenting_out_leads_to_the_same(way: str) -> None:
    assert text(after(view(router(MUTATION, commented(STREAM, way))))) == text(after(view(router(MUTATION, STREAM))))


def test_a_block_comment_is_undone_too() -> None:
    inline = "  /* " + STREAM.strip() + " */\n"
    around = "  /*\n" + STREAM + "  */\n"
    for body in (inline, around):
        assert text(after(view(router(MUTATION, body)))) == router(MUTATION, WRAPPED, imports=WRAPPED_IMPORTS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_result_is_in_the_apps_own_format(name: str) -> None:
    form = FORMATS[name]
    done = after(view(commented_router(form), form))
    assert done.read(ROUTER) == form.write(router(MUTATION, WRAPPED, imports=WRAPPED_IMPORTS))
    assert done.read(ROUTE) == form.write(NEW_ROUTE)


def test_the_member_before_gets_the_comma_that_it_lacks() -> None:
    body = router(MUTATION.rstrip(",\n") + "\n", commented(STREAM))
    assert text(after(view(body))) == router(MUTATION, WRAPPED, imports=WRAPPED_IMPORTS)


def test_the_code_itself_gets_a_comma_where_a_member_follows() -> None:
    last = '  hello: publicProcedure.query(() => "hi"),\n'
    bare = STREAM.rstrip(",\n") + "\n"
    body = router(MUTATION, commented(bare), last)
    assert text(after(view(body))) == router(MUTATION, WRAPPED, last, imports=WRAPPED_IMPORTS)
    wrapped = router(MUTATION, WRAPPED.rstrip(",\n") + "\n", imports=WRAPPED_IMPORTS)
    assert text(after(view(router(MUTATION, commented(bare))))) == wrapped


def test_prose_in_the_same_run_of_comments_stays() -> None:
    prose = "  // NOTE: the stream is off\n  // on our host.\n"
    tail = "  // TODO: more of that\n"
    body = router(MUTATION, prose + commented(STREAM, "marks") + tail)
    assert text(after(view(body))) == router(MUTATION, prose + WRAPPED + tail, imports=WRAPPED_IMPORTS)


def test_imports_that_are_gone_come_back() -> None:
    """`tracked` by its package; what else is commented out at the top, and only what is needed of it."""
    imports = (
        IMPORTS.replace('import { tracked } from "@trpc/server";\n', "").replace("import { ai }", "// import { ai }")
        + '// import { unused } from "~/other";\n'
    )
    mutation = "  sendMessage: publicProcedure.mutation(() => null),\n"
    done = text(after(view(router(mutation, commented(STREAM), imports=imports))))
    assert done.startswith(WRAPPED_IMPORTS + '// import { unused } from "~/other";\n')


def test_a_type_that_is_gone_comes_back_and_one_that_is_there_does_not_come_twice() -> None:
    typed = STREAM.replace("const text =", "const text: Piece =").replace("stream: true,", "stream: true as Always,")
    there = 'import type { Always } from "~/types";\n'
    gone = '// import type { Always } from "~/old";\n// import type { Piece } from "~/pieces";\n'
    done = text(after(view(router(MUTATION, commented(typed), imports=IMPORTS + there + gone))))
    assert there in done
    assert '// import type { Always } from "~/old";\nimport type { Piece } from "~/pieces";\n' in done


def test_the_comment_that_says_it_is_disabled_is_listed_until_it_is_gone() -> None:
    note = "  /*\n    Disabled: Vercel has no WebSocket server.\n  */\n"
    done = after(view(router(MUTATION, note + commented(STREAM))))
    outcome = plan(done)
    assert isinstance(outcome, Applied)
    assert [(left.file, left.line) for left in outcome.leftovers] == [(ROUTER, 19)]
    gone = text(done).replace(note, "")
    assert plan(done.with_changes({ROUTER: gone.encode()})) == Applied()


def test_a_comment_that_says_something_else_is_not_listed() -> None:
    outcome = plan(view(router(MUTATION, "  // Streams the answer.\n\n" + STREAM)))
    assert isinstance(outcome, Pending)
    assert outcome.leftovers == ()


# --- live already


def test_a_live_subscription_is_wrapped_where_it_stands() -> None:
    assert text(after(view(router(MUTATION, STREAM)))) == router(MUTATION, WRAPPED, imports=WRAPPED_IMPORTS)


def test_a_wrapped_one_whose_track_id_was_narrowed_is_mended() -> None:
    done = after(view())
    narrow = done.with_changes({ROUTER: text(done).replace("z.string(),", "z.string().uuid(),", 1).encode()})
    assert text(after(narrow)) == text(done)


def test_a_wrapped_one_without_the_transformer_gets_it() -> None:
    done = after(view())
    bare = text(done).replace("transformer: superjson", "announce: (input) => input.message")
    expected = text(done).replace(
        "{ transformer: superjson }", "{ transformer: superjson, announce: (input) => input.message }"
    )
    assert text(after(done.with_changes({ROUTER: bare.encode()}))) == expected


def test_options_of_the_persons_own_stay() -> None:
    done = after(view())
    own = text(done).replace("{ transformer: superjson }", "{ announce: () => 1, transformer: superjson }")
    assert plan(done.with_changes({ROUTER: own.encode()})) == Applied()


def test_a_kit_file_that_is_gone_is_written_again_and_an_edited_one_stays() -> None:
    done = after(view())
    torn = done.with_changes({KIT[0]: None, KIT[3]: b"// mine\n" + (done.read(KIT[3]) or b"")})
    outcome = plan(torn)
    assert isinstance(outcome, Pending)
    assert [change.path for change in outcome.changes] == [KIT[0]]


def test_a_wrapper_of_the_same_name_from_elsewhere_is_not_the_kits() -> None:
    done = after(view())
    other = text(done).replace("~/relay-kit/server/through-relay", "~/server/api/trpc")
    reason, _, _ = refusal(plan(done.with_changes({ROUTER: other.encode()})))
    assert reason.endswith("goes through a function that is not known")


SCHEMA = STREAM[STREAM.index("    .input(") : STREAM.index("    .subscription(")]


@pytest.mark.parametrize(
    ("schema", "after_it"),
    [
        (
            "    .input(z.object({ message: z.string(), more: z.string() }))\n",
            "    .input(\n      z.object({ trackId: z.string(), message: z.string(), more: z.string() }),\n    )\n",
        ),
        (
            "    .input(z.object({ message: z.string(), model: z.string(), a: z.string() }))\n",
            "    .input(\n      z.object({\n        trackId: z.string(),\n        message: z.string(),\n"
            "        model: z.string(),\n        a: z.string(),\n      }),\n    )\n",
        ),
        (
            "    .input(\n      z.object({\n        message: z.string(),\n      }),\n    )\n",
            SCHEMA.replace(".uuid()", ""),
        ),
    ],
)
def test_a_track_id_that_is_missing_is_added_and_the_line_stays_short_enough(schema: str, after_it: str) -> None:
    body = router(MUTATION, STREAM.replace(SCHEMA, schema))
    expected = WRAPPED.replace(SCHEMA.replace(".uuid()", ""), after_it)
    assert text(after(view(body))) == router(MUTATION, expected, imports=WRAPPED_IMPORTS)


def test_a_file_that_keeps_to_more_columns_goes_on_to() -> None:
    """Nothing is broken at 80 columns where the code around it is not."""
    wide = "const veryLongNameOfSomethingThatIsNeeded = anotherLongNameOfSomething + theLastLongNameOfAll;\n"
    line = "      const found = await describe(input.trackId, input.message, signal, input.more);\n"
    body = router(MUTATION, STREAM.replace("      // One piece", f"{line}      // One piece"))
    body = body.replace("\nexport const", f"\n{wide}\nexport const")
    assert f"    {line}" in text(after(view(body)))


# --- the app around it


def test_an_app_without_transformer_needs_no_option() -> None:
    done = text(after(view(others={"src/server/api/trpc.ts": TRPC.replace("  transformer: superjson,\n", "")})))
    expected = STREAM.replace("z.string().uuid()", "z.string()")
    head, body = expected.split("    .subscription(")
    lines = [line if "birds" in line or "Be short" in line or not line else f"  {line}" for line in body.splitlines()]
    body = "\n".join(lines[:-1])
    wrapped = f"{head}    .subscription(\n      throughRelay({body.lstrip()}\n      }}),\n    ),\n"
    imports = WRAPPED_IMPORTS.replace('import superjson from "superjson";\n', "")
    assert done == router(MUTATION, wrapped, imports=imports)


@pytest.mark.parametrize(
    ("trpc", "line"),
    [
        (
            TRPC.replace("import superjson from", "import { SuperJSON } from").replace(": superjson", ": SuperJSON"),
            'import { SuperJSON } from "superjson";',
        ),
        (
            TRPC.replace('import superjson from "superjson"', 'import { transformer } from "../transformer"').replace(
                "transformer: superjson", "transformer"
            ),
            'import { transformer } from "~/server/transformer";',
        ),
        (
            TRPC.replace(
                'import superjson from "superjson";', "export const plain = { serialize, deserialize };"
            ).replace(": superjson", ": plain"),
            'import { createTRPCRouter, plain, publicProcedure } from "~/server/api/trpc";',
        ),
        (
            TRPC.replace(".create({\n  transformer: superjson,\n}", ".create(options").replace(
                "const t", "const options = { transformer: superjson };\nconst t"
            ),
            'import superjson from "superjson";',
        ),
    ],
)
def test_the_transformer_is_imported_from_where_it_is(trpc: str, line: str) -> None:
    others: dict[str, str | bytes | None] = {
        "src/server/api/trpc.ts": trpc,
        "src/server/transformer.ts": "export const transformer = {};\n",
    }
    done = text(after(view(others=others)))
    name = next(word for word in ("SuperJSON", "plain", "superjson", "transformer") if word in line)
    option = "{ transformer }" if name == "transformer" else f"{{ transformer: {name} }}"
    assert line in done.splitlines()
    assert option in done


@pytest.mark.parametrize(
    ("trpc", "reason"),
    [
        (TRPC.replace(": superjson", ": { serialize, deserialize }"), "the transformer is written in place"),
        (
            TRPC.replace('import superjson from "superjson";', "const superjson = {};"),
            "the transformer superjson is not exported",
        ),
        (TRPC.replace("import superjson", "import * as superjson"), "the transformer superjson is a whole module"),
    ],
)
def test_a_transformer_that_cannot_be_had_is_refused_with_its_line(trpc: str, reason: str) -> None:
    assert refusal(plan(view(others={"src/server/api/trpc.ts": trpc}))) == (reason, "src/server/api/trpc.ts", 5)


def test_an_app_whose_trpc_is_made_in_another_package_is_refused() -> None:
    others = {"src/server/api/trpc.ts": 'export { createTRPCRouter, publicProcedure } from "@acme/api";\n'}
    assert refusal(plan(view(others=others)))[0].startswith("initTRPC...create() was not found")


def test_the_transformer_is_that_of_the_routers_own_trpc() -> None:
    others = {"src/admin/trpc.ts": TRPC.replace("superjson", "devalue")}
    assert "{ transformer: superjson }" in text(after(view(others=others)))


@pytest.mark.parametrize(
    ("alias", "specifier"),
    [("@/*", "@/relay-kit/server/through-relay"), ("", "../../../relay-kit/server/through-relay")],
)
def test_imports_are_written_as_the_app_writes_them(alias: str, specifier: str) -> None:
    config = {"compilerOptions": {"paths": {alias: ["./src/*"]}} if alias else {}}
    files = app(others={"tsconfig.json": json.dumps(config).encode()})
    for path, data in files.items():
        if path.endswith((".ts", ".tsx")):
            up = {ROUTER: "../../../", "src/server/api/root.ts": "../../", ROUTE: "../../../../"}.get(path, "../")
            files[path] = data.replace(b'"~/', b'"' + (alias[:-1].encode() or up.encode()))
    assert f'"{specifier}"' in text(after(AppView.of_files(files)))


def test_an_app_without_src_and_with_a_pages_router() -> None:
    moved = {path.removeprefix("src/"): data for path, data in app().items() if path != ROUTE}
    moved["tsconfig.json"] = json.dumps({"compilerOptions": {"paths": {"~/*": ["./*"]}}}).encode()
    moved["pages/api/trpc/[trpc].ts"] = b"""\
import { createNextApiHandler } from "@trpc/server/adapters/next";
import { appRouter } from "~/server/api/root";

export default createNextApiHandler({ router: appRouter, createContext: () => ({ headers: new Headers() }) });
"""
    moved["pages/index.tsx"] = moved.pop("app/chat.tsx")
    done = after(AppView.of_files(moved))
    assert "throughRelay(" in text(done, "server/api/routers/chat.ts")
    assert done.exists("relay-kit/server/through-relay.ts")
    assert text(done, "pages/api/trpc/[trpc].ts").endswith("""\
export default createNextApiHandler({
  router: appRouter,
  allowMethodOverride: true,
  createContext: () => ({ headers: new Headers() }),
});
""")


def test_an_app_without_a_route_handler_is_refused() -> None:
    assert refusal(plan(view(others={ROUTE: None})))[0].startswith("the route handler that serves tRPC was not found")


def test_options_of_the_handler_that_are_made_elsewhere_are_listed_until_it_is_done() -> None:
    route = ROUTE_TEXT.replace("fetchRequestHandler({", "fetchRequestHandler(withAuth({").replace("  });", "  }));")
    done = after(view(others={ROUTE: route}))
    outcome = plan(done)
    assert isinstance(outcome, Applied)
    assert [(left.file, left.line) for left in outcome.leftovers] == [(ROUTE, 5)]
    by_hand = route.replace("req,\n", "req,\n    allowMethodOverride: true,\n")
    assert plan(done.with_changes({ROUTE: by_hand.encode()})) == Applied()


def test_an_override_that_somebody_has_forbidden_is_refused() -> None:
    route = ROUTE_TEXT.replace("req,\n", "req,\n    allowMethodOverride: false,\n")
    reason, file, line = refusal(plan(view(others={ROUTE: route})))
    assert reason.startswith("allowMethodOverride is false")
    assert (file, line) == (ROUTE, 8)


# --- which procedure


def test_hints_name_the_procedures() -> None:
    other = "  summarise: publicProcedure.mutation(async () => ai.chat.completions.create({})),\n"
    talk = STREAM.replace("sendMessageStream", "talk")
    others = {"src/app/chat.tsx": PAGE.replace("sendMessage", "summarise")}
    done = after(
        view(router(other, MUTATION, talk), others=others), mutation="chat.sendMessage", subscription=f"{ROUTER}:talk"
    )
    assert text(done) == router(other, MUTATION, WRAPPED.replace("sendMessageStream", "talk"), imports=WRAPPED_IMPORTS)


def test_a_stream_in_a_file_of_its_own_is_found_by_the_hint() -> None:
    stream_file = "src/server/api/routers/stream.ts"
    others: dict[str, str | bytes | None] = {
        stream_file: router(STREAM).replace("chatRouter", "streamRouter"),
        "src/server/api/root.ts": ROOT.replace(
            "  chat: chatRouter,\n", "  chat: chatRouter,\n  live: streamRouter,\n"
        ).replace(
            "\nexport const appRouter",
            'import { streamRouter } from "~/server/api/routers/stream";\n\nexport const appRouter',
        ),
    }
    done = after(view(router(MUTATION), others=others), subscription="live.sendMessageStream")
    assert text(done, stream_file) == router(WRAPPED, imports=WRAPPED_IMPORTS).replace("chatRouter", "streamRouter")
    assert text(done) == router(MUTATION)


def test_a_procedure_that_stands_by_itself_is_wrapped_too() -> None:
    def alone(member: str) -> str:
        """A member as a constant of its own."""
        name, _, body = member.rstrip(",\n").partition(": ")
        lines = [
            line if "birds" in line or "Be short" in line else line.removeprefix("  ") for line in body.split("\n")
        ]
        return f"export const {name.strip()} = " + "\n".join(lines) + ";\n\n"

    tail = "export const chatRouter = createTRPCRouter({ sendMessage, sendMessageStream });\n"
    body = IMPORTS + "\n" + alone(MUTATION) + alone(STREAM) + tail
    assert text(after(view(body))) == WRAPPED_IMPORTS + "\n" + alone(MUTATION) + alone(WRAPPED) + tail


FIRST_USER = Path(__file__).parents[1] / "apps" / "first_user"


def test_the_first_users_router_comes_out_right() -> None:
    files = app()
    for path in FIRST_USER.rglob("*.ts*"):
        files[path.relative_to(FIRST_USER).as_posix()] = path.read_bytes()
    before = AppView.of_files(files)
    done = after(before)
    outcome = plan(done)
    assert isinstance(outcome, Applied)
    assert [left.what for left in outcome.leftovers] == [
        "the comment above sendMessageStream says why it was not in use"
    ]
    lines = text(before).splitlines()
    prompt = next(number for number, line in enumerate(lines) if "You know the weather" in line)
    assert text(done).splitlines()[prompt - 1 + 4].strip() == "", "imports and the wrapper add four lines above it"
    assert "\n  //" not in text(done)


def test_an_app_with_the_mutation_alone_gets_a_stream_made_of_it() -> None:
    done = after(view(router(MUTATION)))
    assert text(done).startswith(WRAPPED_IMPORTS)
    assert MUTATION in text(done)
    assert "  sendMessageStream: publicProcedure\n    .input(" in text(done)
    assert text(done).count("throughRelay(") == 1
    assert text(done).count("{ transformer: superjson }") == 1
    assert plan(done) == Applied()
