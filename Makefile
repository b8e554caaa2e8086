# srm: a sentence-level reward model inside PostgreSQL
#
#   make                     the extension
#   make install             into the server that pg_config belongs to
#   make unit                C unit tests of the engine, without a server
#   make sanitize            the same under address and undefined-behaviour sanitizers
#   make fuzz fuzz_run       the fuzzers, FUZZ_SECONDS each; needs clang
#   make valgrind            tests of what reads files, under valgrind
#   make storm               sessions that disturb each other, for STORM_MINUTES
#   make dist                a zip of what is committed, for PGXN
#   make installcheck        regression tests against a running server
#   make prove_installcheck  tests that start servers of their own

EXTENSION = srm
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" srm.control)

PG_CONFIG = pg_config

MODULE_big = srm
ENGINE_ROOMS = base jinja segment tokenizer files kernel nn model write reward sat score train
ENGINE_SOURCES = $(sort $(wildcard $(ENGINE_ROOMS:%=src/%/*.c) $(ENGINE_ROOMS:%=src/%/*/*.c)))
PG_SOURCES = $(sort $(wildcard src/pg/*.c src/pg/*/*.c))
ROOM_HEADERS = $(wildcard src/*/*.h src/*/*/*.h)
OBJS = $(PG_SOURCES:.c=.o) $(ENGINE_SOURCES:.c=.o)

DATA_built = sql/srm--$(EXTVERSION).sql
DATA = $(wildcard sql/srm--*.*.*--*.*.*.sql) sql/srm--0.1.0.sql
MODELS = $(wildcard models/*/config.json)

