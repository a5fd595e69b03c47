"""The other devices of our number: linking one, cutting one off, and what they have to know of what we do."""

import hashlib
from collections.abc import Callable, Sequence

from corefast.device.connection import Connection, FindRelay
from corefast.device.event import DevicesNews, Event, LinkFailed, LinkOffered
from corefast.device.link_code import SECRET_BYTES, LinkCode
from corefast.device.linking import Offer
from corefast.device.name import ID_BYTES
from corefast.device.profile import Profile
from corefast.device.store.inbox import What
from corefast.device.store.outbox import OutboxRow
from corefast.errors import BusyError, HandshakeFailed, LinkLost, RemoteRefused
from corefast.limits import SLOT_LIFE_MS
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.wire.content import Content, Sent, encode_content
from corefast.wire.messages import (
    AnswerSlot,
    DeviceList,
    DevicesChanged,
    ListDevices,
    ListedDevice,
    OpenSlot,
    SlotJoined,
    SlotOpened,
    UnlinkDevice,
)

log = get_logger()


class Siblings:
    """One device's side of what the devices of a number have with each other."""

    def __init__(
        self, profile: Profile, connection: Connection, find_relay: FindRelay, tell: Callable[[Event], None]
    ) -> None:
        self._profile = profile
        self._connection = connection
        self._find_relay = find_relay
        self._tell = tell
        self._offer: Offer | None = None

    async def offer_link(self) -> LinkOffered:
        """Return a code for one new device; an older code is void."""
        opened: SlotOpened = await self._online().call(OpenSlot())
        secret = self._profile.random(SECRET_BYTES)
        expires_ms = self._profile.clock() + min(max(opened.life_ms, 0), SLOT_LIFE_MS)
        code = LinkCode(await self._find_relay(), opened.slot, secret)
        self._offer = Offer(opened.slot, secret, expires_ms)
        return LinkOffered(code.text, expires_ms)

    async def known(self) -> list[ListedDevice]:
        answer: DeviceList = await self._online().call(ListDevices())
        return answer.devices

    async def unlink(self, device: int) -> list[ListedDevice]:
        answer: DeviceList = await self._online().call(UnlinkDevice(device))
        return answer.devices

    async def changed(self, news: DevicesChanged) -> None:
        """Take the relay's word on which devices there are."""
        await self._profile.set_others(len(set(news.devices) - {self._profile.account.device}))
        self._tell(DevicesNews(news.devices))

    async def joined(self, peer: Peer, said: SlotJoined) -> None:
        """Hand the account over to who knows our code, which is void from here on; refuse anybody else."""
        offer = self._offer
        answer = b""
        if offer is not None and offer.slot == said.slot and offer.expires_ms > self._profile.clock():
            self._offer = None
            try:
                answer = await offer.answer(self._profile, said)
            except HandshakeFailed as error:
                self._tell(LinkFailed(error.code, f"{error}; nothing was handed over, and the code is void"))
        try:
            await peer.call(AnswerSlot(said.slot, said.link_key, answer))
        except (BusyError, RemoteRefused) as error:
            log.warning("link.unanswered", code=error.code)

    def with_copies(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Return *rows*, and for our other devices, where there are any, what each of them says and to whom."""
        copies = [copy for row in rows for copy in self.copies(row.id, row.at_ms, row.recipient, row.content)]
        return [*rows, *copies]

    def copies(self, message_id: bytes, at_ms: int, to: str, content: bytes) -> list[OutboxRow]:
        """Return what tells our other devices of a message; nothing where there are none."""
        account = self._profile.account
        if not account.others:
            return []
        copy_id = _copy_id(message_id)
        copy = encode_content(Content(copy_id, at_ms, Sent(to, content), author=account.number))
        return [OutboxRow(0, copy_id, account.number, What.SENT, at_ms, copy)]

    def _online(self) -> Peer:
        peer = self._connection.peer
        if peer is None:
            raise LinkLost("the relay is away; try again when the phone is online")
        return peer


def _copy_id(message_id: bytes) -> bytes:
    """Return the id of the copy for our other devices: a message that is sent again has no second copy."""
    return hashlib.sha256(b"corefast sent copy\0" + message_id).digest()[:ID_BYTES]
