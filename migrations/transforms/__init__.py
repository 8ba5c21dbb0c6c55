"""Edits on an app's code, one transform a file: syntax tree in, edits out. Whether to make them is the migrations'."""
