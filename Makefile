# `make demo` shows a release, `make test` and `make check` are what CI runs. Everything they need is made on first use, in here.

SPEED ?= 30
LOCAL_PORT ?= 5000
HEALTH_PATH ?= /
export APP HEALTH_PATH
JOBS ?= 2
export SAM_CLI_TELEMETRY := 0
export AWS_EC2_METADATA_DISABLED := true

# A pyenv shim may stand on PATH for a Python it won't run, so each is tried; then pyenv's own folder is looked at.
python = $(firstword \
	$(shell p=$$(command -v python$(1)) && "$$p" -c '' 2>/dev/null && echo "$$p") \
	$(wildcard $(shell pyenv root 2>/dev/null)/versions/$(1).*/bin/python))
PYTHON = $(firstword $(call python,3.13) $(call python,3.12) $(call python,3.11))
PIP_INSTALL := -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo demo-control demo-upgrade demo-route53 local test check faults mutate bench bench-rollback bench-scale diagram screens clean

help:
	@echo "make demo          releases good, bad, broken and aborted, under live traffic (SPEED=$(SPEED))"
	@echo "make demo-control  the same, done carelessly: it must lose requests"
	@echo "make demo-upgrade  a fleet upgraded, and taken back an hour later: blue on its floor, then at zero"
	@echo "make demo-route53  releases by DNS: a load balancer for each version, clients that keep answers for their TTL"
	@echo "make local         the local cloud, left up for the AWS CLI and a browser; APP='COMMAND {port}' runs your app in it"
	@echo "make test          all tests"
	@echo "make check         linters, types, and the build of the stack"
	@echo "make faults        everything that can go wrong, at every call, and what came of it; an hour (JOBS=$(JOBS))"
	@echo "make mutate        the modules that decide, each line of them broken in turn: a test must see it"
	@echo "make bench         what a release takes: calls, states, events, bytes, time, dollars; some ten minutes"
	@echo "make bench-rollback  from a red alarm to blue: the seconds, part by part"
	@echo "make bench-scale   AWS calls of a release, for 3, 100 and 1,000 instances; some minutes"
	@echo "make diagram       draws the plots of docs/architecture.md from the state machines"
	@echo "make screens       the pictures in docs/: a recording of \`viridian watch\`, and of the report of make demo; takes a Chromium"
	@echo "make clean         remove everything that was made"

demo: .venv/.stamp
	@.venv/bin/python -m local.demo --speed $(SPEED)

demo-control: .venv/.stamp
	@.venv/bin/python -m local.demo --control --speed $(SPEED)

demo-upgrade: .venv/.stamp
	@.venv/bin/python -m local.demo --upgrade --speed $(SPEED)

demo-route53: .venv/.stamp
	@.venv/bin/python -m local.demo --route53 --speed $(SPEED)

local: .venv/.stamp
	@.venv/bin/python -m local --speed $(SPEED) --port $(LOCAL_PORT) $${APP:+--app "$$APP" --health-path "$$HEALTH_PATH"}

test: .venv/.stamp
	@.venv/bin/python -m pytest -q -n 2 --dist worksteal

SOURCES = $(wildcard functions viridian_cli local tests bench)
MACHINES = $(wildcard statemachine/*.asl.json)
TEMPLATES = template.yaml $(wildcard examples/*/template.yaml)
# SAM builds with the python3.13 that it finds first.
SAM = env PATH="$(CURDIR)/.tools/sam/bin:$$PATH" AWS_DEFAULT_REGION=us-east-1 .tools/sam/bin/sam

check: .venv/.stamp .tools/sam/.stamp .tools/checkov/.stamp node_modules/.stamp
	@echo "ruff" && .venv/bin/ruff check --quiet . && .venv/bin/ruff format --quiet --check .
	@echo "mypy" && .venv/bin/mypy --no-error-summary $(SOURCES)
	@echo "asl-validator" && for machine in $(MACHINES); do \
		.ci/quietly node_modules/.bin/asl-validator --json-definition "$$(sed 's/$${AWSPartition}/aws/' $$machine)" || exit 1; \
	done
	@echo "amazon-states-language-service" && node .ci/lint-asl.mjs $(MACHINES)
	@echo "cfn-lint" && .venv/bin/cfn-lint $(TEMPLATES)
	@echo "checkov" && .ci/quietly .tools/checkov/bin/checkov --config-file .checkov.yaml --file $(TEMPLATES)
	@echo "sam validate" && .ci/quietly $(SAM) validate --lint
	@echo "sam build" && .ci/quietly $(SAM) build
	@echo "all checks passed"

faults: .venv/.stamp
	@.venv/bin/python -m tests.faults --jobs $(JOBS)

mutate: .tools/mutate/.stamp
	@.tools/mutate/bin/python -m tests.mutate

bench: .venv/.stamp
	@.venv/bin/python -m bench

bench-rollback: .venv/.stamp
	@.venv/bin/python -m bench.rollback

bench-scale: .venv/.stamp
	@.venv/bin/python -m bench.scale

diagram: .venv/.stamp
	@.venv/bin/python -m bench.diagram

screens: .venv/.stamp
	@PYTHONPATH=functions .venv/bin/python -m bench.screens
	@.venv/bin/python -m local.demo.screens report

clean:
	@rm -rf .venv .tools .aws-sam node_modules out .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.stamp: requirements.txt functions/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.13, 3.12 or 3.11 is needed" >&2; exit 1; }
	@echo "preparing .venv with $$("$(PYTHON)" --version); about a minute, once" >&2
	@"$(PYTHON)" -m venv .venv && .venv/bin/python $(PIP_INSTALL) -r requirements.txt && touch $@

.tools/mutate/.stamp: requirements.txt functions/requirements.txt

.tools/%/.stamp: requirements-%.txt
	@test -n "$(call python,3.13)" || { echo "Python 3.13 is needed: the functions are built for it" >&2; exit 1; }
	@echo "preparing .tools/$*" >&2
	@"$(call python,3.13)" -m venv .tools/$* && .tools/$*/bin/python $(PIP_INSTALL) -r $< && touch $@

node_modules/.stamp: package.json
	@echo "preparing node_modules" >&2
	@npm install --no-package-lock --no-audit --no-fund --loglevel=error && touch $@
