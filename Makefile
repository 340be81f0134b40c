# One word each; every target installs what it needs. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# uv as found or installed by the script; every recipe asks it anew so that plain `make help` installs nothing.
UV = "$$(./runner-config/bootstrap-uv.sh)"
RUN = $(UV) run --locked --no-sync
WORKERS ?= auto
# uv brings certificate authorities of its own; the machine's are those that its owner trusts.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export SSL_CERT_FILE ?= /etc/ssl/certs/ca-certificates.crt
endif

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: ## Install system packages (only those missing) and the Python environment
	@./runner-config/install-packages.sh
	@$(UV) sync --locked --quiet

.PHONY: demo
demo: setup ## Run the whole pipeline on the sample pull request: five languages, no key, no network
	@$(RUN) perforch demo --out perforch-out/demo

.PHONY: test
test: setup ## Run all tests
	$(RUN) pytest -n $(WORKERS) --dist worksteal -m "not timing"
	$(RUN) pytest -m timing

.PHONY: unit
unit: setup ## Run the fast, pure tests only
	$(RUN) pytest -n $(WORKERS) tests/unit

.PHONY: check
check: setup ## Lint, format check, strict typing, workflow linters
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) shellcheck runner-config/*.sh tools/*.sh .ci/run
	$(RUN) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RUN) check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(RUN) zizmor --offline --no-progress --persona pedantic .github/workflows action.yml
	./tools/actionlint.sh

.PHONY: format
format: setup ## Format the code
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

.PHONY: bench
bench: setup ## Run the benchmarks; each prints a ratio against a named alternative of the same run
	@for file in benchmarks/*.py; do echo "== $$file"; $(RUN) python "$$file"; done

.PHONY: clean
clean: ## Remove what the targets made
	rm -rf .venv perforch-out .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
