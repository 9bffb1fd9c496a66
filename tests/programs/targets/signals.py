"""Programs that live from signals, each while it calls functions all the time.

Usage: signals.py NAME. Each prints what it has seen, which does not depend on time, and dies of an
exception when something is wrong.
"""

import ctypes
import mmap
import os
import select
import signal
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def busy_until(condition):
    while not condition():
        assert fib(6) == 8


def trap_handler():
    """SIGTRAP by kill, raise and pthread_kill among calls that are traced."""
    seen = []

    def on_trap(number, frame):
        assert fib(5) == 5
        seen.append(number)

    signal.signal(signal.SIGTRAP, on_trap)
    senders = [
        lambda: os.kill(os.getpid(), signal.SIGTRAP),
        lambda: signal.raise_signal(signal.SIGTRAP),
        lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTRAP),
    ]
    for i in range(300):
        senders[i % 3]()
        busy_until(lambda: len(seen) == i + 1)
    print(len(seen), set(seen) == {signal.SIGTRAP})


def trap_storm():
    """Another process sends SIGTRAP as fast as it can; the calls' results stay right."""
    seen = []
    signal.signal(signal.SIGTRAP, lambda number, frame: seen.append(number))
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        for _ in range(3000):
            os.kill(parent, signal.SIGTRAP)
        os._exit(3)
    ended = []

    def wait():
        ended.append(os.waitpid(child, 0))

    waiter = threading.Thread(target=wait)
    waiter.start()
    busy_until(lambda: ended)
    waiter.join()
    busy_until(lambda: seen)
    print(ended == [(child, 3 << 8)], 1 <= len(seen) <= 3000)


def trap_ignored():
    """SIG_IGN, set here: sent ones vanish."""
    signal.signal(signal.SIGTRAP, signal.SIG_IGN)
    for _ in range(200):
        os.kill(os.getpid(), signal.SIGTRAP)
        assert fib(6) == 8
    print(signal.getsignal(signal.SIGTRAP) == signal.SIG_IGN)


def trap_ignored_visibly():
    """SIG_IGN, set here: the kernel says that it is ignored, and a program started here inherits it."""
    signal.signal(signal.SIGTRAP, signal.SIG_IGN)
    seen = []
    for _ in range(20):
        assert fib(6) == 8
        seen.append(signal_in("SigIgn", signal.SIGTRAP))
    command = ["/bin/sh", "-c", "kill -TRAP $$; echo survived"]
    subprocess.run(command, restore_signals=False)
    print(all(seen))


def signal_in(field, number):
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field + ":"))
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def trap_inherited():
    """Whether SIGTRAP is ignored as it was at exec, after some calls."""
    fib(10)
    print(signal_in("SigIgn", signal.SIGTRAP), signal_in("SigCgt", signal.SIGTRAP))


def trap_blocked():
    """Blocked: it stays pending until it is taken by sigwait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTRAP])
    for _ in range(100):
        assert fib(5) == 5
        assert signal.SIGTRAP in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert signal.SIGTRAP not in signal.sigpending()
        os.kill(os.getpid(), signal.SIGTRAP)
        assert fib(5) == 5
        assert signal.SIGTRAP in signal.sigpending()
        assert signal.sigwait([signal.SIGTRAP]) == signal.SIGTRAP
    print("taken")


def trap_blocked_in_thread():
    """Blocked for good in every thread but one, which has a handler."""
    seen = []
    signal.signal(signal.SIGTRAP, lambda number, frame: seen.append(number))
    stop = []

    def work():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTRAP])
        while not stop:
            assert fib(5) == 5
        assert signal.SIGTRAP in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(50):
        os.kill(os.getpid(), signal.SIGTRAP)
        busy_until(lambda: len(seen) == i + 1)
    stop.append(1)
    for thread in threads:
        thread.join()
    print(len(seen))


def trap_default():
    """The default action ends the program."""
    fib(8)
    print("before", flush=True)
    os.kill(os.getpid(), signal.SIGTRAP)
    fib(8)
    print("after", flush=True)


def own_breakpoint():
    """An int3 of the program's own, with a handler of its own."""
    seen = []
    signal.signal(signal.SIGTRAP, lambda number, frame: seen.append(number))
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xcc\xc3")  # int3; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    trap = ctypes.CFUNCTYPE(None)(address)
    for i in range(100):
        trap()
        busy_until(lambda: len(seen) == i + 1)
    print(len(seen))


