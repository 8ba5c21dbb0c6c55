"""What is left of a tRPC WebSocket server in an app, who still needs it, and how it goes.

One stage a module, each pure: the app as the stages before it left it, in; pieces and changes, out. `cleanup` runs them
in order and decides; the engine writes.
"""
