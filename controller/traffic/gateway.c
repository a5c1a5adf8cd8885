#include "tidegate/traffic/gateway.h"

#include <string.h>

#include "tidegate/base/str.h"

#define LABEL_MAX 63
#define HASH_LEN  8
#define KEEP_MAX  (LABEL_MAX - HASH_LEN - 1) /* of a name that is too long */

char *gateway_service_name(struct arena *a, const struct mdep *m, const char *revision,
                           const char *zone)
{
	char *full = arena_concat(a, m->meta.name, "-", revision, *zone ? "-" : "", zone, NULL);
	size_t len = strlen(full);
	char hash[HASH_LEN + 1];

	if (len <= LABEL_MAX)
		return full;
	str_safe_encode(str_hash(STR_HASH_SEED, full, len), hash, HASH_LEN);
	return arena_printf(a, "%.*s-%s", KEEP_MAX, full, hash);
}

/* What is left of "<name>-<revision>-<zone>" where gateway_service_name() had to cut it. */
static bool names_us_shortened(const struct mdep *m, const char *service)
{
	size_t n = strlen(m->meta.name);
	size_t rest = n + 1 < KEEP_MAX ? KEEP_MAX - n - 1 : 0;

	if (strlen(service) != LABEL_MAX || service[KEEP_MAX] != '-' ||
	    strspn(service + KEEP_MAX + 1, STR_SAFE_ALPHABET) != HASH_LEN)
		return false;
	if (n >= KEEP_MAX)
		return !strncmp(service, m->meta.name, KEEP_MAX);
	return !strncmp(service, m->meta.name, n) && service[n] == '-' &&
	       strspn(service + n + 1, STR_SAFE_ALPHABET) >=
	               (rest < MDEP_REVISION_LEN ? rest : MDEP_REVISION_LEN);
}

bool gateway_names_us(const struct mdep *m, const char *service)
{
	size_t n = strlen(m->meta.name);
	const char *rest;

	if (!service)
		return false;
	if (names_us_shortened(m, service))
		return true;
	if (strncmp(service, m->meta.name, n))
		return false;
	rest = service + n;
	if (*rest == '\0')
		return true;
	return *rest == '-' && strspn(rest + 1, STR_SAFE_ALPHABET) >= MDEP_REVISION_LEN &&
	       (rest[1 + MDEP_REVISION_LEN] == '\0' || rest[1 + MDEP_REVISION_LEN] == '-');
}
