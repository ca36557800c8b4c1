"""JSON as it stands, and a payload that is one value: a number or a word."""

from ingest.decoders.base import MAX_ELEMENTS, Context, DecodeError
from ingest.decoders.bodies.base import Documents, parsed, text_of


def json_documents(topic: str, payload: bytes, context: Context) -> Documents:  # noqa: ARG001 - one signature for all
    """An object, or an array of objects."""
    document = parsed(payload)
    if not isinstance(document, list):
        return Documents([document], many=False)
    if len(document) > MAX_ELEMENTS:
        raise DecodeError("too_large", "", f"{len(document)} elements", f"at most {MAX_ELEMENTS} in an array")
    return Documents(document, many=True)


def text_documents(topic: str, payload: bytes, context: Context) -> Documents:  # noqa: ARG001
    """``{"value": text}``, without the blanks around it."""
    return Documents([{"value": text_of(payload).strip()}], many=False)
