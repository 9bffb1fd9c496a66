"""Makes values of every kind and prints, a line for each, its address, its repr() and its ascii(), then waits.

Usage: values.py SEED COUNT. The last line is "end"; the values live until stdin is closed. Where repr() would show an
object of another type, or where a limit of the decoder is exceeded, the line has what the decoder shall print.
"""
import collections
import random
import struct
import sys
import unicodedata
import warnings

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)

seed, count = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)


class Text(str):
    pass


class Number(int):
    pass


class Pair(tuple):
    pass


class Items(list):
    pass


class Real(float):
    pass


class Raw(bytes):
    pass


Ünïcode = type("Ünïcode", (), {})
Dotted = type("dotted.name", (), {})


def character():
    kind = rng.randrange(6)
    if kind == 0:
        return chr(rng.randrange(0x80))
    if kind == 1:
        return chr(rng.randrange(0x100))
    if kind == 2:
        return rng.choice("'\"\\\t\r\n\0\x7f \x1b")
    if kind == 3:
        return chr(rng.choice([0xD800, 0xDBFF, 0xDC80, 0xDCFF, 0xDFFF, 0xFFFD, 0xFFFF, 0x10FFFF]))
    while True:
        found = chr(rng.randrange(0x10000 if kind == 4 else 0x110000))
        # What is not assigned yet is printed as it is by a newer Unicode.
        if unicodedata.category(found) != "Cn":
            return found


def text():
    kind = rng.randrange(5)
    size = rng.choice([0, 1, 2, 7, 40, 41, 90, 200, 210, 300, 5000]) if rng.randrange(4) == 0 else rng.randrange(30)
    if kind == 0:
        return "".join(chr(rng.randrange(0x80)) for _ in range(size))
    if kind == 1:
        return "".join(chr(rng.randrange(0x100)) for _ in range(size))
    if kind == 2:
        return "".join(rng.choice("'\"ab") for _ in range(size))
    return "".join(character() for _ in range(size))


def integer():
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randrange(-300, 300)
    if kind == 1:
        return rng.choice([1, -1]) * ((1 << rng.randrange(200)) + rng.randrange(-1, 2))
    if kind == 2:
        return rng.choice([1, -1]) * rng.getrandbits(rng.randrange(1, 130))
    if rng.randrange(10):
        return rng.choice([1, -1]) * 10 ** rng.randrange(100)
    return rng.choice([1, -1]) * rng.getrandbits(rng.randrange(1, 40000))


def real():
    kind = rng.randrange(4)
    if kind == 0:
        return struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
    if kind == 1:
        return rng.choice([0.0, -0.0, 1e16, 1e15, 1e-4, 1e-5, float("inf"), float("-inf"), float("nan"), 5e-324])
    if kind == 2:
        return rng.choice([1, -1]) * 2.0 ** rng.randrange(-1074, 1024)
    return rng.uniform(-1e6, 1e6)


def raw():
    size = rng.choice([0, 1, 2, 220, 240, 1000]) if rng.randrange(4) == 0 else rng.randrange(20)
    return bytes(bytearray(rng.choice([39, 34, 92, 10, rng.randrange(256)]) for _ in range(size)))


def simple():
    make = rng.choice([text, text, integer, integer, real, raw, lambda: rng.choice([None, True, False])])
    return make()


def value(depth=0):
    if depth < 5 and rng.randrange(3) == 0:
        items = [value(depth + 1) for _ in range(rng.randrange(5))]
        return tuple(items) if rng.randrange(2) else items
    return simple()


entries = []


def add(made, shown=None):
    """shown: what to expect in place of repr()."""
    entries.append((made, shown, shown) if shown else (made, repr(made), ascii(made)))


def add_cyclic():
    inner = [simple()]
    inner.append(inner)
    add(inner)
    outer = ([simple()], simple())
    outer[0].append(outer)
    add(outer)
    one, two = [1], (2, [])
    one.append(two)
    two[1].append(one)
    add(one)
    add(two)
    add(two[1])
    shared = [simple()]
    add([shared, (shared, shared)])


def add_others():
    for other, name in [
        (Text("x"), "Text"),
        (Number(5), "Number"),
        (Pair((1, 2)), "Pair"),
        (Items([1]), "Items"),
        (Real(1.5), "Real"),
        (Raw(b"x"), "Raw"),
        (Ünïcode(), "Ünïcode"),
        (Dotted(), "name"),
        ({1: 2}, "dict"),
        ({1}, "set"),
        (1j, "complex"),
        (collections.OrderedDict(), "OrderedDict"),
        (collections.deque(), "deque"),
        (bytearray(b"x"), "bytearray"),
        (add, "function"),
        (len, "builtin_function_or_method"),
        (int, "type"),
        (sys, "module"),
        (Ellipsis, "ellipsis"),
        (struct.Struct("<d"), "Struct"),
    ]:
        shown = "<" + name + ">"
        entries.append((other, shown, ascii(shown)[1:-1]))
        entries.append(((1, other), "(1, " + shown + ")", "(1, " + ascii(shown)[1:-1] + ")"))


def add_large():
    add((1 << 61439) - 1)
    add(-(1 << 61439))
    add(1 << 61440, "...")
    add([1 << 61440, 2], "[..., 2]")
    add(list(range(-700, 700)))
    add(tuple(str(i) for i in range(1100)))
    add("\U0001f40d" * 30000)
    add("é" * 100000)
    add(b"\xff" * 200000)
    deep = []
    for _ in range(98):
        deep = [deep] if rng.randrange(2) else (deep,)
    add(deep)


def add_legacy():
    """Strings as only the API of 3.11 and before makes them; where CPython's own test module can."""
    try:
        from _testcapi import unicode_legacy_string as legacy
    except ImportError:
        return
    warnings.simplefilter("ignore")
    for plain in ["", "a", "abc" * 100, "é", "日本", "\U0001f40d\U0010ffff", "a\udcff", "it's"]:
        # The first is not "ready"; asking for repr() makes the second so.
        entries.append((legacy(plain), repr(plain), ascii(plain)))
        add(legacy(plain))


for single in ["", "a", "é", b"", b"a", 0, 1, -1, (), [], None, True, False, 1.0, sys.intern("interned")]:
    add(single)
for exponent in range(0, 2000, 7):
    for offset in (-1, 0, 1):
        add((1 << exponent) + offset)
        add(-(1 << exponent) + offset)
for exponent in range(-1074, 1024):
    add(2.0 ** exponent)
for point in range(0x100):
    add(chr(point))
add_cyclic()
add_others()
add_large()
add_legacy()
for _ in range(count):
    add(value())

out = sys.stdout.buffer
for made, shown, plain in entries:
    out.write(("%x\t%s\t%s\n" % (id(made), shown, plain)).encode("utf-8"))
out.write(b"end\n")
out.flush()
sys.stdin.read()
