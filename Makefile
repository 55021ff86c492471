# vectorext: `make help` lists the targets.
#
# The targets that need no PostgreSQL (help, demo, check-all, check-long, check-clients, unit, lint, bench-kernels) work before pg_config exists;
# everything else is PGXS.

PG_CONFIG ?= pg_config
EXT_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" vectorext.control)
VECTOR_VERSION := $(shell sed -n "s/^\# default_version under the name vector = '\(.*\)'/\1/p" vectorext.control)

.DEFAULT_GOAL := all

help:
	@echo "make                 build vectorext.so (one library, picks its kernels at run time)"
	@echo "make install         install the extension into the server that PG_CONFIG names"
	@echo "make install-as-vector    the same, and under the name vector, in pgvector's place (FORCE=1 sets its files aside)"
	@echo "make uninstall-as-vector  takes the name away again"
	@echo "make deb             Debian packages of it, into build/deb"
	@echo "make dist            a zip for PGXN, into build/dist"
	@echo "make demo            packages, build, throw-away cluster, real vectors, searches (./demo/run)"
	@echo "make check-all       every test, on throw-away clusters (./test/run)"
	@echo "make check-long      hours: crashes under load, assertions, sanitizers, a soak, fuzzers, valgrind, other servers (./test/long)"
	@echo "make check-clients   client libraries of other languages against the extension under the name vector (test/clients/run)"
	@echo "make installcheck    pg_regress against a running server"
	@echo "make unit            unit tests of the parts that do not need PostgreSQL"
	@echo "make unit SANITIZE=1 the same under ASan and UBSan"
	@echo "make unit-arm64      the same for arm64, run by qemu-user; make unit-32bit: for 32-bit x86"
	@echo "make bench-kernels   ns and GB/s of every kernel and instruction set (DIM=384)"
	@echo "make lint            layers, symbols, tests listed"
	@echo "variables            PG_CONFIG=/path/to/pg_config  CXX=clang++-14  WERROR=1"

demo:
	./demo/run

check-all:
	./test/run

# Hours: test/long says of what.
check-long:
	./test/long

check-clients:
	./test/clients/run

lint:
	@for l in test/lint/*.sh; do echo "# $$l"; $$l || exit 1; done

# ---- unit tests: plain executables, no server, no PostgreSQL header -----------------------------
UNIT_CXX ?= $(if $(filter default,$(origin CXX)),g++,$(CXX))
UNIT_FLAGS = -std=c++20 -O2 -g -Wall -Wextra -Werror -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-strict-aliasing -Isrc -MMD -MP $(UNIT_EXTRA)
ifdef SANITIZE
UNIT_DIR ?= build/unit-sanitize
UNIT_EXTRA += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
UNIT_DIR ?= build/unit
UNIT_LIB_SRC := $(wildcard src/base/*.cpp src/simd/*.cpp src/codec/*.cpp)
UNIT_LIB_OBJ := $(UNIT_LIB_SRC:%.cpp=$(UNIT_DIR)/%.o)
UNIT_TESTS := $(patsubst test/unit/%.cpp,$(UNIT_DIR)/%,$(wildcard test/unit/*.cpp))

# Memory of contexts has no destructors, so the tests leave theirs to the end of the process.
unit: $(UNIT_TESTS)
	@set -e; export UBSAN_OPTIONS=halt_on_error=1 ASAN_OPTIONS=detect_leaks=0; for t in $(UNIT_TESTS); do $(UNIT_RUN) $$t; done

# The same for machines that this one is not; a cross compiler does not look into /usr/include, where xsimd is.
CROSS_INCLUDE = build/cross-include
$(CROSS_INCLUDE)/xsimd:
	@mkdir -p $(@D)
	ln -sfn /usr/include/xsimd $@

unit-arm64: $(CROSS_INCLUDE)/xsimd
	@$(MAKE) --no-print-directory unit UNIT_DIR=build/unit-arm64 HOST_CPU=aarch64 UNIT_CXX='$(CCACHE) aarch64-linux-gnu-g++' \
		UNIT_EXTRA='-isystem $(CROSS_INCLUDE)' UNIT_RUN='qemu-aarch64 -L /usr/aarch64-linux-gnu'

unit-32bit:
	@$(MAKE) --no-print-directory unit UNIT_DIR=build/unit-32bit HOST_CPU=i686 UNIT_CXX='$(CCACHE) g++-12' UNIT_EXTRA='-m32 -msse2 -mfpmath=sse -idirafter /usr/include/x86_64-linux-gnu'

$(UNIT_DIR)/%.o: %.cpp
	@mkdir -p $(@D)
	$(UNIT_CXX) $(UNIT_FLAGS) $(SIMD_FLAGS_$(notdir $*)) -c -o $@ $<

$(UNIT_TESTS): $(UNIT_DIR)/%: $(UNIT_DIR)/test/unit/%.o $(UNIT_LIB_OBJ)
	$(UNIT_CXX) $(UNIT_FLAGS) -o $@ $^

# ---- the kernels' speed, per instruction set ------------------------------------------------------
DIM ?= 384
bench-kernels:
	@$(MAKE) --no-print-directory UNIT_DIR=build/bench UNIT_EXTRA=-O3 build/bench/kernels
	build/bench/kernels $(DIM)

$(UNIT_DIR)/kernels: $(UNIT_DIR)/bench/kernels.o $(patsubst %.cpp,$(UNIT_DIR)/%.o,$(wildcard src/simd/*.cpp))
	$(UNIT_CXX) $(UNIT_FLAGS) -o $@ $^

-include $(wildcard $(UNIT_DIR)/*/*.d $(UNIT_DIR)/*/*/*.d)

