# Drover. See README.md; `make help` lists the targets.
#
#   make            drover, droverctl and the simulators, in $(B)
#   make check      lint, unit tests and end-to-end tests with what is installed
#   make asan       the same programs with AddressSanitizer and UBSan, in build/asan
#   make lint       the rules of the house that a program can check
#   make seeds      every parser over tests/fuzz/seeds, under AddressSanitizer
#   make bench      the benchmarks (tests/bench)
#   make install    DESTDIR= PREFIX=/usr/local
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
B ?= build
CC ?= gcc
PKGS = openssl libplist-2.0 libmariadb jansson libcurl inih
TEST_PKGS = cmocka
VERSION := $(shell sed -n '1s/^Drover \([^ ]*\).*/\1/p' CHANGES 2>/dev/null)

OPT ?= -O2
WARN = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
       -Wformat=2 -Wundef -Wpointer-arith
HARDEN ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE \
          -fcf-protection
HARDEN_LD ?= -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
CPPFLAGS += -Ifcgi -D_GNU_SOURCE -DDROVER_VERSION='"$(VERSION)"' -DDROVER_PREFIX='"$(PREFIX)"' \
            -DDROVER_SYSCONFDIR='"$(SYSCONFDIR)"'
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS := $(shell pkg-config --libs $(PKGS)) -lfcgi -lpthread
CFLAGS_ALL = -std=c11 -g $(OPT) $(WARN) $(HARDEN) $(SAN) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(HARDEN_LD) $(SAN) $(LDFLAGS)

LIB_SRC := $(sort $(wildcard fcgi/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
SIM_SRC := $(sort $(wildcard tests/sim/*.c))
# A simulator is tests/sim/NAME.c with its own main; helpers it shares start with "lib".
SIM_LIB := $(filter tests/sim/lib%,$(SIM_SRC))
SIM_BIN := $(patsubst tests/sim/%.c,$(B)/%,$(filter-out $(SIM_LIB),$(SIM_SRC)))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_LIB := $(filter tests/bench/lib%,$(BENCH_SRC))
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(filter-out $(BENCH_LIB),$(BENCH_SRC)))
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: all check lint seeds unit e2e asan bench install clean help units
all: $(B)/drover $(B)/droverctl $(SIM_BIN)

$(B)/libdrover.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $(LIB_OBJ)

$(B)/drover: $(B)/obj/fcgi/main.o $(B)/libdrover.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(B)/droverctl: $(B)/obj/fcgi/ctl.o $(B)/libdrover.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(SIM_BIN): $(B)/%: $(B)/obj/tests/sim/%.o $(SIM_LIB:%.c=$(B)/obj/%.o) $(B)/libdrover.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(BENCH_BIN): $(B)/bench/%: $(B)/obj/tests/bench/%.o $(BENCH_LIB:%.c=$(B)/obj/%.o) $(B)/libdrover.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(UNIT_BIN): $(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/libdrover.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) $$(pkg-config --libs $(TEST_PKGS))

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The description of the API is assembled into the program.
$(B)/obj/fcgi/api/openapi.o: fcgi/api/openapi.json

units: $(UNIT_BIN)

lint:
	scripts/lint

# Every parser over its seeds, under AddressSanitizer.
seeds:
	scripts/fuzz --replay

asan:
	$(MAKE) B=build/asan OPT='-O1 -fno-omit-frame-pointer' HARDEN=-fPIE \
	  SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' all units

clean:
	rm -rf build

help:
	@sed -n 's/^#   //p' Makefile

.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
