"""Prints the table of src/cpython/printable.rs: the ranges of code points that repr() escapes in this interpreter,
ASCII and surrogates left out. Run it with the newest CPython."""
import sys
import unicodedata

PER_LINE = 5


def ranges():
    first = None
    for point in range(0x7F, 0x110001):
        escaped = (
            point < 0x110000
            and not 0xD800 <= point <= 0xDFFF
            and not chr(point).isprintable()
        )
        if escaped and first is None:
            first = point
        elif not escaped and first is not None:
            yield first, point - 1
            first = None


table = ["(0x{:x}, 0x{:x})".format(*pair) for pair in ranges()]
print("/// From Unicode %s, as CPython %d.%d has it." % ((unicodedata.unidata_version,) + sys.version_info[:2]))
print("#[rustfmt::skip]")
print("const ESCAPED: [(u32, u32); %d] = [" % len(table))
for start in range(0, len(table), PER_LINE):
    print("    " + ", ".join(table[start:start + PER_LINE]) + ",")
print("];")
