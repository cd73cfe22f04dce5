"""gzip in pieces: there and back, and bounded whatever comes."""

import gzip

import pytest

from instances.containers import gzip_stream
from instances.errors import ArchiveRefused


class TestGzip:
    def test_there_and_back(self):
        packed = list(gzip_stream.packed(iter([b"a" * 10, b"b" * 10**6])))
        found = b"".join(gzip_stream.unpacked(iter(packed)))
        assert found == b"a" * 10 + b"b" * 10**6
        assert b"".join(packed) == b"".join(gzip_stream.packed(iter([found])))

    def test_what_is_not_packed_passes(self):
        assert b"".join(gzip_stream.unpacked(iter([b"x", b"", b"yz"]))) == b"xyz"
        assert b"".join(gzip_stream.unpacked(iter([]))) == b""

    def test_a_bomb_comes_in_pieces(self):
        bomb = gzip.compress(bytes(200 * 2**20), 9)
        assert max(map(len, gzip_stream.unpacked(iter([bomb])))) <= gzip_stream.PIECE

    def test_damage(self):
        whole = gzip.compress(b"content" * 1000)
        broken = bytearray(whole)
        broken[len(broken) // 2] ^= 255
        for content in (whole[:-1], whole + b"more", bytes(broken), whole[:3]):
            for chunks in ([content], [bytes([one]) for one in content]):
                with pytest.raises(ArchiveRefused):
                    list(gzip_stream.unpacked(iter(chunks)))
