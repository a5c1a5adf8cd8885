/*
 * Any text as observations, line by line, into both judges of counts: what is taken is bounded, and
 * whatever came, the results are numbers within their bounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../controller/cli/score_line.h"
#include "tidegate/judge/thresholds.h"

#define LINES_MAX 64

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_sample(const struct sequential_sample *x)
{
	require(isfinite(x->t) && x->errors >= 0 && x->requests >= x->errors);
	require(x->nbuckets <= JUDGE_BUCKETS_MAX && x->stratum && x->pod);
	for (unsigned i = 1; i < x->nbuckets; i++)
		require(x->bounds[i] > x->bounds[i - 1] && x->counts[i] >= x->counts[i - 1]);
}

static void check_result(const struct sequential_result *r)
{
	require(r->nmetrics <= JUDGE_METRICS && r->score >= 0 && r->score <= 100);
	for (unsigned i = 0; i < r->nmetrics; i++) {
		require(r->metrics[i].score >= 0 && r->metrics[i].score <= 100);
		require(!isnan(r->metrics[i].log_evidence));
	}
}

static void check_all(struct sequential *s, struct thresholds *t, double now)
{
	struct sequential_result r;

	sequential_advance(s, now);
	sequential_result(s, now, &r);
	check_result(&r);
	thresholds_advance(t, now);
	thresholds_result(t, &r);
	check_result(&r);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size;
	struct sequential_options o;
	struct thresholds_rule rule;
	struct thresholds t;
	struct sequential *s;
	struct score_line line;
	struct arena a;
	double now = 0;

	sequential_options_default(&o);
	s = sequential_new(&o);
	thresholds_rule_default(&rule);
	rule.max_latency_s = 0.1;
	thresholds_init(&t, &rule);
	arena_init(&a, 0);
	for (unsigned i = 0; i < LINES_MAX && text < end; i++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);
		struct err err = ERR_INIT;

		arena_reset(&a);
		if (score_line_read(text, n, &a, &line, &err)) {
			require(err.msg[0]);
		} else {
			check_sample(&line.sample);
			sequential_observe(s, &line.sample);
			thresholds_observe(&t, &line.sample);
			now = line.sample.t;
		}
		text += n + 1;
	}
	check_all(s, &t, now);
	sequential_free(s);
	arena_release(&a);
	return 0;
}
