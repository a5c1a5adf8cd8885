# Tidegate. `make` builds build/tidegate, `make demo` shows it, `make test` proves it.
# Everything a target needs is installed by the target `deps`.

BUILD     ?= build
CC        ?= gcc
SAN       ?=
# Lowest layer first; a module may include only what stands before it (tests/tools/layers.sh).
comma     := ,
MODULES   := base net kube api rollout judge failover schedule signal traffic reconcile sim serve cli
PROCESSORS = $(shell nproc)
LIBS      := -lcurl -lyaml -lssl -lcrypto -lev -lz -lm

VERSION   := $(shell cat VERSION 2>/dev/null || echo 0.1.0)
WARN      := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
             -Wpointer-arith -Wwrite-strings -Werror
HARDEN    := -fstack-protector-strong -fPIE -fno-strict-aliasing -ffp-contract=off
ifeq ($(SAN),1)
OPT       := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDOPT     := -fsanitize=address,undefined
else
OPT       := -O2 -g -D_FORTIFY_SOURCE=2
LDOPT     := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections
HARDEN    += -ffunction-sections -fdata-sections
endif
CFLAGS    := -std=gnu17 $(OPT) $(HARDEN) $(WARN) -MMD -MP -Iinclude -D_GNU_SOURCE \
             -DTIDEGATE_VERSION='"$(VERSION)"' $(CFLAGS_EXTRA)

src       = $(wildcard controller/$(1)/*.c)
obj       = $(patsubst %.c,$(BUILD)/obj/%.o,$(call src,$(1)))
# The libraries that module $(1) may use, itself first (link order: highest layer first).
upto      = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(call upto,$(1),$(wordlist 2,99,$(2))))
reverse   = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
archives  = $(patsubst %,$(BUILD)/lib/%.a,$(call reverse,$(call upto,$(1),$(MODULES))))

BINARY    := $(BUILD)/tidegate
BED       := $(patsubst tests/bed/%/main.c,$(BUILD)/bed/%,$(wildcard tests/bed/*/main.c))

# V=1 shows the commands.
ifeq ($(V),)
Q         := @
say       = @printf '  %-6s %s\n' $(1) $(2)
endif

.PHONY: all bed clean
all: $(BINARY)
bed: $(BED)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

define module_rules
$(BUILD)/lib/$(1).a: $(call obj,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))

