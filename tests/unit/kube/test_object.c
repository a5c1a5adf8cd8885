/* Packing, common metadata, resource versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "thing.h"
#include "tidegate/base/alloc.h"

static struct object *decode(const char *text, struct err *err)
{
	struct arena cleanup_arena a;
	const struct json *json;

	arena_init(&a, 0);
	json = json_parse(&a, text, strlen(text), NULL);
	assert_non_null(json);
	return thing_decode(json, &a, err);
}

static void test_meta(void **state)
{
	struct object *o = decode(
		"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"ranker\",\"uid\":\"u1\","
		"\"resourceVersion\":\"42\",\"generation\":7,"
		"\"creationTimestamp\":\"1970-01-01T00:00:10Z\","
		"\"deletionTimestamp\":\"1970-01-01T00:00:20Z\",\"ownerReferences\":["
		"{\"kind\":\"X\",\"name\":\"x\",\"uid\":\"no\"},"
		"{\"kind\":\"ReplicaSet\",\"name\":\"rs\",\"uid\":\"yes\",\"controller\":true}]},"
		"\"spec\":{\"value\":\"v\"}}",
		NULL);

	(void)state;
	assert_non_null(o);
	assert_string_equal(o->key, "shop/ranker");
	assert_string_equal(o->namespace, "shop");
	assert_string_equal(o->name, "ranker");
	assert_string_equal(o->uid, "u1");
	assert_string_equal(o->resource_version, "42");
	assert_int_equal(o->generation, 7);
	assert_int_equal(o->created_ms, 10000);
	assert_int_equal(o->deleted_ms, 20000);
	assert_string_equal(o->owner_kind, "ReplicaSet");
	assert_string_equal(o->owner_name, "rs");
	assert_string_equal(o->owner_uid, "yes");
	assert_string_equal(((struct thing *)o)->value, "v");
	free(o);
}

static void test_meta_sparse(void **state)
{
	struct object *o = decode("{\"metadata\":{\"name\":\"n1\",\"uid\":\"u\","
	                          "\"deletionTimestamp\":\"whenever\"}}",
	                          NULL);

	(void)state;
	assert_non_null(o);
	assert_string_equal(o->key, "n1");
	assert_string_equal(o->name, "n1");
	assert_string_equal(o->namespace, "");
	assert_string_equal(o->resource_version, "");
	assert_null(o->owner_uid);
	assert_null(o->owner_kind);
	assert_int_equal(o->created_ms, 0);
	assert_int_not_equal(o->deleted_ms, 0); /* unreadable, but it is being deleted */
	assert_null(((struct thing *)o)->value);
	free(o);
}

static void test_meta_missing(void **state)
{
	static const struct {
		const char *json, *words;
	} rows[] = {
		{"{}", "metadata is missing"},
		{"{\"metadata\":[]}", "metadata is missing"},
		{"{\"metadata\":{\"uid\":\"u\"}}", "metadata.name"},
		{"{\"metadata\":{\"name\":\"\",\"uid\":\"u\"}}", "metadata.name"},
		{"{\"metadata\":{\"name\":7,\"uid\":\"u\"}}", "metadata.name"},
		{"{\"metadata\":{\"name\":\"n\"}}", "metadata.uid"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;

		assert_null(decode(rows[i].json, &err));
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.msg, rows[i].words));
	}
}

struct mixed {
	char tag;
	const char *a, *b, *none;
	int64_t *numbers;
	unsigned n;
	const char *tail;
};

static void mixed_fill(void *obj, struct packer *p, const void *ctx)
{
	struct mixed *m = obj;

	(void)ctx;
	m->tag = 'm';
	m->a = pack_str(p, "odd");
	m->none = pack_str(p, NULL);
	m->n = 3;
	m->numbers = pack_array(p, m->n, sizeof(*m->numbers));
	for (unsigned i = 0; m->numbers && i < m->n; i++)
		m->numbers[i] = i * 1000;
	m->b = pack_strn(p, "abcdef", 2);
	m->tail = pack_str(p, "");
}

