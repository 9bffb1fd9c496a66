"""Runs a command and waits for it and for all that is orphaned beneath it, but for the guard of a killed tracer, which
searches for copies for some seconds: "ended PID STATUS" for each, with a negative status for a signal.

Usage: reaper.py COMMAND...
"""

import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
child = os.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
os.write(1, b"started %d\n" % child)


def is_awaited(pid):
    try:
        with open("/proc/%s/comm" % pid) as comm:
            return comm.read() != "trace-guard\n"
    except FileNotFoundError:
        return False


def children():
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return file.read().split()


while any(map(is_awaited, children())):
    pid, status = os.wait()
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    os.write(1, b"ended %d %d\n" % (pid, code))
