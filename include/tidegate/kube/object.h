/*
 * What all cached objects have in common, and what a kind must bring along.
 *
 * A cached object is one malloc'ed projection of the JSON: a struct that starts
 * with `struct object` and ends with its own strings, so that freeing it is one
 * free(). The JSON tree is dropped as soon as it is projected.
 */
#ifndef TIDEGATE_KUBE_OBJECT_H
#define TIDEGATE_KUBE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/err.h"
#include "tidegate/base/json.h"
#include "tidegate/base/list.h"

struct object {
	const char *namespace; /* "" for cluster-scoped kinds */
	const char *name;
	const char *uid;
	const char *resource_version;
	const char *owner_uid;  /* controller owner reference, NULL when none */
	const char *owner_kind; /* its kind, NULL when none */
	const char *owner_name;
	int64_t generation;
	int64_t created_ms; /* creationTimestamp, wall */
	int64_t deleted_ms; /* deletionTimestamp, 0 when not being deleted */
	char *key;          /* "ns/name" or "name"; packed by object_meta_fill() */
	/* the store's own */
	struct list owner_link;
	uint32_t mark;
	bool owner_first; /* the map of owners knows this one */
};

/* A resource to list and watch, and how to project its objects. */
struct object_kind {
	const char *kind;     /* "Pod" */
	const char *api;      /* "/api/v1" or "/apis/apps/v1" */
	const char *resource; /* "pods" */
	bool cluster_scoped;
	bool by_owner; /* the store keeps an index for store_next_owned() */
	/*
	 * Projects one object. Returns malloc'ed memory whose first member is struct object
	 * (filled with object_meta_decode()), or NULL with *err set. `scratch` is reset
	 * after the call.
	 */
	struct object *(*decode)(const struct json *json, struct arena *scratch, struct err *err);
	/* NULL = free(). */
	void (*free)(struct object *o);
	/*
	 * True when the two versions differ in nothing that a handler looks at (e.g. only
	 * managedFields): handlers are then not called. NULL = never.
	 */
	bool (*same)(const struct object *a, const struct object *b);
};

#define PACK_TEXTS 48

/* A text that stands in the block already. */
struct pack_text {
	const char *s;
	size_t len, at;
};

/*
 * Packs strings behind a struct in one allocation: first pass counts, second copies.
 *     struct pod *p = object_pack(sizeof(*p), fill, ctx)
 * calls fill(p, packer, ctx) twice; pack_str() returns the address in the final block.
 * In the counting pass p is a draft that is thrown away, and pack_str() returns "".
 * Both passes must pack the same; another size in the second pass aborts.
 * A text that is the end of another one in the block takes no room (a revision that ends its
 * ReplicaSet's name), so what is packed must stay where it is until object_pack() returns.
 */
struct packer {
	char *base; /* NULL in the counting pass */
	size_t used;
	unsigned ntexts; /* the first PACK_TEXTS are remembered */
	struct pack_text texts[PACK_TEXTS];
};
const char *pack_str(struct packer *p, const char *s); /* NULL stays NULL */
const char *pack_strn(struct packer *p, const char *s, size_t n);
/*
 * As pack_str(), for words of which a cluster has few and objects have many: namespaces, nodes,
 * types and reasons of conditions. Each is kept once for the life of the process, up to a bound;
 * what comes beyond is packed like any text.
 */
const char *pack_word(struct packer *p, const char *s);
/* Aligned room for n elements; NULL in the counting pass (do not write then). */
void *pack_array(struct packer *p, size_t n, size_t size);
void *object_pack(size_t size, void (*fill)(void *obj, struct packer *p, const void *ctx),
                  const void *ctx);

/* Fills the common part from metadata; -1 when name or uid is missing. Call it from `fill`. */
int object_meta_check(const struct json *json, struct err *err);
void object_meta_fill(struct object *o, struct packer *p, const struct json *json);

/*
 * metadata.resourceVersion in an object's JSON, cut to `size`, without building a tree: answers to
 * writes are read for nothing else. False when there is none. Text that is no JSON is safe to read.
 */
bool object_scan_rv(const char *json, size_t len, char *rv, size_t size);
/* metadata.name, likewise. */
bool object_scan_name(const char *json, size_t len, char *name, size_t size);
/* Compare resource versions (KEP-5504): longer is greater, else strcmp. NULL or "" is smallest. */
int rv_cmp(const char *a, const char *b);

#endif
