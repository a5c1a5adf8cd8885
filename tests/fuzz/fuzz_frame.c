/*
 * Framing: however a body is cut, the frames are the same, nothing is read out of bounds,
 * and no frame is longer than allowed. First byte: mode and where to cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/str.h"
#include "tidegate/kube/frame.h"

#define MAX_FRAME 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t hash;
	unsigned frames, tails;
};

static int note(void *arg, enum frame_part part, const char *json, size_t len, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	if (len > MAX_FRAME || strlen(json) != len || json[0] != '{' || json[len - 1] != '}')
		abort();
	if (s->tails || (part == FRAME_TAIL && ++s->tails > 1))
		if (part != FRAME_TAIL || s->tails > 1)
			abort();
	s->hash = str_hash(s->hash, &part, sizeof(part));
	s->hash = str_hash(s->hash, json, len);
	s->frames++;
	return 0;
}

/* Pieces of `step` bytes, each in memory of its own; 0 = all at once. Returns the outcome. */
static int run(struct seen *s, enum frame_mode mode, const uint8_t *data, size_t size, size_t step)
{
	struct frame f;
	int rc = 0;

	*s = (struct seen){.hash = STR_HASH_SEED};
	frame_init(&f, mode, MAX_FRAME, note, s);
	for (size_t at = 0; at < size && rc == 0;) {
		size_t n = step && step < size - at ? step : size - at;
		char *piece = malloc(n);

		memcpy(piece, data + at, n);
		rc = frame_feed(&f, piece, n, NULL);
		free(piece);
		at += n;
	}
	if (rc == 0)
		rc = frame_finish(&f, NULL) ? -2 : 0;
	frame_release(&f);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, cut;
	enum frame_mode mode;
	size_t step;
	int rc;

	if (size < 1)
		return 0;
	mode = data[0] & 1 ? FRAME_LIST : FRAME_WATCH;
	step = 1 + (data[0] >> 1) % 37;
	rc = run(&whole, mode, data + 1, size - 1, 0);
	if (run(&cut, mode, data + 1, size - 1, step) != rc || cut.hash != whole.hash ||
	    cut.frames != whole.frames)
		abort();
	return 0;
}
