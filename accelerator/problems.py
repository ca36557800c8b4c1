"""What a command can end in, besides success. One line on stderr says what, where and what to do.

``Problem`` is the base; its exit code tells scripts what kind it is::

    Problem
     +-- Found    exit 1: something is wrong with the data or the network
     +-- Usage    exit 2: the command line is wrong
     +-- Missing  exit 3: something it needs is not there
"""

from typing import ClassVar


class Problem(Exception):
    """Base; the text is the one line a person reads."""

    code: ClassVar[int] = 1


class Found(Problem):
    """Something is wrong with the data or the network."""

    code = 1


class Usage(Problem):
    """The command line is wrong."""

    code = 2


class Missing(Problem):
    """Something the command needs is not there: a file, a port, a server, a right."""

    code = 3
