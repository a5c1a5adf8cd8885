/* PromQL variables, and every kind of reply that a Prometheus server or a proxy before it gives. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/signal/promql.h"

static const struct promql_vars vars = {"shop", "ranker", "bbbbbbbbbb", "canary", "30s"};

static void test_variables(void **state)
{
	static const struct {
		const char *query, *expanded; /* NULL: refused */
	} rows[] = {
		{"up", "up"},
		{"up{ns=\"$namespace\",rev=\"$revision\"}", "up{ns=\"shop\",rev=\"bbbbbbbbbb\"}"},
		{"rate(x{t=\"${track}\"}[$interval])", "rate(x{t=\"canary\"}[30s])"},
		{"a{pod=~\"$name-.*$\"}", "a{pod=~\"ranker-.*$\"}"},
		{"${name}_total", "ranker_total"},
		{"$name_total", NULL}, /* a longer word */
		{"a{b=\"$$5\"}", "a{b=\"$5\"}"},
		{"$versoin", NULL},
		{"${name", NULL},
		{"${}", NULL},
		{"$", "$"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		struct buf out;
		int rc;

		buf_init(&out, PROMQL_MAX);
		rc = promql_expand(rows[i].query, &vars, &out, &err);
		assert_int_equal(rc, rows[i].expanded ? 0 : -1);
		if (rows[i].expanded)
			assert_string_equal(out.data, rows[i].expanded);
		else
			assert_true(err.msg[0] && err.class == ERR_INVALID);
		buf_release(&out);
	}
}

static void test_a_value_cannot_leave_its_quotes(void **state)
{
	struct promql_vars v = vars;
	struct err err = ERR_INIT;
	struct buf out;

	(void)state;
	v.namespace = "a\"} or up{b=\"";
	buf_init(&out, PROMQL_MAX);
	assert_int_equal(promql_expand("$namespace", &v, &out, &err), -1);
	v.namespace = NULL;
	assert_int_equal(promql_expand("$namespace", &v, &out, &err), -1);
	buf_release(&out);
	buf_init(&out, 8);
	assert_int_equal(promql_expand("0123456789", &vars, &out, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
	buf_release(&out);
}

#define OK(type, result)                                                                           \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":" result "}}"

static int reply(struct arena *a, int status, const char *body, struct promql_reply *r,
                 struct err *err)
{
	arena_init(a, 0);
	*err = (struct err)ERR_INIT;
	return promql_reply_read(status, body, strlen(body), a, r, err);
}

static void test_values(void **state)
{
	struct promql_reply r;
	struct arena a;
	struct err err;

	(void)state;
	assert_int_equal(reply(&a, 200,
	                       OK("vector",
	                          "[{\"metric\":{\"pod\":\"a\"},\"value\":[1700000000.5,\"0.25\"]},"
	                          "{\"metric\":{},\"value\":[1,\"NaN\"]}]"),
	                       &r, &err),
	                 0);
	assert_int_equal(r.nseries, 2);
	assert_string_equal(r.series[0].labels, "{pod=\"a\"}");
	assert_true(r.series[0].times[0] == 1700000000.5 && r.series[0].values[0] == 0.25);
	assert_true(isnan(r.series[1].values[0]));
	assert_null(r.warning);
	arena_release(&a);

	assert_int_equal(reply(&a, 200,
	                       OK("matrix", "[{\"metric\":{},\"values\":[[1,\"+Inf\"],[2,\"-Inf\"],"
	                                    "[3,\"1e3\"]]}]"),
	                       &r, &err),
	                 0);
	assert_int_equal(r.series[0].n, 3);
	assert_true(isinf(r.series[0].values[0]) && r.series[0].values[1] < 0);
	assert_true(r.series[0].values[2] == 1000);
	arena_release(&a);

	assert_int_equal(reply(&a, 200, OK("scalar", "[1,\"42\"]"), &r, &err), 0);
	assert_true(r.nseries == 1 && r.series[0].values[0] == 42);
	arena_release(&a);

	assert_int_equal(reply(&a, 200, OK("vector", "[]"), &r, &err), 0);
	assert_int_equal(r.nseries, 0);
	arena_release(&a);
}

static void test_warnings_are_kept(void **state)
{
	struct promql_reply r;
	struct arena a;
	struct err err;

	(void)state;
	assert_int_equal(reply(&a, 200,
	                       "{\"status\":\"success\",\"warnings\":[\"store gateway is away\"],"
	                       "\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
	                       &r, &err),
	                 0);
	assert_string_equal(r.warning, "store gateway is away");
	arena_release(&a);
}

static void test_refusals(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_class class;
		const char *text;
	} rows[] = {
		{400,
	         "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error at char "
	         "3\"}",
	         ERR_REJECTED, "bad_data: parse error at char 3"},
		{422,
	         "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"many-to-many\"}",
	         ERR_REJECTED, "many-to-many"},
		{503, "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"too slow\"}",
	         ERR_TIMEOUT, "too slow"},
		/* data may come along: it is not whole */
		{200,
	         "{\"status\":\"error\",\"errorType\":\"internal\",\"error\":\"x\",\"data\":{"
	         "\"resultType\":\"vector\",\"result\":[]}}",
	         ERR_SERVER, "internal: x"},
		{502, "<html>Bad Gateway</html>", ERR_SERVER, "HTTP 502"},
		{401, "", ERR_UNAUTHORIZED, "HTTP 401"},
		{403, "no", ERR_FORBIDDEN, "HTTP 403"},
		{404, "404 page not found", ERR_REJECTED, "HTTP 404"},
		{429, "", ERR_THROTTLED, "HTTP 429"},
		{200, "<html>login</html>", ERR_PROTOCOL, "is the URL right"},
		{200, "{}", ERR_PROTOCOL, "is the URL right"},
		{200, OK("string", "[1,\"x\"]"), ERR_PROTOCOL, "neither"},
		{200, OK("vector", "{}"), ERR_PROTOCOL, "neither"},
		{200, OK("scalar", "[1]"), ERR_PROTOCOL, "sample"},
		{200, OK("scalar", "[1,2]"), ERR_PROTOCOL, "sample"},
		{200, OK("vector", "[{\"value\":[1,\"x\"]}]"), ERR_PROTOCOL, "not a number"},
		{200, OK("matrix", "[{\"metric\":{}}]"), ERR_PROTOCOL, "no list of values"},
		{200, OK("vector", "[{\"metric\":{},\"histogram\":[1,{}]}]"), ERR_REJECTED,
	         "histogram_quantile"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct promql_reply r;
		struct arena a;
		struct err err;

		assert_int_equal(reply(&a, rows[i].status, rows[i].body, &r, &err), -1);
		if (err.class != rows[i].class || !strstr(err.msg, rows[i].text))
			fail_msg("row %zu: class %d, %s", i, err.class, err.msg);
		arena_release(&a);
	}
}

static void test_too_many_series(void **state)
{
	struct promql_reply r;
	struct arena a;
	struct err err;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_addstr(&b, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
	for (int i = 0; i <= PROMQL_SERIES_MAX; i++)
		buf_addf(&b, "%s{\"metric\":{\"pod\":\"p%d\"},\"value\":[1,\"1\"]}", i ? "," : "",
		         i);
	buf_addstr(&b, "]}}");
	assert_int_equal(reply(&a, 200, b.data, &r, &err), -1);
	assert_non_null(strstr(err.msg, "aggregate"));
	arena_release(&a);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_a_value_cannot_leave_its_quotes),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_warnings_are_kept),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
