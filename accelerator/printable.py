"""Text of others (devices, files) on a terminal and in a log: nothing in it moves the cursor or begins a line."""

import re
from typing import Final

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters, line breaks and changes of direction as escapes such as ``\\n``."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
