from __future__ import annotations

import pytest

from migrations.engine.syntax import text_of
from tests.migrations.openai_apps import CALL, READ, app, found, refused

CLIENTS = {
    "default import": 'import OpenAI from "openai";\nconst openai = new OpenAI({ apiKey: env.KEY });',
    "named import": 'import { OpenAI } from "openai";\nexport const openai = new OpenAI();',
    "renamed": 'import { OpenAI as Client } from "openai";\nconst openai = new Client();',
    "Azure": 'import { AzureOpenAI } from "openai";\nconst openai = new AzureOpenAI({ apiVersion: "x" });',
    "kept over reloads": 'import OpenAI from "openai";\nconst openai = globalThis.openai ?? new OpenAI();',
    "typed": 'import OpenAI from "openai";\nlet openai: OpenAI | undefined;',
    "made by a function": (
        'import OpenAI from "openai";\nconst openai = make();\nfunction make() { return new OpenAI(); }'
    ),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_client_is_known_by_the_package_that_its_class_comes_from(name: str) -> None:
    assert text_of(found(app(f"{CALL}\n{READ}", client=CLIENTS[name])).call).startswith("openai.chat")


ELSEWHERE = {
    "named": (
        'import { openai } from "./ai";',
        {"ai": 'import OpenAI from "openai";\nexport const openai = new OpenAI();'},
    ),
    "by alias": (
        'import { openai } from "~/server/ai";',
        {"ai": 'import OpenAI from "openai";\nexport const openai = new OpenAI();'},
    ),
    "renamed": (
        'import { client as openai } from "./ai";',
        {"ai": 'import OpenAI from "openai";\nexport const client = new OpenAI();'},
    ),
    "default": (
        'import openai from "./ai";',
        {"ai": 'import OpenAI from "openai";\nconst it = new OpenAI();\nexport default it;'},
    ),
    "default expression": (
        'import openai from "./ai";',
        {"ai": 'import OpenAI from "openai";\nexport default new OpenAI();'},
    ),
    "export list": (
        'import { openai } from "./ai";',
        {"ai": 'import OpenAI from "openai";\nconst it = new OpenAI();\nexport { it as openai };'},
    ),
    "handed on": (
        'import { openai } from "./ai";',
        {
            "ai": 'export { openai } from "./made";',
            "made": 'import OpenAI from "openai";\nexport const openai = new OpenAI();',
        },
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_client_made_in_another_file_is_followed(name: str) -> None:
    client, files = ELSEWHERE[name]
    assert found(app(f"{CALL}\n{READ}", client=client, **files)).returns


def test_a_client_made_in_the_procedure_and_one_made_where_it_is_called_are_known() -> None:
    imported = 'import OpenAI from "openai";'
    assert found(app(f"const openai = new OpenAI({{ apiKey: input.key }});\n{CALL}\n{READ}", client=imported)).returns
    direct = CALL.replace("openai.chat", "new OpenAI().chat")
    assert found(app(f"{direct}\n{READ}", client=imported)).returns


UNKNOWN_CLIENTS = {
    "another package": 'import Groq from "groq-sdk";\nconst openai = new Groq();',
    "a class of the app": "class OpenAI {}\nconst openai = new OpenAI();",
    "a type of that name": 'import { OpenAI } from "./types";\nconst openai = new OpenAI();',
    "wrapped": 'import OpenAI from "openai";\nconst openai = observe(new OpenAI());',
    "nowhere": "",
}


@pytest.mark.parametrize("name", UNKNOWN_CLIENTS)
def test_a_client_of_unknown_making_is_refused(name: str) -> None:
    assert (
        "it is not known that openai is made by" in refused(app(f"{CALL}\n{READ}", client=UNKNOWN_CLIENTS[name])).reason
    )


def test_a_client_in_the_context_is_refused() -> None:
    body = f"{CALL.replace('openai.chat', 'ctx.openai.chat')}\n{READ}"
    assert "it is not known that ctx.openai is made by" in refused(app(body)).reason


@pytest.mark.parametrize("version", ["^4.0.0", "4", ">=4.20", "~5.1.0", "6.x", "latest", "*", "npm:openai@^6.0.0"])
def test_versions_from_4_on_are_taken(version: str) -> None:
    assert found(app(f"{CALL}\n{READ}", version=version)).returns


@pytest.mark.parametrize(
    ("version", "reason"),
    [("^3.3.0", "openai ^3.3.0 in package.json is older than 4"), (None, "package.json does not list openai")],
)
def test_older_versions_and_none_are_refused(version: str | None, reason: str) -> None:
    assert refused(app(f"{CALL}\n{READ}", version=version)).reason == reason
