/*
 * What the API server would refuse, without an API server: the CRDs that this program was built
 * with, and a walk of their structural schemas.
 *
 * Known are the keywords that our CRDs use (a unit test holds them against the files): types,
 * required, unknown fields, enum, pattern, bounds, list types, anyOf, oneOf and not of such. CEL
 * rules are not evaluated: mdep_validate() says the same in C. Defaults are not filled in, but a
 * field that has one is not missing; null is as good as absent, as on the server.
 * Source: Kubernetes' structural schemas (KEP-1693 and the CRD documentation).
 */
#ifndef TIDEGATE_API_SCHEMA_H
#define TIDEGATE_API_SCHEMA_H

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"

/* Texts live in the arena given. path: "spec.model.version". */
typedef void (*schema_finding_fn)(void *arg, const char *path, const char *message);

/*
 * openAPIV3Schema of the served version `api_version` ("serving.tidegate.io/v1alpha1") of `kind`;
 * it is parsed once, and stays. NULL when no CRD of ours has it.
 */
const struct json *schema_of(const char *api_version, const char *kind);
/* The message about a member that the schema does not know. */
#define SCHEMA_UNKNOWN "is no field of this version"
/* All findings, in the order of the value. */
void schema_check(const struct json *schema, const struct json *value, struct arena *a,
                  schema_finding_fn fn, void *arg);
/* A keyword of the schema that schema_check() does not know; NULL when there is none. For tests. */
const char *schema_unknown_keyword(const struct json *schema);
/* Whether it can be compiled here. For tests. */
int schema_pattern_check(const char *pattern);

#endif
