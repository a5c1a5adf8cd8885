/*
 * Where requests go: the URL taken apart and resolved, and the bytes of a request. Every request
 * is the same text, so it is made once.
 */
#ifndef BED_LOAD_TARGET_H
#define BED_LOAD_TARGET_H

#include <sys/socket.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

#include "options.h"

struct target {
	struct sockaddr_storage address;
	socklen_t address_len;
	struct buf request;
	bool head_only; /* method HEAD: answers have no body */
};

int target_init(struct target *t, const struct options *o, struct err *err);
void target_release(struct target *t);

#endif
