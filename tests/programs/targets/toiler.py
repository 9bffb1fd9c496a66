"""A program that works in one of several ways and checks each result, until a line comes on standard input.

Usage: toiler.py alone|threads|forks|spawns. It prints "program PID", then "ready" after its first round, and at the end
"exposed N", how many children were ended by SIGTRAP at once, and "right" if nothing was ever wrong. Children that it leaves behind exit with status 7.
"""

import os
import select
import subprocess
import sys
import threading

wrong = []
exposed = []


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def check(seen, right):
    if seen != right:
        wrong.append((seen, right))


def squares(n):
    for i in range(n):
        yield i * i


def compute():
    check((fib(9), sum(squares(10))), (34, 285))


def alone():
    compute()


def threads():
    workers = [threading.Thread(target=lambda: [compute() for _ in range(5)]) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def forks():
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os._exit(7 if fib(6) == 8 else 8)  # an orphan
        os._exit(6 if fib(7) == 13 else 8)
    compute()
    check(os.waitpid(child, 0), (child, 6 << 8))


def spawns():
    code = "def f(n): return n if n < 2 else f(n-1) + f(n-2)\nprint(f(8))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if done.returncode == -5 and not done.stdout:
        exposed.append(done)  # made by vfork, and killed before the tracer had seen it
    else:
        check((done.returncode, done.stdout), (0, b"21\n"))


def say(text):
    os.write(1, text.encode() + b"\n")


say("program %d" % os.getpid())
work = globals()[sys.argv[1]]
work()
say("ready")
while not select.select([0], [], [], 0)[0]:
    work()
say("exposed %d" % len(exposed))
say("right" if not wrong else "wrong %r" % wrong)
