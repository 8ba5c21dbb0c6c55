"""Environment keys that only the server and its clients read."""
