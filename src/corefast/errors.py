"""The one tree of errors: each leaf has a stable code, a blame, and no secret in its text."""


class CorefastError(Exception):
    """Root of all errors. `code` is stable; `fatal` closes the link."""

    code = "internal"
    fatal = False


# ── who is to blame ────────────────────────────────────────────────────────────────────────────────────────────────


class PeerError(CorefastError):
    """The other side broke the protocol."""

    code = "peer"


class CallerError(CorefastError):
    """The request cannot be served as it stands; nothing was changed."""

    code = "request"


class BusyError(CorefastError):
    """A limit is reached or a part is away; the same request may succeed later."""

    code = "busy"

    def __init__(self, text: str = "try again later", retry_after_ms: int = 1_000) -> None:
        super().__init__(text)
        self.retry_after_ms = retry_after_ms


class SetupError(CorefastError):
    """The operator has to change something; the text says what."""

    code = "setup"


# ── frames and links ───────────────────────────────────────────────────────────────────────────────────────────────


class FrameTooLarge(PeerError):
    code = "frame.too_large"
    fatal = True


class FrameMalformed(PeerError):
    code = "frame.malformed"
    fatal = True


class MessageUndecodable(PeerError):
    """A record is not a message of this link's vocabulary."""

    code = "message.undecodable"
    fatal = True


class VersionUnsupported(PeerError):
    code = "version.unsupported"
    fatal = True


class HandshakeFailed(PeerError):
    code = "handshake.failed"
    fatal = True


class PeerOutOfTurn(PeerError):
    code = "peer.out_of_turn"
    fatal = True


class CreditExceeded(PeerError):
    code = "credit.exceeded"
    fatal = True


class LinkOverflow(BusyError):
    """Our own queue toward a slow peer is full."""

    code = "link.overflow"
    fatal = True


class LinkTimeout(PeerError):
    code = "link.timeout"
    fatal = True


class NonceExhausted(BusyError):
    """A key of a link was used as often as it may be; a new link has new keys."""

    code = "link.nonce"
    fatal = True


class LinkLost(BusyError):
    """The connection ended before the answer came; whether the call took effect is unknown."""

    code = "link.lost"


class CallTimeout(BusyError):
    code = "call.timeout"


class RemoteRefused(CallerError):
    """The other side answered a call with an error; `code` is the remote one."""

    def __init__(self, code: str, text: str = "", retry_after_ms: int = 0) -> None:
        super().__init__(text or code)
        self.code = code
        self.retry_after_ms = retry_after_ms


# ── keys, sessions, messages ───────────────────────────────────────────────────────────────────────────────────────


class KeyMalformed(PeerError):
    code = "key.malformed"


class KeyAgreementFailed(PeerError):
    """A low-order point: the shared secret would be all zero."""

    code = "key.low_order"


class SignatureInvalid(PeerError):
    code = "signature.invalid"


class CiphertextInvalid(PeerError):
    """Authentication or padding failed; nothing was learned."""

    code = "ciphertext.invalid"


class MessageMalformed(PeerError):
    code = "message.malformed"


class MessageVersionUnsupported(PeerError):
    code = "message.version"


class MessageDowngraded(MessageVersionUnsupported):
    """The first message of a session without a KEM key, from a peer that is not pinned to that."""

    code = "message.downgraded"


class MessageMacInvalid(PeerError):
    code = "message.mac"


class MessageReplayed(PeerError):
    code = "message.replayed"

    def __init__(self, index: int) -> None:
        super().__init__(f"message {index} was already read")


class MessageGapTooLarge(PeerError):
    code = "message.gap"


class SessionMissing(PeerError):
    code = "session.missing"


class PreKeyUnknown(PeerError):
    """The message names a prekey that we do not hold (any more)."""

    code = "prekey.unknown"


class BundleInvalid(PeerError):
    code = "bundle.invalid"


class BundleDowngraded(BundleInvalid):
    """The KEM key is missing from a bundle: somebody on the way wants a session that is not post-quantum."""

    code = "bundle.downgraded"


class IdentityChanged(PeerError):
    code = "identity.changed"


class ContentMalformed(PeerError):
    code = "content.malformed"


