"""Packs by name or path in, a checked ``Taxonomy`` out. Reads YAML without tags, anchors or aliases; never runs or fetches anything.

Shipped packs lie beside this file in ``packs/``; a pack of one's own is any YAML file like them.
"""

from collections.abc import Hashable, Mapping
from importlib.resources import files
from pathlib import Path

import yaml

from feedback_miner.errors import TaxonomyError
from feedback_miner.taxonomy.model import Taxonomy
from feedback_miner.taxonomy.parsing import parse_pack

__all__ = ["available_packs", "load_taxonomy", "parse_taxonomy"]

_MAX_BYTES = 2_000_000
_MAX_DEPTH = 12

_PACKS = files("feedback_miner.taxonomy").joinpath("packs")

# libyaml is ten times as fast; the pure Python loader reads the same packs where a platform has no libyaml.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PackLoader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Plain safe YAML that refuses a key written twice, which YAML itself would drop without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' is written twice", key.start_mark)
                seen.add(key.value)
        mapping: dict[Hashable, object] = super().construct_mapping(node, deep=deep)
        return mapping


def available_packs() -> tuple[str, ...]:
    """Return the ids of the shipped packs, sorted."""
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in _PACKS.iterdir() if entry.name.endswith(".yaml")))


def load_taxonomy(name_or_path: str) -> Taxonomy:
    """Load a shipped pack by id, or any YAML file by path; an id goes before a file of that name.

    Raises:
        TaxonomyError: there is no such pack, or it does not hold together.
    """
    if name_or_path in available_packs():
        content = _PACKS.joinpath(f"{name_or_path}.yaml").read_bytes()
        return parse_taxonomy(_read_yaml(content, source=f"{name_or_path}.yaml"), source=f"{name_or_path}.yaml")
    path = Path(name_or_path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        shipped = ", ".join(available_packs())
        raise TaxonomyError(f"taxonomy '{name_or_path}' cannot be read: {reason}; name a YAML file or a shipped pack: {shipped}") from error
    return parse_taxonomy(_read_yaml(content, source=path.name), source=path.name)


def parse_taxonomy(mapping: Mapping[str, object], *, source: str) -> Taxonomy:
    """Check a pack given as plain data; ``source`` names it in errors.

    ``parse_taxonomy(taxonomy_to_mapping(taxonomy), source=…) == taxonomy``.

    Raises:
        TaxonomyError: the pack does not hold together.
    """

    def load_base(name: str) -> Taxonomy:
        if name not in available_packs():
            raise TaxonomyError(f"{source}: extends: '{name}' is not a shipped pack; known are {', '.join(available_packs())}")
        return load_taxonomy(name)

    return parse_pack(mapping, source=source, load_base=load_base)


def _read_yaml(content: bytes, *, source: str) -> Mapping[str, object]:
    """Read YAML that cannot grow: aliases and deep nesting are refused before anything is built."""
    if len(content) > _MAX_BYTES:
        raise TaxonomyError(f"{source}: larger than {_MAX_BYTES} bytes; shorten the pack")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{source}: not UTF-8 (byte {error.start}); save the file as UTF-8") from error
    try:
        _refuse_aliases_and_depth(text, source=source)
        pack = yaml.load(text, Loader=_PackLoader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise TaxonomyError(f"{source}: {line}{error.problem}; quote texts that hold ': ', ' #' or start with a sign") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date or number without quotes
        raise TaxonomyError(f"{source}: not YAML ({type(error).__name__}); quote numbers, dates and special signs") from error
    if not isinstance(pack, dict):
        raise TaxonomyError(f"{source}: no 'key: value' lines at the top; see docs/taxonomy.md for an example")
    return pack


def _refuse_aliases_and_depth(text: str, *, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.NodeEvent) and event.anchor is not None):
            raise TaxonomyError(
                f"{source}: line {line}: anchors (&) and aliases (*) are not read; write the text out, in quotes if it starts so"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise TaxonomyError(f"{source}: line {line}: nested more than {_MAX_DEPTH} levels deep; flatten it")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
