"""Notes each SIGINT and SIGTERM that it gets, calls functions all the time, and ends by a line on
standard input with status 7.
"""

import os
import signal
import sys
import threading


def note(number, frame):
    os.write(1, b"got %d\n" % number)


def work(n):
    return n + 1


def loop():
    value = 0
    while not stop:
        value = work(value)
        for _ in range(2000):
            pass  # or its trace would soon fill a disk


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, note)
stop = []
thread = threading.Thread(target=loop, daemon=True)
thread.start()
print(os.getpid(), flush=True)
sys.stdin.readline()
stop.append(1)
thread.join()
print("right", flush=True)
sys.exit(7)
