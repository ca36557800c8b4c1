"""Changes to a TOML document that keep its comments and its layout."""

import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from enum import Enum
from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.items import AoT, InlineTable
from tomlkit.items import Table as TomlTable

Table = MutableMapping[str, Any]
"""A document, a table or an inline table."""


def plain(value: BaseModel | Mapping[str, object]) -> dict[str, object]:
    """Fields as TOML values: what a model was given (not its defaults), enumerations as text, tuples as lists.

    A None of a model is left out; one in a mapping stays, to remove that key.
    """
    data = value.model_dump(exclude_unset=True, exclude_none=True) if isinstance(value, BaseModel) else value
    return {name: _plain(item) for name, item in data.items()}


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseModel | Mapping):
        return plain(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def merge(table: Table, data: Mapping[str, object]) -> None:
    """Set keys in the table; mappings are merged, lists replaced, None removes the key."""
    # Plain values before tables: what follows a table's header would belong to that table.
    for name, value in sorted(data.items(), key=lambda item: _is_table(item[1])):
        known = table.get(name)
        if value is None:
            table.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(known, MutableMapping):
            merge(known, value)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            table.pop(name, None)
            for item in value:
                append(table, name, item)
        elif isinstance(value, Mapping):
            table[name] = _new(value, inline=isinstance(table, InlineTable))
        else:
            table[name] = value


def append(table: Table, name: str, data: Mapping[str, object]) -> None:
    """Add an entry to an array of tables, in the form the array has in the file."""
    known = table.get(name)
    if known is None or (not isinstance(known, AoT) and len(known) == 0):
        if isinstance(table, InlineTable):
            array = tomlkit.array()
            array.append(_new(data, inline=True))
            table[name] = array
            return
        table.pop(name, None)
        fresh = tomlkit.aot()
        fresh.append(_new(data))
        table[name] = fresh
    else:
        known.append(_new(data, inline=not isinstance(known, AoT)))


def find(table: Table, name: str, fits: Callable[[Mapping[str, object]], bool]) -> Table | None:
    """The first entry of an array of tables that fits."""
    entries: list[Table] = table.get(name) or []
    return next((entry for entry in entries if fits(entry)), None)


def take_where(table: Table, name: str, fits: Callable[[Mapping[str, object]], bool]) -> int:
    """Remove the entries that fit, and the array when none is left; how many were removed."""
    entries = table.get(name)
    if entries is None:
        return 0
    places = [place for place, entry in enumerate(entries) if fits(entry)]
    for place in reversed(places):
        del entries[place]
    if places and len(entries) == 0:
        del table[name]
    return len(places)


def unchanged(document: tomlkit.TOMLDocument, text: str) -> bool:
    """Whether the text says what the document holds: guards against a layout that was written wrongly."""
    return tomllib.loads(text) == document.unwrap()


def spaced(text: str) -> str:
    """The text with an empty line before each table's header that follows another entry directly."""
    lines: list[str] = []
    inside = ""
    for line in text.split("\n"):  # TOML knows no other end of line; splitlines() knows ten
        if not inside and line.startswith("[") and lines and lines[-1].strip() and not lines[-1].startswith("#"):
            lines.append("")
        lines.append(line)
        for mark in ('"""', "'''"):
            if line.count(mark) % 2:
                inside = "" if inside else mark
    return "\n".join(lines).rstrip("\n") + "\n"


def _new(data: Mapping[str, object], *, inline: bool = False) -> TomlTable | InlineTable:
    table: TomlTable | InlineTable = tomlkit.inline_table() if inline else tomlkit.table()
    merge(table, {name: value for name, value in data.items() if value is not None})
    return table


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))
