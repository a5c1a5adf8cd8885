/* Store: what handlers see, and random histories against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "thing.h"
#include "tidegate/base/alloc.h"
#include "tidegate/kube/store.h"

#define LOG_MAX (1u << 20)

/* A thing as the API server would send it. */
static struct object *make(const char *key, const char *uid, const char *rv, const char *owner,
                           const char *value)
{
	struct arena cleanup_arena a;
	const char *slash = strchr(key, '/');
	const char *text;

	arena_init(&a, 0);
	text = arena_printf(
		&a,
		"{\"metadata\":{\"namespace\":\"%.*s\",\"name\":\"%s\",\"uid\":\"%s\","
		"\"resourceVersion\":\"%s\",\"ownerReferences\":[{\"uid\":\"%s\",\"kind\":\"O\","
		"\"controller\":%s}]},\"spec\":{\"value\":\"%s\"}}",
		slash ? (int)(slash - key) : 0, key, slash ? slash + 1 : key, uid, rv,
		owner ? owner : "", owner ? "true" : "false", value);
	return thing_decode(json_parse(&a, text, strlen(text), NULL), &a, NULL);
}

struct bed {
	struct store store;
	struct buf log; /* one line a delivery */
};

static void on_change(void *arg, const struct store_event *ev)
{
	struct bed *b = arg;
	const struct object *o = ev->object;
	const struct object *now = store_get_key(&b->store, o->key);

	buf_addf(&b->log, "%c %s@%s", "+~-"[ev->change], o -> key, o -> resource_version);
	if (ev->previous)
		buf_addf(&b->log, " was %s", ev->previous->resource_version);
	if (ev->initial)
		buf_addstr(&b->log, " initial");
	if (ev->final_unknown)
		buf_addstr(&b->log, " unknown");
	buf_addch(&b->log, '\n');
	/* The store is never behind what it tells. */
	if (ev->change == STORE_DELETED)
		assert_true(!now || !str_eq(now->uid, o->uid));
	else
		assert_ptr_equal(now, o);
}

static void bed_init(struct bed *b)
{
	store_init(&b->store, &thing_kind);
	store_add_handler(&b->store, on_change, b);
	buf_init(&b->log, LOG_MAX);
}

static void bed_release(struct bed *b)
{
	store_release(&b->store);
	buf_release(&b->log);
}

static void expect(struct bed *b, const char *log)
{
	assert_string_equal(b->log.data, log);
	buf_reset(&b->log);
}

static void first_list(struct bed *b)
{
	struct store_replace *r = store_replace_begin(&b->store);

	store_replace_put(r, make("s/a", "ua", "1", "o1", "x"));
	store_replace_put(r, make("s/b", "ub", "2", "o1", "x"));
	store_replace_put(r, make("s/c", "uc", "3", NULL, "x"));
	assert_int_equal(store_len(&b->store), 0);
	assert_false(b->store.synced);
	store_replace_commit(r, "3");
	assert_true(b->store.synced);
	assert_string_equal(b->store.last_rv, "3");
	expect(b, "+ s/a@1 initial\n+ s/b@2 initial\n+ s/c@3 initial\n");
}

static void test_put_and_remove(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b);
	first_list(&b);
	store_put(&b.store, make("s/a", "ua", "4", "o1", "y"));
	expect(&b, "~ s/a@4 was 1\n");
	store_put(&b.store, make("s/a", "ua", "4", "o1", "z")); /* sent twice */
	store_put(&b.store, make("s/a", "ua", "3", "o1", "z")); /* overtaken */
	store_put(&b.store, make("s/a", "u0", "2", "o1", "z")); /* an older incarnation */
	expect(&b, "");
	store_put(&b.store, make("s/a", "ua", "5", "o1", "y")); /* nothing that counts */
	expect(&b, "");
	assert_string_equal(store_get(&b.store, "s", "a")->resource_version, "5");
	store_remove(&b.store, "s/a", make("s/a", "ua", "6", "o1", "end"));
	expect(&b, "- s/a@6\n");
	store_remove(&b.store, "s/a", make("s/a", "ua", "6", "o1", "end"));
	store_remove(&b.store, "s/a", NULL);
	expect(&b, "");
	store_remove(&b.store, "s/b", NULL);
	expect(&b, "- s/b@2 unknown\n");
	assert_int_equal(store_len(&b.store), 1);
	assert_null(store_get(&b.store, "s", "a"));
	assert_non_null(store_get(&b.store, "s", "c"));
	bed_release(&b);
}

static void test_incarnations(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b);
	first_list(&b);
	store_put(&b.store, make("s/a", "ua2", "7", NULL, "x"));
	expect(&b, "- s/a@1 unknown\n+ s/a@7\n");
	store_remove(&b.store, "s/a", make("s/a", "ua", "6", "o1", "x")); /* the old one's end */
	expect(&b, "");
	store_remove(&b.store, "s/a", make("s/a", "ua3", "9", "o1", "x")); /* missed in between */
	expect(&b, "- s/a@7 unknown\n");
	bed_release(&b);
}