# It holds the CRDs, which the compiler does not name as prerequisites.
$(BUILD)/obj/controller/api/crd.o: $(wildcard crds/*.yaml)

$(BINARY): $(BUILD)/obj/controller/main.o $(call archives,$(lastword $(MODULES)))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) -o $@ $^ $(LIBS)

# A program of the test bed is a folder under tests/bed; it may use every layer up to api.
define bed_rules
$(BUILD)/bed/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/bed/$(1)/*.c)) $(call archives,api)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) -o $$@ $$^ $(LIBS)
endef
$(foreach b,$(notdir $(BED)),$(eval $(call bed_rules,$(b))))

# Simulated releases: SEEDS of them, from seed FROM on.
SEEDS     ?= 200
FROM      ?= 1
.PHONY: sim
sim: $(BUILD)/sim
	@sh tests/sim/run.sh $(BUILD)/sim $(FROM) $(SEEDS)
$(BUILD)/sim: $(BUILD)/obj/tests/sim/main.o $(call archives,sim)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) -o $@ $^ $(LIBS)

# Drawn manifests and worlds, through the command line: SEEDS of them, from FROM on.
.PHONY: sim-worlds
sim-worlds: $(BINARY)
	@python3 tests/sim/worlds.py $(BINARY) $(FROM) $(SEEDS)

# Guards of the operator that are taken away one by one, and what the simulator says of each.
GUARDS    := plan_verified plan_zone_out plan_pods mdep_order_is_due \
             observe_counts lease_new lease_may_write barrier_passed rv_cmp schedule_assume \
             plan_lend
.PHONY: sim-planted
sim-planted: $(BUILD)/sim-planted
	@sh tests/sim/planted.sh $<
$(BUILD)/sim-planted: $(BUILD)/obj/tests/sim/planted.o $(call archives,sim)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) $(patsubst %,-Wl$(comma)--wrap=%,$(GUARDS)) -o $@ $^ $(LIBS)

# --- tests -----------------------------------------------------------------------------------
# tests/unit/<module>/test_*.c, each a cmocka program linked with its module and the layers below.
unit_bins = $(patsubst tests/unit/$(1)/%.c,$(BUILD)/unit/$(1)/%,$(wildcard tests/unit/$(1)/test_*.c))
define unit_rules
$(BUILD)/unit/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $(call archives,$(1))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) -o $$@ $$^ -lcmocka $(LIBS)
.PHONY: unit-$(1)
unit-$(1): $(call unit_bins,$(1))
	@sh tests/unit/run.sh $$^
endef
$(foreach m,$(MODULES),$(eval $(call unit_rules,$(m))))
.PHONY: unit unit-bins
unit-bins: $(foreach m,$(MODULES),$(call unit_bins,$(m)))
unit: unit-bins
	@sh tests/unit/run.sh $(foreach m,$(MODULES),$(call unit_bins,$(m)))
.SECONDARY:

# --- the two commands ------------------------------------------------------------------------
.PHONY: deps demo test test-mesh test-ingress bench tidy format format-check layers sanitize
# Packages: apt as root or with sudo, else the one line to run.
deps:
	@bash tests/bed/bed.sh deps build bed

demo: deps
	@$(MAKE) -s -j$(PROCESSORS) all bed
	@bash tests/bed/demo.sh $(if $(KEEP),--keep) $(if $(KUBELETS),--kubelets)

test:
	@bash tests/bed/bed.sh deps build bed develop
	@$(MAKE) -s -j$(PROCESSORS) all bed
	@bash tests/run.sh

# Releases behind istiod and Envoy, whose build is too long for every run of the CI.
test-mesh: deps
	@$(MAKE) -s -j$(PROCESSORS) all bed
	@bash tests/run.sh mesh

# Releases behind ingress-nginx, for the same reason.
test-ingress: deps
	@$(MAKE) -s -j$(PROCESSORS) all bed
	@bash tests/run.sh ingress

bench: deps
	@$(MAKE) -s -j$(PROCESSORS) all bed
	@bash tests/bench/run.sh

# A dark zone, beside stock Kubernetes; RUNS=5 for fewer outages than 30.
.PHONY: bench-failover
bench-failover: deps
	@$(MAKE) -s -j$(PROCESSORS) all bed
	@bash tests/bench/failover.sh

# The judges side by side on simulated streams; a few minutes.
.PHONY: bench-judge
bench-judge: $(BUILD)/bench/judge
	$(Q)$<
$(BUILD)/bench/judge: $(BUILD)/obj/tests/bench/judge.o $(call archives,judge)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) -o $@ $^ $(LIBS)

# What scraping 1,000 pods every 5 s costs, and probing 5,000 every second; half a minute each.
.PHONY: bench-scrape bench-probe
bench-scrape bench-probe: bench-%: $(BUILD)/bench/%
	$(Q)$<
$(BUILD)/bench/scrape $(BUILD)/bench/probe: $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o \
		$(BUILD)/obj/tests/bench/pods.o $(call archives,signal)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDOPT) -o $@ $^ $(LIBS)

# 1,000 models lose a zone, on a virtual clock; a minute or two.
.PHONY: bench-group
bench-group: $(BUILD)/unit/sim/test_group
	$(Q)$< 1000

# --- for developers --------------------------------------------------------------------------
SOURCES   = $(shell git ls-files '*.c' '*.h')
layers:
	@sh tests/tools/layers.sh
	@sh tests/tools/banned.sh

format:
	clang-format -i $(SOURCES)

format-check:
	clang-format --dry-run --Werror $(SOURCES)

# A file at a time, so that `make -j` uses all processors.
TIDY      = $(patsubst %,tidy-%,$(wildcard controller/*.c controller/*/*.c))
.PHONY: $(TIDY)
tidy: $(TIDY)
$(TIDY): tidy-%:
	@sh tests/tools/tidy.sh $* -std=gnu17 -D_GNU_SOURCE -Iinclude -DTIDEGATE_VERSION='"$(VERSION)"'

sanitize:
	@$(MAKE) -s unit SAN=1 BUILD=$(BUILD)-san

# tests/fuzz/fuzz_X.c, FUZZ_SECONDS each, from tests/fuzz/corpus/X on where there is one (libFuzzer:
# clang and its runtime).
FUZZ_SECONDS ?= 60
FUZZERS   = $(patsubst tests/fuzz/%.c,$(BUILD)-fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz
fuzz:
	@bash tests/bed/bed.sh deps build develop
	@$(MAKE) -s $(FUZZERS)
	@for f in $(FUZZERS); do echo "$$f"; mkdir -p $$f.corpus; \
		$$f $$f.corpus $$(ls -d tests/fuzz/corpus/$${f##*/fuzz_} 2>/dev/null) -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 || exit 1; done

$(BUILD)-fuzz/%: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)clang -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-Iinclude -D_GNU_SOURCE -DTIDEGATE_VERSION='"$(VERSION)"' -o $@ $< \
		$(foreach m,base net kube signal,$(filter-out controller/signal/scrape.c \
			controller/signal/model_probe.c controller/signal/prometheus.c,$(call src,$(m)))) $(call src,api) \
		$(call src,judge) controller/cli/score_line.c $(LIBS)

clean:
	rm -rf $(BUILD) $(BUILD)-san $(BUILD)-fuzz

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
