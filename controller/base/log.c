#include "tidegate/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define LOG_WINDOW_MS  10000
#define LOG_WINDOW_MAX 10
#define LOG_LINE_MAX   65536
#define LOG_VALUE_MAX  4096
/* Shorter runs behind "Bearer " are words of a sentence. */
#define TOKEN_MIN 16

static enum log_level min_level = LOG_INFO;
static int log_fd = STDERR_FILENO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
	min_level = level;
}

int log_parse_level(const char *s, enum log_level *level)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (str_eq(s, level_names[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

void log_set_fd(int fd)
{
	log_fd = fd;
}

/* Length of the run of base64, base64url and padding characters at s. */
static size_t token_run(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || (s[n] && strchr("-_+/=~", s[n])))
		n++;
	return n;
}

/* Three dot-separated runs of which the first is a base64 JSON object ('{"' = "eyJ"). */
static bool is_jwt(const char *s)
{
	size_t head = token_run(s), body;

	if (head < TOKEN_MIN || s[head] != '.')
		return false;
	body = token_run(s + head + 1);
	return body >= TOKEN_MIN && s[head + 1 + body] == '.';
}

static bool is_bearer(const char *s)
{
	size_t skip = strlen("Bearer ");
	size_t n = 0, run;

	/* An opaque token may have points in it. */
	while ((run = token_run(s + skip + n)) > 0) {
		n += run;
		if (s[skip + n] == '.')
			n++;
	}
	return n >= TOKEN_MIN;
}

static bool looks_secret(const char *s)
{
	const char *p;

	if (strstr(s, "-----BEGIN "))
		return true;
	for (p = s; (p = strstr(p, "eyJ")); p += 3)
		if (is_jwt(p))
			return true;
	for (p = s; (p = strcasestr(p, "Bearer ")); p++)
		if (is_bearer(p))
			return true;
	return false;
}

static void add_text(struct json_writer *w, const char *key, const char *s)
{
	size_t n = strnlen(s, LOG_VALUE_MAX);

	if (looks_secret(s))
		jw_str(w, key, "[redacted]");
	else
		jw_strn(w, key, s, n);
}

static void add_field(struct json_writer *w, const struct log_field *f)
{
	switch (f->type) {
	case LOG_F_STR:
		if (f->s)
			add_text(w, f->key, f->s);
		break;
	case LOG_F_INT:
		jw_i64(w, f->key, f->i);
		break;
	case LOG_F_DOUBLE:
		jw_double(w, f->key, f->d);
		break;
	case LOG_F_BOOL:
		jw_bool(w, f->key, f->i != 0);
		break;
	}
}

static int build_line(struct buf *line, enum log_level level, const char *msg, unsigned suppressed,
                      const struct log_field *fields, unsigned n)
{
	char ts[CLOCK_RFC3339_MAX];
	struct json_writer w;
	unsigned i;

	buf_reset(line);
	jw_init(&w, line);
	jw_object(&w, NULL);
	jw_str(&w, "ts", clock_format_ms(clock_wall_ms(), ts));
	jw_str(&w, "level", level_names[level]);
	add_text(&w, "msg", msg);
	for (i = 0; i < n; i++)
		add_field(&w, &fields[i]);
	if (suppressed)
		jw_i64(&w, "suppressed", suppressed);
	jw_end_object(&w);
	return jw_end(&w) < 0 ? -1 : buf_addch(line, '\n');
}

/* A log that cannot be written (full disk, closed pipe) must not stop the program. */
static void write_line(const struct buf *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t n = write(log_fd, line->data + done, line->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

/* True when the line may be written; then *suppressed is what was held back before it. */
static bool site_allows(struct log_site *site, unsigned *suppressed)
{
	int64_t now = clock_mono_ms();

	if (!site->count || now - site->window_start_ms >= LOG_WINDOW_MS) {
		site->window_start_ms = now;
		site->count = 0;
	}
	if (site->count >= LOG_WINDOW_MAX) {
		site->suppressed++;
		return false;
	}
	site->count++;
	*suppressed = site->suppressed;
	site->suppressed = 0;
	return true;
}

void log_emit(struct log_site *site, enum log_level level, const char *msg,
              const struct log_field *fields, unsigned n)
{
	struct buf line cleanup_buf;
	unsigned suppressed;
	int saved_errno = errno;

	buf_init(&line, LOG_LINE_MAX);
	if (level < min_level || !site_allows(site, &suppressed))
		return;
	/* Fields are bounded one by one; when their sum is too much, the message alone must do. */
	if (build_line(&line, level, msg, suppressed, fields, n) == 0 ||
	    build_line(&line, level, msg, suppressed, NULL, 0) == 0)
		write_line(&line);
	errno = saved_errno;
}