static void test_replace(void **state)
{
	struct store_replace *r;
	struct bed b;

	(void)state;
	bed_init(&b);
	first_list(&b);
	r = store_replace_begin(&b.store);
	store_replace_put(r, make("s/d", "ud", "9", NULL, "x"));
	store_replace_put(r, make("s/a", "ua", "8", "o2", "changed"));
	store_replace_put(r, make("s/b", "ub2", "7", NULL, "x"));
	expect(&b, "");
	assert_string_equal(store_get(&b.store, "s", "a")->resource_version, "1");
	store_replace_commit(r, "9");
	/* c's and b's end first (in no order), then the list's order. */
	assert_non_null(strstr(b.log.data, "- s/b@2 unknown\n"));
	assert_non_null(strstr(b.log.data, "- s/c@3 unknown\n"));
	assert_string_equal(strchr(b.log.data, '+'), "+ s/d@9\n~ s/a@8 was 1\n+ s/b@7\n");
	assert_int_equal(store_len(&b.store), 3);
	assert_null(store_next_owned(&b.store, "o1", NULL));
	assert_string_equal(store_next_owned(&b.store, "o2", NULL)->key, "s/a");
	bed_release(&b);
}

static void test_replace_corner_cases(void **state)
{
	struct store_replace *r;
	struct bed b;

	(void)state;
	bed_init(&b);
	first_list(&b);

	/* Nothing changed, one kept unread. */
	r = store_replace_begin(&b.store);
	store_replace_put(r, make("s/a", "ua", "1", "o1", "x"));
	store_replace_keep(r, "s/b");
	store_replace_keep(r, "s/none");
	store_replace_put(r, make("s/c", "uc", "3", NULL, "x"));
	store_replace_commit(r, "10");
	expect(&b, "");

	/* Twice in one list: the newer counts, in whatever order. */
	r = store_replace_begin(&b.store);
	store_replace_put(r, make("s/a", "ua", "12", "o1", "new"));
	store_replace_put(r, make("s/a", "ua", "1", "o1", "x"));
	store_replace_put(r, make("s/b", "ub", "2", "o1", "x"));
	store_replace_put(r, make("s/b", "ub", "11", "o1", "new"));
	store_replace_put(r, make("s/c", "uc", "3", NULL, "x"));
	store_replace_commit(r, "12");
	expect(&b, "~ s/a@12 was 1\n~ s/b@11 was 2\n");

	/* Added and removed again, removed though listed, removed and back. */
	r = store_replace_begin(&b.store);
	store_replace_put(r, make("s/n", "un", "13", NULL, "x"));
	store_replace_remove(r, "s/n", make("s/n", "un", "14", NULL, "x"));
	store_replace_put(r, make("s/a", "ua", "12", "o1", "new"));
	store_replace_remove(r, "s/a", NULL);
	store_replace_put(r, make("s/b", "ub", "11", "o1", "new"));
	store_replace_remove(r, "s/b", NULL);
	store_replace_put(r, make("s/b", "ub3", "15", "o1", "new"));
	store_replace_put(r, make("s/c", "uc", "3", NULL, "x"));
	store_replace_commit(r, "15");
	assert_non_null(strstr(b.log.data, "- s/a@12 unknown\n"));
	assert_non_null(strstr(b.log.data, "- s/b@11 unknown\n"));
	assert_string_equal(strchr(b.log.data, '+'), "+ s/b@15\n");
	buf_reset(&b.log);

	/* Given up half way. */
	r = store_replace_begin(&b.store);
	store_replace_put(r, make("s/z", "uz", "20", NULL, "x"));
	store_replace_abort(r);
	expect(&b, "");
	assert_int_equal(store_len(&b.store), 2);
	assert_string_equal(b.store.last_rv, "15");
	bed_release(&b);
}

/* --- random histories ---------------------------------------------------------------------- */

#define MODEL_KEYS   24
#define MODEL_OWNERS 4

struct model_object {
	bool live;
	unsigned uid, rv, owner;
};

struct model {
	struct model_object now[MODEL_KEYS];  /* what the API server has */
	struct model_object told[MODEL_KEYS]; /* what handlers were told */
	unsigned rv, uid;
	uint64_t rng;
	struct store store;
	unsigned deliveries;
};

static unsigned draw(struct model *m, unsigned below)
{
	m->rng = m->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(m->rng >> 33) % below;
}

static const char *key_of(unsigned i)
{
	static char key[16];

	snprintf(key, sizeof(key), "s/k%u", i);
	return key;
}

static struct object *model_make(unsigned i, const struct model_object *o)
{
	char uid[16], rv[16], owner[16];

