"""Logs that say what to do: one line an event on stderr; JSON when stderr is not a terminal is left to the operator."""

import io
import logging
import sys
from typing import Any, TextIO

import structlog

from accelerator.printable import printable


class PatientStream(io.TextIOBase):
    """Writes to a stream and never fails: what a full disk or a closed pipe does not take is left out and counted.

    A log that raised would stop the collector in the middle of what it was about to say. The first line that can be
    written again says how many were left out. Whole lines reach the descriptor at once, so nothing waits in a buffer
    that could not be emptied at exit.

    Attributes:
        left_out: lines since the last that could be written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pending = ""
        self.left_out = 0

    def write(self, text: str) -> int:
        """Take ``text``; whole lines are written now."""
        self._pending += text
        lines, newline, self._pending = self._pending.rpartition("\n")
        if newline:
            self._put(lines + newline)
        return len(text)

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def _put(self, lines: str) -> None:
        said = f"{self.left_out} lines of this log were left out: they could not be written\n" if self.left_out else ""
        try:
            whole = _written(self._stream, said + lines)
        except (OSError, ValueError):  # ValueError: somebody closed it
            whole = False
        self.left_out = 0 if whole else self.left_out + lines.count("\n")


def _written(stream: TextIO, text: str) -> bool:
    """Whether all of it was taken."""
    raw: Any = getattr(getattr(stream, "buffer", None), "raw", None)
    if raw is None:  # a test's stream
        stream.write(text)
        stream.flush()
        return True
    data = text.encode("utf-8", "backslashreplace")
    return bool(raw.write(data) == len(data))


def note(line: str) -> None:
    """Write one line on stderr, or leave it out where it cannot be written."""
    PatientStream(sys.stderr).write(printable(line) + "\n")


def _one_line(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def configure(level: str, *, json_lines: bool = False) -> None:
    """Set up logging for this process; ``level`` is debug, info, warning or error.

    What libraries say by :mod:`logging` looks like everything else, and is shown from a warning on.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if json_lines else "%H:%M:%S", utc=json_lines),
        _one_line,
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor
    if json_lines:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=34)
    stream: Any = PatientStream(sys.stderr)  # a text stream but for its declared type
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(logging.WARNING, getattr(logging, level.upper())), handlers=[handler], force=True)
