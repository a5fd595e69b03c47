"""Items of the mailbox become rows, all of a delivery in one commit; only then are they acked.

Nothing is decrypted twice and nothing is lost: an item whose (sender, id) is stored is passed over, one that cannot
be decrypted is stored as such.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from corefast.address import canonical_number
from corefast.device.bounds import check_received
from corefast.device.directory import KnownPeer
from corefast.device.event import (
    Event,
    GroupChanged,
    IdentityNews,
    MessageReceived,
    MessageSent,
    ReadElsewhere,
    Stored,
    Unreadable,
)
from corefast.device.group import KnownGroup, News
from corefast.device.membership import Membership
from corefast.device.name import ID_BYTES
from corefast.device.profile import Profile
from corefast.device.progress import Progress
from corefast.device.repair import Repair
from corefast.device.store.inbox import InboxRow, What
from corefast.device.store.outbox import OutboxRow
from corefast.endpoint.cipher import Correspondent, Opened, identity_in
from corefast.endpoint.group import check_tag, derive_post_id
from corefast.endpoint.stock import KeyKind
from corefast.endpoint.trust import Trust
from corefast.errors import CallerError, ContentMalformed, CorefastError, GroupUnknown, IdentityChanged
from corefast.logs import get_logger, log_crash
from corefast.store.database import Unit
from corefast.wire.body import Saying
from corefast.wire.content import (
    Content,
    GroupLeave,
    GroupNews,
    GroupTag,
    Read,
    ResendRequest,
    Sent,
    Unsupported,
    decode_content,
    read_content,
)
from corefast.wire.messages import Item, Kind

log = get_logger()

FAILED_CODE = "message.undelivered"
"""Why the relay failed a message: its recipient's number went to somebody else before it was fetched."""

_TIME_LIMIT_MS = 2**52
"""An author's clock beyond this is no clock, and would not fit a column."""

_CIPHERTEXTS = (Kind.WHISPER, Kind.PREKEY, Kind.SENDER_KEY)


