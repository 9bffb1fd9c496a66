"""Replaces itself by another program with os.execv: same process, new interpreter."""

import os
import sys

import oracle

OTHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recursion.py")


def prepare(n):
    return [OTHER] if n == 0 else prepare(n - 1)


def main():
    arguments = prepare(20)
    print("execv before", flush=True)
    oracle.dump()
    os.execv(sys.executable, [sys.executable] + arguments)


main()
