"""os.posix_spawn: children that print, fail, and die by a signal."""

import os
import signal
import sys

import oracle  # noqa: F401

KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"


def spawn(program):
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    statuses = [spawn(text) for text in ("print('child', flush=True)", "raise SystemExit(7)", KILLED)]
    print("spawned", statuses[:2], statuses[2] == -signal.SIGTERM)


main()