class Delivery:
    """One unit of received items."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._unit = Unit()
        self._progress = Progress(profile.outbox, self._unit)
        self._repair = Repair(profile, self._unit)
        self._members = Membership(profile, self._unit)
        self._known: set[tuple[str, bytes]] = set()
        self._peers: dict[str, KnownPeer] = {}
        self._reads: list[ReadElsewhere] = []

    @property
    def dropped(self) -> list[bytes]:
        """After `take`: messages of ours that failed here and must not be sent any more."""
        return self._progress.dropped

    async def take(self, items: Sequence[Item]) -> list[Event]:
        """Make *items* durable and return the news that they brought; the items may be acked then."""
        profile = self._profile
        items = [item for item in items if _is_sound(item)]
        ciphertexts = [item for item in items if item.kind in _CIPHERTEXTS]
        async with profile.turn():
            self._known = await profile.inbox.known([item.id for item in ciphertexts])
            self._peers = {number: await profile.directory.load(number) for number in _senders(ciphertexts)}
            for item in items:
                await self._take_item(item)
            self._members.save()
            for peer in self._peers.values():
                profile.directory.save(self._unit, peer)
            try:
                returned = await profile.database.commit(self._unit)
            except BaseException:
                self._repair.undo()
                raise
            self._repair.done()
        return [*self._progress.events(returned), *self._reads]

    @property
    def peers_to_serve(self) -> set[str]:
        """Peers to whom a request or a resend is due since the commit."""
        return self._repair.peers

    @property
    def groups_to_settle(self) -> set[bytes]:
        """Groups of ours whose members are to be told that somebody left."""
        return self._members.unsettled

    async def _take_item(self, item: Item) -> None:
        sender = item.sender.id
        if item.kind in _CIPHERTEXTS:
            if (sender, item.id) not in self._known:
                self._known.add((sender, item.id))
                await self._take_ciphertext(item)
        elif item.kind == Kind.DELIVERED:
            self._progress.delivered(item.id, sender, item.at_ms)
        elif item.kind == Kind.EXPIRED:
            self._progress.expired(item.id, sender, item.at_ms)
        elif item.kind == Kind.FAILED:
            self._progress.failed(item.id, item.at_ms, FAILED_CODE)
        else:
            log.warning("item.unknown", kind=item.kind)

    async def _take_ciphertext(self, item: Item) -> None:
        try:
            if item.kind == Kind.SENDER_KEY:
                content, plaintext = await self._members.read(item)
            else:
                plaintext = self._decrypt(item)
                content = read_content(plaintext, item.sender.id)
                check_tag(content, item.sender.id, item.id)
        except CorefastError as error:
            self._put_unreadable(item, error)
        except Exception:
            log_crash(log, "item.crashed")
            self._put_unreadable(item, CorefastError())
        else:
            await self._take_content(item, content, plaintext)

    def _decrypt(self, item: Item) -> bytes:
        profile = self._profile
        peer = self._peers[item.sender.id]
        correspondent = peer.devices.get(item.sender.device) or Correspondent.new()
        if peer.number == profile.account.number and item.kind == Kind.PREKEY:
            if identity_in(item.body) != profile.own.identity.public:
                raise IdentityChanged("the relay names our own number for somebody else")
        admit = partial(read_content, sender=peer.number)
        opened = correspondent.decrypt(profile.own, item.kind, item.body, profile.random, admit=admit)
        their_identity = correspondent.their_identity
        assert their_identity is not None, "a decrypted message has a session"
        self._use_up(opened)
        peer.put(item.sender.device, correspondent)
        if peer.see_identity(their_identity) is Trust.CHANGED:
            put_identity_news(profile, self._unit, self._progress, peer.number)
        return opened.plaintext

    def _use_up(self, opened: Opened) -> None:
        """Delete consumed one-time prekeys with this unit, and from memory before the next item names them."""
        used = ((KeyKind.ONE_TIME, opened.used_one_time), (KeyKind.ONE_TIME_KEM, opened.used_one_time_kem))
        for kind, key_id in used:
            if key_id is not None:
                self._profile.keys.take(self._unit, kind, key_id)
                self._profile.own.forget(kind, key_id)

    async def _take_content(self, item: Item, content: Content, plaintext: bytes) -> None:
        if content.resent is None:
            await self._store(item, content, plaintext)
        else:
            await self._take_resent(item, content, plaintext)

    async def _store(self, item: Item, content: Content, plaintext: bytes) -> None:
        is_ours = item.sender.id == self._profile.account.number
        match content.body:
            case _ if content.group is not None and not is_ours:
                await self._store_said(item, content, content.group, plaintext)
            case Read(ids) if not is_ours:
                for message_id in ids:
                    self._progress.read(message_id, item.sender.id, item.at_ms)
                self._put(item, What.READ, b"")
            case ResendRequest():
                self._repair.owe(item, content.body)
                self._profile.groups.forget_given(self._unit, item.sender.id)
                self._put(item, What.READ, b"")
            case Sent() as sent if is_ours:
                await self._take_sent(item, sent, plaintext)
            case _ if not is_ours and _is_message(content):
                self._put(item, What.MESSAGE, plaintext, content.at_ms)
            case _:
                self._put_unreadable(item, ContentMalformed("a message is not for this device"))

    async def _store_said(self, item: Item, content: Content, tag: GroupTag, plaintext: bytes) -> None:
        """Take what somebody said in a group, or of one."""
        author = item.sender.id
        known = await self._members.load(tag.id)
        is_barred = self._profile.bars(self._peers[author])
        self._put_news(item, known, await self._members.take_tag(known, tag, item.sender, is_barred=is_barred))
        match content.body:
            case GroupLeave():
                self._put_news(item, known, self._members.take_leave(known, author))
                self._put(item, What.READ, b"")
            case GroupNews():
                self._put(item, What.READ, b"")
            case _ if known.group is not None and not known.has(self._profile.account.number):
                self._put(item, What.READ, b"")  # we are in it no more, and who wrote did not know that yet
            case _ if not known.has(author):
                self._put_unreadable(item, GroupUnknown("a message is of a group that its author is not in"))
            case _ if _is_message(content):
                self._put_said(item, What.MESSAGE, content, tag, plaintext)
            case _:
                self._put_unreadable(item, ContentMalformed("a message breaks the bounds of one"))

    async def _take_sent(self, item: Item, sent: Sent, plaintext: bytes) -> None:
        """Take what another device of ours sent, as if it had been sent here."""
        profile = self._profile
        try:
            said = read_content(sent.content, profile.account.number)
            to = canonical_number(sent.to) if sent.to else ""
        except CorefastError:
            said, to = None, ""
        match said:
            case Content(group=GroupTag() as tag) if to == sent.to and len(said.id) == ID_BYTES:
                await self._take_copy(item, said, tag, sent, plaintext)
            case _ if not to:
                self._put_unreadable(item, ContentMalformed("a message is not for this device"))
            case Content(body=Read(ids)) if to == sent.to:
                profile.inbox.set_read(self._unit, to, ids)
                self._reads.append(ReadElsewhere(to, ids))
                self._put(item, What.READ, b"")
            case Content(id=message_id, at_ms=at_ms) if (
                len(message_id) == ID_BYTES and to == sent.to and _is_message(said)
            ):
                row = OutboxRow(0, message_id, to, What.MESSAGE, _sound_time(at_ms, item.at_ms), sent.content)
                profile.outbox.put_sent(self._unit, row)
                self._put(item, What.SENT, plaintext, at_ms)
            case _:
                self._put_unreadable(item, ContentMalformed("a message is not for this device"))

    async def _take_copy(self, item: Item, said: Content, tag: GroupTag, sent: Sent, plaintext: bytes) -> None:
        """Take what another device of ours said in a group, or knows of one."""
        profile, to = self._profile, sent.to
        known = await self._members.load(tag.id)
        match said.body:
            case GroupNews() if to:
                self._put_news(item, known, self._members.take_copy(known, tag, to))
                self._put(item, What.READ, b"")
            case GroupLeave() if not to:
                self._put_news(item, known, self._members.take_leave(known, profile.account.number))
                self._put(item, What.READ, b"")
            case _ if not to and _is_message(said):
                at_ms = _sound_time(said.at_ms, item.at_ms)
                for number in known.group.others(profile.account.number) if known.group is not None else []:
                    names = (derive_post_id(said.id, number), number, What.MESSAGE, at_ms, sent.content)
                    profile.outbox.put_sent(self._unit, OutboxRow(0, *names, said=said.id, group=tag.id))
                self._put_said(item, What.SENT, said, tag, plaintext)
            case _:
                self._put_unreadable(item, ContentMalformed("a message is not for this device"))

    async def _take_resent(self, item: Item, content: Content, plaintext: bytes) -> None:
        """Put a message that came once more in the place of its record, where we asked for it."""
        self._put(item, What.READ, b"")
        original, sender = content.resent, item.sender.id
        identity = self._peers[sender].identity
        if original is None or identity is None or isinstance(content.body, ResendRequest):
            return
        if self._repair.answer(sender, original, identity) is not None:
            # The record goes and the message is a new row: a reader who has passed the record is told of the message.
            self._profile.inbox.delete_unreadable(self._unit, sender, original)
            await self._store(msgspec.structs.replace(item, id=original), content, plaintext)

    def _put_unreadable(self, item: Item, error: CorefastError) -> None:
        if self._repair.is_known_loss(item, error):
            self._put(item, What.READ, b"")
            return
        self._put(item, What.UNREADABLE, error.code.encode())
        self._repair.ask(item, self._peers[item.sender.id].identity, error)

    def _put(self, item: Item, what: What, content: bytes, at_ms: int | None = None) -> None:
        now_ms = self._profile.clock()
        said_ms = item.at_ms if at_ms is None else _sound_time(at_ms, item.at_ms)
        row = InboxRow(0, item.sender.id, item.sender.device, item.id, what, said_ms, now_ms, content)
        self._profile.inbox.put(self._unit, row, is_shown=what == What.READ)

    def _put_said(self, item: Item, what: What, said: Content, tag: GroupTag, plaintext: bytes) -> None:
        sender, at_ms = item.sender, _sound_time(said.at_ms, item.at_ms)
        facts = (sender.id, sender.device, item.id, what, at_ms, self._profile.clock(), plaintext)
        self._profile.inbox.put_said(self._unit, InboxRow(0, *facts, said.id, tag.id))

    def _put_news(self, item: Item, known: KnownGroup, news: News | None) -> None:
        """Tell what became another in a group, if anything."""
        if news is None or not (news.added or news.removed or news.left or news.is_renamed):
            return
        profile, sender = self._profile, item.sender
        row_id, content = profile.random(ID_BYTES), msgspec.msgpack.encode(news)
        facts = (sender.id, sender.device, row_id, What.GROUP, item.at_ms, profile.clock(), content)
        profile.inbox.put_said(self._unit, InboxRow(0, *facts, None, known.id))


def put_identity_news(profile: Profile, unit: Unit, progress: Progress, number: str) -> None:
    """Tell the user of a peer's new identity key, and fail what was meant for whoever had the old one."""
    now_ms = profile.clock()
    progress.failed_all(number, now_ms, IdentityChanged.code)
    profile.groups.forget_number(unit, number)
    row = InboxRow(0, number, 0, profile.random(16), What.IDENTITY_CHANGED, now_ms, now_ms, b"")
    profile.inbox.put(unit, row, is_shown=False)


