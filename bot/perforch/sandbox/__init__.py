"""Where untrusted code runs. `open_sandbox` gives the strongest sandbox that works here, or refuses."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Literal

from perforch.errors import SandboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.bwrap import Bubblewrap
    from perforch.sandbox.spec import Sandbox

SWITCH = "PERFORCH_ALLOW_UNSANDBOXED"


def open_sandbox(
    policy: Literal["required", "weak-ok", "none"], *, reserved_cpus: Sequence[int] = ()
) -> Sandbox:
    """Open a sandbox and prove that it holds by running the worst probes in it.

    Args:
        policy: `sandbox` of the owner's configuration. `required` takes nothing less than the whole policy; `weak-ok` also takes one
            without a part that this machine cannot give, and its level says which. `none` counts only together with
            PERFORCH_ALLOW_UNSANDBOXED=1 on the runner.
        reserved_cpus: CPUs that are kept free for benchmarks.

    Raises:
        SandboxUnavailableError: nothing strong enough works; the hint says what to do on this host.
    """
    if policy == "none":
        if os.environ.get(SWITCH) != "1":
            message = "sandbox: none is set, but this runner does not allow running without isolation"
            raise SandboxUnavailableError(
                message,
                hint=f"Set sandbox: required, or set {SWITCH}=1 on a runner where nothing is worth protecting.",
            )
        from perforch.sandbox.bare import Bare

        return Bare()
    from perforch.sandbox.bwrap import Bubblewrap
    from perforch.sandbox.probe import prove

    try:
        sandbox = Bubblewrap(reserved_cpus=reserved_cpus)
        prove(sandbox)
    except SandboxUnavailableError:
        weaker = _weaker(reserved_cpus) if policy == "weak-ok" else None
        if weaker is None:
            raise
        return weaker
    if sandbox.missing and policy != "weak-ok":
        message = f"the sandbox of this machine lacks the {', '.join(sandbox.missing)}; nothing was executed"
        raise SandboxUnavailableError(message, hint="Use an x86-64 or ARM64 runner, or set sandbox: weak-ok.")
    return sandbox


def _weaker(reserved_cpus: Sequence[int]) -> Bubblewrap | None:
    """The strongest of the sandboxes that leave something out and still hold."""
    from perforch.sandbox.bwrap import Bubblewrap
    from perforch.sandbox.probe import prove

    for without in ({"userns"}, {"proc"}, {"proc", "userns"}):
        with contextlib.suppress(SandboxUnavailableError):
            sandbox = Bubblewrap(reserved_cpus=reserved_cpus, without=frozenset(without))
            prove(sandbox)
            return sandbox
    return None


def caveat(level: str) -> str:
    """The sentence that goes with results of a sandbox that is not the whole one; "" for the whole one."""
    if level == "none":
        return "Measured without isolation: the code of this change ran with the rights of the runner's user."
    return f"Measured with weak isolation: {level}." if level.startswith("weak") else ""
