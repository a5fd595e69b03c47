"""Files that go with messages."""

from corefast.errors.blame import CallerError, CorefastError


class MediaUnknown(CallerError):
    """No medium has this id, or the relay does not keep it any more."""

    code = "media.unknown"


class MediaUnfit(CallerError):
    """A file is not of a type that goes with the message, or not what its type says."""

    code = "media.unfit"


class MediaTooLarge(CallerError):
    code = "media.too_large"


class MediaDamaged(CorefastError):
    """The relay's file, or the one on the disk, is not the one that was sent."""

    code = "media.damaged"


class LinkRefused(CallerError):
    """What a link names cannot be fetched, or must not be."""

    code = "media.link"
