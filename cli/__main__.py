"""`python -m cli`: the `chatops` command where it is not installed as a script."""

import sys

from cli.main import run

if __name__ == "__main__":
    sys.exit(run())
