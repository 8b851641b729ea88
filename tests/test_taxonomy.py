"""Taxonomy packs: what ships is complete, what does not hold together is refused with file, field, value and way out."""

import copy
import csv
import gzip
import io
import json
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner import taxonomy as front_door
from feedback_miner.errors import TaxonomyError
from feedback_miner.taxonomy import (
    Taxonomy,
    available_packs,
    get_cause,
    is_moment_of_truth,
    load_taxonomy,
    parse_taxonomy,
    roll_up,
    taxonomy_to_mapping,
)

INDUSTRY_PACKS = ("ecommerce", "hospital", "telecom")
LANGUAGES = ("zh", "en")
SHARED = Path(os.environ.get("FEEDBACK_MINER_SHARED", Path(__file__).parents[2] / "shared" / "data"))


def names(text: str) -> dict[str, str]:
    return {"en": text}


def minimal_pack() -> dict[str, Any]:
    """A pack of its own with two causes, in English only."""
    return {
        "id": "tiny",
        "version": "1.0",
        "names": names("Tiny"),
        "drivers": [{"id": "product", "names": names("Product")}],
        "stages": [{"id": "use", "names": names("Use")}, {"id": "leave", "names": names("Exit")}],
        "owners": [{"id": "makers", "names": names("Makers")}],
        "moments_of_truth": ["leave", "product.colour"],
        "views": [
            {
                "id": "senses",
                "names": names("Senses"),
                "dimensions": [{"id": "eye", "names": names("Eye")}, {"id": "ear", "names": names("Ear")}],
                "members": {"product.colour": "eye", "product.noise": "ear"},
            }
        ],
        "causes": [minimal_cause("product.colour", "It is far too green"), minimal_cause("product.noise", "It hums all night")],
        "unmapped_utterances": {"en": ["Hello there"]},
    }


def minimal_cause(identifier: str, utterance: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "driver": "product",
        "stage": "use",
        "owner": "makers",
        "names": names(identifier),
        "aspects": names("aspect"),
        "definitions": names("One sentence."),
        "utterances": {"en": [utterance]},
    }


def refinement() -> dict[str, Any]:
    """A pack that extends the default one by a single cause."""
    cause = minimal_cause("gym.crowding", "Can't get near a treadmill after six")
    cause["parent"] = "process.facility"
    for key in ("driver", "stage", "owner"):
        del cause[key]
    return {"id": "gym", "version": "1.0", "extends": "default", "names": names("Gyms"), "causes": [cause]}


def parse(pack: dict[str, Any]) -> Taxonomy:
    return parse_taxonomy(pack, source="tiny.yaml")


@pytest.fixture(scope="module")
def default() -> Taxonomy:
    return load_taxonomy("default")


def test_front_door_exports_only_names_that_exist() -> None:
    assert sorted(front_door.__all__) == list(front_door.__all__)
    assert all(hasattr(front_door, name) for name in front_door.__all__)


# ---------------------------------------------------------------- what ships


def test_available_packs_lists_the_shipped_ones() -> None:
    assert available_packs() == ("default", *INDUSTRY_PACKS)


@pytest.mark.parametrize("pack", ["default", *INDUSTRY_PACKS])
def test_load_taxonomy_reads_every_shipped_pack(pack: str) -> None:
    taxonomy = load_taxonomy(pack)
    assert taxonomy.id == pack
    assert re.fullmatch(r"\d+\.\d+\+[0-9a-f]{8}", taxonomy.version)
    assert load_taxonomy(pack) == taxonomy


