/* What the files that read a world share. */
#ifndef SIM_SCENARIO_PRIV_H
#define SIM_SCENARIO_PRIV_H

#include "field.h"

#define SCENARIO_RATE_MAX 1e6

/* "model" ("name" or "namespace/name") and "namespace"; *name NULL: every one. */
void scenario_read_target(struct field_reader *r, const struct json *o, const char *path,
                          const char **ns, const char **name);
/* Its behaviour; other keys of o are others'. */
void scenario_read_version(struct field_reader *r, const struct json *o, const char *path,
                           struct scenario_version *out);
/* True also without any: they are those of the manifests then, which are not known here. */
bool scenario_has_zone(const struct scenario *s, const char *name);
void scenario_read_events(struct field_reader *r, const struct json *list, struct scenario *out);

#endif
