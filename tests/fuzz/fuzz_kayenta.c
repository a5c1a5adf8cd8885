/*
 * Any text as a canary config and as pairs of series, divided by the first NUL: what is taken is
 * judged, every group has a score from 0 to 100, and the whole a number, which is beyond 100 where
 * the groups' weights are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/buf.h"
#include "tidegate/judge/kayenta.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_result(const struct kayenta_result *r, size_t pairs)
{
	struct json_writer w;
	struct buf out;

	require(r->nmetrics == pairs && isfinite(r->score));
	for (unsigned i = 0; i < r->ngroups; i++)
		require(r->groups[i].name && r->groups[i].score >= 0 && r->groups[i].score <= 100);
	for (size_t i = 0; i < r->nmetrics; i++)
		require(kayenta_class_name(r->metrics[i].class) && r->metrics[i].pair);
	buf_init(&out, (size_t)64 << 20);
	jw_init(&w, &out);
	kayenta_result_write(r, &w);
	require(!jw_end(&w));
	buf_release(&out);
}

static void judge(const char *config, size_t nconfig, const char *pairs, size_t npairs,
                  struct arena *a)
{
	char path[KAYENTA_PATH_MAX] = "";
	struct kayenta_config c;
	struct kayenta_pair *p;
	struct kayenta_result r;
	struct err err = ERR_INIT;
	const struct json *json = json_parse(a, config, nconfig, &err);
	size_t n;

	if (!json || kayenta_config_read(json, a, &c, path, &err)) {
		require(err.msg[0] && strlen(path) < sizeof(path));
		return;
	}
	json = json_parse(a, pairs, npairs, &err);
	if (!json || kayenta_pairs_read(json, a, &p, &n, path, &err)) {
		require(err.msg[0] && strlen(path) < sizeof(path));
		return;
	}
	if (kayenta_judge(&c, p, n, a, &r, &err))
		require(err.msg[0]);
	else
		check_result(&r, n);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *text = (const char *)data, *end = size ? memchr(text, '\0', size) : NULL;
	size_t n = end ? (size_t)(end - text) : size;
	struct arena a;

	arena_init(&a, 0);
	judge(text, n, end ? end + 1 : text, end ? size - n - 1 : size, &a);
	arena_release(&a);
	return 0;
}
