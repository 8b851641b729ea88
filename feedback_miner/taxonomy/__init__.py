"""Root causes as data: packs (YAML), their loader and the values it returns."""

from feedback_miner.taxonomy.crosswalk import load_crosswalk
from feedback_miner.taxonomy.loader import available_packs, load_taxonomy, parse_taxonomy
from feedback_miner.taxonomy.model import (
    Cause,
    Driver,
    Taxonomy,
    View,
    get_cause,
    is_moment_of_truth,
    roll_up,
    taxonomy_to_mapping,
)

__all__ = [
    "Cause",
    "Driver",
    "Taxonomy",
    "View",
    "available_packs",
    "get_cause",
    "is_moment_of_truth",
    "load_crosswalk",
    "load_taxonomy",
    "parse_taxonomy",
    "roll_up",
    "taxonomy_to_mapping",
]
