"""For call_stack.d, which shows what happens within a function named `start`."""


def double(number):
    return number + number


def total(numbers):
    return sum(double(number) for number in numbers)


def start():
    total(range(3))
    double(21)


start()
