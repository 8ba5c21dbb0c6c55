"""Where the parts of an app are: read from its code, nothing is written."""
