"""A stand-in for the part of Cloudflare's API that `wrangler deploy` speaks, on loopback.

Paths and answers are those that wrangler 4.156 asks for and reads. It takes the uploaded form and keeps its parts, so
that a test can run the very code that was sent; and it can be told to answer with a fault.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "the-api-token"
ACCOUNT = {"id": "0123456789abcdef0123456789abcdef", "name": "Skarv"}
SUBDOMAIN = "skarv"

_CUT_AFTER = 1_000  # bytes of an upload, which has tens of thousands


@dataclass(frozen=True)
class Fault:
    """An answer in place of the real one, for requests that `matches`; `times` of them, then the real one again.

    `status` 0 cuts the connection in the middle of the request, `code` 0 gives a page in place of the API's JSON;
    `hang` never answers.
    """

    matches: str
    status: int
    code: int = 10000
    message: str = "a fault"
    times: int = 1_000
    hang: bool = False


@dataclass(frozen=True)
class Upload:
    """One version of a Worker: its metadata, and its modules by name."""

    worker: str
    metadata: dict[str, Any]
    modules: dict[str, bytes]

    def bindings(self, kind: str) -> dict[str, str]:
        """Name and text of the bindings of one type, such as secret_text."""
        return {b["name"]: b.get("text", "") for b in self.metadata["bindings"] if b["type"] == kind}


@dataclass
class CloudflareApi:
    """What was asked, what was uploaded, and what goes wrong. `workers` are the names of those that exist."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    deployed: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    accounts: list[dict[str, str]] = field(default_factory=lambda: [ACCOUNT])
    hanging: threading.Event = field(default_factory=threading.Event)
    _hits: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    @property
    def workers(self) -> set[str]:
        return {upload.worker for upload in self.uploads}

    def fault_for(self, line: str) -> Fault | None:
        with self._lock:
            for number, fault in enumerate(self.faults):
                if re.search(fault.matches, line) and self._hits.get(number, 0) < fault.times:
                    self._hits[number] = self._hits.get(number, 0) + 1
                    return fault
        return None

    def hang(self) -> None:
        """Until the end of the block that runs the stand-in."""
        self.hanging.set()
        self._closing.wait()

    def close(self) -> None:
        self._closing.set()

    def version_id(self, number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012d}"


