"""Generators closed by their deallocation. Here sys.setprofile is no judge. Up to 3.12 the hook's
frame.f_locals keeps a deleted local alive until the next hook, where the generator is then closed
unseen by the profiler, but not by the markers. 3.13 skips the rest of a generator that has nothing
to clean up. What is printed tells whether `finally` and `except` ran."""

import oracle  # noqa: F401


def plain(log):
    yield 1
    yield 2


def careful(log):
    try:
        yield 1
    finally:
        log.append("finally")


def handling(log):
    try:
        yield 1
    except GeneratorExit:
        log.append("exit")


def drop(make, log):
    generator = make(log)
    next(generator)
    del generator


def main():
    log = []
    for _ in range(10):
        drop(plain, log)
        drop(careful, log)
        drop(handling, log)
    print("generators_dropped", log.count("finally"), log.count("exit"))


main()
