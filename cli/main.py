"""The `chatops` command: its subcommands, and the one place where an error becomes output and an exit code.

Command modules import what they need inside their functions, so that `--help` and `--version` are instant.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import redirect_stdout
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from cli import __version__
from cli.cleanup_legacy import cleanup_legacy
from cli.console import discard_stdout, escape_controls, print_json
from cli.deploy import deploy
from cli.doctor import doctor
from cli.health import health
from cli.init import init
from cli.migrate import migrate_app
from cli.mode import mode
from cli.plan import plan
from cli.relay import relay_app
from cli.stream_test import stream_test
from cli.tail import tail
from relay_server.errors import ChatopsError, UsageError

EXIT_CODES = {
    0: "good",
    1: "the check failed",
    2: "wrong usage or configuration",
    3: "the relay or the model cannot be reached",
    4: "refused: the secret or the sign-in",
}
_INTERRUPTED = 130  # 128 + SIGINT and 128 + SIGPIPE, as shells report them
_BROKEN_PIPE = 141

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())

app = typer.Typer(
    name="chatops",
    help="Live streaming for an AI chat on Next.js + tRPC, through a PartyKit relay.",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich takes longer to load than everything else together
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:
    if value:
        print(f"chatops {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(init)
app.command()(doctor)
app.command()(plan)
app.add_typer(migrate_app, name="migrate")
app.command()(mode)
app.command()(deploy)
app.command("stream-test")(stream_test)
app.command("cleanup-legacy")(cleanup_legacy)
app.command()(health)
app.command()(tail)
app.add_typer(relay_app, name="relay")


def run() -> int:
    """Run the command in `sys.argv` and return its exit code. The console script."""
    # None where the caller closed it; open for as long as the process lives.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A lone surrogate becomes \udxxx, which is right in JSON too.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = sys.argv[1:]
    try:
        code = _run(arguments)
    except BrokenPipeError:
        discard_stdout()
        code = _BROKEN_PIPE
    except OSError:  # stdout did not take the error's own JSON (a full disk); stderr has it
        discard_stdout()
        code = ChatopsError.exit_code
    except KeyboardInterrupt:
        code = _INTERRUPTED
    return code


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    if not arguments:
        with redirect_stdout(sys.stderr):
            command.main(["--help"], prog_name="chatops", standalone_mode=False)
        return UsageError.exit_code
    try:
        # Typer gives back what the command returns, or the code of a typer.Exit.
        code = command.main(arguments, prog_name="chatops", standalone_mode=False)
        sys.stdout.flush()
    except ChatopsError as error:
        return _fail(error, arguments)
    except typer.TyperException as error:
        return _fail(_usage_error(error), arguments)
    except typer.Abort:
        return _INTERRUPTED
    except SystemExit as stop:  # Typer's way out when the reader of stdout is gone
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:  # the flush at exit would complain anew
            discard_stdout()
        return _fail(_system_error(error), arguments)
    except Exception as error:
        return _fail(_bug(error), arguments)
    return code if isinstance(code, int) else 0


def _usage_error(error: typer.TyperException) -> UsageError:
    """Typer's own complaint as one of ours. `ctx` is the command it is about, where there is one."""
    context = getattr(error, "ctx", None)
    command = "chatops" if context is None else context.command_path
    message = error.format_message()
    if context is not None and message == context.get_help():
        message = "Missing command"
    return UsageError(message.rstrip("."), next_step=f"see `{command} --help`", code="usage")


def _system_error(error: OSError) -> ChatopsError:
    where = f": {error.filename}" if error.filename else ""
    return ChatopsError(
        f"{error.strerror or type(error).__name__}{where}",
        next_step="mend that and run it again; CHATOPS_DEBUG=1 shows where it came from",
        code="system",
    )


def _bug(error: Exception) -> ChatopsError:
    """Where it happened and of what type it is; its text may hold anything, a secret too, and stays out."""
    trace = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" in {Path(code.co_filename).name}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    return ChatopsError(
        f"this is a bug in chatops: {type(error).__name__}{place}",
        next_step="run it again with CHATOPS_DEBUG=1 for the traceback (look it over for secrets) and report it",
        code="bug",
    )


def _fail(error: ChatopsError, arguments: list[str]) -> int:
    """Show an error that is being handled and return its exit code."""
    if os.environ.get("CHATOPS_DEBUG"):
        import traceback

        traceback.print_exc()
    print(f"error: {escape_controls(error.message)}", file=sys.stderr)
    print(f"  next: {escape_controls(error.next_step)}", file=sys.stderr, flush=True)
    if "--json" in takewhile(lambda argument: argument != "--", arguments):
        print_json({"ok": False, **error.report, "error": error.as_json()})
    return error.exit_code
