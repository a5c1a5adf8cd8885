#include "tidegate/kube/object.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"

#define PACK_ALIGN _Alignof(max_align_t)
#define WORDS_MAX  4096
#define WORD_MAX   48

/* Takes n bytes of the block; NULL in the counting pass. */
static char *pack_room(struct packer *p, size_t n)
{
	char *at = p->base ? p->base + p->used : NULL;

	p->used += n;
	return at;
}

/* The text takes the next n + 1 bytes of the block. */
static void remember(struct packer *p, const char *s, size_t n, size_t at)
{
	if (p->ntexts < PACK_TEXTS)
		p->texts[p->ntexts++] = (struct pack_text){s, n, at};
}

static const struct pack_text *find_end(const struct packer *p, const char *s, size_t n)
{
	for (unsigned i = 0; i < p->ntexts; i++) {
		const struct pack_text *t = &p->texts[i];

		if (t->len >= n && !memcmp(t->s + t->len - n, s, n))
			return t;
	}
	return NULL;
}

const char *pack_strn(struct packer *p, const char *s, size_t n)
{
	const struct pack_text *t = find_end(p, s, n);
	char *at;

	if (t)
		return p->base ? p->base + t->at + t->len - n : "";
	remember(p, s, n, p->used);
	at = pack_room(p, n + 1);
	if (!at)
		return "";
	memcpy(at, s, n);
	at[n] = '\0';
	return at;
}

const char *pack_str(struct packer *p, const char *s)
{
	return s ? pack_strn(p, s, strlen(s)) : NULL;
}

const char *pack_word(struct packer *p, const char *s)
{
	static struct map words;
	char *word;

	if (!s || strnlen(s, WORD_MAX + 1) > WORD_MAX)
		return pack_str(p, s);
	word = map_get(&words, s);
	if (word)
		return word;
	/* It comes again in the copying pass, or will with the next object: both passes agree. */
	if (words.len == WORDS_MAX)
		return pack_str(p, s);
	words.borrows = true;
	word = xstrdup(s);
	map_set(&words, word, word);
	return word;
}

void *pack_array(struct packer *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2) {
		log_error("array of an object does not fit the address space");
		abort();
	}
	p->used = (p->used + PACK_ALIGN - 1) & ~(PACK_ALIGN - 1);
	return pack_room(p, bytes);
}

void *object_pack(size_t size, void (*fill)(void *obj, struct packer *p, const void *ctx),
                  const void *ctx)
{
	struct packer count = {.base = NULL, .used = size, .ntexts = 0};
	struct packer copy = {.base = NULL, .used = size, .ntexts = 0};
	void *draft = xcalloc(1, size);
	char *block;

	fill(draft, &count, ctx);
	free(draft);
	block = xcalloc(1, count.used);
	copy.base = block;
	fill(block, &copy, ctx);
	if (copy.used != count.used) { /* memory may be overrun already */
		log_error("an object's fill function did not do the same twice");
		abort();
	}
	return block;
}

int object_meta_check(const struct json *json, struct err *err)
{
	const struct json *meta = json_get(json, "metadata");

	if (!json_is_object(meta))
		return err_set(err, ERR_INVALID, "metadata is missing");
	if (str_empty(json_str(meta, "name")))
		return err_set(err, ERR_INVALID, "metadata.name is missing");
	if (str_empty(json_str(meta, "uid")))
		return err_set(err, ERR_INVALID, "metadata.uid is missing");
	return 0;
}

/* "ns/name" in one string; the name is its end, so that it needs no copy of its own. */
static void fill_key(struct object *o, struct packer *p, const char *ns, const char *name)
{
	size_t nslen = strlen(ns), namelen = strlen(name);
	size_t at = nslen ? nslen + 1 : 0;
	char *key;

	remember(p, name, namelen, p->used + at);
	key = pack_room(p, at + namelen + 1);
	o->namespace = nslen ? pack_word(p, ns) : "";
	o->name = "";
	if (!key)
		return;
	if (nslen) {
		memcpy(key, ns, nslen);
		key[nslen] = '/';
	}
	memcpy(key + at, name, namelen + 1);
	o->key = key;
	o->name = key + at;
}

