/*
 * A byte scanner with explicit states, so that the input may end anywhere. Bytes
 * are copied in runs; only offsets into the current chunk are kept, never pointers
 * into a buffer that grows.
 *
 * What is checked here is what keeps the cuts right: brackets match, strings end,
 * and no byte stands outside a string that JSON does not know. Grammar inside an
 * object is the parser's business.
 */
#include "tidegate/kube/frame.h"

#include <string.h>

#include "tidegate/base/str.h"

enum frame_state {
	ST_START,       /* before an object, or before the list */
	ST_OBJECT,      /* inside a watch object or a list item */
	ST_TOP,         /* inside the list object, outside its items */
	ST_ITEMS_VALUE, /* after "items": */
	ST_FIRST_ITEM,  /* after [ */
	ST_NEXT_ITEM,   /* after , */
	ST_AFTER_ITEM,
	ST_DONE, /* the list object has ended */
	ST_FAILED,
};

enum byte_class { B_BAD, B_SPACE, B_PLAIN, B_QUOTE, B_OPEN, B_CLOSE, B_COLON, B_COMMA };

#define KEY       "items"
#define KEY_LEN   5
#define KEY_OTHER (KEY_LEN + 1) /* keypos: cannot become KEY any more */
/* Depth at which a list item starts: inside the list object and its array. */
#define ITEM_BASE 2

/* One chunk being scanned: bytes [run, pos) belong to the current buffer and are not yet copied. */
struct cursor {
	const char *data;
	size_t len, pos, run;
};

/* Digits, signs and the letters of true, false, null and exponents are plain. */
static const unsigned char classes[256] = {
	[' '] = B_SPACE, ['\t'] = B_SPACE, ['\r'] = B_SPACE, ['\n'] = B_SPACE,
	['"'] = B_QUOTE, ['{'] = B_OPEN,   ['['] = B_OPEN,   ['}'] = B_CLOSE,
	[']'] = B_CLOSE, [':'] = B_COLON,  [','] = B_COMMA,  ['0' ... '9'] = B_PLAIN,
	['+'] = B_PLAIN, ['-'] = B_PLAIN,  ['.'] = B_PLAIN,  ['E'] = B_PLAIN,
	['a'] = B_PLAIN, ['e'] = B_PLAIN,  ['f'] = B_PLAIN,  ['l'] = B_PLAIN,
	['n'] = B_PLAIN, ['r'] = B_PLAIN,  ['s'] = B_PLAIN,  ['t'] = B_PLAIN,
	['u'] = B_PLAIN,
};

static enum byte_class classify(char c)
{
	return (enum byte_class)classes[(unsigned char)c];
}

static int bad_byte(unsigned char c, const char *where, struct err *err)
{
	if (c > ' ' && c < 0x7f)
		return err_set(err, ERR_PROTOCOL, "unexpected '%c' %s", c, where);
	return err_set(err, ERR_PROTOCOL, "unexpected byte 0x%02x %s", c, where);
}

void frame_init(struct frame *f, enum frame_mode mode, size_t max_frame, frame_fn fn, void *arg)
{
	memset(f, 0, sizeof(*f));
	f->mode = mode;
	f->max_frame = max_frame ? max_frame : FRAME_MAX_DEFAULT;
	f->fn = fn;
	f->arg = arg;
	f->state = ST_START;
	buf_init(&f->cur, f->max_frame);
	buf_init(&f->tail, f->max_frame);
}

void frame_release(struct frame *f)
{
	buf_release(&f->cur);
	buf_release(&f->tail);
	f->state = ST_FAILED;
}

static struct buf *destination(struct frame *f)
{
	return f->state == ST_OBJECT ? &f->cur : &f->tail;
}

/* Copies the run that ends before `end` and starts the next one there. */
static int flush(struct frame *f, struct cursor *c, size_t end, struct err *err)
{
	size_t n = end - c->run;

	if (n && buf_add(destination(f), c->data + c->run, n))
		return err_set(err, ERR_TOO_BIG, "an object is longer than %zu bytes",
		               f->max_frame);
	c->run = end;
	return 0;
}

static int push(struct frame *f, char bracket, struct err *err)
{
	uint64_t bit = 1ULL << (f->depth % 64);
	uint64_t *word = &f->brackets[f->depth / 64];

	if (f->depth + 1 >= FRAME_MAX_DEPTH)
		return err_set(err, ERR_PROTOCOL, "nested deeper than %d levels", FRAME_MAX_DEPTH);
	*word = bracket == '[' ? *word | bit : *word & ~bit;
	f->depth++;
	return 0;
}

