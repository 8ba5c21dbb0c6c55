"""What runs the server elsewhere, and what tells of it."""