def stored_event(row: InboxRow) -> Stored:
    """Return what a row of the inbox means to the user."""
    if row.what == What.IDENTITY_CHANGED:
        return IdentityNews(row.seq, row.sender, row.id, row.at_ms)
    if row.what == What.UNREADABLE:
        return Unreadable(row.seq, row.sender, row.id, row.at_ms, row.content.decode())
    if row.what == What.SENT:
        content = decode_content(row.content)
        assert isinstance(content.body, Sent), "checked when it was stored"
        copy = OutboxRow(row.seq, b"", content.body.to, What.MESSAGE, row.at_ms, content.body.content)
        return message_sent(copy, row.device)
    if row.what == What.GROUP:
        assert row.group is not None, "news are of a group"
        news = msgspec.msgpack.decode(row.content, type=News)
        facts = (news.subject, news.added, news.removed, news.left, news.is_renamed)
        return GroupChanged(row.seq, row.sender, row.at_ms, row.group, *facts)
    return message_of(row)


def message_of(row: InboxRow) -> MessageReceived:
    """Return the message in a row of the inbox."""
    content = decode_content(row.content)
    assert isinstance(content.body, Saying | Unsupported), "checked when it was stored"
    facts = (content.body, row.at_ms, content.name, content.reply_to, content.media)
    return MessageReceived(row.seq, row.sender, row.said or row.id, *facts, group=row.group)


