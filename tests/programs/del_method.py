"""Finalisers: __del__ by reference count and by collection, weakref callbacks and finalize."""

import gc
import weakref

import oracle  # noqa: F401

log = []


class Noisy:
    def __init__(self, name):
        self.name = name
        self.other = None

    def __del__(self):
        self.note()

    def note(self):
        log.append(self.name)


class Phoenix:
    saved = []

    def __del__(self):
        if not self.saved:
            self.saved.append(self)


class Failing:
    def __del__(self):
        try:
            raise ValueError("in __del__")
        except ValueError:
            log.append("failing")


def callback(reference):
    log.append("callback" if reference() is None else "alive")


def pair(name):
    first, second = Noisy(name + "1"), Noisy(name + "2")
    first.other, second.other = second, first


def main():
    gc.disable()  # so that every collection is an explicit one
    for i in range(20):
        Noisy("n%d" % i)
    kept = Noisy("kept")
    references = [weakref.ref(kept, callback) for _ in range(3)]
    weakref.finalize(kept, log.append, "finalized")
    del kept
    Failing()
    Phoenix()
    Phoenix.saved.clear()
    for i in range(5):
        pair("p%d" % i)
    gc.collect()
    table = weakref.WeakValueDictionary()
    table["x"] = value = Noisy("valued")
    del value
    print("del_method", len(log), len(references), len(table), sorted(log))


main()
