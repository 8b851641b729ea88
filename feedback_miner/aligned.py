"""A text that remembers where it came from.

In comes a source text and edits to it; out comes the edited text in which every character still knows the half-open source span
``[start, end)`` it stands for, however often it was edited since. It never keeps the source itself, so that redacting a text leaves
nothing of what was redacted behind.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["AlignedText", "Edit", "Segment"]

Edit = tuple[int, int, str]
"""(start, end, replacement), in the coordinates of the text that is edited."""


class Segment(NamedTuple):
    """A run of characters with one source: it begins at ``start`` and ends where the next segment begins."""

    start: int
    source_start: int
    source_end: int
    kept: bool
    """True: characters stand one for one for the source span. False: each stands for the whole of it."""


@dataclass(frozen=True, slots=True)
class AlignedText:
    """``text`` and, as few segments as can say it, what its characters stand for in the source."""

    text: str
    segments: tuple[Segment, ...]
    """Sorted by start, none empty, neighbours that continue each other joined: equal alignments compare equal."""

    @classmethod
    def of(cls, source: str) -> "AlignedText":
        """Take a text as its own source."""
        return cls(source, (Segment(0, 0, len(source), True),) if source else ())

    def replace(self, edits: Sequence[Edit]) -> "AlignedText":
        """Apply ``edits``: sorted, not overlapping, in current coordinates.

        Each character of a replacement stands for the whole source span that was replaced; an insertion (``start == end``) for the empty
        span between its neighbours. Raises ``ValueError`` for edits out of order or out of range.
        """
        if not edits:
            return self
        text, size = self.text, len(self.text)
        pieces: list[str] = []
        segments: list[Segment] = []
        length = 0  # of the new text so far
        done = 0  # everything before this place of the old text has been handled
        index = 0  # the segment that `done` lies in
        for start, end, replacement in edits:
            if not done <= start <= end <= size:
                raise ValueError(f"edit [{start}, {end}) must follow {done} and lie within the {size} characters of the text")
            if start > done:
                index = self._copy(done, start, index, length, segments)
                pieces.append(text[done:start])
                length += start - done
            if replacement:
                _append(segments, Segment(length, *self.source_span(start, end), False))
                pieces.append(replacement)
                length += len(replacement)
            done = end
        if done < size:
            self._copy(done, size, index, length, segments)
            pieces.append(text[done:])
        return AlignedText("".join(pieces), tuple(segments))

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the source that covers ``text[start:end]``, whatever was removed inside it included.

        For an empty span: the empty place in the source just after the character before it.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"span [{start}, {end}) must lie within the {len(self.text)} characters of the text")
        if start == end:
            place = self._of_character(start - 1)[1] if start else 0
            return place, place
        return self._of_character(start)[0], self._of_character(end - 1)[1]

    def _of_character(self, position: int) -> tuple[int, int]:
        segment = self.segments[bisect_right(self.segments, position, key=_start) - 1]
        if not segment.kept:
            return segment.source_start, segment.source_end
        place = segment.source_start + position - segment.start
        return place, place + 1

    def _copy(self, start: int, end: int, index: int, length: int, into: list[Segment]) -> int:
        """Append what ``text[start:end]`` stands for, now beginning at ``length``; return the segment to go on from."""
        segments, size = self.segments, len(self.text)
        while True:
            segment = segments[index]
            segment_end = segments[index + 1].start if index + 1 < len(segments) else size
            if segment_end <= start:
                index += 1
                continue
            first, last = max(start, segment.start), min(end, segment_end)
            moved = length + first - start
            if segment.kept:
                shift = segment.source_start - segment.start
                _append(into, Segment(moved, first + shift, last + shift, True))
            else:
                _append(into, Segment(moved, segment.source_start, segment.source_end, False))
            if segment_end >= end:
                return index
            index += 1


def _start(segment: Segment) -> int:
    return segment.start


def _append(segments: list[Segment], new: Segment) -> None:
    """Add ``new``, or stretch the last segment where ``new`` continues it."""
    if segments:
        last = segments[-1]
        if last.kept and new.kept and last.source_end == new.source_start:
            segments[-1] = Segment(last.start, last.source_start, new.source_end, True)
            return
        if not last.kept and not new.kept and last[1:3] == new[1:3]:
            return
    segments.append(new)
