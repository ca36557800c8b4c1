"""Options that every command has in the same words: which network, which data, JSON."""

from pathlib import Path
from typing import Annotated

import typer

Fleet = Annotated[
    Path | None, typer.Option("--fleet", help="Folder of network.toml and members/; default: fleet in the data folder.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder; where an `up` or `demo` runs on it, the command works with that."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
