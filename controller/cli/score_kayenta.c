/* `tidegate score --judge kayenta`: a canary config and pairs of series to a score. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "score.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/kayenta.h"

#define OUTPUT_MAX ((size_t)256 << 20)

static int print_json(const struct kayenta_result *r)
{
	struct buf cleanup_buf out;
	struct json_writer w;

	buf_init(&out, OUTPUT_MAX);
	jw_init(&w, &out);
	kayenta_result_write(r, &w);
	if (jw_end(&w))
		return cli_error(&cli_score, "the result is larger than 256 MiB");
	puts(out.data);
	return EXIT_OK;
}

/* The C library tells the sign of NaN, which means nothing. */
static const char *figure(double v, char *buf)
{
	if (!isfinite(v))
		return str_from_double(v, buf);
	snprintf(buf, STR_DOUBLE_MAX, "%.4g", v);
	return buf;
}

static void print_metric(const struct kayenta_metric_result *m)
{
	char control[STR_DOUBLE_MAX], experiment[STR_DOUBLE_MAX];

	printf("%-32s %-16s %10s %10s  %s%s%s\n", m->pair->name, kayenta_class_name(m->class),
	       figure(m->control.mean, control), figure(m->experiment.mean, experiment),
	       str_or(m->reason, ""), m->critical ? " [critical]" : "",
	       m->metric->muted ? " [muted]" : "");
}

static void print_table(const struct kayenta_result *r)
{
	printf("%-32s %-16s %10s %10s\n", "METRIC", "CLASS", "CONTROL", "EXPERIMENT");
	for (size_t i = 0; i < r->nmetrics; i++)
		print_metric(&r->metrics[i]);
	for (unsigned i = 0; i < r->ngroups; i++)
		printf("group %s: %.2f%s\n", r->groups[i].name, r->groups[i].score,
		       r->groups[i].no_data ? " (no data)" : "");
	printf("score %.2f: %s%s%s\n", r->score, kayenta_verdict_name(r->verdict),
	       *r->reason ? ", " : "", r->reason);
}

static int judge(const struct score_options *o, const struct document *config,
                 const struct document *pairs, struct arena *a, struct kayenta_result *out,
                 struct err *err)
{
	char at[KAYENTA_PATH_MAX];
	struct kayenta_config c;
	struct kayenta_pair *p;
	size_t n;

	if (kayenta_config_read(config->json, a, &c, at, err)) {
		document_locate(config, at, err);
		return -1;
	}
	if (kayenta_pairs_read(pairs->json, a, &p, &n, at, err)) {
		document_locate(pairs, at, err);
		return -1;
	}
	c.pass = isnan(o->pass) ? c.pass : o->pass;
	c.marginal = isnan(o->marginal) ? c.marginal : o->marginal;
	if (kayenta_judge(&c, p, n, a, out, err)) {
		snprintf(at, sizeof(at), "[%zu].name", out->nmetrics - 1);
		document_locate(pairs, at, err);
		return -1;
	}
	return 0;
}

int score_kayenta(const struct score_options *o)
{
	struct document config, pairs;
	struct arena cleanup_arena a;
	struct err err = ERR_INIT;
	struct kayenta_result r;
	int code;

	arena_init(&a, 65536);
	document_init(&config, o->config);
	document_init(&pairs, o->pairs);
	if (document_load(&config, &err) || document_load(&pairs, &err) ||
	    judge(o, &config, &pairs, &a, &r, &err)) {
		code = cli_error(&cli_score, err.msg);
	} else {
		code = o->output == SCORE_JSON ? print_json(&r) : (print_table(&r), EXIT_OK);
		if (code == EXIT_OK && r.verdict != KAYENTA_SCORE_PASS)
			code = EXIT_NEGATIVE;
	}
	document_release(&config);
	document_release(&pairs);
	return code;
}
