"""What analysts change, as a log that is replayed: on the theme set, on codings, on what is known of a theme beside it.

Comes in: a fitted theme set and a log of ``Edit``s; goes out: the theme set, notes and codings with the edits that hold, and the conflicts.
Pure: knows no database and no web, and refits nothing.
"""

from feedback_miner.edits.checks import check_edit
from feedback_miner.edits.log import Edit, active_edits, check_reversal
from feedback_miner.edits.parts import choose_examples, cluster_parts, count_sides, part_by_similarity
from feedback_miner.edits.replay import Conflict, Replay, ThemeNotes, apply_to_coding, named_opinions, named_themes, replay, theme_notes
from feedback_miner.edits.themes import apply_edits, learn_prototypes

__all__ = [
    "Conflict",
    "Edit",
    "Replay",
    "ThemeNotes",
    "active_edits",
    "apply_edits",
    "apply_to_coding",
    "check_edit",
    "check_reversal",
    "choose_examples",
    "cluster_parts",
    "count_sides",
    "learn_prototypes",
    "named_opinions",
    "named_themes",
    "part_by_similarity",
    "replay",
    "theme_notes",
]
