"""Certificates: making our own, and reading what others upload. Pure: clock and randomness are arguments."""

import ipaddress
import re
import ssl
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from corefast.errors import CertificateInvalid
from corefast.limits import MAX_CERTIFICATE_BYTES
from corefast.net.tls import client_context, server_context

AUTHORITY_DAYS, LEAF_DAYS = 3_650, 397
"""Ten years for what people install by hand; for the leaf the longest that browsers accept."""

_SKEW = timedelta(hours=1)
_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


class Pair(msgspec.Struct, frozen=True):
    """PEM: certificates, leaf first, and the leaf's private key."""

    chain: str
    key: str


# ── our own ────────────────────────────────────────────────────────────────────────────────────────────────────────


def make_authority(now_ms: int, mark: str) -> Pair:
    """Return an authority of our own; *mark* tells it from that of another core."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"corefast {mark}")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = _builder(name, name, key.public_key(), key.public_key(), now_ms, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True).add_extension(usage, critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(authority: Pair, names: list[str], now_ms: int) -> Pair:
    """Return a server's certificate for *names* (host names and addresses), with its authority behind it."""
    issuer = x509.load_pem_x509_certificate(authority.chain.encode())
    signer = load_pem_private_key(authority.key.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = (
        _builder(subject, issuer.subject, key.public_key(), signer.public_key(), now_ms, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
    )
    leaf = _pair(builder.sign(signer, hashes.SHA256()), key)
    return Pair(leaf.chain + authority.chain, leaf.key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    own: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
    now_ms: int,
    days: int,
) -> x509.CertificateBuilder:
    now = _moment(now_ms)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM).decode(), private.decode())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def ends_ms(chain: str) -> int:
    """Return when the first certificate of *chain* ends (Unix ms)."""
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    return int(leaf.not_valid_after_utc.timestamp() * 1_000)


def last_of(chain: str) -> str:
    """Return the last certificate of *chain*: its authority's where that is there."""
    return x509.load_pem_x509_certificates(chain.encode())[-1].public_bytes(Encoding.PEM).decode()


# ── what others upload ─────────────────────────────────────────────────────────────────────────────────────────────


def read_pair(pem: str, now_ms: int) -> Pair:
    """Return the certificates and the key in *pem*, in any order; raise `CertificateInvalid`."""
    certificates = _read_certificates(pem)
    found = _KEY.search(pem)
    if found is None:
        raise CertificateInvalid("no private key: send certificate and key in one body, both PEM")
    if "ENCRYPTED" in found[0]:
        raise CertificateInvalid("the private key is encrypted; send it without a password")
    try:
        public = load_pem_private_key(found[0].encode(), None).public_key()
    except (ValueError, TypeError):
        raise CertificateInvalid("the private key cannot be read") from None
    wanted = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    leaf = next((each for each in certificates if _public(each) == wanted), None)
    if leaf is None:
        raise CertificateInvalid("the private key belongs to none of the certificates")
    if leaf.not_valid_after_utc <= _moment(now_ms):
        raise CertificateInvalid("the certificate has expired")
    pair = Pair(_pem([leaf, *(each for each in certificates if each is not leaf)]), found[0] + "\n")
    try:
        server_context(pair.chain, pair.key)
    except (ssl.SSLError, OSError):
        raise CertificateInvalid("OpenSSL does not take this certificate; is its key or digest too weak?") from None
    return pair


def read_authorities(pem: str) -> str:
    """Return the certificates in *pem*; raise `CertificateInvalid`."""
    if _KEY.search(pem):
        raise CertificateInvalid("there is a private key in it; send the certificates alone")
    text = _pem(_read_certificates(pem))
    try:
        client_context(more=text)
    except (ssl.SSLError, OSError):
        raise CertificateInvalid("OpenSSL does not take these certificates") from None
    return text


def _read_certificates(pem: str) -> list[x509.Certificate]:
    if len(pem) > MAX_CERTIFICATE_BYTES:
        raise CertificateInvalid(f"certificates have at most {MAX_CERTIFICATE_BYTES} bytes")
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
        for each in certificates:
            _public(each)
        return certificates
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateInvalid("no certificate in PEM form can be read") from None


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _pem(certificates: list[x509.Certificate]) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


def _moment(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1_000, UTC)
