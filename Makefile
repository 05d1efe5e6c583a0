# Synnefo. `make up` starts a cloud on this machine, `make test` proves it; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.SILENT:
# Without compiled modules each of the many processes of a cloud or a test run compiles its own: seconds every time.
unexport PYTHONDONTWRITEBYTECODE

PROFILE ?= embedded
GANETI ?=
HYPERVISOR ?=
# One service (S=compute) or any path (T=tests/story); more words for pytest in ARGS.
S ?=
T ?=
ARGS ?=
M ?= changes
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$(( n > 4 ? 4 : n )))

PY := .venv/bin/python
LOCAL := $(PY) -m synnefo_local
ENV := .venv/.made
PROJECTS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml deploy/local/pyproject.toml)
SERVICES := identity compute network image volume object dispatcher
FOLDER_OF = $(if $(filter dispatcher,$(1)),services/ganeti-dispatcher,services/$(1))
CHOSEN := $(or $(T),$(if $(S),$(call FOLDER_OF,$(S))))
CODE := libs services deploy tests $(wildcard tools)
PACKAGES := $(notdir $(wildcard libs/*/synnefo_* services/*/synnefo_* deploy/local/synnefo_*))
TESTS := $(wildcard libs/*/tests services/*/tests deploy/local/tests) tests
# Unit tests leave nothing that should outlive them: where memory serves as a disk they need not wait for a real one.
IN_MEMORY = room=$$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1); if [ "$${room:-0}" -gt 2000000 ]; then export TMPDIR=/dev/shm; fi;
PYTEST := $(PY) -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

.PHONY: kube-check image compose-up compose-roll compose-down compose-clean help up down demo status logs clean audit night test packages check unit story fuzz conformance bench lint fmt types imports migration openapi docs lock

##@ The cloud on this machine

up: $(ENV) ## start it (PROFILE=full GANETI=fake|real HYPERVISOR=fake|kvm; default embedded) and wait until it is ready
	$(LOCAL) up --profile $(PROFILE) $(if $(GANETI),--ganeti $(GANETI)) $(if $(HYPERVISOR),--hypervisor $(HYPERVISOR))

demo: $(ENV) ## walk the main job with the real openstack client, step by step
	$(LOCAL) demo

status: $(ENV) ## state of each process
	$(LOCAL) status

logs: $(ENV) ## the ends of the logs (S=compute for one, F=1 to follow)
	$(LOCAL) logs $(if $(F),-f) $(S)

audit: $(ENV) ## check the invariants of the running cloud
	source "$${SYNNEFO_STATE:-.synnefo}/openrc" && OS_CLOUD=admin synnefo audit

down: $(ENV) ## stop it; `make up` finds everything as it was
	$(LOCAL) down

clean: $(ENV) ## stop it and delete its state
	$(LOCAL) clean

##@ In containers

image: ## build the images (S=compute for one)
	deploy/build-images $(S)

compose-up: $(ENV) image ## the whole cloud by docker compose: built, started, seeded
	$(LOCAL) compose up

compose-roll: $(ENV) image ## replace its services one by one by new images while they serve (S=compute for one)
	$(LOCAL) compose roll $(if $(S),$(S) $(S)-worker)

compose-down: $(ENV) ## stop it; its volumes are kept (compose-clean deletes them)
	$(LOCAL) compose down

compose-clean: $(ENV)
	$(LOCAL) compose clean

kube-check: $(ENV) ## render and check the Kubernetes overlays (needs kubectl)
	$(PY) -m pytest -n0 -q tests/kubernetes

##@ Tests

test: $(ENV) packages ## the whole suite; on Debian as root it installs and starts the real parts
	$(PYTEST) $(CHOSEN)

check: lint types imports unit ## lint, types, import rules, unit and API tests

unit: $(ENV)
	$(IN_MEMORY) $(PYTEST) -q -m "not full and not slow" $(or $(CHOSEN),libs services deploy/local)

story: $(ENV) packages ## the main job by the real client, in each profile
	$(PY) -m pytest tests/story $(ARGS)

fuzz: $(ENV) ## every operation of every OpenAPI document with random input
	$(PYTEST) tests/fuzz

conformance: $(ENV) ## OpenStack's own API tests against an embedded cloud (SUITE=tempest|neutron|sdk|swift|s3, R=expression)
	$(PY) -m tests.conformance $(or $(SUITE),tempest) $(R)

bench: $(ENV) ## the benchmarks, against clouds of their own
	$(PY) -m tests.perf

night: $(ENV) packages ## the long storms, fuzz and simulation
	SYNNEFO_NIGHT=1 $(PYTEST) $(CHOSEN)

packages:
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  deploy/local/infra/install-packages && deploy/local/infra/install-packages qemu-system-x86 qemu-utils rclone prometheus nbdkit nbdkit-plugin-python \
	    libnbd-bin python3-libnbd openvswitch-switch ovn-central ovn-host iproute2 ethtool tcpdump iputils-ping netcat-openbsd udhcpc ndisc6 \
	    busybox-static cpio fdisk kmod mtools syslinux syslinux-common && \
	  { [ -x /usr/sbin/gnt-cluster ] || deploy/local/ganeti/ganeti-sandbox install >&2; }; \
	else echo "Not root on Debian: tests that need PostgreSQL, RabbitMQ, RADOS or Ganeti are skipped unless they are installed."; fi

##@ Code

lint: $(ENV) ## ruff
	$(PY) -m ruff check -q $(CODE)

fmt: $(ENV) ## put imports in order and mend what ruff can
	$(PY) -m ruff check -q --fix $(CODE)

types: $(ENV) ## mypy, strict
	$(PY) -m mypy $(addprefix -p ,$(PACKAGES) $(subst /,.,$(filter-out services/ganeti-dispatcher/%,$(TESTS))))
	$(PY) -m mypy services/ganeti-dispatcher/tests # no package name has a hyphen

imports: $(ENV) ## who may import whom
	.venv/bin/lint-imports

migration: $(ENV) ## a new database migration: make migration S=compute M="add a column"
	test -n "$(S)" || { echo 'usage: make migration S=compute M="add a column"'; exit 2; }
	SYNNEFO_ETC="$${SYNNEFO_STATE:-.synnefo}/etc" $(PY) -m synnefo_$(S) revision "$(M)"

openapi: $(ENV) ## write docs/api/*.json from the code
	mkdir -p docs/api
	for s in $(SERVICES); do SYNNEFO_ETC=/nonexistent $(PY) -m synnefo_$$s openapi >docs/api/$$s.json || exit 1; done

docs: openapi ## what of docs/ is made from the code
	$(PY) -m tests.observability.reference >docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md
	for r in settings policy events; do $(PY) -m tests.references $$r >docs/reference/$$r.new && mv docs/reference/$$r.new docs/reference/$$r.md || exit 1; done

lock: ## write requirements.lock anew (ARGS=--upgrade for newer versions)
	deploy/local/infra/make-lock $(ARGS)

##@

$(ENV): requirements.lock pyproject.toml $(PROJECTS)
	echo "Preparing the virtual environment" >&2
	deploy/local/infra/make-env

help: ## this list
	awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
