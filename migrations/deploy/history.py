"""What was deployed from an app: `<app>/.chatops/deployments.json`, and the kept uploads of good ones beside it."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from relay_server.app_folder import FOLDER, make_folder, write_kept
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "deployments.json"
_KEPT_UPLOADS = "deployments"
_LONGEST = 200
_UPLOADS_KEPT = 10


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One run of `chatops deploy` that came as far as sending something.

    `at` is when it began, local time with its offset. `version` is the target's own handle of what was uploaded ("" if
    it has none). `uploaded` says whether the target took it, `result` how the run ended and `reason` why it failed.
    A rollback has the build that it went back to.
    """

    build: str
    target: str
    name: str
    at: str
    result: Literal["good", "unverified", "failed", "interrupted"]
    preview: str = ""
    url: str = ""
    version: str = ""
    reason: str = ""
    uploaded: bool = False
    rollback: bool = False

    def as_json(self) -> dict[str, object]:
        value: dict[str, object] = msgspec.to_builtins(self)
        return value


class History:
    """The deployments of the app in the folder `app`, oldest first; the newest 200 are kept."""

    def __init__(self, app: Path) -> None:
        self._app = app
        self._path = app / FOLDER / _FILE

    def all(self) -> list[Deployment]:
        """Raises UsageError for a file that is not what this class writes."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Deployment])
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not a list of deployments"
            raise UsageError(
                f"{self._path} cannot be read: {why}",
                next_step="mend it or move it away; deployments made before are then forgotten",
                code="bad_history",
            ) from None

    def add(self, deployment: Deployment) -> None:
        """Write the file anew with one more; a reader never sees half of it."""
        write_kept(self._app, _FILE, [*self.all(), deployment][-_LONGEST:])

    def to_go_back_to(self, target: str, name: str, preview: str) -> Deployment:
        """The last good deployment at this place before the one that runs there now. Raises UsageError without one.

        What runs now is what the target took last. After a rollback that is the older build, and going back once more
        leads to the one before it.
        """
        here = [d for d in self.all() if (d.target, d.name, d.preview) == (target, name, preview) and d.uploaded]
        if here:
            running = next(place for place, d in enumerate(here) if d.build == here[-1].build)
            for deployment in reversed(here[:running]):
                if deployment.result == "good" and deployment.build != here[-1].build:
                    return deployment
        where = f"{name} on {target}" + (f" (preview {preview})" if preview else "")
        raise UsageError(
            f"there is no good deployment of {where} before the one that runs now",
            next_step="see chatops deploy --list; only what was deployed from this copy of the app is known",
            code="nothing_to_go_back_to",
        )

    def kept_upload(self, build: str) -> Path:
        """The folder that holds, or will hold, what was sent for `build`."""
        return self._app / FOLDER / _KEPT_UPLOADS / build

    def keep_upload(self, build: str, files: Mapping[Path, bytes]) -> None:
        """Keep what was sent for a rollback: whole or not at all. Of many the oldest go, not the last ten good ones."""
        kept = self.kept_upload(build)
        make_folder(self._app)
        kept.parent.mkdir(exist_ok=True)
        coming = Path(tempfile.mkdtemp(prefix=".coming-", dir=kept.parent))
        try:
            for path, data in files.items():
                (coming / path).parent.mkdir(parents=True, exist_ok=True)
                (coming / path).write_bytes(data)
            shutil.rmtree(kept, ignore_errors=True)
            coming.replace(kept)
        except BaseException:
            shutil.rmtree(coming, ignore_errors=True)
            raise
        self._forget_oldest(kept.parent)

    def _forget_oldest(self, folder: Path) -> None:
        wanted = [d.build for d in self.all() if d.result == "good"][-_UPLOADS_KEPT:]
        builds = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in builds[:-_UPLOADS_KEPT]:
            if path.name not in wanted:
                shutil.rmtree(path, ignore_errors=True)


def now() -> str:
    """The time as a deployment has it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
