"""libcrypto for the layers above: hashes, ciphers, curves and the KEM; knows no protocol, no message, no state."""
