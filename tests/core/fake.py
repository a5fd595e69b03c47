"""A relay in memory that does as it is told, and phones that it knows."""

import asyncio
import hashlib
import os
from collections.abc import Callable

from corefast.address import Address
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of
from corefast.endpoint.stock import OwnKeys
from corefast.errors import BlobUnknown, CorefastError, NumberUnknown
from corefast.limits import BLOB_CHUNK_BYTES
from corefast.link.secure import responder_ik
from corefast.native.curve import public_from_private
from corefast.net.calls import Dispatcher
from corefast.net.client import format_relay_url
from corefast.net.server import serve
from corefast.net.transport import Peer
from corefast.protocol.message import PreKeySignalMessage, SignalMessage
from corefast.protocol.pin import Pin
from corefast.wire.blob import BlobOpened, BlobPart, DropBlob, GetBlob, KeepBlob, OpenBlob, PutBlob, TouchBlob
from corefast.wire.body import Text
from corefast.wire.codec import relay_codec
from corefast.wire.content import Body, Content, Medium, decode_content, encode_content
from corefast.wire.messages import (
    Ack,
    Attach,
    Attached,
    Bundle,
    Deliver,
    DeviceBundle,
    Done,
    FetchBundle,
    FindNumbers,
    FoundNumbers,
    Item,
    Kind,
    Part,
    Post,
    PostBatch,
    PostResult,
    PostResults,
    PostState,
    PreKeyCount,
    PutPreKeys,
    Register,
    Registered,
)

NOW_MS = 1_900_000_000_000


class Phone:
    """One device of a number, with its own keys and one session."""

    def __init__(self, number: str, device: int = 1, like: "Phone | None" = None) -> None:
        self.address = Address(number, device)
        self.own = OwnKeys.new(os.urandom)
        if like is not None:
            self.own.identity = like.own.identity
        self.upload = self.own.make_upload(os.urandom, 0).upload
        self.business = Correspondent.new()
        self.has_kem = True
        """Whether its bundles have a KEM key."""

    @property
    def number(self) -> str:
        return self.address.id

    def bundle(self) -> DeviceBundle:
        upload = self.upload
        kem = None
        if self.has_kem:
            kem = upload.one_time_kem.pop() if upload.one_time_kem else upload.last_resort
        one_time = upload.one_time.pop() if upload.one_time else None
        return DeviceBundle(self.address.device, self.own.registration_id, upload.signed, kem, one_time)

    def read(self, part: Part) -> Content:
        opened = self.business.decrypt(self.own, part.kind, part.body, os.urandom, self.pin)
        return decode_content(opened.plaintext)

    def meet(self, bundle: Bundle) -> None:
        """Start a session with the business from its bundle."""
        self.business.start(self.own, bundle_of(bundle, bundle.devices[0]), os.urandom, self.pin)

    @property
    def pin(self) -> Pin:
        return Pin.NONE if self.has_kem else Pin.X3DH

    def write(self, body: Body | str, message_id: bytes = b"", name: str = "", media: Medium | None = None) -> Item:
        """Return a mailbox item with *body*; the relay gives it its sequence."""
        message_id = message_id or os.urandom(16)
        said = Text(body) if isinstance(body, str) else body
        content = Content(message_id, 1, said, name, media=media, author=self.number)
        kind, ciphertext = self.business.encrypt(encode_content(content), os.urandom)
        return Item(0, message_id, kind, self.address, NOW_MS, ciphertext)


def chain_position(part: Part) -> tuple[bytes, int]:
    """Return ratchet key and counter: what no two ciphertexts may share."""
    body = part.body
    if part.kind == Kind.PREKEY:
        body = PreKeySignalMessage.parse(body).message
    message = SignalMessage.parse(body)
    return message.ratchet_key, message.counter


