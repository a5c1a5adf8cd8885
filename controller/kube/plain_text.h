/* Foreign text (a proxy's page, a program's complaint) made fit for an error message. */
#ifndef TIDEGATE_KUBE_PLAIN_TEXT_H
#define TIDEGATE_KUBE_PLAIN_TEXT_H

#include <stddef.h>

/* As much of it as fits, in one line: control characters and runs of blanks become a blank. */
void plain_text(const char *in, size_t len, char *out, size_t size);

#endif
