"""What the tRPC context has for WebSocket connections."""
