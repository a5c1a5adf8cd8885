/* Reading and checking spec.traffic and the audiences and mirrors of steps, which depend on it. */
#ifndef TIDEGATE_API_MDEP_TRAFFIC_H
#define TIDEGATE_API_MDEP_TRAFFIC_H

#include "mdep_internal.h"

/* After the rest of the spec: lanes need the name of their header. */
void mdep_traffic_decode(const struct json *spec, struct mdep *m, struct findings *f);
/* Adds audience and mirror of the step's JSON. */
void mdep_audience_decode(const struct json *step_json, const struct json *spec, const char *path,
                          struct mdep_step *step, struct findings *f);
void mdep_traffic_check(const struct mdep *m, struct findings *f);

#endif
