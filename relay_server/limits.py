"""What a relay bounds, and the environment variables that set it (PROTOCOL.md, "What a room holds")."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _limit(default: int, variable: str, *, lowest: int = 1, scale: int = 1) -> Any:
    return field(default=default, metadata={"variable": variable, "lowest": lowest, "scale": scale})


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a relay and of each of its rooms. Sizes in bytes, times in milliseconds."""

    max_body_bytes: int = _limit(1 << 20, "RELAY_MAX_BODY_BYTES")
    max_batch_frames: int = _limit(1000, "RELAY_MAX_BATCH_FRAMES")
    max_frame_bytes: int = _limit(1 << 16, "RELAY_MAX_FRAME_BYTES")
    max_message_bytes: int = _limit(4096, "RELAY_MAX_MESSAGE_BYTES")
    max_room_frames: int = _limit(20_000, "RELAY_MAX_ROOM_FRAMES")
    max_room_bytes: int = _limit(8 << 20, "RELAY_MAX_ROOM_BYTES")
    max_room_streams: int = _limit(200, "RELAY_MAX_ROOM_STREAMS")
    max_frames_per_second: int = _limit(0, "RELAY_MAX_FRAMES_PER_SECOND", lowest=0)
    idle_ms: int = _limit(60_000, "RELAY_IDLE_SECONDS", scale=1000)
    grace_ms: int = _limit(300_000, "RELAY_GRACE_SECONDS", scale=1000)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Limits:
        """Defaults, overridden by the variables that are set. Raises UsageError for a value out of range."""
        values: dict[str, int] = {}
        for limit in fields(cls):
            variable, lowest, scale = (limit.metadata[key] for key in ("variable", "lowest", "scale"))
            text = environment.get(variable, "").strip()
            if not text:
                continue
            try:
                number = float(text) if scale > 1 else int(text)
                in_range = "_" not in text and lowest <= number * scale < 2**53
            except ValueError:
                number, in_range = 0, False
            if not in_range:
                raise UsageError(
                    f"{variable} is {text!r}, which is not a number from {lowest / scale:g} up",
                    next_step=f"set {variable} to a number, or unset it for {limit.default / scale:g}",
                    code="bad_limit",
                )
            values[limit.name] = int(number * scale)
        return cls(**values)