# ---- instruction sets: the flags of each kernel file, 1:1 with the tests in src/simd/dispatch.cpp -
# -ffp-contract=off everywhere: what is fused is written as such (src/simd/kernels-inl.h).
HOST_CPU := $(shell uname -m)
SIMD_FLAGS_kernels_scalar = -ffp-contract=off -fno-tree-vectorize -fno-tree-slp-vectorize
SIMD_FLAGS_kernels_baseline = -ffp-contract=off
ifeq ($(HOST_CPU),x86_64)
SIMD_FLAGS_kernels_avx2 = -ffp-contract=off -mavx2 -mfma -mf16c -mpopcnt
SIMD_FLAGS_kernels_avx512 = -ffp-contract=off -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mf16c -mpopcnt
SIMD_FLAGS_kernels_vnni = $(SIMD_FLAGS_kernels_avx512) -mavx512vnni
endif

DIST_DIR = build/dist
dist:
	docs/packaging/dist '$(DIST_DIR)'

.PHONY: help demo check-all check-clients check-long lint unit unit-arm64 unit-32bit bench-kernels dist

# ---- the extension: PGXS --------------------------------------------------------------------------
ifneq ($(filter-out help demo check-all check-clients check-long lint unit unit-arm64 unit-32bit bench-kernels dist build/%,$(or $(MAKECMDGOALS),all)),)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) or the server's headers not found: install them (Debian: apt-get install postgresql-server-dev-15 make g++ libxsimd-dev), name another with PG_CONFIG=/path/to/pg_config, or run ./demo/run, which installs what is missing)
endif

EXTENSION = vectorext
MODULE_big = vectorext
OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/*.cpp src/*/*.cpp)))
DATA_built = sql/vectorext--$(EXT_VERSION).sql
EXTRA_CLEAN = build $(OBJS:.o=.d) sql/vectorext--$(EXT_VERSION).sql results regression.diffs regression.out tmp_check

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=vectorext
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

override with_llvm = no   # the bitcode rule ignores PG_CXXFLAGS, and inlining C++ by LLVM is not wanted
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS = -std=c++20 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-math-errno -Wextra \
	-fno-semantic-interposition -Wno-missing-field-initializers -Wshadow=compatible-local -MMD -MP $(if $(WERROR),-Werror)
# The server's flags are those of the compiler that built it: gcc's, on Debian.
ifneq (,$(findstring clang,$(CXX)))
PG_CXXFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif
SHLIB_LINK = -lstdc++ -Wl,--as-needed -Wl,--version-script=src/exports.map

include $(PGXS)

