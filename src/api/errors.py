"""One table: what each error of the system is to a client of the API, and the errors that only a front has."""

from typing import NamedTuple

from corefast.errors import CallerError, CorefastError


class BodyMalformed(CallerError):
    """The body is not JSON, or not UTF-8."""

    code = "body.malformed"


class BodyTooLarge(CallerError):
    code = "body.too_large"


class RecipientTypeInvalid(CallerError):
    code = "recipient.type"


class TypeUnserved(CallerError):
    """A type of message that the original knew and corefast does not send."""

    code = "type.unserved"


class PathUnknown(CallerError):
    code = "path.unknown"


class PathAbsent(CallerError):
    """A part of the on-premises API that corefast does not have."""

    code = "path.absent"


class MethodNotAllowed(CallerError):
    code = "method.not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method[:16]} is not served here; use {allowed}")
        self.allowed = allowed


class ClientGone(CorefastError):
    """The client closed its connection; nobody waits for an answer."""

    code = "client.gone"


class Row(NamedTuple):
    """How one error is told: HTTP status, on-premises code, and the sentence used where the error brings none."""

    status: int
    v1_code: int
    remedy: str


V1_TITLES = {
    1001: "Message too long",
    1002: "Invalid recipient type",
    1003: "Not a group participant",
    1004: "Resource already exists",
    1005: "Access denied",
    1006: "Resource not found",
    1008: "Required parameter is missing",
    1009: "Parameter value is not valid",
    1010: "Parameter is not required",
    1011: "Service not ready",
    1012: "Group is unknown",
    1014: "Internal error",
    1015: "Too many requests",
    1016: "System overloaded",
    1019: "Not group admin",
    1020: "Bad group",
    1021: "Bad user",
    1023: "Database error occurred",
    1024: "Password change required",
    1025: "Request is not valid",
    1026: "Receiver incapable",
    2000: "Template Param Count Mismatch",
    2001: "Template Missing",
    2004: "Template Param Length Too Long",
    2005: "Template Hydrated Text Too Long",
    2006: "Template White Space Policy Violated",
    2007: "Template Format Character Policy Violated",
    2008: "Template Media Format Unsupported",
    2009: "Template Required Component Missing",
    2010: "Template Invalid Hydrated URL",
    2011: "Template Invalid Phone Number",
    2012: "Template Parameter Format Mismatch",
    2013: "Template Buttons Unsupported",
    2014: "Expected Namespace is Empty",
    2015: "Wrong number of sections",
    2016: "Wrong number of rows",
    1028: "Identity change not acknowledged",
}
"""Titles of the on-premises API, word for word: clients compare them."""

