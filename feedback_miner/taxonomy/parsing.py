"""A pack as plain data (what YAML or JSON holds) in, a checked ``Taxonomy`` out. Reads no file; repairs and guesses nothing.

The first thing that does not hold together is raised as a ``TaxonomyError`` naming source, field, value and way out.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from feedback_miner.errors import TaxonomyError
from feedback_miner.taxonomy.model import Cause, Driver, Localized, Taxonomy, Utterances, View, taxonomy_to_mapping

__all__ = ["parse_pack"]

_ID = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_RESERVED_IDS = frozenset({"unmapped"})  # stands for "no cause" in results
_MAX_TEXT = 400
_MAX_ENTRIES = 2_000

_OWN_KEYS = {"id", "version", "names", "causes"}
_MORE_KEYS = {"extends", "complete", "drivers", "stages", "owners", "moments_of_truth", "views", "unmapped_utterances"}
_CAUSE_KEYS = {"id", "names", "aspects", "definitions", "utterances"}
_MORE_CAUSE_KEYS = {"driver", "parent", "stage", "owner", "urgent", "confused_with", "contrast", "praise"}


@dataclass(frozen=True, slots=True)
class _Node:
    """A value of the pack and where it stands, so that every complaint can name both."""

    source: str
    path: str
    value: object

    def error(self, problem: str, way_out: str) -> TaxonomyError:
        return TaxonomyError(f"{self.source}: {self.path or 'pack'}: {problem}; {way_out}")

    def fields(self, required: Collection[str], optional: Collection[str]) -> "dict[str, _Node]":
        """Return the entries of a mapping with just these keys; ``null`` counts as absent."""
        entries = self.entries()
        known = sorted({*required, *optional})
        for key in entries:
            if key not in known:
                raise self.error(f"unknown key '{key}'", f"known are {', '.join(known)}")
        present = {key: node for key, node in entries.items() if node.value is not None}
        for key in sorted(required):
            if key not in present:
                raise self.error(f"'{key}' is missing", f"add '{key}'")
        return present

    def entries(self) -> "dict[str, _Node]":
        if not isinstance(self.value, Mapping):
            raise self.error(f"expected 'key: value' lines, got {_kind(self.value)}", "see docs/taxonomy.md for an example")
        if len(self.value) > _MAX_ENTRIES:
            raise self.error(f"{len(self.value)} entries", f"keep it to {_MAX_ENTRIES}")
        for key in self.value:
            if not isinstance(key, str):
                raise self.error(f"the key {key!r} is {_kind(key)}, not text", "put quotes round it")
        return {key: _Node(self.source, f"{self.path}.{key}" if self.path else key, value) for key, value in self.value.items()}

    def items(self) -> "list[_Node]":
        if isinstance(self.value, str) or not isinstance(self.value, Sequence):
            raise self.error(f"expected a list, got {_kind(self.value)}", "start each entry with '- '")
        if len(self.value) > _MAX_ENTRIES:
            raise self.error(f"{len(self.value)} entries", f"keep it to {_MAX_ENTRIES}")
        return [_Node(self.source, f"{self.path}[{number}]", value) for number, value in enumerate(self.value, start=1)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error(f"expected text, got {self.value!r}, {_kind(self.value)}", "put quotes round it")
        text = " ".join(self.value.split())
        if not text:
            raise self.error("the text is blank", "write it or leave the line out")
        if len(text) > _MAX_TEXT:
            raise self.error(f"a text of {len(text)} characters", f"shorten it to {_MAX_TEXT}")
        return text

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.error(f"expected true or false, got {self.value!r}", "write true or false, without quotes")
        return self.value

    def identifier(self) -> str:
        text = self.text()
        if not _ID.fullmatch(text) or text in _RESERVED_IDS:
            raise self.error(
                f"'{text}' cannot be an id", "use lower-case letters, digits, '-' and '_', parts joined by '.', not 'unmapped'"
            )
        return text

    def one_of(self, known: Collection[str], what: str) -> str:
        text = self.text()
        if text not in known:
            raise self.error(f"'{text}' is not a known {what}", f"known are {', '.join(known) or 'none'}")
        return text

    def localized(self, languages: Collection[str]) -> dict[str, str]:
        return {language: node.text() for language, node in self._by_language(languages).items()}

    def utterances(self, languages: Collection[str]) -> dict[str, tuple[str, ...]]:
        found = {language: tuple(item.text() for item in node.items()) for language, node in self._by_language(languages).items()}
        for language, texts in found.items():
            if not texts:
                raise self.error(f"no sentence for language '{language}'", "write at least one")
        return found

    def _by_language(self, languages: Collection[str]) -> "dict[str, _Node]":
        entries = {language: node for language, node in self.entries().items() if node.value is not None}
        for language in entries:
            if not _LANGUAGE.fullmatch(language):
                raise self.error(f"'{language}' is not a language", "use ISO 639-1 codes such as zh or en")
        for language in languages:
            if language not in entries:
                raise self.error(f"language '{language}' is missing", "write it in every language that the pack's own 'names' has")
        if not entries:
            raise self.error("no language", "write it in one at least")
        return entries


def parse_pack(pack: Mapping[str, object], *, source: str, load_base: Callable[[str], Taxonomy]) -> Taxonomy:
    """Check a pack and fill in what it inherits.

    ``load_base`` returns the pack that ``extends`` names and raises ``TaxonomyError`` where there is none. Data made by
    ``taxonomy_to_mapping`` (``complete: true``) has everything in it already, so nothing is loaded for it.

    Raises:
        TaxonomyError: the pack does not hold together.
    """
    root = _Node(source, "", pack)
    fields = root.fields(_OWN_KEYS, _MORE_KEYS)
    complete = "complete" in fields and fields["complete"].flag()
    extends = fields["extends"].identifier() if "extends" in fields else None
    base = load_base(extends) if extends is not None and not complete else None
    # A complete pack may hold inherited causes in other languages than its own.
    languages = tuple(fields["names"].localized(()))
    wanted = () if complete else languages

    drivers = _drivers(fields.get("drivers"), root, base, wanted)
    stages = _named_entries(fields.get("stages"), root, "stages", base.stages if base else None, wanted)
    owners = _named_entries(fields.get("owners"), root, "owners", base.owners if base else None, wanted)
    causes = _causes(fields["causes"], base, {driver.id for driver in drivers}, stages, owners, wanted, complete=complete)
    views = _views(fields.get("views"), base, causes, wanted)
    unmapped: Utterances = base.unmapped_utterances if base else {}
    if "unmapped_utterances" in fields:
        own = fields["unmapped_utterances"].utterances(wanted)
        unmapped = {key: (*unmapped.get(key, ()), *own.get(key, ())) for key in (*unmapped, *(key for key in own if key not in unmapped))}
    moments = base.moments_of_truth if base else ()
    if "moments_of_truth" in fields:
        known = {*stages, *(cause.id for cause in causes)}
        own_moments = [node.one_of(known, "stage or cause") for node in fields["moments_of_truth"].items()]
        moments = tuple(dict.fromkeys((*moments, *own_moments)))
    _refuse_repeated_sentences(root, causes, unmapped)
    taxonomy = Taxonomy(
        id=fields["id"].identifier(),
        version=_declared_version(fields["version"], complete=complete),
        names=fields["names"].localized(()),
        extends=extends,
        drivers=drivers,
        causes=causes,
        stages=stages,
        owners=owners,
        moments_of_truth=moments,
        views=views,
        unmapped_utterances=unmapped,
    )
    return replace(taxonomy, version=f"{taxonomy.version}+{_content_hash(taxonomy)}")


def _declared_version(node: _Node, *, complete: bool) -> str:
    """Return the version without the hash that ``taxonomy_to_mapping`` wrote behind it: it is computed anew."""
    declared, plus, _ = node.text().partition("+")
    if plus and not complete:
        raise node.error(f"'{node.value}' has a '+'", "leave that part out, it is computed from the content")
    return declared


def _content_hash(taxonomy: Taxonomy) -> str:
    content = json.dumps(taxonomy_to_mapping(taxonomy), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _drivers(node: _Node | None, root: _Node, base: Taxonomy | None, languages: Collection[str]) -> tuple[Driver, ...]:
    if base is not None:
        if node is not None:
            raise node.error("a pack that extends another one has its drivers", "leave 'drivers' out")
        return base.drivers
    named = _named_entries(node, root, "drivers", None, languages)
    return tuple(Driver(id=driver, names=names) for driver, names in named.items())


def _named_entries(
    node: _Node | None, root: _Node, key: str, inherited: Mapping[str, Localized] | None, languages: Collection[str]
) -> dict[str, Localized]:
    """Read a list of {id, names}, added to what is inherited."""
    if node is None:
        if inherited is None:
            raise root.error(f"'{key}' is missing", f"add '{key}', or 'extends: default' to inherit them")
        return dict(inherited)
    found: dict[str, Localized] = dict(inherited or {})
    for item in node.items():
        fields = item.fields({"id", "names"}, ())
        identifier = fields["id"].identifier()
        if identifier in found:
            raise item.error(f"the id '{identifier}' is taken", "give each entry an id of its own, also against the pack extended")
        found[identifier] = fields["names"].localized(languages)
    return found


def _causes(
    node: _Node,
    base: Taxonomy | None,
    drivers: Collection[str],
    stages: Mapping[str, Localized],
    owners: Mapping[str, Localized],
    languages: Collection[str],
    *,
    complete: bool,
) -> tuple[Cause, ...]:
    inherited = {cause.id: cause for cause in base.causes} if base else {}
    causes = dict(inherited)
    nodes: dict[str, dict[str, _Node]] = {}
    for item in node.items():
        fields = item.fields(_CAUSE_KEYS, _MORE_CAUSE_KEYS)
        identifier = fields["id"].identifier()
        # Results name causes, drivers and (as moments of truth) stages side by side.
        if identifier in causes or identifier in drivers or identifier in stages:
            raise item.error(f"the id '{identifier}' is taken", "give each cause an id that no other cause, driver or stage has")
        item = replace(item, path=f"{item.path} '{identifier}'")
        fields = item.fields(_CAUSE_KEYS, _MORE_CAUSE_KEYS)
        parent = _parent(item, fields, inherited, complete=complete)
        causes[identifier] = _cause(item, fields, identifier, parent, drivers, stages, owners, languages)
        nodes[identifier] = fields
    if not causes:
        raise node.error("no cause", "write at least one")
    for identifier, fields in nodes.items():
        cause = causes[identifier]
        if cause.parent is not None:
            _check_parent(fields["parent"], cause, causes)
        for neighbour in cause.confused_with:
            if neighbour not in causes or neighbour == identifier:
                raise fields["confused_with"].error(f"'{neighbour}' is not another cause", f"known are {', '.join(causes)}")
    return tuple(causes.values())


def _parent(item: _Node, fields: Mapping[str, _Node], inherited: Mapping[str, Cause], *, complete: bool) -> Cause | None:
    """Return the inherited cause whose driver, stage and owner are the defaults."""
    if complete:
        return None
    if "parent" not in fields:
        if inherited:
            raise item.error("'parent' is missing", f"name the cause it rolls up to: {', '.join(inherited)}")
        return None
    return inherited[fields["parent"].one_of(inherited, "cause of the pack extended")]


def _cause(
    item: _Node,
    fields: Mapping[str, _Node],
    identifier: str,
    parent: Cause | None,
    drivers: Collection[str],
    stages: Mapping[str, Localized],
    owners: Mapping[str, Localized],
    languages: Collection[str],
) -> Cause:
    def choose(key: str, known: Collection[str], inherited: str | None) -> str:
        if key in fields:
            return fields[key].one_of(known, key)
        if inherited is None:
            raise item.error(f"'{key}' is missing", f"choose one of {', '.join(known)}")
        return inherited

    if ("confused_with" in fields) != ("contrast" in fields):
        raise item.error("'confused_with' and 'contrast' go together", "write both or neither")
    return Cause(
        id=identifier,
        driver=choose("driver", drivers, parent.driver if parent else None),
        parent=fields["parent"].identifier() if "parent" in fields else None,
        names=fields["names"].localized(languages),
        aspects=fields["aspects"].localized(languages),
        definitions=fields["definitions"].localized(languages),
        confused_with=tuple(node.identifier() for node in fields["confused_with"].items()) if "confused_with" in fields else (),
        contrast=fields["contrast"].localized(languages) if "contrast" in fields else {},
        utterances=fields["utterances"].utterances(languages),
        praise=fields["praise"].utterances(()) if "praise" in fields else {},
        stage=choose("stage", stages, parent.stage if parent else None),
        owner=choose("owner", owners, parent.owner if parent else None),
        urgent=fields["urgent"].flag() if "urgent" in fields else bool(parent and parent.urgent),
    )


def _check_parent(node: _Node, cause: Cause, causes: Mapping[str, Cause]) -> None:
    """Refuse a parent that is unknown, of another driver, or its own descendant: sums would not add up."""
    seen = {cause.id}
    current = cause
    while current.parent is not None:
        if current.parent not in causes or current.parent in seen:
            raise node.error(f"'{current.parent}' cannot be the parent", "name a cause of the pack extended")
        current = causes[current.parent]
        seen.add(current.id)
    if current.driver != cause.driver:
        raise node.error(f"'{current.id}' belongs to driver '{current.driver}', not '{cause.driver}'", "leave 'driver' out")


def _views(node: _Node | None, base: Taxonomy | None, causes: Sequence[Cause], languages: Collection[str]) -> tuple[View, ...]:
    found = {view.id: _with_refinements(view, causes) for view in base.views} if base else {}
    by_id = {cause.id: cause for cause in causes}
    for item in node.items() if node is not None else ():
        fields = item.fields({"id", "names", "dimensions", "members"}, ())
        identifier = fields["id"].identifier()
        if identifier in found:
            raise item.error(f"the id '{identifier}' is taken", "give each view an id of its own, also against the pack extended")
        dimensions = _named_entries(fields["dimensions"], item, "dimensions", None, languages)
        members: dict[str, str] = {}
        for cause, member in fields["members"].entries().items():
            if cause not in by_id:
                raise member.error(f"'{cause}' is not a cause", f"known are {', '.join(by_id)}")
            members[cause] = member.one_of(dimensions, "dimension")
        view = _with_refinements(View(identifier, fields["names"].localized(languages), tuple(dimensions.items()), members), causes)
        for cause in by_id:
            if cause not in view.members:
                raise fields["members"].error(f"'{cause}' has no dimension", f"give it one of {', '.join(dimensions)}")
        found[identifier] = view
    return tuple(found.values())


def _with_refinements(view: View, causes: Sequence[Cause]) -> View:
    """Give every refinement without a dimension that of the cause it refines."""
    parents = {cause.id: cause.parent for cause in causes}
    members: dict[str, str] = {}
    for cause in parents:
        ancestor: str | None = cause
        while ancestor is not None and ancestor not in view.members:
            ancestor = parents[ancestor]
        if ancestor is not None:
            members[cause] = view.members[ancestor]
    return replace(view, members=members)


def _refuse_repeated_sentences(root: _Node, causes: Sequence[Cause], unmapped: Utterances) -> None:
    """A sentence under two causes would pull both prototypes together; twice under one, it would count double."""
    groups: list[tuple[str, Utterances]] = [("unmapped_utterances", unmapped)]
    for cause in causes:
        groups += [(f"'{cause.id}'.utterances", cause.utterances), (f"'{cause.id}'.praise", cause.praise)]
    first: dict[str, str] = {}
    for place, sentences in groups:
        for language, texts in sentences.items():
            for number, text in enumerate(texts, start=1):
                here = f"{place}.{language}[{number}]"
                if (key := _without_signs(text)) in first:
                    raise root.error(f"the same sentence stands in {first[key]} and {here}", "keep it where it is clearest")
                first[key] = here


def _without_signs(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if character.isalnum()) or plain


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    for name, types in (("a truth value", bool), ("a number", (int, float)), ("text", str), ("a mapping", Mapping), ("a list", Sequence)):
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"
