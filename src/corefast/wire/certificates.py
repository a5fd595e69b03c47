"""The gateway's messages about certificates: the one that fronts show, and those that emitters trust."""

import msgspec


class GetServerCertificate(msgspec.Struct, frozen=True, array_like=True, tag=140):
    """→ `ServerCertificate`: the one that was uploaded, else one that the core makes, good for *names* too.

    Errors: `parameter.invalid`.
    """

    names: list[str] = []
    known: str = ""


class ServerCertificate(msgspec.Struct, frozen=True, array_like=True, tag=141):
    """*version* names it; where the asker knows that one, the rest is left out. *chain* (leaf first), *key*: PEM."""

    version: str
    is_uploaded: bool
    chain: str = ""
    key: str = ""


class SetServerCertificate(msgspec.Struct, frozen=True, array_like=True, tag=142):
    """*pem*: certificates and their private key; empty: back to the core's own. → `Authorities` above it.

    Errors: `certificate.invalid`.
    """

    pem: str


class GetServerAuthority(msgspec.Struct, frozen=True, array_like=True, tag=143):
    """→ `Authorities`: what a client has to trust."""


class GetAuthorities(msgspec.Struct, frozen=True, array_like=True, tag=144):
    """→ `Authorities` that emitters trust besides the system's. Errors: `certificate.unknown` where none were set."""


class Authorities(msgspec.Struct, frozen=True, array_like=True, tag=145):
    pem: str


class SetAuthorities(msgspec.Struct, frozen=True, array_like=True, tag=146):
    """Empty: none. → `Authorities`. Errors: `certificate.invalid`, `certificate.unknown` where there is none to end."""

    pem: str


Message = (
    GetServerCertificate
    | ServerCertificate
    | SetServerCertificate
    | GetServerAuthority
    | GetAuthorities
    | Authorities
    | SetAuthorities
)
