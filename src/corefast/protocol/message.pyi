__pyx_capi__: dict[str, object]

KIND_SIGNAL: int
KIND_PREKEY: int

class SignalMessage:
    version: int
    ratchet_key: bytes
    counter: int
    previous_counter: int
    ciphertext: bytes
    pq_ratchet: bytes
    @staticmethod
    def parse(message: bytes) -> SignalMessage: ...

class PreKeySignalMessage:
    version: int
    one_time_id: int | None
    base_key: bytes
    identity: bytes
    message: bytes
    registration_id: int
    signed_id: int
    kem_id: int | None
    kem_ciphertext: bytes | None
    @staticmethod
    def parse(message: bytes) -> PreKeySignalMessage: ...

def encode_before(one_time_id: int | None, base_key: bytes, identity: bytes) -> bytes: ...
def encode_after(registration_id: int, signed_id: int, kem_id: int | None, kem_ciphertext: bytes | None) -> bytes: ...
