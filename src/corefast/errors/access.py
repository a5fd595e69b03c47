"""Who asks, and what he may."""

from corefast.errors.blame import BusyError, CallerError


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


class UserBuiltin(CallerError):
    code = "user.builtin"


class ScopeMissing(CallerError):
    code = "scope.missing"
