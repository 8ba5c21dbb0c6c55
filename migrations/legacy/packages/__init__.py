"""Packages that nothing uses once the server is gone."""