TESTS = $(sort $(wildcard test/sql/*.sql))
REGRESS = $(patsubst test/sql/%.sql,%,$(TESTS))
REGRESS_OPTS = --inputdir=test --load-extension=srm
EXTRA_CLEAN = build

# The server's headers as system headers: their warnings are not ours.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) $(shell pkg-config --cflags icu-i18n)
# Declarations stand where their first value is known.
PG_CFLAGS = -Wextra -Wno-declaration-after-statement
SHLIB_LINK = $(shell pkg-config --libs icu-i18n) -lpthread -ldl -lm
ifeq ($(shell uname -s),Linux)
SHLIB_LINK += -Wl,--version-script=srm.map
endif

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Loops over floats may be vectorised; errno and traps of the floating-point
# unit are not looked at.  Nothing that would change a result.
src/kernel/%.o src/nn/%.o src/reward/%.o src/train/decoder%.o src/train/tree%.o: override CFLAGS += -O3 -fno-math-errno -fno-trapping-math

$(OBJS): $(ROOM_HEADERS)

$(shlib): srm.map

sql/srm--$(EXTVERSION).sql: sql/srm.sql
	cp $< $@

# Models go where srm.model_path looks by default.
install: install-models
install-models:
	for config in $(MODELS); do \
		name=$$(basename $$(dirname $$config)); \
		$(MKDIR_P) "$(DESTDIR)$(datadir)/srm/models/$$name"; \
		for file in models/$$name/*; do \
			$(INSTALL_DATA) "$$file" "$(DESTDIR)$(datadir)/srm/models/$$name/$$(basename $$file).new" && \
			mv -f "$(DESTDIR)$(datadir)/srm/models/$$name/$$(basename $$file).new" \
				"$(DESTDIR)$(datadir)/srm/models/$$name/$$(basename $$file)" || exit 1; \
		done; \
	done
uninstall: uninstall-models
uninstall-models:
	for config in $(MODELS); do \
		rm -rf "$(DESTDIR)$(datadir)/srm/models/$$(basename $$(dirname $$config))"; \
	done
.PHONY: install-models uninstall-models

# The engine as a static library, for programs that run without a server

ENGINE_CC ?= $(CC)
ENGINE_CFLAGS = -std=gnu11 -g -O2 -Wall -Wextra -Wmissing-prototypes
ENGINE_CPPFLAGS = -D_GNU_SOURCE -Isrc $(shell pkg-config --cflags icu-i18n)
ENGINE_LIBS = $(shell pkg-config --libs icu-i18n) -lpthread -ldl -lm
BUILD = build
ENGINE_OBJS = $(ENGINE_SOURCES:%.c=$(BUILD)/%.o)
UNIT_TESTS = $(patsubst test/unit/%.c,$(BUILD)/%,$(sort $(wildcard test/unit/test_*.c)))
BENCHES = $(patsubst test/bench/%.c,$(BUILD)/%,$(sort $(wildcard test/bench/bench_*.c)))
FUZZERS = $(patsubst test/fuzz/%.c,$(BUILD)/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))

$(BUILD)/src/kernel/%.o $(BUILD)/src/nn/%.o $(BUILD)/src/reward/%.o $(BUILD)/src/train/decoder%.o $(BUILD)/src/train/tree%.o: ENGINE_CFLAGS += -O3 -fno-math-errno -fno-trapping-math

$(BUILD)/src/%.o: src/%.c $(ROOM_HEADERS)
	@mkdir -p $(@D)
	$(ENGINE_CC) $(ENGINE_CFLAGS) $(SANITIZE) $(ENGINE_CPPFLAGS) -c $< -o $@

$(BUILD)/libsrm.a: $(ENGINE_OBJS)
	rm -f $@ && $(AR) crs $@ $^

# Calls of the system that a test makes fail, by functions __wrap_NAME of its own
$(BUILD)/test_writer: WRAPPED = renameat2 renameat
$(BUILD)/test_checkpoint: WRAPPED = write fsync statvfs
$(BUILD)/test_segment_work: WRAPPED = srm_char_at srm_char_before srm_skip_space srm_strip_space memchr

$(BUILD)/test_%: test/unit/test_%.c $(wildcard test/*.h test/unit/*.h) $(BUILD)/libsrm.a
	$(ENGINE_CC) $(ENGINE_CFLAGS) $(SANITIZE) $(ENGINE_CPPFLAGS) $< $(WRAPPED:%=-Wl,--wrap=%) $(BUILD)/libsrm.a -lcmocka $(ENGINE_LIBS) -o $@

$(BUILD)/bench_%: test/bench/bench_%.c $(wildcard test/*.h) $(BUILD)/libsrm.a
	$(ENGINE_CC) $(ENGINE_CFLAGS) $(ENGINE_CPPFLAGS) $< $(BUILD)/libsrm.a $(ENGINE_LIBS) -o $@

$(BUILD)/fuzz_%: test/fuzz/fuzz_%.c $(wildcard test/fuzz/*.h) $(BUILD)/libsrm.a
	$(ENGINE_CC) $(ENGINE_CFLAGS) $(SANITIZE) -fsanitize=fuzzer $(ENGINE_CPPFLAGS) $< $(BUILD)/libsrm.a $(ENGINE_LIBS) -o $@

$(BUILD)/segment_text: tools/segment_text.c $(BUILD)/libsrm.a
	$(ENGINE_CC) $(ENGINE_CFLAGS) $(ENGINE_CPPFLAGS) $< $(BUILD)/libsrm.a $(ENGINE_LIBS) -o $@

engine: $(BUILD)/libsrm.a
bench: $(BENCHES)

# make fuzz builds the fuzzers and their seeds; make fuzz_run_NAME, or make fuzz_run for
# all of them, runs what is in test/fuzz/fuzz_NAME.c for FUZZ_SECONDS.
FUZZ_CC ?= $(firstword $(notdir $(foreach name,clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14,$(shell command -v $(name)))))
FUZZ_SECONDS ?= 60
FUZZ_ENV = ASAN_OPTIONS=allocator_may_return_null=1
FUZZ_FLAGS ?= -timeout=20 -rss_limit_mb=4096 -verbosity=0
FUZZ_NAMES = $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
fuzz:
	@test -n "$(FUZZ_CC)" || { echo "the fuzzers need clang: make FUZZ_CC=..."; exit 1; }
	$(MAKE) BUILD=build/fuzz ENGINE_CC=$(FUZZ_CC) SANITIZE='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all' fuzzers
	sh test/fuzz/corpus.sh build/fuzz/corpus
fuzzers: $(FUZZERS)
fuzz_run: $(FUZZ_NAMES:%=fuzz_run_%)
fuzz_run_%: fuzz
	@mkdir -p build/fuzz/found/fuzz_$* build/fuzz/corpus/fuzz_$*
	$(FUZZ_ENV) build/fuzz/fuzz_$* $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/ \
		build/fuzz/found/fuzz_$* build/fuzz/corpus/fuzz_$*

# What passes, their reuse and training promise about bits holds for each set of kernels; a set
# that the processor does not have is the one it chooses.
KERNEL_SETS = portable openblas avx2 avx_vnni avx512 avx512_vnni avx512_bf16
unit: $(UNIT_TESTS)
	@failed=0; for test in $(UNIT_TESTS); do \
		echo "# $$(basename $$test)"; $$test || failed=1; done; \
	for set in $(KERNEL_SETS); do for test in decoder decoder_texts reuse backward calibration; do \
		echo "# test_$$test, kernels $$set"; \
		SRM_KERNELS=$$set $(BUILD)/test_$$test || failed=1; done; done; \
	echo "# test_kernels, which looks that the environment chooses nothing"; \
	SRM_KERNELS=portable $(BUILD)/test_kernels || failed=1; exit $$failed

sanitize:
	$(MAKE) BUILD=build/sanitize SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' unit

# Those tests that read files, under valgrind, which knows no AVX-512: slow.
VALGRIND = valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite
VALGRIND_TESTS = base json model bad_heads heads prepared prepared_tokenizer verify quantize copy writer template tokenizer_image
valgrind: $(VALGRIND_TESTS:%=$(BUILD)/test_%)
	@failed=0; for test in $^; do \
		echo "# $$(basename $$test)"; SRM_KERNELS=portable $(VALGRIND) $$test || failed=1; done; exit $$failed

.PHONY: engine bench fuzz fuzzers fuzz_run unit sanitize valgrind

# What is committed, as PGXN takes it.
DIST = srm-$(EXTVERSION)
dist:
	sh test/check_versions.sh
	git archive --format=zip --prefix=$(DIST)/ -o $(DIST).zip HEAD
.PHONY: dist

# Servers of tests score with the tiny model, which is not installed.
TEST_SETTINGS = $(CURDIR)/$(BUILD)/test.conf
$(TEST_SETTINGS):
	@mkdir -p $(@D)
	printf "srm.model_path = '%s'\nsrm.model = 'tiny'\n" '$$system:$(CURDIR)/test/data/models' >$@
TEST_ENVIRONMENT = TESTDIR='$(CURDIR)' TEMP_CONFIG='$(TEST_SETTINGS)' PATH="$(bindir):$$PATH" PGPORT='6$(DEF_PGPORT)' \
	PG_REGRESS='$(top_builddir)/src/test/regress/pg_regress'

prove_installcheck: $(TEST_SETTINGS)
	rm -rf $(CURDIR)/tmp_check
	cd $(srcdir) && $(TEST_ENVIRONMENT) \
		$(PROVE) $(PG_PROVE_FLAGS) $(PROVE_FLAGS) $(if $(PROVE_TESTS),$(PROVE_TESTS),test/t/*.pl)
# Sessions that disturb each other for STORM_MINUTES; starts a server of its own.
storm: $(TEST_SETTINGS)
	rm -rf $(CURDIR)/tmp_check
	cd $(srcdir) && $(TEST_ENVIRONMENT) \
		$(PERL) -I $(top_srcdir)/src/test/perl/ -I $(srcdir) test/storm.pl
.PHONY: prove_installcheck storm
