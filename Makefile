# On a machine with make and Python 3.11 or 3.12, each target below does the set-up that it needs, once.
# ARGS= is handed on:  make run ARGS="--help"   make test ARGS="-k rfm"      PYTHON= names another interpreter.

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
LOG := $(VENV)/setup.log

# Each stage of the set-up leaves a file, and runs again only when something before it changed.
PACKAGES := $(VENV)/.packages
JAVA := $(VENV)/.java
JARS := $(VENV)/.jars
SERVERS := $(VENV)/.servers

# Of two processes each takes whole files, in their order: the long ones stand before the many short ones.
TWO_AT_ONCE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run test check bundle lock wheel deploy clean

help: ## say what each target does
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(JARS) ## Python packages, Java and Delta's jars; every other target does what it needs of it
	@echo "Ready: make run, make test, make check."

run: $(JARS) ## run the pipeline over the demo lake; ARGS= for the command's own options, see ARGS="--help"
	@$(VENV)/bin/customerlake run --lake demo $(ARGS)

test: $(SERVERS) ## run the tests on the fast engine, then on JVM Spark; ARGS= for pytest's options
	@echo "Tests on the fast engine (sail):"
	@$(VENV)/bin/pytest --quiet --engine sail $(TWO_AT_ONCE) $(ARGS)
	@echo "Tests on JVM Spark with Delta, the reference, with the models:"
	@$(VENV)/bin/pytest --quiet --engine spark $(TWO_AT_ONCE) $(ARGS)

check: $(PACKAGES) ## lint, format, types and layers; needs no Java
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bundle: $(PACKAGES) ## hold the Databricks bundle to Databricks' own typed model, whose package this installs
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement deploy/databricks/requirements.txt
	@$(VENV)/bin/pytest --quiet tests/deploy/test_databricks.py

lock: ## resolve requirements.lock, and a cluster's in deploy/, again; ARGS="--upgrade" takes newer versions
	@$(find_python); \
	tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	"$$python" -m venv "$$tools" && "$$tools/bin/pip" install --quiet --disable-pip-version-check 'uv>=0.9,<1' && \
	export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}" UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" && \
	compile() { "$$tools/bin/uv" pip compile pyproject.toml --universal --fork-strategy fewest --python-version 3.11 \
		--generate-hashes --custom-compile-command "make lock" --quiet "$$@" && \
		echo "$${!#}: $$(grep -c '^[a-z].*==' "$${!#}") packages."; }; \
	compile --all-extras $(ARGS) --output-file requirements.lock && \
	compile --constraints requirements.lock --output-file deploy/requirements.lock

wheel: $(PACKAGES) ## build dist/customerlake-*.whl
	@$(PY) -m build --wheel --no-isolation .

deploy: $(PACKAGES) ## write what deploy/ says of each step, from the pipeline's declaration
	@for target in databricks emr; do $(PY) deploy/$$target/generate.py || exit 1; done

clean: ## remove caches and builds; the set-up stays (rm -rf .venv removes it)
	@rm -rf dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(PACKAGES): requirements.lock pyproject.toml
	@if ! $(PY) -c "$(fits)" 2> /dev/null || ! $(PY) -m pip --version > /dev/null 2>&1; then \
		$(find_python); "$$python" -m venv --clear $(VENV) || exit 1; \
	fi; \
	$(begin) "[1/3] Python packages into $(VENV), about 2 minutes"; \
	{ $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; } \
		> $(LOG) 2>&1 || { $(failed) "The Python packages could not be installed; pip's last words:"; \
		echo "If it is the network: connect, or point pip to a mirror (PIP_INDEX_URL or PIP_FIND_LINKS, PIP_CERT)" \
			"and run the same command again." >&2; exit 1; }; \
	touch $@; $(done)

$(JAVA): $(PACKAGES)
	@$(begin) "[2/3] Java 17 or 21 for Spark, about a minute when it must be installed"; \
	if ! $(PY) -m customerlake.runtime.java > /dev/null 2> $(LOG); then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then echo; cat $(LOG) >&2; exit 1; fi; \
		{ $(apt_get) update; package=openjdk-17-jre-headless; \
		  apt-cache show $$package || ! apt-cache show openjdk-21-jre-headless || package=openjdk-21-jre-headless; \
		  $(apt_get) install $$package; } > $(LOG).apt 2>&1; \
		$(PY) -m customerlake.runtime.java > /dev/null 2> $(LOG).java || { \
			grep '^[EW]:' $(LOG).apt > $(LOG); $(failed) "Java could not be installed; apt-get's last words:"; \
			cat $(LOG).java >&2; exit 1; }; \
	fi; \
	touch $@; $(done)

$(JARS): $(JAVA)
	@$(begin) "[3/3] jars of Delta Lake and of the readers into $(VENV), about half a minute"; \
	$(PY) -m customerlake.runtime.jars > $(LOG) 2>&1 || { echo; cat $(LOG) >&2; exit 1; }; \
	touch $@; $(done)

$(SERVERS): $(JARS)
	@$(begin) "[tests] a PostgreSQL server and the jars of a Kafka broker, for the tests of the readers"; \
	if ! ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 && ! command -v pg_config > /dev/null && \
		[ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		{ $(apt_get) update; $(apt_get) install postgresql; } > $(LOG) 2>&1 || { echo; tail -n 5 $(LOG) >&2; exit 1; }; \
	fi; \
	$(PY) -m tests.bronze.kafka_broker > $(LOG) 2>&1 || { echo; tail -n 5 $(LOG) >&2; exit 1; }; \
	touch $@; $(done)

# Pieces of shell for the recipes above.
begin = began=$$(date +%s); printf '%s ... '
done = echo "$$(($$(date +%s) - began)) s"
failed = tell() { printf '\n%s\n' "$$1"; grep -v Retrying $(LOG) | tail -n 6 | cut -c 1-200 | sed 's/^/    /'; }; tell >&2
fits = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
apt_get = DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --no-install-recommends

# Sets `python` to an interpreter that fits and can make virtual environments, or says what is missing and ends.
define find_python
	pick() { for python in $(or $(PYTHON),python3.11 python3.12 python3); do "$$python" -c "$$1" 2> /dev/null && return; done; false; }; \
	if ! pick "import ensurepip, venv, $(subst import ,,$(fits))"; then \
		if ! pick "$(fits)"; then \
			found=$$("$$python" -V 2> /dev/null) || found="no $$python"; \
			echo "customerlake needs Python 3.11 or 3.12, and found $$found. Install one (Debian 12: sudo apt-get" \
				"install -y python3.11-venv), or name yours: make setup PYTHON=/path/to/python3.11" >&2; exit 1; \
		fi; \
		package=$$("$$python" -c "import sys; print('python%d.%d-venv' % sys.version_info[:2])"); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "Installing $$package, without which Python makes no virtual environments ..."; \
			said=$$({ $(apt_get) update && $(apt_get) install "$$package"; } 2>&1) || \
				echo "$$said" | tail -n 6 | cut -c 1-200 | sed 's/^/    /' >&2; \
		fi; \
		if ! "$$python" -c "import ensurepip, venv" 2> /dev/null; then \
			echo "$$python cannot make virtual environments. Do: sudo apt-get install -y $$package" >&2; exit 1; \
		fi; \
	fi
endef
