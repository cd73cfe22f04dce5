.DEFAULT_GOAL := help
.PHONY: help run demo register test test-browser test-chaos test-databases cf-test mutants chaos chaos-mutants lint bench screenshots requirements

PYTHON := .venv/bin/python
COMPILE := .venv/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11
# These have targets of their own.
ELSEWHERE := tests/browser tests/chaos
ON_DATABASES := tests/databases tests/osbapi tests/instances tests/brokersite tests/contract
# A production-like environment: https, and keys that protect nothing.
CHECK := PUBLIC_URL=https://broker.example.com DATABASE_PATH=:memory: SECRET_KEY=lint-$$(seq -s x 40) ENCRYPTION_KEYS=bm90LWEtc2VjcmV0LWtleS1mb3ItbGludC1vbmx5LSE=

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run:  ## Run brokersite on this machine: http://127.0.0.1:8000/
	@bin/run

demo:  ## Walk through a service instance's life against a running brokersite
	@bin/manage demo

register:  ## Register a running brokersite with Cloud Foundry: BROKER_URL, BROKER_PASSWORD
	@bin/register

test:  ## Run the tests, some of ARGS="-k provision"
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images
	.venv/bin/pytest --numprocesses 3 --dist loadscope $(ELSEWHERE:%=--ignore=%) $(ARGS)

test-browser:  ## Walk through the console in Chromium, and look at each of its pages
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images mariadb postgres redis
	@bin/ensure-chromium
	.venv/bin/pytest --numprocesses 2 --dist loadscope tests/browser $(ARGS)

test-chaos:  ## Break everything around brokersite at random for some minutes
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images mariadb redis
	.venv/bin/pytest --numprocesses 0 tests/chaos --ignore=tests/chaos/test_mutants.py $(ARGS)

test-databases:  ## Run what concerns the broker's own database on MariaDB and on PostgreSQL
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images mariadb postgres
	$(PYTHON) -m tests.databases.server mariadb,postgres .venv/bin/pytest -q --timeout=300 $(or $(ARGS),$(ON_DATABASES))

cf-test:  ## Push the site to a Cloud Foundry in miniature, ARGS="--database postgres"
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images mariadb postgres redis
	$(PYTHON) -m tests.cf $(ARGS)

mutants:  ## See that the made-up histories find each way in which the product is broken on purpose
	@bin/ensure-venv dev
	MUTANTS=$(or $(ARGS),all) .venv/bin/pytest --quiet --numprocesses 0 --tb=line tests/stateful/test_mutants.py

chaos:  ## Break everything around brokersite at random: OPS=1000 FAULTS=100 SEED= DATABASE=
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images mariadb postgres redis
	$(PYTHON) -m tests.chaos --ops $(or $(OPS),1000) --faults $(or $(FAULTS),100) $(if $(SEED),--seed $(SEED)) --database $(or $(DATABASE),sqlite) $(ARGS)

chaos-mutants:  ## See that the checker of chaos catches builds broken on purpose
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images redis
	.venv/bin/pytest -q --numprocesses 0 tests/chaos/test_mutants.py $(ARGS)

lint:  ## Check format, rules, types, layers, templates, migrations and settings
	@bin/ensure-venv dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy .
	.venv/bin/lint-imports
	.venv/bin/djlint --quiet --check --lint templates
	$(CHECK) $(PYTHON) manage.py makemigrations --check --dry-run
	$(CHECK) $(PYTHON) manage.py check --deploy --fail-level WARNING

bench:  ## Measure speed and memory, some of ARGS="--rounds 5 --only bind --write FILE"
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images
	@bin/ensure-wrk
	$(PYTHON) -m bench $(ARGS)

screenshots:  ## Take the pictures in docs/ anew: as root, and look at each
	@bin/ensure-venv dev
	@bin/ensure-docker
	@bin/build-images
	@bin/ensure-chromium
	$(PYTHON) -m tests.browser.pictures

requirements:  ## Compile requirements*.txt with hashes from requirements*.in
	@bin/ensure-venv dev
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt
