"""The gateway's messages about groups; what is sent to one is a `Send`."""

import msgspec


class ListGroups(msgspec.Struct, frozen=True, array_like=True, tag=105):
    """→ `GroupList`: the groups that the account is in."""

    account: str


class GroupList(msgspec.Struct, frozen=True, array_like=True, tag=106):
    ids: list[str]


class GetGroup(msgspec.Struct, frozen=True, array_like=True, tag=107):
    """→ `GroupView`. Errors: `group.missing`, `group.not_joined`."""

    account: str
    id: str


class GroupView(msgspec.Struct, frozen=True, array_like=True, tag=108):
    """*members* are everybody, the founder first; *id* as clients see it."""

    id: str
    made_ms: int
    founder: str
    subject: str
    members: list[str]


class NewGroup(msgspec.Struct, frozen=True, array_like=True, tag=109):
    """→ `GroupView`, once it is durable that the members will be told. Numbers in any spelling.

    Errors: `parameter.missing`, `parameter.invalid`, `number.invalid`, `group.invalid`, `overloaded`, `store…`.
    """

    account: str
    subject: str
    members: list[str] = []


class ChangeGroup(msgspec.Struct, frozen=True, array_like=True, tag=110):
    """→ `GroupView`, as `NewGroup`; *subject* None: it stays. Who is in the group already may be added once more.

    Errors: those of `NewGroup`, `group.missing`, `group.not_ours`, and `group.not_joined` for one who is not in it.
    """

    account: str
    id: str
    subject: str | None = None
    add: list[str] = []
    remove: list[str] = []


Message = ListGroups | GroupList | GetGroup | GroupView | NewGroup | ChangeGroup
