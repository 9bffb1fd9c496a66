"""Function and file names of many lengths and alphabets, up to 5000 characters."""

import oracle  # noqa: F401


def template():
    return 1


LENGTHS = list(range(1, 70)) + [
    *(127, 128, 129, 199, 200, 201, 254, 255, 256, 257, 511, 512, 513),
    *(1023, 1024, 1025, 2047, 2048, 2049, 4094, 4095, 4096, 4097, 5000),
]

NAMES = [
    "caf\u00e9",
    "\u0444\u0443\u043d\u043a\u0446\u0438\u044f",
    "\u51fd\u6570",
    "\U0001d4ea\U0001f40d",
    "quote\"and'back\\slash",
    "tab\tand\nnewline",
    "\u00e9" * 300,
    "\u20ac" * 1700,
    "a" + "\U0001f40d" * 1200,
]


def call(name, file):
    code = template.__code__.replace(co_name=name, co_filename=file)
    return eval(code)


def compiled(file):
    namespace = {}
    exec(compile("def f(x):\n    return x\n", file, "exec"), namespace)
    return namespace["f"](1)


def main():
    total = 0
    for length in LENGTHS:
        total += call("f" * length, "/file")
        total += call("g", "/" + "d" * (length - 1))
        total += call("n" * length, "/" + "e" * (length - 1))
    for name in NAMES:
        total += call(name, "/plain")
        total += call("plain", "/" + name)
        total += compiled("<" + name + ">")
    print("long_strings", total)


main()
