"""Audit events with arguments of every type, at the borders of their representations."""

import sys

import oracle  # noqa: F401


class Plain:
    """Its repr must never be called."""

    def __repr__(self):
        raise AssertionError("repr was called")

    __str__ = __repr__


class Text(str):
    """A subclass is not the type itself."""


def nest(depth, make):
    value = make(())
    for _ in range(depth):
        value = make((value,))
    return value


def integers():
    yield from (0, 1, -1, 255, 256, -5, -6)
    for bits in (15, 29, 30, 31, 32, 59, 60, 61, 62, 63, 64, 65, 89, 90, 91, 127, 128, 200, 1000):
        for offset in (-1, 0, 1):
            yield (1 << bits) + offset
            yield -(1 << bits) - offset


STRINGS = [
    "",
    "a",
    "plain ascii",
    "caf\u00e9 \u00ff",
    "\u0100\u20ac\u4e2d\u6587",
    "\U0001f40d astral \U0010ffff",
    "embedded \0 nul",
    "quotes \" ' back\\slash \n\t\r\x1b\x7f",
    "x" * 1000,
    "\u20ac" * 300,
]

BYTES = [b"", b"bytes", bytes(range(256)), b"nul \0 inside", b"y" * 1000]

FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, float("inf"), float("-inf"), float("nan")]


def main():
    sys.audit("ptpytrace.none")
    sys.audit("ptpytrace.singletons", None, True, False)
    for string in STRINGS:
        sys.audit("ptpytrace.str", string)
    for data in BYTES:
        sys.audit("ptpytrace.bytes", data)
    for number in integers():
        sys.audit("ptpytrace.int", number)
    for number in FLOATS:
        sys.audit("ptpytrace.float", number)
    sys.audit("ptpytrace.tuple", (), (1,), (1, ("two", (3.0, (None,)))))
    sys.audit("ptpytrace.list", [], [1], [1, ["two", [3.0, [None]]]], list(range(50)))
    sys.audit("ptpytrace.deep", nest(10, tuple), nest(10, list), nest(40, tuple), nest(40, list))
    cyclic = [1]
    cyclic.append(cyclic)
    sys.audit("ptpytrace.cyclic", cyclic, (cyclic,))
    sys.audit("ptpytrace.others", {"k": 1}, {1}, Plain(), Text("text"), Plain, len, 1j, range(3))
    sys.audit("ptpytrace.many", *range(100))
    sys.audit("ptpytrace.\u00fcml\u00e4ut", "caf\u00e9")
    sys.audit("ptpytrace." + "long" * 100, "name")
    cyclic.clear()
    print("audit_program", sum(1 for _ in integers()), len(STRINGS), len(BYTES), len(FLOATS))


main()
