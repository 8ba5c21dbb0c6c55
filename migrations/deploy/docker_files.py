"""The files for hosting the bundled relay oneself: image, compose file, systemd unit. Pure texts.

Each begins with a line that holds a checksum of the rest, so that a file that somebody has edited since is known as
theirs and left alone.
"""

from __future__ import annotations

import hashlib
import re

FOLDER = "relay"
ENV_FILE = "relay.env"
PORT = 1999

_MARK = (
    "# Written by chatops deploy --target docker ({digest}). Edit it if you like: it is then yours, and left alone.\n"
)
_MARKED = re.compile(rb"\A# Written by chatops deploy --target docker \((?P<digest>[0-9a-f]{16})\)\.[^\n]*\n")


def files(version: str) -> dict[str, bytes]:
    """The files by their paths in the app; the wheel that they install goes beside them."""
    texts = {
        "Dockerfile": _DOCKERFILE.format(port=PORT),
        "compose.yaml": _COMPOSE.format(port=PORT, version=version, env=ENV_FILE),
        "chatops-relay.service": _UNIT.format(port=PORT, env=ENV_FILE),
        f"{ENV_FILE}.example": _ENV_EXAMPLE,
        ".gitignore": f"{ENV_FILE}\n",
        ".dockerignore": "*\n!chatops_partykit-*.whl\n",
    }
    return {f"{FOLDER}/{name}": marked(text) for name, text in texts.items()}


def marked(text: str) -> bytes:
    """A text with its mark before it."""
    return (_MARK.format(digest=_digest(text.encode())) + text).encode()


def is_ours(data: bytes) -> bool:
    """Whether a file is as chatops wrote it, in this version or another."""
    found = _MARKED.match(data.replace(b"\r\n", b"\n"))
    return found is not None and found["digest"].decode() == _digest(data.replace(b"\r\n", b"\n")[found.end() :])


def was_ours(data: bytes) -> bool:
    """Whether it is one of chatops' that somebody has edited."""
    return _MARKED.match(data.replace(b"\r\n", b"\n")) is not None and not is_ours(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


_DOCKERFILE = """\
# The relay of the app's chat. Built with this folder as the context: docker compose up --build
FROM python:3.13-slim

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin relay \\
 && install --directory --owner relay --group relay /data
COPY chatops_partykit-*.whl /tmp/
RUN pip install --no-cache-dir /tmp/chatops_partykit-*.whl && rm /tmp/*.whl

USER relay
WORKDIR /data
# The secret is not here: it comes from the env file when the container starts.
ENV PYTHONUNBUFFERED=1 RELAY_HOST=0.0.0.0 RELAY_PORT={port} RELAY_DB=/data/relay.sqlite
EXPOSE {port}
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \\
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['RELAY_PORT'] + '/health', timeout=4)"]
# SIGTERM makes it say goodbye to everybody and leave within 3 seconds.
CMD ["chatops", "relay", "serve"]
"""  # noqa: E501  # the words of a Docker CMD stand on one line

_COMPOSE = """\
# docker compose --file relay/compose.yaml up --build --detach
name: chatops-relay
services:
  relay:
    build: .
    image: chatops-relay:{version}
    restart: unless-stopped
    # RELAY_SECRET and RELAY_BUILD; git does not have it.
    env_file: {env}
    # For a proxy on this machine that speaks TLS to the world (WebSocket upgrades included).
    ports:
      - "127.0.0.1:{port}:{port}"
    volumes:
      - rooms:/data
    stop_grace_period: 10s
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
volumes:
  # Rooms and their streams, in SQLite: they are there again after a restart.
  rooms: {{}}
"""

_UNIT = """\
# Without Docker, on a Linux machine with systemd and Python 3.11 or newer; in this folder:
#   sudo python3 -m venv /opt/chatops && sudo /opt/chatops/bin/pip install ./chatops_partykit-*.whl
#   sudo install -D --mode 600 {env} /etc/chatops/{env}
#   sudo install --mode 644 chatops-relay.service /etc/systemd/system/ && sudo systemctl enable --now chatops-relay
[Unit]
Description=The relay of the app's chat
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/opt/chatops/bin/chatops relay serve
Environment=RELAY_HOST=127.0.0.1 RELAY_PORT={port} RELAY_DB=%S/chatops-relay/relay.sqlite
# RELAY_SECRET and RELAY_BUILD.
EnvironmentFile=/etc/chatops/{env}
WorkingDirectory=%S/chatops-relay
StateDirectory=chatops-relay
DynamicUser=yes
Restart=on-failure
TimeoutStopSec=10
LimitNOFILE=65536
CapabilityBoundingSet=
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=multi-user.target
"""

_ENV_EXAMPLE = """\
# What relay.env holds; chatops deploy --target docker writes that one.
# The secret that publishers send: the same as RELAY_SECRET of the app.
RELAY_SECRET=
# What /health gives as the build.
RELAY_BUILD=
"""
