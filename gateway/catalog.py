"""The words of the pages: French in the source, German and English in ``locale/*.po``, read at start."""

import io
import re
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from fleet.trades import Language

LANGUAGES: Final[tuple[Language, ...]] = ("fr", "de", "en")
LOCALES: Final = {"fr": "fr_FR", "de": "de_DE", "en": "en_GB"}
NAMES: Final = {"fr": "Français", "de": "Deutsch", "en": "English"}
FOLDER: Final = Path(__file__).parent / "locale"

_BEFORE_HIGH_SIGNS = re.compile(r"[ \u00a0]([;?!]|%(?!\())")
_BEFORE_COLON = re.compile(r" ([:»])")


def french(text: str) -> str:
    """Spaces before high signs by the rules of French typography: narrow no-break, or no-break before a colon."""
    text = _BEFORE_HIGH_SIGNS.sub("\u202f\\1", text)
    return _BEFORE_COLON.sub("\u00a0\\1", text).replace("« ", "«\u00a0").replace("'", "’")


def later(message: str) -> str:
    """Marks a message in a table for the catalogues; it is translated where it is shown."""
    return message


class _French(NullTranslations):
    def gettext(self, message: str) -> str:
        return french(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return french(msgid1 if n < 2 else msgid2)


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of one of ``LANGUAGES``.

    Raises:
        KeyError: the language is none of them.
    """
    if language == "fr":
        return _French()
    with (FOLDER / f"{language}.po").open("rb") as source:
        catalog = read_po(source, locale=LOCALES[language], abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def choose(cookie: str | None, accepted: str, offered: tuple[Language, ...]) -> Language:
    """The page's language: the visitor's choice, else the first of the browser's that is offered, else the network's.

    ``accepted`` is the header Accept-Language; a malformed one counts for nothing.
    """
    chosen = next((language for language in offered if language == cookie), None)
    if chosen:
        return chosen
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate(accepted[:500].split(",")):
        tag, _, weight = part.partition(";q=")
        try:
            ranked.append((-float(weight or 1), position, tag.strip()[:2].lower()))
        except ValueError:
            continue
    for negative, _, tag in sorted(ranked):
        spoken = next((language for language in offered if language == tag), None)
        if negative < 0 and spoken:
            return spoken
    return offered[0]
