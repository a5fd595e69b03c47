"""What an operator may allow one peer: an older protocol than everybody else has to speak."""

from enum import Enum


class Pin(Enum):
    """Set by hand for a peer known to run old software, never by what the peer or a relay says.

    A peer that is not pinned is met with PQXDH and SPQR or not at all: a bundle without its KEM key, or a first message
    of version 3, is an attempt to take the post-quantum part away.
    """

    NONE = "none"
    WITHOUT_SPQR = "without_spqr"
    """Sessions that we start are PQXDH alone (libsignal 0.24 to 0.73). Those that the peer starts need no pin."""
    X3DH = "x3dh"
    """Sessions of version 3, in both roles (libsignal up to 0.72, libsignal-protocol-c, WhatsApp)."""
