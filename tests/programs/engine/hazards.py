"""A program that does dangerous things on command, and knows how often it calls what.

Each line of standard input names a function below or in counted.py, with numbers or words behind it. The answer is a line
`function calls` for every function whose calls are to be counted, other lines that begin with a capital, and "done". At
the end of the input it prints "right". Words on the command line are a command, too, to be done first.
"""

import ctypes
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import types

import counted
from counted import calls, fib

libc = ctypes.CDLL(None, use_errno=True)
CLONE_VM, CLONE_VFORK, CLONE_UNTRACED = 0x100, 0x4000, 0x800000


def say(text):
    os.write(1, text.encode() + b"\n")


def checked_fib(n):
    """Gives its own calls, and fib's."""
    before, now = 0, 1
    for _ in range(n):
        before, now = now, before + now
    assert fib(n) == before
    return {"fib": calls(n), "checked_fib": 1}


def ended(child):
    """The child has ended as it must."""
    assert os.waitpid(child, 0) == (child, 0), child


def forked(n):
    """A child of which nobody but this program is to know calls functions, too."""
    child = os.fork()
    if child == 0:
        checked_fib(n)
        os._exit(0)
    ended(child)
    return checked_fib(n)


def untraced_clone(n):
    """A child that the kernel shows to no tracer (CLONE_UNTRACED)."""
    SYS_CLONE = 56
    child = libc.syscall(SYS_CLONE, CLONE_UNTRACED | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        checked_fib(n)
        os._exit(0)
    ended(child)
    return checked_fib(n)


def shared_memory(n):
    """A child in the same memory calls functions while this process waits for its end, as after vfork."""
    results = []

    def work(_):
        results.append(fib(n))
        return 0

    kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
    work = kind(work)
    stack = mmap.mmap(-1, 1 << 20)
    top = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + len(stack) - 64
    clone = ctypes.PyDLL(None).clone
    flags = CLONE_VM | CLONE_VFORK | signal.SIGCHLD
    child = clone(work, ctypes.c_void_p(top), flags, None)
    assert child > 0
    ended(child)
    assert len(results) == 1
    return {"fib": calls(n)}


def spawned(n):
    """Programs that are started by vfork or posix_spawn."""
    command = "import sys; sys.path.insert(0, %r); import hazards; print(hazards.checked_fib(%d))"
    command = [sys.executable, "-c", command % (os.path.dirname(__file__), n)]
    for close in (True, False):
        done = subprocess.run(command, stdout=subprocess.PIPE, close_fds=close)
        assert (done.returncode, done.stdout.decode()) == (0, "%s\n" % checked_fib(n)), done
    return {"fib": 4 * calls(n), "checked_fib": 4}


def executed(n, more):
    """Calls functions and then runs itself anew, so often."""
    counts = checked_fib(n)
    if more == 0:
        return counts
    for function, count in counts.items():
        say("%s %d" % (function, count))
    os.execv(sys.executable, [sys.executable, __file__, "executed", str(n), str(more - 1)])


def killed(n):
    """Ends by SIGKILL right after it has called functions."""
    for function, count in checked_fib(n).items():
        say("%s %d" % (function, count))
    os.kill(os.getpid(), signal.SIGKILL)


def named_threads(threads, n):
    """Threads that call functions that are named after them."""
    def work():
        tid = threading.get_native_id()
        code = counted.innermost.__code__.replace(co_name="of_%d" % tid)
        function = types.FunctionType(code, globals())
        for _ in range(n):
            function()
        seen.append(tid)

    seen = []
    # Half of them have the thread pointer of one that has ended.
    for _ in range(2):
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    counts = {}
    for tid in seen:  # an id may come again, too
        counts["of_%d" % tid] = counts.get("of_%d" % tid, 0) + n
    return counts


def in_turns(threads, n):
    """Threads that take turns: each calls the function with the next number in its name."""
    code = counted.innermost.__code__
    steps = [types.FunctionType(code.replace(co_name="step_%06d" % i), {}) for i in range(n)]
    turns = [threading.Semaphore(0) for _ in range(threads)]

    def work(own):
        for number in range(own, n, threads):
            turns[own].acquire()
            steps[number]()
            sys.audit("ptpytrace.step", number)
            turns[(own + 1) % threads].release()

    workers = [threading.Thread(target=work, args=(own,)) for own in range(threads)]
    for worker in workers:
        worker.start()
    turns[0].release()
    for worker in workers:
        worker.join()
    return {}


def utf8_of(text):
    """The word that says where a string's UTF-8 is: beyond ASCII it lies by itself."""
    ctypes.pythonapi.PyUnicode_AsUTF8.restype = ctypes.c_void_p
    at = ctypes.pythonapi.PyUnicode_AsUTF8(ctypes.py_object(text))
    word = ctypes.c_void_p.from_address(id(text) + (56 if sys.version_info < (3, 12) else 48))
    assert word.value == at
    return word


def bad_strings(rounds):
    """Functions whose names cannot be read: the interpreter keeps a pointer to them, which is spoiled here. Some begin in
    a page and would end in the next, which is not to be read."""
    code = counted.innermost.__code__.replace(co_name="na\u00efve")
    function = types.FunctionType(code, globals())
    word = utf8_of(code.co_name)
    right = word.value
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 2 * mmap.PAGESIZE)
        file.flush()
        pages = mmap.mmap(file.fileno(), 2 * mmap.PAGESIZE)
        file.truncate(mmap.PAGESIZE)  # what lies behind that cannot be read
    behind = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + mmap.PAGESIZE
    bad = [16, behind, behind - 1, behind - 3, behind - 8, behind - 100]
    bad += [1 << 63, 0xFF << 48, 0xFFFF8 << 44, 2 ** 64 - 1]
    for _ in range(rounds):
        for address in bad:
            word.value = address
            function()
            word.value = right
            function()
    say("Unreadable %d" % (rounds * len(bad)))
    return {}


def block_faults():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSEGV, signal.SIGBUS])
    return {}


def assert_faults_blocked():
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) >= {signal.SIGSEGV, signal.SIGBUS}
    return {}


def block_everything():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return {}


def unblock_everything():
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    return {}


def bad_strings_with_signals_blocked(rounds):
    """What the kernel does for a fault does not show afterwards."""
    signal.signal(signal.SIGSEGV, counted.handler)
    block_faults()
    bad_strings(rounds)
    assert_faults_blocked()
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("SigCgt"))
    assert int(line.split()[1], 16) >> (signal.SIGSEGV - 1) & 1
    return {}


def confine(result):
    """From now on the kernel refuses the system calls that a tracer would need here, with an error, or kills."""
    RET = {"errno": 0x00050001, "kill": 0x80000000}[result]
    MEMFD_CREATE = 319

    def instruction(code, yes, no, value):
        return code.to_bytes(2, "little") + bytes([yes, no]) + value.to_bytes(4, "little")

    program = instruction(0x20, 0, 0, 0)  # the number of the call
    program += instruction(0x15, 1, 0, MEMFD_CREATE)
    program += instruction(0x06, 0, 0, 0x7FFF0000) + instruction(0x06, 0, 0, RET)

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    given = Filter(len(program) // 8, program)
    assert libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(given), 0, 0) == 0
    return {}


def refuse_to_gain_execution():
    """Memory that can be written can never be made executable (PR_SET_MDWE); not before Linux 6.3."""
    PR_SET_MDWE = 65
    say("Refused" if libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0 else "Unknown")
    return {}


