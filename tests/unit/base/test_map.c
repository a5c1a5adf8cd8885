#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>

#include "tidegate/base/map.h"

static void test_empty(void **state)
{
	struct map m;
	size_t it = 0;

	(void)state;
	map_init(&m);
	assert_null(map_get(&m, "a"));
	assert_null(map_del(&m, "a"));
	assert_false(map_next(&m, &it, NULL, NULL));
	map_release(&m, free);
}

static void test_set_get_del(void **state)
{
	struct map m;
	char key[] = "key";
	int a, b;

	(void)state;
	map_init(&m);
	assert_null(map_set(&m, key, &a));
	key[0] = 'K'; /* it was copied */
	assert_ptr_equal(map_get(&m, "key"), &a);
	assert_null(map_get(&m, "Key"));
	assert_ptr_equal(map_set(&m, "key", &b), &a);
	assert_int_equal(m.len, 1);
	assert_ptr_equal(map_del(&m, "key"), &b);
	assert_null(map_get(&m, "key"));
	assert_int_equal(m.len, 0);
	assert_null(map_set(&m, "", &a));
	assert_ptr_equal(map_get(&m, ""), &a);
	map_release(&m, NULL);
}

struct owned {
	int n;
	char key[16];
};

/* Keys stand in the values: the newer value brings its own, the older one may go. */
static void test_borrowed_keys(void **state)
{
	struct map m;
	struct owned *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	size_t it = 0;
	const char *key;

	(void)state;
	snprintf(a->key, sizeof(a->key), "key");
	snprintf(b->key, sizeof(b->key), "key");
	map_init_borrowing(&m);
	assert_null(map_set(&m, a->key, a));
	assert_ptr_equal(map_set(&m, b->key, b), a);
	free(a);
	assert_true(map_next(&m, &it, &key, NULL));
	assert_ptr_equal(key, b->key);
	for (int i = 0; i < 100; i++) {
		struct owned *o = calloc(1, sizeof(*o));

		snprintf(o->key, sizeof(o->key), "k%d", i);
		assert_null(map_set(&m, o->key, o));
		if (i % 3 == 0)
			free(map_del(&m, o->key));
	}
	assert_ptr_equal(map_get(&m, "key"), b);
	assert_null(map_get(&m, "k3"));
	assert_non_null(map_get(&m, "k4"));
	map_release(&m, free);
	assert_int_equal(m.len, 0);
}

static unsigned freed;

static void count_free(void *p)
{
	freed++;
	free(p);
}

static void test_release_frees_values(void **state)
{
	struct map m;

	(void)state;
	map_init(&m);
	map_set(&m, "a", malloc(1));
	map_set(&m, "b", malloc(1));
	free(map_del(&m, "a"));
	map_release(&m, count_free);
	assert_int_equal(freed, 1);
	assert_int_equal(m.len, 0);
	assert_null(map_get(&m, "b"));
}

/* Entries that went must neither hide others nor pile up. */
static void test_gaps(void **state)
{
	struct map m;
	char key[16];
	int v;
	unsigned i;

	(void)state;
	map_init(&m);
	map_set(&m, "stays", &v);
	for (i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_null(map_set(&m, key, &v));
		assert_ptr_equal(map_del(&m, key), &v);
		assert_null(map_get(&m, key));
		assert_ptr_equal(map_get(&m, "stays"), &v);
	}
	assert_true(m.cap <= 16);
	assert_int_equal(m.len, 1);
	map_release(&m, NULL);
}

static void test_shrinks(void **state)
{
	struct map m;
	char key[16];
	int v;

	(void)state;
	map_init(&m);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		map_set(&m, key, &v);
	}
	assert_int_equal(m.cap, 4096);
	assert_in_range(m.room, 3000, 4500);
	for (unsigned i = 0; i < 2990; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_ptr_equal(map_del(&m, key), &v);
	}
	assert_in_range(m.cap, 16, 128);
	assert_in_range(m.room, 10, 40);
	for (unsigned i = 2990; i < 3000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_ptr_equal(map_get(&m, key), &v);
	}
	map_release(&m, NULL);
}

#define KEYS 500

/* Random operations against an array. */
static void test_model(void **state)
{
	void *model[KEYS] = {0};
	struct map m;
	unsigned step, i;
	uint32_t seed = 12345;
	size_t live = 0;
	char key[16];

	(void)state;
	map_init(&m);
	for (step = 0; step < 50000; step++) {
		unsigned op, k;

		seed = seed * 1664525 + 1013904223;
		k = (seed >> 8) % KEYS;
		op = (seed >> 28) % 3;
		snprintf(key, sizeof(key), "ns/%u", k);
		if (op == 0) {
			void *v = &model[(seed >> 4) % KEYS];

			assert_ptr_equal(map_set(&m, key, v), model[k]);
			live += !model[k];
			model[k] = v;
		} else if (op == 1) {
			assert_ptr_equal(map_del(&m, key), model[k]);
			live -= model[k] != NULL;
			model[k] = NULL;
		} else {
			assert_ptr_equal(map_get(&m, key), model[k]);
		}
		assert_int_equal(m.len, live);
	}
	for (i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "ns/%u", i);
		assert_ptr_equal(map_get(&m, key), model[i]);
	}
	map_release(&m, NULL);
}

/* Each number leads to its place of seen. */
static void fill(struct map *m, unsigned *seen, unsigned n)
{
	char text[16];

	map_init(m);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%u", i);
		map_set(m, text, &seen[i]);
	}
}

/* Of others than the current one: nobody is missed, nothing beyond the end is touched. */
static void test_iteration_with_removal_of_others(void **state)
{
	unsigned seen[60] = {0};
	struct map m;
	const char *key;
	void *value;
	size_t it = 0;
	char text[16];

	(void)state;
	fill(&m, seen, 60);
	while (map_next(&m, &it, &key, &value)) {
		unsigned i = (unsigned)((unsigned *)value - seen);

		++*(unsigned *)value;
		for (unsigned j = i / 3 * 3; j < i / 3 * 3 + 3; j++) {
			snprintf(text, sizeof(text), "%u", j);
			if (j != i)
				map_del(&m, text);
		}
	}
	assert_int_equal(m.len, 20);
	for (unsigned i = 0; i < 60; i += 3)
		assert_true(seen[i] + seen[i + 1] + seen[i + 2] >= 1);
	map_release(&m, NULL);
}

static void test_iteration_with_removal(void **state)
{
	unsigned seen[100] = {0}, i, n = 0;
	struct map m;
	const char *key;
	void *value;
	size_t it = 0;

	(void)state;
	fill(&m, seen, 100);
	while (map_next(&m, &it, &key, &value)) {
		assert_int_equal(strtoul(key, NULL, 10), (unsigned *)value - seen);
		++*(unsigned *)value;
		n++;
		if (n % 2)
			assert_ptr_equal(map_del(&m, key), value);
	}
	assert_int_equal(n, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(m.len, 50);
	map_release(&m, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_set_get_del),
		cmocka_unit_test(test_borrowed_keys),
		cmocka_unit_test(test_release_frees_values),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_shrinks),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_iteration_with_removal),
		cmocka_unit_test(test_iteration_with_removal_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
