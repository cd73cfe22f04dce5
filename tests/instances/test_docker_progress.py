"""What Docker says while it pulls or builds becomes lines for people."""

from django.test import SimpleTestCase

from instances.containers.docker_progress import BuildProgress, PullProgress


def layer(layer_id, status, current=0, total=0):
    detail = {"current": current, "total": total} if total else {}
    return {"id": layer_id, "status": status, "progressDetail": detail}


class Pull(SimpleTestCase):
    def lines(self, *messages):
        said = []
        progress = PullProgress(said.append)
        for message in messages:
            progress.see(message)
        return said

    def test_counts_layers_and_megabytes(self):
        said = self.lines(
            {"id": "7.0", "status": "Pulling from tiny"},
            layer("a", "Pulling fs layer"),
            layer("b", "Already exists"),
            layer("a", "Downloading", 2_500_000, 10_000_000),
            layer("c", "Downloading", 1_000_000, 10_000_000),
            layer("a", "Download complete"),
            layer("a", "Extracting", 1, 10_000_000),
            layer("a", "Pull complete"),
            {"status": "Digest: sha256:1"},
        )
        assert said == [
            "Pulling from tiny",
            "pulling: 0 of 1 layers",
            "pulling: 1 of 2 layers",
            "pulling: 1 of 2 layers, 2.5 of 10.0 MB (25 %)",
            "pulling: 1 of 3 layers, 3.5 of 20.0 MB (17 %)",
            "pulling: 1 of 3 layers, 11.0 of 20.0 MB (55 %)",
            "pulling: 1 of 3 layers, 11.0 of 20.0 MB (55 %)",
            "pulling: 2 of 3 layers, 11.0 of 20.0 MB (55 %)",
            "Digest: sha256:1",
        ]


class Build(SimpleTestCase):
    def setUp(self):
        self.said = []
        self.progress = BuildProgress(self.said.append)

    def test_each_line_follows_its_step(self):
        for text in ("Step 1/2 : FROM b\n", " ---> 12\n", "Step 2/2 : RUN x\n", "a\nb"):
            self.progress.see({"stream": text})
        assert self.said == [
            "step 1 of 2: FROM b",
            "step 1 of 2: ---> 12",
            "step 2 of 2: RUN x",
            "step 2 of 2: a",
            "step 2 of 2: b",
        ]

    def test_a_long_command_is_cut(self):
        self.progress.see({"stream": f"Step 1/1 : RUN {'x' * 500}"})
        assert self.said[0].endswith("x…") and len(self.said[0]) < 100

    def test_what_moves_the_cursor_is_left_out(self):
        """S44, S50."""
        self.progress.see({"stream": "\x1b[31m10 %\r\x1b[0m20 %\x07\n"})
        assert self.said == ["10 %", "20 %"]

    def test_what_is_not_text_is_passed_over(self):
        self.progress.see({"aux": {"ID": "sha256:1"}})
        assert self.said == []

    def test_the_last_lines_are_kept(self):
        for number in range(100):
            self.progress.see({"stream": f"line {number}\n"})
        assert list(self.progress.last_lines)[-1] == "line 99"
        assert len(self.progress.last_lines) == 15
