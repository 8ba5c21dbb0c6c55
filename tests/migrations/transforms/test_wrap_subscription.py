from __future__ import annotations

from pathlib import Path

import pytest

from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import procedures_of
from migrations.engine import AppView, FileEdit
from migrations.transforms.long_lines import break_long_lines
from migrations.transforms.wrap_subscription import is_wrapped, refusal_to_wrap, wrap_subscription
from tests.migrations.engine.apps import FORMATS
from tests.migrations.procedure_app import ROUTER, view
from tests.node import ensure_node_modules

KIT = Path(__file__).parents[3] / "migrations" / "kit"
IMPORT = 'import { throughRelay } from "~/relay-kit/server/through-relay";\n'
OPTIONS = "{ transformer: superjson }"


def wrapped(app_view: AppView, options: str = OPTIONS) -> str:
    """The router file with its one subscription wrapped."""
    file = app_view.file(ROUTER)
    assert file is not None
    layout = find_layout(app_view)
    (procedure,) = procedures_of(app_view, layout, file, "subscription")
    assert refusal_to_wrap(procedure, layout) is None
    edit = FileEdit(file)
    wrap_subscription(edit, procedure, options)
    return break_long_lines(file, edit.result()).decode()


def refused(body: str) -> tuple[str, int]:
    app_view = view(body)
    file = app_view.file(ROUTER)
    assert file is not None
    (procedure,) = procedures_of(app_view, find_layout(app_view), file, "subscription")
    blocked = refusal_to_wrap(procedure, find_layout(app_view))
    assert blocked is not None
    assert blocked.file == ROUTER
    return blocked.reason, blocked.line


