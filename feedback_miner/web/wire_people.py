"""The shapes of people, their links and their sessions."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from feedback_miner.web.passwords import LONGEST, SHORTEST
from feedback_miner.web.wire import Id, In, Moment, Text

__all__ = [
    "AcceptIn",
    "InvitationOut",
    "InvitedOut",
    "PasswordIn",
    "PersonChangeIn",
    "PersonIn",
    "PersonOut",
    "SessionOut",
    "SignInIn",
]

PersonName = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
NewPassword = Annotated[Text, Field(min_length=SHORTEST, max_length=LONGEST)]
Role = Literal["viewer", "analyst", "admin"]
Grants = Annotated[dict[Id, Role], Field(max_length=1_000)]


class PersonIn(In):
    """Somebody who is to sign in."""

    name: PersonName
    role: Role | None = Field(None, description="In every project; without, only where granted.")
    grants: Grants = Field(default_factory=dict, description="Roles in single projects, by project.")


class PersonChangeIn(In):
    """What a person may from now on; what is left out stays."""

    role: Role | None = Field(None, description="In every project; null: only where granted.")
    grants: Grants | None = Field(None, description="Roles in single projects, by project, in the place of all before.")


class PersonOut(BaseModel):
    """A person."""

    id: str
    name: str
    role: Role | None
    grants: dict[str, Role]
    has_password: bool = Field(description="False until they have used their one-time link.")
    created_at: Moment
    last_seen_at: Moment | None


class InvitationOut(BaseModel):
    """A one-time link, shown this once."""

    token: str
    link: str = Field(description="For people; the token is behind its #.")
    expires_at: Moment


class InvitedOut(PersonOut):
    """A new person, with their one-time link."""

    invitation: InvitationOut


class SignInIn(In):
    """Who somebody is."""

    name: PersonName
    password: Text = Field(max_length=LONGEST)


class AcceptIn(In):
    """A password, and the token of the one-time link that allows to set it."""

    token: str = Field(max_length=120)
    password: NewPassword


class PasswordIn(In):
    """Another password."""

    current: Text = Field(max_length=LONGEST)
    password: NewPassword


class SessionOut(BaseModel):
    """Who asks."""

    id: str = Field(description="Of a person or a key; what the audit calls them.")
    name: str
    role: Role | None = Field(description="A person's, in every project.")
    grants: dict[str, Role] = Field(description="A person's roles in single projects.")
    scopes: list[str] = Field(description="Held in every project.")
    projects: dict[str, list[str]] = Field(description="Scopes held in single projects.")
    csrf_token: str | None = Field(description="To be sent as X-CSRF-Token with a session's changes; null for a key, which needs none.")
    expires_at: Moment | None = Field(description="When the session ends at the latest; null for a key.")
