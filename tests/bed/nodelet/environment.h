/*
 * Command line and variables of a container, as the kubelet makes them: image defaults,
 * envFrom, env in order with $(NAME) expansion, fieldRef, resourceFieldRef, key references.
 */
#ifndef BED_NODELET_ENVIRONMENT_H
#define BED_NODELET_ENVIRONMENT_H

#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

#include "strv.h"

struct container;
struct pod;

/* Text of a downward-API field; malloc'ed, NULL with *err set when it is not known. */
char *environment_field(const struct pod *p, const char *path, struct err *err);
int environment_build(struct container *c, const struct json *image, struct strv *env,
                      struct err *err);
/* `words` expanded and rewritten, the first one found on this machine. */
int environment_words(const struct container *c, const struct json *image, const struct json *words,
                      const struct strv *env, struct strv *argv, struct err *err);
int environment_command(struct container *c, const struct json *image, const struct strv *env,
                        struct strv *argv, struct err *err);

#endif
