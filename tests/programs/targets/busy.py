"""Eight threads that call functions all the time and check each result; a counter in a file grows.

Usage: busy.py COUNTERS. It prints "ready" when all threads run; after a line on standard input it
prints "right" if no result was ever wrong. COUNTERS holds 8 bytes for each thread: its rounds.
"""

import mmap
import struct
import sys
import threading

THREADS = 8
with open(sys.argv[1], "r+b") as file:
    counters = mmap.mmap(file.fileno(), THREADS * 8)
wrong = []
stop = False


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def squares(n):
    for i in range(n):
        yield i * i


def checked(number, limit):
    try:
        if sum(squares(number)) >= limit:
            raise ValueError(number)
    except ValueError as error:
        return error.args[0]
    return -1


def work(number):
    rounds = 0
    while not stop:
        seen = (fib(7), checked(10, 285), checked(10, 286), "%d-%d" % (number, rounds))
        if seen != (13, 10, -1, str(number) + "-" + str(rounds)):
            wrong.append((number, seen))
        rounds += 1
        struct.pack_into("<Q", counters, number * 8, rounds)


threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
for thread in threads:
    thread.start()
while not all(struct.unpack_from("<8Q", counters)):
    pass
print("ready", flush=True)
sys.stdin.readline()
stop = True
for thread in threads:
    thread.join()
print("right" if not wrong else wrong, flush=True)
