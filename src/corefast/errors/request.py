"""What a request says, whatever it is about."""

from corefast.errors.blame import CallerError


class ParameterMissing(CallerError):
    code = "parameter.missing"


class ParameterUnneeded(CallerError):
    """A parameter that does not go with the rest: sent along it would be lost."""

    code = "parameter.unneeded"


class ParameterInvalid(CallerError):
    code = "parameter.invalid"


class SectionCount(CallerError):
    code = "sections.count"


class RowCount(CallerError):
    code = "rows.count"


class IdempotencyRunning(CallerError):
    code = "idempotency.running"


class IdempotencyMismatch(CallerError):
    code = "idempotency.mismatch"


class CursorInvalid(CallerError):
    code = "cursor.invalid"
