"""Prints a character for each code point: p printed as it is by repr(), e escaped, u escaped for it is unassigned."""
import sys
import unicodedata


def state(point):
    character = chr(point)
    if character.isprintable():
        return "p"
    return "u" if unicodedata.category(character) == "Cn" else "e"


print("".join(map(state, range(0x110000))))
sys.stdout.flush()
sys.stdin.read()
