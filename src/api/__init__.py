"""The REST front, the webhook emitter and their helpers: decode, call the core, encode.

It knows no business rule, no key and no database; a core is an address and a secret.
"""