static void test_pack_alignment(void **state)
{
	struct mixed *m = object_pack(sizeof(*m), mixed_fill, NULL);

	(void)state;
	assert_string_equal(m->a, "odd");
	assert_null(m->none);
	assert_string_equal(m->b, "ab");
	assert_string_equal(m->tail, "");
	assert_int_equal((uintptr_t)m->numbers % _Alignof(max_align_t), 0);
	assert_int_equal(m->numbers[2], 2000);
	/* All in one block behind the struct. */
	assert_true(m->a > (char *)m && m->tail < (char *)m + 256);
	free(m);
}

struct texts {
	const char *set, *revision, *again, *empty, *longer;
	unsigned n;
	const char **many;
};

/* More than are remembered, each twice. */
static void texts_fill(void *obj, struct packer *p, const void *ctx)
{
	struct texts *t = obj;
	const char *const *names = ctx;

	t->set = pack_str(p, "ranker-7kd92mxq4z");
	t->revision = pack_str(p, "7kd92mxq4z");
	t->again = pack_str(p, "ranker-7kd92mxq4z");
	t->empty = pack_str(p, "");
	t->longer = pack_str(p, "a-ranker-7kd92mxq4z");
	t->n = 2 * PACK_TEXTS;
	t->many = pack_array(p, 2 * (size_t)t->n, sizeof(*t->many));
	for (unsigned i = 0; i < 2 * t->n; i++) {
		const char *s = pack_str(p, names[i % t->n]);

		if (t->many)
			t->many[i] = s;
	}
}

static void test_a_text_is_packed_once(void **state)
{
	char room[2 * PACK_TEXTS][8];
	const char *names[2 * PACK_TEXTS];
	struct texts *t;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(room[i], sizeof(room[i]), "name%u", i);
		names[i] = room[i];
	}
	t = object_pack(sizeof(*t), texts_fill, names);
	assert_string_equal(t->set, "ranker-7kd92mxq4z");
	assert_ptr_equal(t->revision, t->set + strlen("ranker-"));
	assert_ptr_equal(t->again, t->set);
	assert_string_equal(t->empty, "");
	assert_string_equal(t->longer, "a-ranker-7kd92mxq4z");
	for (unsigned i = 0; i < 2 * t->n; i++)
		assert_string_equal(t->many[i], names[i % t->n]);
	assert_ptr_equal(t->many[0], t->many[t->n]);
	free(t);
}

struct worded {
	const char *word, *none;
};

static void worded_fill(void *obj, struct packer *p, const void *ctx)
{
	struct worded *w = obj;

	w->word = pack_word(p, ctx);
	w->none = pack_word(p, NULL);
}

/* Words outlive the objects; what is too long or one too many stands in its own block. */
static void test_words_are_shared(void **state)
{
	static const char huge[] = "a text that is much longer than any word of the cluster's";
	struct worded *a = object_pack(sizeof(*a), worded_fill, "hz-a"), *b;
	const char *word = a->word;
	char text[16];

	(void)state;
	assert_string_equal(word, "hz-a");
	assert_null(a->none);
	free(a);
	b = object_pack(sizeof(*b), worded_fill, "hz-a");
	assert_ptr_equal(b->word, word);
	free(b);
	b = object_pack(sizeof(*b), worded_fill, huge);
	assert_ptr_equal(b->word, b + 1);
	assert_string_equal(b->word, huge);
	free(b);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "w%d", i);
		b = object_pack(sizeof(*b), worded_fill, text);
		assert_string_equal(b->word, text);
		if (i == 0 || i == 4999)
			assert_int_equal(b->word == (const char *)(b + 1), i > 0);
		free(b);
	}
	b = object_pack(sizeof(*b), worded_fill, "hz-a");
	assert_ptr_equal(b->word, word);
	free(b);
}

