"""Numbers at the relay: their registration, and their devices."""

from corefast.errors.blame import CallerError


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


class AttachSuperseded(CallerError):
    """Another copy of this account attached later: ours must not send."""

    code = "attach.superseded"


class DeviceNotFirst(CallerError):
    """Only a number's first device links and unlinks."""

    code = "device.not_first"


class DeviceUnknown(CallerError):
    code = "device.unknown"


class DevicesFull(CallerError):
    code = "device.full"


class SlotClosed(CallerError):
    """There is no such slot for linking: its code was used, is too old or was taken back."""

    code = "slot.closed"


class SlotRefused(CallerError):
    """The first device did not agree: what it got does not open with its secret, or it did not answer in time."""

    code = "slot.refused"


class LinkCodeInvalid(CallerError):
    """A text is no code for linking."""

    code = "slot.code_invalid"
