"""Opens an account: its keys, made on the first start, and where its tables have come to."""

from collections.abc import Callable

from corefast.core.context import Bell, Context, Sequence
from corefast.core.ids import ID_KEY_BYTES, Ids
from corefast.core.store.deliveries import DeliveryStore
from corefast.core.store.events import EventStore
from corefast.core.store.idempotency import IdempotencyStore
from corefast.core.store.inbound import InboundStore
from corefast.core.store.keys import PHASE_NEW, AccountRow, KeyStore
from corefast.core.store.lease import Lease
from corefast.core.store.messages import MessageStore
from corefast.core.store.peers import PeerStore
from corefast.core.store.resend import ResendStore
from corefast.endpoint.resend import Book
from corefast.endpoint.stock import OwnKeys
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SetupError, SnapshotInvalid
from corefast.native.secret import wipe
from corefast.protocol.keys import KeyPair
from corefast.store.database import Database, Unit

Random = Callable[[int], bytes]


async def open_context(
    database: Database, vault: Vault, number: str, shard: int, clock: Callable[[], int], random: Random
) -> tuple[Context, AccountRow]:
    """Take the lease and return the account; raise `SetupError` where the folder belongs to another one."""
    lease = Lease(database, shard)
    await lease.take()
    keys = KeyStore(database, vault)
    account, own = await _open_account(database, keys, number, random)
    messages, peers = MessageStore(database, vault), PeerStore(database, vault)
    inbound, events = InboundStore(database, vault), EventStore(database, vault, clock)
    events.last = max(await events.last_id(), lease.event_floor)
    floor = shard << 48
    context = Context(
        number=number,
        shard=shard,
        own=own,
        ids=Ids(account.id_key),
        clock=clock,
        random=random,
        bell=Bell(),
        database=database,
        lease=lease,
        keys=keys,
        peers=peers,
        messages=messages,
        inbound=inbound,
        events=events,
        deliveries=DeliveryStore(database, vault, shard),
        idempotency=IdempotencyStore(database),
        resends=ResendStore(database, vault),
        book=Book(0),
        next_message=Sequence(max(await messages.last_id(), lease.message_floor)),
        next_peer=Sequence(max(await peers.last_id(), floor)),
        next_inbound=Sequence(max(await inbound.last_id(), floor)),
    )
    return context, account


async def _open_account(database: Database, keys: KeyStore, number: str, random: Random) -> tuple[AccountRow, OwnKeys]:
    try:
        account = await keys.load()
        if account is None:
            return await _make_account(database, keys, number, random)
        if account.number != number:
            raise SetupError("--number: the data folder belongs to another number; choose another folder")
        own = OwnKeys.restore(account.own_keys, await keys.load_prekeys())
        wipe(account.own_keys)
        return account, own
    except (SealBroken, SnapshotInvalid) as error:
        raise SetupError(
            f"the account's keys cannot be opened: {error}. Put its own master key file in place, or restore a backup"
        ) from None


async def _make_account(database: Database, keys: KeyStore, number: str, random: Random) -> tuple[AccountRow, OwnKeys]:
    own = OwnKeys.new(random)
    link_key = KeyPair.generate(random).private
    account = AccountRow(number, PHASE_NEW, own.encode_account(), link_key, random(ID_KEY_BYTES))
    unit = Unit()
    keys.create(unit, account)
    wipe(account.own_keys)
    await database.commit(unit)
    return account, own
