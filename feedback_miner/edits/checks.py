"""What each kind of edit may say, checked against the theme set it is about.

Comes in: a kind and its values; goes out: the values as they are to be kept, personal data in names replaced. Whether an opinion is there
only whoever keeps the opinions knows.

    rename      {theme, names: {language: text}}
    merge       {themes: [ids], into}                     all leaves, or all parents
    split       {theme, examples: [[opinions], …], names: [{language: text}, …]?}
    nest        {theme, parent, names?: {…}}              parent null: one of its own, called ``names`` or like the leaf
    hide        {theme, hidden}
    pin         {theme, pinned}
    plan        {theme or cause, owner?, effort?, status?}            null takes a value back
    move        {opinion, theme}                          theme null: into none
    no_content  {opinion}
    correct     {opinion, sentiment?, type?, causes?}
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from feedback_miner.aligned import AlignedText
from feedback_miner.domain import FeedbackType, Polarity, Theme, ThemeSet
from feedback_miner.errors import InputError, NotFoundError
from feedback_miner.stages.redact import redact_text

__all__ = ["OPINION_KINDS", "THEME_KINDS", "check_edit"]

THEME_KINDS = ("rename", "merge", "split", "nest")
"""What they change is part of the theme set."""
OPINION_KINDS = ("move", "no_content", "correct")
_LONGEST_NAME = 80
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_OPINION = re.compile(r"[0-9A-Za-z._#-]{1,100}")
"""Wide enough for every id of an opinion, too narrow for what a customer says: the log is kept when the words are deleted."""
_SENTIMENTS = tuple(label.value for label in Polarity if label is not Polarity.MIXED)
_TYPES = tuple(label.value for label in FeedbackType)
_EFFORTS = ("small", "medium", "large")
_STATUSES = ("open", "planned", "done", "dismissed")


def check_edit(edit_kind: str, values: Mapping[str, object], theme_set: ThemeSet) -> dict[str, object]:
    """Return the values of an edit as they are to be kept in the log.

    Names lose their outer and double spaces, and personal data in them is replaced. Checking what was returned returns it again. Raises
    InputError where the values do not fit the kind, NotFoundError where they name a theme or cause that this theme set has not.
    """
    check = _CHECKS.get(edit_kind)
    if check is None:
        raise InputError(f"'{edit_kind}' is no kind of edit; there are {', '.join(_CHECKS)}")
    return check(_Values(edit_kind, values, theme_set))


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of one edit, and what they may name."""

    kind: str
    given: Mapping[str, object]
    theme_set: ThemeSet

    def limit(self, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Refuse an edit without a value it needs, or with one that it does not know."""
        odd = sorted(set(self.given) - {*needed, *optional})
        missing = [name for name in needed if name not in self.given]
        if odd or missing:
            wrong = f"does not know '{odd[0]}'" if odd else f"needs '{missing[0]}'"
            also = f", and may have {', '.join(optional)}" if optional else ""
            raise InputError(f"{self.kind} {wrong}; it takes {', '.join(needed) or 'no value'}{also}")

    def opinion(self, id_: object, name: str) -> str:
        if not isinstance(id_, str) or not _OPINION.fullmatch(id_):
            raise InputError(f"'{name}' of {self.kind} must name opinions by their ids, as in 3f2a91c04d7be650.0#12")
        return id_

    def theme(self, id_: object, name: str) -> Theme:
        if not isinstance(id_, str):
            raise self.wrong(name, "the id of a theme")
        for theme in self.theme_set.themes:
            if theme.id == id_:
                return theme
        raise NotFoundError(f"there is no theme '{id_}' in this theme set of {len(self.theme_set.themes)}; list them and name one")

    def leaf(self, name: str) -> Theme:
        theme = self.theme(self.given[name], name)
        if theme.parent is None:
            raise InputError(f"theme '{theme.id}' is a parent, and {self.kind} is about a single theme; name one of those under it")
        return theme

    def flag(self, name: str) -> bool:
        value = self.given[name]
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.given[name]
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(name, f"one of {', '.join(choices)}")
        return value

    def ids(self, value: object, name: str) -> list[str]:
        if not isinstance(value, list | tuple) or not all(isinstance(id_, str) and id_ for id_ in value):
            raise self.wrong(name, "a list of ids")
        twice = next((id_ for at, id_ in enumerate(value) if id_ in value[:at]), None)
        if twice is not None:
            raise InputError(f"'{twice}' is in '{name}' of {self.kind} twice; name it once")
        return list(value)

    def names(self, value: object, name: str = "names") -> dict[str, str]:
        if not isinstance(value, Mapping) or not value:
            raise self.wrong(name, "a name for each language, as in {'en': 'Late delivery'}")
        return {self._language(language): self._name(text, str(language)) for language, text in sorted(value.items(), key=str)}

    def wrong(self, name: str, wanted: str) -> InputError:
        return InputError(f"'{name}' of {self.kind} must be {wanted}, not {_show(self.given.get(name))}")

    def _language(self, language: object) -> str:
        if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
            raise InputError(f"{_show(language)} is no language of a name; give its code of two letters, as en or zh")
        return language

    def _name(self, value: object, language: str) -> str:
        if not isinstance(value, str):
            raise InputError(f"the name in '{language}' must be text, not {_show(value)}")
        text, _ = redact_text(AlignedText.of(" ".join(value.split())))
        if not _fits_a_line(text.text):
            raise InputError(
                f"the name in '{language}' has {len(text.text)} characters; give 1 to {_LONGEST_NAME} on one line: 2 to 6 words read best"
            )
        return text.text


def _check_rename(values: _Values) -> dict[str, object]:
    values.limit(("theme", "names"))
    return {"theme": values.theme(values.given["theme"], "theme").id, "names": values.names(values.given["names"])}


def _check_merge(values: _Values) -> dict[str, object]:
    values.limit(("themes", "into"))
    into = values.theme(values.given["into"], "into")
    going = [values.theme(id_, "themes") for id_ in values.ids(values.given["themes"], "themes")]
    if not going:
        raise values.wrong("themes", "at least one id")
    for theme in going:
        if theme.id == into.id:
            raise InputError(f"theme '{into.id}' cannot be merged into itself; leave it out of 'themes'")
        if (theme.parent is None) != (into.parent is None):
            raise InputError(f"'{theme.id}' and '{into.id}' are a parent and a theme under one; merge like with like, or nest")
    return {"themes": sorted(theme.id for theme in going), "into": into.id}


def _check_split(values: _Values) -> dict[str, object]:
    values.limit(("theme", "examples"), ("names",))
    theme = values.leaf("theme")
    groups = values.given["examples"]
    if not isinstance(groups, list | tuple) or len(groups) < 2:
        raise values.wrong("examples", "two or more lists of opinions, one for each part")
    examples = [[values.opinion(id_, "examples") for id_ in values.ids(group, "examples")] for group in groups]
    if not all(examples):
        raise InputError("a part without an example is not known from the others; give one opinion or more in every list of 'examples'")
    values.ids([opinion for group in examples for opinion in group], "examples")
    kept: dict[str, object] = {"theme": theme.id, "examples": examples}
    if "names" in values.given:
        names = values.given["names"]
        if not isinstance(names, list | tuple) or len(names) != len(examples):
            raise values.wrong("names", f"a list of {len(examples)}, one for each part")
        kept["names"] = [values.names(name) for name in names]
    return kept


def _check_nest(values: _Values) -> dict[str, object]:
    values.limit(("theme", "parent"), ("names",))
    theme = values.leaf("theme")
    if values.given["parent"] is None:
        names = {"names": values.names(values.given["names"])} if "names" in values.given else {}
        return {"theme": theme.id, "parent": None, **names}
    parent = values.theme(values.given["parent"], "parent")
    if parent.parent is not None:
        raise InputError(f"theme '{parent.id}' is no parent: it is under '{parent.parent}'; nest under that one, or merge the two")
    if "names" in values.given:
        raise InputError(f"nest names a new parent only, and '{parent.id}' is there; leave 'names' out, or rename it")
    return {"theme": theme.id, "parent": parent.id}


def _check_hide(values: _Values) -> dict[str, object]:
    values.limit(("theme", "hidden"))
    return {"theme": values.theme(values.given["theme"], "theme").id, "hidden": values.flag("hidden")}


def _check_pin(values: _Values) -> dict[str, object]:
    values.limit(("theme", "pinned"))
    return {"theme": values.theme(values.given["theme"], "theme").id, "pinned": values.flag("pinned")}


def _check_plan(values: _Values) -> dict[str, object]:
    values.limit((), ("theme", "cause", "owner", "effort", "status"))
    if ("theme" in values.given) == ("cause" in values.given):
        raise InputError("plan is about one theme or one cause; give either 'theme' or 'cause'")
    kept: dict[str, object] = {}
    if "theme" in values.given:
        kept["theme"] = values.theme(values.given["theme"], "theme").id
    else:
        kept["cause"] = _cause(values, values.given["cause"])
    if len(values.given) == 1:
        raise InputError("plan says nothing; give owner, effort or status")
    if "owner" in values.given:
        kept["owner"] = None if values.given["owner"] is None else _owner(values)
    for name, choices in (("effort", _EFFORTS), ("status", _STATUSES)):
        if name in values.given:
            kept[name] = None if values.given[name] is None else values.choice(name, choices)
    return kept


def _check_move(values: _Values) -> dict[str, object]:
    values.limit(("opinion", "theme"))
    return {
        "opinion": values.opinion(values.given["opinion"], "opinion"),
        "theme": None if values.given["theme"] is None else values.leaf("theme").id,
    }


def _check_no_content(values: _Values) -> dict[str, object]:
    values.limit(("opinion",))
    return {"opinion": values.opinion(values.given["opinion"], "opinion")}


def _check_correct(values: _Values) -> dict[str, object]:
    values.limit(("opinion",), ("sentiment", "type", "causes"))
    kept: dict[str, object] = {"opinion": values.opinion(values.given["opinion"], "opinion")}
    if "sentiment" in values.given:
        kept["sentiment"] = values.choice("sentiment", _SENTIMENTS)
    if "type" in values.given:
        kept["type"] = values.choice("type", _TYPES)
    if "causes" in values.given:
        kept["causes"] = [_cause(values, cause) for cause in values.ids(values.given["causes"], "causes")]
    if len(kept) == 1:
        raise InputError("correct says nothing; give sentiment, type or causes")
    return kept


def _cause(values: _Values, cause: object) -> str:
    known = values.theme_set.cause_ids[:-1]  # the last one is no cause: unmapped
    if not isinstance(cause, str) or cause not in known:
        raise NotFoundError(
            f"there is no cause {_show(cause)} in taxonomy '{values.theme_set.taxonomy.get('id')}'; it has {', '.join(known)}"
        )
    return cause


def _owner(values: _Values) -> str:
    """Return who is to look after it: a colleague or a team, named on purpose, so nothing is hidden here."""
    owner = values.given["owner"]
    text = " ".join(owner.split()) if isinstance(owner, str) else ""
    if not _fits_a_line(text):
        raise InputError(f"'owner' of plan must be a person or a team, in 1 to {_LONGEST_NAME} characters on one line, or null")
    return text


def _fits_a_line(text: str) -> bool:
    """Tell whether there is something to read, not too much of it, and nothing that breaks a line or cannot be written at all."""
    broken = any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)
    return len(text) <= _LONGEST_NAME and any(letter.isprintable() for letter in text) and not broken


def _show(value: object) -> str:
    """Show a short value; of a long one its kind only."""
    shown = repr(value)
    return shown if len(shown) <= 40 else type(value).__name__


_CHECKS: dict[str, Callable[[_Values], dict[str, object]]] = {
    "rename": _check_rename,
    "merge": _check_merge,
    "split": _check_split,
    "nest": _check_nest,
    "hide": _check_hide,
    "pin": _check_pin,
    "plan": _check_plan,
    "move": _check_move,
    "no_content": _check_no_content,
    "correct": _check_correct,
}