def test_default_pack_covers_the_agreed_causes(default: Taxonomy) -> None:
    per_driver = {driver.id: sum(cause.driver == driver.id for cause in default.causes) for driver in default.drivers}
    assert per_driver == {"product": 7, "service": 7, "communication": 6, "brand": 5, "process": 10}
    assert all(cause.id.startswith(f"{cause.driver}.") and cause.parent is None for cause in default.causes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_default_pack_is_written_out_in_both_languages(default: Taxonomy, language: str) -> None:
    for cause in default.causes:
        assert 12 <= len(cause.utterances[language]) <= 15, cause.id
        assert 3 <= len(cause.praise[language]) <= 4, cause.id
        assert cause.confused_with, cause.id
        for localized in (cause.names, cause.aspects, cause.definitions, cause.contrast):
            assert localized[language], cause.id
        assert cause.aspects[language] != cause.names[language], cause.id
    assert len(default.unmapped_utterances[language]) >= 30


@pytest.mark.parametrize("pack", INDUSTRY_PACKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_industry_packs_refine_with_enough_examples(pack: str, language: str) -> None:
    own = [cause for cause in load_taxonomy(pack).causes if cause.parent is not None]
    assert 8 <= len(own) <= 15
    for cause in own:
        assert len(cause.utterances[language]) >= 8, cause.id
        assert len(cause.praise[language]) >= 3, cause.id
        assert cause.id.startswith(f"{pack}."), cause.id


@pytest.mark.parametrize("pack", ["default", *INDUSTRY_PACKS])
def test_shipped_utterances_are_short_and_in_their_language(pack: str) -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    for cause in load_taxonomy(pack).causes:
        for text in (*cause.utterances["zh"], *cause.praise["zh"]):
            assert 4 <= len(text) <= 30, text
            assert han.search(text), text
        for text in (*cause.utterances["en"], *cause.praise["en"]):
            assert 2 <= len(text.split()) <= 25, text
            assert not han.search(text), text


def test_default_views_give_every_cause_a_dimension(default: Taxonomy) -> None:
    assert [view.id for view in default.views] == ["rater", "a11"]
    for view in default.views:
        dimensions = [dimension for dimension, _ in view.dimensions]
        assert list(view.members) == [cause.id for cause in default.causes]
        assert set(view.members.values()) == set(dimensions)


def test_default_stages_are_in_journey_order(default: Taxonomy) -> None:
    stages = list(default.stages)
    assert (stages[0], stages[-1], len(stages)) == ("awareness", "exit", 11)
    assert stages.index("purchase") < stages.index("delivery") < stages.index("renewal")


def test_urgent_marks_privacy_and_harm(default: Taxonomy) -> None:
    assert [cause.id for cause in default.causes if cause.urgent] == ["brand.privacy"]
    assert get_cause(load_taxonomy("hospital"), "hospital.outcome").urgent
    assert get_cause(load_taxonomy("ecommerce"), "ecommerce.counterfeit").urgent


def test_shipped_packs_repeat_no_row_of_the_shared_data() -> None:
    files = sorted(SHARED.glob("*/dev.csv.gz"))
    if not files:
        pytest.skip(f"no labelled data under {SHARED.name}")
    own: set[str] = set()
    for pack in available_packs():
        taxonomy = load_taxonomy(pack)
        for cause in taxonomy.causes:
            own.update(text.casefold() for group in (cause.utterances, cause.praise) for texts in group.values() for text in texts)
        own.update(text.casefold() for texts in taxonomy.unmapped_utterances.values() for text in texts)
    csv.field_size_limit(10_000_000)
    repeated = 0
    for file in files:
        with io.TextIOWrapper(gzip.open(file), encoding="utf-8") as stream:
            repeated += sum(row["text"].strip().rstrip(".!。！").casefold() in own for row in csv.DictReader(stream))
    assert repeated == 0


# ---------------------------------------------------------------- using a taxonomy


def test_load_taxonomy_inherits_what_is_not_refined(default: Taxonomy) -> None:
    telecom = load_taxonomy("telecom")
    assert telecom.extends == "default"
    assert telecom.causes[: len(default.causes)] == default.causes
    assert telecom.drivers == default.drivers
    assert telecom.unmapped_utterances == default.unmapped_utterances


def test_refined_cause_takes_driver_stage_owner_from_its_parent(default: Taxonomy) -> None:
    cause = get_cause(parse(refinement()), "gym.crowding")
    parent = get_cause(default, "process.facility")
    assert (cause.driver, cause.stage, cause.owner, cause.urgent) == (parent.driver, parent.stage, parent.owner, parent.urgent)
    assert get_cause(load_taxonomy("telecom"), "telecom.cancellation").stage == "exit"
    assert get_cause(load_taxonomy("hospital"), "hospital.food").owner == "catering"


def test_refined_cause_inherits_urgency_unless_it_says_otherwise() -> None:
    pack = refinement()
    pack["causes"][0]["parent"] = "brand.privacy"
    assert get_cause(parse(pack), "gym.crowding").urgent
    pack["causes"][0]["urgent"] = False
    assert not get_cause(parse(pack), "gym.crowding").urgent


def test_roll_up_returns_the_default_cause(default: Taxonomy) -> None:
    ids = {cause.id for cause in default.causes}
    for pack in INDUSTRY_PACKS:
        taxonomy = load_taxonomy(pack)
        assert {roll_up(taxonomy, cause.id) for cause in taxonomy.causes} == ids
    assert roll_up(load_taxonomy("telecom"), "telecom.roaming") == "product.price"
    assert roll_up(default, "product.price") == "product.price"


def test_roll_up_climbs_through_a_pack_that_refines_an_industry_pack() -> None:
    pack = refinement()
    pack["extends"] = "telecom"
    pack["causes"][0]["parent"] = "telecom.roaming"
    taxonomy = parse(pack)
    assert roll_up(taxonomy, "gym.crowding") == "product.price"
    assert {view.id: view.members["gym.crowding"] for view in taxonomy.views} == {"rater": "empathy", "a11": "effectiveness"}
    assert parse_taxonomy(taxonomy_to_mapping(taxonomy), source="again") == taxonomy


@pytest.mark.parametrize("function", [get_cause, roll_up, is_moment_of_truth])
def test_lookup_refuses_an_unknown_cause(default: Taxonomy, function: Callable[[Taxonomy, str], object]) -> None:
    with pytest.raises(TaxonomyError, match=r"cause 'product\.magic' is not in taxonomy 'default'.*product\.function"):
        function(default, "product.magic")


@pytest.mark.parametrize(
    ("pack", "cause", "expected"),
    [
        ("default", "product.reliability", True),  # listed itself
        ("default", "process.delivery", True),  # its stage is listed
        ("default", "product.price", False),
        ("telecom", "telecom.outage", True),  # its parent is listed
        ("telecom", "telecom.cancellation", True),
        ("telecom", "telecom.roaming", False),
    ],
)
def test_is_moment_of_truth_looks_at_cause_stage_and_parent(pack: str, cause: str, expected: bool) -> None:
    assert is_moment_of_truth(load_taxonomy(pack), cause) is expected


# ---------------------------------------------------------------- data and back


@pytest.mark.parametrize("pack", ["default", *INDUSTRY_PACKS])
def test_parse_taxonomy_restores_what_was_saved_as_json(pack: str) -> None:
    taxonomy = load_taxonomy(pack)
    saved = json.loads(json.dumps(taxonomy_to_mapping(taxonomy), sort_keys=True))
    restored = parse_taxonomy(saved, source="analysis.json")
    assert restored == taxonomy
    assert list(restored.stages) == list(taxonomy.stages)
    assert taxonomy_to_mapping(restored) == taxonomy_to_mapping(taxonomy)


def test_parse_taxonomy_restores_a_refinement_in_another_language_than_its_base() -> None:
    pack = json.loads(json.dumps(refinement()).replace('"en":', '"ja":'))
    taxonomy = parse(pack)
    assert parse_taxonomy(taxonomy_to_mapping(taxonomy), source="again") == taxonomy
    assert get_cause(taxonomy, "gym.crowding").names == {"ja": "gym.crowding"}


def without_signs(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, plain)) or plain


plain_texts = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=40)


