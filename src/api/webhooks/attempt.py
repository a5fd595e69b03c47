"""One POST of one event, and what it came to. It never raises for what a receiver does."""

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import aiohttp

from api.webhooks.bodies import encode_body
from api.webhooks.guard import Guard, UrlRefused
from api.webhooks.signature import headers_of
from api.webhooks.trust import Trust
from corefast.errors import CorefastError
from corefast.limits import MAX_WEBHOOK_ANSWER_BYTES, WEBHOOK_TIMEOUT_MS
from corefast.wire.webhook import Delivery, Outcome, Webhook

ANSWER_TIMEOUT_S = 1.0
"""The status is the answer; its body is read only so that the connection can serve the next event."""

MAX_RETRY_AFTER_S = 86_400

_SLOW_DOWN = (429, 502, 503, 504)
_GONE = 410


class Attempts:
    """Posts deliveries over kept-alive connections."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        guard: Guard,
        trust: Trust,
        clock_s: Callable[[], float] = time.time,
        timeout_ms: int = WEBHOOK_TIMEOUT_MS,
    ) -> None:
        self._session = session
        self._guard = guard
        self._trust = trust
        self._clock_s = clock_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1_000)

    async def post(self, webhook: Webhook, delivery: Delivery) -> Outcome:
        """Return the outcome of one attempt; a redirect is a failure and is not followed."""
        event_id = delivery.event.id
        try:
            self._guard.check(webhook.url)
            body = encode_body(delivery.event)
            headers = headers_of(webhook.secret, event_id, body, int(self._clock_s()))
            tls = await self._trust.context(webhook.authorities)
            async with self._session.post(
                webhook.url, data=body, headers=headers, allow_redirects=False, timeout=self._timeout, ssl=tls
            ) as response:
                outcome = self._judge(event_id, response)
                await _read_answer(response)
        except UrlRefused as error:
            return Outcome(event_id, False, error=str(error))
        except CorefastError as error:
            return Outcome(event_id, False, error=f"the webhook's authorities are not known ({error.code})")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(event_id, False, error=describe(error))
        return outcome

    def _judge(self, event_id: str, response: aiohttp.ClientResponse) -> Outcome:
        status = response.status
        if 200 <= status < 300:
            return Outcome(event_id, True, status)
        wait_ms = self._retry_after_ms(response) if status in _SLOW_DOWN else 0
        return Outcome(event_id, False, status, f"answered {status}", wait_ms, disable=status == _GONE)

    def _retry_after_ms(self, response: aiohttp.ClientResponse) -> int:
        """Return what Retry-After asks for, as seconds or as a date; 0 where it asks for nothing readable."""
        text = response.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdecimal():
            wait_s = float(text[:9])
        else:
            try:
                wait_s = parsedate_to_datetime(text).timestamp() - self._clock_s()
            except (ValueError, OverflowError):
                return 0
        return int(min(max(wait_s, 0), MAX_RETRY_AFTER_S) * 1_000)


async def _read_answer(response: aiohttp.ClientResponse) -> None:
    """Take a short answer off the connection; hang up on a long or slow one."""
    left = MAX_WEBHOOK_ANSWER_BYTES
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while left > 0 and (piece := await response.content.read(left)):
                left -= len(piece)
    except (TimeoutError, aiohttp.ClientError):
        left = 0
    if left <= 0:
        response.close()


def describe(error: Exception) -> str:
    """Return a few words for the operator; they name no host and no path."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the certificate is not valid for this name"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the name has no usable address"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nobody answers there"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "hung up without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"
    return type(error).__name__
