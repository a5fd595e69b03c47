"""A business's account, and what is set for it."""

from corefast.errors.blame import BusyError, CallerError


class AccountUnknown(CallerError):
    """This core does not serve the number; or not for who asks."""

    code = "account.unknown"


class AccountStopped(BusyError):
    """The account takes no messages: superseded, refused by the relay, or about to end; the text says what helps."""

    code = "account.stopped"


class AccountRegistered(CallerError):
    """Only an account that is not registered can become another one."""

    code = "account.registered"


class RegistrationRefused(CallerError):
    """The relay does not give us the number; *reason* is its code, the text says what to do."""

    code = "registration.refused"

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class RelayAway(BusyError):
    """The relay cannot be asked now."""

    code = "relay.away"


class BackupInvalid(CallerError):
    """No backup of ours, a damaged one, or another password."""

    code = "backup.invalid"


class ProviderUnknown(CallerError):
    code = "provider.unknown"


class PhotoUnknown(CallerError):
    code = "photo.unknown"


class CertificateInvalid(CallerError):
    """What was uploaded is no certificate that can be used."""

    code = "certificate.invalid"


class CertificateUnknown(CallerError):
    code = "certificate.unknown"
