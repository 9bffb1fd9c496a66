"""When CPython 3.11's marker `line` fires, from the instructions that sys.settrace reports.

The marker's rule (Python/ceval.c, maybe_dtrace_line) is not that of settrace's line events
(maybe_call_line_trace). A thread runs instruction AT after PREVIOUS in a frame; then the marker
fires if AT has a line, and either AT lies before PREVIOUS or AT is the first instruction of an
entry of the line table (Objects/locations.md) and its line is not PREVIOUS's. From that follow all
differences to settrace, which

- reports a line at the first instruction after the frame's entry also when it is the line of the
  `def`, `lambda`, comprehension or class itself, where the marker has "the same line as before";
- reports a new line also when it is entered by a jump into the middle of an entry;
- does not report the backward jump to SEND, by which `yield from` and `await` go on.
"""


def entries(code):
    """The offsets at which the entries of the line table begin."""
    starts, at = set(), 0
    for byte in code.co_linetable:
        if byte & 0x80:  # the first byte of an entry; its low bits say how many code units
            starts.add(at)
            at += 2 * ((byte & 7) + 1)
    return starts


def lines(code):
    """The line of each instruction, by offset."""
    table = {}
    for start, end, line in code.co_lines():
        for at in range(start, end, 2):
            table[at] = line
    return table


def tracer(record, skipped):
    """A function for sys.settrace that records the lines for which the marker fires."""
    tables = {}

    def new_frame(frame, event, arg):
        code = frame.f_code
        if code.co_filename == skipped or code.co_filename == HERE:
            return None
        if code not in tables:
            tables[code] = (code, entries(code), lines(code))
        _, starts, line_of = tables[code]
        previous = frame.f_lasti
        frame.f_trace_opcodes = True

        def on_event(frame, event, arg):
            nonlocal previous
            if event == "opcode":
                at = frame.f_lasti
                line = line_of.get(at)
                if line is not None:
                    new = line != line_of.get(previous) and at in starts
                    if at < previous or new:
                        record("line", code, None, line)
                previous = at
            return on_event

        return on_event

    return new_frame


HERE = tracer.__code__.co_filename
