"""X25519 (RFC 7748) on raw 32-byte keys. Private keys are clamped when used, not when stored."""

from libc.stdint cimport uint8_t

from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size
from corefast.native.provider cimport (
    ERR_clear_error,
    EVP_PKEY,
    EVP_PKEY_CTX,
    EVP_PKEY_CTX_free,
    EVP_PKEY_CTX_new_from_name,
    EVP_PKEY_CTX_new_from_pkey,
    EVP_PKEY_derive,
    EVP_PKEY_derive_init,
    EVP_PKEY_derive_set_peer_ex,
    EVP_PKEY_free,
    EVP_PKEY_fromdata,
    EVP_PKEY_fromdata_init,
    EVP_PKEY_KEYPAIR,
    EVP_PKEY_PUBLIC_KEY,
    OSSL_PARAM,
    OSSL_PARAM_construct_end,
    OSSL_PARAM_construct_octet_string,
)

from nacl.bindings import crypto_scalarmult_base

from corefast.errors import KeyAgreementFailed, KeyMalformed

# Stands where libcrypto wants our public half beside a private key.
cdef uint8_t[POINT_SIZE] UNREAD

# Makes key objects from bytes; used under the GIL.
cdef EVP_PKEY_CTX *IMPORTER = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL)


cdef EVP_PKEY *import_key(const uint8_t *our_private, const uint8_t *public) noexcept:
    """Return a key object, NULL on failure; *our_private* may be NULL.

    A private key always comes with a public one: left alone, libcrypto would multiply for it (27 us, as much as the
    agreement itself). The agreement never reads our own public half.
    """
    cdef OSSL_PARAM params[3]
    cdef EVP_PKEY *key = NULL
    params[0] = OSSL_PARAM_construct_octet_string("pub", <void *> public, POINT_SIZE)
    params[1] = params[2] = OSSL_PARAM_construct_end()
    if our_private is not NULL:
        params[1] = OSSL_PARAM_construct_octet_string("priv", <void *> our_private, SCALAR_SIZE)
    EVP_PKEY_fromdata(IMPORTER, &key, EVP_PKEY_PUBLIC_KEY if our_private is NULL else EVP_PKEY_KEYPAIR, params)
    return key


cdef bint derive_shared(const uint8_t *our_private, const uint8_t *their_public, uint8_t *dst) noexcept:
    """Write the 32-byte shared secret; False if it would be all zero (RFC 7748, 6.1: a low-order point)."""
    cdef EVP_PKEY *ours = import_key(our_private, UNREAD)
    cdef EVP_PKEY *theirs = import_key(NULL, their_public)
    cdef EVP_PKEY_CTX *agreement = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL)
    cdef size_t size = POINT_SIZE
    cdef bint agreed = (
        agreement is not NULL
        and EVP_PKEY_derive_init(agreement) > 0
        # 0: there is nothing to validate about an X25519 point beforehand.
        and EVP_PKEY_derive_set_peer_ex(agreement, theirs, 0) > 0
        and EVP_PKEY_derive(agreement, dst, &size) > 0
        and size == POINT_SIZE
    )
    EVP_PKEY_CTX_free(agreement)
    EVP_PKEY_free(theirs)
    EVP_PKEY_free(ours)
    if not agreed:
        ERR_clear_error()
    return agreed


def public_from_private(bytes our_private not None):
    """Return the 32-byte public key of a 32-byte private key; raise KeyMalformed on another size.

    By libsodium's table of the base point, which takes half the time of libcrypto's ladder (17 against 36 us).
    """
    if bytes_size(our_private) != SCALAR_SIZE:
        raise KeyMalformed("a private key has 32 bytes")
    return crypto_scalarmult_base(our_private)


def agree(bytes our_private not None, bytes their_public not None):
    """Return the 32-byte shared secret; raise KeyAgreementFailed (low-order point) or KeyMalformed (wrong size)."""
    if bytes_size(our_private) != SCALAR_SIZE or bytes_size(their_public) != POINT_SIZE:
        raise KeyMalformed("a key has 32 bytes")
    shared = bytes_room(POINT_SIZE)
    if not derive_shared(bytes_at(our_private), bytes_at(their_public), bytes_fill(shared)):
        raise KeyAgreementFailed("the shared secret would be zero")
    return shared


if IMPORTER is NULL or EVP_PKEY_fromdata_init(IMPORTER) <= 0:
    raise ImportError("libcrypto offers no X25519")
