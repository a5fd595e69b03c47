"""The file in a form, wherever the network cuts the form in pieces."""

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from api.multipart import Form
from corefast.errors import CorefastError

WORDS = st.sampled_from([b"\r\n", b"--", b"x", b"xy", b"\r\n--x", b"\r\n--xy-", b"\r", b"\n", b"-", b"\0", b"a"])
FILES = st.lists(WORDS, max_size=12).map(b"".join).filter(lambda file: b"\r\n--xy" not in b"\r\n" + file)


async def pieces_of(body: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    at = 0
    while at < len(body):
        size = cuts[at % len(cuts)]
        yield body[at : at + size]
        at += size


async def read(kind: bytes, body: bytes, cuts: list[int]) -> tuple[str, bytes]:
    form = Form(kind, pieces_of(body, cuts))
    mime = await form.open()
    return mime, b"".join([piece async for piece in form.file()])


@given(FILES, FILES, FILES, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_every_cut_gives_the_same_file(before: bytes, file: bytes, behind: bytes, cuts: list[int]) -> None:
    body = (
        b'--xy\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + before + b"\r\n--xy \r\n"
        b'Content-Disposition: form-data; name="b"; filename="b.png"\r\nContent-Type: image/png\r\n\r\n' + file
    )
    body += b"\r\n--xy\r\n\r\n" + behind + b"\r\n--xy--\r\n"
    assert asyncio.run(read(b'multipart/form-data; boundary="xy"', body, cuts)) == ("image/png", file)


@given(st.binary(max_size=200), st.binary(max_size=400), st.integers(1, 40))
def test_any_bytes_are_a_file_or_a_refusal(kind: bytes, body: bytes, cut: int) -> None:
    for head in (b"multipart/form-data; " + kind, b"multipart/form-data; boundary=x"):
        try:
            asyncio.run(read(head, b"--x\r\n" + body + b"\r\n--x--", [cut]))
        except CorefastError:
            pass
