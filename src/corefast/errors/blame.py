"""Who is to blame: the kinds of error that every leaf is one of."""


class CorefastError(Exception):
    """Root of all errors. `code` is stable; `fatal` closes the link."""

    code = "internal"
    fatal = False


class PeerError(CorefastError):
    """The other side broke the protocol."""

    code = "peer"


class CallerError(CorefastError):
    """The request cannot be served as it stands; nothing was changed."""

    code = "request"


class BusyError(CorefastError):
    """A limit is reached or a part is away; the same request may succeed later."""

    code = "busy"

    def __init__(self, text: str = "try again later", retry_after_ms: int = 1_000) -> None:
        super().__init__(text)
        self.retry_after_ms = retry_after_ms


class SetupError(CorefastError):
    """The operator has to change something; the text says what."""

    code = "setup"
