#include "fixture.h"

#include "../../../controller/net/server_parse.h"

#define HOST "Host: a\r\n"

struct row {
	const char *text;
	int rc; /* -STATUS, or 0 = accepted as a whole */
	const char *method, *path, *query;
	size_t length;
	bool keep_alive;
};

static const struct row rows[] = {
	{"GET / HTTP/1.1\r\n" HOST "\r\n", 0, "GET", "/", "", 0, true},
	{"HEAD /x HTTP/1.1\r\n" HOST "\r\n", 0, "GET", "/x", "", 0, true},
	{"GET /a%20b%2Fc?x=1&y=%20 HTTP/1.1\r\n" HOST "\r\n", 0, "GET", "/a b/c", "x=1&y=%20", 0,
         true},
	{"POST /p HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n", 0, "POST", "/p", "", 12, true},
	{"GET http://a:80/abs?q HTTP/1.1\r\n" HOST "\r\n", 0, "GET", "/abs", "q", 0, true},
	{"GET HTTPS://a HTTP/1.1\r\n" HOST "\r\n", 0, "GET", "/", "", 0, true},
	{"GET http://a?q=1 HTTP/1.1\r\n" HOST "\r\n", 0, "GET", "/", "q=1", 0, true},
	{"GET /? HTTP/1.0\r\n\r\n", 0, "GET", "/", "", 0, false},
	{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, "GET", "/", "", 0, true},
	{"GET / HTTP/1.1\r\n" HOST "Connection: foo, close\r\n\r\n", 0, "GET", "/", "", 0, false},
	{"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", 0, "GET", "/", "", 0, true},
	{"GET / HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n", 0, "GET", "/", "", 1048576,
         true},
	/* refused */
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n", .rc = -413},
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
         .rc = -413},
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
         .rc = -400},
	{.text = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", .rc = -411},
	{.text = "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: x\r\n\r\n",
         .rc = -411},
	{.text = "GET / HTTP/1.1\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST HOST "\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\n" HOST "\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\nHost: a\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "A: x\ry\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "A : x\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "A: x\r\n folded\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n", .rc = -400},
	{.text = "GET / HTTP/1.1\r\n" HOST "Expect: rain\r\n\r\n", .rc = -417},
	{.text = "GET / HTTP/2.0\r\n" HOST "\r\n", .rc = -505},
	{.text = "GET / HTTP/1.1 \r\n" HOST "\r\n", .rc = -400},
	{.text = "GET  / HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET /\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET\r\n" HOST "\r\n", .rc = -400},
	{.text = " GET / HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "\x16\x03\x01\x02", .rc = -400},
	{.text = "TRACE / HTTP/1.1\r\n" HOST "\r\n", .rc = -405},
	{.text = "get / HTTP/1.1\r\n" HOST "\r\n", .rc = -405},
	{.text = "G@T / HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET x HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET /%zz HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET /%00 HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET /%4 HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
	{.text = "GET /#x HTTP/1.1\r\n" HOST "\r\n", .rc = -400},
};

static void check(const struct row *row, const struct request_head *h, int rc, size_t len)
{
	if (row->rc) {
		assert_int_equal(rc, row->rc);
		return;
	}
	assert_int_equal(rc, len);
	assert_string_equal(h->method, row->method);
	assert_string_equal(h->path, row->path);
	assert_string_equal(h->query, row->query);
	assert_int_equal(h->content_length, row->length);
	assert_int_equal(h->keep_alive, row->keep_alive);
}

static void heads_as_a_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = xstrdup(rows[i].text);
		struct request_head h;

		server_request_reset(&h);
		check(&rows[i], &h, server_request_parse(&h, text, strlen(text)),
		      strlen(rows[i].text));
	}
}

