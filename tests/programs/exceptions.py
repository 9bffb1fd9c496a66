"""Exceptions: frames left by unwinding, re-raising, finally, context managers."""

import contextlib

import oracle  # noqa: F401


class Custom(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value

    def __str__(self):
        return "custom %d" % self.value


def fail(depth):
    if depth == 0:
        raise Custom(7)
    fail(depth - 1)


def wrap(depth):
    try:
        fail(depth)
    except Custom as error:
        raise ValueError("wrapped") from error


def final(log):
    try:
        return log.append("body")
    finally:
        log.append("finally")


def replaced():
    try:
        raise KeyError("lost")
    finally:
        fail(1)


def again(log):
    try:
        fail(3)
    except Custom:
        log.append("again")
        raise


@contextlib.contextmanager
def guard(log, swallow):
    try:
        yield "guarded"
    except Custom as error:
        log.append(str(error))
        if not swallow:
            raise


def main():
    log = []
    for depth in (0, 1, 25):
        try:
            wrap(depth)
        except ValueError as error:
            log.append("%s: %s" % (error, error.__cause__))
    final(log)
    try:
        replaced()
    except Custom as error:
        log.append(repr(error.__context__))
    try:
        again(log)
    except Custom as error:
        log.append(error.value)
    with guard(log, True):
        fail(2)
    try:
        with guard(log, False):
            fail(2)
    except Custom:
        log.append("passed")
    try:
        (lambda: {}["missing"])()
    except KeyError as error:
        log.append(repr(error))
    print("exceptions", log)


main()
