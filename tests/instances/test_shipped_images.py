"""The images that this code can build: found, digested, packed."""

import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from django.conf import settings
from django.test import SimpleTestCase

from instances.containers import SOURCE_LABEL
from instances.containers.shipped import OWN_BASE, find_shipped

ROOT = Path(__file__).resolve().parents[2]
# As bin/build-images has it.
DIGEST = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"


class ShippedImages(SimpleTestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(self.settings(SHIPPED_IMAGES=folder))
        self.folder = Path(folder) / "tiny"
        (self.folder / "parts").mkdir(parents=True)
        self.write("Dockerfile", "ARG BASE=debian:x-slim\nFROM ${BASE}\n")
        self.write("parts/run.sh", "#!/bin/sh\n")
        self.write("parts.cnf", "[server]\n")

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def test_is_found_by_its_folder(self):
        image = find_shipped("brokersite/tiny:1.2")
        assert (image.version, image.base) == ("1.2", "debian:x-slim")

    def test_nothing_else_is_found(self):
        for reference in (
            "brokersite/other:1",
            "brokersite/tiny",
            "brokersite/..:1",
            "registry.example/brokersite/tiny:1",
            "tiny:1",
            "brokersite/tiny@sha256:" + "0" * 64,
        ):
            assert find_shipped(reference) is None, reference

    def test_source_is_the_digest_of_the_script_that_builds_too(self):
        result = subprocess.check_output(
            ["bash", "-c", DIGEST], cwd=self.folder, text=True
        )
        assert find_shipped("brokersite/tiny:1").source == result.split()[0]

    def test_source_changes_with_each_file(self):
        before = find_shipped("brokersite/tiny:1").source
        self.write("parts.cnf", "[client]\n")
        assert find_shipped("brokersite/tiny:1").source != before

    def test_build_names_base_version_and_source(self):
        image = find_shipped("brokersite/tiny:1.2")
        build = image.build_on("debian:x-slim")
        assert build.reference == "brokersite/tiny:1.2"
        assert build.arguments == {"BASE": "debian:x-slim", "VERSION": "1.2"}
        assert build.labels == {SOURCE_LABEL: image.source}
        assert not build.on_host_network
        assert image.build_on(OWN_BASE).on_host_network

    def test_context_is_the_same_whatever_became_of_times_and_modes(self):
        image = find_shipped("brokersite/tiny:1")
        before = image.build_on("b").context
        (self.folder / "parts/run.sh").chmod(0o600)
        os.utime(self.folder / "parts.cnf", (1, 1))
        assert image.build_on("b").context == before
        with tarfile.open(fileobj=io.BytesIO(before)) as tar:
            modes = {entry.name: entry.mode for entry in tar}
        assert modes == {
            "Dockerfile": 0o644,
            "parts.cnf": 0o644,
            "parts/run.sh": 0o755,
        }


class Product(SimpleTestCase):
    def test_every_folder_can_be_built(self):
        folders = sorted(Path(settings.SHIPPED_IMAGES).iterdir())
        assert folders
        for folder in folders:
            image = find_shipped(f"brokersite/{folder.name}:1")
            assert image.base == "debian:bookworm-slim", folder

    def test_folders_go_along_to_cloud_foundry(self):
        assert "images/" not in (ROOT / ".cfignore").read_text().split()
