"""multiprocessing with the start method spawn: each child is a new interpreter."""

import multiprocessing

import oracle


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def child(number, connection):
    connection.send((number, fib(8 + number)))
    connection.close()
    oracle.dump()
    raise SystemExit(number)


def one(context, number):
    """A function of its own: its locals die with it, not under the eyes of a profiler's hook."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(number, sender))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    return [result, process.exitcode]


def main():
    context = multiprocessing.get_context("spawn")
    results = []
    for number in range(2):
        results += one(context, number)
    print("mp_spawn", results)


if __name__ == "__main__":
    main()
