"""The relay: its protocol, the room as a pure state machine, the bundled server, and the TypeScript twin."""
