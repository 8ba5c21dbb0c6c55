"""Answers about something that does not change, each worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Answer = TypeVar("Answer")


class Memo:
    """Remembers by a key; the answers live as long as what they are about."""

    def once(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """What `make` gives, called for the first time that this key is asked for."""
        answers: dict[Hashable, Any] = self.__dict__.setdefault("_answers", {})
        if key not in answers:
            answers[key] = make()
        answer: Answer = answers[key]
        return answer
