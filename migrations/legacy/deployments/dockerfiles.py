"""Dockerfiles of an app whose WebSocket server is gone."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.engine.packages import MANIFEST
from migrations.legacy.deployments.commands import Handled, Verdict, as_line, json_words, words_of
from migrations.legacy.line_removal import split_lines, with_lines, without_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.commands import DeployedCommands

_INSTRUCTION = re.compile(r"\s*(?P<keyword>[A-Za-z]+)\s+(?P<rest>.*)", re.DOTALL)
_FROM = re.compile(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+as\s+(?P<name>\S+))?", re.IGNORECASE)
_INSTALL = re.compile(r"\b(npm\s+(ci|i|install)|pnpm\s+(i|install)|yarn(\s+install)?|bun\s+install)\b")
_BUILD = re.compile(r"\bnext\s+build\b|\b(npm|pnpm|yarn|bun)\s+(run\s+)?build\b")
_RUNS_IT = "this image runs {what}, which goes"


@dataclass(frozen=True)
class Instruction:
    """One instruction, `\\` at line ends resolved. `start` and `end` number its lines from 0, `end` excluded."""

    keyword: str
    rest: str
    start: int
    end: int
    stage: int

    @property
    def line(self) -> int:
        return self.start + 1


def clean_dockerfile(commands: DeployedCommands, file: SourceFile) -> Handled:
    """What becomes of an image. One that runs the Next.js server that went runs Next.js itself, where it is sure to be
    in it; `after` is None where the image was for the WebSocket server alone.
    """
    lines = split_lines(file.data)
    handled = Handled(file.data)
    instructions = _instructions(lines)
    if any("<<" in instruction.rest for instruction in instructions):
        for number, line in enumerate(lines):
            lost = commands.mentioned(line.decode(errors="replace")) if not line.lstrip().startswith(b"#") else None
            if lost:
                handled.need(number + 1, f"names {lost}", "take it out by hand, then run this again")
        return handled
    work = _Image(commands, handled, instructions, lines)
    work.clean()
    return handled


def runs_only_the_server(commands: DeployedCommands, file: SourceFile) -> bool:
    """Whether what an image starts is the WebSocket server and nothing else."""
    instructions = _instructions(split_lines(file.data))
    image = _Image(commands, Handled(file.data), instructions, [])
    start = image.start_instructions()
    return bool(start) and image.start_verdict(start).becomes == "gone"


def _instructions(lines: Sequence[bytes]) -> list[Instruction]:
    found: list[Instruction] = []
    at, stage = 0, -1
    while at < len(lines):
        start, text = at, ""
        while at < len(lines):
            line = lines[at].decode(errors="replace").rstrip("\r\n")
            at += 1
            if line.lstrip().startswith("#") or (text and not line.strip()):
                if not text:
                    start = at
                continue
            text += line.rstrip().removesuffix("\\") + " " if line.rstrip().endswith("\\") else line
            if not line.rstrip().endswith("\\"):
                break
        match = _INSTRUCTION.fullmatch(text.strip()) if text.strip() else None
        if match is not None:
            keyword = match["keyword"].upper()
            stage += keyword == "FROM"
            found.append(Instruction(keyword, match["rest"].strip(), start, at, stage))
    return found


@dataclass
class _Image:
    """The work on one Dockerfile."""

    commands: DeployedCommands
    handled: Handled
    instructions: list[Instruction]
    lines: list[bytes]

    def clean(self) -> None:
        gone: set[int] = set()
        changed: dict[int, bytes] = {}
        start = self.start_instructions()
        verdict = self.start_verdict(start) if start else Verdict("same")
        if verdict.becomes == "gone":
            line = start[-1].line
            self.handled.after = None
            self.handled.remove(line, "image of the WebSocket server", "it starts nothing else")
            return
        self._start(start, verdict, changed)
        for instruction in self.instructions:
            if instruction.keyword == "RUN":
                self._run(instruction, gone, changed)
            elif instruction.keyword in ("COPY", "ADD"):
                self._copy(instruction, gone, changed)
            elif instruction.keyword == "EXPOSE":
                self._expose(instruction, gone, changed)
            elif instruction.keyword == "HEALTHCHECK" and self._names_port(instruction.rest):
                self.handled.need(
                    instruction.line, "asks the WebSocket server's port", "ask the app's own port, then run this again"
                )
        lines = [changed.get(number, line) for number, line in enumerate(self.lines)]
        self.handled.after = without_lines(with_lines(self.handled.after or b"", lines), gone)

    # What the image starts.

    def start_instructions(self) -> list[Instruction]:
        """The last ENTRYPOINT and the last CMD of the last stage, in this order."""
        last = max((i.stage for i in self.instructions), default=0)
        found = [[i for i in self.instructions if i.stage == last and i.keyword == k] for k in ("ENTRYPOINT", "CMD")]
        return [of_kind[-1] for of_kind in found if of_kind]

    def start_verdict(self, start: Sequence[Instruction]) -> Verdict:
        parts = [json_words(instruction.rest) for instruction in start]
        texts = [as_line(words) if words is not None else i.rest for words, i in zip(parts, start, strict=True)]
        if len(start) == 2 and (parts[0] is None or re.search(r"entrypoint", texts[0])):
            texts = texts[1:] if parts[0] is not None else texts[:1]
        verdict = self.commands.verdict(" ".join(texts), folder=self._folder(start[-1].stage))
        if verdict.becomes == "same" and (lost := self.commands.mentioned(" ".join(texts))):
            return Verdict("unclear", why=f"it names {lost}")
        return verdict

    def _start(self, start: Sequence[Instruction], verdict: Verdict, changed: dict[int, bytes]) -> None:
        if verdict.becomes == "same":
            return
        instruction = start[-1]
        what = _RUNS_IT.format(what=", ".join(verdict.sources) or "the WebSocket server")
        why_not = verdict.why or self._why_not(start, verdict)
        if verdict.becomes == "unclear" or why_not:
            how = f"let it start the app in another way, such as `next start`, then run this again: {why_not}"
            self.handled.need(instruction.line, what, how)
            return
        new = self._new_start(instruction, verdict)
        if new is None:
            self.handled.need(instruction.line, what, "let it start the app in another way, then run this again")
            return
        self._replace(instruction, new, changed)
        self.handled.becomes(instruction.line, f"{instruction.keyword} of the image", new)

    def _new_start(self, instruction: Instruction, verdict: Verdict) -> str | None:
        text = re.sub(r"(?<![\w./-])next (?=start)", "node_modules/.bin/next ", verdict.text)
        if json_words(instruction.rest) is None:
            return f"{instruction.keyword} {text}"
        words = words_of(text)
        return None if words is None else f"{instruction.keyword} {json.dumps(words)}"

    def _why_not(self, start: Sequence[Instruction], verdict: Verdict) -> str:
        """Why an image cannot be told to start Next.js; "" if it can."""
        instruction = start[-1]
        if len(start) == 2 and self.commands.verdict(self._text(instruction)).becomes != verdict.becomes:
            return "ENTRYPOINT and CMD are one command together"
        if verdict.becomes != "next":
            return ""
        return self._why_no_next(instruction.stage)

    def _text(self, instruction: Instruction) -> str:
        words = json_words(instruction.rest)
        return as_line(words) if words is not None else instruction.rest

    def _why_no_next(self, stage: int) -> str:
        view = self.commands.app.view
        manifest = view.json(MANIFEST)
        dependencies = manifest.get("dependencies") if isinstance(manifest, dict) else None
        if not isinstance(dependencies, dict) or "next" not in dependencies:
            return "next is not among the dependencies of package.json"
        configs = [view.read(f"next.config.{suffix}") or b"" for suffix in ("js", "mjs", "cjs", "ts", "mts")]
        standalone = any(re.search(rb"\boutput\b", config) for config in configs)
        if standalone or any(".next/standalone" in i.rest for i in self.instructions):
            return "the image is made from Next's standalone output"
        return "" if self._has_next(stage) else "it does not show that node_modules/next and .next are in the image"

    def _has_next(self, stage: int) -> bool:
        """Whether both the packages and what Next.js has built are in a stage."""
        own = [i for i in self.instructions if i.stage == stage]
        base = _FROM.match(own[0].rest) if own and own[0].keyword == "FROM" else None
        if base is not None and (before := self._stage(base["base"], stage)) is not None and self._has_next(before):
            return True
        copied: set[str] = set()
        for instruction in own:
            if instruction.keyword not in ("COPY", "ADD"):
                continue
            origin = re.search(r"--from=(\S+)", instruction.rest)
            earlier = self._stage(origin[1], stage) if origin is not None else None
            if earlier is None:
                continue
            sources = [posixpath.normpath(source) for source in _copied(instruction.rest)[:-1]]
            names = {posixpath.basename(source) for source in sources}
            if self._has_next(earlier):
                if any(source in (self._folder(earlier).rstrip("/"), ".") for source in sources):
                    return True
                copied |= names
            elif self._installs(earlier):
                copied |= names & {"node_modules"}
        ran = " ".join(i.rest for i in own if i.keyword == "RUN")
        everything = any(i.keyword == "COPY" and "--from=" not in i.rest and "." in _copied(i.rest)[:-1] for i in own)
        installs = self._installs(stage) or "node_modules" in copied
        is_built = everything and installs and bool(_BUILD.search(ran))
        return is_built or {"node_modules", ".next"} <= copied

    def _installs(self, stage: int) -> bool:
        return any(i.stage == stage and i.keyword == "RUN" and _INSTALL.search(i.rest) for i in self.instructions)

    def _stage(self, name: str, before: int) -> int | None:
        """The number of an earlier stage."""
        if name.isdigit():
            return int(name) if int(name) < before else None
        for instruction in self.instructions:
            found = _FROM.match(instruction.rest) if instruction.keyword == "FROM" else None
            if found is not None and found["name"] == name and instruction.stage < before:
                return instruction.stage
        return None

    def _folder(self, stage: int) -> str:
        """The working folder of a stage, "" if it does not show."""
        own = [i.rest for i in self.instructions if i.stage == stage and i.keyword == "WORKDIR"]
        if own:
            return own[-1] if own[-1].startswith("/") else ""
        first = next((i for i in self.instructions if i.stage == stage and i.keyword == "FROM"), None)
        base = _FROM.match(first.rest) if first is not None else None
        earlier = self._stage(base["base"], stage) if base is not None else None
        return self._folder(earlier) if earlier is not None else ""

    # What it is made from.

    def _run(self, instruction: Instruction, gone: set[int], changed: dict[int, bytes]) -> None:
        text = re.sub(r"^(--\S+\s+)*", "", instruction.rest)
        verdict = self.commands.verdict(" ".join(text.split()), folder=self._folder(instruction.stage), name="build")
        if verdict.becomes == "same":
            return
        if verdict.becomes == "gone":
            gone.update(range(instruction.start, instruction.end))
            self.handled.rewrite(instruction.line, "RUN for the WebSocket server", "what it builds or runs is gone")
            return
        if verdict.becomes == "less":
            if instruction.end == instruction.start + 1:
                new = instruction.rest.replace(text, verdict.text)
                self._replace(instruction, f"RUN {new}", changed)
                self.handled.becomes(instruction.line, "RUN for the WebSocket server", f"RUN {new}")
                return
            number = self._line_to_drop(instruction, verdict.text, changed)
            if number is not None:
                gone.add(number)
                self.handled.rewrite(number + 1, "command for the WebSocket server", "what it builds or runs is gone")
                return
        how = "take it out by hand, then run this again" + (f": {verdict.why}" if verdict.why else "")
        self.handled.need(instruction.line, "builds or runs what goes", how)

    def _line_to_drop(self, instruction: Instruction, wanted: str, changed: dict[int, bytes]) -> int | None:
        """The one line without which the instruction is what it has to be; the `\\` of the line before is seen to."""
        for number in range(instruction.start + 1, instruction.end):
            is_last = number == instruction.end - 1
            left = [self.lines[n] for n in range(instruction.start, instruction.end) if n != number]
            if is_last:
                left[-1] = re.sub(rb"[ \t]*&&[ \t]*\\[ \t]*(?=\r?\n|\Z)", b"", left[-1])
            found = _instructions(left)
            text = re.sub(r"^(--\S+\s+)*", "", found[0].rest) if len(found) == 1 else ""
            if " ".join(text.split()) == " ".join(wanted.split()):
                if is_last:
                    changed[number - 1] = left[-1]
                return number
        return None

    def _copy(self, instruction: Instruction, gone: set[int], changed: dict[int, bytes]) -> None:
        words = _copied(instruction.rest)
        origin = re.search(r"--from=(\S+)", instruction.rest)
        stage = self._stage(origin[1], instruction.stage) if origin is not None else None
        if len(words) < 2 or (origin is not None and stage is None):
            return
        folder = self._folder(stage) if stage is not None else ""
        lost = [word for word in words[:-1] if self._is_gone(word, folder)]
        if not lost:
            return
        what = f"{instruction.keyword} of {', '.join(lost)}"
        if json_words(instruction.rest) is not None or instruction.end != instruction.start + 1:
            self.handled.need(
                instruction.line, what, "take it out by hand, then run this again: it is not there any more"
            )
        elif len(lost) == len(words) - 1:
            gone.add(instruction.start)
            self.handled.rewrite(instruction.line, what, "it is not there any more")
        else:
            rest = instruction.rest
            for word in lost:
                rest = re.sub(rf"(?<=\s){re.escape(word)}\s+", "", f" {rest}", count=1)[1:]
            self._replace(instruction, f"{instruction.keyword} {rest}", changed)
            self.handled.rewrite(instruction.line, what, "it is not there any more")

    def _is_gone(self, word: str, folder: str) -> bool:
        """Whether a file or folder that is copied is not there any more."""
        path = word.removeprefix(folder.rstrip("/") + "/") if folder else word
        path = posixpath.normpath(path.lstrip("/") if not folder else path)
        app = self.commands.app
        if path in app.gone or path in self.commands.out_folders:
            return True
        inside = f"{path}/"
        return any(p.startswith(inside) for p in app.gone) and not any(p.startswith(inside) for p in app.view.paths)

    def _expose(self, instruction: Instruction, gone: set[int], changed: dict[int, bytes]) -> None:
        words = instruction.rest.split("#")[0].split()
        lost = [
            word for word in words if word.split("/")[0].isdigit() and int(word.split("/")[0]) in self.commands.ports
        ]
        if not lost or instruction.end != instruction.start + 1:
            return
        left = [word for word in words if word not in lost]
        if left:
            self._replace(instruction, f"EXPOSE {' '.join(left)}", changed)
        else:
            gone.add(instruction.start)
        self.handled.rewrite(instruction.line, f"EXPOSE {' '.join(lost)}", "only the WebSocket server listened there")

    def _names_port(self, text: str) -> bool:
        return any(re.search(rf"(?<!\d){port}(?!\d)", text) for port in self.commands.ports)

    def _replace(self, instruction: Instruction, new: str, changed: dict[int, bytes]) -> None:
        """Put one line in place of an instruction, keyword's case and line end kept."""
        old = self.lines[instruction.start]
        indent = old[: len(old) - len(old.lstrip())]
        keyword = old.split()[0].decode(errors="replace")
        ending = re.search(rb"\r?\n?\Z", self.lines[instruction.end - 1])
        end = ending[0] if ending is not None else b""
        changed[instruction.start] = indent + (keyword + new[len(instruction.keyword) :]).encode() + end
        for number in range(instruction.start + 1, instruction.end):
            changed[number] = b""


def _copied(rest: str) -> list[str]:
    """Sources and target of COPY or ADD."""
    listed = json_words(re.sub(r"^(--\S+\s+)*", "", rest))
    return listed if listed is not None else [word for word in rest.split() if not word.startswith("--")]


def dockerfile_users(commands: DeployedCommands, path: str) -> Iterator[tuple[str, int]]:
    """The places that build an image from a Dockerfile, but for compose files: (file, line)."""
    name = posixpath.basename(path)
    plain = name == "Dockerfile"
    named = re.compile(rf"(?<![\w./-])(?:\./)?{re.escape(path)}(?![\w.-])")
    for other in commands.app.view.paths:
        base = posixpath.basename(other)
        if other == path or other.endswith((".md", ".mdx", ".txt", ".dockerignore")):
            continue
        if plain and base in ("fly.toml", "railway.json", "railway.toml", "captain-definition", "render.yaml"):
            yield other, 0
            continue
        data = commands.app.view.read(other) or b""
        if (name.encode() not in data and b"docker" not in data) or len(data) > 1 << 18:
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
            builds = plain and re.search(r"\bdocker\b.*\bbuild\b|docker/build-push-action", line)
            if builds or named.search(line):
                yield other, number
                break
