"""Bearer tokens: JWTs with the claims of the on-premises API, signed and read by cores alone."""

import jwt
import msgspec

from corefast.errors import TokenInvalid

TOKEN_LIFE_S = 7 * 86_400
TOKEN_ID_BYTES = 16
KEY_BYTES = 32
MAX_TOKEN_CHARACTERS = 512

_ALGORITHM = "HS256"
_CLAIMS = ["user", "iat", "exp", "wa:rand", "epoch"]


class Token(msgspec.Struct, frozen=True):
    """*epoch* is the user's at the time of the login, *id* the token's own (both hex)."""

    username: str
    epoch: str
    id: str
    expires_s: int


def sign_token(key: bytes, token: Token) -> str:
    claims = {
        "user": token.username,
        "iat": token.expires_s - TOKEN_LIFE_S,
        "exp": token.expires_s,
        "wa:rand": token.id,
        "epoch": token.epoch,
    }
    return jwt.encode(claims, key, _ALGORITHM)


def read_token(key: bytes, text: str, now_s: int) -> Token:
    """Return what *text* says; raise `TokenInvalid` unless we signed it and it has not ended."""
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise TokenInvalid("this is no token of ours")
    try:
        # The clock is ours to give: PyJWT would ask the system's.
        claims = jwt.decode(text, key, [_ALGORITHM], {"require": _CLAIMS, "verify_exp": False, "verify_iat": False})
        token = msgspec.convert(
            {"username": claims["user"], "epoch": claims["epoch"], "id": claims["wa:rand"], "expires_s": claims["exp"]},
            Token,
        )
        bytes.fromhex(token.id)
    except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError):
        raise TokenInvalid("this is no token of ours") from None
    if token.expires_s <= now_s:
        raise TokenInvalid("the token has ended; log in again: POST /v1/users/login")
    return token