static int pop(struct frame *f, char bracket, struct err *err)
{
	unsigned top = f->depth - 1;
	bool array = f->brackets[top / 64] >> (top % 64) & 1;

	if (array != (bracket == ']'))
		return bad_byte((unsigned char)bracket, "closes another bracket", err);
	f->depth = top;
	return 0;
}

static int emit(struct frame *f, enum frame_part part, struct err *err)
{
	struct buf *b = part == FRAME_TAIL ? &f->tail : &f->cur;
	int rc = f->fn(f->arg, part, b->data, b->len, err);

	buf_reset(b);
	return rc;
}

static void begin_string(struct frame *f)
{
	f->in_string = true;
	f->keypos = f->state == ST_TOP && f->want_key ? 0 : KEY_OTHER;
}

/* Bytes of a string that say nothing: all but its end, escapes and what may not stand there. */
static void skip_text(struct cursor *c)
{
	static const bool says[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};

	for (;; c->pos++) {
		c->pos += str_plain_run(c->data + c->pos, c->len - c->pos);
		if (c->pos == c->len || says[(unsigned char)c->data[c->pos]])
			break;
	}
}

/* Skips string content up to its end, the end of the chunk, or a byte of a key that may match. */
static int scan_string(struct frame *f, struct cursor *c, struct err *err)
{
	for (; c->pos < c->len; c->pos++) {
		unsigned char ch;

		if (f->keypos == KEY_OTHER && !f->escape)
			skip_text(c);
		if (c->pos == c->len)
			return 0;
		ch = (unsigned char)c->data[c->pos];
		if (ch < 0x20)
			return bad_byte(ch, "inside a string", err);
		if (f->escape) {
			f->escape = false;
		} else if (ch == '\\') {
			f->escape = true;
			f->keypos = KEY_OTHER;
		} else if (ch == '"') {
			f->in_string = false;
			f->items_key = f->keypos == KEY_LEN;
			c->pos++;
			return 0;
		} else if (f->keypos < KEY_OTHER) {
			f->keypos = ch == (unsigned char)KEY[f->keypos] ? f->keypos + 1 : KEY_OTHER;
		}
	}
	return 0;
}

static int step_start(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	c->run = c->pos;
	if (classify(ch) == B_SPACE) {
		c->run++;
		if (++f->blank > FRAME_MAX_BLANK)
			return err_set(err, ERR_PROTOCOL,
			               "nothing but white space where an object should start");
		return 0;
	}
	if (ch != '{')
		return bad_byte((unsigned char)ch, "where an object should start", err);
	f->blank = 0;
	f->state = f->mode == FRAME_WATCH ? ST_OBJECT : ST_TOP;
	f->want_key = true;
	return push(f, ch, err);
}

/* The object ends before c->pos. */
static int end_object(struct frame *f, struct cursor *c, struct err *err)
{
	bool item = f->mode == FRAME_LIST;

	if (flush(f, c, c->pos, err))
		return -1;
	f->state = item ? ST_AFTER_ITEM : ST_START;
	return emit(f, item ? FRAME_ITEM : FRAME_OBJECT, err);
}

/* Behind its opening quote. Most strings are plain. */
static int skip_string(struct frame *f, struct cursor *c, struct err *err)
{
	c->pos += str_plain_run(c->data + c->pos, c->len - c->pos);
	if (c->pos < c->len && c->data[c->pos] == '"') {
		c->pos++;
		return 0;
	}
	begin_string(f);
	return scan_string(f, c, err);
}

/*
 * An object up to its end, or to the end of the chunk. What stands between its strings and brackets
 * is for its parser.
 */
static int scan_object(struct frame *f, struct cursor *c, struct err *err)
{
	unsigned base = f->mode == FRAME_LIST ? ITEM_BASE : 0;

	while (c->pos < c->len) {
		char ch = c->data[c->pos++];

		switch (classify(ch)) {
		case B_BAD:
			return bad_byte((unsigned char)ch, "inside an object", err);
		case B_QUOTE:
			if (skip_string(f, c, err))
				return -1;
			break;
		case B_OPEN:
			if (push(f, ch, err))
				return -1;
			break;
		case B_CLOSE:
			if (pop(f, ch, err))
				return -1;
			if (f->depth == base)
				return end_object(f, c, err);
			break;
		default:
			break;
		}
	}
	return 0;
}

static int end_list(struct frame *f, struct cursor *c, struct err *err)
{
	if (flush(f, c, c->pos + 1, err))
		return -1;
	f->state = ST_DONE;
	return emit(f, FRAME_TAIL, err);
}

