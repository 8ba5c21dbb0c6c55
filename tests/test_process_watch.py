"""The watch on argument lists sees what it is there to see."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from uuid import uuid4

import pytest

from tests.process_watch import watched


def test_a_secret_in_the_arguments_of_a_short_lived_process_is_seen() -> None:
    secret = f"planted-{uuid4().hex}"

    def leak() -> None:
        with watched(secret):
            subprocess.run(["sh", "-c", f": {secret}; sleep 0.2"], check=True)

    with pytest.raises(AssertionError, match="stood in the arguments"):
        leak()


def test_a_secret_on_a_pipe_or_in_the_environment_is_not_one_in_the_arguments() -> None:
    secret = f"hidden-{uuid4().hex}"
    with watched(secret, mark=secret) as watch:
        environment = {**os.environ, "HIDDEN": secret}
        subprocess.run(["sh", "-c", "cat; sleep 0.2"], input=secret.encode(), env=environment, check=True)
    assert any("sleep" in arguments for arguments in watch.own)


def test_what_carries_the_mark_is_found_until_it_has_ended() -> None:
    mark = f"mark-{uuid4().hex}"
    with watched(mark=mark) as watch:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"MARK": mark}) as process:
            deadline = time.monotonic() + 20
            while not watch.running():
                assert time.monotonic() < deadline
            assert process.stdin is not None
            process.stdin.close()
        assert watch.wait_for_none() == []
