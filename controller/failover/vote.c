#include "tidegate/failover/vote.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define ENTRIES_MAX   (VOTE_MAX / 16)
#define COUNT_MAX     1000000
#define CLOSE_RESERVE 64 /* for the brackets and "more" */

/* --- encoding ---------------------------------------------------------------------------- */

static void write_sums(struct json_writer *w, const struct vote *v)
{
	jw_object(w, "sees");
	for (unsigned i = 0; i < v->nsums; i++) {
		jw_array(w, v->sums[i].zone);
		jw_i64(w, NULL, v->sums[i].pods);
		jw_i64(w, NULL, v->sums[i].shaky);
		jw_i64(w, NULL, v->sums[i].failing);
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void write_entry(struct json_writer *w, const struct vote_entry *e)
{
	jw_array(w, e->zone);
	jw_i64(w, NULL, e->pods);
	jw_i64(w, NULL, e->shaky);
	jw_i64(w, NULL, e->failing);
	jw_i64(w, NULL, e->ready);
	jw_i64(w, NULL, e->good_ms < 0 ? -1 : e->good_ms / 1000);
	if (e->served)
		jw_i64(w, NULL, e->served);
	jw_end_array(w);
}

/* Index behind the last entry of the model that stands at i. */
static unsigned model_end(const struct vote *v, unsigned i)
{
	unsigned end = i + 1;

	while (end < v->nentries && str_eq(v->entries[end].model, v->entries[i].model))
		end++;
	return end;
}

/* Upper bound of a model's text: quotes may double what a name takes, and six numbers. */
static size_t room_for(const struct vote *v, unsigned i, unsigned end)
{
	size_t n = strlen(v->entries[i].model) + 8;

	for (; i < end; i++)
		n += strlen(v->entries[i].zone) + 64;
	return n;
}

/* True when all found room. */
static bool write_models(struct json_writer *w, const struct vote *v)
{
	bool all = true;

	jw_object(w, "models");
	for (unsigned i = 0, end; i < v->nentries; i = end) {
		end = model_end(v, i);
		if (w->out->len + room_for(v, i, end) + CLOSE_RESERVE > VOTE_MAX) {
			all = false;
			continue;
		}
		jw_object(w, v->entries[i].model);
		for (; i < end; i++)
			write_entry(w, &v->entries[i]);
		jw_end_object(w);
	}
	jw_end_object(w);
	return all;
}

void vote_encode(const struct vote *v, struct buf *out)
{
	struct json_writer w;

	buf_reset(out);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "zone", str_or(v->zone, ""));
	if (v->blind)
		jw_bool(&w, "blind", true);
	write_sums(&w, v);
	if (!write_models(&w, v) || v->more)
		jw_bool(&w, "more", true);
	jw_end_object(&w);
	jw_end(&w);
}

/* --- decoding ---------------------------------------------------------------------------- */

/* The next number of a list; -1 marks what is missing or no count. */
static int next_count(const struct json **it)
{
	int64_t n = json_value_i64(*it, -1);

	*it = *it ? json_next(*it) : NULL;
	return n < 0 || n > COUNT_MAX ? -1 : (int)n;
}

static int read_sums(const struct json *sees, struct arena *a, struct vote *out, struct err *err)
{
	struct vote_sum *sums = arena_array(a, VOTE_ZONES_MAX, sizeof(*sums));
	const struct json *it, *n;

	json_for_each (it, sees) {
		struct vote_sum s = {.zone = json_key(it)};

		if (out->nsums == VOTE_ZONES_MAX)
			break;
		n = json_first(it);
		s.pods = next_count(&n);
		s.shaky = next_count(&n);
		s.failing = next_count(&n);
		if (s.pods < 0 || s.shaky < 0 || s.failing < 0)
			return err_set(err, ERR_INVALID, "sees.%.60s: three counts are wanted",
			               str_or(s.zone, ""));
		sums[out->nsums++] = s;
	}
	out->sums = sums;
	return 0;
}

static int read_entry(const struct json *list, const char *model, struct vote_entry *e,
                      struct err *err)
{
	const struct json *n = json_first(list);
	int64_t good_s;

	*e = (struct vote_entry){.model = model, .zone = json_key(list)};
	e->pods = next_count(&n);
	e->shaky = next_count(&n);
	e->failing = next_count(&n);
	e->ready = next_count(&n);
	good_s = json_value_i64(n, -2);
	if (e->pods < 0 || e->shaky < 0 || e->failing < 0 || e->ready < 0 || good_s < -1 ||
	    good_s > INT32_MAX)
		return err_set(err, ERR_INVALID,
		               "models.%.60s.%.60s: four counts and seconds are wanted", model,
		               str_or(e->zone, ""));
	e->good_ms = good_s < 0 ? -1 : good_s * 1000;
	n = json_next(n);
	e->served = n ? next_count(&n) : 0;
	return e->served < 0
	               ? err_set(err, ERR_INVALID, "models.%.60s.%.60s: what is served is no count",
	                         model, str_or(e->zone, ""))
	               : 0;
}

static unsigned count_entries(const struct json *models)
{
	const struct json *it;
	size_t n = 0;

	json_for_each (it, models)
		n += json_size(it);
	return n < ENTRIES_MAX ? (unsigned)n : ENTRIES_MAX;
}

static int by_model(const void *x, const void *y)
{
	const struct vote_entry *a = x, *b = y;
	int c = strcmp(a->model, b->model);

	return c ? c : strcmp(a->zone, b->zone);
}

static int read_models(const struct json *models, struct arena *a, struct vote *out,
                       struct err *err)
{
	unsigned max = count_entries(models);
	struct vote_entry *v = arena_array(a, max, sizeof(*v));
	const struct json *it, *zone;

	json_for_each (it, models)
		json_for_each (zone, it)
			if (out->nentries < max &&
			    read_entry(zone, str_or(json_key(it), ""), &v[out->nentries++], err))
				return -1;
	if (out->nentries)
		qsort(v, out->nentries, sizeof(*v), by_model);
	out->entries = v;
	return 0;
}

int vote_decode(const char *text, size_t len, struct arena *a, struct vote *out, struct err *err)
{
	const struct json *root;

	*out = (struct vote){.zone = ""};
	if (len > VOTE_MAX)
		return err_set(err, ERR_TOO_BIG, "a vote has more than %u bytes", VOTE_MAX);
	root = json_parse(a, text, len, err);
	if (!root)
		return -1;
	if (!json_is_object(root) || !json_is_object(json_get(root, "sees")))
		return err_set(err, ERR_INVALID, "a vote is an object with \"sees\"");
	out->zone = str_or(json_str(root, "zone"), "");
	out->blind = json_bool(root, "blind", false);
	out->more = json_bool(root, "more", false);
	if (read_sums(json_get(root, "sees"), a, out, err))
		return -1;
	return read_models(json_get(root, "models"), a, out, err);
}

/* --- looking up -------------------------------------------------------------------------- */

const struct vote_entry *vote_find(const struct vote *v, const char *model, const char *zone)
{
	struct vote_entry key = {.model = model, .zone = zone};

	return v->nentries ? bsearch(&key, v->entries, v->nentries, sizeof(key), by_model) : NULL;
}

static bool same_counts(const struct vote_entry *a, const struct vote_entry *b)
{
	return a->pods == b->pods && a->shaky == b->shaky && a->failing == b->failing &&
	       a->ready == b->ready && a->served == b->served &&
	       (a->good_ms < 0) == (b->good_ms < 0);
}

void vote_compare(const struct vote *a, const struct vote *b,
                  void (*fn)(void *arg, const char *model), void *arg)
{
	const char *told = NULL;
	unsigned i = 0, j = 0;

	while (i < a->nentries || j < b->nentries) {
		const struct vote_entry *x = i < a->nentries ? &a->entries[i] : NULL;
		const struct vote_entry *y = j < b->nentries ? &b->entries[j] : NULL;
		int c = !x ? 1 : !y ? -1 : by_model(x, y);
		const char *model = c <= 0 ? x->model : y->model;

		if ((c || !same_counts(x, y)) && !str_eq(told, model))
			fn(arg, told = model);
		i += c <= 0;
		j += c >= 0;
	}
}
