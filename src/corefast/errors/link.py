"""Frames, handshakes and calls between two programs."""

from corefast.errors.blame import BusyError, CallerError, PeerError


class FrameTooLarge(PeerError):
    code = "frame.too_large"
    fatal = True


class FrameMalformed(PeerError):
    code = "frame.malformed"
    fatal = True


class MessageUndecodable(PeerError):
    """A record is not a message of this link's vocabulary."""

    code = "message.undecodable"
    fatal = True


class VersionUnsupported(PeerError):
    code = "version.unsupported"
    fatal = True


class HandshakeFailed(PeerError):
    code = "handshake.failed"
    fatal = True


class PeerOutOfTurn(PeerError):
    code = "peer.out_of_turn"
    fatal = True


class CreditExceeded(PeerError):
    code = "credit.exceeded"
    fatal = True


class LinkOverflow(BusyError):
    """Our own queue toward a slow peer is full."""

    code = "link.overflow"
    fatal = True


class LinkTimeout(PeerError):
    code = "link.timeout"
    fatal = True


class NonceExhausted(BusyError):
    """A key of a link was used as often as it may be; a new link has new keys."""

    code = "link.nonce"
    fatal = True


class LinkLost(BusyError):
    """The connection ended before the answer came; whether the call took effect is unknown."""

    code = "link.lost"


class CallTimeout(BusyError):
    code = "call.timeout"


class RemoteRefused(CallerError):
    """The other side answered a call with an error; `code` is the remote one."""

    def __init__(self, code: str, text: str = "", retry_after_ms: int = 0) -> None:
        super().__init__(text or code)
        self.code = code
        self.retry_after_ms = retry_after_ms


class NotAttached(CallerError):
    code = "link.not_attached"


class RateLimited(BusyError):
    code = "rate.limited"


class Overloaded(BusyError):
    code = "overloaded"
