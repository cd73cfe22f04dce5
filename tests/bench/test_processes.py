"""That the bench runs the site as the Procfile does."""

from bench import plans, processes
from bench.engines import ENGINES


class TestGunicorn:
    def test_the_settings_are_those_of_the_procfile(self) -> None:
        arguments = processes.gunicorn("brokersite.wsgi", 8123)
        assert arguments[:3] == ["-m", "gunicorn", "brokersite.wsgi"]
        told = " ".join(arguments[3:])
        web = (plans.ROOT / "Procfile").read_text().splitlines()[0]
        assert told.replace("127.0.0.1:8123", '"0.0.0.0:$PORT"') in web
        assert "--bind 127.0.0.1:8123" in told


class TestPlans:
    def test_each_engine_that_has_a_floor_has_a_plan(self) -> None:
        assert {plan.engine for plan in plans.load()} == set(ENGINES)