@settings(deadline=None)  # nothing here is about time
@given(
    texts=st.lists(plain_texts, min_size=2, max_size=6, unique_by=without_signs),
    urgent=st.booleans(),
)
def test_parse_taxonomy_restores_any_pack_it_accepts(texts: list[str], urgent: bool) -> None:
    pack = minimal_pack()
    pack["causes"][0]["utterances"] = {"en": texts[:1]}
    pack["causes"][0]["urgent"] = urgent
    pack["causes"][1]["utterances"] = {"en": texts[1:]}
    pack["unmapped_utterances"] = None
    taxonomy = parse(pack)
    assert parse(taxonomy_to_mapping(taxonomy)) == taxonomy


def test_version_changes_with_content_and_not_with_key_order() -> None:
    pack = minimal_pack()
    version = parse(pack).version
    assert version.startswith("1.0+")
    assert parse(dict(reversed(pack.items()))).version == version
    pack["causes"][0]["utterances"]["en"].append("Green again, why")
    assert parse(pack).version != version


def test_version_follows_the_pack_extended() -> None:
    saved = taxonomy_to_mapping(parse(refinement()))
    assert isinstance(saved["causes"], list)
    saved["causes"][0]["utterances"]["en"][0] += " at all"
    assert parse(saved).version != parse(refinement()).version


