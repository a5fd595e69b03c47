"""Posts and items, one story each; disk and clock are in the story's hand."""

import random

import pytest

from corefast.errors import StoreFull
from corefast.limits import (
    DIRECT_WAIT_MS,
    MAX_ENVELOPE_BYTES,
    MAX_MAILBOX_ITEMS,
    MAX_UNACKED_ITEMS,
    MAX_UNANSWERED_POSTS,
)
from corefast.wire.messages import Item, Kind, Part, Post, PostState
from tests.relay.desk import Desk, Line, message, message_id


def shop_and_phone(desk: Desk) -> tuple[Line, Line]:
    shop, phone = desk.device("4930"), desk.device("4917")
    return desk.connect(shop), desk.connect(phone)


def test_ack_in_time_means_delivered_and_the_disk_never_hears_of_it():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    assert phone.ids == [message_id(1)] and not shop.results
    phone.ack()
    desk.pass_ms(DIRECT_WAIT_MS)
    assert shop.results == {message_id(1): PostState.DELIVERED}
    assert not desk.store.waiting and not desk.store.history and not shop.items


def test_item_names_the_sender_whom_the_relay_knows():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917", body=b"abc"))
    [item] = phone.items
    assert (item.sender.id, item.sender.device, item.kind, item.body, item.at_ms) == ("4930", 1, 2, b"abc", desk.now_ms)


def test_message_under_a_sender_key_is_an_item_like_any_other_and_kinds_of_the_relay_are_refused():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    for number, kind in enumerate((Kind.SENDER_KEY, Kind.DELIVERED), 1):
        desk.post(shop, Post(message_id(number), "4917", 1, [Part(1, kind, b"abc")]))
    [item] = phone.items
    assert (item.id, item.kind, item.body) == (message_id(1), Kind.SENDER_KEY, b"abc")


def test_post_that_is_not_acked_in_time_is_stored_when_it_is_durable_and_not_before():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    desk.pass_ms(DIRECT_WAIT_MS - 1)
    assert not desk.store.waiting
    desk.pass_ms(1)
    assert desk.store.waiting and not shop.results
    desk.settle()
    assert shop.results == {message_id(1): PostState.STORED}
    assert len(phone.items) == 1


def test_late_ack_removes_the_row_and_tells_the_sender_in_one_unit():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    phone.ack()
    [receipt] = shop.items
    assert (receipt.kind, receipt.id, receipt.sender.id, receipt.body) == (Kind.DELIVERED, message_id(1), "4917", b"")
    assert desk.store.ids() == [message_id(1)]
    desk.pass_ms(DIRECT_WAIT_MS)
    [(rows, removals, _)] = desk.store.waiting
    assert len(rows) == len(removals) == 1
    desk.settle()
    assert [row[2] for row in desk.store.rows.values()] == [Kind.DELIVERED]
    shop.ack()
    desk.settle()
    assert not desk.store.rows


def test_receipt_that_the_sender_acks_in_time_is_never_written():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    phone.ack()
    shop.ack()
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    assert not desk.store.rows and len(desk.store.history) == 1


def test_ack_during_the_write_means_delivered_and_takes_the_row_away():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    desk.pass_ms(DIRECT_WAIT_MS)
    phone.ack()
    assert shop.results == {message_id(1): PostState.DELIVERED}
    desk.settle()
    assert not desk.store.rows and not shop.items
    assert phone.outlet.boxes[0].items == 0


def test_post_to_an_absent_device_is_stored_and_comes_when_it_connects():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    desk.post(shop, message(1, "4917"), message(2, "4917"))
    assert not shop.results
    desk.settle()
    assert set(shop.results.values()) == {PostState.STORED}
    line = desk.connect(phone)
    assert line.ids == [message_id(1), message_id(2)] and line.drained_after == [2]


def test_receipts_wait_for_an_absent_sender():
    desk = Desk()
    shop, phone = desk.device("4930"), desk.device("4917")
    line = desk.connect(shop)
    desk.post(line, message(1, "4917"))
    desk.settle()
    line.leave()
    desk.connect(phone).ack()
    desk.settle()
    assert [item.kind for item in desk.connect(shop).items] == [Kind.DELIVERED]


def test_empty_mailbox_is_drained_at_once():
    desk = Desk()
    assert desk.connect(desk.device("4930")).drained_after == [0]


