# Drover. See README.md; `make help` lists the targets.
#
#   make            drover, droverctl and the simulators, in $(B)
#   make check      lint, unit tests and end-to-end tests with what is installed
#   make unit e2e   the unit tests, the end-to-end tests
#   make asan       the same programs with AddressSanitizer and UBSan, in build/asan
#   make lint       the rules of the house that a program can check
#   make seeds      every parser over tests/fuzz/seeds, under AddressSanitizer
#   make bench      the benchmarks (tests/bench)
#   make install    DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc; uninstall takes it away again
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
B ?= build
# One name for a folder of this tree, however it was called: what was built is known by its name.
override B := $(patsubst $(CURDIR)/%,%,$(abspath $(B)))
CC ?= gcc
PKGS = openssl libplist-2.0 libmariadb jansson libcurl inih libarchive libqrencode
TEST_PKGS = cmocka
VERSION := $(shell sed -n '1s/^Drover \([^ ]*\).*/\1/p' CHANGES 2>/dev/null)

OPT ?= -O2
WARN = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
       -Wformat=2 -Wundef -Wpointer-arith
HARDEN ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE \
          -fcf-protection
HARDEN_LD ?= -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
CPPFLAGS += -Ifcgi -D_GNU_SOURCE
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS := $(shell pkg-config --libs $(PKGS)) -lfcgi -lpthread
CFLAGS_ALL = -std=c11 -g $(OPT) $(WARN) $(HARDEN) $(SAN) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(HARDEN_LD) $(SAN) $(LDFLAGS)

