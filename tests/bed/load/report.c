#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#include "record.h"
#include "tally.h"

struct phase {
	char *name;
	int64_t from_ms;
	int64_t sent, answered, failed, retried;
	int64_t *latencies_us; /* of the answered ones */
	size_t capacity;
	struct tally versions, zones, errors; /* errors: text, or "HTTP 500" */
};

struct report {
	struct phase *phases; /* by from_ms; the first holds what came before any named one */
	size_t count;
};

static struct phase *add_phase(struct report *r, const char *name, int64_t from_ms)
{
	struct phase *p;

	r->phases = xreallocarray(r->phases, r->count + 1, sizeof(*r->phases));
	p = &r->phases[r->count++];
	*p = (struct phase){.name = xstrdup(name), .from_ms = from_ms};
	tally_init(&p->versions);
	tally_init(&p->zones);
	tally_init(&p->errors);
	return p;
}

struct report *report_new(void)
{
	struct report *r = xcalloc(1, sizeof(*r));

	add_phase(r, "all", INT64_MIN);
	return r;
}

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct phase *p = &r->phases[i];

		free(p->name);
		free(p->latencies_us);
		tally_release(&p->versions);
		tally_release(&p->zones);
		tally_release(&p->errors);
	}
	free(r->phases);
	free(r);
}

static int parse_phase(struct report *r, char *line, const char *path, unsigned number,
                       struct err *err)
{
	int64_t previous = r->phases[r->count - 1].from_ms, from_ms;
	char *name;

	line[strcspn(line, "\r\n")] = '\0';
	if (!line[0])
		return 0;
	name = strchr(line, ' ');
	if (name)
		*name++ = '\0';
	if (!name || !str_to_i64(line, &from_ms))
		return err_set(err, ERR_INVALID, "%s:%u: must be \"<wall ms> <name>\"", path,
		               number);
	if (from_ms < previous)
		return err_set(err, ERR_INVALID, "%s:%u: earlier than the line before", path,
		               number);
	add_phase(r, name, from_ms);
	return 0;
}

/* Calls fn for each line; fn returns -1 with *err set to stop. */
static int each_line(struct report *r, const char *path,
                     int (*fn)(struct report *r, char *line, const char *path, unsigned number,
                               struct err *err),
                     struct err *err)
{
	cleanup_file FILE *f = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	unsigned number = 0;

	if (!f)
		return err_set_errno(err, ERR_IO, errno, "%s", path);
	while (getline(&line, &size, f) > 0) {
		if (fn(r, line, path, ++number, err))
			return -1;
	}
	return 0;
}

int report_read_phases(struct report *r, const char *path, struct err *err)
{
	if (each_line(r, path, parse_phase, err))
		return -1;
	if (r->count > 1)
		xstr_replace(&r->phases[0].name, "before");
	return 0;
}

static struct phase *phase_at(struct report *r, int64_t t)
{
	size_t i = r->count - 1;

	while (i > 0 && r->phases[i].from_ms > t)
		i--;
	return &r->phases[i];
}

static void add_latency(struct phase *p, int64_t us)
{
	if ((size_t)p->answered == p->capacity) {
		p->capacity = p->capacity ? p->capacity * 2 : 1024;
		p->latencies_us =
			xreallocarray(p->latencies_us, p->capacity, sizeof(*p->latencies_us));
	}
	p->latencies_us[p->answered++] = us;
}

static void add_record(struct phase *p, const struct record *rec)
{
	char status[32];

	p->sent++;
	p->retried += rec->retried;
	if (record_answered(rec))
		add_latency(p, rec->latency_us);
	if (record_failed(rec)) {
		p->failed++;
		snprintf(status, sizeof(status), "HTTP %d", rec->status);
		tally_add(&p->errors, str_or(rec->error, status), 1);
	}
	if (rec->version)
		tally_add(&p->versions, rec->version, 1);
	if (rec->zone)
		tally_add(&p->zones, rec->zone, 1);
}

static int parse_record(struct report *r, char *line, const char *path, unsigned number,
                        struct err *err)
{
	cleanup_arena struct arena arena;
	size_t len = strlen(line);
	struct record rec;

	arena_init(&arena, 0);
	if (!len || line[len - 1] != '\n')
		return 0;
	if (record_parse(&rec, &arena, line, len, err))
		return err_wrap(err, "%s:%u", path, number);
	add_record(phase_at(r, rec.t), &rec);
	return 0;
}

