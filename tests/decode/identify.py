"""Prints sys.hexversion, whether this build is free-threaded and whether it is a debug build; then waits for stdin."""
import sys
import sysconfig

free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED") or 0
debug = hasattr(sys, "gettotalrefcount")
print("%d %d %d" % (sys.hexversion, free_threaded, debug))
sys.stdout.flush()
sys.stdin.read()
