"""Run, repeat, time once, or trace pytest tests inside the sandbox; speaks JSON lines on the original stdout.

This file runs under the interpreter of the project under test (Python 3.8 or newer) and imports nothing of perforch.
Only public hooks of pytest are used. Every line carries a nonce, so that what tests print is never taken for a report;
a missing end line means that the process did not live to its end, whatever its exit status says.
"""

import copy
import functools
import importlib.util
import inspect
import itertools
import json
import os
import sys
import time

TEXT = 4000  # characters of one message or traceback
SCALARS = (int, float, complex, str, bytes, bool, type(None))


class Channel:
    """The original stdout, kept from the tests."""

    def __init__(self, nonce):
        self.nonce = nonce
        self.fd = os.dup(1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)

    def send(self, **record):
        line = "%s %s\n" % (self.nonce, json.dumps(record))
        data = line.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self.fd, data) :]


def parent(test):
    """Id of a parametrised test without its parameters."""
    return test.partition("[")[0] if test.endswith("]") and "::" in test.partition("[")[0] else test


class Selection:
    """Keeps the wanted tests; the files alone are named to pytest, so that a missing test stops nothing."""

    def __init__(self, options):
        self.wanted = None if options["tests"] is None else set(options["tests"])

    def keeps(self, item):
        test = item.nodeid
        return self.wanted is None or test in self.wanted or parent(test) in self.wanted

    def apply(self, config, items):
        kept = [item for item in items if self.keeps(item)]
        dropped = [item for item in items if not self.keeps(item)]
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept


class Reporter:
    """One outcome a test: the worst of set-up, call and teardown."""

    def __init__(self, channel, selection):
        self.channel = channel
        self.selection = selection
        self.outcome = {}
        self.details = {}

    def pytest_collectreport(self, report):
        if report.failed:
            message, trace = texts(report)
            self.channel.send(broken=report.nodeid, message=message, trace=trace)
        elif report.skipped:
            self.channel.send(skipped=report.nodeid)

    def pytest_runtest_logstart(self, nodeid, location):
        self.outcome[nodeid] = "skipped"
        self.channel.send(started=nodeid)

    def pytest_runtest_logreport(self, report):
        test = report.nodeid
        if report.failed:
            self.outcome[test] = "failed"
            self.details.setdefault(test, texts(report))
        elif report.passed and report.when == "call" and self.outcome.get(test) != "failed":
            self.outcome[test] = "passed"

    def pytest_runtest_logfinish(self, nodeid, location):
        message, trace = self.details.pop(nodeid, ("", ""))
        self.channel.send(test=nodeid, outcome=self.outcome[nodeid], message=message, trace=trace)


def texts(report):
    """Message and traceback of a failed report."""
    trace = report.longreprtext
    crash = getattr(report.longrepr, "reprcrash", None)
    message = getattr(crash, "message", "") or trace
    return message[:TEXT], trace[-TEXT:]


class Repeater:
    """Runs the tests `repeat` times in one process.

    A test whose fixtures live longer than one test is called in a tight loop, as is a `unittest` method (`debug` runs
    setUp and tearDown). A test with a function-scoped fixture, or one that a plugin runs (async), goes through pytest's
    whole protocol every time, so that its fixtures are fresh. Assertions are checked in every repetition.
    """

    def __init__(self, selection, repeat):
        self.selection = selection
        self.repeat = repeat
        self.fresh = set()
        self.slow = []
        self.executed = 0
        self.failures = 0
        self.first_ns = 0
        self.rest_ns = 0.0

    def pytest_collectreport(self, report):
        self.failures += report.failed

    def pytest_fixture_setup(self, fixturedef, request):
        direct = getattr(fixturedef.func, "__name__", "") == "get_direct_param_fixture_func"
        if fixturedef.scope == "function" and not direct:
            self.fresh.add(request.node.nodeid)

    def pytest_runtest_logreport(self, report):
        self.failures += report.failed

    def pytest_runtestloop(self, session):
        if self.failures:
            return True
        items = list(session.items)
        for item in items:
            item.runtest = functools.partial(self.run, item, item.runtest)
        self.protocol(items)
        for _ in range(1, self.repeat):
            if not self.slow or self.failures:
                break
            self.protocol(list(self.slow))
        return True

    def protocol(self, items):
        import pytest

        class Gap(pytest.Item):
            """Never run: as the next item it makes pytest tear down one test and keep what lives longer."""

            def runtest(self):
                raise NotImplementedError

        for index, item in enumerate(items):
            following = (
                items[index + 1] if index + 1 < len(items) else Gap.from_parent(item.parent, name="gap")
            )
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def run(self, item, once):
        call = None if item.nodeid in self.fresh else tight(item)
        if call is None:
            self.turn(item, once)
            return
        clock = time.perf_counter_ns
        if self.repeat:
            start = clock()
            call()
            self.first_ns += clock() - start
        start = clock()
        for _ in itertools.repeat(None, self.repeat - 1):
            call()
        if self.repeat > 1:
            self.rest_ns += (clock() - start) / (self.repeat - 1)
        self.executed += self.repeat

    def turn(self, item, once):
        first = item not in self.slow
        if first:
            self.slow.append(item)
        if not self.repeat:
            return
        start = time.perf_counter_ns()
        once()
        spent = time.perf_counter_ns() - start
        self.executed += 1
        if first:
            self.first_ns += spent
        elif self.repeat > 1:
            self.rest_ns += spent / (self.repeat - 1)

    def complete(self, session_items):
        return not self.failures and self.executed == self.repeat * session_items and session_items > 0


