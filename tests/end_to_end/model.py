"""A model that uses a tool, which the built-in one does not."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def text(content: str) -> dict[str, Any]:
    """A piece of text, as OpenAI streams it."""
    return {"content": content}


def tool_call(name: str, *fragments: str) -> list[dict[str, Any]]:
    """A call of a tool: its name comes first and its arguments' JSON in fragments."""
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    return [
        {"tool_calls": [first]},
        *({"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]} for fragment in fragments),
    ]


@contextmanager
def streaming(deltas: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A server of chat completions that answers every request with these deltas. Gives its base URL."""
    events = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "with-tools"}
    body = "".join(f"data: {json.dumps({**head, **event})}\n\n" for event in events) + "data: [DONE]\n\n"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing: what went wrong shows in the test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()
