"""Text as it may arrive -> text that every tokenizer takes. Nothing else is changed here."""

import re

__all__ = ["replace_unencodable"]

_TROUBLE = re.compile("[\ud800-\udfff\0]")


def replace_unencodable(text: str) -> str:
    """Join surrogate pairs to the character they spell, lone halves become U+FFFD, NUL becomes a space."""
    if not _TROUBLE.search(text):
        return text
    return text.replace("\0", " ").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
