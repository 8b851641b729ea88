"""The shapes of cases."""

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from feedback_miner.store.cases import Outcome, State
from feedback_miner.web.wire import In, Moment, Name, Text

__all__ = ["CaseChangeIn", "CaseIn", "CaseOut"]

OpinionId = Annotated[str, Field(max_length=80, pattern=r"^\w[\w.-]*\.\d{1,9}#\d{1,9}$", description="As lists of opinions name it.")]
Note = Annotated[Text, Field(max_length=2_000, description="For colleagues; personal data in it is replaced.")]


class CaseIn(In):
    """An opinion whose customer somebody will follow up with."""

    opinion: OpinionId
    owner: Name | None = Field(None, description="Who follows up.")
    due: date | None = None
    note: Note = ""


class CaseChangeIn(In):
    """What changes in a case; what is left out stays. To close it takes an ``outcome``, which goes when it is opened again."""

    state: State | None = None
    outcome: Outcome | None = None
    owner: Name | None = Field(None, description="null: nobody any more.")
    due: date | None = Field(None, description="null: no day any more.")
    note: Note | None = None

    @model_validator(mode="after")
    def _closes_with_an_outcome(self) -> Self:
        if (self.state == "closed") != (self.outcome is not None):
            raise ValueError("state closed and an outcome go together: resolved, unreachable or no_action")
        return self

    def values(self) -> dict[str, object]:
        """Return what changes."""
        named = self.model_dump(include=self.model_fields_set & {"owner", "due"})
        if self.state is not None:
            named |= {"state": self.state, "outcome": self.outcome}
        return named if self.note is None else named | {"note": self.note}


class CaseOut(BaseModel):
    """A response that is followed up, and what the customer said."""

    id: int
    opinion: str
    text: str
    customer: str | None = Field(description="As in the upload where that is no personal data, else their pseudonym.")
    score: float | None
    created_at: str | None = Field(description="Of the response, as uploaded: ISO 8601, of no known zone.")
    channel: str | None
    state: State
    outcome: Outcome | None
    owner: str | None
    due: date | None
    note: str
    version: int = Field(description="For If-Match.")
    opened_by: str
    opened_at: Moment
    changed_at: Moment
    closed_at: Moment | None
