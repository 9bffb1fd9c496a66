"""Processes of every kind that call functions: forked ones, one of exec, one with threads, one that
sleeps, one that is stopped. It prints their ids and "ready"; after a line on standard input it ends
them, and prints "right" if each has ended as it must.
"""

import os
import signal
import subprocess
import sys
import threading
import time

LOOP = """
import sys
def work(n): return n + 1
value = 0
print("up", flush=True)
while True:
    value = work(value)
    for _ in range(2000): pass # or its trace would soon fill a disk
"""


def work(n):
    return n + 1


def endlessly():
    value = 0
    while True:
        value = work(value)
        for _ in range(2000):
            pass


def fork(then, writer):
    pid = os.fork()
    if pid == 0:
        work(1)
        os.write(writer, b"x")
        then()
    return pid


def with_threads():
    for _ in range(3):
        threading.Thread(target=endlessly, daemon=True).start()
    endlessly()


reader, writer = os.pipe()
forked = [fork(then, writer) for then in (endlessly, with_threads, lambda: time.sleep(1_000_000), endlessly)]
for _ in forked:
    os.read(reader, 1)
os.kill(forked[3], signal.SIGSTOP)
os.waitpid(forked[3], os.WUNTRACED)
executed = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE)
executed.stdout.readline()
print(*forked, executed.pid, flush=True)
print("ready", flush=True)
sys.stdin.readline()
for pid in forked:
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    assert os.waitpid(pid, 0) == (pid, signal.SIGTERM)
assert executed.poll() is None
executed.terminate()
assert executed.wait() == -signal.SIGTERM
print("right", flush=True)