static const struct json *controller_owner(const struct json *meta)
{
	const struct json *ref;

	json_for_each (ref, json_get(meta, "ownerReferences"))
		if (json_bool(ref, "controller", false))
			return ref;
	return NULL;
}

/* An instant that is there but unreadable is not "never": 1 ms after the epoch stands for it. */
static int64_t instant(const struct json *meta, const char *key)
{
	const char *s = json_str(meta, key);
	int64_t ms;

	if (!s)
		return 0;
	return clock_parse(s, &ms) == 0 && ms > 0 ? ms : 1;
}

void object_meta_fill(struct object *o, struct packer *p, const struct json *json)
{
	const struct json *meta = json_get(json, "metadata");
	const struct json *owner = controller_owner(meta);

	fill_key(o, p, str_or(json_str(meta, "namespace"), ""), str_or(json_str(meta, "name"), ""));
	o->uid = pack_str(p, str_or(json_str(meta, "uid"), ""));
	o->resource_version = pack_str(p, str_or(json_str(meta, "resourceVersion"), ""));
	o->owner_uid = pack_str(p, json_str(owner, "uid"));
	o->owner_kind = pack_word(p, json_str(owner, "kind"));
	o->owner_name = pack_str(p, json_str(owner, "name"));
	o->generation = json_i64(meta, "generation", 0);
	o->created_ms = instant(meta, "creationTimestamp");
	o->deleted_ms = instant(meta, "deletionTimestamp");
}

/* One past the closing quote of the string that s stands in, NULL when it has none. */
static const char *string_end(const char *s, const char *end)
{
	for (; s < end; s++) {
		s += str_plain_run(s, (size_t)(end - s));
		if (s == end)
			return NULL;
		if (*s == '"')
			return s + 1;
		if (*s == '\\')
			s++;
	}
	return NULL;
}

static const char *skip_blank(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n'))
		s++;
	return s;
}

static bool named(const char *from, const char *past, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(past - from) == n + 1 && !memcmp(from, name, n);
}

/* The string that stands at s, without its quotes; s is behind a key's colon. */
static bool take_string(const char *s, const char *end, char *out, size_t size)
{
	const char *past;
	size_t n;

	s = skip_blank(s, end);
	if (s == end || *s != '"' || !(past = string_end(s + 1, end)))
		return false;
	n = (size_t)(past - 1 - (s + 1));
	if (n >= size)
		n = size - 1;
	memcpy(out, s + 1, n);
	out[n] = '\0';
	return true;
}

static bool scan_meta(const char *json, size_t len, const char *key, char *out, size_t size)
{
	const char *end = json + len, *past, *next;
	bool in_meta = false;
	int depth = 0;

	for (const char *s = json; s < end; s++) {
		if (*s == '{' || *s == '[')
			depth++;
		else if (*s == '}' || *s == ']')
			depth--;
		if (*s != '"')
			continue;
		past = string_end(s + 1, end);
		if (!past)
			return false;
		next = skip_blank(past, end);
		if (next < end && *next == ':') {
			if (depth == 1)
				in_meta = named(s + 1, past, "metadata");
			else if (depth == 2 && in_meta && named(s + 1, past, key))
				return take_string(next + 1, end, out, size);
		}
		s = past - 1;
	}
	return false;
}

bool object_scan_rv(const char *json, size_t len, char *rv, size_t size)
{
	return scan_meta(json, len, "resourceVersion", rv, size);
}

bool object_scan_name(const char *json, size_t len, char *name, size_t size)
{
	return scan_meta(json, len, "name", name, size);
}

int rv_cmp(const char *a, const char *b)
{
	size_t la = a ? strlen(a) : 0, lb = b ? strlen(b) : 0;

	if (la != lb)
		return la < lb ? -1 : 1;
	return la ? strcmp(a, b) : 0;
}
