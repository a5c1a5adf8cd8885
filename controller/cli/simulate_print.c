/* What `tidegate simulate` prints: JSON lines, or a table for people at 80 columns. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "simulate.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define LINE_MAX_BYTES (64u << 10)
#define SUMMARY_MAX    (1u << 20)
#define COLUMNS        80
#define REASON_AT      31 /* column at which reasons begin */

/* --- JSON ---------------------------------------------------------------------------------- */

static void put_seconds(struct json_writer *w, const char *key, int64_t ms)
{
	if (ms < 0)
		jw_null(w, key);
	else
		jw_double(w, key, (double)ms / 1000);
}

static void json_decision(const struct script_decision *d)
{
	cleanup_buf struct buf b;
	struct json_writer w;

	buf_init(&b, LINE_MAX_BYTES);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	put_seconds(&w, "t", d->t_ms);
	jw_str(&w, "object", d->object);
	jw_str(&w, "decision", d->decision);
	jw_str(&w, "reason", d->reason);
	jw_end_object(&w);
	if (jw_end(&w) == 0)
		puts(b.data);
}

static void json_model(struct json_writer *w, const struct script_model *m)
{
	jw_i64(w, "requests", (int64_t)m->requests);
	jw_i64(w, "failed", (int64_t)(m->errors + m->dark + m->release));
	jw_i64(w, "lostByRelease", (int64_t)m->release);
	jw_i64(w, "lostInDark", (int64_t)m->dark);
	jw_i64(w, "errorAnswers", (int64_t)m->errors);
	put_seconds(w, "rollbackStartedAt", m->rollback_ms);
	put_seconds(w, "rolledBackAt", m->rolled_back_ms);
	put_seconds(w, "promotedAt", m->promoted_ms);
	if (m->min_ready < 0)
		jw_null(w, "minReady");
	else
		jw_i64(w, "minReady", m->min_ready);
	jw_i64(w, "maxPods", m->max_pods);
}

static void json_outages(struct json_writer *w, const struct script_summary *s)
{
	put_seconds(w, "trafficRTO", s->traffic_rto_ms);
	put_seconds(w, "capacityRTO", s->capacity_rto_ms);
	jw_array(w, "outages");
	for (unsigned i = 0; i < s->noutages; i++) {
		jw_object(w, NULL);
		jw_str(w, "zone", s->outages[i].zone);
		put_seconds(w, "at", s->outages[i].at_ms);
		put_seconds(w, "trafficRTO", s->outages[i].traffic_ms);
		put_seconds(w, "capacityRTO", s->outages[i].capacity_ms);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void json_summary(const struct script_summary *s)
{
	cleanup_buf struct buf b;
	struct json_writer w;

	buf_init(&b, SUMMARY_MAX);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	jw_object(&w, "summary");
	json_model(&w, &s->all);
	json_outages(&w, s);
	put_seconds(&w, "simulatedSeconds", s->simulated_ms);
	jw_array(&w, "models");
	for (unsigned i = 0; i < s->nmodels; i++) {
		jw_object(&w, NULL);
		jw_str(&w, "name", s->models[i].name);
		json_model(&w, &s->models[i]);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	if (jw_end(&w) == 0)
		puts(b.data);
}

/* --- table --------------------------------------------------------------------------------- */

/* "1:02:03.4" */
static const char *clock_text(int64_t ms, char *out, size_t size)
{
	snprintf(out, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64 ".%" PRId64, ms / 3600000,
	         ms / 60000 % 60, ms / 1000 % 60, ms / 100 % 10);
	return out;
}

/* Breaks at blanks; a word that is longer than a line is not broken. */
static void print_wrapped(const char *text, int column)
{
	int at = column;

	while (*text) {
		int n = (int)strcspn(text, " ");

		if (at > REASON_AT && at + 1 + n > COLUMNS) {
			printf("\n%*s", REASON_AT, "");
			at = REASON_AT;
		}
		at += printf("%s%.*s", at > REASON_AT ? " " : "", n, text);
		text += n + strspn(text + n, " ");
	}
	putchar('\n');
}

/* Pods' ways to their nodes are left to -o json: there are many, and they say little. */
static void table_decision(const struct script_decision *d)
{
	const char *slash = strrchr(d->object, '/'), *name = slash ? slash + 1 : d->object;
	char t[32];
	bool world = str_eq(d->object, "World");

	if (str_eq(d->decision, "Scheduled"))
		return;
	printf("%10s  ", clock_text(d->t_ms, t, sizeof(t)));
	printf("%-18.24s ", d->decision);
	if (strlen(d->decision) > 18)
		printf("\n%*s", REASON_AT, "");
	if (!world)
		printf("%s:", name);
	print_wrapped(d->reason, REASON_AT + (world ? 0 : (int)strlen(name) + 1));
}

static void table_instant(const char *what, int64_t ms, const char *never)
{
	char t[32];

	printf("  %-26s %s\n", what, ms < 0 ? never : clock_text(ms, t, sizeof(t)));
}

static void table_model(const struct script_model *m)
{
	printf("  %-26s %.0f\n", "requests", m->requests);
	printf("  %-26s %.0f\n", "answered with an error", m->errors);
	printf("  %-26s %.0f\n", "lost in the dark", m->dark);
	printf("  %-26s %.0f\n", "lost by the release", m->release);
	table_instant("promoted", m->promoted_ms, "no");
	table_instant("rollback began", m->rollback_ms, "no");
	table_instant("rolled back", m->rolled_back_ms, "no");
	if (m->min_ready >= 0)
		printf("  %-26s %d\n", "fewest ready pods", m->min_ready);
	printf("  %-26s %d\n", "most pods", m->max_pods);
}

static void table_summary(const struct script_summary *s)
{
	for (unsigned i = 0; i < s->nmodels; i++) {
		printf("\n%s\n", s->models[i].name);
		table_model(&s->models[i]);
	}
	for (unsigned i = 0; i < s->noutages; i++) {
		const struct script_outage *x = &s->outages[i];

		printf("\nzone %s dark\n", x->zone);
		table_instant("traffic moved after", x->traffic_ms, "not in this time");
		table_instant("capacity back after", x->capacity_ms, "not in this time");
	}
	putchar('\n');
	table_instant("simulated", s->simulated_ms, "");
}

void simulate_print_decision(const struct simulate_options *o, const struct script_decision *d)
{
	if (o->output == SIMULATE_JSON)
		json_decision(d);
	else
		table_decision(d);
}

void simulate_print_summary(const struct simulate_options *o, const struct script_summary *s)
{
	if (o->output == SIMULATE_JSON)
		json_summary(s);
	else
		table_summary(s);
}
