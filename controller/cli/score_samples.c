/* `tidegate score` on streams of counts: reads line by line, judges every stream by itself. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "score.h"
#include "score_line.h"
#include "score_policy.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/sequential.h"
#include "tidegate/judge/thresholds.h"

#define LINE_MAX_BYTES 65536
#define STREAMS_MAX    100000
#define OUTPUT_MAX     65536
/* A line that is so much older than its stream is not in time order. */
#define DISORDER_MAX_S 60.0
/* Share of an interval that may be missing at the end of a stream. */
#define LAST_LOOK 0.1

struct stream {
	char *name;
	struct sequential *sequential; /* one of the two */
	struct thresholds *thresholds;
	double last_t;
};

struct session {
	const struct score_options *o;
	struct scoreplan policy;
	struct map by_name;
	struct stream **streams; /* in order of appearance */
	size_t nstreams, cap;
	struct stream *recent; /* of the line before: most lines stay with their stream */
	struct arena arena;    /* of one line */
};

/* --- streams ----------------------------------------------------------------------------- */

/* Who said nothing gets the judge that his policy names. */
static bool by_limits(const struct session *s)
{
	if (s->o->judge == SCORE_BY_POLICY)
		return s->policy.judge == SCOREPOLICY_THRESHOLDS;
	return s->o->judge == SCORE_THRESHOLDS;
}

static struct stream *stream_new(struct session *s, const char *name)
{
	struct stream *st = xcalloc(1, sizeof(*st));

	st->name = xstrdup(name);
	st->last_t = -INFINITY;
	if (by_limits(s)) {
		st->thresholds = xcalloc(1, sizeof(*st->thresholds));
		thresholds_init(st->thresholds, &s->policy.thresholds);
	} else {
		st->sequential = sequential_new(&s->policy.sequential);
	}
	return st;
}

/* NULL, with *err set, when there are too many. */
static struct stream *stream_get(struct session *s, const char *name, struct err *err)
{
	struct stream *st = s->recent;

	if (st && str_eq(st->name, name))
		return st;
	st = map_get(&s->by_name, name);
	if (!st && s->nstreams == STREAMS_MAX) {
		err_set(err, ERR_TOO_BIG, "stream: more than 100000 streams");
		return NULL;
	}
	if (!st) {
		st = stream_new(s, name);
		map_set(&s->by_name, name, st);
		if (s->nstreams == s->cap) {
			s->cap = s->cap ? 2 * s->cap : 64;
			s->streams = xreallocarray(s->streams, s->cap, sizeof(struct stream *));
		}
		s->streams[s->nstreams++] = st;
	}
	s->recent = st;
	return st;
}

static void stream_free(void *arg)
{
	struct stream *st = arg;

	sequential_free(st->sequential);
	free(st->thresholds);
	free(st->name);
	free(st);
}

static int take_line(struct session *s, const char *text, size_t len, struct err *err)
{
	struct score_line line;
	double t;
	struct stream *st;

	arena_reset(&s->arena);
	if (score_line_read(text, len, &s->arena, &line, err))
		return -1;
	st = stream_get(s, line.stream, err);
	if (!st)
		return -1;
	t = line.sample.t;
	if (t < st->last_t - DISORDER_MAX_S)
		return err_set(err, ERR_INVALID,
		               "t: %g comes after %g: a stream must be in time order", t,
		               st->last_t);
	st->last_t = fmax(st->last_t, t);
	if (st->thresholds)
		thresholds_observe(st->thresholds, &line.sample);
	else
		sequential_observe(st->sequential, &line.sample);
	return 0;
}

static bool is_blank(const char *line, size_t len)
{
	return strspn(line, " \t\r\n") >= len;
}

/* Memory is that of the streams and of one line. */
static int read_lines(struct session *s, FILE *f, const char *name, struct err *err)
{
	static char line[LINE_MAX_BYTES + 1];
	unsigned long number = 0;
	size_t len;

	while (fgets(line, sizeof(line), f)) {
		number++;
		len = strlen(line);
		if (len == LINE_MAX_BYTES && line[len - 1] != '\n') {
			err_set(err, ERR_TOO_BIG, "the line is longer than 64 KiB");
			return err_wrap(err, "%s:%lu", name, number);
		}
		if (!is_blank(line, len) && take_line(s, line, len, err))
			return err_wrap(err, "%s:%lu", name, number);
	}
	if (ferror(f))
		return err_set_errno(err, ERR_IO, errno, "cannot read %s", name);
	return 0;
}

