"""Runners that are given several scripts or commands: npm-run-all with run-p and run-s, concurrently; pure.

Facts by the documentation of npm-run-all, npm-run-all2 and concurrently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.legacy.scripts.command_line import quoted, words_of
from migrations.legacy.scripts.names import ScriptNames, Unclear, as_regex, is_pattern, tidy_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from migrations.legacy.scripts.command_line import Word
    from migrations.legacy.scripts.names import PatternKind

TASK_RUNNERS = frozenset({"run-p", "run-s", "npm-run-all", "npm-run-all2"})
CONCURRENTLY = frozenset({"concurrently", "conc"})

_TASK_VALUES = frozenset({"--max-parallel", "--npm-path"})
_GROUP_FLAGS = frozenset({"-p", "--parallel", "-s", "--sequential", "--serial"})
_CONCURRENTLY_VALUES = words_of(
    "-n --names -c --prefix-colors --name-separator -p --prefix -l --prefix-length -t --timestamp-format -m "
    "--max-processes -s --success --restart-tries --restart-after --default-input-target --hide --cwd --kill-signal "
    "--ks --teardown --kill-timeout --pad-prefix"
)
_CALL = re.compile(r"(?:npm run|(?:pnpm|yarn|bun)(?: run)?) ([\w:.-]+)")
_SHORTENED = re.compile(r"(npm|yarn|pnpm|bun|node|deno):(\S+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TaskList:
    """What is left of a list: `text` of the command, None if nothing is; `only` if it is one script alone."""

    text: str | None
    only: str | None = None


def reduce_tasks(
    program: str, head: str, arguments: Sequence[Word], raw: Callable[[Word], str], names: ScriptNames
) -> TaskList | None:
    """A command of npm-run-all, run-p or run-s without the scripts that go; None if none of them does.

    `head` is the command up to its arguments as it is written, `raw` gives a word as it is written.
    """
    kept: list[tuple[str, bool]] = []  # words, and whether each is a task
    left: list[str] = []
    changed = passes_on = False
    skip = 0
    for word in arguments:
        text = word.text
        if passes_on or skip or text.startswith("-"):
            passes_on = passes_on or text == "--"
            skip = 0 if skip else int(text in _TASK_VALUES)
            kept.append((raw(word), False))
            continue
        found = _tasks_left(text, names)
        changed = changed or found.changed
        left += found.names
        if found.text is not None:
            kept.append((raw(word) if found.text == text else quoted(found.text, word.quote), True))
    if not changed:
        return None
    if not left:
        return TaskList(None)
    words = _without_empty_groups(kept) if program.startswith("npm-run-all") else [text for text, _ in kept]
    only = left[0] if len(left) == 1 and not passes_on and not re.search(r"\{[\d@*]", " ".join(words)) else None
    return TaskList(" ".join([head, *words]), only)


@dataclass(frozen=True, slots=True)
class _Left:
    text: str | None
    names: tuple[str, ...]
    changed: bool


def _tasks_left(task: str, names: ScriptNames) -> _Left:
    """What is left of one task: a name or pattern, with arguments perhaps."""
    name, _, arguments = task.partition(" ")
    regex = as_regex(name)
    kind: PatternKind = "regex" if regex is not None else "glob"
    if regex is None and not is_pattern(name):
        gone = names.is_gone(name)
        return _Left(None, (), True) if gone else _Left(task, (task,) if not arguments else (task, ""), False)
    pattern = regex if regex is not None else name
    before, left = names.matching(pattern, kind), names.left(pattern, kind)
    if not left and before:
        return _Left(None, (), True)
    text = f"/{tidy_regex(pattern, names)}/{task[len(name) :]}" if regex is not None else task
    # A task that passes arguments on is not one script's name: it counts as more than one.
    return _Left(text, (*left, "") if arguments else left, before != left)


def _without_empty_groups(kept: Sequence[tuple[str, bool]]) -> list[str]:
    """Without the flags of npm-run-all's groups that have no task behind them any more."""
    words: list[str] = []
    for number, (text, is_task) in enumerate(kept):
        if not is_task and text in _GROUP_FLAGS:
            following = next((n for n in range(number + 1, len(kept)) if kept[n][0] in _GROUP_FLAGS), len(kept))
            if not any(is_task for _, is_task in kept[number + 1 : following]):
                continue
        words.append(text)
    return words


