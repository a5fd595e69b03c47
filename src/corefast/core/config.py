"""The core's settings."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from corefast.errors import SetupError

Network = IPv4Network | IPv6Network


class CoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Run a core: it holds the business's keys, sessions and messages, and serves fronts and webhook emitters."""

    data_dir: Annotated[str, Meta(description="folder of the database, the master key and the secrets of the roles")]
    relay: Annotated[str, Meta(description="URL of the relay, corefast://host:port/#key, as it prints it")]
    number: Annotated[
        str, Meta(description="the business's number, in international form (default: those registered by the API)")
    ] = ""
    listen: Annotated[str, Meta(description="address and port for fronts and emitters; port 0 takes any")] = (
        "127.0.0.1:4461"
    )
    code: Annotated[str, Meta(description="one-time code for the registration, where the relay asks for one")] = ""
    pin: Annotated[str, Meta(description="the number's pin, where it has one")] = ""
    webhook: Annotated[str, Meta(description="URL that gets messages and statuses")] = ""
    resend_hours: Annotated[
        int, Meta(description="hours in which a message that could not be decrypted is sent once more; 0 never", ge=0)
    ] = 24
    keep_messages_days: Annotated[
        int, Meta(description="days after which messages are forgotten that nothing is expected of; 0 never", ge=0)
    ] = 30
    shards: Annotated[int, Meta(description="parts that the account's peers are split into; this release knows 1")] = 1
    adopt_restored: Annotated[
        bool, Meta(description="go on from a restored copy: new sessions, and the original is cut off")
    ] = False
    replace: Annotated[bool, Meta(description="take the number over from whoever has it at the relay")] = False
    identity_policy: Annotated[
        Literal["flag", "block"],
        Meta(
            description="when a customer's identity key changes: tell and go on, or send nothing until it is accepted"
        ),
    ] = "flag"
    master_key_file: Annotated[str, Meta(description="the master key (default: master.key in the data folder)")] = ""
    database: Annotated[str, Meta(description="mysql://user@host:port/name (default: a file in the data folder)")] = ""
    database_password: Annotated[str, Meta(description="the database user's password")] = ""
    admin_password: Annotated[
        str, Meta(description="first password of the user admin, best by ADMIN_PASSWORD_FILE (default: a random one)")
    ] = ""
    compat_first_login: Annotated[
        bool, Meta(description="begin with admin/secret as the original did; the first login has to change it")
    ] = False
    link_networks: Annotated[
        str, Meta(description="networks that links of media may lead to besides the internet, such as 10.0.0.0/8")
    ] = ""
    media_cache_mb: Annotated[int, Meta(description="megabytes of received media kept here, encrypted")] = 4_096
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "info"

    def networks(self) -> list[Network]:
        """Return the networks of --link-networks; raise `SetupError`."""
        try:
            return [ip_network(each.strip()) for each in self.link_networks.split(",") if each.strip()]
        except ValueError:
            raise SetupError(
                f"--link-networks {self.link_networks!r} is no list of networks such as 10.0.0.0/8"
            ) from None

    def address(self) -> tuple[str, int]:
        """Return host and port to listen on; raise `SetupError`."""
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65_535:
            raise SetupError(f"--listen {self.listen!r} is not an address; write it as HOST:PORT")
        return host.strip("[]"), int(port)


class MigrateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Bring the database to this release's schema."""

    data_dir: Annotated[str, Meta(description="the core's folder, where its database is a file there")] = ""
    database: Annotated[str, Meta(description="mysql://user@host:port/name (default: a file in the data folder)")] = ""
    database_password: Annotated[str, Meta(description="the database user's password")] = ""
    check: Annotated[bool, Meta(description="change nothing; fail where something is missing")] = False
