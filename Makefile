# routerd: what to build, check and measure. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BINARY  := bin/routerd
LAB     ?= deploy/labs/demo.toml deploy/labs/bfd.toml deploy/labs/bgp.toml deploy/labs/bgp-edge.toml deploy/labs/chain.toml deploy/labs/lan.toml deploy/labs/nat.toml deploy/labs/office.toml deploy/labs/ospf.toml deploy/labs/peers.toml deploy/labs/rip.toml deploy/labs/ring.toml
FUZZTIME ?= 10s
SOAKTIME ?= 20m
PAGETIME ?= 30m
REPEATTIME ?= 10m
PROPERTYTIME ?= 20s
SEED ?= 1
# Tools that are unpacked rather than installed: prometheus and promtool.
export PATH := $(CURDIR)/bin/tools:$(PATH)

# The linters live in a module of their own, so that go.mod lists only what
# the binary is made of.
TOOL := go tool -modfile=tools/go.mod

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/routerd, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/routerd

.PHONY: check
check: ## format, vet, staticcheck, and the rules of the house
	@unformatted=$$($(TOOL) gofumpt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofumpt would change (gofumpt -w mends it):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go -C tools vet ./...
	go -C tools test ./...
	$(TOOL) staticcheck ./...
	go test -count=1 ./internal/house

.PHONY: test
test: build ## every test, plain and with the race detector, from SEED (1; 0 = by chance); installs what they need where it can
	@tools/install.sh test
	@SEED=$(SEED) tools/test.sh

.PHONY: bench
bench: ## ns and allocations per packet, then routerd beside the kernel, bare copy loops and BIRD (root)
	@tools/install.sh test
	@tools/bench.sh

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s) each
	@tools/fuzz.sh $(FUZZTIME)

.PHONY: demo
demo: build ## a lab of network namespaces that proves forwarding, then cleans up (root)
	@tools/install.sh demo
	@tools/demo.sh $(BINARY) $(LAB)

.PHONY: soak
soak: ## one router for SOAKTIME (20m): traffic, devices that come and go, reloads; then the same as a fresh start, and flat (root)
	@tools/install.sh test
	@[ "$$(id -u)" = 0 ] || { echo "soak makes network namespaces, which takes root: sudo make soak" >&2; exit 1; }
	ROUTERD_SOAK=$(SOAKTIME) go test -count=1 -v -timeout 0 -run '^TestSoak$$' ./internal/daemon

.PHONY: screenshots
screenshots: build ## the pictures of the live page in the README, of the lab office.toml (root, Chromium)
	@tools/install.sh test
	@[ "$$(id -u)" = 0 ] || { echo "screenshots makes network namespaces, which takes root: sudo make screenshots" >&2; exit 1; }
	ROUTERD=$(CURDIR)/$(BINARY) ROUTERD_SCREENSHOTS=$(CURDIR)/docs go test -count=1 -v -run '^TestScreenshots$$' ./internal/web

.PHONY: soak-page
soak-page: ## the live page in Chromium for PAGETIME (30m), with events, cut links and every view again and again; its memory stays flat (root)
	@tools/install.sh test
	@[ "$$(id -u)" = 0 ] || { echo "soak-page makes network namespaces, which takes root: sudo make soak-page" >&2; exit 1; }
	ROUTERD_SOAK_PAGE=$(PAGETIME) go test -count=1 -v -timeout 0 -run '^TestPageStaysFlat$$' ./internal/web

.PHONY: repeat
repeat: build ## the tests again and again for REPEATTIME (10m), under the race detector, from random seeds
	@tools/install.sh test
	@tools/repeat.sh $(REPEATTIME)

.PHONY: properties
properties: ## every property test again and again from random seeds, for PROPERTYTIME (20s) each
	@tools/properties.sh $(PROPERTYTIME)

.PHONY: mutate
mutate: ## a million mutated frames and 18,000 payloads into each kind of live port, pings meanwhile (root)
	@[ "$$(id -u)" = 0 ] || { echo "mutate makes network namespaces, which takes root: sudo make mutate" >&2; exit 1; }
	ROUTERD_MUTATE=full go test -count=1 -v -timeout 60m -run '^TestMutatedFrames$$' ./internal/daemon

.PHONY: seeds
seeds: ## 1,000 random networks of RIP, of BGP and of OSPF routers, and one of 1,000 OSPF routers
	go test -count=1 -v -timeout 0 -run '^TestSeeds$$' ./internal/sim -seeds 1000
	go test -count=1 -v -timeout 0 -run '^TestBGPSeeds$$' ./internal/sim -seeds 1000
	go test -count=1 -v -timeout 0 -run '^TestOSPFSeeds$$' ./internal/sim -seeds 1000
	go test -count=1 -v -timeout 0 -run '^TestOSPFThousandRouters$$' ./internal/sim -large

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