def test_parse_taxonomy_leaves_its_input_alone() -> None:
    pack = minimal_pack()
    before = copy.deepcopy(pack)
    parse(pack)
    assert pack == before


# ---------------------------------------------------------------- what is refused


def edit(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def change(pack: dict[str, Any]) -> None:
        place: Any = pack
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


REFUSED: tuple[tuple[str, Callable[[dict[str, Any]], None], str], ...] = (
    ("unknown key", edit("colour", to="red"), r"pack: unknown key 'colour'; known are .*causes"),
    ("missing version", edit("version", to=None), r"pack: 'version' is missing; add 'version'"),
    ("unquoted version", edit("version", to=1.0), r"version: expected text, got 1\.0, a number; put quotes round it"),
    ("version with hash", edit("version", to="1+abc"), r"version: '1\+abc' has a '\+'; leave that part out"),
    ("bad id", edit("id", to="Tiny Pack"), r"id: 'Tiny Pack' cannot be an id; use lower-case"),
    ("no causes", edit("causes", to=[]), r"causes: no cause; write at least one"),
    ("causes as text", edit("causes", to="none"), r"causes: expected a list, got text; start each entry with '- '"),
    ("cause as list", edit("causes", 0, to=["x"]), r"causes\[1\]: expected 'key: value' lines, got a list"),
    ("cause as number", edit("causes", 0, to=3), r"causes\[1\]: expected 'key: value' lines, got a number"),
    ("cause as set", edit("causes", 0, to={1}), r"causes\[1\]: expected 'key: value' lines, got a set"),
    ("cause as nothing", edit("causes", 0, to=None), r"causes\[1\]: expected 'key: value' lines, got nothing"),
    ("unknown cause key", edit("causes", 0, "color", to=1), r"causes\[1\]: unknown key 'color'"),
    ("duplicate cause", edit("causes", 1, "id", to="product.colour"), r"causes\[2\]: the id 'product\.colour' is taken"),
    ("cause like driver", edit("causes", 1, "id", to="product"), r"the id 'product' is taken"),
    ("cause like stage", edit("causes", 1, "id", to="leave"), r"the id 'leave' is taken"),
    (
        "reserved id",
        edit("causes", 1, "id", to="unmapped"),
        r"causes\[2\]\.id: 'unmapped' cannot be an id; use lower-case.* not 'unmapped'",
    ),
    (
        "unknown driver",
        edit("causes", 0, "driver", to="prodct"),
        r"'product\.colour'\.driver: 'prodct' is not a known driver; known are product",
    ),
    ("unknown stage", edit("causes", 0, "stage", to="usage"), r"\.stage: 'usage' is not a known stage; known are use, leave"),
    ("unknown owner", edit("causes", 0, "owner", to="nobody"), r"\.owner: 'nobody' is not a known owner; known are makers"),
    ("missing owner", edit("causes", 0, "owner", to=None), r"'product\.colour': 'owner' is missing; choose one of makers"),
    ("missing names", edit("causes", 0, "names", to=None), r"causes\[1\]: 'names' is missing"),
    ("missing definitions", edit("causes", 0, "definitions", to=None), r"'definitions' is missing"),
    ("missing utterances", edit("causes", 0, "utterances", to=None), r"'utterances' is missing"),
    ("no utterance", edit("causes", 0, "utterances", "en", to=[]), r"utterances: no sentence for language 'en'"),
    ("missing language", edit("causes", 0, "utterances", to={"zh": ["太绿了"]}), r"utterances: language 'en' is missing"),
    ("no language", edit("names", to={}), r"names: no language"),
    ("bad language", edit("names", "English", to="x"), r"names: 'English' is not a language; use ISO 639-1"),
    ("truth value as key", edit("names", to={False: "Nei"}), r"names: the key False is a truth value, not text; put quotes"),
    ("blank text", edit("names", "en", to="  "), r"names\.en: the text is blank"),
    ("long text", edit("names", "en", to="x" * 401), r"names\.en: a text of 401 characters; shorten it to 400"),
    (
        "truth value as text",
        edit("causes", 0, "utterances", "en", to=[True]),
        r"utterances\.en\[1\]: expected text, got True, a truth value",
    ),
    ("urgent as text", edit("causes", 0, "urgent", to="yes"), r"urgent: expected true or false, got 'yes'"),
    (
        "parent without extends",
        edit("causes", 0, "parent", to="product.noise"),
        r"parent: 'product\.noise' is not a known cause of the pack ext",
    ),
    ("neighbour without contrast", edit("causes", 0, "confused_with", to=["product.noise"]), r"'contrast' go together"),
    ("same sentence", edit("causes", 1, "utterances", "en", to=["it is FAR too green!"]), r"same sentence stands in .*colour.*noise"),
    ("sentence also unmapped", edit("unmapped_utterances", "en", to=["It hums all night"]), r"same sentence stands in unmapped_utt"),
    ("no drivers", edit("drivers", to=None), r"pack: 'drivers' is missing; add 'drivers', or 'extends: default'"),
    ("no stages", edit("stages", to=None), r"pack: 'stages' is missing"),
    ("duplicate stage", edit("stages", 1, "id", to="use"), r"stages\[2\]: the id 'use' is taken"),
    ("unknown moment", edit("moments_of_truth", to=["birth"]), r"moments_of_truth\[1\]: 'birth' is not a known stage or cause; known are"),
    ("view of unknown cause", edit("views", 0, "members", "product.x", to="eye"), r"members\.product\.x: 'product\.x' is not a cause"),
    (
        "view of unknown dimension",
        edit("views", 0, "members", "product.noise", to="nose"),
        r"'nose' is not a known dimension; known are eye, ear",
    ),
    (
        "view leaves out a cause",
        edit("views", 0, "members", to={"product.noise": "ear"}),
        r"'product\.colour' has no dimension; give it one",
    ),
    ("unknown base", edit("extends", to="bakery"), r"extends: 'bakery' is not a shipped pack; known are default, ecommerce"),
    ("too many entries", edit("causes", to=[{}] * 2001), r"causes: 2001 entries; keep it to 2000"),
    ("too many keys", edit("names", to={str(number): "x" for number in range(2001)}), r"names: 2001 entries"),
)


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_parse_taxonomy_refuses_with_place_and_way_out(change: Callable[[dict[str, Any]], None], message: str) -> None:
    parse(minimal_pack())
    pack = minimal_pack()
    change(pack)
    with pytest.raises(TaxonomyError, match=message) as caught:
        parse(pack)
    assert str(caught.value).startswith("tiny.yaml: ")


REFUSED_REFINEMENTS: tuple[tuple[str, Callable[[dict[str, Any]], None], str], ...] = (
    ("no parent", edit("causes", 0, "parent", to=None), r"'gym\.crowding': 'parent' is missing; name the cause it rolls up to: product"),
    (
        "unknown parent",
        edit("causes", 0, "parent", to="process.magic"),
        r"parent: 'process\.magic' is not a known cause of the pack extended",
    ),
    ("other driver", edit("causes", 0, "driver", to="brand"), r"'process\.facility' belongs to driver 'process', not 'brand'; leave"),
    ("own drivers", edit("drivers", to=[{"id": "x", "names": {"en": "X"}}]), r"drivers: a pack that extends another one has its drivers"),
    ("taken owner", edit("owners", to=[{"id": "product", "names": {"en": "P"}}]), r"owners\[1\]: the id 'product' is taken"),
    ("taken view", edit("views", to=[{"id": "rater", "names": {"en": "R"}, "dimensions": [], "members": {}}]), r"the id 'rater' is taken"),
    ("taken cause", edit("causes", 0, "id", to="product.price"), r"the id 'product\.price' is taken"),
    (
        "own neighbour",
        lambda pack: pack["causes"][0].update(confused_with=["gym.crowding"], contrast=names("-x-")),
        r"is not another cause",
    ),
    ("inherited sentence", edit("causes", 0, "utterances", "en", to=["Website keeps timing out."]), r"process\.digital.*gym\.crowding"),
)


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in REFUSED_REFINEMENTS], ids=[case[0] for case in REFUSED_REFINEMENTS])
def test_parse_taxonomy_refuses_a_refinement_that_does_not_fit(change: Callable[[dict[str, Any]], None], message: str) -> None:
    parse(refinement())
    pack = refinement()
    change(pack)
    with pytest.raises(TaxonomyError, match=message):
        parse(pack)