static void test_rv_cmp(void **state)
{
	static const struct {
		const char *a, *b;
		int want;
	} rows[] = {
		{"1", "1", 0},     {"1", "2", -1},           {"9", "10", -1},
		{"10", "9", 1},    {NULL, NULL, 0},          {NULL, "", 0},
		{"", "1", -1},     {"1", NULL, 1},           {"18446744073709551616", "99", 1},
		{"99", "100", -1}, {"123456", "123457", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int c = rv_cmp(rows[i].a, rows[i].b);

		assert_int_equal((c > 0) - (c < 0), rows[i].want);
	}
}

static void test_scan_rv(void **state)
{
	static const struct {
		const char *json, *want; /* NULL: none */
	} rows[] = {
		{"{\"metadata\":{\"resourceVersion\":\"17\"}}", "17"},
		{" { \"kind\" : \"Pod\",\n\"metadata\" :\t{ \"name\":\"a\", \"resourceVersion\" : "
	         "\"18\" } }",
	         "18"},
		/* the same names elsewhere */
		{"{\"spec\":{\"resourceVersion\":\"1\",\"metadata\":{\"resourceVersion\":\"2\"}},"
	         "\"metadata\":{\"ownerReferences\":[{\"resourceVersion\":\"3\"}],"
	         "\"labels\":{\"resourceVersion\":\"4\"},\"resourceVersion\":\"5\"}}",
	         "5"},
		{"{\"resourceVersion\":\"6\",\"metadata\":{\"name\":\"resourceVersion\"}}", NULL},
		{"{\"metadata\":{\"a\":\"\\\"resourceVersion\\\":\\\\\",\"resourceVersion\":\"7\"}"
	         "}",
	         "7"},
		{"{\"metadata\":{},\"status\":{\"resourceVersion\":\"8\"}}", NULL},
		{"[{\"metadata\":{\"resourceVersion\":\"9\"}}]", NULL},
		{"{\"metadata\":{\"resourceVersion\":10}}", NULL},
		{"{\"metadata\":{\"resourceVersion\":\"12345678901234567890\"}}", "1234567"},
		/* cut off, and not JSON at all */
		{"{\"metadata\":{\"resourceVersion\":\"11", NULL},
		{"{\"metadata\":{\"resourceVersion\":", NULL},
		{"{\"metadata\":{\"resourceVersion\"", NULL},
		{"{\"meta\\", NULL},
		{"]]]}}}\"\":", NULL},
		{"", NULL},
	};
	char rv[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].json);
		char *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read behind it */
		bool found;

		memcpy(exact, rows[i].json, len);
		found = object_scan_rv(exact, len, rv, sizeof(rv));
		free(exact);
		if (found != !!rows[i].want || (found && strcmp(rv, rows[i].want)))
			fail_msg("row %zu: %s", i, found ? rv : "none");
	}
}

static void test_scan_name(void **state)
{
	static const struct {
		const char *json, *want;
	} rows[] = {
		{"{\"metadata\":{\"labels\":{\"name\":\"x\"},\"name\":\"a\"}}", "a"},
		{"{\"name\":\"x\",\"metadata\":{\"namespace\":\"n\"}}", NULL},
		{"{\"spec\":{\"name\":\"x\"},\"metadata\":{\"ownerReferences\":[{\"name\":\"y\"}],"
	         "\"name\":\"b\"}}",
	         "b"},
	};
	char name[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool found =
			object_scan_name(rows[i].json, strlen(rows[i].json), name, sizeof(name));

		if (found != !!rows[i].want || (found && strcmp(name, rows[i].want)))
			fail_msg("row %zu: %s", i, found ? name : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta),
		cmocka_unit_test(test_meta_sparse),
		cmocka_unit_test(test_meta_missing),
		cmocka_unit_test(test_pack_alignment),
		cmocka_unit_test(test_a_text_is_packed_once),
		cmocka_unit_test(test_words_are_shared),
		cmocka_unit_test(test_rv_cmp),
		cmocka_unit_test(test_scan_rv),
		cmocka_unit_test(test_scan_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
