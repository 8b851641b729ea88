"""Classified texts as lines to read. A Classification in, lines out; decides nothing."""

from feedback_miner.answers import cause_name, theme_name
from feedback_miner.classify import Classification, Classifier
from feedback_miner.cli.edge import one_line
from feedback_miner.report.causes import pick_name
from feedback_miner.taxonomy import get_cause

__all__ = ["reading_lines"]


def reading_lines(number: int, found: Classification, classifier: Classifier, language: str) -> list[str]:
    """Return one text's answer to be read: a line for the text, and some for each opinion."""
    head = f"{number}. {found.language}, {found.polarity or 'no sentiment'}"
    if found.abstained:
        head += f", abstained: {found.abstained.replace('_', ' ')}"
    carried = {theme.theme for opinion in found.opinions for theme in opinion.themes}
    themes = {theme.id: theme for theme in classifier.theme_set.themes}
    if found.theme is not None and len(carried) > 1:
        head += f", about: {theme_name(themes, found.theme, language)}"
    if found.urgent:
        head += f", URGENT: {', '.join(cause_name(cause, classifier, language) for cause in found.urgent)}"
    lines = [head]
    for opinion in found.opinions:
        lines.append(f"   [{opinion.start}, {opinion.end}) {opinion.text}")
        labels = ", ".join(f"{theme_name(themes, theme.theme, language)} ({theme.strength:.2f})" for theme in opinion.themes)
        outside = f"none, {opinion.residual.value.replace('_', ' ')}" if opinion.residual else "none"
        lines.append(f"      {opinion.sentiment.label} ({opinion.sentiment.score:+.2f}), {opinion.type}; theme: {labels or outside}")
        for cause in opinion.causes:
            known = get_cause(classifier.taxonomy, cause.cause)
            owner = pick_name(classifier.taxonomy.owners.get(known.owner, {}), language, known.owner)
            stage = pick_name(classifier.taxonomy.stages.get(known.stage, {}), language, known.stage)
            lines.append(f"      cause: {pick_name(known.names, language, known.id)} ({cause.score:.2f}); owner: {owner}; stage: {stage}")
    return [line[: len(line) - len(line.lstrip())] + one_line(line) for line in lines]
