"""Eight threads at once, each with its own work, and a pool of threads."""

import threading

import oracle  # noqa: F401

THREADS = 8
results = {}
lock = threading.Lock()
# All threads live at the same time, so that none gets the number of one that has ended.
barrier = threading.Barrier(THREADS)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def squares(n):
    for i in range(n):
        yield i * i


def work(number):
    barrier.wait()
    value = fib(6 + number % 4) + sum(squares(5 + number))
    with lock:
        results[number] = value
    barrier.wait()


def main():
    threads = [
        threading.Thread(target=work, args=(i,), name="worker-%d" % i) for i in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("threads8", [results[i] for i in range(THREADS)])


main()