TABLE = {
    "token.invalid": Row(401, 1005, "send a valid API key or token: Authorization: Bearer …"),
    "login.refused": Row(401, 1005, "user name or password is wrong"),
    "login.throttled": Row(429, 1015, "too many wrong passwords; wait before the next try"),
    "password.unchanged": Row(401, 1024, "Password must be changed: log in with new_password"),
    "user.exists": Row(409, 1014, "a user with this name may exist already"),
    "user.unknown": Row(404, 1006, "there is no such user"),
    "user.builtin": Row(403, 1005, "the built-in administrator cannot be deleted"),
    "provider.unknown": Row(404, 1006, "there is no media provider of that name"),
    "photo.unknown": Row(404, 1006, "No picture set."),
    "certificate.invalid": Row(400, 1009, "send certificates in PEM form"),
    "certificate.unknown": Row(404, 1006, "no certificate was uploaded"),
    "backup.invalid": Row(400, 1009, "this is no backup, or the password is another one"),
    "account.registered": Row(403, 1005, "an account is registered here already"),
    "path.absent": Row(501, 1026, "this part of the on-premises API is not served"),
    "scope.missing": Row(403, 1005, "this key or token lacks the scope for that; make a key with: corefast key new"),
    "parameter.missing": Row(400, 1008, "a required parameter is missing"),
    "parameter.invalid": Row(400, 1009, "a parameter has a value that is not allowed"),
    "parameter.unneeded": Row(400, 1010, "a parameter does not go with this type of message; leave it out"),
    "sections.count": Row(400, 2015, "a list has 1 to 10 sections"),
    "rows.count": Row(400, 2016, "a list has 1 to 10 rows, over all sections"),
    "template.exists": Row(409, 1004, "a template of this name, language and namespace is there; PUT changes it"),
    "template.unknown": Row(404, 1006, "no template has this id; GET /v1/templates lists them"),
    "template.parameter_count": Row(400, 2000, "give each variable of the template one parameter"),
    "template.missing": Row(404, 2001, "no such template in this language; GET /v1/templates lists them"),
    "template.parameter_long": Row(400, 2004, "a parameter is too long"),
    "template.text_long": Row(400, 2005, "a text of the template is too long with these parameters"),
    "template.whitespace": Row(400, 2006, "a parameter has no new line, no tab and at most 4 blanks in a row"),
    "template.characters": Row(400, 2007, "a parameter has no control characters"),
    "template.media": Row(400, 2008, "a header's medium is an image, a video or a document"),
    "template.component_missing": Row(400, 2009, "the template needs one more component"),
    "template.url": Row(400, 2010, "a button's URL has to be one, with its parameter"),
    "template.phone": Row(400, 2011, "a button's number has to be in international form"),
    "template.parameter_format": Row(400, 2012, "a parameter is of another kind than the template has there"),
    "template.buttons": Row(501, 2013, "buttons are quick_reply, url, phone_number and copy_code"),
    "template.namespace": Row(400, 2014, "several namespaces have this template: say which"),
    "number.invalid": Row(400, 1009, "write the number in international form, such as +49 30 23125000"),
    "number.unknown": Row(404, 1006, "nobody is registered under that number"),
    "message.too_long": Row(400, 1001, "a text has at most 4096 characters"),
    "recipient.type": Row(400, 1002, 'use "recipient_type": "individual" or "group"'),
    "group.missing": Row(404, 1012, "no group has this id; GET /v1/groups lists them"),
    "group.not_joined": Row(400, 1003, "the number is not in the group"),
    "group.not_ours": Row(400, 1019, "somebody else founded this group; only he changes it"),
    "group.invalid": Row(400, 1020, "there cannot be such a group"),
    "type.unserved": Row(501, 1026, "this type of message is not served"),
    "recipient.is_sender": Row(400, 1021, "the recipient is this business's own number"),
    "account.unknown": Row(404, 1006, "this core does not serve that number"),
    "registration.refused": Row(403, 1005, "the relay does not give this number to this core"),
    "relay.away": Row(503, 1011, "the relay cannot be reached; repeat the request later"),
    "peer.unknown": Row(404, 1006, "no identity key of that number was seen yet"),
    "identity.mismatch": Row(409, 1009, "the recipient has another identity key by now; look at it, and compare again"),
    "identity.unacknowledged": Row(
        403, 1028, "the recipient's identity key changed; compare the safety number and acknowledge the new one"
    ),
    "media.unknown": Row(404, 1006, "no medium has this id, or it is kept no longer"),
    "media.unfit": Row(400, 1009, "the file's type does not go with that, or is not what it says"),
    "media.too_large": Row(400, 1009, "the file is too large for this type of message"),
    "media.link": Row(400, 1009, "the link cannot be fetched"),
    "media.damaged": Row(500, 1014, "the file that the relay keeps is not the one that was sent"),
    "blob.quota": Row(429, 1015, "too much is stored at the relay for this number"),
    "message.unknown": Row(404, 1006, "no message has this id"),
    "message.damaged": Row(500, 1023, "this message is damaged in the database; no repeat helps, only a backup"),
    "cursor.invalid": Row(
        400, 1009, "use a cursor that an earlier answer gave, or none to begin with the oldest event"
    ),
    "idempotency.running": Row(409, 1004, "a request with this Idempotency-Key is running; repeat it in a moment"),
    "idempotency.mismatch": Row(422, 1009, "this Idempotency-Key was used for another request; choose a new key"),
    "body.malformed": Row(400, 1025, "the body has to be one JSON object"),
    "body.too_large": Row(413, 1009, "the body is too large"),
    "path.unknown": Row(404, 1006, "there is no such path; /docs lists them"),
    "method.not_allowed": Row(405, 1009, "this method is not served here"),
    "rate.limited": Row(429, 1015, "too many requests; slow down"),
    "overloaded": Row(503, 1016, "too much is waiting; repeat the request later"),
    "busy": Row(503, 1016, "too much is waiting; repeat the request later"),
    "link": Row(503, 1011, "the core is away; repeat the request, best with an Idempotency-Key"),
    "call.timeout": Row(503, 1011, "the core did not answer in time; repeat the request, best with an Idempotency-Key"),
    "account.stopped": Row(503, 1011, "this account takes no messages until its operator acts"),
    "attach.superseded": Row(503, 1011, "another copy of this account took over; the operator has to choose one"),
    "store": Row(503, 1023, "the database cannot take it now; repeat the request later"),
    "internal": Row(500, 1014, "the fault is ours; the log has it under this request id"),
}
"""By error code; a code that is not here is looked up by the part before its first dot."""

RETRY_STATUSES = (429, 503)
DEFAULT_RETRY_MS = 1_000


def row_of(error: Exception) -> Row:
    """Return the row for *error*; anything unknown is an internal error."""
    code = code_of(error)
    return TABLE.get(code) or TABLE.get(code.partition(".")[0]) or TABLE["internal"]


def code_of(error: Exception) -> str:
    return error.code if isinstance(error, CorefastError) else "internal"


def details_of(error: Exception) -> str:
    """Return what the client should change, in the error's own words where it has some."""
    row = row_of(error)
    text = str(error)
    if row.status == 500 or not isinstance(error, CorefastError) or text in ("", error.code):
        return row.remedy
    return text if row.status != 503 or row.v1_code == 1016 or error.code == "account.stopped" else row.remedy


def retry_after_s(error: Exception) -> int | None:
    """Return the seconds for Retry-After, or None where repeating the same request is no remedy."""
    if row_of(error).status not in RETRY_STATUSES:
        return None
    wait_ms = getattr(error, "retry_after_ms", 0) or DEFAULT_RETRY_MS
    return max(1, -(-wait_ms // 1_000))
