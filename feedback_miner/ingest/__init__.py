"""Files and Python objects into feedback items: readers, survey export adapters, column roles, row issues.

Comes in: whatever holds feedback. Goes out: ``Ingested``, a mapping with reasons and a stream of ``FeedbackItem``. Knows nothing of what
is done with them, stores nothing, and never echoes a customer's words in an error or an issue.

    source, encoding            bytes, opened, unpacked, recognised, decoded
    dialect, delimited, text    lines into rows
    sheets, records             workbooks; JSON, Parquet, data frames, mappings, strings
    headers, exports, chat      what the header says; survey tools; who speaks
    profiles, scores, columns   what the values say: the role of each column
    values, dates, items        cells into values, rows into items
    feedback                    read_feedback(): the order of it all
"""

from .feedback import Ingested, read_feedback
from .options import IngestOptions

__all__ = ["IngestOptions", "Ingested", "read_feedback"]
