"""If-Match: a change that is meant for what its caller has seen, and for nothing newer."""

from typing import Annotated

from fastapi import Header

from feedback_miner.errors import InputError

__all__ = ["IfMatch", "etag", "expected_version"]

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=40, description="The ETag of what is changed, as it was read; a newer change is a conflict."),
]


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """Return the version that the caller has seen; ``None`` where they do not say."""
    if if_match is None or if_match.strip() == "*":
        return None
    number = if_match.strip().strip('"')
    if not number.isascii() or not number.isdecimal():
        raise InputError("If-Match is no ETag of ours; send the ETag that came with what you change")
    return int(number)