@pytest.mark.parametrize("arrivals", [1, 7, 400, 1_500])
def test_backlog_comes_in_order_and_once_though_more_arrives_while_it_drains(arrivals):
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    for name in range(1_000):
        desk.post(shop, message(name, "4917"))
        if name % 100 == 99 and name < 900:
            desk.store.commit()
    line = desk.connect(phone, settle=False)
    sent, seen = 1_000, 0
    while len(line.items) < 1_000 + arrivals:
        for _ in range(min(arrivals // 4 + 1, 1_000 + arrivals - sent)):
            desk.post(shop, message(sent, "4917"))
            sent += 1
        desk.store.commit()
        desk.store.answer()
        desk.router.flush()
        line.ack(*line.items[seen:])
        seen = len(line.items)
    desk.settle()
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    assert line.ids == [message_id(name) for name in range(1_000 + arrivals)]
    assert len(line.drained_after) == 1
    assert len(shop.results) == 1_000 + arrivals
    while desk.store.rows:
        shop.ack()
        desk.pass_ms(DIRECT_WAIT_MS)
        desk.settle()
    assert {item.kind for item in shop.items} == {Kind.DELIVERED}
    assert not desk.store.rows and desk.router.waiting == 0


def test_rows_still_on_their_way_to_the_disk_are_part_of_the_backlog():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    desk.post(shop, message(1, "4917"))
    line = desk.connect(phone, settle=False)
    assert not desk.store.reads
    desk.settle()
    assert line.ids == [message_id(1)]


def test_a_window_of_unacked_items_goes_out_and_the_rest_follows_the_acks_in_order():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    total = MAX_UNACKED_ITEMS * 3
    for name in range(total):
        desk.post(shop, message(name, "4917"))
        if name % 512 == 511:
            desk.pass_ms(DIRECT_WAIT_MS)
            desk.settle()
    assert len(phone.items) == MAX_UNACKED_ITEMS
    seen = 0
    while seen < total:
        phone.ack(*phone.items[seen : seen + 100])
        seen = min(seen + 100, len(phone.items))
        desk.settle()
        assert len(phone.items) - seen <= MAX_UNACKED_ITEMS
    assert phone.ids == [message_id(name) for name in range(total)]
    assert len(phone.drained_after) == 1
    desk.post(shop, message("live", "4917"))
    assert phone.ids[-1] == message_id("live")


def test_window_counts_bytes_too():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    for name in range(40):
        desk.post(shop, message(name, "4917", body=bytes(MAX_ENVELOPE_BYTES)))
    desk.settle()
    assert 20 <= len(phone.items) <= 22
    while len(phone.items) < 40:
        phone.ack()
        desk.settle()
    assert phone.ids == [message_id(name) for name in range(40)]


def test_repeat_of_a_post_in_flight_is_not_delivered_twice_and_answers_who_asked_last():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    shop.leave()
    again = desk.connect(shop.outlet.device)
    desk.post(again, message(1, "4917"))
    assert len(phone.items) == 1
    phone.ack()
    assert again.results == {message_id(1): PostState.DELIVERED} and not shop.results
    assert again.outlet.unanswered == 0


def test_repeat_of_a_stored_post_neither_stores_nor_delivers_twice():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    desk.post(shop, message(1, "4917"))
    desk.settle()
    desk.post(shop, message(1, "4917"))
    desk.settle()
    assert shop.results == {message_id(1): PostState.STORED} and len(desk.store.rows) == 1
    line = desk.connect(phone, settle=False)
    desk.post(shop, message(1, "4917"))
    desk.settle()
    desk.post(shop, message(1, "4917"))
    desk.settle()
    assert line.ids == [message_id(1)] and line.drained_after == [1]
    assert line.outlet.boxes[0].items == 1


def test_two_senders_may_use_the_same_id():
    desk = Desk()
    phone = desk.device("4917")
    one, two = desk.connect(desk.device("4930")), desk.connect(desk.device("4931"))
    desk.post(one, message(1, "4917"))
    desk.post(two, message(1, "4917"))
    desk.settle()
    assert [item.sender.id for item in desk.connect(phone).items] == ["4930", "4931"]


def test_posts_that_cannot_be_taken_are_answered_and_nothing_is_stored():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.device("4918", 1), desk.device("4918", 2)
    bad = {
        PostState.UNKNOWN: [message("a", "4919")],
        PostState.DEVICES_CHANGED: [
            message("b", "4917", version=2),
            message("c", "4917", 2),
            message("d", "4918", 1),
            message("e", "4918", 2, 1),
            message("f", "4917", 1, 1),
            Post(message_id("g"), "4917", 1, []),
        ],
        PostState.REFUSED: [
            message("h", "4917", body=bytes(MAX_ENVELOPE_BYTES + 1)),
            Post(b"short", "4917", 1, [Part(1, 2, b"")]),
            Post(message_id("i"), "4917", 1, [Part(1, Kind.DELIVERED, b"")]),
            Post(message_id("j"), "4917", 1, [Part(1, 2**63, b"")]),
        ],
    }
    for posts in bad.values():
        desk.post(shop, *posts)
    desk.settle()
    assert shop.results == {post.id: state for state, posts in bad.items() for post in posts}
    assert not phone.items and not desk.store.history and shop.outlet.unanswered == 0


def test_full_mailbox_refuses():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    desk.router.restore(phone.box(0).key, MAX_MAILBOX_ITEMS - 1, 10)
    desk.post(shop, message(1, "4917"), message(2, "4917"))
    desk.settle()
    assert shop.results == {message_id(1): PostState.STORED, message_id(2): PostState.REFUSED}


def test_too_many_posts_without_a_result_are_refused():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    desk.device("4917")
    desk.post(shop, *(message(name, "4917") for name in range(MAX_UNANSWERED_POSTS + 1)))
    assert shop.results == {message_id(MAX_UNANSWERED_POSTS): PostState.REFUSED}
    desk.settle()
    assert len(shop.results) == MAX_UNANSWERED_POSTS + 1 and shop.outlet.unanswered == 0


def test_what_a_lost_connection_had_not_acked_is_stored_and_comes_first_next_time():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"), message(2, "4917"), message(3, "4917"))
    phone.ack(phone.items[1])
    phone.leave()
    assert len(desk.store.waiting) == 1
    desk.post(shop, message(4, "4917"))
    line = desk.connect(phone.outlet.device)
    assert line.ids == [message_id(1), message_id(3), message_id(4)]
    assert shop.results[message_id(2)] == PostState.DELIVERED and shop.results[message_id(1)] == PostState.STORED


def test_acks_of_unknown_and_repeated_numbers_change_nothing():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.post(shop, message(1, "4917"))
    desk.router.ack(phone.outlet, [7, 1, 1, -5, 2**63])
    desk.router.flush()
    assert shop.results == {message_id(1): PostState.DELIVERED}


def test_post_to_two_devices_is_delivered_when_both_acked():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    first, second = desk.connect(desk.device("4917", 1)), desk.connect(desk.device("4917", 2))
    desk.post(shop, message(1, "4917", 1, 2))
    first.ack()
    assert not shop.results
    second.ack()
    assert shop.results == {message_id(1): PostState.DELIVERED} and not shop.items


def test_post_to_two_devices_of_which_one_is_away_is_stored_and_a_receipt_names_who_has_it():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    first, away = desk.connect(desk.device("4917", 1)), desk.device("4917", 2)
    desk.post(shop, message(1, "4917", 1, 2))
    first.ack()
    desk.settle()
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    assert shop.results == {message_id(1): PostState.STORED}
    assert [(item.kind, item.sender.device) for item in shop.items] == [(Kind.DELIVERED, 1)]
    desk.connect(away).ack()
    assert [(item.kind, item.sender.device) for item in shop.items] == [(Kind.DELIVERED, 1), (Kind.DELIVERED, 2)]


def test_failed_write_refuses_what_nobody_has_and_keeps_trying_what_a_device_may_have():
    desk = Desk()
    shop, phone = shop_and_phone(desk)
    desk.device("4918")
    desk.store.failure = StoreFull("full")
    desk.post(shop, message(1, "4917"), message(2, "4918"))
    desk.pass_ms(DIRECT_WAIT_MS)
    while desk.store.commit():
        desk.router.flush()
    assert shop.results == {message_id(2): PostState.REFUSED}
    desk.store.failure = None
    desk.pass_ms(1_000)
    desk.settle()
    assert shop.results[message_id(1)] == PostState.STORED
    assert phone.ids == [message_id(1)] and desk.router.waiting == 1


def test_removal_that_failed_is_tried_again():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    desk.post(shop, message(1, "4917"))
    desk.settle()
    line = desk.connect(phone)
    desk.store.failure = StoreFull("full")
    line.ack()
    shop.ack()
    desk.store.commit()
    desk.store.failure = None
    desk.pass_ms(1_000)
    desk.settle()
    assert not desk.store.rows


def test_receipt_whose_write_failed_is_not_lost():
    desk = Desk()
    shop, phone = desk.device("4930"), desk.device("4917")
    sender = desk.connect(shop)
    desk.post(sender, message(1, "4917"))
    desk.settle()
    sender.leave()
    line = desk.connect(phone)
    desk.store.failure = StoreFull("full")
    line.ack()
    desk.store.commit()
    desk.router.flush()
    desk.store.failure = None
    desk.pass_ms(1_000)
    desk.settle()
    assert [(item.kind, item.id) for item in desk.connect(shop).items] == [(Kind.DELIVERED, message_id(1))]
    assert len(desk.store.rows) == desk.router.waiting == 1


def test_unreadable_backlog_cuts_the_connection():
    desk = Desk()
    line = desk.connect(desk.device("4917"), settle=False)
    _, _, _, _, done = desk.store.reads.pop()
    done(StoreFull("broken"), [])
    assert isinstance(line.cut_by, StoreFull)


def test_expired_rows_are_removed_and_their_senders_told():
    desk = Desk()
    shop = desk.connect(desk.device("4930"))
    phone = desk.device("4917")
    desk.post(shop, message(1, "4917", expires_ms=desk.now_ms + 5_000), message(2, "4917"))
    desk.settle()
    desk.now_ms += 5_000
    due = [(row[0], row[1], row[2], row[3], row[6], row[8]) for row in desk.store.rows.values() if row[5] is not None]
    desk.router.discard(Kind.EXPIRED, due)
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    assert [(item.kind, item.id, item.sender.id) for item in shop.items] == [(Kind.EXPIRED, message_id(1), "4917")]
    assert desk.connect(phone).ids == [message_id(2)]


def test_items_go_to_the_shard_that_owns_their_peer():
    desk = Desk()
    phone = desk.connect(desk.device("4917"))
    shop = desk.device("4930", shards=4)
    lines = [desk.connect(shop, [shard]) for shard in range(4)]
    desk.post(phone, message(1, "4930"))
    holders = [shard for shard, line in enumerate(lines) if line.items]
    lines[holders[0]].ack()
    assert len(holders) == 1
    desk.post(lines[holders[0]], message(2, "4917"))
    desk.pass_ms(DIRECT_WAIT_MS)
    desk.settle()
    phone.ack()
    assert [item.kind for item in lines[holders[0]].items] == [2, Kind.DELIVERED]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_nothing_promised_is_lost_and_a_connection_gets_each_message_once(seed):
    story = RandomStory(seed)
    for _ in range(500):
        story.step()
    story.finish()
    assert len(story.sender.results) == story.posted
    assert set(story.sender.results) <= story.phone_has
    stored = {id for id, state in story.sender.results.items() if state == PostState.STORED}
    assert stored <= {item.id for item in story.sender.items if item.kind == Kind.DELIVERED}
    assert story.desk.router.waiting == 0
    for connection in story.connections:
        assert connection.ids == sorted(set(connection.ids))


class RandomStory:
    """A shop and a phone that do anything at any time; the phone reconnects, the disk is slow."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.desk = Desk()
        self.sender = self.desk.connect(self.desk.device("4930"))
        self.phone = self.desk.device("4917")
        self.connections = [self.desk.connect(self.phone)]
        self.posted = 0
        self.phone_has: set[bytes] = set()
        self.unacked: list[Item] = []
        self.seen = 0

    def step(self) -> None:
        actions = (self.post, self.repeat, self.ack, self.desk.store.commit, self.desk.store.answer, self.wait)
        action = self.chance.choices((*actions, self.reconnect), (40, 5, 20, 15, 10, 7, 3))[0]
        action()
        self.desk.router.flush()

    def post(self) -> None:
        names = range(self.posted, self.posted + self.chance.randint(1, 30))
        self.posted = names.stop
        self.desk.post(self.sender, *(self.message(name, self.chance.choice((10, 60_000))) for name in names))

    def repeat(self) -> None:
        open_names = [name for name in range(self.posted) if message_id(f"{name:09}") not in self.sender.results]
        if open_names:
            self.desk.post(self.sender, self.message(self.chance.choice(open_names), 10))

    def message(self, name: int, size: int) -> Post:
        return message(f"{name:09}", "4917", body=bytes(size))

    def ack(self) -> None:
        line = self.connections[-1]
        self.unacked += line.items[self.seen :]
        self.seen = len(line.items)
        chosen = [item for item in self.unacked[:40] if self.chance.random() < 0.9]
        if chosen:
            line.ack(*chosen)
            self.phone_has.update(item.id for item in chosen)
            self.unacked = [item for item in self.unacked if item not in chosen]

    def wait(self) -> None:
        self.desk.pass_ms(self.chance.randint(1, 30))

    def reconnect(self) -> None:
        self.connections[-1].leave()
        self.connections.append(self.desk.connect(self.phone, settle=False))
        self.unacked, self.seen = [], 0

    def finish(self) -> None:
        while self.desk.store.rows or self.desk.store.waiting or self.unacked or len(self.sender.results) < self.posted:
            self.desk.settle()
            self.ack()
            self.sender.ack()
            self.desk.pass_ms(DIRECT_WAIT_MS)
