SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_RETRIES := 2

PYTHON ?= python3
STAGE ?= dev
ARCH ?= arm64
export PYTHON ARCH
BUILD = .aws-sam/build$(if $(filter-out arm64,$(ARCH)),-$(ARCH))
HERE := $(patsubst aarch64,arm64,$(shell uname -m))
STEP := scripts/step
RUN := .venv/bin/python
PARALLEL := -n auto --maxprocesses 4

.PHONY: help
help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ---- Work on it

.PHONY: install dev reset demo
install: .venv/.stamp node_modules/.stamp  ## Install what the local stack and the tests need (the other targets do it themselves)
	@:

dev: install  ## Serve everything at http://127.0.0.1:3000 (PORT=…), until Ctrl-C
	@exec $(RUN) -m devstack serve

reset: .venv/.stamp  ## Wipe the local stack's data
	@exec $(RUN) -m devstack reset

demo: install  ## Run the booking story and print it, against the running stack or one of its own
	@exec $(RUN) -m devstack demo

# ---- Prove it

.PHONY: test test-unit test-stack test-hostile test-runtime test-crashes test-calendly-seeds test-template bench-slots bench-scale bench-cold bench-warm bench-files bench-growth bench-webhooks bench-members bench-admin test-stateful test-storms test-stripe-seeds test-money-seeds bench-stripe test-stripe-deaths test-invoicing bench-invoicing test-referrals
test: test-unit test-stack  ## All tests, on a stack of their own

test-unit: .venv/.stamp  ## The unit tests alone: no Node, no Postgres
	@$(RUN) -m pytest -q $(PARALLEL) tests/unit

test-stack: install .aws-sam/.runnable
	@$(RUN) -m pytest -q $(PARALLEL) tests --ignore=tests/unit --ignore=tests/bench --ignore=tests/contract/test_template_build.py

test-runtime: install .aws-sam/.runnable  ## Every function as it was built, under AWS's own runtime
	@$(RUN) -m pytest -q -n auto --maxprocesses 2 tests/runtime

test-hostile: install  ## Hostile input at length: HOSTILE_EXAMPLES (100) of each kind to each route by everyone
	@export HOSTILE_EXAMPLES=$${HOSTILE_EXAMPLES:-100}
	$(RUN) -m pytest -q $(PARALLEL) tests/security/test_hostile_*.py tests/security/test_schemathesis.py

test-crashes: install  ## kill -9 of every part in booking storms, at length: CRASH_CYCLES (5), CRASH_SEED (1)
	@CRASH_CYCLES=$${CRASH_CYCLES:-5} $(RUN) -m pytest -q -s tests/integration/devstack/test_crashes.py

test-referrals: install  ## Random lives of people who bring each other, at length: REFERRAL_LIVES (50) of REFERRAL_STEPS (60)
	@REFERRAL_LIVES=$${REFERRAL_LIVES:-50} REFERRAL_STEPS=$${REFERRAL_STEPS:-60} $(RUN) -m pytest -q -s tests/integration/growth/test_referral_money.py

test-stateful: install  ## Random lives of sessions and of what is paid for them, at length: STATEFUL_EXAMPLES (50) of STATEFUL_STEPS (40)
	@STATEFUL_EXAMPLES=$${STATEFUL_EXAMPLES:-50} STATEFUL_STEPS=$${STATEFUL_STEPS:-40} $(RUN) -m pytest -q -s tests/integration/sessions/test_stateful.py tests/integration/payments/test_session_payment_lives.py

test-storms: install  ## 200 changes of sessions at once on 5 coaches: STORMS (5) of them
	@STORMS=$${STORMS:-5} $(RUN) -m pytest -q -s tests/integration/sessions/test_storms.py

test-calendly-seeds: install  ## Storms of Calendly's deliveries: CALENDLY_SEEDS (20) of CALENDLY_EVENTS (1000) each
	@export CALENDLY_SEEDS=$${CALENDLY_SEEDS:-20} CALENDLY_EVENTS=$${CALENDLY_EVENTS:-1000}
	$(RUN) -m pytest -q -s tests/integration/integrations/test_calendly_storm.py