def test_parse_taxonomy_refuses_a_saved_pack_whose_parents_go_in_circles() -> None:
    saved: Any = taxonomy_to_mapping(parse(minimal_pack()))
    saved["causes"][0]["parent"] = "product.noise"
    saved["causes"][1]["parent"] = "product.colour"
    with pytest.raises(TaxonomyError, match=r"parent: 'product\.\w+' cannot be the parent"):
        parse(saved)


def test_parse_taxonomy_does_not_repeat_an_utterance_in_its_error() -> None:
    pack = minimal_pack()
    pack["causes"][1]["utterances"]["en"] = ["It is far too green"]
    with pytest.raises(TaxonomyError) as caught:
        parse(pack)
    assert "green" not in str(caught.value)


def test_refinement_adds_owners_stages_moments_views_and_unmapped_sentences(default: Taxonomy) -> None:
    pack = refinement()
    pack["owners"] = [{"id": "coaches", "names": names("Coaches")}]
    pack["stages"] = [{"id": "trial", "names": names("Trial")}]
    pack["moments_of_truth"] = ["trial", "delivery"]
    pack["unmapped_utterances"] = {"en": ["I like turtles"], "fr": ["Bof"]}
    members = {cause.id: "all" for cause in default.causes}
    pack["views"] = [{"id": "one", "names": names("One"), "dimensions": [{"id": "all", "names": names("All")}], "members": members}]
    pack["causes"][0] |= {"owner": "coaches", "stage": "trial"}
    taxonomy = parse(pack)
    assert list(taxonomy.owners) == [*default.owners, "coaches"]
    assert list(taxonomy.stages) == [*default.stages, "trial"]
    assert taxonomy.moments_of_truth == (*default.moments_of_truth, "trial")
    assert taxonomy.unmapped_utterances["en"] == (*default.unmapped_utterances["en"], "I like turtles")
    assert taxonomy.unmapped_utterances["fr"] == ("Bof",)
    assert taxonomy.views[-1].members["gym.crowding"] == "all"
    assert is_moment_of_truth(taxonomy, "gym.crowding")