LIB_SRC := $(sort $(wildcard fcgi/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o) $(B)/obj/fcgi/command/catalogue_data.o
SIM_SRC := $(sort $(wildcard tests/sim/*.c))
# A simulator is tests/sim/NAME.c with its own main; helpers it shares start with "lib".
SIM_LIB := $(filter tests/sim/lib%,$(SIM_SRC))
SIM_BIN := $(patsubst tests/sim/%.c,$(B)/%,$(filter-out $(SIM_LIB),$(SIM_SRC)))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_LIB := $(filter tests/bench/lib%,$(BENCH_SRC))
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(filter-out $(BENCH_LIB),$(BENCH_SRC)))
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: FORCE all check lint seeds unit e2e asan bench install uninstall clean help units
all: $(B)/drover $(B)/droverctl $(SIM_BIN)

# Thin: it names the objects, where they are. A map of the linker then tells them apart by folder.
$(B)/libdrover.a: $(LIB_OBJ) Makefile
	@rm -f $@
	ar rcsT $@ $(LIB_OBJ)

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

# What knows its version and its folders, and nothing else: it is compiled again when these change, as
# by make install PREFIX=/usr after make.
TOLD = fcgi/main fcgi/ctl fcgi/ctl/schema fcgi/ctl/status fcgi/base/conf fcgi/doctor/signer \
       fcgi/proc/signer fcgi/proc/signer_ops fcgi/api/version fcgi/wire/https \
       tests/unit/test_signer tests/unit/test_https
$(TOLD:%=$(B)/obj/%.o): CPPFLAGS += -DDROVER_VERSION='"$(VERSION)"' -DDROVER_PREFIX='"$(PREFIX)"' \
  -DDROVER_SYSCONFDIR='"$(SYSCONFDIR)"'
$(TOLD:%=$(B)/obj/%.o): $(B)/gen/told
$(B)/gen/told: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(PREFIX) $(SYSCONFDIR)' | cmp -s - $@ || echo '$(VERSION) $(PREFIX) $(SYSCONFDIR)' >$@

# What is tested is built as it is shipped; the test itself need not be quick, but be there soon.
$(B)/obj/tests/unit/%.o: OPT = -O0
$(B)/obj/tests/unit/%.o: HARDEN = -fPIE

# The tables of the command catalogue are made from its text.
$(B)/gen/catalogue_data.c: fcgi/command/catalogue.txt scripts/catalogue
	@mkdir -p $(@D)
	LC_ALL=C awk -f scripts/catalogue fcgi/command/catalogue.txt >$@.new
	mv $@.new $@
$(B)/obj/fcgi/command/catalogue_data.o: $(B)/gen/catalogue_data.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The description of the API is assembled into the program.
$(B)/obj/fcgi/api/openapi.o: fcgi/api/openapi.json
# So are the types of payloads.
$(B)/obj/fcgi/library/payloads.o: fcgi/library/payloads.txt
$(B)/obj/fcgi/library/forms.o: fcgi/library/forms.txt

# The tests of pushes prepare their site with the latter.
units: $(UNIT_BIN) $(B)/bench/pushprep

lint:
	scripts/lint

# Every parser over its seeds, under AddressSanitizer.
seeds:
	scripts/fuzz --replay

# An hour on two processors; all of them run, and missed targets are told at the end. BENCH_ARGS=--quick
# only sees that everything works.
bench: all $(BENCH_BIN)
	BUILD=$(abspath $(B)) tests/bench/run $(BENCH_ARGS)

asan:
	$(MAKE) B=build/asan OPT='-O1 -fno-omit-frame-pointer' HARDEN=-fPIE \
	  SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' all units

# scripts/test counts and says what failed; with --no-install it installs nothing.
check:
	BUILD=$(abspath $(B)) scripts/test --no-install
unit e2e:
	BUILD=$(abspath $(B)) scripts/test --no-install --only $@

# --- installing ---
# Configuration is installed as examples, under SHARE: nothing of /etc is overwritten.
SBIN = $(DESTDIR)$(PREFIX)/sbin
BIN = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share/drover
MAN = $(DESTDIR)$(PREFIX)/share/man
DOC = $(DESTDIR)$(PREFIX)/share/doc/drover
# What stands in the configuration files of the web servers until their owner edits it.
ETC_WORDS = -e 's|@WEB_ETC@|$(SYSCONFDIR)/drover/web|g' -e 's|@DEVICE_LISTEN@|0.0.0.0:443|g' \
  -e 's|@DEVICE_HTTP_LISTEN@|127.0.0.1:8080|g' -e 's|@CONSOLE_LISTEN@|0.0.0.0:8443|g' \
  -e 's|@DEVICE_HOST@|mdm.example.org|g' -e 's|@CONSOLE_HOST@|mdm.example.org|g' \
  -e 's|@TLS_CERT@|$(SYSCONFDIR)/drover/tls/fullchain.pem|g' \
  -e 's|@TLS_KEY@|$(SYSCONFDIR)/drover/tls/privkey.pem|g' \
  -e 's|@CA_BUNDLE@|/var/lib/drover/device-ca.pem|g' -e 's|@RUN_DIR@|/run/drover|g' \
  -e 's|@ASSET_DIR@|/var/lib/drover/public|g' -e 's|@EMPTY_DIR@|$(PREFIX)/share/drover/htdocs|g' -e 's|@LOG_DIR@|/var/log/drover-web|g' \
  -e 's|@BIN_DIR@|$(PREFIX)/sbin|g' -e 's|@DROVER_CONF@|$(SYSCONFDIR)/drover/drover.conf|g'
# Manual pages and plain examples name the folders of the default.
TEXT_WORDS = -e 's|/usr/local/|$(PREFIX)/|g' -e 's|/etc/drover|$(SYSCONFDIR)/drover|g'
ETC_IN := $(shell cd scripts/etc && find . -name '*.in' | sed 's|^\./||' | sort)
ETC_PLAIN := $(shell cd scripts/etc && find . -type f ! -name '*.in' | sed 's|^\./||' | sort)

install: all
	install -d $(SBIN) $(BIN) $(SHARE)/sql $(SHARE)/templates $(SHARE)/htdocs $(SHARE)/sim \
	  $(MAN)/man1 $(MAN)/man5 $(MAN)/man8 $(DOC)
	install $(B)/drover $(B)/droverctl $(SBIN)
	install $(SIM_BIN) $(BIN)
	install tests/sim/apns-start $(SHARE)/sim
	install -m 644 tests/sim/apns-lighttpd.conf.in $(SHARE)/sim
	set -e; for f in tests/sim/*.1 fcgi/man/*.[58]; do \
	  sed $(TEXT_WORDS) $$f | install -m 644 /dev/stdin $(MAN)/man$${f##*.}/$${f##*/}; done
	install -m 644 README.md INSTALL CHANGES LICENSE $(DOC)
	cp -R sql/. $(SHARE)/sql
	test ! -d templates || cp -R templates/. $(SHARE)/templates
	test ! -d htdocs || cp -R htdocs/. $(SHARE)/htdocs
	chmod -R a+rX $(SHARE)/sql $(SHARE)/templates $(SHARE)/htdocs
	set -e; for f in $(ETC_IN); do install -d $(SHARE)/etc/$$(dirname $$f); \
	  sed $(ETC_WORDS) scripts/etc/$$f | install -m 644 /dev/stdin $(SHARE)/etc/$${f%.in}; done
	set -e; for f in $(ETC_PLAIN); do install -d $(SHARE)/etc/$$(dirname $$f); \
	  sed $(TEXT_WORDS) scripts/etc/$$f | install -m 644 /dev/stdin $(SHARE)/etc/$$f; done

uninstall:
	rm -f $(SBIN)/drover $(SBIN)/droverctl $(SIM_BIN:$(B)/%=$(BIN)/%)
	rm -f $(patsubst tests/sim/%,$(MAN)/man1/%,$(wildcard tests/sim/*.1)) \
	  $(patsubst fcgi/man/%,$(MAN)/man5/%,$(wildcard fcgi/man/*.5)) \
	  $(patsubst fcgi/man/%,$(MAN)/man8/%,$(wildcard fcgi/man/*.8))
	rm -rf $(SHARE) $(DOC)

clean:
	rm -rf $(B)

help:
	@sed -n 's/^#   //p' Makefile

.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