test-stripe-seeds: install  ## Random lives of subscribers, told badly: STRIPE_SEEDS (20; 200 at length) of STRIPE_STEPS (8)
	@export STRIPE_SEEDS=$${STRIPE_SEEDS:-20} STRIPE_STEPS=$${STRIPE_STEPS:-8}
	$(RUN) -m pytest -q -s tests/integration/payments/test_stripe_seeds.py

test-money-seeds: install  ## Random lives of payments, refunds and disputes, told badly: MONEY_SEEDS (20) of MONEY_STEPS (10)
	@export MONEY_SEEDS=$${MONEY_SEEDS:-20} MONEY_STEPS=$${MONEY_STEPS:-10}
	$(RUN) -m pytest -q -s tests/integration/payments/test_money_seeds.py

test-stripe-deaths: install  ## A death at every point of everything that we ask of Stripe
	@STRIPE_DEATHS=all $(RUN) -m pytest -q -s tests/integration/payments/test_stripe_crashes.py tests/integration/payments/test_giving_back_deaths.py

test-invoicing: install  ## The monthly job on INVOICE_SESSIONS (10000) sessions, killed INVOICE_KILLS (20) times
	@export INVOICE_SESSIONS=$${INVOICE_SESSIONS:-10000} INVOICE_KILLS=$${INVOICE_KILLS:-20}
	$(RUN) -m pytest -q -s tests/integration/payments/test_session_invoice_crashes.py

test-template: .venv/.stamp build  ## template.yaml against the code, and what it becomes
	@$(RUN) -m pytest -q --noconftest tests/contract/test_template*.py

.PHONY: mails
mails: .venv/.stamp  ## Write the e-mail of every type into .mails, to be looked at
	@$(RUN) scripts/mails.py .mails && echo .mails/index.html

bench-slots: .venv/.stamp  ## Time the slot engine: 60 days, 15-minute steps, 200 busy intervals
	@$(RUN) -m tests.bench.bench_slots

bench-webhooks: install  ## Time a webhook: WEBHOOKS (5000) with 50 in flight, then RATES a second for SECONDS (60); what each part computes
	@WEBHOOK_P99_MS=$${WEBHOOK_P99_MS:-300} $(RUN) -m tests.bench.bench_webhooks

bench-stripe: install  ## Time the sweep of STRIPE_SUBSCRIPTIONS (5000,10000,20000) and the day's snapshot
	@$(RUN) -m tests.bench.bench_stripe

bench-growth: install  ## Time events that are looked at for achievements: GROWTH_EVENTS (200000), GROWTH_BATCH (1000)
	@$(RUN) -m tests.bench.bench_growth

bench-invoicing: install  ## Time the monthly job on INVOICE_SESSIONS (500,1000,2000,10000) sessions on account
	@$(RUN) -m tests.bench.bench_invoicing

bench-files: install  ## Time files of members: MEMBERS (100000) out, IMPORT_ROWS (20000) in; memory of each function
	@$(RUN) -m tests.bench.bench_member_files

bench-scale: install  ## Time slots and directory among SCALE_COACHES (5000) and SCALE_SESSIONS (1000000)
	@$(RUN) -m tests.bench.bench_scale

bench-members: install  ## Time the reports on MEMBERS (20,000) members, with the plan of the duplicates
	@$(RUN) -m tests.bench.bench_members

bench-admin: install  ## Time the lists of ADMINs among USERS (20,000), with their plans
	@$(RUN) -m tests.bench.bench_admin

bench-cold: install .aws-sam/.runnable .venv-bench/.stamp  ## Time cold starts, beside a bare handler and FastAPI + supabase + stripe
	@$(RUN) -m tests.bench.bench_cold

bench-warm: install .aws-sam/.runnable  ## Time five routes, beside the bare database call of each; memory, size of the layer
	@$(RUN) -m tests.bench.bench_warm

.PHONY: check lint types validate build openapi openapi-check roles member-docs format
check: lint types validate openapi-check test-template  ## Style, types, template, build, OpenAPI

lint: .venv/.stamp
	@$(STEP) 'ruff check' .venv/bin/ruff check .
	$(STEP) 'ruff format' .venv/bin/ruff format --check .

types: .venv/.stamp
	@$(STEP) 'mypy --strict' .venv/bin/mypy

validate: .venv-sam/.stamp
	@$(STEP) 'sam validate --lint' .venv-sam/bin/sam validate --lint

