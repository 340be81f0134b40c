"""Count and time the lines of one function, and note the sizes of what it is given."""

import sys
import time

SIZED = (list, tuple, dict, set, frozenset, str, bytes, bytearray)


class Tracer:
    """Traces code that stands inside the target's lines while tests run; everything else runs untraced but for its calls."""

    def __init__(self, target):
        self.file, self.start, self.end, self.name = (
            target["file"],
            target["start"],
            target["end"],
            target["name"],
        )
        self.lines = {}
        self.sizes = {}
        self.calls = 0

    def pytest_runtest_call(self, item):
        sys.settrace(self.enter)

    def pytest_runtest_teardown(self, item):
        sys.settrace(None)

    def enter(self, frame, event, argument):
        code = frame.f_code
        if code.co_filename != self.file or not self.start <= code.co_firstlineno <= self.end:
            return None
        if code.co_name == self.name:
            self.calls += 1
            self.note(frame)
        state = [frame.f_lineno, time.perf_counter_ns()]

        def step(frame, event, argument):
            now = time.perf_counter_ns()
            entry = self.lines.setdefault(state[0], [0, 0])
            entry[1] += now - state[1]
            if event == "line":
                self.lines.setdefault(frame.f_lineno, [0, 0])[0] += 1
            state[0] = frame.f_lineno
            state[1] = time.perf_counter_ns()
            return step

        return step

    def note(self, frame):
        if self.calls > 10000:
            return
        code = frame.f_code
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            value = frame.f_locals.get(name)
            if type(value) in SIZED:
                self.sizes.setdefault(name, []).append(len(value))
            elif type(value) is int and -(2**63) < value < 2**63:
                self.sizes.setdefault(name + " (value)", []).append(value)

    def result(self):
        total = sum(spent for _, spent in self.lines.values()) or 1
        hot = sorted(self.lines.items(), key=lambda entry: -entry[1][1])[:5]
        sizes = {name: [sorted(seen)[len(seen) // 2], max(seen)] for name, seen in self.sizes.items()}
        return {
            "calls": self.calls,
            "lines": [[line, count, spent / total] for line, (count, spent) in hot],
            "sizes": dict(list(sizes.items())[:10]),
        }
