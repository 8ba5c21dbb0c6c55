"""The `chatops` command: one module a command, each a thin layer over `relay_server` and `migrations`."""

__version__ = "0.1.0"
