"""What builds the server."""
