# SPDX-License-Identifier: BSD-3-Clause
# A thin front: meson and ninja build, the scripts in tools/ do the rest.
#
#   make             build everything: the programs, their man pages, the unit tests
#   make programs    build only build/vswd, build/vsw, build/vsw-nic and build/vsw-bench
#   sudo make run    install what is missing, build, and show VMs talking (KEEP=1 leaves them)
#   sudo make check  everything CI checks, in less than half an hour
#   make check-all   the same with long fuzzing and long tests;  make bench  compare with others
#   sudo make bench-backends  the same guest by e1000, virtio-net, vhost-net and vhost-user
#   make lint format install deps clean

BUILD ?= build
PYTHON ?= /usr/bin/python3

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

programs: $(BUILD)/build.ninja
	@ninja -C $(BUILD) programs

$(BUILD)/build.ninja:
	@tools/deps --check build
	meson setup $(BUILD)

deps:
	@tools/deps build run check

run:
	@tools/deps build run
	@$(MAKE) --no-print-directory programs
	@VSW_BUILD=$(BUILD) KEEP=$(KEEP) $(PYTHON) tools/demo

check:
	@tools/deps build run check
	@tools/check

check-all:
	@tools/deps build run check
	@VSW_LONG=1 tools/check

bench:
	@tools/deps build run bench
	@$(MAKE) --no-print-directory all
	@VSW_BUILD=$(BUILD) $(PYTHON) bench/bench

# A guest by four back-ends, in a machine within this one: some minutes.
bench-backends:
	@tools/deps build run check
	@$(MAKE) --no-print-directory all
	@VSW_BUILD=$(BUILD) $(PYTHON) bench/backends

lint:
	@tools/lint

format:
	@find src -name '*.[ch]' -exec clang-format -i {} +

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf build build-*

.PHONY: all programs deps run check check-all bench bench-backends lint format install clean