REFUSED = {
    "an arrow function": ("async () => stream()", "is no async generator function", 1),
    "an observable": ("() =>\n  observable((emit) => {\n    emit.next(1);\n  })", "is written with observable()", 1),
    "an observable from elsewhere": ("replies", "is no async generator function", 1),
    "a wrapper of the person's own": (
        "limited(async function* () {\n  yield 1;\n})",
        "a function that is not known",
        1,
    ),
    "a generator that is not async": ("function* () {\n  yield 1;\n}", "is not async", 1),
    "one that returns a value": ("async function* () {\n  yield 1;\n  return 2;\n}", "returns a value", 3),
    "one that returns in a branch": ("async function* () {\n  if (a) {\n    return 2;\n  }\n}", "returns a value", 3),
    "one that hands over": ("async function* () {\n  return yield* other();\n}", "returns a value", 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_wrapped_is_refused_with_its_line(name: str) -> None:
    argument, reason, line = REFUSED[name]
    told, at = refused(f"export const s = p.input(i).subscription({argument});\n")
    assert (reason in told, at) == (True, line)


def test_a_checked_output_is_refused() -> None:
    told, at = refused("const s = p\n  .input(i)\n  .output(o)\n  .subscription(async function* () {});\n")
    assert ("checked by .output()" in told, at) == (True, 3)


@pytest.mark.parametrize(
    "body",
    [
        "async function* () {\n  yield 1;\n  return;\n}",
        "async function* () {\n  return undefined;\n}",
        "async function* () {\n  const a = () => {\n    return 1;\n  };\n  yield a();\n}",
        "async function* () {\n  yield [1].map(function (x) {\n    return x;\n  });\n}",
    ],
)
def test_a_return_without_a_value_or_of_an_inner_function_is_none(body: str) -> None:
    assert "throughRelay(" in wrapped(view(f"export const s = p.input(i).subscription({body});\n"))


def test_only_the_kits_own_wrapper_counts() -> None:
    call = f"export const s = p.input(i).subscription(throughRelay(g, {OPTIONS}));\nasync function* g() {{}}\n"
    for specifier, expected in {
        "~/relay-kit/server/through-relay": True,
        "../../../relay-kit/server/through-relay": True,
        "~/server/other": False,
    }.items():
        app_view = view(
            f'import {{ throughRelay }} from "{specifier}";\n{call}',
            others={"src/relay-kit/server/through-relay.ts": "export {};\n"},
        )
        file = app_view.file(ROUTER)
        assert file is not None
        (procedure,) = procedures_of(app_view, find_layout(app_view), file, "subscription")
        assert is_wrapped(procedure, find_layout(app_view), OPTIONS) is expected
        assert not is_wrapped(procedure, find_layout(app_view), "")


# Each is as Prettier 3 and Biome 2 write it, before and after: the slow test below has them check that.
FORMS: dict[str, tuple[str, str, str]] = {
    "a chain on lines of its own": (
        OPTIONS,
        """\
export const r = router({
  s: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(async function* ({ input, signal }) {
      yield input;
    }),
});
""",
        """\
export const r = router({
  s: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(
      throughRelay(
        async function* ({ input, signal }) {
          yield input;
        },
        { transformer: superjson },
      ),
    ),
});
""",
    ),
    "no transformer": (
        "",
        """\
export const r = router({
  s: publicProcedure
    .use(limit)
    .input(schema)
    .subscription(async function* ({ input, signal }) {
      yield input;
    }),
});
""",
        """\
export const r = router({
  s: publicProcedure
    .use(limit)
    .input(schema)
    .subscription(
      throughRelay(async function* ({ input, signal }) {
        yield input;
      }),
    ),
});
""",
    ),
    "a chain that stays on one line": (
        OPTIONS,
        """\
export const r = router({
  s: publicProcedure.input(schema).subscription(async function* ({ input }) {
    yield input;
  }),
});
""",
        """\
export const r = router({
  s: publicProcedure.input(schema).subscription(
    throughRelay(
      async function* ({ input }) {
        yield input;
      },
      { transformer: superjson },
    ),
  ),
});
""",
    ),
    "a chain that now fits on one line": (
        OPTIONS,
        """\
export const r = router({
  stream: publicProcedure
    .input(z.object({ trackId: z.string() }))
    .subscription(async function* ({ input }) {
      yield input;
    }),
});
""",
        """\
export const r = router({
  stream: publicProcedure.input(z.object({ trackId: z.string() })).subscription(
    throughRelay(
      async function* ({ input }) {
        yield input;
      },
      { transformer: superjson },
    ),
  ),
});
""",
    ),
    "a chain with a comment": (
        OPTIONS,
        """\
export const r = router({
  stream: publicProcedure
    // what is asked
    .input(schema)
    .subscription(async function* ({ input }) {
      yield input;
    }),
});
""",
        """\
export const r = router({
  stream: publicProcedure
    // what is asked
    .input(schema)
    .subscription(
      throughRelay(
        async function* ({ input }) {
          yield input;
        },
        { transformer: superjson },
      ),
    ),
});
""",
    ),
    "a constant of its own": (
        OPTIONS,
        """\
export const stream = publicProcedure
  .input(z.object({ trackId: z.string(), message: z.string() }))
  .subscription(async function* ({ input }) {
    yield input;
  });
""",
        """\
export const stream = publicProcedure
  .input(z.object({ trackId: z.string(), message: z.string() }))
  .subscription(
    throughRelay(
      async function* ({ input }) {
        yield input;
      },
      { transformer: superjson },
    ),
  );
""",
    ),
    "a generator with a name of its own": (
        OPTIONS,
        """\
async function* reply(options: Options) {
  yield options.input;
}
export const r = router({
  stream: publicProcedure.input(schema).subscription(reply),
});
""",
        """\
async function* reply(options: Options) {
  yield options.input;
}
export const r = router({
  stream: publicProcedure
    .input(schema)
    .subscription(throughRelay(reply, { transformer: superjson })),
});
""",
    ),
    "such a one with a long name": (
        OPTIONS,
        """\
const streamTheWholeReplyOfTheModel = async function* (options: Options) {
  yield options.input;
};
export const r = router({
  stream: publicProcedure
    .input(schema)
    .subscription(streamTheWholeReplyOfTheModel),
});
""",
        """\
const streamTheWholeReplyOfTheModel = async function* (options: Options) {
  yield options.input;
};
export const r = router({
  stream: publicProcedure
    .input(schema)
    .subscription(
      throughRelay(streamTheWholeReplyOfTheModel, { transformer: superjson }),
    ),
});
""",
    ),
    "parameters on many lines that now fit": (
        OPTIONS,
        """\
export const r = router({
  stream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(async function* ({
      ctx,
      path,
      type,
      input,
      signal,
      getRawInput,
    }) {
      yield input;
    }),
});
""",
        """\
export const r = router({
  stream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(
      throughRelay(
        async function* ({ ctx, path, type, input, signal, getRawInput }) {
          yield input;
        },
        { transformer: superjson },
      ),
    ),
});
""",
    ),
    "a line that is too long already": (
        OPTIONS,
        """\
export const r = router({
  stream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(async function* ({ input, signal }) {
      const text =
        "a text that is longer than any line can be and that no formatter will ever break";
      yield text;
    }),
});
""",
        """\
export const r = router({
  stream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(
      throughRelay(
        async function* ({ input, signal }) {
          const text =
            "a text that is longer than any line can be and that no formatter will ever break";
          yield text;
        },
        { transformer: superjson },
      ),
    ),
});
""",
    ),
    "text, comments and lines that get too long": (
        OPTIONS,
        """\
export const r = router({
  stream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(async function* ({ input, signal }) {
      /*
        A block that a person has drawn:
          as it stands
      */
      const prompt = `one
      two ${input.message}
three`;
      /**
       * A comment for tools.
       */
      const role = input.kind === "" ? ("system" as const) : ("user" as const);
      const text = input.choices[0]?.delta.content ?? "nothing that was said";
      if (text.length > 20 && input.message.length > 100 && signal?.aborted) {
        yield tracked(input.trackId, { type: "text" as const, text, prompt });
      }
      const found = JSON.parse(input.message) as Record<string, string[]>;
      const more = await describe(input.trackId, input.message, prompt, role);
      if (found) yield { part: found, more: more.length, text: text.length };
    }),
});
""",
        """\
export const r = router({
  stream: publicProcedure
    .input(
      z.object({
        trackId: z.string(),
      }),
    )
    .subscription(
      throughRelay(
        async function* ({ input, signal }) {
          /*
        A block that a person has drawn:
          as it stands
      */
          const prompt = `one
      two ${input.message}
three`;
          /**
           * A comment for tools.
           */
          const role =
            input.kind === "" ? ("system" as const) : ("user" as const);
          const text =
            input.choices[0]?.delta.content ?? "nothing that was said";
          if (
            text.length > 20 &&
            input.message.length > 100 &&
            signal?.aborted
          ) {
            yield tracked(input.trackId, {
              type: "text" as const,
              text,
              prompt,
            });
          }
          const found = JSON.parse(input.message) as Record<string, string[]>;
          const more = await describe(
            input.trackId,
            input.message,
            prompt,
            role,
          );
          if (found)
            yield { part: found, more: more.length, text: text.length };
        },
        { transformer: superjson },
      ),
    ),
});
""",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_it_is_written_as_formatters_write_it(name: str) -> None:
    options, before, after = FORMS[name]
    assert wrapped(view(before.encode()), options) == after


@pytest.mark.parametrize("name", FORMS)
def test_wrapping_what_is_wrapped_changes_nothing(name: str) -> None:
    options, _, after = FORMS[name]
    kit = {"src/relay-kit/server/through-relay.ts": "export {};\n"}
    assert wrapped(view((IMPORT + after).encode(), others=kit), options) == IMPORT + after


@pytest.mark.parametrize("form", ["crlf", "tabs", "standard", "no final newline", "byte order mark", "everything odd"])
@pytest.mark.parametrize("name", ["a chain on lines of its own", "no transformer", "a chain that stays on one line"])
def test_it_is_written_in_the_files_own_format(name: str, form: str) -> None:
    options, before, after = FORMS[name]
    style = FORMATS[form]
    assert wrapped(view(before, style), options).encode() == style.write(after)


def test_without_commas_behind_last_arguments_none_is_written() -> None:
    """Prettier's `trailingComma: "es5"`, which was its default up to version 2."""
    options, before, after = FORMS["a chain on lines of its own"]
    expected = after.replace("}),\n    )", "})\n    )").replace("},\n      ),\n    ),", "}\n      )\n    ),")
    expected = expected.replace("{ transformer: superjson },\n      ),", "{ transformer: superjson }\n      )")
    assert wrapped(view(before.replace("}),\n    )", "})\n    )")), options) == expected


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["prettier", "biome"])
def test_formatters_have_nothing_to_change(tool: str, tmp_path: Path) -> None:
    """Neither in what these tests begin with, nor in what comes out."""
    tools = ensure_node_modules(KIT)
    for number, (_, before, after) in enumerate(FORMS.values()):
        (tmp_path / f"{number}-before.ts").write_text(before)
        (tmp_path / f"{number}-after.ts").write_text(after)
    arguments = {
        "prettier": ("prettier", "--no-config", "--check", str(tmp_path)),
        "biome": ("biome", "format", "--indent-style=space", f"--config-path={tmp_path}", str(tmp_path)),
    }
    if tool == "biome":
        (tmp_path / "biome.json").write_text("{}\n")
    result = tools.run(*arguments[tool])
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
