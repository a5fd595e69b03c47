"""The version of the link: the first byte of each direction, and part of the handshake's prologue."""

LINK_VERSION = 1

PROLOGUE_LABEL = b"corefast link "


def prologue(version: int = LINK_VERSION) -> bytes:
    """Return what both sides mix into the handshake, so that a changed version byte breaks it."""
    return PROLOGUE_LABEL + bytes((version,))
