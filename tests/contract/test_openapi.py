"""The broker against the specification's own OpenAPI document.

The document is not part of this repository. It knows less than the specification's
text does, so the statuses that it leaves out are listed here, with the reason.
"""

import os
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode, checks

from brokersite.wsgi import application
from tests.contract.world import EveryStateTestCase, sensible
from tests.osbapi.base import PASSWORD, USERNAME, assert_no_null, basic

DOCUMENT = Path(
    os.environ.get("OSB_OPENAPI")
    or Path(__file__).resolve().parents[2] / "../shared/openapi.yaml"
)
HOW_TO_GET_IT = (
    "There is no OpenAPI document: take openapi.yaml of the Open Service Broker API's "
    "repository and name the file in OSB_OPENAPI."
)
EXAMPLES = {GenerationMode.POSITIVE: 80, GenerationMode.NEGATIVE: 30}
"""For each of the document's operations."""
CHECKS = [
    checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_INSTANCE = "/v2/service_instances/{instance_id}"
_BINDING = f"{_INSTANCE}/service_bindings/{{binding_id}}"
UNLISTED = {
    # The text allows it for any request: odd ids, wrong hints.
    400: {f"GET {_INSTANCE}", f"GET {_BINDING}"},
    # The text demands a login of every endpoint.
    401: {"GET /v2/catalog", f"GET {_INSTANCE}", f"GET {_BINDING}"},
    # An unknown instance, for which the text names no status.
    404: {f"PATCH {_INSTANCE}", f"PUT {_BINDING}"},
}
"""Which operations may answer what the document does not list for them.

Any may answer 412: the document knows no versions.
"""
RUN: Counter[str] = Counter()
"""How many requests had which status."""


def load() -> BaseSchema:
    """Skip without the document; where tests are meant to be complete, fail."""
    if not DOCUMENT.is_file():
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    schema = schemathesis.openapi.from_path(DOCUMENT)
    schema.app = application
    return schema


class OpenAPITest(EveryStateTestCase):
    """OSB-CHECKLIST 6, 34, 74."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.schema = load()
        super().setUpClass()

    @pytest.mark.timeout(400)  # a thousand requests, on a machine that is busy
    def test_every_operation_answers_as_documented(self):
        """F19."""
        found = [result.ok() for result in self.schema.get_all_operations()]
        assert len(found) == 10
        for operation in found:
            for mode in EXAMPLES:
                with self.subTest(f"{operation.label}, {mode}"):
                    self.try_out(operation, mode)
        print(f"{RUN.total()} requests:", dict(sorted(RUN.items())))
        # The generator has got past the refusals, everywhere.
        reached = {name[:-4] for name in RUN if name[-3:] < "300"}
        assert reached == {operation.label for operation in found}
        assert RUN.total() > 1000

    def try_out(self, operation: APIOperation, mode: GenerationMode) -> None:
        """Send what the generator thinks of; the same in every run."""

        @hypothesis.seed(1)
        @hypothesis.settings(
            max_examples=EXAMPLES[mode],
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(sensible(operation.as_strategy(generation_mode=mode)))
        def run(case: Case) -> None:
            with self.undone():
                self.check(case)

        run()

    def check(self, case: Case) -> None:
        headers = {"Authorization": basic(USERNAME, PASSWORD)}
        answer = case.call(headers=headers)
        RUN[f"{case.operation.label} {answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS)
        assert_no_null(answer.json())
        listed = {int(code) for code in case.operation.definition.raw["responses"]}
        unlisted = {
            code for code, labels in UNLISTED.items() if case.operation.label in labels
        }
        assert answer.status_code in listed | unlisted | {412}, answer.text