def alarm_storm():
    """An alarm a millisecond after the last one was handled, by calls of functions. (A timer that goes on by itself
    would end a slow program by recursion.)"""
    ticks, results = [], []

    def on_alarm(number, frame):
        ticks.append(number)
        results.append(fib(4))
        signal.setitimer(signal.ITIMER_REAL, 0.001 if len(ticks) < 300 else 0)

    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    busy_until(lambda: len(ticks) >= 300)
    fib(5)
    print(len(ticks) == len(results), set(ticks) == {signal.SIGALRM}, set(results) == {3})


def wakeup_fd():
    """Each signal's number arrives as a byte, in order."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGTRAP, signal.SIGCHLD]
    for number in numbers:
        signal.signal(number, lambda number, frame: fib(3))
    for i in range(200):
        os.kill(os.getpid(), numbers[i % 5])
        assert fib(4) == 3
        assert select.select([reader], [], [], 60)[0]
        assert os.read(reader, 10) == bytes([numbers[i % 5]])
    print("bytes right")


def queued_values():
    """Real-time signals keep their order and the values sent with them."""
    number = signal.SIGRTMIN + 3
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    for value in range(100):
        assert libc.sigqueue(os.getpid(), number, ctypes.c_void_p(value * 7)) == 0
        fib(4)
    info = (ctypes.c_char * 128)()
    wanted = (ctypes.c_ulong * 16)(1 << (number - 1))
    for value in range(100):
        assert libc.sigwaitinfo(wanted, info) == number, ctypes.get_errno()
        fib(4)
        raw = bytes(info)
        word = lambda at: int.from_bytes(raw[at : at + 4], "little", signed=True)
        assert (word(0), word(8), word(16)) == (number, -1, os.getpid())  # signo, SI_QUEUE, pid
        assert int.from_bytes(raw[24:32], "little") == value * 7
    print("values right")


HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Action(ctypes.Structure):
    _fields_ = [
        ("handler", HANDLER),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


def delivered_values():
    """A C handler with SA_SIGINFO gets the sender's code, id and value, on its own stack."""
    seen = []

    def handler(number, info, context):
        raw = ctypes.string_at(info, 32)
        words = [int.from_bytes(raw[i : i + 4], "little", signed=True) for i in (0, 8, 16)]
        seen.append(tuple(words) + (int.from_bytes(raw[24:32], "little"),))

    numbers = [signal.SIGRTMIN + 4, signal.SIGUSR1]
    action = Action(HANDLER(handler), flags=4)  # SA_SIGINFO
    for number in numbers:
        assert libc.sigaction(number, ctypes.byref(action), None) == 0
    expected = []
    for i in range(200):
        number = numbers[i % 2]
        fib(3)
        assert libc.sigqueue(os.getpid(), number, ctypes.c_void_p(i * 11)) == 0
        fib(3)
        expected.append((number, -1, os.getpid(), i * 11))
    assert seen == expected, (seen[:3], expected[:3])
    print("values right")


def alternate_stack():
    """A handler on a stack of its own, as faulthandler has one."""
    import faulthandler

    reader, writer = os.pipe()
    faulthandler.enable(all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=writer, all_threads=False, chain=False)
    for _ in range(20):
        os.kill(os.getpid(), signal.SIGUSR1)
        fib(5)
        text = os.read(reader, 10000)
        assert b"in alternate_stack" in text, text
    print("stacks right")


def child_signals():
    """Each child's end is announced once, with its status."""
    ended = []

    def on_child(number, frame):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended.append(os.WEXITSTATUS(status))

    signal.signal(signal.SIGCHLD, on_child)
    for code in range(30):
        if os.fork() == 0:
            fib(5)
            os._exit(code)
    busy_until(lambda: len(ended) == 30)
    print(sorted(ended) == list(range(30)))


def stop_and_continue():
    """The parent of a program that is stopped and continued sees each change."""
    parent_reads, child_writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(child_writes, b"r")
        while True:
            fib(6)
            for _ in range(20000):
                pass  # or its trace would soon fill a disk
    os.read(parent_reads, 1)
    for _ in range(100):
        fib(3)
        os.kill(child, signal.SIGSTOP)
        pid, status = os.waitpid(child, os.WUNTRACED | os.WCONTINUED)
        assert (pid, os.WIFSTOPPED(status), os.WSTOPSIG(status)) == (child, True, signal.SIGSTOP)
        with open("/proc/%d/stat" % child) as stat:
            state = stat.read().rpartition(")")[2].split()[0]
        assert state in "Tt", state
        os.kill(child, signal.SIGCONT)
        pid, status = os.waitpid(child, os.WUNTRACED | os.WCONTINUED)
        assert (pid, os.WIFCONTINUED(status)) == (child, True), status
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, os.WUNTRACED) == (child, signal.SIGTERM)
    print("states right")


