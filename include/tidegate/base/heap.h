/*
 * Intrusive binary min-heap. The node sits in the element and remembers its
 * place, so that an element can be moved or removed in O(log n).
 * The heap owns the index array, not the elements.
 */
#ifndef TIDEGATE_BASE_HEAP_H
#define TIDEGATE_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;  /* smallest first */
	uint64_t seq; /* ties: first come first */
	size_t pos;   /* 1-based; 0 = in no heap */
};

struct heap {
	struct heap_node **v;
	size_t len, cap;
	uint64_t next_seq;
};

void heap_init(struct heap *h);
void heap_release(struct heap *h);
/* Inserts, or moves a node that is in already, to `key`. */
void heap_set(struct heap *h, struct heap_node *n, int64_t key);
/* The same, but behind those that have that key already, even where it had it itself. */
void heap_set_last(struct heap *h, struct heap_node *n, int64_t key);
void heap_remove(struct heap *h, struct heap_node *n); /* harmless when in no heap */

/* NULL when empty. */
static inline struct heap_node *heap_min(const struct heap *h)
{
	return h->len ? h->v[0] : NULL;
}

static inline bool heap_node_in(const struct heap_node *n)
{
	return n->pos != 0;
}

#endif