def message_sent(row: OutboxRow, device: int) -> MessageSent:
    """Return the message in a row of the outbox, or in the copy that *device* made of it."""
    content = decode_content(row.content)
    assert isinstance(content.body, Saying | Unsupported), "checked when it was stored"
    facts = (content.body, row.at_ms, device, content.reply_to, content.media)
    group = content.group.id if content.group is not None else None
    return MessageSent(row.seq, "" if group else row.recipient, content.id, *facts, group=group)


def _is_message(content: Content) -> bool:
    """Tell whether *content* is something to show, within the bounds that keep us safe."""
    if isinstance(content.body, Unsupported):
        return True
    if not isinstance(content.body, Saying):
        return False
    try:
        check_received(content.body, content.reply_to, content.media)
    except CallerError:
        return False
    return True


def _sound_time(at_ms: int, relay_ms: int) -> int:
    """Return an author's time, or the relay's where that is no time."""
    return at_ms if 0 <= at_ms < _TIME_LIMIT_MS else relay_ms


def _is_sound(item: Item) -> bool:
    """Tell whether an item may be stored at all; a relay that makes up others could as well withhold them."""
    is_sound = item.sender.is_sound and 0 <= item.at_ms < _TIME_LIMIT_MS
    if not is_sound:
        log.warning("item.unsound", kind=item.kind)
    return is_sound


def _senders(items: Sequence[Item]) -> set[str]:
    return {item.sender.id for item in items}