def failing_exec():
    """vfork and posix_spawn whose exec fails, and that succeed."""
    for _ in range(10):
        try:
            subprocess.run(["/nonexistent/program"])
        except FileNotFoundError:
            pass
        else:
            raise AssertionError("it ran")
        try:
            os.posix_spawn("/nonexistent/program", ["program"], {})
        except FileNotFoundError:
            pass
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 9"], {})
        assert os.waitpid(pid, 0) == (pid, 9 << 8)
        assert subprocess.run(["/bin/sh", "-c", "exit 5"]).returncode == 5
        assert subprocess.run(["/bin/sh", "-c", "kill -SEGV $$"]).returncode == -11
        fib(4)
    print("all failed as they must")


def tracing_itself():
    """It traces a child of its own, which stops and goes on at its tracer's word."""
    TRACEME, CONT = 0, 7
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    child = os.fork()
    if child == 0:
        if libc.ptrace(TRACEME, 0, None, None) != 0:
            os._exit(60 + ctypes.get_errno())
        os.kill(os.getpid(), signal.SIGUSR1)  # stops it; its tracer keeps the signal
        os._exit(fib(8))
    pid, status = os.waitpid(child, 0)
    if os.WIFSTOPPED(status):
        assert os.WSTOPSIG(status) == signal.SIGUSR1
        assert libc.ptrace(CONT, child, None, None) == 0
        pid, status = os.waitpid(child, 0)
    print(os.WEXITSTATUS(status))


def raw_calls():
    """System calls without Python's retries: none is interrupted while the handlers are quiet."""
    spec = (ctypes.c_long * 2)(0, 5_000_000)
    stop = []
    reader, writer = os.pipe()
    failures = []

    def expect(result, right, name):
        if result != right:
            failures.append((name, result, ctypes.get_errno()))

    def sleeper():
        while not stop:
            expect(libc.nanosleep(spec, None), 0, "nanosleep")
            expect(libc.poll(None, 0, 5), 0, "poll")
            expect(libc.usleep(3000), 0, "usleep")

    def blocked():
        expect(libc.read(reader, ctypes.create_string_buffer(1), 1), 1, "read")

    threads = [threading.Thread(target=sleeper), threading.Thread(target=blocked)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    os.read(0, 1)
    stop.append(1)
    os.write(writer, b"x")
    for thread in threads:
        thread.join()
    assert not failures, failures
    print("right", flush=True)


def daemon():
    """Forks twice and leaves its session; the daemon goes on when its parents have ended."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(reader)
            fib(5)
            os.read(0, 1)  # until the test has seen that the first process has ended
            leave_a_mark()
        os._exit(0)
    os.wait()
    print("daemon started")


def leave_a_mark():
    with open(sys.argv[2], "w") as file:
        print(fib(9), os.getsid(0) == os.getpgrp(), file=file)


def inherited():
    """All that a program gets from those who start it, the parent's id excepted."""
    with open("/proc/self/status") as file:
        names = ("SigBlk", "SigIgn", "SigCgt", "Cpus_allowed", "NoNewPrivs", "Seccomp", "Umask")
        status = [line.split() for line in file if line.split(":")[0] in names]
    files = {}
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            flags = open("/proc/self/fdinfo/%d" % number).read().split()[3]
            files[number] = (os.readlink("/proc/self/fd/%d" % number), flags)
        except FileNotFoundError:
            pass  # the folder itself
    for line in status:
        if line[0] == "SigCgt:":  # that of SIGTRAP may be the tracer's
            line[1] = int(line[1], 16) & ~(1 << (signal.SIGTRAP - 1))
    print(status)
    print({number: it for number, it in files.items() if not it[0].startswith("pipe:")})
    print(sorted(files))
    print(sorted(os.environ.items()))
    print(os.getcwd(), os.getpgrp(), os.getsid(0), os.nice(0), os.isatty(0))


def terminal():
    """Its three streams are the terminal, and it is in the foreground."""
    fib(3)
    own = [os.isatty(number) and os.ttyname(number) == os.ttyname(0) for number in range(3)]
    print(own, os.tcgetpgrp(0) == os.getpgrp(), os.getsid(0) == os.getppid(), tuple(os.get_terminal_size()))


def affinity():
    """Its CPUs, asked again and again among traced calls, never change."""
    own = os.sched_getaffinity(0)
    others = 0
    for _ in range(20_000):
        fib(2)
        others += os.sched_getaffinity(0) != own
    print(others)


globals()[sys.argv[1]]()
