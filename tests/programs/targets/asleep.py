"""Waits in one call until it is told to go on, and says whether the call gave what it must.

Usage: asleep.py sleep|select|lock|join|recv|waitpid. It prints "ready" before the call. A line on
standard input ends the wait; `sleep` is ended by SIGUSR1's handler instead, as nothing else can.
Then it prints "right" and the call's result, or dies of an exception.
"""

import os
import select
import signal
import socket
import sys
import threading
import time


class Woken(Exception):
    pass


def ready():
    print("ready", flush=True)


def when_told(action):
    """A thread that waits for the line on standard input and then acts."""

    def wait():
        os.read(0, 1)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def in_sleep():
    def wake(number, frame):
        raise Woken(number)

    signal.signal(signal.SIGUSR1, wake)
    ready()
    try:
        time.sleep(1_000_000)
    except Woken as woken:
        return int(woken.args[0]) == signal.SIGUSR1


def in_select():
    ready()
    return select.select([0], [], []) == ([0], [], [])


def in_lock():
    lock = threading.Lock()
    lock.acquire()
    when_told(lock.release)
    ready()
    return lock.acquire()


def in_join():
    done = []
    thread = when_told(lambda: done.append(1))
    ready()
    thread.join()
    return done == [1] and not thread.is_alive()


def in_recv():
    ours, theirs = socket.socketpair()
    when_told(lambda: theirs.sendall(b"from the thread"))
    ready()
    return ours.recv(100) == b"from the thread"


def in_waitpid():
    child = os.fork()
    if child == 0:
        os.read(0, 1)
        os._exit(7)
    ready()
    return os.waitpid(child, 0) == (child, 7 << 8)


assert globals()["in_" + sys.argv[1]]() is True
print("right", flush=True)
