/* Fields of a world file, each read with its bounds; what is wrong is told with its path. */
#ifndef SIM_FIELD_H
#define SIM_FIELD_H

#include "tidegate/sim/scenario.h"

struct field_reader {
	struct arena *arena;
	scenario_fn fn;
	void *arg;
	bool failed;
};

void field_wrong(struct field_reader *r, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * A mapping with no other keys than these (NULL-terminated); all of them are named in the error.
 * False: it is none.
 */
bool field_mapping(struct field_reader *r, const struct json *v, const char *path,
                   const char *const *keys);
/* A list of 0..max elements; an absent one is empty. Its length. */
unsigned field_list(struct field_reader *r, const struct json *v, const char *path, unsigned max);

/* Each answers the fallback when the key is absent. Texts: numbers are taken as they are written.
 */
const char *field_text(struct field_reader *r, const struct json *o, const char *path,
                       const char *key, const char *fallback);
int64_t field_int(struct field_reader *r, const struct json *o, const char *path, const char *key,
                  int64_t min, int64_t max, int64_t fallback);
/* "30s", or a number of seconds. */
int64_t field_duration(struct field_reader *r, const struct json *o, const char *path,
                       const char *key, int64_t fallback);
double field_number(struct field_reader *r, const struct json *o, const char *path, const char *key,
                    double max, double fallback);
/* "5%", or a number from 0 to 1. */
double field_share(struct field_reader *r, const struct json *o, const char *path, const char *key,
                   double fallback);
bool field_quantity(struct field_reader *r, const struct json *o, const char *path, const char *key,
                    const char **text, int64_t *units);
char *field_path(struct field_reader *r, const char *path, const char *key);

#endif
