#include "ballot.h"

#include <string.h>

#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

static const struct vote nothing = {.zone = ""};

static void ballot_free(void *arg)
{
	struct ballot *b = arg;

	arena_release(&b->arena);
	free(b->uid);
	free(b);
}

void ballots_init(struct ballots *b)
{
	map_init(&b->by_name);
}

void ballots_release(struct ballots *b)
{
	map_release(&b->by_name, ballot_free);
}

static struct ballot *ballot_new(const struct vote_lease *l, int64_t now_ms)
{
	struct ballot *b = xcalloc(1, sizeof(*b));

	arena_init(&b->arena, 0);
	b->vote = nothing;
	b->uid = xstrdup(l->meta.uid);
	b->seen_ms = now_ms;
	return b;
}

/* A vote that cannot be read has no say; its replica is alive all the same. */
static void read_vote(struct ballot *b, const struct vote_lease *l, struct arena *a,
                      struct vote *out)
{
	struct err err = ERR_INIT;
	const char *text = str_or(l->votes, "");

	if (!vote_decode(text, strlen(text), a, out, &err)) {
		b->spoiled = false;
		return;
	}
	if (!b->spoiled)
		log_warn("vote of another replica cannot be read, it does not count",
		         LS("lease", l->meta.name), LE(&err));
	b->spoiled = true;
	*out = (struct vote){.zone = "", .blind = true};
}

static void take_vote(struct ballot *b, const struct vote_lease *l,
                      void (*fn)(void *arg, const char *model), void *arg)
{
	struct arena fresh;
	struct vote v;

	arena_init(&fresh, 0);
	read_vote(b, l, &fresh, &v);
	vote_compare(&b->vote, &v, fn, arg);
	arena_release(&b->arena);
	b->arena = fresh;
	b->vote = v;
}

void ballots_put(struct ballots *bs, const struct vote_lease *l, bool initial, int64_t now_ms,
                 void (*fn)(void *arg, const char *model), void *arg)
{
	struct ballot *b = map_get(&bs->by_name, l->meta.name);
	const char *text = str_or(l->votes, "");
	uint64_t hash = str_hash(STR_HASH_SEED, text, strlen(text));

	if (!b) {
		b = ballot_new(l, now_ms);
		map_set(&bs->by_name, l->meta.name, b);
		if (!initial)
			log_info("another replica votes", LS("lease", l->meta.name));
	}
	xstr_replace(&b->uid, l->meta.uid); /* a list may show what came in its place */
	if (!initial)
		b->heard_ms = b->seen_ms = now_ms;
	/* Mostly a Lease is renewed and says what it said. */
	if (b->text_hash != hash)
		take_vote(b, l, fn, arg);
	b->text_hash = hash;
}

void ballots_remove(struct ballots *bs, const char *name, void (*fn)(void *arg, const char *model),
                    void *arg)
{
	struct ballot *b = map_del(&bs->by_name, name);

	if (!b)
		return;
	log_info("another replica votes no more", LS("lease", name));
	vote_compare(&b->vote, &nothing, fn, arg);
	ballot_free(b);
}

static unsigned add_those(const struct ballots *bs, bool fresh, int64_t now_ms,
                          struct tally_other *out, unsigned n)
{
	size_t it = 0;
	void *value;

	while (n < TALLY_OTHERS_MAX && map_next(&bs->by_name, &it, NULL, &value)) {
		const struct ballot *b = value;

		out[n] = (struct tally_other){&b->vote, b->heard_ms};
		n += tally_is_fresh(&out[n], now_ms) == fresh;
	}
	return n;
}

unsigned ballots_list(const struct ballots *bs, int64_t now_ms, struct tally_other *out)
{
	unsigned n = add_those(bs, true, now_ms, out, 0);

	return add_those(bs, false, now_ms, out, n);
}

unsigned ballots_fresh(const struct ballots *bs, int64_t now_ms)
{
	struct tally_other all[TALLY_OTHERS_MAX];

	return add_those(bs, true, now_ms, all, 0);
}

bool ballots_press(const struct ballots *bs, int64_t now_ms)
{
	size_t it = 0;
	void *value;

	while (map_next(&bs->by_name, &it, NULL, &value)) {
		const struct ballot *b = value;
		struct tally_other o = {&b->vote, b->heard_ms};

		if (b->vote.nentries && tally_is_fresh(&o, now_ms))
			return true;
	}
	return false;
}

const char *ballots_take_stale(struct ballots *bs, int64_t now_ms, int64_t age_ms, const char **uid)
{
	size_t it = 0;
	const char *name;
	void *value;

	while (map_next(&bs->by_name, &it, &name, &value)) {
		struct ballot *b = value;

		if (now_ms - b->seen_ms < age_ms)
			continue;
		b->seen_ms = now_ms;
		*uid = b->uid;
		return name;
	}
	return NULL;
}
