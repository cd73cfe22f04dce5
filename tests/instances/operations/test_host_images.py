"""Which images a host has, and which containers run older ones."""

import pytest

from instances import errors
from instances.models import Actor, HostImage
from instances.operations import prestage
from instances.operations.host_images import lacking, look, planned
from tests.fakes import IMAGE, make_plan
from tests.instances.base import DomainTestCase

OTHER = "registry.example/tiny:1"


class HostImagesTest(DomainTestCase):
    def images(self):
        images = planned(self.host)
        look(self.host, images, timeout_s=3)
        return {image.reference: image for image in images}

    def rebuild(self):
        prestage.accept(self.host, IMAGE, actor=Actor(kind="operator", name="olga"))
        self.world.machine.images.add("debian:bookworm-slim")
        prestage.perform(HostImage.objects.claim_next("w"))

    def test_each_image_of_an_active_plan_is_there_once(self):
        make_plan("plan-2")
        make_plan("plan-3", image=OTHER)
        make_plan("plan-4", image="registry.example/inactive:1", active=False)
        images = self.images()
        assert list(images) == [IMAGE, OTHER]
        assert [plan.pk for plan in images[IMAGE].plans] == ["plan-1", "plan-2"]

    def test_what_is_there_has_a_status(self):
        make_plan("plan-2", image=OTHER)
        images = self.images()
        assert images[IMAGE].status.layers == 5
        assert images[OTHER].status is None

    def test_an_image_of_ours_from_other_files_is_outdated(self):
        assert self.images()[IMAGE].is_outdated  # it has no label at all
        self.rebuild()
        image = self.images()[IMAGE]
        assert not image.is_outdated
        assert image.wish.state == "ready"

    def test_an_image_of_others_is_never_outdated(self):
        make_plan("plan-2", image=OTHER)
        self.world.machine.images.add(OTHER)
        assert not self.images()[OTHER].is_outdated

    def test_containers_tell_whether_theirs_is_older(self):
        self.provisioned("i-1")
        image = self.images()[IMAGE]
        assert (len(image.containers), image.older) == (1, [])
        self.rebuild()
        self.provisioned("i-2")
        image = self.images()[IMAGE]
        assert (len(image.containers), len(image.older)) == (2, 1)

    def test_lacking_are_those_that_nobody_brings_yet(self):
        make_plan("plan-2", image=OTHER)
        make_plan("plan-3", image="registry.example/tiny:2")
        assert lacking(self.host, timeout_s=3) == [
            IMAGE,  # built from other files
            OTHER,
            "registry.example/tiny:2",
        ]
        HostImage.objects.want(self.host, OTHER)
        assert OTHER not in lacking(self.host, timeout_s=3)

    def test_a_silent_host_is_an_error(self):
        self.world.machine.is_down = True
        with pytest.raises(errors.HostUnreachable):
            self.images()