class ContentUnsupported(PeerError):
    """A well-formed body of a kind that this release does not know."""

    code = "content.unsupported"

    def __init__(self, kind: int) -> None:
        super().__init__(f"a body of kind {kind} is not known here")


class GroupUnknown(PeerError):
    """A message is of a group that we do not know, or that its author is not in."""

    code = "group.unknown"


class GroupMissing(CallerError):
    """No group of this account has that id."""

    code = "group.missing"


class GroupNotJoined(CallerError):
    """We, or the number in question, are not in the group."""

    code = "group.not_joined"


class GroupNotOurs(CallerError):
    """Somebody else founded the group: only he changes it."""

    code = "group.not_ours"


class GroupInvalid(CallerError):
    """There cannot be such a group."""

    code = "group.invalid"


class SnapshotInvalid(CorefastError):
    code = "snapshot.invalid"


class SealBroken(CorefastError):
    """A sealed value does not open: wrong master key, or a changed byte."""

    code = "seal.broken"


# ── numbers, registration, the relay ───────────────────────────────────────────────────────────────────────────────


class NumberInvalid(CallerError):
    code = "number.invalid"


class NumberUnknown(CallerError):
    code = "number.unknown"


class NumberTaken(CallerError):
    code = "number.taken"


class CodeRequired(CallerError):
    code = "code.required"


class CodeWrong(CallerError):
    code = "code.wrong"


class PinRequired(CallerError):
    code = "pin.required"


class PinWrong(CallerError):
    code = "pin.wrong"


class SlotClosed(CallerError):
    """There is no such slot for linking: its code was used, is too old or was taken back."""

    code = "slot.closed"


class SlotRefused(CallerError):
    """The first device did not agree: what it got does not open with its secret, or it did not answer in time."""

    code = "slot.refused"


class LinkCodeInvalid(CallerError):
    """A text is no code for linking."""

    code = "slot.code_invalid"


class DeviceNotFirst(CallerError):
    """Only a number's first device links and unlinks."""

    code = "device.not_first"


class DeviceUnknown(CallerError):
    code = "device.unknown"


class DevicesFull(CallerError):
    code = "device.full"


class NotAttached(CallerError):
    code = "link.not_attached"


class AttachSuperseded(CallerError):
    """Another copy of this account attached later: ours must not send."""

    code = "attach.superseded"


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


class RateLimited(BusyError):
    code = "rate.limited"


class Overloaded(BusyError):
    code = "overloaded"


class AccountStopped(BusyError):
    """The account takes no messages: superseded, refused by the relay, or about to end; the text says what helps."""

    code = "account.stopped"


# ── the store ──────────────────────────────────────────────────────────────────────────────────────────────────────


class StoreError(CorefastError):
    """The database failed; the batch was rolled back."""

    code = "store"


class StoreBusy(StoreError):
    code = "store.busy"


class StoreFull(StoreError):
    code = "store.full"


class StoreConflict(StoreError):
    """A unique key exists already."""

    code = "store.conflict"


class RowCountUnexpected(StoreError):
    """A statement that had to change an exact number of rows changed another: an invariant broke or a lease is lost."""

    code = "store.row_count"


class SchemaTooNew(SetupError):
    code = "schema.too_new"


# ── the core as its callers see it ─────────────────────────────────────────────────────────────────────────────────


class TokenInvalid(CallerError):
    code = "token.invalid"


class LoginRefused(CallerError):
    """User name or password is wrong; which one is not told."""

    code = "login.refused"


class LoginThrottled(BusyError):
    """Too many wrong passwords; the one given was not looked at."""

    code = "login.throttled"


class PasswordUnchanged(CallerError):
    """The password is one that everybody knows: nothing but changing it is served."""

    code = "password.unchanged"


class UserExists(CallerError):
    code = "user.exists"


class UserUnknown(CallerError):
    code = "user.unknown"


class ProviderUnknown(CallerError):
    code = "provider.unknown"


class PhotoUnknown(CallerError):
    code = "photo.unknown"


class CertificateInvalid(CallerError):
    """What was uploaded is no certificate that can be used."""

    code = "certificate.invalid"


class CertificateUnknown(CallerError):
    code = "certificate.unknown"


