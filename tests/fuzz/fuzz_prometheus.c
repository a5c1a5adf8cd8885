/*
 * Any bytes as a reply of Prometheus, and as a query with variables: what is handed out is
 * bounded, and what is refused is explained.
 */
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/str.h"
#include "tidegate/signal/promql.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_reply(int status, const char *text, size_t size)
{
	struct promql_reply r;
	struct err err = ERR_INIT;
	struct arena a;
	double sum = 0;

	arena_init(&a, 0);
	if (promql_reply_read(status, text, size, &a, &r, &err)) {
		require(err.class != ERR_NONE && err.msg[0]);
	} else {
		require(r.nseries <= PROMQL_SERIES_MAX);
		for (unsigned i = 0; i < r.nseries; i++) {
			require(r.series[i].n <= PROMQL_SAMPLES_MAX &&
			        strlen(r.series[i].labels) <= 256);
			for (unsigned k = 0; k < r.series[i].n; k++)
				sum += r.series[i].times[k] + r.series[i].values[k];
		}
	}
	arena_release(&a);
	require(sum == sum || sum != sum); /* all of it was readable */
}

static void check_query(const char *text, size_t size)
{
	struct promql_vars v = {"shop", "ranker", "aaaaaaaaaa", "canary", "30s"};
	char *query = strndup(text, size);
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, PROMQL_MAX);
	if (promql_expand(query, &v, &out, &err))
		require(err.class != ERR_NONE && err.msg[0]);
	require(out.len <= PROMQL_MAX);
	buf_release(&out);
	free(query);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const int statuses[] = {200, 400, 401, 403, 422, 429, 503, 0};

	if (!size)
		return 0;
	check_reply(statuses[data[0] % 8], (const char *)data + 1, size - 1);
	check_reply(200, (const char *)data, size);
	check_query((const char *)data, size);
	return 0;
}
