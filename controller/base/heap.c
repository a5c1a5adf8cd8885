#include "tidegate/base/heap.h"

#include <string.h>

#include "tidegate/base/alloc.h"

/* v is 0-based, node->pos 1-based: children of pos p are 2p and 2p+1. */

void heap_init(struct heap *h)
{
	memset(h, 0, sizeof(*h));
}

void heap_release(struct heap *h)
{
	size_t i;

	for (i = 0; i < h->len; i++)
		h->v[i]->pos = 0;
	free(h->v);
	heap_init(h);
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void put(struct heap *h, size_t pos, struct heap_node *n)
{
	h->v[pos - 1] = n;
	n->pos = pos;
}

static void sift_up(struct heap *h, struct heap_node *n)
{
	size_t pos = n->pos;

	while (pos > 1 && before(n, h->v[pos / 2 - 1])) {
		put(h, pos, h->v[pos / 2 - 1]);
		pos /= 2;
	}
	put(h, pos, n);
}

static size_t first_child(const struct heap *h, size_t pos)
{
	size_t child = pos * 2;

	return child + (child < h->len && before(h->v[child], h->v[child - 1]));
}

static void sift_down(struct heap *h, struct heap_node *n)
{
	size_t pos = n->pos, child;

	while (pos * 2 <= h->len) {
		child = first_child(h, pos);
		if (!before(h->v[child - 1], n))
			break;
		put(h, pos, h->v[child - 1]);
		pos = child;
	}
	put(h, pos, n);
}

void heap_set(struct heap *h, struct heap_node *n, int64_t key)
{
	if (!heap_node_in(n) || n->key != key)
		heap_set_last(h, n, key);
}

/* To where its key belongs, which is in one of the two directions. */
static void sift(struct heap *h, struct heap_node *n)
{
	if (n->pos > 1 && before(n, h->v[n->pos / 2 - 1]))
		sift_up(h, n);
	else
		sift_down(h, n);
}

static void append(struct heap *h, struct heap_node *n)
{
	if (h->len == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->v = xreallocarray(h->v, h->cap, sizeof(*h->v));
	}
	put(h, ++h->len, n);
	sift_up(h, n);
}

void heap_set_last(struct heap *h, struct heap_node *n, int64_t key)
{
	n->key = key;
	n->seq = h->next_seq++;
	if (heap_node_in(n))
		sift(h, n);
	else
		append(h, n);
}

/* The last one belongs near the bottom: the gap goes there first, at one comparison a level. */
void heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *last;
	size_t pos = n->pos, child;

	if (!pos)
		return;
	n->pos = 0;
	last = h->v[--h->len];
	if (last == n)
		return;
	for (; pos * 2 <= h->len; pos = child) {
		child = first_child(h, pos);
		put(h, pos, h->v[child - 1]);
	}
	last->pos = pos;
	sift_up(h, last);
}
