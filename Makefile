# Everything this project does is one of these targets; `make` alone lists them.
# Nothing but python3 (3.11 or newer), git and make is needed: the rest is installed into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# uv trusts its own certificates unless told to use the system's, which a proxy's certificate is among.
export UV_SYSTEM_CERTS := 1
# The package is installed; the sandbox and the tests are found beside it.
export PYTHONPATH := .
unexport PYTHONDONTWRITEBYTECODE

# Where the demo keeps its Airflow; `make results` reads it unless AIRFLOW_HOME says otherwise.
DEMO_HOME := $(CURDIR)/.demo
AIRFLOW_HOME ?= $(DEMO_HOME)/airflow

CUSTOMERS ?= 600
PORT ?= 8080
EXAMPLES ?= 10000
DATABASE ?= sqlite
LENGTHS ?= 20 60
AWAY_S ?= 60

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

.PHONY: install
install: $(STAMP) ## Make .venv with everything the project needs

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, this is %d.%d. Hint: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Hint: install your system's venv package (Debian: python3-venv)"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Sandbox, Airflow and the three imports; ONCE=1 ends when they are done; SERVE_BODIES=folder; CUSTOMERS=n; PORT=n
	@exec $(BIN)/python -m sandbox.demo --home $(DEMO_HOME) --customers $(CUSTOMERS) --port $(PORT) \
	  $(if $(ONCE),--once) $(if $(SERVE_BODIES),--serve-bodies $(SERVE_BODIES))

.PHONY: clean-demo
clean-demo: ## Forget the demo's state: Airflow, sandbox, imported customers
	rm -rf $(DEMO_HOME)

# Passwords stand in addresses, so they are letters and digits; Airflow's keys are longer, and one has a form of its own.
define WRITE_ENV
import base64, os, re, secrets, sys
def secret(name):
    if name == "AIRFLOW_FERNET_KEY":
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return secrets.token_hex(48 if name in ("AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET") else 16)
path = sys.argv[1]
example = open(".env.example").read()
try:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
except FileExistsError:
    sys.exit(f"{path} is there already and was left as it is: new secrets would lock you out of what the old ones protect. Hint: .env.example names what may be missing in it")
with open(handle, "w") as file:
    file.write(re.sub(r"^(\w+)=$$", lambda found: found[0] + secret(found[1]), example, flags=re.MULTILINE))
print(f"Wrote {path}. Airflow's first user is admin; the password is AIRFLOW_ADMIN_PASSWORD in it.")
endef
export WRITE_ENV

ENV_FILE ?= .env

.PHONY: env
env: ## Write .env for docker compose, with random secrets; one that is there is left as it is
	@$(PYTHON) -c "$$WRITE_ENV" $(ENV_FILE)

.PHONY: results
results: $(STAMP) ## The latest run of each import type, one JSON object a line
	@AIRFLOW_HOME=$(AIRFLOW_HOME) $(BIN)/python -m customer_import.cli results --json

.PHONY: check-sandbox
check-sandbox: $(STAMP) ## What the demo's sandbox says about the imported state: duplicates, missing contacts, contract violations
	@$(BIN)/python -m sandbox.demo --home $(DEMO_HOME) --check

.PHONY: check-connections
check-connections: $(STAMP) ## Try both ends of an instance with one read each: INSTANCE=name
	@AIRFLOW_HOME=$(AIRFLOW_HOME) $(BIN)/python -m customer_import.cli check "$(INSTANCE)"

# Tests that start a whole Airflow or many processes, the longest first; those of one folder or file share them. Three
# at a time: many wait.
SLOW := tests/chaos tests/canary tests/e2e tests/browser

.PHONY: test
test: $(STAMP) ## All tests, the fast ones first
	$(BIN)/python -m pytest tests $(SLOW:%=--ignore %) --numprocesses 3
	$(BIN)/python -m pytest $(SLOW) -p no:randomly --numprocesses 3 --dist loadfile

.PHONY: coverage
coverage: $(STAMP) ## Which lines and branches of the library the fast tests run; fails below 95 %
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests $(SLOW:%=--ignore %) --numprocesses 3
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: chaos
chaos: $(STAMP) ## Kill, storm, ambiguous writes, overlapping runs: same BSS state as undisturbed? (takes long)
	$(BIN)/python -W ignore -m tests.chaos

.PHONY: test-distributed
test-distributed: CUSTOMERS := 2000
test-distributed: $(STAMP) ## The compose file's deployment, disturbed while it imports: CUSTOMERS=2000 AWAY_S=60 (half an hour)
	$(BIN)/python -W ignore -m tests.distributed --customers $(CUSTOMERS) --away-s $(AWAY_S)

.PHONY: large
large: $(STAMP) ## Imports of 1,000, 10,000 and 100,000 customers on PostgreSQL: are time and memory for each flat? (half an hour)
	$(BIN)/python -W ignore -m tests.large

.PHONY: soak
soak: $(STAMP) ## 200 imports of what changed in one Airflow, with faults: does anything grow? (an hour)
	$(BIN)/python -W ignore -m tests.soak

.PHONY: memory
memory: $(STAMP) ## Is what runs remember true? 60 runs of all kinds, each compared with a fresh import, on both databases (half an hour)
	$(BIN)/python -W ignore -m tests.memory

.PHONY: outages
outages: $(STAMP) ## What an outage of either service costs: LENGTHS="20 60 300", seconds
	$(BIN)/python -W ignore -m tests.imports.outages $(LENGTHS)

.PHONY: canary
canary: $(STAMP) ## Do secrets or personal data turn up where they must not? Whole imports with faults in real Airflow
	$(BIN)/python -W ignore -m tests.canary

