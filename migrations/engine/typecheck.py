"""The app's own TypeScript compiler, before and after: what counts is which errors are new."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from relay_server.process import NotRun, run

_SECONDS = 600.0
_ERROR = re.compile(
    r"^(?:(?P<file>[^\n]*?)\((?P<line>\d+),\d+\): )?error (?P<code>TS\d+): (?P<message>.*(?:\n[ \t].*)*)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class CompilerError:
    """An error of the compiler. `file` is seen from the app's folder ("" for one of the settings)."""

    file: str
    code: str
    message: str
    line: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same error: not the line, which moves with every edit above it."""
        return self.file, self.code, self.message

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else ""
        return f"{place}{self.code}: {self.message.splitlines()[0]}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What the compiler says. `unavailable` is the reason why it could not be asked, else ""."""

    errors: tuple[CompilerError, ...] = ()
    unavailable: str = ""

    def new_since(self, before: Checked) -> tuple[CompilerError, ...]:
        """The errors that `before` does not have; of several that read the same, those that are more than before."""
        known = Counter(error.key for error in before.errors)
        new = []
        for error in self.errors:
            known[error.key] -= 1
            if known[error.key] < 0:
                new.append(error)
        return tuple(new)


def find_compiler(root: Path) -> list[str] | str:
    """The command that runs the app's own TypeScript, or the reason why there is none."""
    if not (root / "tsconfig.json").is_file():
        return "the app has no tsconfig.json"
    for folder in (root.resolve(), *root.resolve().parents):
        binary = folder / "node_modules" / ".bin" / "tsc"
        if binary.exists():
            return [str(binary)]
        if (folder / ".pnp.cjs").is_file():  # yarn without node_modules
            return ["yarn", "run", "tsc"]
        if (folder / ".git").exists():  # a workspace around the app ends here
            break
    return "TypeScript is not installed in the app's node_modules"


def check_types(root: Path) -> Checked:
    """Run `tsc --noEmit` as the app has it installed, writing nothing into the app."""
    command = find_compiler(root)
    if isinstance(command, str):
        return Checked(unavailable=command)
    with tempfile.TemporaryDirectory(prefix="chatops-") as folder:
        # A build info file of its own: an app with `incremental` would otherwise get one written beside its sources.
        info = Path(folder, "tsbuildinfo")
        arguments = ["--noEmit", "--pretty", "false", "--incremental", "--tsBuildInfoFile", str(info)]
        try:
            finished = run([*command, *arguments], root, seconds=_SECONDS, environment={"NO_COLOR": "1"})
        except NotRun as error:
            return Checked(unavailable=str(error))
    errors = parse_errors(finished.stdout.decode(errors="replace"))
    if finished.code != 0 and not errors:
        lines = finished.output.strip().splitlines()
        return Checked(unavailable=f"tsc ended with {finished.code}: {lines[-1] if lines else 'no output'}")
    if errors and not any(error.file for error in errors):
        return Checked(unavailable=f"tsc does not take the app's settings: {errors[0]}")
    return Checked(errors)


def parse_errors(output: str) -> tuple[CompilerError, ...]:
    """The errors in what `tsc --pretty false` printed."""
    return tuple(
        CompilerError(
            file=(match["file"] or "").strip(),
            code=match["code"],
            message=match["message"].replace("\r", "").rstrip(),
            line=int(match["line"] or 0),
        )
        for match in _ERROR.finditer(output)
    )