static int read_samples(struct session *s, struct err *err)
{
	const char *path = s->o->samples;
	FILE *f cleanup_file = NULL;

	if (str_eq(path, "-"))
		return read_lines(s, stdin, "standard input", err);
	f = fopen(path, "re");
	if (!f)
		return err_set_errno(err, ERR_IO, errno, "cannot open %s", path);
	return read_lines(s, f, path, err);
}

/* --- results ----------------------------------------------------------------------------- */

static void write_time(struct json_writer *w, double t)
{
	if (isnan(t))
		jw_null(w, "decidedAt");
	else
		jw_double(w, "decidedAt", t);
}

static void print_json(const struct stream *st, const struct sequential_result *r)
{
	struct buf cleanup_buf out;
	struct json_writer w;

	buf_init(&out, OUTPUT_MAX);
	jw_init(&w, &out);
	jw_object(&w, NULL);
	jw_str(&w, "stream", st->name);
	jw_str(&w, "verdict", judge_verdict_name(r->verdict));
	write_time(&w, r->decided_at);
	jw_i64(&w, "score", r->score);
	jw_str(&w, "reason", r->text);
	jw_array(&w, "metrics");
	for (unsigned i = 0; i < r->nmetrics; i++) {
		jw_object(&w, NULL);
		jw_str(&w, "name", r->metrics[i].name);
		jw_str(&w, "verdict", judge_verdict_name(r->metrics[i].verdict));
		jw_i64(&w, "score", r->metrics[i].score);
		jw_double(&w, "evidence", r->metrics[i].log_evidence);
		jw_str(&w, "text", r->metrics[i].text);
		jw_double(&w, "effect", r->metrics[i].effect);
		write_time(&w, r->metrics[i].decided_at);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	if (!jw_end(&w))
		puts(out.data);
}

static void print_row(const struct stream *st, const struct sequential_result *r)
{
	char when[STR_DOUBLE_MAX] = "-";

	if (!isnan(r->decided_at))
		str_from_double(r->decided_at, when);
	printf("%-24s %-7s %5d %10s  %s\n", *st->name ? st->name : "-",
	       judge_verdict_name(r->verdict), r->score, when, r->text);
}

/* The last interval ends with the stream, though its first observation began a little before. */
static void stream_finish(const struct session *s, struct stream *st, struct sequential_result *r)
{
	if (st->thresholds) {
		thresholds_advance(st->thresholds,
		                   st->last_t + LAST_LOOK * s->policy.thresholds.interval_s);
		thresholds_result(st->thresholds, r);
		return;
	}
	sequential_advance(st->sequential, st->last_t + s->policy.sequential.tick_s);
	sequential_result(st->sequential, st->last_t, r);
}

/* Exit code: every stream must pass. */
static int print_results(struct session *s)
{
	struct sequential_result r;
	int code = s->nstreams ? EXIT_OK : EXIT_NEGATIVE;

	if (s->o->output != SCORE_JSON)
		printf("%-24s %-7s %5s %10s  %s\n", "STREAM", "VERDICT", "SCORE", "DECIDED",
		       "EVIDENCE");
	if (!s->nstreams)
		fputs("tidegate score: no observation, so no verdict\n", stderr);
	for (size_t i = 0; i < s->nstreams; i++) {
		struct stream *st = s->streams[i];

		stream_finish(s, st, &r);
		if (r.verdict != JUDGE_PASS)
			code = EXIT_NEGATIVE;
		if (s->o->output == SCORE_JSON)
			print_json(st, &r);
		else
			print_row(st, &r);
	}
	return code;
}

int score_samples(const struct score_options *o)
{
	struct session s = {.o = o};
	struct err err = ERR_INIT;
	int code;

	map_init(&s.by_name);
	arena_init(&s.arena, 16384);
	code = score_policy_load(&s.policy, o->policy, o->judge == SCORE_BY_POLICY, &err) ||
	                       read_samples(&s, &err)
	               ? cli_error(&cli_score, err.msg)
	               : print_results(&s);
	map_release(&s.by_name, stream_free);
	free(s.streams);
	arena_release(&s.arena);
	return code;
}
