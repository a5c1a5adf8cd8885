#include "project.h"

#include <limits.h>
#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

/* --- reading ----------------------------------------------------------------------------- */

int json_int(const struct json *o, const char *key, int fallback)
{
	int64_t v = json_i64(o, key, fallback);

	return v < INT_MIN || v > INT_MAX ? fallback : (int)v;
}

int64_t json_time(const struct json *o, const char *key)
{
	const char *s = json_str(o, key);
	int64_t ms;

	return s && clock_parse(s, &ms) == 0 && ms > 0 ? ms : 0;
}

const char *json_annotation(const struct json *object, const char *key)
{
	return json_str(json_path(object, "metadata", "annotations", NULL), key);
}

const char *json_label(const struct json *object, const char *key)
{
	return json_str(json_path(object, "metadata", "labels", NULL), key);
}

uint64_t json_apply_hash(const struct json *object)
{
	const char *s = json_annotation(object, TG_ANN_APPLY_HASH);
	static const char digits[] = "0123456789abcdef";
	uint64_t v = 0;

	if (!s || strlen(s) != 16)
		return 0;
	for (; *s; s++) {
		const char *d = strchr(digits, *s);

		if (!d)
			return 0;
		v = v << 4 | (uint64_t)(d - digits);
	}
	return v;
}

const struct json *json_condition(const struct json *conditions, const char *type)
{
	const struct json *it;

	json_for_each (it, conditions)
		if (str_eq(json_str(it, "type"), type))
			return it;
	return NULL;
}

bool json_condition_true(const struct json *conditions, const char *type)
{
	return str_eq(json_str(json_condition(conditions, type), "status"), "True");
}

static int64_t quantity_of(const struct json *v, int64_t per_unit,
                           int (*parse)(const char *s, int64_t *out, struct err *err))
{
	const char *s = json_value_str(v);
	int64_t n = 0;

	if (s)
		return parse(s, &n, NULL) == 0 && n > 0 ? n : 0;
	n = json_value_i64(v, 0);
	return n <= 0 ? 0 : n > INT64_MAX / 1000 / per_unit ? INT64_MAX / 1000 : n * per_unit;
}

int64_t json_quantity(const struct json *v)
{
	return quantity_of(v, 1, quantity_parse);
}

int64_t json_quantity_milli(const struct json *v)
{
	return quantity_of(v, 1000, quantity_parse_milli);
}

const char *text_cut(struct arena *a, const char *s, size_t max)
{
	size_t n = s ? strnlen(s, max + 1) : 0;

	if (n <= max)
		return s;
	/* Back to the first byte of the character that would be cut. */
	for (n = max; n && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return arena_strndup(a, s, n);
}

const struct label *labels_decode(struct arena *a, const struct json *map, const char *prefix,
                                  unsigned *n)
{
	struct label *l = NULL;
	const struct json *it;
	unsigned count = 0;

	*n = 0;
	if (!json_is_object(map))
		return NULL;
	json_for_each (it, map)
		count += !prefix || str_starts(json_key(it), prefix);
	if (count)
		l = arena_array(a, count, sizeof(*l));
	json_for_each (it, map) {
		if (!prefix || str_starts(json_key(it), prefix))
			l[(*n)++] = (struct label){json_key(it), str_or(json_value_str(it), "")};
	}
	return l;
}

/* --- packing ----------------------------------------------------------------------------- */

/*
 * A cluster repeats these in every pod and node: kept once, they halve a pod. Sorted, because each
 * string that is packed is looked up.
 */
static const char *const shared[] = {
	"",
	"FGD",
	"NVIDIA-A10",
	"Pack",
	"Spread",
	"amd64",
	"app.kubernetes.io/managed-by",
	"app.kubernetes.io/name",
	"beta.kubernetes.io/arch",
	"beta.kubernetes.io/os",
	"default-scheduler",
	"false",
	"kubernetes.io/arch",
	"kubernetes.io/hostname",
	"kubernetes.io/os",
	"linux",
	"node.kubernetes.io/instance-type",
	"node.kubernetes.io/not-ready",
	"node.kubernetes.io/unreachable",
	"none",
	"nvidia.com/gpu",
	"nvidia.com/gpu.count",
	"nvidia.com/gpu.memory",
	"nvidia.com/gpu.product",
	"serving.tidegate.io/in-service",
	"serving.tidegate.io/name",
	"serving.tidegate.io/revision",
	"serving.tidegate.io/zone",
	"tidegate",
	"topology.kubernetes.io/region",
	"topology.kubernetes.io/zone",
	"true",
};

static int shared_cmp(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

const char *pack_name(struct packer *p, const char *s)
{
	const char *const *hit;

	if (!s)
		return NULL;
	hit = bsearch(s, shared, ARRAY_SIZE(shared), sizeof(shared[0]), shared_cmp);
	return hit ? *hit : pack_str(p, s);
}

const struct label *pack_labels(struct packer *p, const struct label *l, unsigned n)
{
	struct label *out = n ? pack_array(p, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		struct label x = {pack_word(p, l[i].key), pack_name(p, l[i].value)};

		if (out)
			out[i] = x;
	}
	return out;
}

const struct extended *pack_extended(struct packer *p, const struct extended *e, unsigned n)
{
	struct extended *out = n ? pack_array(p, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		struct extended x = {pack_name(p, e[i].name), e[i].amount};

		if (out)
			out[i] = x;
	}
	return out;
}

/* --- comparing --------------------------------------------------------------------------- */

bool labels_same(const struct label *a, unsigned na, const struct label *b, unsigned nb)
{
	if (na != nb)
		return false;
	for (unsigned i = 0; i < na; i++)
		if (!str_eq(a[i].key, b[i].key) || !str_eq(a[i].value, b[i].value))
			return false;
	return true;
}

bool extended_same(const struct extended *a, unsigned na, const struct extended *b, unsigned nb)
{
	if (na != nb)
		return false;
	for (unsigned i = 0; i < na; i++)
		if (!str_eq(a[i].name, b[i].name) || a[i].amount != b[i].amount)
			return false;
	return true;
}

bool meta_same(const struct object *a, const struct object *b)
{
	return str_eq(a->uid, b->uid) && str_eq(a->owner_uid, b->owner_uid) &&
	       a->deleted_ms == b->deleted_ms;
}