/* Every byte alone, in memory of exactly that size: ASan sees a read beyond. */
static void heads_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text);
		struct request_head h;
		int rc = 0;

		server_request_reset(&h);
		for (size_t n = 1; n <= len && !rc; n++) {
			char *part = xmalloc(n);

			memcpy(part, rows[i].text, n);
			rc = server_request_parse(&h, part, n);
			if (rc > 0)
				check(&rows[i], &h, rc, len);
			free(part);
		}
		if (rows[i].rc)
			assert_int_equal(rc, rows[i].rc);
		else
			assert_int_equal(rc, len);
	}
}

static void what_follows_the_head_is_left_alone(void **state)
{
	char text[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcGET / HTTP";
	struct request_head h;

	(void)state;
	server_request_reset(&h);
	assert_int_equal(server_request_parse(&h, text, sizeof(text) - 1),
	                 strstr(text, "abc") - text);
	assert_string_equal(strstr(text + sizeof(text) - 14, "abc"), "abcGET / HTTP");
}

static void headers_are_found_whatever_their_case(void **state)
{
	char text[] =
		"GET / HTTP/1.1\r\nhOsT:a\r\nX-Long: \t v w \t\r\nEmpty:\r\nX-Long: 2\r\n\r\n";
	struct request_head h;

	(void)state;
	server_request_reset(&h);
	assert_true(server_request_parse(&h, text, sizeof(text) - 1) > 0);
	assert_string_equal(server_request_header_get(&h, "Host"), "a");
	assert_string_equal(server_request_header_get(&h, "x-long"), "v w");
	assert_string_equal(server_request_header_get(&h, "EMPTY"), "");
	assert_null(server_request_header_get(&h, "X-Lon"));
}

static void long_heads_are_refused(void **state)
{
	cleanup_buf struct buf b;
	struct request_head h;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_addstr(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	while (b.len < REQUEST_HEAD_MAX - 1)
		buf_addch(&b, 'x');
	server_request_reset(&h);
	assert_int_equal(server_request_parse(&h, b.data, b.len), 0);
	buf_addch(&b, 'x');
	assert_int_equal(server_request_parse(&h, b.data, b.len), -431);
}

static void many_headers_are_refused(void **state)
{
	(void)state;
	for (int n = REQUEST_HEADERS_MAX - 1; n <= REQUEST_HEADERS_MAX; n++) {
		cleanup_buf struct buf b;
		struct request_head h;
		int rc;

		buf_init(&b, 1 << 20);
		buf_addstr(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
		for (int i = 0; i < n; i++)
			buf_addstr(&b, "X: y\r\n");
		buf_addstr(&b, "\r\n");
		server_request_reset(&h);
		rc = server_request_parse(&h, b.data, b.len);
		assert_int_equal(rc, n == REQUEST_HEADERS_MAX ? -431 : (int)b.len);
	}
}

static void query_parameters(void **state)
{
	static const struct {
		const char *query, *name, *value;
	} q[] = {
		{"a=1&b=2", "a", "1"},
		{"a=1&b=2", "b", "2"},
		{"aa=1&a=2", "a", "2"},
		{"a=x+y%20z%26", "a", "x y z&"},
		{"a", "a", ""},
		{"a=&b", "a", ""},
		{"a=1&a=2", "a", "1"},
		{"&&a=1", "a", "1"},
		{"a=b=c", "a", "b=c"},
		{"b=1", "a", NULL},
		{"", "a", NULL},
		{"a=%", "a", NULL},
		{"a=%4", "a", NULL},
		{"a=%00", "a", NULL},
		{"a=12345678", "a", NULL}, /* no room */
		{"a=1234567", "a", "1234567"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(q); i++) {
		char out[8] = "?";
		bool ok = server_request_query_get(q[i].query, q[i].name, out, sizeof(out));

		assert_int_equal(ok, q[i].value != NULL);
		if (ok)
			assert_string_equal(out, q[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_as_a_whole),
		cmocka_unit_test(heads_byte_by_byte),
		cmocka_unit_test(what_follows_the_head_is_left_alone),
		cmocka_unit_test(headers_are_found_whatever_their_case),
		cmocka_unit_test(long_heads_are_refused),
		cmocka_unit_test(many_headers_are_refused),
		cmocka_unit_test(query_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
