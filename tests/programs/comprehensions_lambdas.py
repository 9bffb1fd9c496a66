"""Comprehensions, lambdas, closures, decorators, class bodies, properties, descriptors."""

import functools

import oracle  # noqa: F401


def adder(n):
    def add(x):
        return x + n

    return add


def counter():
    value = 0

    def step():
        nonlocal value
        value += 1
        return value

    return step


def logged(log):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args):
            log.append(function.__name__)
            return function(*args)

        return wrapper

    return decorate


class Meta(type):
    def __new__(mcs, name, bases, namespace):
        namespace["tag"] = name.lower()
        return super().__new__(mcs, name, bases, namespace)


class Field:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, instance, owner):
        return self if instance is None else getattr(instance, self.name, 0)

    def __set__(self, instance, value):
        setattr(instance, self.name, value * 2)


class Shape(metaclass=Meta):
    field = Field()
    sizes = [size**2 for size in range(4)]

    class Inner:
        def value(self):
            return [lambda: 1, lambda: 2][1]()

    def __init__(self, value):
        self.field = value

    @property
    def area(self):
        return self.field + sum(self.sizes)

    @staticmethod
    def static(x):
        return x

    @classmethod
    def named(cls, x):
        return cls(x)

    def __lt__(self, other):
        return self.area < other.area


def main():
    log = []

    @logged(log)
    def decorated(x):
        return {y: [z for z in range(y)] for y in range(x)}

    nested = [[a * b for a in range(4)] for b in range(5)]
    letters = {c for word in ("ab", "bc") for c in word if c != "a"}
    add = [adder(i) for i in range(10)]
    step = counter()
    shapes = sorted(Shape.named(i % 7) for i in range(20))
    print(
        "comprehensions_lambdas",
        nested[4][3],
        sorted(letters),
        sum(f(1) for f in add),
        [step() for _ in range(5)],
        len(decorated(6)),
        list(map(lambda x: x + 1, filter(lambda x: x % 2, range(9)))),
        sorted(range(8), key=lambda x: (x % 3, -x)),
        functools.reduce(lambda a, b: a * b, range(1, 8)),
        [shape.area for shape in shapes[:3]],
        Shape.tag,
        Shape.Inner().value() + Shape.static(1),
        log,
    )


main()
