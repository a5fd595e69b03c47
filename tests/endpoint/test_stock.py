"""The stock of prekeys: filled up, rotated, stored and restored."""

import os

import pytest

from corefast.endpoint.stock import KeyKind, OwnKeys
from corefast.errors import SnapshotInvalid
from corefast.limits import (
    KEM_PREKEY_FLOOR,
    KEM_PREKEY_STOCK,
    PREKEY_FLOOR,
    PREKEY_STOCK,
    SIGNED_PREKEY_GRACE_MS,
    SIGNED_PREKEY_LIFE_MS,
)
from corefast.protocol.bundle import check_signed_prekeys
from tests.endpoint.pair import NOW_MS

FULL = {"one_time_left": PREKEY_STOCK, "one_time_kem_left": KEM_PREKEY_STOCK}


def test_the_first_upload_is_a_whole_stock_and_signed():
    own = OwnKeys.new(os.urandom)
    upload = own.make_upload(os.urandom, NOW_MS).upload
    assert len(upload.one_time) == PREKEY_STOCK
    assert len(upload.one_time_kem) == KEM_PREKEY_STOCK
    signed = (upload.signed, upload.last_resort, *upload.one_time_kem)
    check_signed_prekeys(own.identity.public, [(prekey.public, prekey.signature) for prekey in signed])
    kem_ids = [prekey.id for prekey in (upload.last_resort, *upload.one_time_kem)]
    assert len(set(kem_ids)) == len(kem_ids)
    assert all(0 < prekey.id < 2**24 for prekey in upload.one_time)
    assert upload.one_time[0].public == own.one_time[upload.one_time[0].id].public


def test_a_stock_above_its_floor_needs_no_upload():
    own = OwnKeys.new(os.urandom)
    own.make_upload(os.urandom, NOW_MS)
    left = {"one_time_left": PREKEY_FLOOR + 1, "one_time_kem_left": KEM_PREKEY_FLOOR + 1}
    assert own.make_upload(os.urandom, NOW_MS, **left) is None


def test_a_stock_at_its_floor_is_filled_up_with_new_ids():
    own = OwnKeys.new(os.urandom)
    first = own.make_upload(os.urandom, NOW_MS)
    change = own.make_upload(os.urandom, NOW_MS, one_time_left=PREKEY_FLOOR, one_time_kem_left=KEM_PREKEY_STOCK)
    assert len(change.upload.one_time) == PREKEY_STOCK - PREKEY_FLOOR
    assert change.upload.one_time_kem == []
    assert change.upload.signed.id == first.upload.signed.id
    assert not {p.id for p in change.upload.one_time} & {p.id for p in first.upload.one_time}


def test_signed_prekeys_rotate_and_the_old_ones_stay_for_their_grace():
    own = OwnKeys.new(os.urandom)
    first = own.make_upload(os.urandom, NOW_MS).upload
    assert own.make_upload(os.urandom, NOW_MS + SIGNED_PREKEY_LIFE_MS - 1, **FULL) is None
    rotated = own.make_upload(os.urandom, NOW_MS + SIGNED_PREKEY_LIFE_MS, **FULL)
    assert rotated.upload.signed.id != first.signed.id
    assert rotated.upload.last_resort.id != first.last_resort.id
    assert rotated.upload.one_time == [] and rotated.dropped == []
    assert first.signed.id in own.signed and own.kem(first.last_resort.id) is not None
    later = own.make_upload(os.urandom, NOW_MS + SIGNED_PREKEY_LIFE_MS + SIGNED_PREKEY_GRACE_MS, **FULL)
    assert set(later.dropped) == {
        (KeyKind.SIGNED, first.signed.id),
        (KeyKind.LAST_RESORT, first.last_resort.id),
    }
    assert first.signed.id not in own.signed and own.kem(first.last_resort.id) is None


@pytest.mark.parametrize("lost", [KeyKind.SIGNED, KeyKind.LAST_RESORT])
def test_a_lost_signed_or_last_resort_prekey_is_replaced_at_once(lost):
    own = OwnKeys.new(os.urandom)
    own.make_upload(os.urandom, NOW_MS)
    second = own.make_upload(os.urandom, NOW_MS + SIGNED_PREKEY_LIFE_MS, **FULL).upload
    now_ms = NOW_MS + SIGNED_PREKEY_LIFE_MS + 1
    own.forget(lost, (second.signed if lost == KeyKind.SIGNED else second.last_resort).id)
    assert own.is_rotation_due(now_ms)
    third = own.make_upload(os.urandom, now_ms, **FULL).upload
    assert third.signed.id != second.signed.id and third.last_resort.id != second.last_resort.id
    assert not own.is_rotation_due(now_ms)


def test_stored_keys_come_back_and_ids_go_on():
    own = OwnKeys.new(os.urandom)
    change = own.make_upload(os.urandom, NOW_MS)
    again = OwnKeys.restore(change.account, change.made)
    assert again.identity.public == own.identity.public
    assert again.registration_id == own.registration_id
    assert {i: k.public for i, k in again.one_time.items()} == {i: k.public for i, k in own.one_time.items()}
    assert {i: k.public for i, k in again.one_time_kem.items()} == {i: k.public for i, k in own.one_time_kem.items()}
    assert list(again.signed) == list(own.signed) and list(again.last_resort) == list(own.last_resort)
    made = {(record.kind, record.id) for record in change.made}
    assert not made & {(record.kind, record.id) for record in again.make_upload(os.urandom, NOW_MS).made}


def test_a_damaged_account_is_refused():
    own = OwnKeys.new(os.urandom)
    change = own.make_upload(os.urandom, NOW_MS)
    with pytest.raises(SnapshotInvalid):
        OwnKeys.restore(change.account[:-1], [])
    with pytest.raises(SnapshotInvalid):
        OwnKeys.restore(change.account, [type(change.made[0])(KeyKind.ONE_TIME, 1, NOW_MS, b"short")])


def test_a_forgotten_key_is_gone():
    own = OwnKeys.new(os.urandom)
    one_time = own.make_upload(os.urandom, NOW_MS).upload.one_time[0]
    own.forget(KeyKind.ONE_TIME, one_time.id)
    own.forget(KeyKind.ONE_TIME, one_time.id)
    assert one_time.id not in own.one_time
