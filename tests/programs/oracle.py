"""Records what CPython itself says of a program, to compare a trace with.

A test program imports this module first. Without the environment variable PTPYTRACE_ORACLE
nothing is recorded. With PTPYTRACE_ORACLE=PATH every process that ran `begin` (or was forked by
one that did) appends JSON lines to PATH.PID, either at exit or when the program calls `dump()`:
before os._exit, before os.execv and at the end of a multiprocessing target.

PTPYTRACE_ORACLE_KINDS, separated by commas (profile if not set):

profile  sys.setprofile     {"kind":"call"|"return","tid":1,"file":"..","func":"..","line":1}
                            and from 3.12 on, for calls, "first": the line of the code's first
                            instruction, -1 if it has none, and for generators and coroutines
                            "how":"start"|"resume"|"throw"
lines    sys.settrace       {"kind":"line", the same}      (also by PTPYTRACE_ORACLE_LINES=1)
marked   sys.settrace       {"kind":"line", the same}: what the rule of the marker `line` says of the
                            executed instructions (line_marker.py; 3.11 only)
imports  sys.setprofile     {"kind":"import_start","tid":1,"name":".."}
                            {"kind":"import_done","tid":1,"name":"..","found":true}
gc       gc.callbacks       {"kind":"gc_start","tid":1,"generation":0}
                            {"kind":"gc_done","tid":1,"collected":0,"uncollectable":0}
audit    sys.addaudithook   {"kind":"audit","tid":1,"event":"..","args":[..]}

Values of audit arguments: str, true, false and null are themselves; the others are objects:
{"int":"-1"} {"float":"0.5"} {"bytes":"00ff"} {"tuple":[..]} {"list":[..]} {"type":"dict"}, and
{"deep":true} below 16 levels. Lone surrogates become U+FFFD.

How to compare, thread by thread (tid), in a trace of the same run:
- drop the events whose file is oracle.py, here and there;
- take from the trace what follows the thread's audit event `ptpytrace.oracle.begin`, raised at the
  end of `begin`, up to the process's `ptpytrace.oracle.dump`, raised at the beginning of `dump`.
  A forked child has no `begin`: take all from its first event on. A process that replaces itself
  by os.execv has one such window for each program; its file holds them one after the other, each
  after a line {"kind":"begin","pid":1};
- a thread not in the file was not recorded (only those that enter Thread.run are).

Automatic garbage collection is off while profile or lines are recorded without gc: a finaliser
run from inside a hook is hidden from sys.setprofile, but not from a tracer.
"""

import atexit
import gc
import os
import sys
import threading
from _json import encode_basestring_ascii

PATH = os.environ.get("PTPYTRACE_ORACLE")
KINDS = set(os.environ.get("PTPYTRACE_ORACLE_KINDS", "profile").split(","))
if os.environ.get("PTPYTRACE_ORACLE_LINES") == "1":
    KINDS.add("lines")
UNKNOWN = KINDS - {"profile", "lines", "marked", "imports", "gc", "audit"}
if UNKNOWN:
    raise SystemExit("PTPYTRACE_ORACLE_KINDS: unknown: " + ", ".join(sorted(UNKNOWN)))

MAX_DEPTH = 16

# Thread id -> flat list of kind, a, b, c, kind, ... Flat, so that recording creates no objects
# that the garbage collector counts.
records = {}
pid = os.getpid()
recording = False


def record(kind, a, b, c):
    """Appends one event of the calling thread, if that thread is recorded."""
    tid = threading.get_native_id()
    events = records.get(tid)
    if events is None:
        if not recording or os.getpid() == pid:
            return
        events = adopt_fork(tid)
    events.append(kind)
    events.append(a)
    events.append(b)
    events.append(c)


def adopt_fork(tid):
    """In a forked child: forgets the parent's events and records the one thread that is left."""
    global pid
    pid = os.getpid()
    records.clear()
    events = records[tid] = []
    return events


def on_profile(frame, event, arg):
    if event == "call" or event == "return":
        code = frame.f_code
        if code.co_filename != HERE:
            record(event, code, frame.f_lasti, frame.f_lineno)


def on_throw(code, offset, error):
    """Comes right after the call of the same frame in sys.setprofile, whose events do not say so:
    sys.monitoring asks its tools from the highest number down."""
    events = records.get(threading.get_native_id())
    if events and recording:
        if events[-4] != "call" or events[-3] is not code:
            raise AssertionError("throw does not follow the call")
        events[-2] = "throw"


def on_profile_imports(frame, event, arg):
    """The import system's C part calls `_find_and_load` for what is not in sys.modules."""
    if frame.f_code.co_name != "_find_and_load" or frame.f_code.co_filename != IMPORTLIB:
        return
    if frame.f_back is not None and frame.f_back.f_code.co_name == "_gcd_import":
        return  # importlib's own: a parent package, import_module
    if event == "call":
        record("import_start", frame.f_locals["name"], None, None)
    elif event == "return":
        record("import_done", frame.f_locals["name"], arg is not None, None)


def on_trace(frame, event, arg):
    code = frame.f_code
    if code.co_filename == HERE:
        return None
    if event == "line":
        record("line", code, None, frame.f_lineno)
    return on_trace


def on_gc(phase, info):
    if phase == "start":
        record("gc_start", info["generation"], None, None)
    else:
        record("gc_done", info["collected"], info["uncollectable"], None)


