/*
 * What the text of a child hashes to, of what it is made: a pass that changes nothing need not put
 * its children into words to find that out.
 */
#include "internal.h"

/* Some ingredients come and go with cells and revisions; then all is learnt anew. */
#define MADE_MAX 64

struct made {
	unsigned n, cap;
	struct {
		uint64_t ingredients, hash;
	} v[];
};

bool made_find(const struct key_state *ks, uint64_t ingredients, uint64_t *hash)
{
	const struct made *made = ks->made;

	for (unsigned i = 0; made && i < made->n; i++)
		if (made->v[i].ingredients == ingredients) {
			*hash = made->v[i].hash;
			return true;
		}
	return false;
}

void made_note(struct key_state *ks, uint64_t ingredients, uint64_t hash)
{
	struct made *made = ks->made;

	if (made && made->n == MADE_MAX)
		made->n = 0;
	if (!made || made->n == made->cap) {
		unsigned cap = made ? 2 * made->cap : 8;

		made = xrealloc(made, sizeof(*made) + cap * sizeof(made->v[0]));
		made->n = ks->made ? made->n : 0;
		made->cap = cap;
		ks->made = made;
	}
	made->v[made->n].ingredients = ingredients;
	made->v[made->n++].hash = hash;
}

void made_forget(struct key_state *ks)
{
	free(ks->made);
	ks->made = NULL;
}
