"""The settings of the programs of this package."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The REST front of a core."""

    core: Annotated[str, Meta(description="HOST:PORT of the core's gateway")]
    core_secret_file: Annotated[str, Meta(description="file with the secret of the front, made by the core")]
    listen: Annotated[str, Meta(description="HOST:PORT to serve HTTP on; port 0 takes a free one")] = "127.0.0.1:9090"
    tls: Annotated[
        str,
        Meta(
            description="self-signed, off, or a PEM file with certificate and key "
            "(default: self-signed, and off where only this machine can connect)"
        ),
    ] = ""
    tls_name: Annotated[
        list[str], Meta(description="a name or address that the self-signed certificate is for; repeat for more")
    ] = msgspec.field(default_factory=list)
    trusted_proxy: Annotated[
        list[str], Meta(description="address or network of a proxy whose X-Forwarded-For counts; repeat for more")
    ] = msgspec.field(default_factory=list)
    open_metrics: Annotated[bool, Meta(description="serve /metrics without an API key")] = True
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "info"


class WebhooksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Posts a core's events to the business's webhook."""

    core: Annotated[str, Meta(description="HOST:PORT of the core's gateway")]
    core_secret_file: Annotated[str, Meta(description="file with the secret of the webhooks, made by the core")]
    allow_http: Annotated[bool, Meta(description="post to http:// URLs beyond this machine, unencrypted")] = False
    ca_file: Annotated[str, Meta(description="PEM file with the authorities to trust in place of the system's")] = ""
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "info"


class ListenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Receives, verifies and prints webhooks."""

    port: Annotated[int, Meta(description="port to listen on; 0 takes a free one")] = 0
    data: Annotated[str, Meta(description="folder of corefast up: sets itself as its webhook while it runs")] = ""
    core: Annotated[str, Meta(description="HOST:PORT of the core's gateway, in place of the one in up.json")] = ""
    secret: Annotated[str, Meta(description="whsec_… to verify with, where no --data is given")] = ""
    account: Annotated[str, Meta(description="the business's number, where the core serves several")] = ""
    yields: Annotated[bool, Meta(description="leave a webhook that is set already, and receive nothing")] = False
    json: Annotated[bool, Meta(description="print one JSON object a line")] = False
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "warning"


class PeerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Shows and decides how customers stand with the core.

    show NUMBER         its identity key's hash, safety number and pin
    pin NUMBER          speak an older protocol with it, of --protocol, for a customer known to run old software
    unpin NUMBER        end that
    accept NUMBER HASH  acknowledge its new identity key, once the safety numbers were compared
    list                the customers that are pinned, or whose keys are to be looked at
    """

    action: Annotated[str, Meta(description="show, pin, unpin, accept or list", extra={"positional": True})]
    number: Annotated[str, Meta(description="the customer's number, in any spelling", extra={"positional": True})] = ""
    hash: Annotated[str, Meta(description="the identity key's hash, for accept", extra={"positional": True})] = ""
    protocol: Annotated[
        Literal["x3dh", "without_spqr"], Meta(description="what pin allows: X3DH, or PQXDH without SPQR")
    ] = "x3dh"
    data: Annotated[str, Meta(description="folder of corefast up")] = "./data"
    core: Annotated[str, Meta(description="HOST:PORT of the core's gateway, in place of the one in up.json")] = ""
    account: Annotated[str, Meta(description="the business's number, where the core serves several")] = ""
    json: Annotated[bool, Meta(description="print JSON")] = False
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "warning"


class KeyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Makes, lists and revokes API keys; shows the secret that webhooks are signed with.

    new     make a key and show it, once
    list    show the keys there are
    revoke  end a key by its id; fronts forget it within half a second
    webhook show the webhook's secret (whsec_…), for those who verify signatures
    """

    action: Annotated[str, Meta(description="new, list, revoke or webhook", extra={"positional": True})]
    id: Annotated[str, Meta(description="the key's id, for revoke", extra={"positional": True})] = ""
    data: Annotated[str, Meta(description="folder of corefast up")] = "./data"
    core: Annotated[str, Meta(description="HOST:PORT of the core's gateway, in place of the one in up.json")] = ""
    name: Annotated[str, Meta(description="a name to know the new key by")] = ""
    key: Annotated[str, Meta(description="take over this secret (cf_…) instead of making one; best by KEY_FILE")] = ""
    scope: Annotated[list[str], Meta(description="send, read or admin; repeat for more")] = msgspec.field(
        default_factory=lambda: ["send", "read"]
    )
    account: Annotated[str, Meta(description="the business's number, where the core serves several")] = ""
    json: Annotated[bool, Meta(description="print JSON")] = False
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "warning"


class UserConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Lists, adds and removes those who log in to the API; sets a forgotten password.

    list      show the users there are
    add       add NAME, with a password that is asked for
    password  set a new password for NAME; all tokens of NAME end
    remove    remove NAME
    """

    action: Annotated[str, Meta(description="list, add, password or remove", extra={"positional": True})]
    name: Annotated[str, Meta(description="the user's name", extra={"positional": True})] = ""
    data: Annotated[str, Meta(description="folder of corefast up")] = "./data"
    core: Annotated[str, Meta(description="HOST:PORT of the core's gateway, in place of the one in up.json")] = ""
    password: Annotated[str, Meta(description="the new password; best by PASSWORD_FILE, or typed when asked")] = ""
    account: Annotated[str, Meta(description="the business's number, where the core serves several")] = ""
    json: Annotated[bool, Meta(description="print JSON")] = False
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "warning"
