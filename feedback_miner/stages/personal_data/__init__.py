"""What personal data looks like in Chinese and English feedback: one table of rules.

A rule is a kind, a pattern and, where a checksum, a calendar or a word list can tell, a check. The table decides nothing about overlaps,
replaces nothing and keeps nothing: that is the redact stage's work.

Every pattern is linear in the length of the text: repeats are bounded, and a candidate starts only where a look-behind lets it.
"""

from feedback_miner.stages.personal_data.addresses import ADDRESS_RULES
from feedback_miner.stages.personal_data.contacts import CONTACT_RULES
from feedback_miner.stages.personal_data.names import NAME_RULES
from feedback_miner.stages.personal_data.numbers import NUMBER_RULES
from feedback_miner.stages.personal_data.rule import Kind, Rule, count_digits, fold

__all__ = ["RULES", "Kind", "Rule", "count_digits", "fold"]

RULES: tuple[Rule, ...] = (*CONTACT_RULES, *NUMBER_RULES, *NAME_RULES, *ADDRESS_RULES)