class Blobs:
    """Encrypted files in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.touched: list[bytes] = []
        self.reads: list[GetBlob] = []
        self.growing: dict[int, bytearray] = {}
        self._last = 0

    def functions(self) -> dict:
        table = {OpenBlob: self.open, PutBlob: self.put, KeepBlob: self.keep, DropBlob: self.drop}
        return table | {GetBlob: self.get, TouchBlob: self.touch}

    def open(self, peer: Peer, message: OpenBlob) -> BlobOpened:
        self._last += 1
        self.growing[self._last] = bytearray()
        return BlobOpened(self._last)

    def put(self, peer: Peer, message: PutBlob) -> Done:
        growing = self.growing[message.upload]
        assert message.offset == len(growing) and len(message.data) <= BLOB_CHUNK_BYTES
        growing += message.data
        return Done()

    def keep(self, peer: Peer, message: KeepBlob) -> Done:
        data = bytes(self.growing.pop(message.upload))
        assert hashlib.sha256(data).digest() == message.name
        self.kept[message.name] = data
        return Done()

    def drop(self, peer: Peer, message: DropBlob) -> Done:
        self.growing.pop(message.upload, None)
        return Done()

    def get(self, peer: Peer, message: GetBlob) -> BlobPart:
        self.reads.append(message)
        if message.name not in self.kept:
            raise BlobUnknown("gone")
        data = self.kept[message.name]
        return BlobPart(len(data), data[message.offset : message.offset + BLOB_CHUNK_BYTES])

    def touch(self, peer: Peer, message: TouchBlob) -> Done:
        self.touched.append(message.name)
        if message.name not in self.kept:
            raise BlobUnknown("gone")
        return Done()


class Relay:
    """Serves one core. `decide` says what becomes of a post: a state, or None for no answer."""

    def __init__(self) -> None:
        self._private = os.urandom(32)
        self.phones: dict[str, list[Phone]] = {}
        self.versions: dict[str, int] = {}
        self.posts: list[Post] = []
        self.batches: list[PostBatch] = []
        self.attaches: list[Attach] = []
        self.registers: list[Register] = []
        self.uploads: list[PutPreKeys] = []
        self.acked: list[int] = []
        self.fetched: list[str] = []
        self.peer: Peer | None = None
        self.decide: Callable[[Post], PostState | None] = lambda post: PostState.DELIVERED
        self.on_attach: Callable[[Attach], CorefastError | None] = lambda attach: None
        self.on_register: Callable[[Register], CorefastError | None] = lambda register: None
        self.on_fetch: Callable[[str], CorefastError | None] = lambda number: None
        self.looked_up: list[list[str]] = []
        self.on_find: Callable[[list[str]], CorefastError | None] = lambda numbers: None
        self._seq = 0
        self._taken: dict[bytes, tuple[Peer, Post, PostState]] = {}
        self.blobs = Blobs()
        self._changed = asyncio.Event()

    async def start(self, port: int = 0) -> None:
        handler = Dispatcher(
            {
                Register: self._register,
                Attach: self._attach,
                PutPreKeys: self._put,
                FetchBundle: self._fetch,
                FindNumbers: self._find,
                PostBatch: self._post,
                Ack: self._ack,
            }
            | self.blobs.functions()
        )
        self._server = await serve("127.0.0.1", port, responder_ik(self._private), relay_codec, lambda peer: handler)
        self.port = self._server.port
        self.url = format_relay_url("127.0.0.1", self.port, public_from_private(self._private))

    async def stop(self) -> None:
        self.peer = None
        await self._server.close()

    def add(self, *phones: Phone) -> None:
        for phone in phones:
            self.phones.setdefault(phone.number, []).append(phone)
            self.versions[phone.number] = self.versions.get(phone.number, 0) + 1

    def replace(self, phone: Phone) -> None:
        """The number has this phone and no other now."""
        self.phones[phone.number] = []
        self.add(phone)

    def bundle_of_business(self) -> Bundle:
        """Return what a customer would get."""
        register = self.registers[-1]
        uploads = [register.prekeys, *(put.prekeys for put in self.uploads)]
        one_time = [key for upload in uploads for key in upload.one_time]
        kem = [key for upload in uploads for key in upload.one_time_kem]
        device = DeviceBundle(1, register.registration_id, register.prekeys.signed, kem[-1], one_time[-1])
        return Bundle(register.number, register.identity, 1, [device])

    def deliver(self, *items: Item) -> list[int]:
        """Put items into the core's hands; return their sequences."""
        numbered = []
        for item in items:
            self._seq += 1
            numbered.append(Item(self._seq, item.id, item.kind, item.sender, item.at_ms, item.body))
        self.peer.notify(Deliver(numbered))
        return [item.seq for item in numbered]

    def receipt(self, kind: Kind, message_id: bytes, phone: Phone) -> Item:
        return Item(0, message_id, kind, phone.address, NOW_MS)

    def answer(self, post: Post, state: PostState) -> None:
        self.peer.notify(PostResults([PostResult(post.id, state, NOW_MS)]))

    async def until(self, fact: Callable[[], bool]) -> None:
        """Return once *fact* holds; looked at after each message that came."""
        async with asyncio.timeout(20):
            while not fact():
                self._changed.clear()
                await self._changed.wait()

    def _register(self, peer: Peer, message: Register) -> Registered:
        self.registers.append(message)
        self._changed.set()
        if (error := self.on_register(message)) is not None:
            raise error
        return Registered(Address(message.number), 1)

    def _attach(self, peer: Peer, message: Attach) -> Attached:
        self.attaches.append(message)
        self._changed.set()
        if (error := self.on_attach(message)) is not None:
            raise error
        self.peer = peer
        return Attached(Address("business"), 1, 100, 20)

    def _put(self, peer: Peer, message: PutPreKeys) -> PreKeyCount:
        self.uploads.append(message)
        self._changed.set()
        return PreKeyCount(100, 20)

    def _fetch(self, peer: Peer, message: FetchBundle) -> Bundle:
        self.fetched.append(message.number)
        self._changed.set()
        if (error := self.on_fetch(message.number)) is not None:
            raise error
        phones = self.phones.get(message.number)
        if not phones:
            raise NumberUnknown("nobody")
        identity = phones[0].own.identity.public
        return Bundle(message.number, identity, self.versions[message.number], [phone.bundle() for phone in phones])

    def _find(self, peer: Peer, message: FindNumbers) -> FoundNumbers:
        self.looked_up.append(message.numbers)
        if (error := self.on_find(message.numbers)) is not None:
            raise error
        return FoundNumbers([number for number in message.numbers if self.phones.get(number)])

    def _post(self, peer: Peer, batch: PostBatch) -> None:
        self.batches.append(batch)
        results = []
        for post in batch.posts:
            if (known := self._taken.get(post.id)) and known[:2] == (peer, post):
                results.append(PostResult(post.id, known[2], NOW_MS))  # it has it, and does not deliver it again
                continue
            self.posts.append(post)
            state = self.decide(post)
            if post.to in self.versions and post.devices_version != self.versions[post.to]:
                state = PostState.DEVICES_CHANGED
            if state is not None:
                results.append(PostResult(post.id, state, NOW_MS))
            if state in (PostState.DELIVERED, PostState.STORED):
                self._taken[post.id] = (peer, post, state)
        peer.notify(PostResults(results))
        self._changed.set()

    def _ack(self, peer: Peer, message: Ack) -> None:
        self.acked += message.seqs
        self._changed.set()
