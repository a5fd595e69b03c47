"""What a peer's identity key means for its lane: seen, changed, acknowledged, and whether we write to it."""

import msgspec

from corefast.core.context import Context
from corefast.core.group.ties import forget_ties
from corefast.core.send.lane import Lane
from corefast.core.store.events import Fact
from corefast.endpoint.trust import Policy, Trust, check_identity
from corefast.store.database import Unit


def see_identity(context: Context, unit: Unit, lane: Lane, identity: bytes) -> Trust:
    """Take *identity* as the peer's; the caller stores the peer unless it is the `SAME`.

    Where it replaces another one, that is told, every session with the peer ends, and nothing that was accepted before
    is encrypted for the new one: people meant it for whoever held the old one.
    """
    trust = check_identity(lane.identity, identity)
    if trust is Trust.SAME:
        return trust
    now_ms, after = context.clock(), lane.standing.after
    if trust is Trust.CHANGED:
        context.events.put(unit, Fact.IDENTITY_CHANGED, now_ms, lane.peer)
        end_sessions(context, unit, lane)
        forget_ties(context, unit, lane)
        if lane.identity:  # it is not damaged, so we know that this is another one
            after = context.next_message.last
            # Also over a restart no later message has an id below that, whatever became of the last ones.
            context.floors.keep(unit, after, context.events.last)
    lane.standing = msgspec.structs.replace(
        lane.standing, since_ms=now_ms, after=after, is_acknowledged=trust is Trust.NEW
    )
    lane.identity = identity
    return trust


def end_sessions(context: Context, unit: Unit, lane: Lane) -> None:
    """Drop every session with the peer; before the next ciphertext a bundle is needed."""
    for device in lane.devices:
        context.peers.delete_session(unit, lane.peer, device)
    lane.devices, lane.registration_ids = {}, {}
    lane.outdate()


def see_downgrade(context: Context, unit: Unit, lane: Lane) -> bool:
    """Tell once that a session without post-quantum part was refused; return whether it was news, to be stored."""
    if lane.standing.is_downgraded:
        return False
    context.events.put(unit, Fact.BUNDLE_DOWNGRADED, context.clock(), lane.peer)
    lane.standing = msgspec.structs.replace(lane.standing, is_downgraded=True)
    return True


def forget_downgrade(lane: Lane) -> None:
    """Note that the peer's keys are whole (again): the next time is told anew."""
    if lane.standing.is_downgraded:
        lane.standing = msgspec.structs.replace(lane.standing, is_downgraded=False)


def is_barred(context: Context, lane: Lane) -> bool:
    """Tell whether nothing may be written to the peer before somebody has acknowledged its identity key."""
    return not lane.standing.is_acknowledged and context.identity_policy is Policy.BLOCK
