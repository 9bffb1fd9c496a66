"""Generators: resumption, send, throw, close, yield from, and a generator never started."""

import oracle  # noqa: F401


def count(n):
    for i in range(n):
        yield i


def echo(log):
    received = None
    try:
        while True:
            try:
                received = yield received
            except ValueError as error:
                received = "caught %s" % error
    finally:
        log.append("closed")


def delegate(n):
    first = yield from count(n)
    second = yield from count(n)
    return (first, second)


def outer(n, log):
    result = yield from delegate(n)
    log.append(result)


def inner_throw(log):
    try:
        yield 1
        yield 2
    except KeyError:
        log.append("inner")
        yield 3


def outer_throw(log):
    yield from inner_throw(log)
    yield 4


def stubborn():
    try:
        yield 1
    except GeneratorExit:
        yield 2


def raising():
    yield 1
    raise LookupError("end")


def tree(n):
    if n:
        yield from tree(n - 1)
        yield n
        yield from tree(n - 1)


def main():
    log = []
    total = sum(count(40)) + sum(x * x for x in count(20) if x % 2)
    list(outer(10, log))

    talk = echo(log)
    next(talk)
    answers = [talk.send("a"), talk.throw(ValueError("b")), talk.send("c")]
    talk.close()

    thrown = outer_throw(log)
    steps = [next(thrown), thrown.throw(KeyError("k")), next(thrown)]

    unstarted = count(3)
    unstarted.close()
    never = echo(log)
    try:
        never.throw(ValueError("before the start"))
    except ValueError:
        log.append("unstarted")

    generator = stubborn()
    next(generator)
    try:
        generator.close()
    except RuntimeError:
        log.append("stubborn")
    list(generator)

    generator = raising()
    next(generator)
    try:
        next(generator)
    except LookupError:
        log.append("raising")

    print("generators", total, answers, steps, log, sum(tree(6)))


main()
