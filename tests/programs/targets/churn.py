"""Threads that allocate, collect garbage and start and end threads, beside a busy main thread; every result is checked.

Usage: churn.py. It prints "ready" when all of them run; a line on standard input ends them. Then it prints "right" and
the ids that tools have in sys.monitoring.
"""

import gc
import select
import sys
import threading

wrong = []
stop = []
begun = []


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def allocate():
    while not stop:
        lists = [[i] * (i % 97) for i in range(300)]
        texts = ["%d-%s" % (i, "x" * (i % 61)) for i in range(300)]
        if sum(map(len, lists)) != 14004 or sum(map(len, texts)) != 9950:
            wrong.append((sum(map(len, lists)), sum(map(len, texts))))
        begun.append(1) if len(begun) < 3 else None


def collect():
    while not stop:
        ring = []
        ring.append(ring)
        del ring
        gc.collect()
        begun.append(2) if len(begun) < 3 else None


def spawn():
    while not stop:
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append(fib(n))) for n in (5, 6, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if sorted(results) != [5, 8, 13]:
            wrong.append(results)
        begun.append(3) if len(begun) < 3 else None


def numbers(n):
    for i in range(n):
        try:
            yield i
        except ValueError:
            yield -i


threads = [threading.Thread(target=work) for work in (allocate, collect, spawn)]
for thread in threads:
    thread.start()
while len(begun) < 3:
    fib(5)
print("ready", flush=True)
while not select.select([0], [], [], 0)[0]:
    seen = numbers(5)
    if (fib(8), next(seen), seen.throw(ValueError()), sum(seen)) != (21, 0, 0, 10):
        wrong.append("main")
stop.append(1)
for thread in threads:
    thread.join()
tools = []
if hasattr(sys, "monitoring"):
    tools = [sys.monitoring.get_tool(number) for number in range(6)]
print("right" if not wrong else wrong, [tool for tool in tools if tool], sys.getprofile(), flush=True)