def on_audit(event, args):
    if event.startswith("ptpytrace.oracle."):
        return
    if recording and threading.get_native_id() in records or recording and os.getpid() != pid:
        record("audit", text(event), "[" + values(args, 0) + "]", None)


def text(string):
    """A JSON string; a lone surrogate has no UTF-8 form, so it becomes U+FFFD."""
    if string is None:
        return "null"
    try:
        string.encode("utf-8")
    except UnicodeEncodeError:
        string = "".join(["\ufffd" if "\ud800" <= c <= "\udfff" else c for c in string])
    return encode_basestring_ascii(string)


def values(items, depth):
    return ",".join([value(item, depth) for item in items])


def value(item, depth):
    """JSON for one audit argument. Exact types only: nothing here may run the program's code."""
    kind = type(item)
    if item is None or item is True or item is False:
        return {None: "null", True: "true", False: "false"}[item]
    if kind is str:
        return text(item)
    if kind is int:
        return '{"int":"%d"}' % item
    if kind is float:
        return '{"float":"%s"}' % float.__repr__(item)
    if kind is bytes:
        return '{"bytes":"%s"}' % item.hex()
    if kind is tuple or kind is list:
        if depth >= MAX_DEPTH:
            return '{"deep":true}'
        return '{"%s":[%s]}' % (kind.__name__, values(item, depth + 1))
    return '{"type":%s}' % text(type.__dict__["__name__"].__get__(kind))


def begin():
    """Records the calling thread from now on; its return is where a comparison begins."""
    automatic = gc.isenabled()
    gc.disable()
    if KINDS & {"lines", "marked"}:
        new_frame = on_trace if "lines" in KINDS else line_marker.tracer(record, HERE)
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename != HERE:
                frame.f_trace = new_frame(frame, "begin", None)
            frame = frame.f_back
        sys.settrace(new_frame)
    if "profile" in KINDS:
        sys.setprofile(on_profile)
    if "imports" in KINDS:
        sys.setprofile(on_profile_imports)
    records.setdefault(threading.get_native_id(), [])
    if automatic and not KINDS - {"gc", "audit"}:
        gc.enable()
    sys.audit("ptpytrace.oracle.begin")


def begin_process():
    """What is set up once in a process; `begin` does the rest, for each thread."""
    global recording
    threading.Thread.run = thread_run
    atexit.register(dump)
    if "audit" in KINDS:
        sys.addaudithook(on_audit)
    if "gc" in KINDS:
        gc.callbacks.append(on_gc)
    recording = True


original_run = threading.Thread.run


def thread_run(self):
    begin()
    original_run(self)


def dump():
    """Stops recording and writes what was recorded. Its entry is where a comparison ends."""
    global recording
    if not recording:
        return
    sys.audit("ptpytrace.oracle.dump")
    recording = False
    sys.setprofile(None)
    sys.settrace(None)
    if os.getpid() != pid:
        adopt_fork(threading.get_native_id())
    threads = list(records.items())
    records.clear()
    if on_gc in gc.callbacks:
        gc.callbacks.remove(on_gc)
    lines = ['{"kind":"begin","pid":%d}\n' % pid]
    for tid, events in threads:
        for at in range(0, len(events), 4):
            lines.append(line_of(tid, *events[at : at + 4]))
    data = memoryview("".join(lines).encode("ascii"))
    file = os.open("%s.%d" % (PATH, pid), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    while data:
        data = data[os.write(file, data) :]
    os.close(file)


def line_of(tid, kind, a, b, c):
    head = '{"kind":"%s","tid":%d,' % (kind, tid)
    if kind == "gc_start":
        return head + '"generation":%d}\n' % a
    if kind == "gc_done":
        return head + '"collected":%d,"uncollectable":%d}\n' % (a, b)
    if kind == "audit":
        return head + '"event":%s,"args":%s}\n' % (a, b)
    if kind == "import_start":
        return head + '"name":%s}\n' % text(a)
    if kind == "import_done":
        return head + '"name":%s,"found":%s}\n' % (text(a), "true" if b else "false")
    line = "null" if c is None else c
    place = '"file":%s,"func":%s,"line":%s' % (text(a.co_filename), text(a.co_name), line)
    if kind == "call" and sys.version_info >= (3, 12):
        first = next(a.co_lines())[2]
        place += ',"first":%d' % (-1 if first is None else first)
        if a.co_flags & GENERATOR:
            place += ',"how":"%s"' % how(a.co_code, b)
    return head + place + "}\n"


def how(instructions, at):
    """How a generator's frame is entered; the argument of RESUME at that offset says where it is."""
    if at == "throw":
        return at
    return "resume" if instructions[at + 1] & 3 else "start"


HERE = begin.__code__.co_filename
IMPORTLIB = "<frozen importlib._bootstrap>"
GENERATOR = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
if PATH and "marked" in KINDS:
    import line_marker
if PATH and "profile" in KINDS and sys.version_info >= (3, 12):
    events = sys.monitoring.events
    sys.monitoring.use_tool_id(0, "oracle")
    sys.monitoring.register_callback(0, events.PY_THROW, on_throw)
    sys.monitoring.set_events(0, events.PY_THROW)

if PATH:
    begin_process()
    begin()
