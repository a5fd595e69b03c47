"""Encrypted files at the relay."""

from corefast.errors.blame import CallerError


class BlobUnknown(CallerError):
    """There is no such encrypted file at the relay, or no longer."""

    code = "blob.unknown"


class BlobMismatch(CallerError):
    """An encrypted file does not have the hash that names it."""

    code = "blob.mismatch"


class BlobTooLarge(CallerError):
    code = "blob.too_large"


class BlobQuota(CallerError):
    """A number has as much stored at the relay as it may."""

    code = "blob.quota"
