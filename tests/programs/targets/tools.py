"""A program with tools of its own: it says what they see.

Usage: tools.py monitoring|profile|trace. It prints a line for each kind of event, with how often it came and a sum over
all of them.
"""

import gc
import sys
import zlib

seen = {}


def note(kind, *what):
    count, sum = seen.get(kind, (0, 0))
    seen[kind] = count + 1, zlib.crc32(repr(what).encode(), sum)


def numbers(n):
    for i in range(n):
        try:
            yield i
        except ValueError:
            yield -i


def fail(n):
    if n == 0:
        raise KeyError("at the bottom")
    fail(n - 1)


def work():
    given = numbers(5)
    next(given), given.throw(ValueError()), list(given)
    try:
        fail(4)
    except KeyError:
        pass
    return sorted([3, 1, 2], key=lambda value: -value)


def monitoring():
    events = sys.monitoring.events
    names = "PY_START PY_RESUME PY_RETURN PY_YIELD PY_THROW PY_UNWIND LINE JUMP CALL RAISE".split()
    sys.monitoring.use_tool_id(0, "tools")
    sets = 0
    for name in names:

        def callback(code, *rest, name=name):
            note(name, code.co_name, [value for value in rest if isinstance(value, int)])
            # Each other place is not wanted again.
            if name in ("LINE", "CALL") and len(seen) % 2:
                return sys.monitoring.DISABLE

        sys.monitoring.register_callback(0, getattr(events, name), callback)
        sets |= getattr(events, name)
    for _ in range(3):
        sys.monitoring.set_events(0, sets)
        work()
        sys.monitoring.set_events(0, 0)
        sys.monitoring.restart_events()
    sys.monitoring.free_tool_id(0)


def profile():
    def see(frame, event, arg):
        # Before 3.12 a profiler that takes the place of another one sees how its own sys.setprofile returns.
        if event != "c_return" or arg is not sys.setprofile:
            note(event, frame.f_code.co_name, frame.f_lineno)

    sys.setprofile(see)
    work()
    sys.setprofile(None)


def trace():
    def see(frame, event, arg):
        note(event, frame.f_code.co_name, frame.f_lineno)
        return see

    sys.settrace(see)
    work()
    sys.settrace(None)


gc.disable()
globals()[sys.argv[1]]()
for kind in sorted(seen):
    print(kind, *seen[kind])
assert seen
