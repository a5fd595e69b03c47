# make run     the whole system on this machine, with a demo phone
# make test    all tests
# The rest is for those who change it: see CONTRIBUTING.md.

PYTHON ?= python3
DATA ?= ./data
BIN := .venv/bin
NATIVE := $(shell find src -name '*.pyx' -o -name '*.pxd')
STUBBED = $(shell find src -name '*.pyi' | sed 's|^src/||; s|\.pyi$$||; s|/|.|g' | sort)

COMPILE = $(BIN)/pip-compile -q --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --no-header

TARGET ?= message
MINUTES ?= 10

.PHONY: run reset setup setup-mysql setup-galera build lint format types test galera peers clients fuzz bench openapi lock clean images compose-test
.DEFAULT_GOAL := run

run: setup ## start everything with a demo phone; keys and messages live in $(DATA)
	@exec $(BIN)/corefast up --demo --data $(DATA)

reset: ## erase what `make run` keeps
	rm -rf -- $(DATA)

setup: .setup.stamp .build.stamp ## .venv and the build

.setup.stamp: requirements.lock pyproject.toml setup.py .ci/setup
	@PYTHON=$(PYTHON) .ci/setup
	@touch .setup.stamp .build.stamp

.build.stamp: .setup.stamp $(NATIVE)
	@flock .build.lock $(BIN)/python setup.py -q build_ext --inplace
	@touch $@

setup-mysql: ## a MariaDB server for the tests, which start and stop it
	@.ci/setup-mysql

setup-galera: ## what a cluster of MariaDB servers needs, likewise
	@.ci/setup-galera

build: setup ## the Cython modules, in place, where their sources changed

lint: setup types ## style, spelling and types; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint src
	$(BIN)/codespell

format: setup ## put the sources into the common form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: setup ## mypy, and each .pyi against its module
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/stubtest --ignore-disjoint-bases $(STUBBED)

# The tests start hundreds of processes: those read what is compiled, also where the caller's Python keeps nothing.
test galera peers clients compose-test: export PYTHONDONTWRITEBYTECODE =

test: setup setup-mysql ## every test; a skip is a failure
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

galera: setup setup-galera ## the database as a cluster of three nodes
	COREFAST_GALERA=1 $(BIN)/python -m pytest tests/galera

peers: setup ## round trips with other people's implementations, from npm and Debian
	@if [ ! -e /usr/include/signal/session_cipher.h ] && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -y -qq libsignal-protocol-c-dev; fi
	npm ci --ignore-scripts --no-audit --no-fund --prefix tests/peers
	COREFAST_PEERS=1 $(BIN)/python -m pytest tests/peers

clients: setup ## other people's clients against the whole system: as published, and schemathesis over openapi.json
	@[ -x tests/clients/.venv/bin/python ] || $(PYTHON) -m venv --clear tests/clients/.venv
	tests/clients/.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r tests/clients/requirements.lock
	npm ci --ignore-scripts --no-audit --no-fund --prefix tests/clients
	COREFAST_CLIENTS=1 $(BIN)/python -m pytest tests/clients

fuzz: setup ## fuzz TARGET for MINUTES on an instrumented copy; what it finds joins tests/corpus
	tests/fuzz/run $(TARGET) $(MINUTES)

bench: setup ## every figure, on the screen and in bench/results
	@mkdir -p bench/results
	$(BIN)/python -m bench all --json bench/results/latest.json

openapi: setup ## docs/openapi.json, from the structs that the front decodes
	$(BIN)/python -m api.openapi > docs/openapi.json

lock: setup ## take the newest versions that pyproject.toml allows into requirements.lock; and those of the clients
	$(COMPILE) --extra dev --extra bench -o requirements.lock pyproject.toml
	$(COMPILE) -o tests/clients/requirements.lock tests/clients/requirements.txt

clean: ## what was built, and .venv; the data stays
	find src bench -name '*.so' -delete -o -path 'src/*' -name '*.c' -delete
	rm -rf -- build .venv tests/clients/.venv .setup.stamp .build.stamp .mypy_cache .ruff_cache src/*.egg-info

images: ## the container image corefast:latest; BASE=… chooses the Python image below it
	docker/with-daemon docker/build

compose-test: setup ## both profiles of docker/compose.yml, with real containers
	docker/with-daemon docker/compose-test
