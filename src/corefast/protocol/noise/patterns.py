"""The two handshake patterns that corefast speaks (Noise revision 34, sections 7.5 and 9.4)."""

from enum import Enum
from typing import NamedTuple


class Token(Enum):
    E = "e"
    S = "s"
    EE = "ee"
    ES = "es"
    SE = "se"
    SS = "ss"
    PSK = "psk"


class Pattern(NamedTuple):
    """*messages* alternate, the initiator's first; *knows_responder*: its static key is a pre-message."""

    name: str
    messages: tuple[tuple[Token, ...], ...]
    knows_responder: bool

    @property
    def has_psk(self) -> bool:
        return any(Token.PSK in message for message in self.messages)


IK = Pattern(
    "IK",
    ((Token.E, Token.ES, Token.S, Token.SS), (Token.E, Token.EE, Token.SE)),
    knows_responder=True,
)

NN_PSK0 = Pattern(
    "NNpsk0",
    ((Token.PSK, Token.E), (Token.E, Token.EE)),
    knows_responder=False,
)
