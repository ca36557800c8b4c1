"""On which line of a TOML text a key stands, so that an error can say where to look."""

import re
from collections.abc import Iterator
from typing import Final

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")
_STEP: Final = re.compile(r"\.?([^.\[\]]+|\[\d+\])")


def find_line(text: str, path: str) -> int | None:
    """Line of ``machines[2].feeds[0].topic``, or of the closest key or table around it; None when nothing fits.

    Reads headers and ``key =`` at the start of lines, so keys inside inline tables give the line of their table.
    """
    wanted = _STEP.findall(path)
    best, line = 0, None
    for number, found in _keys(text):
        if len(found) > best and found == wanted[: len(found)]:
            best, line = len(found), number
    return line


def _keys(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each header and key with its line, as the steps of its full path."""
    counts: dict[tuple[str, ...], int] = {}
    table: list[str] = []
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        header = _HEADER.match(line)
        if header:
            table = _resolve(_names(header[2]), counts, grows=header[1] == "[[")
            yield number, table
            continue
        key = _KEY.match(line)
        if key:
            yield number, table + _names(key[1])
        quote = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]


def _resolve(names: list[str], counts: dict[tuple[str, ...], int], *, grows: bool) -> list[str]:
    """The path of a header with the current index behind every array of tables on the way."""
    path: list[str] = []
    for position, name in enumerate(names):
        path.append(name)
        key = tuple(path)
        if grows and position == len(names) - 1:
            counts[key] = counts.get(key, -1) + 1
        if key in counts:
            path.append(f"[{counts[key]}]")
    return path