build: .venv-sam/.stamp  ## What is deployed, in .aws-sam/build (ARCH=x86_64: to measure on such a machine)
	@python=$$($(MAKE) -s -C layers/shared python)
	export PATH="$${python%/*}:$$PATH"
	$(STEP) 'sam build, $(ARCH)' .venv-sam/bin/sam build --build-dir $(BUILD) --cache-dir .aws-sam/cache-$(ARCH)
	echo "  shared layer: $$(du -sm --apparent-size $(BUILD)/SharedLayer | cut -f1) MB unzipped"

openapi: .venv/.stamp  ## Write docs/openapi.json from the functions
	@$(RUN) scripts/openapi.py

openapi-check: .venv/.stamp
	@$(STEP) 'docs/openapi.json valid, current' $(RUN) scripts/openapi.py --check

roles: .venv/.stamp  ## Write the table of who may call what into docs/roles.md
	@$(RUN) scripts/roles_docs.py

member-docs: .venv/.stamp  ## Write the tables of docs/member-data.md from the rule table
	@$(RUN) scripts/member_docs.py

format: .venv/.stamp  ## Put the code into shape
	@.venv/bin/ruff check -q --fix .; .venv/bin/ruff format -q .

# ---- Ship it

.PHONY: deploy clean
deploy: build  ## Deploy to STAGE=dev, staging or prod, as samconfig.toml says
	@[ "$(ARCH)" = arm64 ] || { echo 'Only the arm64 build is deployed.' >&2; exit 2; }
	exec .venv-sam/bin/sam deploy --config-env $(STAGE)

clean:  ## Remove builds and caches; installed packages and the local stack's data stay
	@rm -rf .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -not -path './node_modules/*' -prune -exec rm -rf {} +

# ---- What it needs: installed again only when the locked lists change

.venv/.stamp: requirements-dev.txt pyproject.toml
	@python=$$(scripts/find-python)
	scripts/check-folder 600
	[ -x .venv/bin/pip ] || $(STEP) 'Python environment' "$$python" -m venv --clear .venv
	$(STEP) 'Python packages' .venv/bin/pip install -q -r requirements-dev.txt
	$(STEP) 'coachline, editable' .venv/bin/pip install -q --no-deps -e .
	touch $@

node_modules/.stamp: package.json package-lock.json .npmrc
	@scripts/check-node
	scripts/check-folder 400
	$(STEP) 'Postgres, PostgREST, Prisma' npm ci --no-progress --loglevel=error
	touch $@

.venv-sam/.stamp: requirements-sam.txt
	@python=$$(scripts/find-python)
	scripts/check-folder 600
	[ -x .venv-sam/bin/pip ] || $(STEP) 'SAM environment' "$$python" -m venv --clear .venv-sam
	$(STEP) 'SAM CLI' .venv-sam/bin/pip install -q -r requirements-sam.txt
	touch $@

# The functions built for this machine, and what Lambda's python3.13 has of its own.
# Without Python 3.13 there is nothing to build them with: tests/runtime says so and is skipped, except in CI.
.aws-sam/.runnable: tests/runtime/requirements.txt $(shell find functions layers/shared template.yaml -type f -not -name '*.pyc')
	@if ! $(MAKE) -s -C layers/shared python >/dev/null 2>&1; then
	  echo '  Functions as they are deployed    skipped: they are built and run by Python 3.13, which is not here'
	  exit 0
	fi
	$(MAKE) .aws-sam/runtime/.stamp
	$(MAKE) build ARCH=$(HERE)
	touch $@

.aws-sam/runtime/.stamp: tests/runtime/requirements.txt
	@python=$$($(MAKE) -s -C layers/shared python)
	rm -rf $(@D)
	$(STEP) "Lambda's runtime" "$$python" -m pip install -q --no-deps --only-binary=:all: --target $(@D) -r $<
	touch $@

# A folder that the benchmark's peer is packed with, as a layer would be: compiled, and never part of the project.
.venv-bench/.stamp: requirements-bench.txt
	@python=$$($(MAKE) -s -C layers/shared python)
	rm -rf $(@D)
	$(STEP) "The peer's packages" "$$python" -m pip install -q --no-deps --only-binary=:all: --target $(@D)/python -r $<
	$(STEP) "The peer's bytecode" "$$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash $(@D)/python
	touch $@

.ONESHELL:
.NOTPARALLEL:
.DELETE_ON_ERROR:
