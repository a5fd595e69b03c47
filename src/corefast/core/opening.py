"""Opens a core's database and the accounts in it: their keys, and where their tables have come to."""

from collections.abc import Callable

from corefast.core.context import Bell, Context, Process, Sequence
from corefast.core.group.book import Groups
from corefast.core.ids import ID_KEY_BYTES, Ids
from corefast.core.store.deliveries import DeliveryStore
from corefast.core.store.events import EventStore
from corefast.core.store.group_messages import GroupMessageStore
from corefast.core.store.groups import GroupStore
from corefast.core.store.idempotency import IdempotencyStore
from corefast.core.store.inbound import InboundStore
from corefast.core.store.keys import PHASE_NEW, AccountRow, KeyStore
from corefast.core.store.lease import Floors, Lease
from corefast.core.store.media import MediaStore
from corefast.core.store.messages import MessageStore
from corefast.core.store.peers import PeerStore
from corefast.core.store.resend import ResendStore
from corefast.core.store.span import FIRST_ACCOUNT, Span
from corefast.endpoint.resend import Book
from corefast.endpoint.stock import OwnKeys
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SetupError, SnapshotInvalid
from corefast.native.secret import wipe
from corefast.protocol.keys import KeyPair
from corefast.store.database import Database, Unit

Random = Callable[[int], bytes]


async def open_process(
    database: Database, vault: Vault, shard: int, clock: Callable[[], int], random: Random
) -> Process:
    """Take the lease: from here on this process writes, and an earlier one does not."""
    lease = Lease(database, shard)
    await lease.take()
    last_peer = await PeerStore(database, vault, FIRST_ACCOUNT).last_id()
    return Process(
        shard=shard,
        clock=clock,
        random=random,
        database=database,
        vault=vault,
        lease=lease,
        next_peer=Sequence(max(last_peer, Span(FIRST_ACCOUNT, shard).floor)),
    )


async def open_context(process: Process, keys: KeyStore, row: AccountRow) -> Context:
    """Return an account; raise `SetupError` where its keys cannot be opened."""
    span = Span(keys.account, process.shard)
    stores = process.database, process.vault
    messages, inbound = MessageStore(*stores, span), InboundStore(*stores, span)
    events = EventStore(*stores, span, process.clock)
    floors = Floors(process.database, span)
    await floors.load()
    events.last = max(await events.last_id(), floors.event)
    return Context(
        number=row.number,
        span=span,
        own=await _open_own(keys, row),
        ids=Ids(row.id_key),
        clock=process.clock,
        random=process.random,
        bell=Bell(),
        database=process.database,
        vault=process.vault,
        lease=process.lease,
        floors=floors,
        keys=keys,
        peers=PeerStore(*stores, span.account),
        messages=messages,
        inbound=inbound,
        events=events,
        deliveries=DeliveryStore(*stores, span),
        idempotency=IdempotencyStore(process.database, span.account),
        resends=ResendStore(*stores, span.account),
        book=Book(0),
        media=MediaStore(*stores, span.account),
        groups=Groups(GroupStore(*stores, span.account)),
        said=GroupMessageStore(*stores, span),
        next_message=Sequence(max(await messages.last_id(), floors.message)),
        next_peer=process.next_peer,
        next_inbound=Sequence(max(await inbound.last_id(), span.floor)),
    )


async def load_account(keys: KeyStore) -> AccountRow | None:
    """Return the account's row, None where there is none; raise `SetupError` under another master key."""
    try:
        return await keys.load()
    except SealBroken as error:
        raise _unopened(error) from None


async def _open_own(keys: KeyStore, row: AccountRow) -> OwnKeys:
    try:
        own = OwnKeys.restore(row.own_keys, await keys.load_prekeys())
    except SnapshotInvalid as error:
        raise _unopened(error) from None
    wipe(row.own_keys)
    return own


def _unopened(error: Exception) -> SetupError:
    return SetupError(
        f"the account's keys cannot be opened: {error}. Put its own master key file in place, or restore a backup"
    )


async def make_account(process: Process, keys: KeyStore, number: str) -> AccountRow:
    """Make an account's keys, durable before anybody hears of them."""
    own = OwnKeys.new(process.random)
    link_key = KeyPair.generate(process.random).private
    row = AccountRow(number, PHASE_NEW, own.encode_account(), link_key, process.random(ID_KEY_BYTES))
    unit = Unit()
    keys.create(unit, row)
    Floors(process.database, Span(keys.account, process.shard)).create(unit)
    await process.database.commit(unit)
    return row
