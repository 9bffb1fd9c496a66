"""os.fork without exec: children and a grandchild work in Python and end by os._exit."""

import os

import oracle


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def leave(status):
    oracle.dump()
    os._exit(status)


def wait_for(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def child_work(number):
    if number == 2:
        grandchild = os.fork()
        if grandchild == 0:
            leave(fib(10) % 50)
        return wait_for(grandchild)
    return fib(5 + number)


def main():
    fib(5)
    statuses = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            leave(child_work(number))
        statuses.append(wait_for(child))
    fib(5)
    print("fork_no_exec", statuses)


main()
