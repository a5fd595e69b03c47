from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.keys import KemKeyPair, KeyPair, Random
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session

def initiate(
    our_identity: KeyPair, our_registration_id: int, bundle: PreKeyBundle, random: Random, pin: Pin = ...
) -> Session: ...
def accept(
    our_identity: KeyPair,
    message: PreKeySignalMessage,
    our_signed: KeyPair,
    our_kem: KemKeyPair | None,
    our_one_time: KeyPair | None,
    random: Random,
    pin: Pin = ...,
) -> tuple[Session, bytes]: ...