def tight(item):
    """A call that runs the test's body once, or None when pytest has to do it."""
    kind = type(item).__name__
    if kind == "TestCaseFunction":
        case, name = item.cls, item.name
        return lambda: case(name).debug()
    body = item.obj
    if kind != "Function" or inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        return None
    names = [name for name in inspect.signature(body).parameters if name in item.funcargs]
    values = {name: item.funcargs[name] for name in names}
    params = getattr(getattr(item, "callspec", None), "params", {})
    mutable = [name for name in names if name in params and not scalar(values[name])]
    if item.cls is not None:
        owner, attribute = item.cls, getattr(item, "originalname", None) or item.name
        plain = lambda **arguments: getattr(owner(), attribute)(**arguments)  # noqa: E731: one expression, no name
    else:
        plain = body
    if not mutable:
        return functools.partial(plain, **values)
    return lambda: plain(**dict(values, **{name: clone(values[name]) for name in mutable}))


def scalar(value):
    if isinstance(value, (tuple, frozenset)):
        return all(scalar(part) for part in value)
    return isinstance(value, SCALARS) or isinstance(value, type) or callable(value)


def clone(value):
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001: an object may refuse in any way; pytest shares it between tests then, too
        return value


class Select:
    """Applies the selection after every plugin has had its say."""

    def __init__(self, selection, channel):
        self.selection = selection
        self.channel = channel
        self.count = 0

    def apply(self, config, items):
        self.selection.apply(config, items)
        self.count = len(items)
        if self.channel is not None:
            self.channel.send(collected=[item.nodeid for item in items])


def plugin_for(select):
    import pytest

    class Plugin:
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, config, items):
            select.apply(config, items)

    return Plugin()


def arguments(options):
    """Command line for pytest: the project's own options, made to run in this process, in order, to the end."""
    line = ["-s", "-q", "--tb=short", "--color=no", "-p", "no:cacheprovider", "-p", "no:randomly"]
    line += ["-p", "no:random_order", "--continue-on-collection-errors", "--rootdir=" + options["root"]]
    line += options["arguments"]
    if importlib.util.find_spec("xdist") is not None:
        line.append("-n0")
    if importlib.util.find_spec("pytest_cov") is not None:
        line.append("--no-cov")
    line.append("--maxfail=0")
    if options["plain"]:
        line += ["-o", "addopts="]
    if options["mode"] in ("timed", "cold"):
        line.append("--assert=plain")
    return line + options["files"]


def import_pytest(fallback):
    """The project's pytest when it has one, else the one beside this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    try:
        import pytest
    except ImportError:
        if not fallback:
            raise
        sys.path.insert(0, fallback)
        import pytest

        sys.path.remove(fallback)
        sys.path.append(fallback)
    return pytest


def importable(options):
    """Put the project's roots first, for this process and its children."""
    roots = [os.path.join(options["root"], part) if part else options["root"] for part in options["paths"]]
    roots = [entry for entry in roots if os.path.isdir(entry)]
    sys.path[:0] = roots
    os.environ["PYTHONPATH"] = os.pathsep.join(roots)
    sys.modules.pop("__mp_main__", None)


def loaded():
    """Source files of the project that were imported: their byte code is worth keeping."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(file for file in files if isinstance(file, str) and file.startswith("/src/"))[:3000]


def main():
    options = json.loads(sys.argv[1])
    mode = options["mode"]
    nonce = options["nonce"] or sys.stdin.readline().strip()
    channel = Channel(nonce)
    pytest = import_pytest(options["pytest"])
    importable(options)
    os.chdir(options["root"])
    selection = Selection(options)
    select = Select(selection, channel if mode in ("test", "profile") else None)
    plugins = [plugin_for(select)]
    if mode in ("test", "profile"):
        plugins.append(Reporter(channel, selection))
        tracer = None
        if mode == "profile":
            from_here = importlib.util.spec_from_file_location(
                "perforch_trace",
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "perforch_trace.py"),
            )
            module = importlib.util.module_from_spec(from_here)
            from_here.loader.exec_module(module)
            tracer = module.Tracer(options["target"])
            plugins.append(tracer)
        status = int(pytest.main(arguments(options), plugins=plugins))
        if tracer is not None:
            channel.send(profile=tracer.result())
        channel.send(end=status, files=loaded())
        os._exit(0)  # threads that a test left behind must not hold up the report
    repeater = Repeater(selection, options["repeat"])
    status = int(pytest.main(arguments(options), plugins=[*plugins, repeater]))
    if status or not repeater.complete(select.count):
        sys.exit(status or 1)
    if mode == "cold":
        channel.send(first=repeater.first_ns, rest=repeater.rest_ns)
    else:
        with open(os.path.join(os.environ.get("TMPDIR", os.environ["HOME"]), "perforch-end"), "w") as end:
            end.write(nonce + "\n")


if __name__ == "__main__":
    main()
