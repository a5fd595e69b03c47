"""The shapes of /v1/groups."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.schema import META, NUMBER_EXAMPLE, AnswerMeta
from corefast.limits import MAX_GROUP_MEMBERS, MAX_SUBJECT_CHARACTERS

GROUP_EXAMPLE = "t8a0F0oSRQC3V0bVbYkqgA"

Subject = Annotated[str, Meta(description=f"1 to {MAX_SUBJECT_CHARACTERS} printable characters", examples=["Regulars"])]
Numbers = Annotated[
    list[str],
    Meta(
        description=f"Numbers in any spelling; a group has at most {MAX_GROUP_MEMBERS} besides its founder.",
        examples=[[NUMBER_EXAMPLE]],
    ),
]


class NewGroupRequest(msgspec.Struct, frozen=True):
    subject: Subject
    participants: Numbers = []


class SubjectRequest(msgspec.Struct, frozen=True):
    subject: Subject


class ParticipantsRequest(msgspec.Struct, frozen=True):
    wa_ids: Numbers


class GroupName(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(description="The `to` of messages to it.", examples=[GROUP_EXAMPLE])]


class GroupNames(msgspec.Struct, frozen=True):
    """The groups that this number is in, the oldest first."""

    groups: list[GroupName]
    meta: AnswerMeta = META


class GroupMade(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(examples=[GROUP_EXAMPLE])]
    creation_time: Annotated[int, Meta(description="Unix seconds.", examples=[1900000000])]


class GroupsMade(msgspec.Struct, frozen=True):
    groups: list[GroupMade]
    meta: AnswerMeta = META


class Group(msgspec.Struct, frozen=True):
    admins: Annotated[list[str], Meta(description="The founder: only he changes the group.")]
    creation_time: Annotated[int, Meta(description="Unix seconds: when it was founded, or we heard of it first.")]
    creator: Annotated[str, Meta(examples=[NUMBER_EXAMPLE])]
    participants: Annotated[list[str], Meta(description="Everybody, this number and the founder included.")]
    subject: Subject


class GroupAnswer(msgspec.Struct, frozen=True):
    groups: list[Group]
    meta: AnswerMeta = META