.PHONY: hostile
hostile: $(STAMP) ## A server that lies, stalls, floods and leads elsewhere: right outcome, no stall, bounded memory? (some minutes)
	$(BIN)/python -W ignore -m tests.hostile

.PHONY: fuzz
fuzz: $(STAMP) ## Property tests with many examples, the ledger beside its model: EXAMPLES=10000 DATABASE=sqlite
	$(BIN)/python -W ignore -m tests.properties $(EXAMPLES) $(DATABASE)

.PHONY: mutants
mutants: .venv/.mutants ## Small faults planted in the rules: do the tests notice? MODULES="ledger border" (half an hour)
	$(BIN)/python -W ignore -m tests.mutants $(MODULES)

.venv/.mutants: $(STAMP) requirements/mutants.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --requirement requirements/mutants.txt
	@touch $@

.PHONY: bench bench-quick
bench: .venv/.bench ## Compare speed and memory with what one would use instead (under half an hour)
	$(BIN)/python -W ignore -m tests.benchmarks

bench-quick: .venv/.bench ## The same at smaller sizes, once, without Airflow (under five minutes)
	$(BIN)/python -W ignore -m tests.benchmarks --quick

.venv/.bench: $(STAMP) requirements/bench.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --requirement requirements/bench.txt
	@touch $@

.PHONY: profile
profile: CUSTOMERS := 5000
profile: .venv/.bench ## Where the time of a run goes, as a flame graph in profile.svg: CUSTOMERS=5000
	$(BIN)/python -W ignore -m tests.benchmarks.profile --customers $(CUSTOMERS) --output profile.svg

.PHONY: bench-pages
bench-pages: $(STAMP) ## Speed of the pages with 1,000 and 1,000,000 results
	$(BIN)/python -W ignore tests/benchmarks/pages.py

.PHONY: contract
contract: .venv/.contract ## Are the descriptions of both APIs what is sent, read and answered? SPEC=a vendor's file; SAMPLES=folder (some minutes)
	$(BIN)/python -W ignore -m tests.contract $(if $(SPEC),--spec "$(SPEC)") $(if $(SAMPLES),--samples "$(SAMPLES)")

.venv/.contract: $(STAMP) requirements/contract.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --requirement requirements/contract.txt
	@touch $@

# Environments beside .venv: what these programs need does not go together with Airflow, or is not the project's business.
PEERS := .peers

.PHONY: peers
peers: $(STAMP) $(PEERS)/singer/.installed $(PEERS)/airbyte/.installed ## Our source and load under the standard tests of Singer and Airbyte (some minutes)
	$(BIN)/python -W ignore -m tests.peers

.PHONY: sbom audit
sbom: $(PEERS)/supply/.installed ## Bills of materials of the wheel and of the image (CycloneDX) into dist/
	$(BIN)/python -W ignore -m tests.supply_chain sbom

audit: $(PEERS)/supply/.installed ## What is known against the locked dependencies; fails when nobody could be asked
	$(BIN)/python -W ignore -m tests.supply_chain audit

$(PEERS)/%/.installed: requirements/%.txt $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(PEERS)/$*
	$(BIN)/uv pip sync --quiet --python $(PEERS)/$*/bin/python --require-hashes --compile-bytecode requirements/$*.txt
	@touch $@

PROVIDER_SCHEMA = $(wildcard $(VENV)/lib/python*/site-packages/airflow/provider_info.schema.json)

.PHONY: lint
lint: $(STAMP) ## ruff, format check, mypy, import contracts, provider metadata, compose file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -W ignore -c 'import json; from customer_import.provider import get_provider_info; print(json.dumps(get_provider_info()))' \
	  | $(BIN)/check-jsonschema --schemafile $(PROVIDER_SCHEMA) -
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

.PHONY: format
format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: $(STAMP) ## Build the documentation into site/; a dead link fails
	@# Not --quiet: it hides the warnings from --strict, and a dead link would pass.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: pictures
pictures: $(STAMP) ## Make the pictures in docs/images anew, with an Airflow and a browser (some minutes)
	$(BIN)/python -m pytest tests/browser/pictures.py -p no:randomly

.PHONY: wheel
wheel: $(STAMP) ## Build the package into dist/
	@rm -f dist/*.whl
	$(BIN)/python -m build --no-isolation --wheel --outdir dist .

.PHONY: test-wheel
test-wheel: wheel ## Install the wheel into an empty environment and run an import with it (some minutes)
	$(BIN)/python -W ignore -m tests.wheel dist/*.whl

ALONE := pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command 'make lock'
COMPILE := $(ALONE) --extra fab
.PHONY: lock
lock: ## Remake the requirements files from pyproject.toml; UPGRADE=1 takes the newest versions
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements.txt
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) --group sandbox -c requirements.txt pyproject.toml -o requirements/sandbox.txt
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) --group dev -c requirements.txt pyproject.toml -o requirements/dev.txt
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) --group dev --group bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) --group dev --group contract -c requirements/dev.txt pyproject.toml -o requirements/contract.txt
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) --group dev --group mutants -c requirements/dev.txt pyproject.toml -o requirements/mutants.txt
	$(BIN)/uv $(COMPILE) $(if $(UPGRADE),--upgrade) --group sandbox --group singer -c requirements/sandbox.txt pyproject.toml -o requirements/singer.txt
	$(BIN)/uv $(ALONE) $(if $(UPGRADE),--upgrade) --group airbyte -o requirements/airbyte.txt
	$(BIN)/uv $(ALONE) $(if $(UPGRADE),--upgrade) --group supply -o requirements/supply.txt

.PHONY: clean
clean: clean-demo ## Forget everything that was made, .venv included
	rm -rf $(VENV) $(PEERS) .mypy_cache .pytest_cache .ruff_cache .hypothesis .mutants .coverage* dist
