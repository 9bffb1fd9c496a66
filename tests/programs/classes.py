"""Instances made by calling a class, often enough for CPython to specialise the call."""


class Point:
    def __init__(self, x):
        self.x = x


def make(x):
    return Point(x)


def main():
    print("classes", sum([make(x).x for x in range(100)]))


main()
