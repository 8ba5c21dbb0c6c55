"""Checks of a running relay, without a terminal: what they find is a value that a command shows."""
