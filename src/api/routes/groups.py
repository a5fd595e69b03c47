"""/v1/groups: found groups, look at them, and change those that are ours."""

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import NUMBER_EXAMPLE, MetaAnswer
from api.shapes import groups as shapes
from corefast.wire.gateway import Scope
from corefast.wire.group import ChangeGroup, GetGroup, GroupList, GroupView, ListGroups, NewGroup


class Groups:
    """The collection, its members, and who is in one."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._new_body = JsonBody(shapes.NewGroupRequest)
        self._subject_body = JsonBody(shapes.SubjectRequest)
        self._participants_body = JsonBody(shapes.ParticipantsRequest)
        self.collection = Resource("v1.groups", V1, GET=self._list, POST=self._found)
        self.member = Resource("v1.groups.id", V1, GET=self._get, PUT=self._rename)
        self.participants = Resource("v1.groups.participants", V1, POST=self._add, DELETE=self._remove)

    async def _list(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.READ)
        found = await self._core.call(ListGroups(caller.account), GroupList)
        return answer_json(200, shapes.GroupNames([shapes.GroupName(each) for each in found.ids]))

    async def _found(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.SEND)
        wanted: shapes.NewGroupRequest = self._new_body.decode(await request.body())
        made = await self._core.call(NewGroup(caller.account, wanted.subject, wanted.participants), GroupView)
        return answer_json(201, shapes.GroupsMade([shapes.GroupMade(made.id, made.made_ms // 1_000)]))

    async def _get(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.READ)
        group = await self._core.call(GetGroup(caller.account, request.path["id"]), GroupView)
        told = shapes.Group([group.founder], group.made_ms // 1_000, group.founder, group.members, group.subject)
        return answer_json(200, shapes.GroupAnswer([told]))

    async def _rename(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.SEND)
        wanted: shapes.SubjectRequest = self._subject_body.decode(await request.body())
        return await self._change(ChangeGroup(caller.account, request.path["id"], wanted.subject))

    async def _add(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.SEND)
        wanted: shapes.ParticipantsRequest = self._participants_body.decode(await request.body())
        return await self._change(ChangeGroup(caller.account, request.path["id"], add=wanted.wa_ids))

    async def _remove(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.SEND)
        wanted: shapes.ParticipantsRequest = self._participants_body.decode(await request.body())
        return await self._change(ChangeGroup(caller.account, request.path["id"], remove=wanted.wa_ids))

    async def _change(self, change: ChangeGroup) -> Answer:
        await self._core.call(change, GroupView)
        return answer_json(200, MetaAnswer())


_OF_GROUP = ("group.missing", "group.not_joined")
_OF_CHANGE = (*_OF_GROUP, "group.not_ours", "group.invalid", "number.invalid")

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/groups",
        id="listGroups",
        tag="groups",
        summary="The groups that this number is in",
        answer=shapes.GroupNames,
        errors=(*CALLER, *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/groups",
        id="foundGroup",
        tag="groups",
        summary="Found a group and tell its members",
        request=shapes.NewGroupRequest,
        example={"subject": "Regulars", "participants": [NUMBER_EXAMPLE]},
        answer=shapes.GroupsMade,
        status=201,
        note="Durable; the members are told.",
        errors=(*CALLER, *BODY, "group.invalid", "number.invalid", *AWAY),
    ),
    Operation(
        method="GET",
        path="/v1/groups/{id}",
        id="getGroup",
        tag="groups",
        summary="One group: its subject, its founder and who is in it",
        answer=shapes.GroupAnswer,
        errors=(*CALLER, *_OF_GROUP, *AWAY),
    ),
    Operation(
        method="PUT",
        path="/v1/groups/{id}",
        id="renameGroup",
        tag="groups",
        summary="Give a group that this number founded another subject",
        request=shapes.SubjectRequest,
        example={"subject": "Regulars"},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *_OF_CHANGE, *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/groups/{id}/participants",
        id="addParticipants",
        tag="groups",
        summary="Add members to a group that this number founded",
        request=shapes.ParticipantsRequest,
        example={"wa_ids": [NUMBER_EXAMPLE]},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *_OF_CHANGE, *AWAY),
    ),
    Operation(
        method="DELETE",
        path="/v1/groups/{id}/participants",
        id="removeParticipants",
        tag="groups",
        summary="Remove members from a group that this number founded",
        request=shapes.ParticipantsRequest,
        example={"wa_ids": [NUMBER_EXAMPLE]},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *_OF_CHANGE, *AWAY),
    ),
)
