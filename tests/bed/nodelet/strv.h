/* Vector of strings, NULL-terminated, as exec wants it. Owns its strings. */
#ifndef BED_NODELET_STRV_H
#define BED_NODELET_STRV_H

#include <stddef.h>

struct strv {
	char **v; /* NULL until the first string */
	size_t n;
};

/* Takes s over. */
void strv_take(struct strv *s, char *text);
void strv_release(struct strv *s);

#define cleanup_strv __attribute__((cleanup(strv_release)))

#endif
