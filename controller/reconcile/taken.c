/*
 * Names that others hold. What is not in our caches, which know only what is ours, is made by POST,
 * and 409 says that somebody else's object has the name. It is left alone and told; what a release
 * can do without is then tried again now and then, because others go, too.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

/* Once may be our own object that the cache has not shown yet. */
#define SURE_TRIES 2
#define SOON_MS    2000
#define LATER_MS   30000

struct taken {
	struct taken *next;
	enum cache cache;
	int64_t tried_ms; /* monotonic */
	unsigned tries;
	char name[];
};

static struct taken **find(struct key_state *ks, enum cache cache, const char *name)
{
	struct taken **p = &ks->taken;

	while (*p && ((*p)->cache != cache || !str_eq((*p)->name, name)))
		p = &(*p)->next;
	return p;
}

void taken_note(struct key_state *ks, enum cache cache, const char *name)
{
	struct taken **p = find(ks, cache, name), *t = *p;

	if (!t) {
		t = *p = xcalloc(1, sizeof(*t) + strlen(name) + 1);
		t->cache = cache;
		memcpy(t->name, name, strlen(name));
	}
	t->tries++;
	t->tried_ms = clock_mono_ms();
}

static void drop(struct taken **p)
{
	struct taken *t = *p;

	*p = t->next;
	free(t);
}

void taken_forget(struct key_state *ks, enum cache cache, const char *name)
{
	struct taken **p = find(ks, cache, name);

	if (*p)
		drop(p);
}

void taken_free(struct key_state *ks)
{
	while (ks->taken)
		drop(&ks->taken);
}

int64_t taken_wait_ms(const struct key_state *ks, enum cache cache, const char *name)
{
	for (const struct taken *t = ks->taken; t; t = t->next) {
		int64_t wait = t->tried_ms + (t->tries < SURE_TRIES ? SOON_MS : LATER_MS) -
		               clock_mono_ms();

		if (t->cache == cache && str_eq(t->name, name))
			return wait > 0 ? wait : 0;
	}
	return 0;
}

const char *taken_text(const struct mdep_operator *op, const struct mdep *m, struct key_state *ks,
                       struct arena *a)
{
	const char *text = NULL;

	for (struct taken **p = &ks->taken; *p;) {
		struct taken *t = *p;

		/* Ours after all, or it is now. */
		if (store_get(&op->stores[t->cache], m->meta.namespace, t->name)) {
			drop(p);
			continue;
		}
		if (t->tries >= SURE_TRIES)
			text = arena_printf(a, "%s%s%s %s", text ? text : "", text ? ", " : "",
			                    op->stores[t->cache].kind->kind, t->name);
		p = &t->next;
	}
	return text;
}
