"""The options that several commands share, declared once: `def health(app: App = Path(), json: Json = False)`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

App = Annotated[
    Path,
    typer.Option(
        "--app",
        metavar="PATH",
        help="The folder with partyconfig.toml. Default: the current one.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; everything else goes to stderr.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal nothing is asked anyway.")]
AllowDirty = Annotated[
    bool, typer.Option("--allow-dirty", help="Go on although git has changes that are not committed.")
]
NoTypeCheck = Annotated[bool, typer.Option("--no-type-check", help="Do not run the app's type check before and after.")]
Merge = Annotated[
    bool, typer.Option("--merge", help="Keep what somebody edited since, by a three-way merge, where that can be done.")
]
Relay = Annotated[
    str | None,
    typer.Option("--relay", metavar="URL", help="The relay. Default: relay.url of partyconfig.toml."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="PATH",
        help="A file that holds the relay's secret. Default: RELAY_SECRET, then relay.secret_file of partyconfig.toml, "
        "then the app's env files.",
    ),
]
