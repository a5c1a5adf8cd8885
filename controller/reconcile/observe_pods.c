/* Pods of a ModelDeployment that are scraped, and what their silence says of their zone. */
#include "observe.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static bool zone_answers(const struct map *pods, const char *zone, bool *silent)
{
	const char *key;
	void *value;
	size_t it = 0;
	bool answers = false;

	*silent = false;
	while (map_next(pods, &it, &key, &value)) {
		const struct watched *w = value;

		if (!str_eq(w->zone, zone))
			continue;
		answers |= w->last_ms && !w->failing;
		*silent |= w->failing;
	}
	return answers;
}

bool watched_silent(const struct map *pods, const char *zone)
{
	bool silent, elsewhere = false, answers = zone_answers(pods, zone, &silent);
	const char *key;
	void *value;
	size_t it = 0;

	while (map_next(pods, &it, &key, &value)) {
		const struct watched *w = value;

		elsewhere |= !str_eq(w->zone, zone) && w->last_ms && !w->failing;
	}
	return silent && !answers && elsewhere;
}

void watched_sweep(struct map *pods)
{
	const char *key;
	void *value;
	size_t it = 0;

	while (map_next(pods, &it, &key, &value)) {
		struct watched *w = value;

		if (!w->marked)
			free(map_del(pods, key));
		else
			w->marked = false;
	}
}
