"""Changes to the app, one numbered module each, and the engine that plans, applies and takes them back."""
