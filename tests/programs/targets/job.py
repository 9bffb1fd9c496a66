"""A job of a shell: calls functions all the time, says when it is continued, and ends at Ctrl-C."""

import os
import signal
import sys

continued = []


def say(*words):
    # Past sys.stdout: a handler that prints while the program is printing raises RuntimeError (reentrant call).
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def on_continue(number, frame):
    continued.append(number)
    say("continued", len(continued))


def work(n):
    return n + 1


signal.signal(signal.SIGCONT, on_continue)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    # A handler may run within this call already, and Ctrl-C come while it does.
    value = work(0)
    say("ready", sys.argv[1:])
    while True:
        value = work(value)
        for _ in range(2000):
            pass  # or its trace would soon fill a disk
except KeyboardInterrupt:
    say("interrupted")
sys.exit(5)
