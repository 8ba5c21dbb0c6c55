"""The server's own files, and what they do."""
