"""What a device publishes so that others can write to it while it is away (PQXDH, 3.2)."""

from collections.abc import Sequence

import msgspec

from corefast.errors import BundleDowngraded, BundleInvalid, KeyMalformed, SignatureInvalid
from corefast.protocol.keys import CURVE_TYPE, KEM_PUBLIC_SIZE, KEM_TYPE, PUBLIC_SIZE, raw_public, verify_key
from corefast.protocol.pin import Pin

ID_LIMIT = 2**32


class PreKeyBundle(msgspec.Struct, frozen=True):
    """The public keys of one device. Public keys carry their type byte; signatures are by `identity`."""

    identity: bytes
    registration_id: int
    signed_id: int
    signed_public: bytes
    signed_signature: bytes
    kem_id: int | None
    kem_public: bytes | None
    kem_signature: bytes | None
    one_time_id: int | None = None
    one_time_public: bytes | None = None

    def verify(self, pin: Pin = Pin.NONE) -> None:
        """Raise BundleInvalid unless both prekeys are well-formed and signed by the identity.

        A bundle without a KEM key raises BundleDowngraded: to accept it would let a relay take the post-quantum part
        away. Only with a peer pinned to X3DH the KEM key does not matter.
        """
        signed = [(self.signed_public, self.signed_signature)]
        if self.signed_public[:1] != bytes([CURVE_TYPE]):
            raise BundleInvalid("a bundle has a signed Curve25519 key")
        if pin is not Pin.X3DH:
            signed.append(self._signed_kem())
        if (self.one_time_id is None) != (self.one_time_public is None):
            raise BundleInvalid("a one-time prekey has an id and a key")
        ids = (self.registration_id, self.signed_id, self.kem_id or 0, self.one_time_id or 0)
        if min(ids) < 0 or max(ids) >= ID_LIMIT:
            raise BundleInvalid("an id is out of range")
        if self.one_time_public is not None:
            _check_public(self.one_time_public)
        check_signed_prekeys(self.identity, signed)

    def _signed_kem(self) -> tuple[bytes, bytes]:
        if not self.kem_public or self.kem_signature is None or self.kem_id is None:
            raise BundleDowngraded("the bundle lacks the KEM key that every device publishes")
        if self.kem_public[:1] != bytes([KEM_TYPE]):
            raise BundleInvalid("a bundle has a signed Kyber-1024 key")
        return self.kem_public, self.kem_signature


def check_signed_prekeys(identity: bytes, signed: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise BundleInvalid unless each (prekey of either kind, signature) is well-formed and signed by *identity*."""
    for public, _ in signed:
        is_kem = len(public) == KEM_PUBLIC_SIZE and public[0] == KEM_TYPE
        is_curve = len(public) == PUBLIC_SIZE and public[0] == CURVE_TYPE
        if not is_kem and not is_curve:
            raise BundleInvalid("a prekey is neither a Curve25519 nor a Kyber-1024 key")
    try:
        signer = verify_key(identity)
        for public, signature in signed:
            signer.verify(public, signature)
    except (SignatureInvalid, KeyMalformed):
        raise BundleInvalid("the identity did not sign this prekey") from None


def _check_public(public: bytes) -> None:
    try:
        raw_public(public)
    except KeyMalformed as error:
        raise BundleInvalid(str(error)) from None
