#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/heap.h"

static void check_invariants(const struct heap *h)
{
	size_t i;

	for (i = 0; i < h->len; i++) {
		assert_int_equal(h->v[i]->pos, i + 1);
		if (i) {
			const struct heap_node *up = h->v[(i - 1) / 2];

			assert_true(up->key < h->v[i]->key ||
			            (up->key == h->v[i]->key && up->seq < h->v[i]->seq));
		}
	}
}

static void test_empty(void **state)
{
	struct heap_node n = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_null(heap_min(&h));
	heap_remove(&h, &n);
	assert_false(heap_node_in(&n));
	heap_release(&h);
}

static void test_ties_keep_their_order(void **state)
{
	struct heap_node n[50] = {0};
	struct heap h;
	unsigned i;

	(void)state;
	heap_init(&h);
	for (i = 0; i < 50; i++)
		heap_set(&h, &n[i], 7);
	/* The same key again does not send a node behind the others. */
	heap_set(&h, &n[0], 7);
	assert_ptr_equal(heap_min(&h), &n[0]);
	/* This does. */
	heap_set_last(&h, &n[0], 7);
	check_invariants(&h);
	for (i = 0; i < 50; i++) {
		assert_ptr_equal(heap_min(&h), &n[(i + 1) % 50]);
		heap_remove(&h, &n[(i + 1) % 50]);
	}
	heap_release(&h);
}

static void test_extreme_keys(void **state)
{
	struct heap_node low = {0}, high = {0}, zero = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_set(&h, &high, INT64_MAX);
	heap_set(&h, &zero, 0);
	heap_set(&h, &low, INT64_MIN);
	assert_ptr_equal(heap_min(&h), &low);
	heap_set(&h, &low, INT64_MAX);
	assert_ptr_equal(heap_min(&h), &zero);
	heap_remove(&h, &zero);
	assert_ptr_equal(heap_min(&h), &high);
	heap_release(&h);
	assert_false(heap_node_in(&high));
}

#define NODES 300

static struct heap_node *naive_min(struct heap_node *n)
{
	struct heap_node *best = NULL;
	unsigned i;

	for (i = 0; i < NODES; i++) {
		if (!heap_node_in(&n[i]))
			continue;
		if (!best || n[i].key < best->key ||
		    (n[i].key == best->key && n[i].seq < best->seq))
			best = &n[i];
	}
	return best;
}

static void test_model(void **state)
{
	struct heap_node n[NODES] = {0};
	uint32_t seed = 99;
	struct heap h;
	unsigned step;

	(void)state;
	heap_init(&h);
	for (step = 0; step < 20000; step++) {
		struct heap_node *node;

		seed = seed * 1664525 + 1013904223;
		node = &n[(seed >> 8) % NODES];
		switch (seed >> 30) {
		case 0:
			heap_remove(&h, node);
			assert_false(heap_node_in(node));
			break;
		case 1:
			if (heap_min(&h))
				heap_remove(&h, heap_min(&h));
			break;
		default:
			heap_set(&h, node, (seed >> 12) % 64);
			assert_true(heap_node_in(node));
			break;
		}
		if (step % 100 == 0)
			check_invariants(&h);
		assert_ptr_equal(heap_min(&h), naive_min(n));
	}
	heap_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_ties_keep_their_order),
		cmocka_unit_test(test_extreme_keys),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
