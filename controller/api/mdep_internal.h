/* What the files of the ModelDeployment share. */
#ifndef TIDEGATE_API_MDEP_INTERNAL_H
#define TIDEGATE_API_MDEP_INTERNAL_H

#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"

/* Findings while they are collected; what comes after the last place is dropped. */
struct findings {
	struct arena *a;
	struct mdep_finding v[MDEP_FINDINGS_MAX];
	unsigned n;
};
void finding_add(struct findings *f, bool fatal, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* spec, orders and revision of m; values that cannot be read become fatal findings. */
void mdep_spec_decode(const struct json *json, struct mdep *m, struct findings *f);
void mdep_spec_check(const struct json *json, const struct mdep *m, struct findings *f);

#endif
