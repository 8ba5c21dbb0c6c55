"""Scripts of package.json that run or build the server."""
