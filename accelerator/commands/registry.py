"""``resilian member``, ``machine``, ``feed``, ``consent``, ``device``, ``finding``: the registry, edited with checks.

A running program sees the change at once: it watches the files.
"""

import typer

from accelerator.commands import claim, devices, findings
from accelerator.commands.consents import consent_app
from accelerator.commands.machines import feed_app, machine_app
from accelerator.commands.members import member_app


def register(root: typer.Typer) -> None:
    """Add the commands of this family."""
    for app in (member_app, machine_app, feed_app, consent_app):
        root.add_typer(app)
    devices.register(root, member_app)
    claim.register(machine_app)
    findings.register(root)
