"""The engine that plans migrations, applies them all or nothing, and takes them back to the byte.

Planning is pure: files in, edits out. Only `Engine` writes, through `Disk` and under `Journal`.
"""

from migrations.engine.disk import Disk, FileState
from migrations.engine.edits import EditConflict, Edits, FileEdit
from migrations.engine.engine import Engine, Report
from migrations.engine.outcome import (
    AddPackage,
    Applied,
    Blocked,
    FileChange,
    Leftover,
    Migration,
    NotApplicable,
    Outcome,
    PackageChange,
    Pending,
    RemovePackage,
)
from migrations.engine.packages import PackageManager, detect_package_manager
from migrations.engine.plan import Plan, Step, make_plan
from migrations.engine.source import SourceFile
from migrations.engine.style import Style
from migrations.engine.view import AppView

__all__ = [
    "AddPackage",
    "AppView",
    "Applied",
    "Blocked",
    "Disk",
    "EditConflict",
    "Edits",
    "Engine",
    "FileChange",
    "FileEdit",
    "FileState",
    "Leftover",
    "Migration",
    "NotApplicable",
    "Outcome",
    "PackageChange",
    "PackageManager",
    "Pending",
    "Plan",
    "RemovePackage",
    "Report",
    "SourceFile",
    "Step",
    "Style",
    "detect_package_manager",
    "make_plan",
]