def occupy(reach):
    """Takes all memory within a reach (GiB) of the interpreter's code."""
    MAP_NORESERVE, MAP_FIXED_NOREPLACE = 0x4000, 0x100000
    PRIVATE_ANONYMOUS = 0x22
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    with open("/proc/sys/vm/mmap_min_addr") as file:
        lowest = max(int(file.read()), 1 << 16)
    with open("/proc/self/maps") as maps:
        lines = [line.split() for line in maps]
    taken = [[int(word, 16) for word in line[0].split("-")] for line in lines]
    # The heap and stacks may still grow.
    code = [begin for (begin, _), line in zip(taken, lines) if "x" in line[1] and "python" in line[-1]]
    at = lowest
    limit = max(code) + (reach << 30)
    for begin, end in taken + [[limit, limit]]:
        if min(code) - (reach << 30) < begin:
            at = max(at, min(code) - (reach << 30))
            flags = PRIVATE_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE
            if at < begin:
                libc.mmap(at, min(begin, limit) - at, 0, flags, -1, 0)
        at = max(at, end)
        if at >= limit:
            break
    return {}


def scribble(seed, rounds):
    """Writes over what it shares with the tracer, from itself, while two threads call functions."""
    chance = random.Random(seed)
    with open("/proc/self/maps") as maps:
        shared = [line.split("-") for line in maps if "memfd:ptpytrace" in line]
    say("Shared %d" % len(shared))
    stop = []

    def work():
        while not stop:
            fib(8)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    memory = os.open("/proc/self/mem", os.O_RDWR)
    for _ in range(rounds if shared else 0):
        begin = int(shared[chance.randrange(len(shared))][0], 16)
        # The header, or the beginning of one of the first rings.
        place = chance.choice([0, 4096, 4096, 4096 + 4096])
        bytes_ = bytes(chance.randrange(256) for _ in range(8))
        os.pwrite(memory, bytes_, begin + place + 8 * chance.randrange(32))
        fib(4)
    os.close(memory)
    stop.append(None)
    for worker in workers:
        worker.join()
    return {}


def scribbling_child(seed, rounds):
    """A child does that; what this process calls is not to suffer."""
    child = os.fork()
    if child == 0:
        scribble(seed, rounds)
        os._exit(0)
    fib(15)
    ended(child)
    return {"fib": calls(15)}


def own_breakpoint(address):
    """Its own breakpoint on a nop of the interpreter, whose signal it counts."""
    import gc
    gc.disable()  # so that every collection, and with it every signal, is an explicit one
    seen = []
    signal.signal(signal.SIGTRAP, lambda number, frame: seen.append(number))
    memory = os.open("/proc/self/mem", os.O_RDWR)
    assert os.pread(memory, 1, address) == b"\x90"
    os.pwrite(memory, b"\xcc", address)
    own_breakpoint.seen, own_breakpoint.memory = seen, memory
    return {}


def put_back(address, file):
    """Makes the bytes of the interpreter's code at an address those of its file again."""
    with open(file, "rb") as original:
        with open("/proc/self/maps") as maps:
            for line in maps:
                words = line.split()
                first, last = (int(word, 16) for word in words[0].split("-"))
                if first <= address < last and words[-1] == file:
                    original.seek(address - first + int(words[2], 16))
        right = original.read(8)
    memory = os.open("/proc/self/mem", os.O_RDWR)
    assert os.pread(memory, 8, address) != right
    os.pwrite(memory, right, address)
    os.close(memory)
    return {}


def collect(n):
    import gc
    for _ in range(n):
        gc.collect()
    fib(3)
    say("Signals %d" % len(own_breakpoint.seen))
    return {}


def obey(words):
    way = globals().get(words[0]) or getattr(counted, words[0])
    counts = way(*(int(word) if word.isdigit() else word for word in words[1:]))
    for function, count in counts.items():
        say("%s %d" % (function, count))
    say("done")


if __name__ == "__main__":
    if sys.argv[1:]:
        obey(sys.argv[1:])
    say("ready")
    for line in sys.stdin:
        obey(line.split())
    say("right")
