"""A real app, carried over by the command, built and run, in a real browser."""
