#include "watch.h"

#include <stdio.h>

#define SYNC_POLL_MS 20

static bool synced(void *arg)
{
	const struct watch *w = arg;

	return w->store.synced;
}

static void progress(void *arg, char *text, size_t size)
{
	const struct watch *w = arg;
	char trouble[WATCH_TROUBLE_MAX];

	if (synced(arg))
		snprintf(text, size, "watching %zu %ss", store_len(&w->store), w->store.kind->kind);
	else
		snprintf(text, size, "waiting for the first list of %ss%s", w->store.kind->kind,
		         watch_trouble(w, trouble));
}

/* An empty first list is delivered to no handler, so synced has to be asked for. */
static void on_poll(void *arg)
{
	struct watch *w = arg;

	session_look(w->session);
	if (!synced(w))
		timer_start(&w->poll, SYNC_POLL_MS);
}

int watch_init(struct watch *w, struct session *s, const struct object_kind *kind, store_handler fn,
               void *arg, struct err *err)
{
	const struct reflector_options o = {.quorum_first_list = true};

	w->session = s;
	timer_init(&w->poll, s->loop, on_poll, w);
	store_init(&w->store, kind);
	store_add_handler(&w->store, fn, arg);
	w->reflector = reflector_new(s->client, &w->store, &o);
	reflector_start(w->reflector);
	timer_start(&w->poll, SYNC_POLL_MS);
	return session_run(s, synced, progress, w, err);
}

void watch_release(struct watch *w)
{
	if (!w->session)
		return;
	timer_release(&w->poll);
	reflector_free(w->reflector);
	store_release(&w->store);
}

const char *watch_trouble(const struct watch *w, char *text)
{
	const char *trouble = reflector_trouble(w->reflector);

	*text = '\0';
	if (trouble)
		snprintf(text, WATCH_TROUBLE_MAX, ": %s", trouble);
	return text;
}