@contextmanager
def cloudflare_api() -> Iterator[CloudflareApi]:
    api = CloudflareApi()

    class Handler(_Handler):
        state = api

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}/client/v4"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.close()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that was ended in mid-request is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: CloudflareApi

    def _answer(self) -> None:
        path, _, query = self.path.removeprefix("/client/v4").partition("?")
        line = f"{self.command} {path}"
        self.state.requests.append(f"{line}?{query}" if query else line)
        fault = self.state.fault_for(line)
        if fault is not None and fault.hang:
            self.state.hang()
        if fault is not None and not fault.status:
            if self.command != "GET":
                self.rfile.read(_CUT_AFTER)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = self._body()
        if fault is not None:
            if not fault.code:
                self._send_page(fault.status, fault.message)
            else:
                self._send(fault.status, None, [{"code": fault.code, "message": fault.message}])
            return
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._send(403, None, [{"code": 9109, "message": "Invalid access token"}])
            return
        for pattern, answer in _ROUTES.items():
            match = re.fullmatch(pattern, line)
            if match:
                found = answer(self.state, match, body, self.headers["Content-Type"] or "")
                if found is None:
                    self._send(404, None, [{"code": 10007, "message": "This Worker does not exist on your account."}])
                else:
                    self._send(200, found, [])
                return
        self._send(404, None, [{"code": 7003, "message": f"no such route: {line}"}])

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, result: Any, errors: list[dict[str, Any]]) -> None:
        paging = {"page": 1, "per_page": 50, "total_pages": 1, "count": 1, "total_count": 1}
        body = {"success": not errors, "errors": errors, "messages": [], "result": result, "result_info": paging}
        self._send_bytes(status, "application/json", json.dumps(body).encode())

    def _send_page(self, status: int, title: str) -> None:
        """What stands before the API answers with a page of its own."""
        self._send_bytes(status, "text/html", f"<html><head><title>{status} {title}</title></head></html>".encode())

    def _send_bytes(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _form(body: bytes, content_type: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP)
    parts: dict[str, bytes] = {}
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        parts[str(part.get_param("name", header="content-disposition"))] = payload
    metadata: dict[str, Any] = json.loads(parts.pop("metadata"))
    return metadata, parts


def _upload(api: CloudflareApi, match: re.Match[str], body: bytes, content_type: str) -> Any:
    metadata, modules = _form(body, content_type)
    api.uploads.append(Upload(match["worker"], metadata, modules))
    version = api.version_id(len(api.uploads))
    api.deployed.append((match["worker"], version))
    return _version(version) | {"etag": "etag", "startup_time_ms": 3, "deployment_id": version}


def _add_version(api: CloudflareApi, match: re.Match[str], body: bytes, content_type: str) -> Any:
    """A version that is not deployed yet: that is a request of its own."""
    answer = _upload(api, match, body, content_type)
    api.deployed.pop()
    return answer


def _version(version: str) -> dict[str, Any]:
    return {
        "id": version,
        "number": int(version[-12:]),
        "metadata": {"author_email": "ida@example.com", "created_on": "2026-11-01T00:00:00Z", "source": "wrangler"},
        "annotations": {},
        "resources": {"bindings": [], "script": {"etag": "etag", "handlers": ["fetch"]}, "script_runtime": {}},
    }


def _if_there(value: Callable[[CloudflareApi, str], Any]) -> Callable[..., Any]:
    def answer(api: CloudflareApi, match: re.Match[str], _body: bytes, _type: str) -> Any:
        return value(api, match["worker"]) if match["worker"] in api.workers else None

    return answer


def _deployments(api: CloudflareApi, worker: str) -> Any:
    mine = [version for name, version in api.deployed if name == worker]
    return {
        "deployments": [
            {
                "id": f"d-{version}",
                "source": "wrangler",
                "strategy": "percentage",
                "author_email": "ida@example.com",
                "created_on": "2026-11-01T00:00:00Z",
                "annotations": {},
                "versions": [{"version_id": version, "percentage": 100}],
            }
            for version in reversed(mine)
        ]
    }


def _settings(api: CloudflareApi, worker: str) -> Any:
    latest = next(upload for upload in reversed(api.uploads) if upload.worker == worker)
    return {"bindings": latest.metadata["bindings"], "migration_tag": "v1"}


def _service(_api: CloudflareApi, worker: str) -> Any:
    return {"id": worker, "default_environment": {"environment": "production", "script": {
        "id": worker, "last_deployed_from": "wrangler", "migration_tag": "v1"}}}  # fmt: skip


def _deploy_version(api: CloudflareApi, match: re.Match[str], body: bytes, _type: str) -> Any:
    version = json.loads(body)["versions"][0]["version_id"]
    api.deployed.append((match["worker"], version))
    return {"id": f"d-{version}"}


_A = r"/accounts/(?P<account>\w+)/workers"
_ROUTES: dict[str, Callable[..., Any]] = {
    "GET /user": lambda *_: {"id": "u", "email": "ida@example.com"},
    "GET /user/tokens/verify": lambda *_: {"id": "t", "status": "active"},
    "GET /accounts": lambda api, *_: api.accounts,
    "GET /memberships": lambda api, *_: [{"id": a["id"], "account": a} for a in api.accounts],
    rf"GET {_A}/services/(?P<worker>[\w-]+)": _if_there(_service),
    rf"GET {_A}/scripts/(?P<worker>[\w-]+)/secrets": _if_there(lambda *_: []),
    rf"GET {_A}/scripts/(?P<worker>[\w-]+)/settings": _if_there(_settings),
    rf"GET {_A}/scripts/(?P<worker>[\w-]+)/deployments": _if_there(_deployments),
    rf"POST {_A}/scripts/(?P<worker>[\w-]+)/deployments": _deploy_version,
    rf"PUT {_A}/scripts/(?P<worker>[\w-]+)": _upload,
    rf"POST {_A}/scripts/(?P<worker>[\w-]+)/versions": _add_version,
    rf"GET {_A}/scripts/(?P<worker>[\w-]+)/versions/(?P<version>[\w-]+)": (
        lambda _api, match, *_: _version(match["version"])
    ),
    rf"PATCH {_A}/scripts/(?P<worker>[\w-]+)/script-settings": lambda *_: {},
    rf"GET {_A}/workers/(?P<worker>[\w-]+)": _if_there(
        lambda _api, worker: {"id": worker, "name": worker, "subdomain": {"enabled": True, "previews_enabled": True}}
    ),
    rf"GET {_A}/subdomain": lambda *_: {"subdomain": SUBDOMAIN},
    rf"POST {_A}/scripts/(?P<worker>[\w-]+)/subdomain": lambda *_: {"enabled": True, "previews_enabled": True},
}
