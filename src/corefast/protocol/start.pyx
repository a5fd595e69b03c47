"""How a session starts: from the bundle of a device that is away, and from the first message that it finds.

Knows nothing of where bundles come from, of which prekeys there are, and of trust in an identity.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from corefast.native.curve cimport PrivateKey
from corefast.native.memory cimport bytes_at, explicit_bzero, wipe_bytes
from corefast.protocol.chain cimport KEY_SIZE
from corefast.protocol.message cimport PreKeySignalMessage, SignalView, parse_signal
from corefast.protocol.pqxdh cimport (
    PQXDH_VERSION,
    X3DH_VERSION,
    Agreed,
    InitialKeys,
    add_kem_secret,
    agree_as_initiator,
    agree_as_responder,
    derive_initial,
)
from corefast.protocol.ratchet cimport Ratchet, ReceiverChain, new_receiver
from corefast.protocol.session cimport Session, new_session
from corefast.protocol.spqr cimport has_chains, start_chains

from corefast.errors import BundleInvalid, KeyMalformed, MessageDowngraded, PreKeyUnknown
from corefast.protocol import message as messages
from corefast.protocol.keys import check_on_curve, encapsulate
from corefast.protocol.pin import Pin
from corefast.protocol.spare import take_private

cdef bytes CURVE_TYPE = b"\x05"


cdef int start_initiator(Session session, const Agreed *agreed, bytes their_signed, bint is_keyed) except -1:
    """The first chain is one to read, under the signed prekey; we step at our first send (libsignal, ratchet.rs)."""
    cdef InitialKeys keys
    cdef Ratchet ratchet = Ratchet.__new__(Ratchet)
    cdef ReceiverChain chain = new_receiver(bytes_at(their_signed) + 1)
    ratchet.receivers.append(chain)
    session._ratchet = ratchet
    derive_initial(agreed, session.version, &keys)
    memcpy(chain.key, keys.chain, KEY_SIZE)
    memcpy(ratchet.root, keys.root, KEY_SIZE)
    try:
        session._pq = start_chains(keys.pq, True) if is_keyed else None
    finally:
        explicit_bzero(&keys, sizeof(InitialKeys))
    return 0


cdef int start_responder(Session session, const Agreed *agreed, PrivateKey our_signed, bint is_keyed) except -1:
    """The first chain is ours to send on, with the signed prekey as ratchet key; their first message replaces it."""
    cdef InitialKeys keys
    cdef Ratchet ratchet = Ratchet.__new__(Ratchet)
    session._ratchet = ratchet
    derive_initial(agreed, session.version, &keys)
    memcpy(ratchet.root, keys.root, KEY_SIZE)
    memcpy(ratchet.our_private, our_signed.scalar, KEY_SIZE)
    memcpy(ratchet.our_public, our_signed.point, KEY_SIZE)
    memcpy(ratchet.sending_key, keys.chain, KEY_SIZE)
    ratchet.is_sending = True
    try:
        session._pq = start_chains(keys.pq, False) if is_keyed else None
    finally:
        explicit_bzero(&keys, sizeof(InitialKeys))
    return 0


cdef bytes agree_on_kem(Agreed *agreed, their_kem):
    """Agree on a secret that the holder of a bundle's KEM key learns from the ciphertext returned."""
    cdef bytes secret
    try:
        ciphertext, secret = encapsulate(their_kem)
    except KeyMalformed as error:
        raise BundleInvalid(str(error)) from None
    add_kem_secret(agreed, secret)
    wipe_bytes(secret, 1)
    return ciphertext


def initiate(our_identity, uint32_t our_registration_id, bundle, random, pin=Pin.NONE):
    """Return a session with the device that published *bundle*; raise BundleInvalid or KeyAgreementFailed."""
    cdef Agreed agreed
    cdef PrivateKey our_base
    cdef Session session
    bundle.verify(pin)
    our_base = take_private(random)
    base_key = CURVE_TYPE + our_base.public()
    kem_ciphertext = None
    try:
        agree_as_initiator(&agreed, our_identity.key, our_base, bundle.identity, bundle.signed_public,
                           bundle.one_time_public)
        if pin is not Pin.X3DH:
            kem_ciphertext = agree_on_kem(&agreed, bundle.kem_public)
        session = new_session(
            X3DH_VERSION if pin is Pin.X3DH else PQXDH_VERSION,
            bytes_at(our_identity.public), bytes_at(bundle.identity), bytes_at(base_key))
        start_initiator(session, &agreed, bundle.signed_public, pin is Pin.NONE)
    finally:
        explicit_bzero(&agreed, sizeof(Agreed))
    session._before = messages.encode_before(bundle.one_time_id, base_key, our_identity.public)
    session._after = messages.encode_after(our_registration_id, bundle.signed_id, bundle.kem_id, kem_ciphertext)
    return session


def accept(our_identity, PreKeySignalMessage message not None, our_signed, our_kem, our_one_time, random,
           pin=Pin.NONE):
    """Return (session, plaintext) of a first message, read with the private prekeys that it names.

    Raises what `Session.decrypt` does, KeyMalformed for a base key that is not a canonical point of prime order,
    PreKeyUnknown if it names a one-time prekey and *our_one_time* is None, and MessageDowngraded for X3DH
    from a peer that is not pinned to it.
    """
    if message.version != PQXDH_VERSION and pin is not Pin.X3DH:
        raise MessageDowngraded("the first message of a session without a KEM key")
    if message.one_time_id is None:
        our_one_time = None
    elif our_one_time is None:
        raise PreKeyUnknown("the one-time prekey is used up")
    check_on_curve(message.base_key)
    session = answer_start(our_identity, message, our_signed, our_kem, our_one_time)
    return session, session.decrypt(message.message, random)


cdef Session answer_start(our_identity, PreKeySignalMessage message, our_signed, our_kem, our_one_time):
    """Return the session that a first message starts, which is not read yet."""
    cdef SignalView view
    cdef Agreed agreed
    cdef bytes secret
    cdef Session session = new_session(
        message.version, bytes_at(our_identity.public), bytes_at(message.identity), bytes_at(message.base_key))
    parse_signal(message.message, &view)
    try:
        agree_as_responder(&agreed, our_identity.key, our_signed.key,
                           None if our_one_time is None else our_one_time.key, message.identity, message.base_key)
        if message.version == PQXDH_VERSION:
            secret = our_kem.decapsulate(message.kem_ciphertext)
            add_kem_secret(&agreed, secret)
            wipe_bytes(secret, 1)
        # A first message without the field comes from a peer that does not speak SPQR; nobody else could have made it.
        start_responder(session, &agreed, our_signed.key,
                        message.version == PQXDH_VERSION and has_chains(view.pq, view.pq_size))
    finally:
        explicit_bzero(&agreed, sizeof(Agreed))
    return session
