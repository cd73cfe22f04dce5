"""The floor under an answer: gunicorn, and a function that returns the document."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_BODY = Path(os.environ["BENCH_BODY"]).read_bytes()


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    length = str(len(_BODY))
    headers = [("Content-Type", "application/json"), ("Content-Length", length)]
    start_response("200 OK", headers)
    return [_BODY]
