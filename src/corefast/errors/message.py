"""A message of a business, and whom it goes to."""

from corefast.errors.blame import CallerError, CorefastError


class MessageTooLong(CallerError):
    code = "message.too_long"


class MessageUnknown(CallerError):
    code = "message.unknown"


class MessageDamaged(CorefastError):
    """A stored message does not open."""

    code = "message.damaged"


class RecipientIsSender(CallerError):
    code = "recipient.is_sender"


class PeerUnknown(CallerError):
    """No identity key of this number was seen yet."""

    code = "peer.unknown"


class IdentityMismatch(CallerError):
    """The hash is not that of the identity key that the peer has now."""

    code = "identity.mismatch"


class IdentityUnacknowledged(CallerError):
    """The peer's identity key changed, and the policy is to send nothing before somebody has acknowledged that."""

    code = "identity.unacknowledged"
