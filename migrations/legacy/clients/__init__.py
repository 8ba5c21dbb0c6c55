"""The tRPC clients that reach the server over a WebSocket, and who subscribes through them."""
