"""Programs that know how often their functions are called: one way a run, chosen by the first argument. Each prints a
line `function calls` for every function whose calls are to be counted."""

import os
import signal
import sys
import threading


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def calls(n):
    """How often fib is called by fib(n)."""
    before, now = 1, 1
    for _ in range(2, n + 1):
        before, now = now, before + now + 1
    return now


def single(n):
    fib(n)
    return {"fib": calls(n)}


def threads(n):
    workers = [threading.Thread(target=fib, args=(n,)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {"fib": 8 * calls(n)}


def later_threads(n):
    """Threads that come and go: most have the thread pointer of one that has ended."""
    for _ in range(200):
        worker = threading.Thread(target=fib, args=(n,))
        worker.start()
        worker.join()
    return {"fib": 200 * calls(n)}


def forks(n):
    """Children of which some fork again; all end by _exit, some with threads that still run."""
    children = []
    for number in range(60):
        child = os.fork()
        if child == 0:
            fib(n)
            if number % 3 == 0 and os.fork() == 0:
                fib(n)
                os._exit(0)
            if number % 3 == 0:
                os.wait()
            os._exit(0)
        children.append(child)
        if len(children) == 4:
            assert os.waitpid(children.pop(0), 0)[1] == 0
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    return {"fib": 80 * calls(n)}


handled = []  # appending cannot be interrupted, and the handler may be


def handler(number, frame):
    handled.append(None)
    innermost()


def innermost():
    return None


def signals(n):
    """A handler that calls Python functions, until it has run so often."""
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    rounds = 0
    while len(handled) < n:
        fib(8)
        rounds += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    fib(8)
    return {"fib": (rounds + 1) * calls(8), "handler": len(handled), "innermost": len(handled)}


def leave(n):
    """Ends by _exit while threads are calling: what the main thread did must arrive."""
    stop = False

    def other():
        while not stop:
            spin(6)

    for _ in range(3):
        threading.Thread(target=other, daemon=True).start()
    fib(n)
    print("fib", calls(n), flush=True)
    os._exit(0)


def spin(n):
    return n if n < 2 else spin(n - 1) + spin(n - 2)


if __name__ == "__main__":
    counts = globals()[sys.argv[1]](int(sys.argv[2]))
    for function, count in counts.items():
        print(function, count, flush=True)