# Debian builds server modules for size and debug alike; kernels and the graph want -O3 inlining.
# Under sanitizers compilers take minutes for that.
override CXXFLAGS += $(if $(findstring -fsanitize,$(CXXFLAGS)),-O1,-O3)
# A flag that newer compilers leave in the server's record, and g++ 12 does not know; it concerns x87 only.
override CXXFLAGS := $(filter-out -fexcess-precision=standard,$(CXXFLAGS))
$(foreach k,scalar baseline avx2 avx512 vnni,$(eval src/simd/kernels_$(k).o: override CXXFLAGS += $$(SIMD_FLAGS_kernels_$(k))))

sql/vectorext--$(EXT_VERSION).sql: sql/vectorext.sql sql/attributes.awk vectorext.control
	{ cat $< && awk -f sql/attributes.awk; } > $@.tmp && mv $@.tmp $@

# ---- the same extension under the name vector -------------------------------------------------------
AS_VECTOR = build/as_vector
AS_VECTOR_SOURCES = sql/as_vector/script.awk sql/as_vector/objects sql/vectorext--$(EXT_VERSION).sql
PGVECTOR_VERSIONS := $(shell sed -n 's/^versions //p' sql/as_vector/objects)
# pgvector 0.8 has all that our way back expects
RETURN_VERSIONS := $(filter 0.8.%,$(PGVECTOR_VERSIONS))
AS_VECTOR_BUILT = $(AS_VECTOR)/vector.control $(AS_VECTOR)/vector--$(VECTOR_VERSION).sql \
	$(PGVECTOR_VERSIONS:%=$(AS_VECTOR)/vector--%--$(VECTOR_VERSION).sql) \
	$(RETURN_VERSIONS:%=$(AS_VECTOR)/vector--$(VECTOR_VERSION)--%.sql)
make_script = @mkdir -p $(@D) && awk $(1) -f $(AS_VECTOR_SOURCES) > $@.tmp && mv $@.tmp $@

$(AS_VECTOR)/vector.control: vectorext.control Makefile
	@mkdir -p $(@D)
	{ echo "# vectorext under the name vector"; sed -e '/^#/d' -e "s/^default_version = .*/default_version = '$(VECTOR_VERSION)'/" \
		-e 's,libdir/vectorext,libdir/vector,' vectorext.control; } > $@

$(AS_VECTOR)/vector--$(VECTOR_VERSION).sql: $(AS_VECTOR_SOURCES)
	$(call make_script,-v make=install)

$(AS_VECTOR)/vector--%--$(VECTOR_VERSION).sql: $(AS_VECTOR_SOURCES)
	$(call make_script,-v make=update -v pgvector=$*)

$(RETURN_VERSIONS:%=$(AS_VECTOR)/vector--$(VECTOR_VERSION)--%.sql): $(AS_VECTOR)/vector--$(VECTOR_VERSION)--%.sql: $(AS_VECTOR_SOURCES)
	$(call make_script,-v make=return -v pgvector=$*)

as-vector: $(AS_VECTOR_BUILT)

install-as-vector: install as-vector
	sql/as_vector/files.sh install '$(DESTDIR)$(pkglibdir)' '$(DESTDIR)$(datadir)/extension' $(AS_VECTOR) $(FORCE)

uninstall-as-vector:
	sql/as_vector/files.sh uninstall '$(DESTDIR)$(pkglibdir)' '$(DESTDIR)$(datadir)/extension'

# ---- the same library with injected errors, for test/t/064_faults.pl ------------------------------
FAULT_DOORS = $(shell sed -n '/^DOOR\|^STEP/s/^[^,]*, \([A-Za-z_0-9]*\),.*/\1/p' test/faults/faults.cpp)
build/faults/vectorext.so: test/faults/faults.cpp $(OBJS)
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(CFLAGS_SL) -shared -o $@ $^ $(FAULT_DOORS:%=-Wl,--wrap=%) $(SHLIB_LINK)

faults: build/faults/vectorext.so

# tests install them into servers of their own
installcheck: as-vector faults

DEB_DIR = build/deb
deb: all as-vector
	docs/packaging/deb '$(DEB_DIR)' '$(PG_CONFIG)'

.PHONY: as-vector faults install-as-vector uninstall-as-vector deb

-include $(OBJS:.o=.d)
endif
