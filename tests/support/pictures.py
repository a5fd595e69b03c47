"""Small files of each kind, made of their first bytes and padding."""

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
MP4 = b"\0\0\0\x18ftypisom" + bytes(1_000)
M3GP = b"\0\0\0\x18ftyp3gp5" + bytes(1_000)
OPUS = b"OggS" + bytes(24) + b"OpusHead" + bytes(1_000)
VORBIS = b"OggS" + bytes(24) + b"\x01vorbis" + bytes(1_000)
MP3 = b"ID3\x04" + bytes(1_000)
AAC = b"\xff\xf1" + bytes(1_000)
AMR = b"#!AMR\n" + bytes(1_000)
PDF = b"%PDF-1.7\n" + bytes(1_000)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def webp(width: int = 512, height: int = 512, size: int = 2_000, *, moves: bool = False) -> bytes:
    head = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes([2 if moves else 0]) + bytes(3)
    head += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return head + bytes(size - len(head))
