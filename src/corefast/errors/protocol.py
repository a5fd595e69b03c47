"""Keys, sessions, and what they seal."""

from corefast.errors.blame import CorefastError, PeerError


class KeyMalformed(PeerError):
    code = "key.malformed"


class KeyAgreementFailed(PeerError):
    """A low-order point: the shared secret would be all zero."""

    code = "key.low_order"


class SignatureInvalid(PeerError):
    code = "signature.invalid"


class CiphertextInvalid(PeerError):
    """Authentication or padding failed; nothing was learned."""

    code = "ciphertext.invalid"


class MessageMalformed(PeerError):
    code = "message.malformed"


class MessageVersionUnsupported(PeerError):
    code = "message.version"


class MessageDowngraded(MessageVersionUnsupported):
    """The first message of a session without a KEM key, from a peer that is not pinned to that."""

    code = "message.downgraded"


class MessageMacInvalid(PeerError):
    code = "message.mac"


class MessageReplayed(PeerError):
    code = "message.replayed"

    def __init__(self, index: int) -> None:
        super().__init__(f"message {index} was already read")


class MessageGapTooLarge(PeerError):
    code = "message.gap"


class SessionMissing(PeerError):
    code = "session.missing"


class PreKeyUnknown(PeerError):
    """The message names a prekey that we do not hold (any more)."""

    code = "prekey.unknown"


class BundleInvalid(PeerError):
    code = "bundle.invalid"


class BundleDowngraded(BundleInvalid):
    """The KEM key is missing from a bundle: somebody on the way wants a session that is not post-quantum."""

    code = "bundle.downgraded"


class IdentityChanged(PeerError):
    code = "identity.changed"


class ContentMalformed(PeerError):
    code = "content.malformed"


class ContentUnsupported(PeerError):
    """A well-formed body of a kind that this release does not know."""

    code = "content.unsupported"

    def __init__(self, kind: int) -> None:
        super().__init__(f"a body of kind {kind} is not known here")


class SnapshotInvalid(CorefastError):
    code = "snapshot.invalid"


class SealBroken(CorefastError):
    """A sealed value does not open: wrong master key, or a changed byte."""

    code = "seal.broken"
