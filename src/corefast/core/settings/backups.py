"""Makes backups of an account, and makes an account of a backup."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from corefast.address import canonical_number
from corefast.core.context import Context, Process
from corefast.core.ids import ID_KEY_BYTES
from corefast.core.settings import application
from corefast.core.settings.backup import Kept, KeptWebhook, check_password, open_sealed, seal
from corefast.core.settings.profile import check_business
from corefast.core.store.deliveries import DeliveryStore
from corefast.core.store.keys import PHASE_REGISTERED, AccountRow, KeyStore
from corefast.core.store.lease import Floors
from corefast.core.store.settings import SettingStore
from corefast.core.store.span import Span
from corefast.endpoint.stock import OwnKeys
from corefast.errors import BackupInvalid, NumberInvalid, ParameterInvalid, SnapshotInvalid
from corefast.native.secret import wipe
from corefast.store.database import Unit
from corefast.wire.settings import BackupMade, BusinessProfile, MakeBackup, Provider, RestoreBackup
from corefast.wire.webhook import Webhook

RESTORED = "restored"
"""Set until the restored account has taken its place at the relay, by force."""

_KEPT = ("application", "providers", "profile.about", "profile.business", "profile.compliance", "webhook.replaced")
LINK_KEY_BYTES = 32
_room = asyncio.Semaphore(1)
"""One password at a time: each takes 64 MiB."""


class Backups:
    """Serves `MakeBackup` of one account."""

    def __init__(self, context: Context, account: AccountRow, store: SettingStore) -> None:
        self._context = context
        self._account = account
        self._store = store

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {MakeBackup: self.make}

    async def make(self, request: MakeBackup) -> BackupMade:
        check_password(request.password)
        context = self._context
        found = {name: await self._store.load(context.account, name) for name in _KEPT}
        settings = {name: value for name, value in found.items() if value is not None}
        webhook = await context.deliveries.load_webhook()
        kept_webhook = KeptWebhook(webhook.url, webhook.secret, webhook.statuses) if webhook else None
        own_keys = context.own.encode_account()
        kept = Kept(context.number, 1, own_keys, self._account.link_key, settings, kept_webhook)
        try:
            async with _room:
                return BackupMade(await asyncio.to_thread(seal, kept, request.password, context.random))
        finally:
            del kept
            wipe(own_keys)


async def read_backup(request: RestoreBackup) -> Kept:
    """Return what the backup holds; raise `BackupInvalid` or `ParameterInvalid`."""
    check_password(request.password)
    async with _room:
        kept = await asyncio.to_thread(open_sealed, request.data, request.password)
    if kept.shards != 1:
        raise ParameterInvalid(f"the backup is of an account in {kept.shards} shards; this one has 1")
    _check(kept)
    return kept


def _check(kept: Kept) -> None:
    """Raise `BackupInvalid` for what would be stored and then stop the core at each start."""
    try:
        if canonical_number(kept.number) != kept.number or len(kept.link_key) != LINK_KEY_BYTES:
            raise ParameterInvalid("not as we write it")
        application.decode(kept.settings.get("application", b"{}"))
        msgspec.json.decode(kept.settings.get("providers", b"[]"), type=list[Provider])
        check_business(msgspec.json.decode(kept.settings.get("profile.business", b"{}"), type=BusinessProfile))
    except (NumberInvalid, ParameterInvalid, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BackupInvalid("the backup holds a number, a key or settings that cannot be") from None


async def restore_account(process: Process, keys: KeyStore, store: SettingStore, kept: Kept) -> AccountRow:
    """Make the account of a backup, durable: the same at the relay, with new prekeys, and ids that nobody has seen."""
    try:
        before = OwnKeys.restore(kept.own_keys, [])
    except SnapshotInvalid:
        raise BackupInvalid("the backup's keys are damaged") from None
    own = OwnKeys.new(process.random, before.identity)
    own.registration_id = before.registration_id
    row = AccountRow(kept.number, PHASE_REGISTERED, own.encode_account(), kept.link_key, process.random(ID_KEY_BYTES))
    unit, span = Unit(), Span(keys.account, process.shard)
    keys.create(unit, row)
    Floors(process.database, span).create(unit)
    for name in kept.settings.keys() & set(_KEPT):
        store.put(unit, keys.account, name, kept.settings[name])
    if kept.webhook is not None:
        webhook = Webhook(kept.webhook.url, kept.webhook.secret, kept.webhook.statuses)
        DeliveryStore(process.database, process.vault, span).put_webhook(unit, webhook)
    store.put(unit, keys.account, RESTORED, b"1")
    await process.database.commit(unit)
    return row
