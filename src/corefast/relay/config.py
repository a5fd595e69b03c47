"""The relay's settings."""

import ipaddress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from corefast.errors import SetupError
from corefast.limits import (
    BUNDLE_BURST,
    BUNDLE_REFILL_PER_S,
    LOOKUP_BURST,
    LOOKUP_REFILL_PER_S,
    POST_BURST,
    POST_REFILL_PER_S,
)


class RelayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Run the relay: it keeps who owns a number, public prekeys, and ciphertext that waits."""

    data_dir: Annotated[str, Meta(description="folder of the relay's key and database")]
    listen: Annotated[str, Meta(description="address and port to serve on; port 0 takes any")] = "127.0.0.1:4460"
    public: Annotated[str, Meta(description="address and port that clients reach it by, for its URL")] = ""
    registration: Annotated[
        Literal["open", "code"], Meta(description="open (loopback only), or by one-time code: relay issue-code")
    ] = "code"
    journal: Annotated[str, Meta(description="development: file for one JSON line an envelope")] = ""
    bundle_burst: Annotated[int, Meta(description="prekey fetches at once for one caller and number")] = BUNDLE_BURST
    bundle_refill: Annotated[float, Meta(description="prekey fetches a second after that")] = BUNDLE_REFILL_PER_S
    post_burst: Annotated[int, Meta(description="posts at once of one phone")] = POST_BURST
    post_refill: Annotated[float, Meta(description="posts of one phone a second after that")] = POST_REFILL_PER_S
    lookup_burst: Annotated[int, Meta(description="numbers that one phone may ask for at once")] = LOOKUP_BURST
    lookup_refill: Annotated[float, Meta(description="numbers a second after that")] = LOOKUP_REFILL_PER_S
    bulk: Annotated[
        str, Meta(description="numbers, with commas, whose cores may post and ask without limit (default: all cores)")
    ] = ""
    blob_store: Annotated[
        str, Meta(description="s3://bucket/prefix for encrypted files (default: a folder in the data folder)")
    ] = ""
    blob_quota_mb: Annotated[int, Meta(description="megabytes of files kept for one phone's number")] = 1_024
    blob_quota_core_mb: Annotated[int, Meta(description="the same for a number with a core")] = 102_400
    max_connections: Annotated[int, Meta(description="connections at a time")] = 20_000
    database: Annotated[str, Meta(description="mysql://user@host:port/name (default: a file in the data folder)")] = ""
    database_password: Annotated[str, Meta(description="the database user's password")] = ""
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "info"


class CodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Print a one-time code that lets somebody register NUMBER within ten minutes."""

    number: Annotated[str, Meta(description="the number, in international form", extra={"positional": True})]
    data_dir: Annotated[str, Meta(description="the relay's folder")]
    database: Annotated[str, Meta(description="mysql://user@host:port/name (default: a file in the data folder)")] = ""
    database_password: Annotated[str, Meta(description="the database user's password")] = ""


class MigrateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Bring the database to this release's schema."""

    data_dir: Annotated[str, Meta(description="the relay's folder, where its database is a file there")] = ""
    database: Annotated[str, Meta(description="mysql://user@host:port/name (default: a file in the data folder)")] = ""
    database_password: Annotated[str, Meta(description="the database user's password")] = ""
    check: Annotated[bool, Meta(description="change nothing; fail where something is missing")] = False


def split_address(text: str, setting: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; raise `SetupError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise SetupError(f"{setting} {text!r} is not an address; write it as HOST:PORT")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """True where only this machine can reach *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
