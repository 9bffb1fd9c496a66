"""A small program to trace: functions that call each other, a generator, an exception."""


def greet(name):
    return "Hello, " + name


def countdown(start):
    while start:
        yield start
        start -= 1


def checked(number):
    if number == 2:
        raise ValueError(number)
    return number


def main():
    print(greet("tracer"))
    for number in countdown(3):
        try:
            checked(number)
        except ValueError:
            pass


main()
