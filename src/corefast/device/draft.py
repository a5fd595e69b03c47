"""A message as it is accepted: its id, its time, and its plaintext."""

from corefast.device.name import ID_BYTES
from corefast.device.profile import Profile
from corefast.device.store.inbox import What
from corefast.device.store.outbox import OutboxRow
from corefast.errors import MessageTooLong, ParameterInvalid
from corefast.limits import GROUP_TAG_BYTES, MAX_PLAINTEXT_BYTES
from corefast.wire.body import Saying
from corefast.wire.content import Body, Content, GroupTag, Medium, encode_content

MAX_CONTENT_BYTES = MAX_PLAINTEXT_BYTES - 1_024
"""The padded plaintext of one message; what is left is for the copy that our other devices get of it."""


def draft(
    profile: Profile,
    recipient: str,
    body: Body,
    *,
    message_id: bytes | None = None,
    reply_to: bytes | None = None,
    media: Medium | None = None,
    group: GroupTag | None = None,
) -> OutboxRow:
    """Return the row of a message to *recipient*; raise `ParameterInvalid`, `MessageTooLong`."""
    if message_id is not None and len(message_id) != ID_BYTES:
        raise ParameterInvalid(f"a message id has {ID_BYTES} bytes")
    message_id = message_id or profile.random(ID_BYTES)
    at_ms = profile.clock()
    try:
        author = profile.account.number
        said = Content(message_id, at_ms, body, profile.name, reply_to, media, group=group, author=author)
        content = encode_content(said)
    except UnicodeEncodeError:
        raise ParameterInvalid("a text has half a character in it (a surrogate)") from None
    limit = MAX_CONTENT_BYTES - (GROUP_TAG_BYTES if group is not None and group.roster is None else 0)
    if len(content) > limit:
        raise MessageTooLong(f"a message has at most {limit} bytes in all")
    what = What.MESSAGE if isinstance(body, Saying) else What.READ
    return OutboxRow(0, message_id, recipient, what, at_ms, content)
