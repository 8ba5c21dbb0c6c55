"""One script without what went: the commands that ran or built it, the scripts that did; pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from migrations.legacy.scripts.command_line import parse_line, quoted, words_of
from migrations.legacy.scripts.invocations import PACKAGE_MANAGERS, invocation_of
from migrations.legacy.scripts.joining import is_aside, joined
from migrations.legacy.scripts.names import ScriptNames, Unclear, as_regex, is_server_name, tidy_regex
from migrations.legacy.scripts.next_command import next_command
from migrations.legacy.scripts.runners import (
    COMPILERS,
    RUNNERS,
    SCRIPT_TAKERS,
    WAITERS,
    entries_of,
    project_of,
    run_file,
    runs_by_option,
)
from migrations.legacy.scripts.task_lists import CONCURRENTLY, TASK_RUNNERS, reduce_concurrently, reduce_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from migrations.legacy.scripts.command_line import CommandLine, Word
    from migrations.legacy.scripts.gone_files import GoneFiles, Outputs
    from migrations.legacy.scripts.invocations import Invocation
    from migrations.legacy.scripts.task_lists import TaskList

    _ListReducer: TypeAlias = Callable[[str, CommandLine, Invocation], TaskList | None]

_SHELLS = frozenset({"sh", "bash", "zsh"})
_ELSEWHERE = re.compile(r"^(--prefix|-C|--dir|--cwd|--filter|-F|-w|--workspace|-r|--recursive|--workspaces|-ws)(=|$)")
_RUN = frozenset({"run", "run-script", "rum", "urn"})
# Words behind a package manager that are its own commands and no scripts.
_OWN_COMMANDS = words_of(
    "install i ci add remove rm update up upgrade publish pack link audit outdated why ls list prune rebuild cache "
    "config init create version deploy fetch import store setup patch workspace workspaces pm exec dlx x help"
)
_SHORT = frozenset({"start", "stop", "test", "restart"})
_PORT = re.compile(r"(?:^|:)(\d{2,5})(?:/|$)")
_SEPARATOR = r"(?<![\w./@-]){}(?![\w/@-])"


@dataclass
class Reduction:
    """What is left of a script: None for nothing. `sources` are the files that went and that it ran or built."""

    text: str | None
    sources: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class ScriptReducer:
    """`manager` is the package manager; `by_config` what nodemon runs by its settings; `ports` those of the servers
    that went; `idle_projects` compiler settings that stay, whose output nothing runs any more; `lost_variables` what
    nothing reads any more.
    """

    gone: GoneFiles
    outputs: Outputs
    names: ScriptNames
    manager: str = "npm"
    by_config: Mapping[str, str] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    idle_projects: frozenset[str] = frozenset()
    lost_variables: frozenset[str] = frozenset()

    def with_removed(self, removed: frozenset[str]) -> ScriptReducer:
        return replace(self, names=ScriptNames(self.names.scripts, removed))

    def reduce(self, name: str, text: str) -> Reduction:
        """The script `name` without what went. Raises Unclear: it has to do with that, and not in a known way."""
        found = Reduction(text)
        found.text = _Line(self, name, found).reduce(text)
        left = self.mentioned(found.text or "")
        if left is not None:
            raise Unclear(f"it names {left} where that is not expected")
        is_next = bool(found.sources & self.gone.next_servers)
        if is_next and len(re.findall(r"\bnext (?:dev|start)\b", found.text or "")) > 1:
            raise Unclear("it would start Next.js twice")
        return found

    def mentioned(self, text: str) -> str | None:
        """A file or script that went and that stands in a text; None if there is none."""
        file = self.mentioned_file(text)
        if file is not None:
            return file
        return next((name for name in sorted(self.names.removed) if _calls(text, name)), None)

    def mentioned_file(self, text: str) -> str | None:
        """A file that went and that stands in a text, itself or as what it was compiled to; None if there is none."""
        plain = text.replace("\\", "/")
        files = [path for path in self.gone.paths if re.search(_SEPARATOR.format(re.escape(path)), plain)]
        words = re.split(r"[\s\"'`;&|()=,]+", plain)
        built = [word for word in words if self.gone.is_path_of(word, "", self.outputs)]
        return next(iter(sorted([*files, *built])), None)


def _calls(text: str, name: str) -> bool:
    if ":" in name or "-" in name:
        return re.search(rf"(?<![\w:-]){re.escape(name)}(?![\w:-])", text) is not None
    return re.search(rf"\b(npm|pnpm|yarn|bun)(\s+run)?\s+{re.escape(name)}(?![\w:-])", text) is not None


@dataclass
class _Line:
    """The work on one script."""

    facts: ScriptReducer
    script: str
    found: Reduction
    open: tuple[str, ...] = ()

    def reduce(self, text: str) -> str | None:
        line = parse_line(text)
        if line is None:
            mentioned = self.facts.mentioned(text)
            if mentioned is not None:
                raise Unclear(f"it names {mentioned}, in a command line that is not understood")
            return text
        folder = base = ""
        left: list[str | None] = []
        for number, command in enumerate(line.commands):
            operator = line.operators[number - 1] if number else ""
            if operator == "&":  # what ran in the background went elsewhere alone
                folder = base
            elif operator == ";":
                base = folder
            invocation = invocation_of(command)
            raw = line.raw(number)
            left.append(self._without_variables(self._command(line, raw, invocation, folder), invocation))
            piped = "|" in (operator, line.operators[number])
            if invocation.program == "cd" and invocation.arguments and not piped:
                folder = posixpath.normpath(posixpath.join(folder, invocation.arguments[0].text))
        if left == [line.raw(number) for number in range(len(left))]:
            return text
        return self._joined(line, left)

    def _without_variables(self, text: str | None, invocation: Invocation) -> str | None:
        """A command without the variables that nothing reads any more, and without what only set them."""
        lost = self.facts.lost_variables & set(invocation.assignments)
        if text is None or not lost:
            return text
        for name in lost:
            text = re.sub(rf"(?<!\S){name}=(?:'[^']*'|\"[^\"]*\"|[^\s'\"])*\s+", "", text)
        return re.sub(r"^((?:\w+=\S*\s+)*)(?:npx\s+)?cross-env\s+(?!\w+=)", r"\1", text)

    def _joined(self, line: CommandLine, left: list[str | None]) -> str | None:
        folders = (*self.facts.outputs.folders, *self.facts.gone.gone_out_folders)
        aside = [is_aside(invocation_of(command), folders) for command in line.commands]
        return joined(line, left, aside)

    def _command(self, line: CommandLine, raw: str, invocation: Invocation, folder: str) -> str | None:
        """What is left of one command."""
        program = invocation.program
        if not program:
            return raw
        if program in TASK_RUNNERS:
            return self._list(raw, line, invocation, self._tasks)
        if program in CONCURRENTLY:
            return self._list(raw, line, invocation, self._concurrently)
        nested = self._nested(invocation)
        if nested is not None:
            return self._in_quotes(raw, line, invocation, nested)
        if program in WAITERS:
            return self._waiting(raw, line, invocation)
        if program == "node" and _first(invocation) == "--run":
            return self._called(raw, line, invocation, folder)
        if program in RUNNERS:
            ran = self._run(raw, line, invocation, folder)
            if ran != raw or program not in PACKAGE_MANAGERS:
                return ran
        if program in COMPILERS or (program == "bun" and _first(invocation) == "build"):
            return self._compiled(raw, line, invocation, folder)
        if program in PACKAGE_MANAGERS:
            return self._called(raw, line, invocation, folder)
        return self._unknown(raw, invocation, folder)

    # Lists of scripts and commands.

    def _list(self, raw: str, line: CommandLine, invocation: Invocation, reduce: _ListReducer) -> str | None:
        assert invocation.program_word is not None
        if invocation.is_redirected:
            return self._unknown(raw, invocation, "")
        start = (invocation.prefix or (invocation.program_word,))[0].start
        head = line.text[start : invocation.program_word.end]
        result = reduce(head, line, invocation)
        if result is None:
            return raw
        if result.text is None:
            return None
        prefix = self._prefix(line, invocation)
        if result.only is not None:
            return prefix + self._in_place(result.only, stands_alone=not prefix and len(line.commands) == 1)
        if not result.text.startswith(head):  # one command alone, without its runner
            if prefix and (other := parse_line(result.text)) is not None and len(other.commands) > 1:
                raise Unclear("variables are set for several commands")
            return prefix + result.text
        return result.text

    def _in_place(self, script: str, *, stands_alone: bool) -> str:
        """The one script that is left of a list: its own command, or a call of it where the two would differ."""
        scripts = self.facts.names.scripts
        if f"pre{script}" not in scripts and f"post{script}" not in scripts and script not in self.open:
            inner = _Line(self.facts, script, self.found, (*self.open, script)).reduce(scripts[script])
            line = parse_line(inner or "")
            if inner is not None and line is not None and (stands_alone or len(line.commands) == 1):
                return inner
        return f"{self.facts.manager} run {script}"

    def _tasks(self, head: str, line: CommandLine, invocation: Invocation) -> TaskList | None:
        return reduce_tasks(invocation.program, head, invocation.arguments, line.word, self.facts.names)

    def _concurrently(self, head: str, line: CommandLine, invocation: Invocation) -> TaskList | None:
        return reduce_concurrently(head, invocation.arguments, line.word, self.facts.names, self.reduce)

    def _prefix(self, line: CommandLine, invocation: Invocation) -> str:
        """What stands before the program and is not there to find it, with the space behind."""
        words = [line.word(word) for word in invocation.prefix if word not in invocation.fetchers]
        return " ".join([*words, ""]) if words else ""

    # Commands within commands.

    def _nested(self, invocation: Invocation) -> Word | None:
        word = invocation.program_word
        if word is not None and " " in word.text:
            return word
        if invocation.program in _SHELLS and len(invocation.arguments) > 1 and invocation.arguments[0].text == "-c":
            return invocation.arguments[1]
        return None

    def _in_quotes(self, raw: str, line: CommandLine, invocation: Invocation, word: Word) -> str | None:
        inner = self.reduce(word.text)
        if inner is None or inner == word.text:
            return None if inner is None else raw
        start = (invocation.prefix or (invocation.program_word or word,))[0].start
        return raw[: word.start - start] + quoted(inner, word.quote or '"') + raw[word.end - start :]

    # Files that are run, compiled, waited for.

    def _source(self, word: str, folder: str) -> str | None:
        return self.facts.gone.source_of(word, folder, self.facts.outputs)

    def _run(self, raw: str, line: CommandLine, invocation: Invocation, folder: str) -> str | None:
        by_option = runs_by_option(invocation)
        if by_option is not None and " " in by_option:
            return self._run_by_option(raw, line, invocation, by_option, folder)
        file = run_file(invocation)
        if file is None:
            config = self.facts.by_config.get(invocation.program, "")
            if config:
                return self._run_by_option(raw, line, invocation, config, folder)
            return self._unknown(raw, invocation, folder)
        source = self._source(file.text, folder)
        if source is None:
            is_missing = self.facts.gone.is_missing_server(file.text, folder)
            return None if is_missing else self._unknown(raw, invocation, folder)
        self.found.sources.add(source)
        if source not in self.facts.gone.next_servers:
            return None
        return next_command(line, invocation, file, self.script, source, self.facts.gone)

    def _run_by_option(
        self, raw: str, line: CommandLine, invocation: Invocation, command: str, folder: str
    ) -> str | None:
        """What is left of a watcher that runs `command`."""
        left = self.reduce(command)
        if left is None:
            return None
        if left != command:
            inner = parse_line(left)
            if inner is not None and len(inner.commands) == 1:
                return self._prefix(line, invocation) + left
            raise Unclear(f"what {invocation.program} runs becomes several commands")
        return self._unknown(raw, invocation, folder)

    def _compiled(self, raw: str, line: CommandLine, invocation: Invocation, folder: str) -> str | None:
        program = invocation.program
        project = project_of(invocation)
        if project is not None:
            path = posixpath.normpath(posixpath.join(folder, project))
            if path in self.facts.idle_projects:
                return None
            gone = {path, f"{path}/tsconfig.json", f"{path}.json"} & self.facts.gone.paths
            if gone and not any(self.facts.gone.view.exists(p) for p in (path, f"{path}/tsconfig.json")):
                return None
        entries = entries_of(invocation)
        lost = [word for word in entries if self._source(word.text, folder) in self.facts.gone.sources]
        self.found.sources.update(s for w in lost if (s := self._source(w.text, folder)) is not None)
        by_option = runs_by_option(invocation)
        if lost and len(lost) == len(entries):
            return None
        if by_option is not None and self.reduce(by_option) != by_option:
            raise Unclear(f"{program} runs {by_option}")
        if lost:
            kept = [line.word(word) for word in self._words(invocation) if word not in lost]
            return " ".join(kept)
        default = re.compile(rf"{re.escape(program)}\.config\.\w+")
        if not entries and project is None and any(default.fullmatch(path) for path in self.facts.gone.paths):
            return None
        return self._unknown(raw, invocation, folder)

    def _words(self, invocation: Invocation) -> tuple[Word, ...]:
        assert invocation.program_word is not None
        return (*invocation.prefix, invocation.program_word, *invocation.arguments)

    def _waiting(self, raw: str, line: CommandLine, invocation: Invocation) -> str | None:
        def port(word: Word) -> int | None:
            match = _PORT.search(word.text) if not word.text.startswith("-") else None
            return int(match[1]) if match else None

        targets = [word for word in invocation.arguments if port(word) is not None]
        lost = [word for word in targets if port(word) in self.facts.ports]
        if not lost:
            return raw
        if len(lost) == len(targets):
            return None
        return " ".join(line.word(word) for word in self._words(invocation) if word not in lost)

    # Scripts that are called.

    def _called(self, raw: str, line: CommandLine, invocation: Invocation, folder: str) -> str | None:
        """A script called through a package manager."""
        arguments = invocation.arguments
        if self._is_other_package(folder) or any(_ELSEWHERE.match(word.text) for word in arguments):
            return raw
        words = [word for word in arguments if not word.text.startswith("-")]
        if not words:
            return raw
        explicit = words[0].text in _RUN or _first(invocation) == "--run"
        if words[0].text in _RUN:
            words = words[1:]
        if not words:
            return raw
        name = words[0].text
        regex = as_regex(name)
        if regex is not None:
            return self._by_pattern(raw, line, invocation, words[0], regex)
        names = self.facts.names
        if name in names.removed:
            return None
        if name in names.scripts:
            return self._with_arguments(raw, line, invocation, words[0], folder)
        if not explicit and name in _OWN_COMMANDS:
            return raw
        if explicit and invocation.program == "npm":
            return None if is_server_name(name) else raw
        if invocation.program == "npm" and name not in _SHORT:
            return raw
        # pnpm, yarn and bun also run programs, and bun files.
        inner = parse_line(line.text[words[0].start : arguments[-1].end])
        if inner is None or len(inner.commands) != 1:
            return self._unknown(raw, invocation, folder)
        if ":" in name and is_server_name(name):  # no program is called so
            return None
        left = self.reduce(inner.text)
        if left is None or left == inner.text:
            return None if left is None else raw
        return self._prefix(line, invocation) + left

    def _is_other_package(self, folder: str) -> bool:
        """Whether a package manager that is called in a folder works on another package than the app."""
        while folder and not folder.startswith((".", "/", "$", "~")):
            if self.facts.gone.view.exists(f"{folder}/package.json"):
                return True
            folder = posixpath.dirname(folder)
        return bool(folder) and folder != "."

    def _with_arguments(
        self, raw: str, line: CommandLine, invocation: Invocation, name: Word, folder: str
    ) -> str | None:
        """A call of a script that stays; one that only prepares a command (`dotenv -e .env --`) is given one."""
        behind = [word for word in invocation.arguments if word.start > name.start and word.text != "--"]
        wrapper = parse_line(self.facts.names.scripts[name.text])
        prepares = wrapper is not None and len(wrapper.commands) == 1 and not invocation_of(wrapper.commands[0]).program
        if not behind or not prepares:
            return self._unknown(raw, invocation, folder) if behind else raw
        inner = line.text[behind[0].start : behind[-1].end]
        left = self.reduce(inner)
        if left is None or left == inner:
            return None if left is None else raw
        return raw.replace(inner, left)

    def _by_pattern(self, raw: str, line: CommandLine, invocation: Invocation, word: Word, regex: str) -> str | None:
        names = self.facts.names
        before, left = names.matching(regex, "regex"), names.left(regex, "regex")
        if before == left:
            return raw
        if not left:
            return None
        tidied = tidy_regex(regex, names)
        if tidied == regex:
            return raw
        new = quoted(f"/{tidied}/", word.quote or '"')
        return " ".join(new if w == word else line.word(w) for w in self._words(invocation))

    def _unknown(self, raw: str, invocation: Invocation, folder: str) -> str | None:
        """A command that stays, if nothing in it went. Raises Unclear if something did."""
        for word in invocation.arguments:
            path = word.text.partition("=")[2] or word.text
            if self.facts.gone.is_path_of(path, folder, self.facts.outputs):
                raise Unclear(f"it gives {path} to {invocation.program}")
            takes_it = invocation.program in SCRIPT_TAKERS and word.text in self.facts.names.removed
            inside = " " in word.text and self.facts.mentioned(word.text)
            if takes_it or inside:
                raise Unclear(f"it gives {word.text} to {invocation.program}")
        return raw


def _first(invocation: Invocation) -> str:
    return invocation.arguments[0].text if invocation.arguments else ""