int report_read(struct report *r, const char *path, struct err *err)
{
	return each_line(r, path, parse_record, err);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorted afterwards. */
static void sort_latencies(struct phase *p)
{
	if (p->answered)
		qsort(p->latencies_us, (size_t)p->answered, sizeof(*p->latencies_us), by_value);
}

/* Nearest rank of sorted latencies, per_mille of 500 = median. */
static int64_t percentile_us(const struct phase *p, int64_t per_mille)
{
	int64_t rank = (p->answered * per_mille + 999) / 1000;

	return p->answered ? p->latencies_us[rank > 0 ? rank - 1 : 0] : 0;
}

static void merge_tally(struct tally *to, const struct tally *from)
{
	size_t n;
	cleanup_free struct tally_entry *v = tally_sorted(from, &n);

	for (size_t i = 0; i < n; i++)
		tally_add(to, v[i].name, v[i].count);
}

/* Adds the last phase "total", which is the sum of the others. */
static struct phase *add_total(struct report *r)
{
	struct phase *total = add_phase(r, "total", INT64_MAX);

	for (size_t i = 0; i + 1 < r->count; i++) {
		const struct phase *p = &r->phases[i];

		total->sent += p->sent;
		total->failed += p->failed;
		total->retried += p->retried;
		for (int64_t k = 0; k < p->answered; k++)
			add_latency(total, p->latencies_us[k]);
		merge_tally(&total->versions, &p->versions);
		merge_tally(&total->zones, &p->zones);
		merge_tally(&total->errors, &p->errors);
	}
	return total;
}

/* A phase that was never named and got nothing is not shown. */
static bool shown(const struct report *r, size_t i)
{
	return i > 0 || r->count == 2 || r->phases[0].sent > 0;
}

static int write_row(struct phase *p, struct buf *out)
{
	size_t n;
	cleanup_free struct tally_entry *v = tally_sorted(&p->versions, &n);
	int rc;

	sort_latencies(p);
	rc = buf_addf(out, "%-24s %9ld %9ld %7ld %9.2f %9.2f  ", p->name, (long)p->sent,
	              (long)p->answered, (long)p->failed, (double)percentile_us(p, 500) / 1000.0,
	              (double)percentile_us(p, 990) / 1000.0);
	for (size_t i = 0; i < n; i++)
		rc |= buf_addf(out, "%s%s %.1f%%", i ? ", " : "", v[i].name,
		               100.0 * (double)v[i].count / (double)p->versions.total);
	rc |= buf_addstr(out, n ? "\n" : "-\n");
	return rc;
}

int report_write_table(struct report *r, struct buf *out)
{
	int rc;

	add_total(r);
	rc = buf_addf(out, "%-24s %9s %9s %7s %9s %9s  %s\n", "PHASE", "SENT", "ANSWERED", "FAILED",
	              "P50 MS", "P99 MS", "VERSIONS");
	for (size_t i = 0; i < r->count; i++) {
		/* One phase alone is its own total. */
		if (shown(r, i) && !(r->count == 2 && i == 0))
			rc |= write_row(&r->phases[i], out);
	}
	return rc ? -1 : 0;
}

static void write_tally(struct json_writer *w, const char *key, const struct tally *t)
{
	size_t n;
	cleanup_free struct tally_entry *v = tally_sorted(t, &n);

	jw_object(w, key);
	for (size_t i = 0; i < n; i++)
		jw_i64(w, v[i].name, v[i].count);
	jw_end_object(w);
}

static void write_phase(struct json_writer *w, const char *key, struct phase *p, bool timed)
{
	sort_latencies(p);
	jw_object(w, key);
	jw_str(w, "name", p->name);
	if (timed)
		jw_i64(w, "from", p->from_ms);
	jw_i64(w, "sent", p->sent);
	jw_i64(w, "answered", p->answered);
	jw_i64(w, "failed", p->failed);
	jw_i64(w, "retried", p->retried);
	jw_i64(w, "p50Us", percentile_us(p, 500));
	jw_i64(w, "p90Us", percentile_us(p, 900));
	jw_i64(w, "p99Us", percentile_us(p, 990));
	jw_i64(w, "maxUs", percentile_us(p, 1000));
	write_tally(w, "versions", &p->versions);
	write_tally(w, "zones", &p->zones);
	write_tally(w, "errors", &p->errors);
	jw_end_object(w);
}

int report_write_json(struct report *r, struct buf *out)
{
	struct json_writer w;

	add_total(r);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_array(&w, "phases");
	for (size_t i = 0; i + 1 < r->count; i++) {
		if (shown(r, i))
			write_phase(&w, NULL, &r->phases[i], i > 0);
	}
	jw_end_array(&w);
	write_phase(&w, "total", &r->phases[r->count - 1], false);
	jw_end_object(&w);
	return jw_end(&w) || buf_addch(out, '\n') ? -1 : 0;
}
