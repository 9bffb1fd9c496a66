"""Garbage collections: explicit ones of each generation, and automatic ones."""

import gc

import oracle  # noqa: F401


class Node:
    def __init__(self, other=None):
        self.other = other


def cycles(n):
    for _ in range(n):
        first = Node()
        first.other = Node(first)


def explicit():
    gc.collect()
    collected = []
    gc.disable()
    for generation in (0, 1, 2, 0, 2):
        cycles(10 * (generation + 1))
        collected.append(gc.collect(generation) > 0)
    gc.enable()
    return collected


def automatic():
    kept = []
    for _ in range(400):
        for _ in range(25):
            ring = []
            ring.append([ring])
        kept.append([[] for _ in range(20)])
    return len(kept)


print("gc_program", explicit(), automatic())
