"""Causes fitted on sentences and on labelled comments: what a label may mean teaches, what it cannot mean does not."""

from collections.abc import Sequence

import numpy as np
import pytest

from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.errors import TaxonomyError
from feedback_miner.stages.causes import UNMAPPED, score_causes, taxonomy_utterances
from feedback_miner.stages.space import align_vectors
from feedback_miner.taxonomy import Taxonomy, load_taxonomy, parse_taxonomy
from feedback_miner.training.cause_head import Gold, fit_cause_head, read_crosswalk, read_gold, score_gold
from feedback_miner.training.sets import LabelledSet

MEANS = {"und": np.zeros(TinyEmbedder.dimensions, np.float32)}
SENTENCES = {
    "late": ["the parcel came late", "delivery took too long", "two weeks late again"],
    "rude": ["the staff were rude", "she shouted at me", "rude people on the phone"],
    "dear": ["far too expensive", "the price went up again", "not worth the price"],
}
encode = TinyEmbedder().encode


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    named = {"names": {"en": "It"}}
    causes = [
        {
            "id": cause,
            "driver": "all",
            "stage": "use",
            "owner": "us",
            **named,
            "aspects": {"en": cause},
            "definitions": {"en": "It is."},
            "utterances": {"en": said},
        }
        for cause, said in SENTENCES.items()
    ]
    pack = {"id": "small", "version": "1", **named, "drivers": [{"id": "all", **named}], "stages": [{"id": "use", **named}]}
    pack |= {"owners": [{"id": "us", **named}], "causes": causes, "unmapped_utterances": {"en": ["hello there", "nothing in particular"]}}
    return parse_taxonomy(pack, source="small")


def gold(label: str, causes: Sequence[str], *texts: str) -> list[Gold]:
    return [Gold("theirs", label, text, "en", frozenset(causes)) for text in texts]


def likeliest(columns: Sequence[str], weights: np.ndarray, *texts: str) -> list[str]:
    rows = score_causes(align_vectors(encode(texts), texts, ["en"] * len(texts), MEANS), weights)
    return [columns[at] for at in rows[:, :-1].argmax(axis=1)]


def test_without_labelled_comments_sentences_are_told_apart(taxonomy: Taxonomy) -> None:
    columns, weights = fit_cause_head(taxonomy, [], encode, MEANS)
    assert columns == ("dear", "late", "rude", UNMAPPED)
    for cause, _, text in taxonomy_utterances(taxonomy):
        rows = score_causes(align_vectors(encode([text]), [text], ["en"], MEANS), weights)
        assert columns[rows[0].argmax()] == cause


def test_a_label_teaches_words_that_no_sentence_has(taxonomy: Taxonomy) -> None:
    labelled = gold("Verspaetung", ["late"], *(f"zug steht seit {number} stunden am gleis" for number in range(30)))
    columns, weights = fit_cause_head(taxonomy, labelled, encode, MEANS)
    assert likeliest(columns, weights, "unser zug steht am gleis", "rude staff", "too expensive") == ["late", "rude", "dear"]


def test_a_label_of_two_meanings_is_taken_for_the_likelier(taxonomy: Taxonomy) -> None:
    labelled = gold("Ware", ["late", "dear"], *(f"expensive price of article {number}" for number in range(30)))
    columns, weights = fit_cause_head(taxonomy, labelled, encode, MEANS)
    assert likeliest(columns, weights, "expensive article", "late parcel") == ["dear", "late"]
    assert score_gold(labelled, columns, weights, encode, MEANS) == {"theirs": {"right": 1.0, "n": 30}}


def test_a_refined_cause_is_among_what_its_parent_may_mean() -> None:
    telecom = load_taxonomy("telecom")
    part = next(cause for cause in telecom.causes if cause.parent == "product.reliability")
    (text, *_) = part.utterances["en"]
    labelled = gold("Stoerung", ["product.reliability"], *([text] * 60))
    columns, weights = fit_cause_head(telecom, labelled, encode, MEANS)
    assert likeliest(columns, weights, text) == [part.id]


def test_a_cause_that_the_taxonomy_lacks_is_an_error(taxonomy: Taxonomy) -> None:
    with pytest.raises(TaxonomyError, match="'wrong', which is no cause of taxonomy 'small'"):
        fit_cause_head(taxonomy, gold("x", ["wrong"], "anything"), encode, MEANS)


def test_the_crosswalk_names_causes_of_the_default_pack() -> None:
    known = {cause.id for cause in load_taxonomy("default").causes}
    crosswalk = read_crosswalk()
    assert len(crosswalk) >= 5
    for _, causes_of in crosswalk.values():
        assert all(causes and causes <= known for causes in causes_of.values())


def test_gold_is_comments_of_one_known_label_and_few_opinions() -> None:
    rows = (
        {"text": "The parcel was thrown over the fence.", "negativereason": "Lost Luggage"},
        {"text": "Lost and late.", "negativereason": "Lost Luggage|Late Flight"},
        {"text": "I cannot say.", "negativereason": "Can't Tell"},
        {"text": "No label here.", "negativereason": ""},
        {"text": "One thing. Another thing. A third thing. And a fourth thing.", "negativereason": "Lost Luggage"},
        {"text": "  ", "negativereason": "Lost Luggage"},
        {"text": "Kept for validation.", "negativereason": "Lost Luggage"},
    )
    sets = {"airline_tweets": LabelledSet("airline_tweets", rows, (False,) * 6 + (True,))}
    (only,) = read_gold(sets, validation=False)
    assert (only.source, only.label, only.language) == ("airline_tweets", "Lost Luggage", "en")
    assert only.causes == {"process.delivery"}
    assert [one.text for one in read_gold(sets, validation=True)] == ["Kept for validation."]
