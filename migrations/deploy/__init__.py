"""`chatops deploy`: the relay goes live on a target, is checked, and only then is the app pointed at it."""
