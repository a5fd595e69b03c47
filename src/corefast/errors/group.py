"""Groups, and who may change them."""

from corefast.errors.blame import CallerError, PeerError


class GroupUnknown(PeerError):
    """A message is of a group that we do not know, or that its author is not in."""

    code = "group.unknown"


class GroupMissing(CallerError):
    """No group of this account has that id."""

    code = "group.missing"


class GroupNotJoined(CallerError):
    """We, or the number in question, are not in the group."""

    code = "group.not_joined"


class GroupNotOurs(CallerError):
    """Somebody else founded the group: only he changes it."""

    code = "group.not_ours"


class GroupInvalid(CallerError):
    """There cannot be such a group."""

    code = "group.invalid"
