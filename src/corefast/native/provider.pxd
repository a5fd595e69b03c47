"""The part of libcrypto that corefast uses, declared once.

The low-level SHA-256 calls are deprecated since OpenSSL 3.0 and kept on purpose: EVP costs twice as much for the
one- and two-block messages of a ratchet (measured 0.33 us against 0.168 us for an HMAC of one byte).
"""

from libc.stdint cimport uint8_t, uint32_t


cdef extern from "<openssl/sha.h>" nogil:
    ctypedef struct SHA256_CTX:
        uint32_t h[8]
        uint32_t Nl

    int SHA256_Init(SHA256_CTX *ctx)
    int SHA256_Update(SHA256_CTX *ctx, const void *src, size_t size)
    int SHA256_Final(uint8_t *dst, SHA256_CTX *ctx)
    void SHA256_Transform(SHA256_CTX *ctx, const uint8_t *block)


cdef extern from "<openssl/crypto.h>" nogil:
    int CRYPTO_memcmp(const void *a, const void *b, size_t size)


cdef extern from "<openssl/err.h>" nogil:
    void ERR_clear_error()


cdef extern from "<openssl/params.h>" nogil:
    ctypedef struct OSSL_PARAM:
        pass


cdef extern from "<openssl/evp.h>" nogil:
    ctypedef struct EVP_CIPHER:
        pass
    ctypedef struct EVP_CIPHER_CTX:
        pass
    int EVP_CTRL_AEAD_GET_TAG
    int EVP_CTRL_AEAD_SET_TAG

    EVP_CIPHER *EVP_CIPHER_fetch(void *library, const char *name, const char *properties)
    EVP_CIPHER_CTX *EVP_CIPHER_CTX_new()
    void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *ctx)
    int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX *ctx, int command, int size, void *data)
    int EVP_EncryptInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv,
                            const OSSL_PARAM *params)
    int EVP_EncryptUpdate(EVP_CIPHER_CTX *ctx, uint8_t *dst, int *dst_size, const uint8_t *src, int size)
    int EVP_EncryptFinal_ex(EVP_CIPHER_CTX *ctx, uint8_t *dst, int *dst_size)
    int EVP_DecryptInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv,
                            const OSSL_PARAM *params)
    int EVP_DecryptUpdate(EVP_CIPHER_CTX *ctx, uint8_t *dst, int *dst_size, const uint8_t *src, int size)
    int EVP_DecryptFinal_ex(EVP_CIPHER_CTX *ctx, uint8_t *dst, int *dst_size)
