"""Recursion: plain, mutual, deep, with default and keyword arguments."""

import oracle  # noqa: F401


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def is_even(n):
    return True if n == 0 else is_odd(n - 1)


def is_odd(n):
    return False if n == 0 else is_even(n - 1)


def depth(n, *rest, step=1, **named):
    if n <= 0:
        return len(rest) + len(named)
    return 1 + depth(n - step, *rest, step=step, **named)


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


def hanoi(n, source, target, spare, moves):
    if n:
        hanoi(n - 1, source, spare, target, moves)
        moves.append((source, target))
        hanoi(n - 1, spare, target, source, moves)
    return moves


def main():
    print(
        "recursion",
        fib(13),
        is_even(50),
        depth(200, 1, 2, step=2, key=3),
        ackermann(2, 3),
        len(hanoi(6, "a", "b", "c", [])),
    )


main()
