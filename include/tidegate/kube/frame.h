/*
 * Framing: cuts a byte stream into JSON objects without parsing them.
 *
 * Two shapes: a watch body (objects one after the other, any white space between)
 * and a list body (the elements of the top-level "items" array one by one, then the
 * rest of the list object, without items, as the tail). Depth and string state are
 * tracked byte by byte, so the input may be split anywhere, newlines or none.
 * A list body that is no list (a Status object) comes out as the tail, whole.
 * A frame longer than max_frame, or bytes that cannot be JSON structure, are an
 * error: the reflector then lists again. A 10,000-object list never stands in
 * memory whole: only one item does.
 */
#ifndef TIDEGATE_KUBE_FRAME_H
#define TIDEGATE_KUBE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

enum frame_mode { FRAME_WATCH, FRAME_LIST };
enum frame_part { FRAME_OBJECT, FRAME_ITEM, FRAME_TAIL };

#define FRAME_MAX_DEFAULT (8u << 20)
#define FRAME_MAX_DEPTH   128
/* A server that sends white space only is alive and says nothing: no timer would see that. */
#define FRAME_MAX_BLANK (64u << 10)

/* Returns -1 (with *err set) to stop. `json` is NUL-terminated and valid during the call. */
typedef int (*frame_fn)(void *arg, enum frame_part part, const char *json, size_t len,
                        struct err *err);

struct frame {
	enum frame_mode mode;
	size_t max_frame;
	frame_fn fn;
	void *arg;
	struct buf cur;  /* the object or item being collected */
	struct buf tail; /* list mode: the list object with "items" emptied */
	/* the scanner, see frame.c */
	unsigned state;
	unsigned depth;
	uint64_t brackets[FRAME_MAX_DEPTH / 64]; /* one bit a level: 1 = array */
	unsigned keypos;
	unsigned blank; /* white space since the last object, watch mode */
	bool in_string, escape, want_key, items_key;
};

void frame_init(struct frame *f, enum frame_mode mode, size_t max_frame, frame_fn fn, void *arg);
void frame_release(struct frame *f);
/* After an error every further call fails; release it. */
int frame_feed(struct frame *f, const char *data, size_t len, struct err *err);
/*
 * End of stream: an error (ERR_TRANSPORT: the connection was cut) when an object is half
 * received, or a list had no tail.
 */
int frame_finish(struct frame *f, struct err *err);

#endif
