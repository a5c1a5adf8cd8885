/* Which pods are listed as endpoints, by whatever slices name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../../controller/reconcile/internal.h"
#include "tidegate/net/loop.h"

struct scene {
	struct mdep_operator op;
	struct endpoints *e;
};

static void open_scene(struct scene *s)
{
	struct err err = ERR_INIT;

	*s = (struct scene){.op = {.loop = loop_new()}};
	s->op.stores[CACHE_ENDPOINT].synced = true;
	s->e = endpoints_new(&s->op, &err);
	assert_non_null(s->e);
}

static void close_scene(struct scene *s)
{
	endpoints_free(s->e);
	loop_free(s->op.loop);
}

static bool is_listed(struct scene *s, const char *name)
{
	char key[16];
	const struct pod pod = {.meta = {.namespace = "shop", .key = key}}, *pods[] = {&pod};
	struct rollout_cell cell = {.pods = pods, .npods = 1};
	cleanup_arena struct arena a;

	snprintf(key, sizeof(key), "shop/%s", name);
	arena_init(&a, 0);
	endpoints_read(s->e, &a, &cell);
	return cell.facts[0].listed_ms > 0;
}

static void tell(struct scene *s, enum store_change change, const struct endpointslice *was,
                 const struct endpointslice *is)
{
	endpoints_slice(s->e, &(struct store_event){.change = change,
	                                            .object = &is->meta,
	                                            .previous = was ? &was->meta : NULL});
}

static const char *const one[] = {"a"}, *const both[] = {"a", "b"};
static const struct endpointslice empty = {.meta = {.namespace = "shop"}};
static const struct endpointslice first = {.meta = {.namespace = "shop"}, .pods = one, .npods = 1};
static const struct endpointslice second = {
	.meta = {.namespace = "shop"}, .pods = both, .npods = 2};

/* The front's Service lets go of a pod that its revision's goes on naming. */
static void test_a_pod_is_listed_while_any_slice_names_it(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	tell(&s, STORE_ADDED, NULL, &first);
	tell(&s, STORE_ADDED, NULL, &second);
	assert_true(is_listed(&s, "a") && is_listed(&s, "b"));
	tell(&s, STORE_UPDATED, &first, &empty);
	assert_true(is_listed(&s, "a"));
	tell(&s, STORE_UPDATED, &second, &second);
	assert_true(is_listed(&s, "a"));
	tell(&s, STORE_DELETED, NULL, &second);
	assert_false(is_listed(&s, "a") || is_listed(&s, "b"));
	close_scene(&s);
}

/* As when a Service's slices are filled up anew: in either order. */
static void test_a_pod_moves_from_slice_to_slice(void **state)
{
	struct scene s;

	(void)state;
	for (int late = 0; late < 2; late++) {
		open_scene(&s);
		tell(&s, STORE_ADDED, NULL, &second);
		if (!late)
			tell(&s, STORE_ADDED, NULL, &first);
		tell(&s, STORE_UPDATED, &second, &empty);
		assert_int_equal(is_listed(&s, "a"), !late);
		if (late)
			tell(&s, STORE_ADDED, NULL, &first);
		assert_true(is_listed(&s, "a"));
		assert_false(is_listed(&s, "b"));
		close_scene(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pod_is_listed_while_any_slice_names_it),
		cmocka_unit_test(test_a_pod_moves_from_slice_to_slice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
