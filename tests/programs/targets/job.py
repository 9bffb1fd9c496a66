"""A job of a shell: calls functions all the time, says when it is continued, and ends at Ctrl-C."""

import signal
import sys

continued = []


def on_continue(number, frame):
    continued.append(number)
    print("continued", len(continued), flush=True)


def work(n):
    return n + 1


signal.signal(signal.SIGCONT, on_continue)
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", sys.argv[1:], flush=True)
value = 0
try:
    while True:
        value = work(value)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.exit(5)
