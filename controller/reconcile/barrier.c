/*
 * What a new leader waits for: caches as new as the API server was when it was elected. On standby
 * nobody notices a watch that hangs, and what the last leader wrote meanwhile must not be decided
 * anew by an older picture.
 */
#include "internal.h"
#include "tidegate/base/log.h"
#include "tidegate/net/loop.h"

#define SLOW_MS 10000

struct barrier_wait {
	struct barrier *barrier;
	struct reflector_newest *newest;
};

struct barrier {
	struct mdep_operator *op;
	struct barrier_wait waits[CACHES];
	unsigned left;
	int64_t began_ms;
};

static void reached(void *arg)
{
	struct barrier_wait *w = arg;
	struct barrier *b = w->barrier;
	int64_t ms;

	reflector_newest_free(w->newest);
	w->newest = NULL;
	if (--b->left)
		return;
	ms = loop_now(b->op->loop) - b->began_ms;
	if (ms > SLOW_MS)
		log_warn("the caches were late, a watch may have been hanging", LI("ms", ms));
}

/* What is started later lists later. */
struct barrier *barrier_new(struct mdep_operator *op)
{
	struct barrier *b = xcalloc(1, sizeof(*b));

	b->op = op;
	b->began_ms = loop_now(op->loop);
	for (int i = 0; i < CACHES; i++)
		b->left += op->started[i];
	for (int i = 0; i < CACHES; i++) {
		b->waits[i].barrier = b;
		if (op->started[i])
			b->waits[i].newest =
				reflector_newest_new(op->reflectors[i], reached, &b->waits[i]);
	}
	return b;
}

bool barrier_passed(const struct barrier *b)
{
	return !b->left;
}

void barrier_free(struct barrier *b)
{
	if (!b)
		return;
	for (int i = 0; i < CACHES; i++)
		reflector_newest_free(b->waits[i].newest);
	free(b);
}