def reduce_concurrently(
    head: str,
    arguments: Sequence[Word],
    raw: Callable[[Word], str],
    names: ScriptNames,
    reduce_line: Callable[[str], str | None],
) -> TaskList | None:
    """A command of concurrently without the commands that go, its lists of names and colours kept in step; None if
    none of them does.

    With one command left it is that command alone; concurrently's own options go with it.
    """
    commands: list[_Entry] = []
    words: list[Word | _Entry] = []
    skip = passes_on = False
    for word in arguments:
        if passes_on or skip or word.text.startswith("-"):
            passes_on = passes_on or word.text == "--"
            skip = not skip and word.text in _CONCURRENTLY_VALUES
            words.append(word)
            continue
        entry = _entry(word, raw(word), names, reduce_line)
        commands.append(entry)
        words.append(entry)
    if all(entry.text == entry.written for entry in commands) and not any(entry.lost for entry in commands):
        return None
    if any(re.search(r"\{[\d@*]+\}", word.text) for word in arguments) or passes_on:
        raise Unclear("concurrently passes arguments on")
    left = [entry for entry in commands if entry.text is not None]
    if not left:
        return TaskList(None)
    lost = _lost_numbers(commands)
    if len(left) == 1 and left[0].size == 1:
        return TaskList(left[0].alone, left[0].script)
    _refuse_numbers(arguments)
    separator = _separator(arguments)
    parts: list[str] = []
    previous = ""
    for part in words:
        if isinstance(part, _Entry):
            if part.text is not None:
                parts.append(part.text)
            continue
        parts.append(_option(part, previous, raw(part), lost, separator, len(commands)))
        previous = part.text
    return TaskList(" ".join([head, *parts]))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One argument of concurrently: as it was written, what is left of it as a word and as a line of its own.

    `before` and `size` count the commands that it stands for, as it was and as it is; `lost` are the numbers, among
    its own, of those that go.
    """

    written: str
    text: str | None
    alone: str | None
    script: str | None = None
    before: int = 1
    size: int = 1
    lost: tuple[int, ...] = ()


def _entry(word: Word, written: str, names: ScriptNames, reduce_line: Callable[[str], str | None]) -> _Entry:
    shortened = _SHORTENED.fullmatch(word.text)
    if shortened is None:
        line = reduce_line(word.text)
        if line is None:
            return _Entry(written, None, None, size=0, lost=(0,))
        call = _CALL.fullmatch(line)
        script = call[1] if call is not None and call[1] in names.scripts else None
        return _Entry(written, written if line == word.text else quoted(line, word.quote or '"'), line, script)
    runner, name, arguments = shortened[1], shortened[2], shortened[3]
    if not is_pattern(name):
        if names.is_gone(name):
            return _Entry(written, None, None, size=0, lost=(0,))
        line = f"{runner} run {name}{arguments}" if runner != "node" else f"node --run {name}{arguments}"
        return _Entry(written, written, line, None if arguments else name)
    before, left = names.matching(name, "wildcard"), names.left(name, "wildcard")
    lost = tuple(number for number, script in enumerate(before) if script not in left)
    if before and not left:
        return _Entry(written, None, None, before=len(before), size=0, lost=lost)
    only = left[0] if len(left) == 1 else None
    alone = f"{runner} run {only}{arguments}" if only is not None else None
    return _Entry(written, written, alone, None if arguments else only, len(before), len(left), lost)


def _lost_numbers(commands: Iterable[_Entry]) -> frozenset[int]:
    """The numbers, among all the commands that concurrently starts, of those that go."""
    lost: list[int] = []
    at = 0
    for entry in commands:
        lost += [at + number for number in entry.lost]
        at += max(entry.before, 1)
    return frozenset(lost)


def _refuse_numbers(arguments: Sequence[Word]) -> None:
    """Options that name commands by number or name: which is meant after one went is not guessed at."""
    for number, word in enumerate(arguments):
        name, _, value = word.text.partition("=")
        value = value or (arguments[number + 1].text if number + 1 < len(arguments) else "")
        if name == "--hide" or name == "--default-input-target" or (name in ("-s", "--success") and "command" in value):
            raise Unclear(f"concurrently's {name} names commands by their place")


def _separator(arguments: Sequence[Word]) -> str:
    for number, word in enumerate(arguments[:-1]):
        if word.text == "--name-separator":
            return arguments[number + 1].text
    return ","


def _option(word: Word, previous: str, raw: str, lost: frozenset[int], separator: str, count: int) -> str:
    """An option of concurrently, or its value, with the names or colours of the commands that went taken out."""
    name, equals, value = word.text.partition("=")
    if previous in ("-n", "--names", "-c", "--prefix-colors"):
        option, value, start = previous, word.text, ""
    elif equals and name in ("--names", "--prefix-colors", "-n", "-c"):
        option, start = name, f"{name}="
    else:
        return raw
    mark = separator if option in ("-n", "--names") else ","
    items = value.split(mark)
    if len(items) <= 1 or (len(items) < count and option in ("-n", "--names")):
        return raw
    kept = [item for number, item in enumerate(items) if number not in lost]
    if not kept or kept == items:
        return raw
    new = mark.join(kept)
    written_quote = raw[len(start)] if len(raw) > len(start) and raw[len(start)] in "'\"" else ""
    if word.quote and start:  # "--names=a,b" in quotes as a whole
        return quoted(start + new, word.quote)
    return start + quoted(new, word.quote or written_quote)
