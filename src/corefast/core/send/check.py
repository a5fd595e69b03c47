"""What the body of a message may be: the limits of the on-premises API, whoever asks."""

from corefast.errors import MessageTooLong, ParameterInvalid, ParameterMissing
from corefast.limits import MAX_TEXT_CHARACTERS
from corefast.wire.body import Saying, Text


def check_body(body: Saying) -> None:
    """Raise `ParameterMissing`, `ParameterInvalid` or `MessageTooLong` with the field that has to be changed."""
    if not isinstance(body, Text):
        raise ParameterInvalid("a business does not send this type of message")
    if not body.body:
        raise ParameterMissing("text.body is missing or empty")
    if len(body.body) > MAX_TEXT_CHARACTERS:
        raise MessageTooLong(f"text.body has {len(body.body)} characters; the limit is {MAX_TEXT_CHARACTERS}")