# ---------------------------------------------------------------- files


def test_load_taxonomy_reads_a_file_with_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + yaml.safe_dump(minimal_pack(), allow_unicode=True).encode())
    assert load_taxonomy(str(path)) == parse(minimal_pack())


def test_load_taxonomy_names_the_shipped_packs_when_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(
        TaxonomyError, match=r"'telecoms' cannot be read: No such file.*shipped pack: default, ecommerce, hospital, telecom"
    ):
        load_taxonomy("telecoms")
    with pytest.raises(TaxonomyError, match="cannot be read: Is a directory"):
        load_taxonomy(str(tmp_path))
    with pytest.raises(TaxonomyError, match="cannot be read: embedded null"):
        load_taxonomy("a\0b")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(f"b{n}: &b{n} [*a, *a, *a, *a, *a, *a, *a]" for n in range(9))

REFUSED_FILES: tuple[tuple[str, bytes, str], ...] = (
    ("bomb", BOMB.encode(), r"bad\.yaml: line 1: anchors \(&\) and aliases \(\*\) are not read"),
    ("alias", b"id: *x", r"line 1: "),
    ("recursion", b"id: tiny\ncauses: &c [*c]", r"line 2: anchors"),
    ("deep", b"[" * 500, r"line 1: nested more than 12 levels deep; flatten it"),
    ("deeper than libyaml 0.2.6 reads", b"[" * 5000, r"line 1: (nested more than 12 levels deep|exceeded maximum nesting depth)"),
    ("python tag", b"id: !!python/object/apply:os.getcwd []", r"line 1: could not determine a constructor"),
    ("key twice", b"id: a\nnames: {en: A}\nid: b\n", r"line 3: the key 'id' is written twice"),
    ("unclosed", b"id: 'a\n", r"line \d: .*quote texts that hold ': '"),
    ("colon in text", b"id: a\nnames: one: two\n", r"line 2: "),
    ("mapping as key", b"{a: 1}: x\n", r"found unhashable key"),
    ("impossible date", b"version: 2024-02-31\n", r"not YAML \(ValueError\); quote numbers, dates"),
    ("control character", b"id: a\x07b\n", r"not YAML \(ReaderError\)|line \d: control characters"),
    ("not UTF-8", "names: {zh: 通用}".encode("gb18030"), r"not UTF-8 \(byte 14\); save the file as UTF-8"),
    ("too large", b"#" * 2_000_001, r"larger than 2000000 bytes; shorten the pack"),
    ("empty", b"", r"no 'key: value' lines at the top"),
    ("a list", b"- a\n- b\n", r"no 'key: value' lines at the top"),
)


@pytest.mark.parametrize(("content", "message"), [case[1:] for case in REFUSED_FILES], ids=[case[0] for case in REFUSED_FILES])
def test_load_taxonomy_refuses_a_file_that_is_no_plain_yaml(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(TaxonomyError, match=message) as caught:
        load_taxonomy(str(path))
    assert str(caught.value).startswith("bad.yaml: ")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_load_taxonomy_raises_nothing_but_taxonomy_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.yaml"
    path.write_bytes(content)
    with pytest.raises(TaxonomyError):
        load_taxonomy(str(path))


def test_docs_example_is_a_pack_that_loads() -> None:
    page = (Path(__file__).parents[1] / "docs" / "taxonomy.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    taxonomy = parse_taxonomy(yaml.safe_load(example[1]), source="docs")
    assert roll_up(taxonomy, "gym.crowding") == "process.facility"
