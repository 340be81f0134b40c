"""Where a run's numbers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.measure import cpus, machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perforch.result import Environment
    from perforch.sandbox.spec import Sandbox


def environment(sandbox: Sandbox, toolchains: Mapping[str, str]) -> Environment:
    """Describe this machine and how it measured."""
    return machine.environment(cpus.plan(), sandbox=sandbox.level, toolchains=dict(toolchains))
