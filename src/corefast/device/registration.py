"""How a device makes itself known to the relay, and keeps the stock of its prekeys there full."""

from corefast.address import Address
from corefast.device.connection import DeviceStopped
from corefast.device.profile import Profile
from corefast.endpoint.stock import StockChange
from corefast.errors import RemoteRefused
from corefast.limits import MAX_DEVICE_ID
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.messages import Attach, Attached, LinkDevice, PutPreKeys, Register, Registered

log = get_logger()

_UNKNOWN_CODES = ("number.unknown", "link.not_attached")
"""The relay does not know our link key: it was set up anew, or the number has another owner now."""

REMEDIES = {
    "number.taken": "another device owns this number; --replace takes it over and cuts the other device off",
    "code.required": "this relay asks for a code; `corefast relay issue-code NUMBER` prints one, --code passes it on",
    "code.wrong": "the code is wrong, used up or too old; `corefast relay issue-code NUMBER` prints a new one",
    "pin.required": "the number is protected by a pin; --pin passes it on",
    "pin.wrong": "the pin is wrong",
    "attach.superseded": "another copy of this phone's home went on after this one: use that one, or, where it is lost,"
    " let this one take its place with --adopt-restored",
    "bundle.invalid": "the relay refuses our keys; this is a fault of the program",
    "number.invalid": "the relay refuses this number",
    "device.unlinked": "this device was unlinked from its number, or was away too long; link it again in a new --home",
    "device.full": "the number has as many devices as it may; its first device unlinks one with /unlink",
    "slot.closed": "linking was not completed in time; --link with a new code of the first device begins anew",
    "request": "the relay refuses this registration",
}
"""Refusals after which trying again is of no use, and what a person can do."""


def stopped(code: str) -> DeviceStopped:
    """Return the end of this device, for a code of `REMEDIES`."""
    return DeviceStopped(code, REMEDIES.get(code, "the relay does not serve this device any more"))


class Registration:
    """Registers and attaches one profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._may_replace = profile.options.replace
        self._may_adopt = profile.options.adopt_restored

    async def open(self, peer: Peer) -> list[int]:
        """Register where needed, open the mailbox, fill up the stock; return the devices of our number.

        Raises `DeviceStopped`, or what ends the link.
        """
        try:
            attached = await self._attach(peer)
        except RemoteRefused as refused:
            if refused.code in REMEDIES:
                raise stopped(refused.code) from None
            raise
        await self._profile.set_others(len(set(attached.devices) - {self._profile.account.device}))
        wanted = attached.prekeys_wanted
        one_time_left = 0 if wanted else attached.one_time_left
        await self.fill_up(peer, one_time_left, 0 if wanted else attached.one_time_kem_left)
        return attached.devices

    async def fill_up(self, peer: Peer, one_time_left: int, one_time_kem_left: int) -> None:
        """Upload new prekeys where the relay has few, or the signed one is old."""
        change = await self._make(one_time_left, one_time_kem_left)
        if change is not None:
            await peer.call(PutPreKeys(change.upload))

    async def rotate(self, peer: Peer) -> None:
        """Upload a new signed prekey where the current one is old."""
        if self._profile.own.is_rotation_due(self._profile.clock()):
            await self.fill_up(peer, 1 << 30, 1 << 30)

    async def _attach(self, peer: Peer) -> Attached:
        account = self._profile.account
        if account.registered_ms or not account.device:
            try:
                return await self._call_attach(peer)
            except RemoteRefused as refused:
                if refused.code not in _UNKNOWN_CODES:
                    raise
                log.info("relay.forgot")
        if account.device > 1:
            raise stopped("device.unlinked")
        if account.device:
            await self._register(peer)
        else:
            await self._link(peer)
        return await self._call_attach(peer)

    async def _call_attach(self, peer: Peer) -> Attached:
        await self._profile.begin_move()
        account = self._profile.account
        wish = Attach([], account.token, account.next_token, account.commit_seq, force=self._may_adopt)
        answer: Attached = await peer.call(wish)
        await self._profile.end_move()
        self._may_adopt = False
        if not self._profile.account.device:
            await self._set_linked(answer.address)
        return answer

    async def _link(self, peer: Peer) -> None:
        """Become a device of the number whose first device approved our link key."""
        profile = self._profile
        change = await self._make(0, 0)
        assert change is not None, "an empty stock needs an upload"
        wish = LinkDevice(profile.account.meeting, profile.own.registration_id, change.upload)
        linked: Registered = await peer.call(wish)
        await self._set_linked(linked.address)

    async def _set_linked(self, address: Address) -> None:
        if not 1 < address.device <= MAX_DEVICE_ID:
            raise stopped("request")  # the first device is another one
        await self._profile.set_registered(self._profile.clock(), address.device)

    async def _register(self, peer: Peer) -> None:
        profile = self._profile
        change = await self._make(0, 0)
        assert change is not None, "an empty stock needs an upload"
        claim = Register(
            number=profile.account.number,
            identity=profile.own.identity.public,
            registration_id=profile.own.registration_id,
            prekeys=change.upload,
            code=profile.options.code,
            pin=profile.options.pin,
            replace=self._may_replace,
        )
        await peer.call(claim)
        self._may_replace = False
        await profile.set_registered(profile.clock(), 1)

    async def _make(self, one_time_left: int, one_time_kem_left: int) -> StockChange | None:
        """Return a change of the stock, which is committed; None where none is needed."""
        profile = self._profile
        async with profile.turn():
            change = profile.own.make_upload(
                profile.random,
                profile.clock(),
                one_time_left=one_time_left,
                one_time_kem_left=one_time_kem_left,
            )
            if change is not None:
                unit = Unit()
                profile.keys.save_change(unit, change)
                await profile.database.commit(unit)
        return change
