#include "record.h"

#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

static void write_text(struct json_writer *w, const char *key, const char *text)
{
	jw_str(w, key, str_empty(text) ? NULL : text);
}

int record_write(struct buf *out, const struct record *r)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_i64(&w, "seq", r->seq);
	jw_i64(&w, "t", r->t);
	jw_i64(&w, "latency_us", r->latency_us);
	jw_i64(&w, "status", r->status);
	write_text(&w, "version", r->version);
	write_text(&w, "pod", r->pod);
	write_text(&w, "zone", r->zone);
	write_text(&w, "error", r->error);
	if (r->retried)
		jw_bool(&w, "retried", true);
	jw_end_object(&w);
	return jw_end(&w) || buf_addch(out, '\n') ? -1 : 0;
}

int record_parse(struct record *r, struct arena *a, const char *line, size_t len, struct err *err)
{
	const struct json *o = json_parse(a, line, len, err);

	if (!o)
		return -1;
	*r = (struct record){
		.seq = json_i64(o, "seq", 0),
		.t = json_i64(o, "t", -1),
		.latency_us = json_i64(o, "latency_us", -1),
		.status = (int)json_i64(o, "status", -1),
		.retried = json_bool(o, "retried", false),
		.version = json_str(o, "version"),
		.pod = json_str(o, "pod"),
		.zone = json_str(o, "zone"),
		.error = json_str(o, "error"),
	};
	if (r->t < 0 || r->latency_us < 0 || r->status < 0)
		return err_set(err, ERR_INVALID,
		               "not a request record: t, latency_us or status "
		               "is missing");
	return 0;
}
