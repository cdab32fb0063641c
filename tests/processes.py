"""Code that runs in a process of its own."""

import multiprocessing
import os
import subprocess
import sys
import time

# Not "fork": a lock that a thread of this process holds would never be released in the
# other one. This makes them from a process that has loaded what is named here, and no
# more.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["spacy_dualre.apply"])

# Runs before anything else in a process: every attempt to reach a network fails.
NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError("the network was used")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
"""


def run_python(code, *arguments, **environment):
    """Run code in a fresh process. RETURNS (str): What it prints."""
    return run_process("-W", "ignore", "-c", code, *arguments, **environment)[0]


def run_process(*arguments, **environment):
    """Run `python ...`. RETURNS (Tuple[str, str]): What it prints, and its errors."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


def wait_until(is_so, seconds=120):
    """Wait until something is so. RAISES (AssertionError): If it takes too long."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so after {seconds} seconds"
        time.sleep(0.01)