class BackupInvalid(CallerError):
    """No backup of ours, a damaged one, or another password."""

    code = "backup.invalid"


class AccountRegistered(CallerError):
    """Only an account that is not registered can become another one."""

    code = "account.registered"


class UserBuiltin(CallerError):
    code = "user.builtin"


class ScopeMissing(CallerError):
    code = "scope.missing"


class ParameterMissing(CallerError):
    code = "parameter.missing"


class ParameterUnneeded(CallerError):
    """A parameter that does not go with the rest: sent along it would be lost."""

    code = "parameter.unneeded"


class SectionCount(CallerError):
    code = "sections.count"


class RowCount(CallerError):
    code = "rows.count"


class ParameterInvalid(CallerError):
    code = "parameter.invalid"


class MessageTooLong(CallerError):
    code = "message.too_long"


class RecipientIsSender(CallerError):
    code = "recipient.is_sender"


class MessageUnknown(CallerError):
    code = "message.unknown"


class AccountUnknown(CallerError):
    """This core does not serve the number; or not for who asks."""

    code = "account.unknown"


class RegistrationRefused(CallerError):
    """The relay does not give us the number; *reason* is its code, the text says what to do."""

    code = "registration.refused"

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class RelayAway(BusyError):
    """The relay cannot be asked now."""

    code = "relay.away"


class PeerUnknown(CallerError):
    """No identity key of this number was seen yet."""

    code = "peer.unknown"


class IdentityMismatch(CallerError):
    """The hash is not that of the identity key that the peer has now."""

    code = "identity.mismatch"


class IdentityUnacknowledged(CallerError):
    """The peer's identity key changed, and the policy is to send nothing before somebody has acknowledged that."""

    code = "identity.unacknowledged"


class MediaUnknown(CallerError):
    """No medium has this id, or the relay does not keep it any more."""

    code = "media.unknown"


class MediaUnfit(CallerError):
    """A file is not of a type that goes with the message, or not what its type says."""

    code = "media.unfit"


class MediaTooLarge(CallerError):
    code = "media.too_large"


class MediaDamaged(CorefastError):
    """The relay's file, or the one on the disk, is not the one that was sent."""

    code = "media.damaged"


class LinkRefused(CallerError):
    """What a link names cannot be fetched, or must not be."""

    code = "media.link"


class MessageDamaged(CorefastError):
    """A stored message does not open."""

    code = "message.damaged"


class IdempotencyRunning(CallerError):
    code = "idempotency.running"


class IdempotencyMismatch(CallerError):
    code = "idempotency.mismatch"


class CursorInvalid(CallerError):
    code = "cursor.invalid"


# ── templates (the codes 2000 to 2014 of the on-premises API) ──────────────────────────────────────────────────────


class TemplateExists(CallerError):
    """A template of this name, language and namespace is there already."""

    code = "template.exists"


class TemplateUnknown(CallerError):
    """No template has this id."""

    code = "template.unknown"


class TemplateError(CallerError):
    """A template cannot be sent, or kept, as it is."""

    code = "template"


class TemplateParameterCount(TemplateError):
    code = "template.parameter_count"


class TemplateMissing(TemplateError):
    """No template has this name in this language and namespace."""

    code = "template.missing"


class TemplateParameterTooLong(TemplateError):
    code = "template.parameter_long"


class TemplateTextTooLong(TemplateError):
    """A text is too long once its parameters are in it."""

    code = "template.text_long"


class TemplateWhitespace(TemplateError):
    code = "template.whitespace"


class TemplateCharacters(TemplateError):
    code = "template.characters"


class TemplateMediaUnsupported(TemplateError):
    code = "template.media"


class TemplateComponentMissing(TemplateError):
    code = "template.component_missing"


class TemplateUrlInvalid(TemplateError):
    code = "template.url"


class TemplatePhoneInvalid(TemplateError):
    code = "template.phone"


class TemplateParameterFormat(TemplateError):
    """A parameter, or a whole component, is not of the kind that the template has in its place."""

    code = "template.parameter_format"


class TemplateButtonsUnsupported(TemplateError):
    code = "template.buttons"


class TemplateNamespaceEmpty(TemplateError):
    """Templates of several namespaces share this name and language, and none was said."""

    code = "template.namespace"
