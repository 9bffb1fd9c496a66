"""Waits in one of many ways until it is told to go on, and says whether the wait gave what it must.

Usage: blocked.py STATE. It prints "ready" before the wait; a line on standard input ends it. Then it
prints "right" and the ids that tools have in sys.monitoring, or dies of an exception.
"""

import asyncio
import os
import select
import socket
import subprocess
import sys
import threading
import time


def ready():
    print("ready", flush=True)


def told():
    os.read(0, 1)


def when_told(action):
    """A thread that waits for the line on standard input and then acts."""

    def wait():
        told()
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def keep_busy():
    """A thread that computes until it is told to stop; what it computed must be right."""
    stop = []

    def work():
        while not stop:
            assert sum(i * i for i in range(50)) == 40425
        stop.append("right")

    thread = threading.Thread(target=work)
    thread.start()

    def end():
        stop.append(1)
        thread.join()
        return stop[-1] == "right"

    return end


def in_sleep():
    end = []
    thread = when_told(lambda: end.append(1))
    ready()
    while not end:
        time.sleep(0.3)
    thread.join()
    return True


def in_busy_sleep():
    end = keep_busy()
    return in_sleep() and end()


def in_select():
    ready()
    return select.select([0], [], []) == ([0], [], [])


def in_poll():
    poll = select.poll()
    poll.register(0, select.POLLIN)
    ready()
    [(number, events)] = poll.poll()
    return number == 0 and events & select.POLLIN != 0  # and perhaps POLLHUP


def in_epoll():
    ours, theirs = socket.socketpair()
    when_told(lambda: theirs.sendall(b"x"))
    epoll = select.epoll()
    epoll.register(ours, select.EPOLLIN)
    ready()
    return epoll.poll() == [(ours.fileno(), select.EPOLLIN)]


def in_lock():
    lock = threading.Lock()
    lock.acquire()
    when_told(lock.release)
    ready()
    return lock.acquire()


def in_event():
    event = threading.Event()
    when_told(event.set)
    ready()
    return event.wait(1000)


def in_join():
    done = []
    thread = when_told(lambda: done.append(1))
    ready()
    thread.join()
    return done == [1]


def in_busy_join():
    end = keep_busy()
    return in_join() and end()


def in_accept():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.socket()
    when_told(lambda: client.connect(server.getsockname()))
    ready()
    connection, address = server.accept()
    return address == client.getsockname()


def in_recv():
    ours, theirs = socket.socketpair()
    when_told(lambda: theirs.sendall(b"from the thread"))
    ready()
    return ours.recv(100) == b"from the thread"


def in_read():
    ready()
    return os.read(0, 1) == b"\n"


def in_waitpid():
    child = subprocess.Popen(["head", "-n1"], stdout=subprocess.DEVNULL)
    ready()
    return child.wait() == 0


def in_asyncio():
    async def main():
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        when_told(lambda: loop.call_soon_threadsafe(event.set))
        ready()
        await event.wait()
        return True

    return asyncio.run(main())


assert globals()["in_" + sys.argv[1]]() is True
tools = []
if hasattr(sys, "monitoring"):
    tools = [sys.monitoring.get_tool(number) for number in range(6)]
print("right", [tool for tool in tools if tool], sys.getprofile(), flush=True)
