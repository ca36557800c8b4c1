"""Every command with every option, as ``docs/commands.md`` lists it: read from the commands themselves.

``python -m tests.accelerator.reference`` writes that part of the page anew.
"""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from accelerator.main import application

PAGE: Final = Path(__file__).parents[2] / "docs" / "commands.md"
BEGIN: Final = "<!-- Every option: written by `python -m tests.accelerator.reference`, held by a test. -->\n"
END: Final = "<!-- End of every option. -->\n"
_KINDS: Final = {int: "N", float: "X", Path: "PATH"}
EVERYWHERE: Final = ("--fleet", "--data", "--json", "--help")
"""Options with one meaning everywhere; said once."""


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """(name, command) of every command that does something, in the order of ``--help``."""
    group = group or get_command(application())
    for name, command in group.commands.items():
        whole = f"{path} {name}".strip()
        if not getattr(command, "commands", None) or getattr(command, "invoke_without_command", False):
            yield whole, command
        if getattr(command, "commands", None):
            yield from commands(command, whole)


def options(command: Any) -> list[Any]:
    """The options of one command, without ``--help``."""
    return [one for one in command.params if one.param_type_name == "option" and one.opts[0] != "--help"]


def usage(name: str, command: Any) -> str:
    """One line: arguments, required options, the others; those that mean the same everywhere by their name alone."""
    arguments = [_argument(one) for one in command.params if one.param_type_name == "argument"]
    own = sorted(options(command), key=lambda one: not one.required)
    shown = [_option(one) for one in own if one.opts[0] not in EVERYWHERE]
    common = [f"[{one.opts[0]}]" for one in own if one.opts[0] in EVERYWHERE]
    return " ".join(("resilian", name, *arguments, *shown, *common))


def reference() -> str:
    """The part of the page."""
    rows = "".join(f"| `{usage(name, one)}` | {_first(one)} |\n" for name, one in commands())
    return f"{BEGIN}| command with its options | does |\n|---|---|\n{rows}{END}"


def _argument(one: Any) -> str:
    name = (one.metavar or one.name.upper()).strip("[]{}")
    return name if one.required else f"[{name}]"


def _option(one: Any) -> str:
    text = one.opts[0] if one.is_flag else f"{one.opts[0]} {_kind(one)}"
    return text if one.required else f"[{text}]" + ("..." if one.multiple else "")


def _kind(one: Any) -> str:
    if one.metavar:
        return str(one.metavar)
    annotation = one.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return (
            " or ".join(str(each.value) for each in annotation)
            if len(annotation) < 5
            else one.opts[0].strip("-").upper()
        )
    return str(_KINDS.get(annotation, one.opts[0].strip("-").upper()))


def _first(command: Any) -> str:
    return str(command.help).split("\n\n")[0].replace("\n", " ").replace("|", "or")


def write() -> None:
    """Put it in place of what stands there."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + reference() + rest.partition(END)[2])


if __name__ == "__main__":
    write()
