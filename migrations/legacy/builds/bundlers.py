"""Which files tell a bundler what to build."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.legacy.module_names import module_names

if TYPE_CHECKING:
    from migrations.engine.source import SourceFile

_NAME = re.compile(
    r"(^|/)(webpack|tsup|tsdown|esbuild|rollup|rolldown|rspack|vite|unbuild|ncc|swc)([.-][\w.-]+)?\.[cm]?[jt]s$"
)
_BUNDLERS = re.compile(
    r"(webpack|tsup|tsdown|esbuild|rollup|rolldown|@rspack/core|vite|unbuild|fork-ts-checker-webpack-plugin|webpack-\S+)"
)


def is_bundler_config(file: SourceFile) -> bool:
    """Whether a source file is a bundler's configuration, or a script that calls one."""
    return _NAME.search(file.path) is not None or any(
        _BUNDLERS.fullmatch(name.specifier) for name in module_names(file).values()
    )
