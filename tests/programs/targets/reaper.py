"""Runs a command and waits for it and for all that is orphaned beneath it: "ended PID STATUS" for each, with a negative
status for a signal.

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
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        break
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    os.write(1, b"ended %d %d\n" % (pid, code))
