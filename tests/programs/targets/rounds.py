"""Calls two functions as often as each line of standard input says.

It prints "ready", and "done" after each round; an empty line ends it, and it prints the names of the tools that
sys.monitoring has then.
"""

import sys


def hot():
    pass


def cold():
    pass


print("ready", flush=True)
for line in sys.stdin:
    if not line.strip():
        break
    for _ in range(int(line)):
        hot()
        cold()
    print("done", flush=True)
if hasattr(sys, "monitoring"):
    print([name for name in map(sys.monitoring.get_tool, range(6)) if name], flush=True)
