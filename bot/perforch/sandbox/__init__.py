"""Where untrusted code runs. `open_sandbox` gives the strongest sandbox that works here, or refuses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from perforch.errors import SandboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Sandbox

SWITCH = "PERFORCH_ALLOW_UNSANDBOXED"


def open_sandbox(
    policy: Literal["required", "weak-ok", "none"], *, reserved_cpus: Sequence[int] = ()
) -> Sandbox:
    """Open a sandbox and prove that it holds by running the worst probes in it.

    Args:
        policy: `sandbox` of the owner's configuration. `weak-ok` is treated like `required` so far: nothing weaker is
            offered. `none` counts only together with PERFORCH_ALLOW_UNSANDBOXED=1 on the runner.
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

    sandbox = Bubblewrap(reserved_cpus=reserved_cpus)
    prove(sandbox)
    return sandbox
