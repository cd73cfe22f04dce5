"""Another dockerd beside the machine's own, which runs nothing: images come and go."""

import os
import signal
import subprocess

from tests.system.private_docker import PrivateDocker


class SecondDocker(PrivateDocker):
    """Needs root. In a network namespace of its own, which leads nowhere."""

    name = f"brokersite-c{os.getpid()}"

    def __enter__(self) -> "SecondDocker":
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGTERM)
        subprocess.run(["ip", "netns", "delete", self.name], check=True)
        subprocess.run(["rm", "-rf", str(self.root)], check=True)

    def load(self, source: object, reference: str) -> None:
        """What the other one has, whole."""
        for _ in self.api.load_image(source.get_image(reference)):
            pass
