# The commands of this repository. Each installs what it needs first (scripts/setup: quick when nothing is missing) and
# compiles with the compiler that scripts/cargo chooses. What they make stays under target/.

# For `make run`, `make bench`, `make fuzz` and `make hil`: passed on to the program.
ARGS ?=
# For `make cross` and `make image`: release for a box, ci or dev for a quick look.
PROFILE ?= release

.DEFAULT_GOAL := help
.PHONY: help setup run test bench fuzz check audit cross keys image hil clean readme

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## a simulated vessel, its gateway and a shore; ARGS="--for 30s" stops by itself
	@scripts/setup build run
	@scripts/cargo run --locked -- demo $(ARGS)

test: ## every test
	@scripts/setup build test
	@scripts/cargo test --locked

bench: ## the benchmarks, in release
	@scripts/setup build run
	@scripts/cargo bench --locked -- $(ARGS)

fuzz: ## any bytes into every decoder; ARGS="--seconds 60 nmea0183" is one of them, for a minute
	@scripts/setup build fuzz
	@scripts/fuzz $(ARGS)

check: ## formatting, lints, documentation, shell scripts
	@scripts/setup build lint
	@scripts/check

audit: ## licences, sources and security advisories of the dependencies
	@scripts/setup build lint
	@scripts/audit

cross: ## the binary for aarch64; PROFILE=ci is quicker to build
	@scripts/setup build cross
	@scripts/cross build $(PROFILE)

keys: ## once: the keys that sign updates, in HAWSER_KEYS or ~/.config/hawser/keys; never overwritten
	@scripts/setup image
	@scripts/image keys

image: ## the OS image for aarch64 with EFI: disk image, signed update bundle, SBOM; ARGS="--delta-from OLD.raucb"
	@scripts/setup build image
	@scripts/image build --profile $(PROFILE) $(ARGS)

hil: ## boots what `make image` built and proves it, hil/README.md; ARGS="-k modbus" is one test of it
	@scripts/setup build image hil
	@scripts/cargo build --locked
	@scripts/hil $(ARGS)

readme: ## run the commands that README.md tells people to run
	@scripts/setup build run test lint cross
	@scripts/check-readme

setup: ## install everything that any of these needs
	@scripts/setup build run test lint cross fuzz image hil

clean: ## remove target/ (built files, the state of `make run`)
	@rm -rf target
