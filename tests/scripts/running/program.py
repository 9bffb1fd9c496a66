"""Does what can be counted, counts it itself, and writes the counts to the file that sys.argv[1] names."""
import collections
import os
import subprocess
import sys
import time

counts = collections.Counter()


def leaf(n):
    counts["leaf"] += 1
    return n


def branch(n):
    counts["branch"] += 1
    for i in range(n):
        leaf(i)


def fib(n):
    counts["fib"] += 1
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def sleeps():
    counts["sleeps"] += 1
    time.sleep(0.06)


def burns():
    counts["burns"] += 1
    begin = time.process_time()
    while time.process_time() < begin + 0.06:
        pass


def allocates():
    counts["allocates"] += 1
    return [bytearray(100000) for _ in range(5)]


def asks():
    counts["asks"] += 1
    for _ in range(17):
        os.getppid()


def runs():
    counts["runs"] += 1
    subprocess.run(["/bin/true"], check=True)


def start():
    counts["start"] += 1
    branch(3)
    branch(4)
    fib(6)
    sleeps()
    burns()
    for _ in range(2):
        allocates()
    asks()
    runs()


start()
if len(sys.argv) > 1:
    with open(sys.argv[1], "w") as file:
        for name in counts:
            print(name, counts[name], file=file)
