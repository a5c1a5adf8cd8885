/* Error classes of API answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/kube/client.h"

#define STATUS(reason, rest)                                                                       \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"m\","     \
	"\"reason\":\"" reason "\"" rest "}"
#define CAUSE(reason) ",\"details\":{\"causes\":[{\"reason\":\"" reason "\"}]}"

struct row {
	int status, retry_after_ms;
	const char *body;
	enum err_class class;
	int want_retry_ms, want_status;
};

static const struct row rows[] = {
	{200, 0, "{}", ERR_NONE, 0, 200},
	{201, 0, STATUS("Conflict", ""), ERR_NONE, 0, 201},
	{401, 0, STATUS("Unauthorized", ""), ERR_UNAUTHORIZED, 0, 401},
	{403, 0, STATUS("Forbidden", ""), ERR_FORBIDDEN, 0, 403},
	{403, 0, STATUS("Forbidden", CAUSE("NamespaceTerminating")), ERR_NS_TERMINATING, 0, 403},
	{404, 0, STATUS("NotFound", ""), ERR_NOT_FOUND, 0, 404},
	{404, 0, "404 page not found\n", ERR_NOT_FOUND, 0, 404},
	{409, 0, STATUS("Conflict", ""), ERR_CONFLICT, 0, 409},
	{409, 0, STATUS("AlreadyExists", ""), ERR_EXISTS, 0, 409},
	{409, 0, "", ERR_CONFLICT, 0, 409},
	{410, 0, STATUS("Expired", ""), ERR_GONE, 0, 410},
	{410, 0, "", ERR_GONE, 0, 410},
	{400, 0, STATUS("Expired", ""), ERR_GONE, 0, 400},
	{429, 0, "", ERR_THROTTLED, 0, 429},
	{429, 2000, "", ERR_THROTTLED, 2000, 429},
	{429, 0, STATUS("TooManyRequests", ",\"details\":{\"retryAfterSeconds\":3}"), ERR_THROTTLED,
         3000, 429},
	{429, 1000, STATUS("TooManyRequests", ",\"details\":{\"retryAfterSeconds\":3}"),
         ERR_THROTTLED, 1000, 429},
	{429, 2147483647, "", ERR_THROTTLED, 3600000, 429},
	{503, 0, "", ERR_SERVER, 0, 503},
	{503, 1000, "", ERR_THROTTLED, 1000, 503},
	{500, 0, STATUS("InternalError", ""), ERR_SERVER, 0, 500},
	{504, 0, STATUS("Timeout", ""), ERR_SERVER, 0, 504},
	{504, 1000, STATUS("Timeout", CAUSE("ResourceVersionTooLarge")), ERR_RV_TOO_LARGE, 1000,
         504},
	{504, 0, "{\"kind\":\"Status\",\"message\":\"Too large resource version: 9, current: 3\"}",
         ERR_RV_TOO_LARGE, 0, 504},
	{400, 0, "", ERR_REJECTED, 0, 400},
	{405, 0, "", ERR_REJECTED, 0, 405},
	{406, 0, "", ERR_REJECTED, 0, 406},
	{413, 0, "", ERR_REJECTED, 0, 413},
	{415, 0, "", ERR_REJECTED, 0, 415},
	{422, 0, STATUS("Invalid", ""), ERR_REJECTED, 0, 422},
	{302, 0, "", ERR_PROTOCOL, 0, 302},
	/* the Status of a watch's ERROR event: its own code counts */
	{0, 0, STATUS("Expired", ",\"code\":410"), ERR_GONE, 0, 410},
	{0, 0, STATUS("", ",\"code\":429"), ERR_THROTTLED, 0, 429},
	{0, 0, STATUS("InternalError", ",\"code\":500"), ERR_SERVER, 0, 500},
	{0, 0, "garbage", ERR_PROTOCOL, 0, 0},
};

static void test_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct err err = {ERR_INTERNAL, 1, 1, "old"};

		kube_classify(r->status, r->retry_after_ms, r->body, strlen(r->body), &err);
		if (err.class != r->class || err.retry_after_ms != r->want_retry_ms ||
		    err.status != r->want_status)
			fail_msg("row %zu: class %s status %d retry %d", i,
			         err_class_name(err.class), err.status, err.retry_after_ms);
		assert_int_equal(err.class == ERR_NONE, err.msg[0] == '\0');
	}
}

static void test_message_is_the_servers(void **state)
{
	struct err err = ERR_INIT;
	static const char body[] = "{\"kind\":\"Status\",\"code\":422,\"message\":\"spec.replicas: "
				   "Invalid value: -1\",\"reason\":\"Invalid\"}";

	(void)state;
	kube_classify(422, 0, body, sizeof(body) - 1, &err);
	assert_string_equal(err.msg, "spec.replicas: Invalid value: -1");
}

static void test_message_of_a_proxy_page(void **state)
{
	struct err err = ERR_INIT;
	char page[4096];

	(void)state;
	memset(page, 'x', sizeof(page));
	memcpy(page, "<html>\r\n\tBad \x1b gateway", 22);
	kube_classify(502, 0, page, sizeof(page), &err);
	assert_true(str_starts(err.msg, "the server answered 502: <html> Bad gateway"));
	assert_true(strlen(err.msg) < 256);
	assert_null(strchr(err.msg, '\x1b'));
	/* whole characters, also where it is cut */
	for (size_t i = 0; i < sizeof(page); i += 3)
		memcpy(page + i, "\xe6\xbd\xae", i + 3 <= sizeof(page) ? 3 : sizeof(page) - i);
	kube_classify(502, 0, page, 6, &err);
	assert_string_equal(err.msg, "the server answered 502: \xe6\xbd\xae\xe6\xbd\xae");
	for (size_t skip = 0; skip < 3; skip++) {
		page[0] = page[1] = page[2] = 'x';
		kube_classify(502, 0, page + skip, sizeof(page) - 4, &err);
		assert_string_equal(err.msg + strlen(err.msg) - 3, "\xe6\xbd\xae");
	}
	kube_classify(502, 0, NULL, 0, &err);
	assert_string_equal(err.msg, "the server answered 502");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_message_is_the_servers),
		cmocka_unit_test(test_message_of_a_proxy_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
