"""/v1/settings/backup and /restore: an account to take elsewhere."""

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from api.shapes.settings import BackupAnswer, BackupData, BackupRequest, RestoreRequest
from corefast.limits import MAX_BACKUP_BYTES
from corefast.wire.gateway import Scope
from corefast.wire.settings import BackupMade, MakeBackup, RestoreBackup, Restored


class Backup:
    """For administrators."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._backup_body = JsonBody(BackupRequest)
        self._restore_body = JsonBody(RestoreRequest)
        self.backup = Resource("v1.settings.backup", V1, POST=self._make)
        self.restore = Resource("v1.settings.restore", V1, POST=self._restore)

    async def _make(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: BackupRequest = self._backup_body.decode(await request.body())
        made = await self._core.call(MakeBackup(caller.account, wanted.password), BackupMade)
        return answer_json(200, BackupAnswer(BackupData(made.data)))

    async def _restore(self, request: Request) -> Answer:
        caller = await self._keys.require_administrator(request)
        wanted: RestoreRequest = self._restore_body.decode(await request.body(2 * MAX_BACKUP_BYTES))
        await self._core.call(RestoreBackup(caller.account, wanted.password, wanted.data), Restored)
        return answer_json(200, MetaAnswer())


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/settings/backup",
        id="backup",
        tag="settings",
        summary="The account's keys, settings and profile, encrypted under a password (administrators)",
        request=BackupRequest,
        example={"password": "Correct-Horse-1"},
        answer=BackupAnswer,
        errors=(*CALLER, *BODY, *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/settings/restore",
        id="restore",
        tag="settings",
        summary="Become the account of a backup, which is cut off elsewhere (the administrator)",
        request=RestoreRequest,
        example={"password": "Correct-Horse-1", "data": "Y29yZWZhc3Q…"},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, "backup.invalid", "account.registered", *AWAY),
    ),
)
