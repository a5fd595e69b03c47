"""TLS contexts from PEM texts. A private key never lies in a file: OpenSSL reads it from memory."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_ALPN = ["http/1.1"]


def server_context(chain: str, key: str) -> ssl.SSLContext:
    """Return a context that shows *chain* (PEM, leaf first); raise `ssl.SSLError` where OpenSSL does not take it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_ALPN)
    with _in_memory(f"{chain}\n{key}".encode()) as path:
        context.load_cert_chain(path)
    return context


def client_context(ca_file: str = "", more: str = "") -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, or those of *ca_file*, and those in *more* (PEM).

    Raises `OSError` (`ssl.SSLError` among them) where one cannot be read.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    if more:
        # A company's own authority is often older than today's rules on extensions, and may be the receiver's itself.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=more)
    return context


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give *content* a path for as long as the block runs; without memory files, a file that only we can read."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
