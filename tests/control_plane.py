"""A stand-in for PartyKit's control plane on loopback, for the real CLI (PARTYKIT_API_BASE).

It takes the form that `partykit deploy` posts, checks it, and serves the uploaded code in real workerd: `partykit dev`
on what was uploaded, which puts PartyKit's facade around it as the platform does. What it answers follows the CLI's
source (`fetchResult`, `deploy`, `env8`) and PartyKit's guide "Managing environment variables": a stored variable takes
effect in the next deployment, one of the upload itself goes before it.
"""

from __future__ import annotations

import contextlib
import email.parser
import email.policy
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.node import NODE, ensure_node_modules
from tests.servers import TYPESCRIPT, kill_group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGIN = "team-of-the-tests"
TOKEN = "the-token-of-the-tests"

Operation: TypeAlias = Literal["list", "env", "deploy"]

_START_S = 30.0
_STOP_S = 10.0
_POLL_S = 0.02
_PORT_ATTEMPTS = 3
_PARTS = {"code", "vars", "compatibilityDate"}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request, or with the relay that it brings.

    `status` answers with that and `body`; `hang` never answers; `cut` drops the connection in mid-upload. The upload is
    taken, but: `silent` the relay never answers, `old_for_s` the build before goes on being served for so many seconds,
    `other_secret` the relay has another secret.
    """

    status: int = 0
    body: str = ""
    hang: bool = False
    cut: bool = False
    silent: bool = False
    old_for_s: float = 0
    other_secret: bool = False


@dataclass(frozen=True)
class Received:
    """A request as it came, whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ControlPlane:
    """The running stand-in: `api` for PARTYKIT_API_BASE, `relay` where the last deployed relay answers."""

    api: str
    relay: str
    folder: Path
    requests: list[Received] = field(default_factory=list)
    uploads: list[dict[str, str]] = field(default_factory=list)
    stored: dict[tuple[str, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    flags: dict[str, Any] = field(
        default_factory=lambda: {"defaultLoginMethod": "clerk", "supportedLoginMethods": ["clerk", "github"]}
    )
    # Storing a variable of a project that was never deployed is refused.
    env_needs_project: bool = False
    hanging: threading.Event = field(default_factory=threading.Event)
    looked_at: threading.Event = field(default_factory=threading.Event)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    backend: int = 0
    projects: set[str] = field(default_factory=set)
    _closing: threading.Event = field(default_factory=threading.Event)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def inject(self, operation: Operation, *faults: Fault) -> None:
        """For the next requests of this kind, one each; those after them are good again."""
        self.faults[operation].extend(faults)

    def calls(self, operation: Operation) -> list[Received]:
        """The requests of this kind so far."""
        return [request for request in self.requests if operation_of(request.method, request.path) == operation]

    def next_fault(self, operation: str) -> Fault:
        waiting = self.faults[operation]
        return waiting.popleft() if waiting else self.always.get(operation, Fault())

    def wait_until_closed(self) -> None:
        self._closing.wait()

    def serve(self, fields: dict[str, str], files: dict[str, str], project: tuple[str, str], fault: Fault) -> None:
        """Run what was uploaded in workerd, and send visitors there."""
        variables = {**self.stored[project], **json.loads(fields.get("vars", "{}"))}
        if fault.other_secret:
            variables["RELAY_SECRET"] = "another-secret-altogether"
        folder = self.folder / f"upload-{len(self.uploads)}"
        port = self._start(folder, fields, files, variables)
        if fault.old_for_s:
            later = threading.Timer(fault.old_for_s, self._turn_to, [port])
            later.daemon = True
            later.start()
        elif fault.silent:
            self.backend = 0
        else:
            self.backend = port

    def close(self) -> None:
        self._closing.set()
        for process in self._running:
            process.terminate()
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            kill_group(process)

    def _turn_to(self, port: int) -> None:
        self.backend = port

    def _start(self, folder: Path, fields: dict[str, str], files: dict[str, str], variables: dict[str, str]) -> int:
        """`partykit dev` on the uploaded code: the modules that the form brings beside it are packages there.

        Gives its port. One that somebody else took meanwhile shows by another build: `partykit dev` lives on beside it.
        """
        folder.mkdir(parents=True)
        (folder / "server.mjs").write_text(fields["code"])
        for name, content in files.items():
            package = folder / "node_modules" / name
            package.mkdir(parents=True)
            (package / "index.mjs").write_text(content)
            (package / "package.json").write_text(json.dumps({"name": name, "main": "index.mjs"}))
        settings = {
            "name": "uploaded",
            "main": "server.mjs",
            "vars": variables,
            "compatibilityDate": fields["compatibilityDate"],
        }
        (folder / "partykit.json").write_text(json.dumps(settings))
        (folder / ".env").touch()
        (folder / "tmp").mkdir()
        for _ in range(_PORT_ATTEMPTS):
            port = free_port()
            if self._answers(self._launch(folder, port), port, variables["RELAY_BUILD"]):
                return port
        raise RuntimeError(f"what was uploaded does not run:\n{(folder / 'log').read_text()[-2000:]}")

    def _launch(self, folder: Path, port: int) -> subprocess.Popen[bytes]:
        partykit = TYPESCRIPT / "node_modules" / "partykit" / "dist" / "bin.mjs"
        options = ["--port", str(port), "--persist", "state", "--no-hotkeys", "--disable-request-cf-fetch"]
        command = [str(NODE), str(partykit), "dev", *options]
        temporary = folder / "tmp"
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(folder),
                    "NO_UPDATE_NOTIFIER": "1",
                    "TMPDIR": str(temporary),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def _answers(self, process: subprocess.Popen[bytes], port: int, build: str) -> bool:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                found = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).json()["build"]
                return bool(found == build)
            time.sleep(_POLL_S)
        return False


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Start the stand-in, and end it and all that it serves."""
    ensure_node_modules(TYPESCRIPT)
    folder.mkdir(parents=True, exist_ok=True)
    with _Server(("127.0.0.1", 0), _Handler) as server, socket.create_server(("127.0.0.1", 0)) as front:
        plane = ControlPlane(
            f"http://127.0.0.1:{server.server_address[1]}", f"http://127.0.0.1:{front.getsockname()[1]}", folder
        )
        server.plane = plane
        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Thread(target=_pass_on, args=(front, plane), daemon=True).start()
        try:
            yield plane
        finally:
            plane.close()
            server.shutdown()
            with contextlib.suppress(OSError):
                front.shutdown(socket.SHUT_RDWR)
            shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    plane: ControlPlane

    def handle_error(self, *_: object) -> None:
        """A client that was ended in mid-request is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        plane = self.server.plane
        length = int(self.headers.get("content-length") or 0)
        path = urlsplit(self.path)
        operation = operation_of(self.command, path.path)
        fault = plane.next_fault(operation)
        if fault.cut:
            self.rfile.read(length // 2)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = self.rfile.read(length)
        plane.requests.append(Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if fault.hang:
            plane.hanging.set()
            plane.wait_until_closed()
            return
        if path.path == "/flags":
            self._answer(200, plane.flags)
        elif fault.status:
            self._answer(fault.status, fault.body)
        elif self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Unauthorized"})
        else:
            self._answer(*self._carry_out(operation, path.path, path.query, body, fault))

    def _carry_out(self, operation: str, path: str, query: str, body: bytes, fault: Fault) -> tuple[int, object]:
        plane = self.server.plane
        parts = path.split("/")[2:]
        if parts[:1] != [LOGIN]:
            return 403, {"error": f"You do not have access to {parts[0] if parts else ''}"}
        if operation == "list":
            return 200, [{"name": name} for name in sorted(plane.projects)]
        preview = parse_qs(query).get("preview", [""])[0]
        project = (parts[1], preview)
        if operation == "env":
            if plane.env_needs_project and parts[1] not in plane.projects:
                return 404, {"error": "Project not found"}
            plane.stored[project][parts[3]] = body.decode()
            return 200, {"success": True}
        if operation != "deploy":
            return 404, {"error": "Not found"}
        try:
            fields, files = read_form(self.headers["content-type"], body)
        except ValueError as error:
            return 400, {"error": str(error)}
        plane.uploads.append(fields)
        first = parts[1] not in plane.projects
        plane.projects.add(parts[1])
        plane.serve(fields, files, project, fault)
        return 200, {"result": {"is_initial_deploy": first}}

    def _answer(self, status: int, value: object) -> None:
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def operation_of(method: str, path: str) -> str:
    """Which command of the CLI a request belongs to; "" if none that is known here."""
    parts = path.split("?")[0].strip("/").split("/")
    if parts[0] != "parties":
        return ""
    if len(parts) == 2 and method == "GET":
        return "list"
    if len(parts) == 3 and method == "POST":
        return "deploy"
    return "env" if len(parts) == 5 and parts[3] == "env" and method == "POST" else ""


def read_form(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The fields of an upload, and its modules by name. Raises ValueError for a form that the CLI would not send."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body
    )
    if not message.is_multipart():
        raise ValueError("the body is not a form")
    fields: dict[str, str] = {}
    files: dict[str, str] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        content = payload.decode()
        if name.startswith("upload/"):
            if part.get_content_type() not in ("application/javascript+module", "application/octet-stream"):
                raise ValueError(f"{name} has the type {part.get_content_type()}")
            files[name.removeprefix("upload/")] = content
        elif name in _PARTS:
            fields[name] = content
        else:
            raise ValueError(f"{name} is not expected in the form")
    missing = _PARTS - fields.keys()
    if missing:
        raise ValueError(f"{', '.join(sorted(missing))} is missing in the form")
    return fields, files


def _pass_on(front: socket.socket, plane: ControlPlane) -> None:
    """Visitors of the relay's address come to the relay that is served there now, or find the door shut."""
    while True:
        try:
            visitor, _ = front.accept()
        except OSError:
            return
        plane.looked_at.set()
        threading.Thread(target=_visit, args=(visitor, plane.backend), daemon=True).start()


def _visit(visitor: socket.socket, port: int) -> None:
    """Carry bytes both ways until both sides are done."""
    with visitor, contextlib.suppress(OSError):
        if not port:
            return
        with socket.create_connection(("127.0.0.1", port)) as relay:
            back = threading.Thread(target=_pump, args=(relay, visitor), daemon=True)
            back.start()
            _pump(visitor, relay)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