	snprintf(uid, sizeof(uid), "u%u", o->uid);
	snprintf(rv, sizeof(rv), "%u", o->rv);
	snprintf(owner, sizeof(owner), "o%u", o->owner);
	return make(key_of(i), uid, rv, o->owner ? owner : NULL, rv);
}

static void model_told(void *arg, const struct store_event *ev)
{
	struct model *m = arg;
	unsigned i = (unsigned)strtoul(ev->object->name + 1, NULL, 10);
	unsigned uid = (unsigned)strtoul(ev->object->uid + 1, NULL, 10);
	struct model_object *t = &m->told[i];

	m->deliveries++;
	switch (ev->change) {
	case STORE_ADDED:
		assert_false(t->live);
		break;
	case STORE_UPDATED:
		assert_true(t->live && t->uid == uid);
		assert_int_equal(t->rv, strtoul(ev->previous->resource_version, NULL, 10));
		break;
	case STORE_DELETED:
		assert_true(t->live && t->uid == uid);
		break;
	}
	t->live = ev->change != STORE_DELETED;
	t->uid = uid;
	t->rv = (unsigned)strtoul(ev->object->resource_version, NULL, 10);
	t->owner =
		ev->object->owner_uid ? (unsigned)strtoul(ev->object->owner_uid + 1, NULL, 10) : 0;
}

static unsigned model_change(struct model *m)
{
	unsigned i = draw(m, MODEL_KEYS);
	struct model_object *o = &m->now[i];

	if (!o->live) {
		o->live = true;
		o->uid = ++m->uid;
		o->owner = draw(m, MODEL_OWNERS);
	} else if (draw(m, 3) == 0) {
		o->live = false;
	} else if (draw(m, 4) == 0) {
		o->owner = draw(m, MODEL_OWNERS);
	}
	o->rv = ++m->rv;
	return i;
}

/* A list of the present state, with some items twice and in old versions, in random order. */
static void model_replace(struct model *m)
{
	struct store_replace *r = store_replace_begin(&m->store);
	unsigned start = draw(m, MODEL_KEYS);
	char rv[16];

	for (unsigned n = 0; n < MODEL_KEYS; n++) {
		unsigned i = (start + n * 7) % MODEL_KEYS; /* 7 and 24 share no factor */

		if (draw(m, 8) == 0 && m->now[i].live && m->told[i].live &&
		    m->told[i].uid == m->now[i].uid)
			store_replace_put(r, model_make(i, &m->told[i]));
		if (m->now[i].live)
			store_replace_put(r, model_make(i, &m->now[i]));
	}
	if (draw(m, 5) == 0) {
		store_replace_abort(r);
		return;
	}
	snprintf(rv, sizeof(rv), "%u", m->rv);
	store_replace_commit(r, rv);
	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		assert_int_equal(m->told[i].live, m->now[i].live);
		assert_true(!m->now[i].live || m->told[i].rv == m->now[i].rv);
	}
}

/* What handlers were told, the store and its owner index are one and the same. */
static void model_check(const struct model *m)
{
	const struct object *o = NULL;
	unsigned live = 0, owned = 0, indexed = 0;
	size_t it = 0;

	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		o = store_get_key(&m->store, key_of(i));
		assert_int_equal(o != NULL, m->told[i].live);
		if (!o)
			continue;
		live++;
		owned += m->told[i].owner != 0;
		assert_int_equal(strtoul(o->resource_version, NULL, 10), m->told[i].rv);
	}
	assert_int_equal(store_len(&m->store), live);
	while (store_next(&m->store, &it))
		live--;
	assert_int_equal(live, 0);
	for (unsigned i = 1; i < MODEL_OWNERS; i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "o%u", i);
		for (o = NULL; (o = store_next_owned(&m->store, uid, o)); indexed++)
			assert_string_equal(o->owner_uid, uid);
	}
	assert_int_equal(indexed, owned);
}

static void model_run(uint64_t seed)
{
	struct model m = {.rng = seed};

	store_init(&m.store, &thing_kind);
	store_add_handler(&m.store, model_told, &m);
	for (int step = 0; step < 600; step++) {
		unsigned i, what = draw(&m, 10);

		if (what == 0) {
			model_replace(&m);
		} else if (what < 3) {
			model_change(&m); /* happens in a gap of the watch */
		} else {
			i = model_change(&m);
			if (m.now[i].live)
				store_put(&m.store, model_make(i, &m.now[i]));
			else
				store_remove(&m.store, key_of(i), model_make(i, &m.now[i]));
			if (what == 3 && m.now[i].live) /* sent again */
				store_put(&m.store, model_make(i, &m.now[i]));
		}
		model_check(&m);
	}
	assert_true(m.deliveries > 300);
	store_release(&m.store);
}

static void test_random_histories(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		model_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_remove),
		cmocka_unit_test(test_incarnations),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_corner_cases),
		cmocka_unit_test(test_random_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
