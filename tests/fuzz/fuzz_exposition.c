/*
 * Any bytes as a metrics text: names and values handed out are well-formed, and what is counted
 * of them is finite, ordered, and never less than nothing. Who remembers what the texts look like
 * counts the same.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/signal/counts.h"
#include "tidegate/signal/exposition.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_sample(void *arg, const struct exposition_sample *s)
{
	size_t *budget = arg;
	size_t used = strlen(s->name);

	require(*s->name && s->nlabels <= EXPOSITION_LABELS_MAX);
	for (unsigned i = 0; i < s->nlabels; i++) {
		const char *value = exposition_label(s, s->labels[i].name);

		require(*s->labels[i].name && value);
		used += strlen(s->labels[i].name) + strlen(s->labels[i].value);
	}
	/* nothing is handed out twice: all of it stood in the text */
	require(used <= *budget);
	*budget -= used;
}

static void check_counts(const struct counts *c)
{
	require(isfinite(c->requests) && c->requests >= 0);
	require(isfinite(c->errors) && c->errors >= 0 && c->errors <= c->requests);
	require(c->nbuckets <= COUNTS_BUCKETS_MAX);
	for (unsigned i = 0; i < c->nbuckets; i++) {
		require(!isnan(c->bounds[i]) && isfinite(c->buckets[i]) && c->buckets[i] >= 0);
		require(i == 0 || c->bounds[i - 1] < c->bounds[i]);
	}
}

/* The two halves of the text are two readings of one pod. */
static void check_increment(const struct preset *p, const char *text, size_t size)
{
	struct counts before, now, grown;

	if (counts_read(p, "m", text, size / 2, &before, NULL) ||
	    counts_read(p, "m", text + size / 2, size - size / 2, &now, NULL))
		return;
	check_counts(&before);
	check_counts(&now);
	if (counts_increment(&before, &now, &grown))
		check_counts(&grown);
}

/* The halves one after the other, and each once more. */
static void check_reader(const struct preset *p, const char *text, size_t size)
{
	struct counts_reader *r = counts_reader_new(p, "m");
	struct counts alone, known;

	for (unsigned i = 0; i < 4; i++) {
		const char *part = text + (i / 2) * (size / 2);
		size_t n = size / 2;
		int rc = counts_read(p, "m", part, n, &alone, NULL);

		require(counts_reader_read(r, part, n, &known, NULL) == rc);
		require(rc || !memcmp(&alone, &known, sizeof(alone)));
	}
	counts_reader_free(r);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char *const ok[] = {"OK", NULL};
	static const struct preset presets[] = {
		{.requests_metric = "r",
	         .error_label = "s",
	         .ok_values = ok,
	         .latency_metric = "l",
	         .latency_unit = 1e-6},
		{.requests_metric = "r", .errors_metric = "e", .errors_apart = true},
		{.requests_metric = "r",
	         .errors_metric = "e",
	         .latency_metric = "r",
	         .latency_unit = 1},
	};
	const char *text = (const char *)data;
	struct err err = ERR_INIT;
	size_t budget = size;

	if (exposition_parse(text, size, check_sample, &budget, &err))
		require(err.msg[0] && err.class == ERR_PROTOCOL);
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
		check_increment(&presets[i], text, size);
		check_reader(&presets[i], text, size);
	}
	return 0;
}
