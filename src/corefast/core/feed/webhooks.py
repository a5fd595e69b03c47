"""What the operator of an account asks about its webhook and the deliveries that failed."""

from collections.abc import Callable
from typing import Any

from corefast.core.context import Context
from corefast.core.feed.deliveries import Schedule
from corefast.wire.gateway import Done
from corefast.wire.webhook import (
    DeadDeliveries,
    DeadDelivery,
    GetWebhook,
    ListDead,
    ReplayDeliveries,
    SetWebhook,
    Webhook,
)


class Webhooks:
    """Serves `SetWebhook`, `GetWebhook`, `ListDead` and `ReplayDeliveries`."""

    def __init__(self, context: Context, schedule: Schedule) -> None:
        self._context = context
        self._schedule = schedule

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {SetWebhook: self.set, GetWebhook: self.get, ListDead: self.list_dead, ReplayDeliveries: self.replay}

    async def set(self, request: SetWebhook) -> Webhook:
        return await self._schedule.set(request)

    def get(self, request: GetWebhook) -> Webhook:
        return self._schedule.webhook

    async def list_dead(self, request: ListDead) -> DeadDeliveries:
        ids = self._context.ids
        rows = await self._schedule.dead(request.limit)
        return DeadDeliveries(
            [DeadDelivery(ids.event_id(row.id), row.attempts, row.last_ms, row.status, row.error) for row in rows]
        )

    async def replay(self, request: ReplayDeliveries) -> Done:
        await self._schedule.replay(request.event_ids)
        return Done()