static int step_top(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	switch (classify(ch)) {
	case B_BAD:
		return bad_byte((unsigned char)ch, "inside the list", err);
	case B_QUOTE:
		begin_string(f);
		return 0;
	case B_OPEN:
		return push(f, ch, err);
	case B_CLOSE:
		if (pop(f, ch, err))
			return -1;
		return f->depth == 0 ? end_list(f, c, err) : 0;
	case B_COLON:
		if (f->depth == 1 && f->want_key && f->items_key)
			f->state = ST_ITEMS_VALUE;
		if (f->depth == 1)
			f->want_key = f->items_key = false;
		return 0;
	case B_COMMA:
		if (f->depth == 1)
			f->want_key = true;
		return 0;
	default:
		return 0;
	}
}

static int step_items_value(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	if (classify(ch) == B_SPACE)
		return 0;
	if (ch == 'n') { /* a nil slice in Go: "items": null */
		f->state = ST_TOP;
		return 0;
	}
	if (ch != '[')
		return bad_byte((unsigned char)ch, "where the list of items should start", err);
	if (push(f, ch, err) || flush(f, c, c->pos + 1, err))
		return -1;
	f->state = ST_FIRST_ITEM;
	return 0;
}

static int end_items(struct frame *f, struct cursor *c, struct err *err)
{
	c->run = c->pos;
	f->state = ST_TOP;
	return pop(f, ']', err);
}

static int step_item_start(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	c->run = c->pos + 1;
	if (classify(ch) == B_SPACE)
		return 0;
	if (ch == ']' && f->state == ST_FIRST_ITEM)
		return end_items(f, c, err);
	if (ch != '{')
		return bad_byte((unsigned char)ch, "where a list item should start", err);
	c->run = c->pos;
	f->state = ST_OBJECT;
	return push(f, ch, err);
}

static int step_after_item(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	c->run = c->pos + 1;
	if (classify(ch) == B_SPACE)
		return 0;
	if (ch == ']')
		return end_items(f, c, err);
	if (ch != ',')
		return bad_byte((unsigned char)ch, "between two list items", err);
	f->state = ST_NEXT_ITEM;
	return 0;
}

static int step_done(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	(void)f;
	c->run = c->pos + 1;
	if (classify(ch) == B_SPACE)
		return 0;
	return bad_byte((unsigned char)ch, "after the end of the list", err);
}

static int step_failed(struct frame *f, struct cursor *c, char ch, struct err *err)
{
	(void)f;
	(void)c;
	(void)ch;
	return err_set(err, ERR_PROTOCOL, "the stream is already known to be broken");
}

typedef int (*step_fn)(struct frame *f, struct cursor *c, char ch, struct err *err);

static const step_fn steps[] = {
	[ST_START] = step_start,
	[ST_TOP] = step_top,
	[ST_ITEMS_VALUE] = step_items_value,
	[ST_FIRST_ITEM] = step_item_start,
	[ST_NEXT_ITEM] = step_item_start,
	[ST_AFTER_ITEM] = step_after_item,
	[ST_DONE] = step_done,
	[ST_FAILED] = step_failed,
};

static bool collecting(const struct frame *f)
{
	return f->state == ST_OBJECT || f->state == ST_TOP || f->state == ST_ITEMS_VALUE;
}

int frame_feed(struct frame *f, const char *data, size_t len, struct err *err)
{
	struct cursor c = {.data = data, .len = len};

	while (c.pos < c.len) {
		int rc;

		if (f->in_string) {
			rc = scan_string(f, &c, err);
		} else if (f->state == ST_OBJECT) {
			rc = scan_object(f, &c, err);
		} else {
			rc = steps[f->state](f, &c, data[c.pos], err);
			c.pos++;
		}
		if (rc) {
			f->state = ST_FAILED;
			f->in_string = false;
			return -1;
		}
	}
	if (collecting(f) && flush(f, &c, c.len, err)) {
		f->state = ST_FAILED;
		f->in_string = false;
		return -1;
	}
	return 0;
}

int frame_finish(struct frame *f, struct err *err)
{
	if (f->state == ST_FAILED)
		return err_set(err, ERR_PROTOCOL, "the stream is already known to be broken");
	if (f->mode == FRAME_LIST && f->state != ST_DONE)
		return err_set(err, ERR_TRANSPORT, "the list ended before it was complete");
	if (f->mode == FRAME_WATCH && f->state != ST_START)
		return err_set(err, ERR_TRANSPORT, "the stream ended inside an object");
	return 0;
}
