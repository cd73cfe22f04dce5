"""What passes into and out of Docker as a file: rebuilt, bounded, never believed."""

import gzip
import io
import json
import tarfile

import pytest

from instances.containers import Archive, layer_names, tar_stream
from instances.containers.backup_archives import DESCRIPTION
from instances.errors import ArchiveRefused
from tests.fakes import transfers
from tests.fakes.commits import FakeImage

REFERENCE = f"brokersite/backup:{'c' * 32}"
IMAGE = FakeImage(b"the data" * 100, {"brokersite.backup": "theirs"})
SAVED = transfers.saved(IMAGE, "brokersite/mariadb:10.11.2")
MEMBERS = [
    (member.name, tarfile.open(fileobj=io.BytesIO(SAVED)).extractfile(member).read())
    for member in tarfile.open(fileobj=io.BytesIO(SAVED))
]
CONFIG_NAME = next(name for name, _ in MEMBERS if name.endswith(".json"))
TOP, BASE = (f"{letter * 64}/layer.tar" for letter in "ab")


def through(content, size=700, **options):
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    archive = Archive(pieces, REFERENCE, **options)
    return archive, b"".join(archive.pieces())


def files(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def with_members(**changes):
    """The archive with other content, or more members."""
    found = dict(MEMBERS)
    return transfers.tar(list({**found, **changes}.items()))


def refused(content, **options):
    """The reason; nothing that Docker would act on has been let through."""
    passed = []
    archive = Archive(iter([content]), REFERENCE, **options)
    with pytest.raises(ArchiveRefused) as caught:
        passed.extend(archive._pieces())
    assert b"manifest.json" not in b"".join(passed)
    return f"{caught.value} {caught.value.detail}"


def relabelled(layer):
    """An archive whose upper layer is this, everything else fitting."""
    config = json.loads(dict(MEMBERS)[CONFIG_NAME])
    config["rootfs"]["diff_ids"][1] = transfers.digest(layer)
    return with_members(**{TOP: layer, CONFIG_NAME: json.dumps(config).encode()})


class TestThrough:
    def test_the_image_is_the_same_and_its_reference_ours(self):
        archive, made = through(SAVED)
        (entry,) = json.loads(files(made)["manifest.json"])
        assert entry["RepoTags"] == [REFERENCE]
        assert archive.image_id == transfers.id_of(IMAGE)
        assert files(made)[entry["Config"]] == transfers.config_of(IMAGE)
        assert files(made)[entry["Layers"][1]] == transfers.layer(IMAGE.data)
        assert not {"repositories", "index.json"} & files(made).keys()

    def test_it_is_the_same_whatever_the_chunks(self):
        assert len({through(SAVED, size)[1] for size in (1, 511, 10**6)}) == 1

    def test_what_goes_out_comes_in_again(self):
        _, made = through(SAVED, description=b'{"a": 1}')
        seen = []
        archive, again = through(made, on_description=seen.append, labels={"x": "y"})
        assert seen == [b'{"a": 1}']
        config = json.loads(files(again)[f"{archive.image_id[7:]}.json"])
        assert config["config"] == {
            "Entrypoint": ["entrypoint.sh"],
            "Labels": {"x": "y"},
        }

    def test_a_newer_docker_names_its_layers_by_what_is_in_them(self):
        """Docker 25 and later: an OCI layout with a manifest.json beside it."""
        base, top = (transfers.layer(row) for row in (transfers.BASE, IMAGE.data))
        config = transfers.config_of(IMAGE)
        blob = {
            one: f"blobs/sha256/{transfers.digest(one)[7:]}"
            for one in (base, top, config)
        }
        entry = {
            "Config": blob[config],
            "Layers": [blob[base], blob[top]],
            "RepoTags": None,
        }
        content = transfers.tar(
            [
                *((name, one) for one, name in sorted(blob.items())),
                (f"blobs/sha256/{'0' * 64}", b"a manifest that nobody needs"),
                ("index.json", b"{}"),
                ("manifest.json", json.dumps([entry]).encode()),
                ("oci-layout", b"{}"),
            ]
        )
        archive, made = through(content)
        assert archive.image_id == transfers.id_of(IMAGE)
        (entry,) = json.loads(files(made)["manifest.json"])
        assert [files(made)[name] for name in entry["Layers"]] == [base, top]
        known = (transfers.digest(base),)
        _, less = through(content, known=known)
        assert base not in files(less).values()

    def test_what_the_other_side_has_is_left_out(self):
        layers = json.loads(transfers.config_of(IMAGE))["rootfs"]["diff_ids"]
        folder = json.dumps(
            {"id": "b" * 64, "created": "1970-01-01T00:00:00Z"}
        ).encode()
        name = layer_names._v1_id(folder, layers[0])
        renamed = folder.replace(b"b" * 64, name.encode())
        found = dict(MEMBERS)
        manifest = found["manifest.json"].replace(b"b" * 64, name.encode())
        content = transfers.tar(
            [
                *(
                    (row, found[row])
                    for row in found
                    if row not in (BASE, "manifest.json")
                ),
                (f"{name}/json", renamed),
                (f"{name}/layer.tar", found[BASE]),
                ("manifest.json", manifest),
            ]
        )
        archive, made = through(content, known=tuple(layers[:1]))
        assert archive.image_id == transfers.id_of(IMAGE)
        assert found[BASE] not in files(made).values()
        assert found[TOP] in files(made).values()
        _, whole = through(content)
        assert found[BASE] in files(whole).values()

    def test_a_file_of_gigabytes_has_a_header(self):
        block = tar_stream.header("x", 2**40)
        assert tar_stream.parse(block).size == 2**40


class TestRefused:
    """S33 for archives: what a file may not do to a Docker host."""

    def test_no_foreign_image_is_named(self):
        """A tag of the product's own in the file reaches no manifest."""
        _, made = through(SAVED)
        assert b"brokersite/mariadb" not in made

    def test_two_images_in_a_file(self):
        entries = json.loads(dict(MEMBERS)["manifest.json"]) * 2
        content = with_members(**{"manifest.json": json.dumps(entries).encode()})
        assert "exactly one image" in refused(content)

    def test_paths_that_lead_elsewhere(self):
        for name in ("../etc/passwd", "/etc/passwd", "a/../../b", "x", "layer.tar"):
            content = transfers.tar([(name, b"x"), *MEMBERS])
            assert "no backup has" in refused(content), name

    def test_links_lead_nowhere(self):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            link = tarfile.TarInfo(BASE)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
            tar.addfile(link)
            for name, content in MEMBERS:
                if name != BASE:
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        assert "lacks a layer" in refused(packed.getvalue())

    def test_a_layer_with_other_content(self):
        content = with_members(**{TOP: transfers.layer(b"something else")})
        assert "lacks a layer" in refused(content)

    def test_a_layer_that_is_compressed(self):
        """Docker would unpack it, to whatever size."""
        packed = gzip.compress(transfers.layer(IMAGE.data))
        reason = refused(with_members(**{TOP: packed}))
        assert "damaged" in reason or "compressed" in reason

    def test_another_image_than_the_one_that_was_asked_for(self):
        assert "not the one" in refused(SAVED, image_id="sha256:" + "0" * 64)

    def test_a_file_without_a_description_is_no_backup(self):
        assert DESCRIPTION in refused(SAVED, labels={})

    def test_cut_off_anywhere(self):
        for length in (0, 100, 600, 3000, len(SAVED) // 2, len(SAVED) - 11000):
            refused(SAVED[:length])

    def test_something_behind_the_end(self):
        assert "behind its end" in refused(SAVED + b"x" * 512)

    def test_the_same_name_twice(self):
        assert "twice" in refused(transfers.tar([*MEMBERS, MEMBERS[0]]))

    def test_too_many_names(self):
        rows = [(f"{number:064x}/VERSION", b"1") for number in range(1100)]
        assert "too many" in refused(transfers.tar([*rows, *MEMBERS]))

    def test_no_tar_at_all(self):
        assert "not a tar" in refused(b"GIF89a" + b"\1" * 5000)

    def test_nonsense_where_json_should_be(self):
        for content in (
            b"",
            b"[]",
            b"{}",
            b"[[]]",
            b"[" * 5000,
            b"\xff",
            b'[{"Config":1}]',
        ):
            refused(with_members(**{"manifest.json": content}))
            refused(with_members(**{CONFIG_NAME: content}))

    def test_more_layers_than_docker_stacks(self):
        config = json.loads(dict(MEMBERS)[CONFIG_NAME])
        config["rootfs"]["diff_ids"] *= 100
        content = with_members(**{CONFIG_NAME: json.dumps(config).encode()})
        assert "exactly one image" in refused(content)

    def test_a_verdict_before_the_end_keeps_the_manifest_back(self):
        def verdict():
            raise ArchiveRefused("no")

        assert "no" in refused(SAVED, before_end=verdict)


class TestBombs:
    def test_more_than_may_be(self):
        assert "more than 0 MiB" in refused(SAVED, most_bytes=5000)

    def test_a_member_that_says_to_be_huge_is_not_waited_for(self):
        content = tar_stream.header(TOP, 2**50)
        assert "MiB" in refused(content, most_bytes=2**30)

    def test_a_small_file_that_is_not_small(self):
        content = tar_stream.header("manifest.json", 2**30)
        assert "too large" in refused(content)

    def test_a_sparse_file_in_a_layer(self):
        """Terabytes in a few bytes, once Docker unpacks it."""
        member = tarfile.TarInfo("bomb")
        member.type = tarfile.GNUTYPE_SPARSE
        layer = member.tobuf(format=tarfile.GNU_FORMAT) + tar_stream.END
        assert "sparse" in refused(relabelled(layer))

    def test_a_sparse_file_in_pax_headers(self):
        member = tarfile.TarInfo("bomb")
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "9" * 15}
        layer = member.tobuf(format=tarfile.PAX_FORMAT) + tar_stream.END
        assert "sparse" in refused(relabelled(layer))

    def test_a_folder_with_content_in_a_layer(self):
        """Docker and this reader might disagree on what comes next."""
        member = tarfile.TarInfo("odd")
        member.type, member.size = tarfile.DIRTYPE, 0
        block = bytearray(member.tobuf(format=tarfile.GNU_FORMAT))
        block[124:136] = b"00000001000\0"
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        assert "odd" in refused(relabelled(bytes(block) + bytes(512) + tar_stream.END))

    def test_a_layer_that_ends_within_a_file(self):
        layer = tar_stream.header("x", 10**6) + bytes(512)
        assert "too early" in refused(relabelled(layer))

    def test_a_layer_with_long_names_and_pax_headers_passes(self):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in ("é" * 150, "b" * 300, "folder/"):
                member = tarfile.TarInfo(name)
                member.size = 0 if name.endswith("/") else 700
                member.pax_headers = {"SCHILY.xattr.user.a": "b"}
                tar.addfile(member, io.BytesIO(bytes(member.size)))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.LNKTYPE, "b" * 300
            tar.addfile(link)
        archive, made = through(relabelled(packed.getvalue()))
        assert packed.getvalue() in files(made).values()
        assert archive.image_id
