"""Asks a model for a streamed reply through OpenAI's SDK, and puts what can go wrong into one clear line.

The SDK takes half a second to load; `load_sdk` does that in a thread while other things start.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from relay_server.client.failures import connection_cause, one_line
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

_OPENAI_URL = "https://api.openai.com/v1"
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """Which model, where, and with which key. `base_url` None is OpenAI's own."""

    name: str
    base_url: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """For messages: the address without what may be a password."""
        parts = urlsplit(self.base_url or _OPENAI_URL)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


async def load_sdk() -> None:
    """Import the SDK in a thread."""
    await asyncio.to_thread(importlib.import_module, "openai")


class Model:
    """A model that can be asked; `load_sdk` must have run.

        async with Model(access, timeout_s=30) as model:
            async for piece in model.ask([{"role": "user", "content": "Hello"}]):
                ...

    `timeout_s` bounds the wait for each piece.
    """

    def __init__(self, access: ModelAccess, timeout_s: float) -> None:
        import openai

        loopback = urlsplit(access.where).hostname in ("127.0.0.1", "localhost", "::1")
        self._access = access
        self._client = openai.AsyncOpenAI(
            # The SDK insists on a key where a model on this machine has no use for one.
            api_key=access.api_key or "none",
            base_url=access.base_url or _OPENAI_URL,
            timeout=openai.Timeout(timeout_s, connect=_CONNECT_S),
            max_retries=1,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not loopback),
        )
        # The SDK loads this part when it is first used; that is not the model's time.
        self._completions = self._client.chat.completions

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, messages: Sequence[dict[str, str]]) -> AsyncGenerator[str, None]:
        """The reply's pieces as they come.

        Raises Unreachable, Denied, CheckFailed; also when the reply ends before the model says so.
        """
        access, got_any, finished = self._access, False, False
        request: Any = {"model": access.name, "messages": list(messages), "stream": True}
        try:
            async with await self._completions.create(**request) as chunks:
                async for chunk in chunks:
                    for choice in chunk.choices or ():
                        finished = finished or choice.finish_reason is not None
                        if choice.delta is not None and choice.delta.content:
                            got_any = True
                            yield choice.delta.content
        except _errors() as error:
            raise _failure(access, error, got_any) from None
        if finished and got_any:
            return
        if finished:
            raise CheckFailed(
                f"the model {access.name} gave an empty reply", next_step="try another prompt", code="empty_reply"
            )
        if got_any:
            raise _broke_off(access, "its answer ended before it said so")
        raise Unreachable(
            f"{access.where} answered with no reply: does it speak OpenAI's chat completions?",
            next_step="check the base URL; it usually ends in /v1",
            code="not_a_model",
        )


def _errors() -> tuple[type[Exception], ...]:
    """What the SDK raises. In mid-stream that is its HTTP library's as it is (httpx up to SDK 2, then httpx2)."""
    import openai

    transports = [sys.modules[name].HTTPError for name in ("httpx", "httpx2") if name in sys.modules]
    return (openai.OpenAIError, ValueError, *transports)


def _failure(access: ModelAccess, error: Exception, got_any: bool) -> ChatopsError:
    import openai

    where, said = f"the model at {access.where}", _said(access, error)
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        # Not what it said: some repeat the key.
        return Denied(
            f"{where} refused the key ({error.status_code})",
            next_step="set OPENAI_API_KEY to a key that may use this model",
            code="model_denied",
        )
    if isinstance(error, openai.NotFoundError):
        return CheckFailed(
            f"{where} has no {access.name}: {said}",
            next_step="check the model's name, and the base URL, which usually ends in /v1",
            code="model_not_found",
        )
    if isinstance(error, openai.RateLimitError):
        return Unreachable(
            f"{where} takes no more requests now: {said}",
            next_step="wait, or look at the key's limits and balance",
            code="model_busy",
        )
    if isinstance(error, openai.APIStatusError):
        if error.status_code >= 500:
            return Unreachable(f"{where} failed: {said}", next_step="try again later", code="model_error")
        return CheckFailed(
            f"{where} refused the request: {said}",
            next_step="check the model's name and the prompt",
            code="model_refused",
        )
    reported = isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError)
    if got_any:
        strange = "it sent what is not OpenAI's format"
        why = said if reported else strange if isinstance(error, ValueError) else connection_cause(error).text
        return _broke_off(access, why)
    if reported:
        return CheckFailed(
            f"{where} reported an error: {said}", next_step="look at the model's side", code="model_error"
        )
    if isinstance(error, ValueError):
        return Unreachable(
            f"{where} answered with what is not OpenAI's format",
            next_step="check the base URL; it usually ends in /v1",
            code="not_a_model",
        )
    cause = connection_cause(error)
    return Unreachable(
        f"{where} cannot be reached: {cause.text}",
        next_step="check the base URL and that the model is running",
        code=f"model_{cause.code}",
    )


def _broke_off(access: ModelAccess, why: str) -> CheckFailed:
    return CheckFailed(
        f"the model {access.name} stopped in the middle of its reply: {why}",
        next_step="try again; the relay passed on what came, and closed the stream with an error",
        code="model_stopped",
    )


def _said(access: ModelAccess, error: Exception) -> str:
    """The model's own words, without the key if they repeat it."""
    body = getattr(error, "body", None)
    text = str(body["message"]) if isinstance(body, dict) and body.get("message") else str(error)
    if access.api_key:
        text = text.replace(access.api_key, "…")
    return one_line(text)
