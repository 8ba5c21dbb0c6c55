"""What an end of PartyKit's CLI means; the outputs are those that partykit 0.0.115 was seen to write."""

from __future__ import annotations

import pytest

from migrations.deploy.partykit_cli import Answer, CliRun, failure, said_by
from migrations.deploy.target import Passing
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError

FLAGS = Answer("GET", "/flags", 200)
POST = "/parties/team/chat"


def crash(text: str) -> str:
    return (
        "file:///app/node_modules/partykit/dist/bin.mjs:96301\n    throw err;\n    ^\n\n"
        f"Error: {text}\n    at fetchResult (file:///app/node_modules/partykit/dist/bin.mjs:84998:11)\n\nNode.js v24\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"error":"no"}', "no"),
        ('{"message":"gone"}', "gone"),
        ('{"errors":[{"code":1,"message":"first"},{"message":"second"}]}', "first"),
        ("<html><h1>502 Bad Gateway</h1>\n<p>nginx</p></html>", "502 Bad Gateway nginx"),
        ("[]", "[]"),
        ('{"error":{"message":"deep"}}', "deep"),
        ("token hidden-1 is wrong\x1b[31m", "token *** is wrong�[31m"),
        ("x" * 900, "x" * 159 + "…"),
    ],
)
def test_what_the_platform_said_becomes_one_short_line_without_secrets(text: str, said: str) -> None:
    assert said_by(crash(text), ["hidden-1", ""]) == said


def test_an_error_without_a_text_says_nothing() -> None:
    assert said_by("    throw err;\n    ^\n\nError\n    at fetchResult (file:///x)\n") == ""


@pytest.mark.parametrize(
    ("output", "answers", "kind", "code"),
    [
        (crash("{}"), [FLAGS, Answer("POST", POST), Answer("POST", POST, 401)], Denied, "sign_in"),
        (crash(""), [FLAGS, Answer("POST", POST, 504)], Passing, "platform_fault"),
        (crash("workers.api.error.unknown"), [Answer("POST", POST, 400)], Passing, "platform_fault"),
        (crash(""), [Answer("POST", POST, 502)], Unreachable, "platform_error"),
        (crash(""), [Answer("POST", POST, 429)], Unreachable, "busy"),
        (crash(""), [Answer("POST", POST, 422)], UsageError, "refused"),
        (crash("fetch failed"), [Answer("POST", POST, fault="ENOTFOUND")], Unreachable, "unknown_host"),
        (crash("fetch failed"), [Answer("POST", POST, fault="UND_ERR_HEADERS_TIMEOUT")], Unreachable, "timeout"),
        (crash("Session expired. Please log in again."), [Answer("GET", "/v1/client", 200)], Denied, "sign_in"),
        ("Authentication timed out.\n", [Answer("GET", "/v1/client")], Unreachable, "timeout"),
        ("", [Answer(sign_in=True)], Denied, "sign_in"),
        ("✘ [ERROR] Project name must be a valid url path\n", [FLAGS], UsageError, "partykit_failed"),
        (crash("Could not find main: ./party/x.ts"), [FLAGS], UsageError, "partykit_failed"),
        (crash("Unexpected end of JSON input"), [Answer("POST", POST, 200)], UsageError, "partykit_failed"),
    ],
)
def test_each_end_is_of_one_kind(output: str, answers: list[Answer], kind: type[ChatopsError], code: str) -> None:
    """Sign-in (4), configuration (2) and network (3) are told apart; every one has a next step."""
    error = failure(CliRun(1, output, answers), "uploading")
    assert type(error) is kind
    assert error.code == code
    assert error.next_step
    assert "\n" not in error.message


def test_a_conflict_is_a_failed_check() -> None:
    error = failure(CliRun(1, crash("busy"), [Answer("POST", POST, 409)]), "uploading")
    assert type(error) is CheckFailed
