"""The headers of one attempt after Standard Webhooks 1.0.0."""

from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook as Signer

from corefast import __version__

USER_AGENT = f"corefast-webhooks/{__version__}"


def headers_of(secret: str, event_id: str, body: bytes, now_s: int) -> dict[str, str]:
    """Return the headers for *body*; *event_id* is the same for every attempt, *now_s* (Unix) is the attempt's."""
    moment = datetime.fromtimestamp(now_s, UTC)
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": _signer(secret).sign(event_id, moment, body.decode()),
    }


@lru_cache(maxsize=4)
def _signer(secret: str) -> Signer:
    return Signer(secret)
