/*
 * load: open-loop request generator of the test bed, and the report of what it wrote down.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/option.h"
#include "tidegate/base/str.h"
#include "tidegate/net/loop.h"

#include "generator.h"
#include "options.h"
#include "record.h"
#include "report.h"
#include "target.h"

#define FLUSH_MS    200
#define FLUSH_BYTES (256u << 10)
#define OUT_MAX     (64u << 20)

struct program {
	struct loop *loop;
	struct options options;
	struct target target;
	struct generator *generator;
	struct timer flush_timer;
	struct buf out;
	int fd;
	int64_t sent, answered, failed;
	bool stopping;
	int exit_code;
};

static void flush(struct program *p)
{
	size_t done = 0;

	while (done < p->out.len) {
		ssize_t n = write(p->fd, p->out.data + done, p->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			struct err err = ERR_INIT;

			err_set_errno(&err, ERR_IO, errno, "%s", p->options.out);
			log_error("cannot write records", LE(&err));
			p->exit_code = 1;
			loop_stop(p->loop);
			break;
		}
		done += (size_t)n;
	}
	buf_reset(&p->out);
}

static void on_flush(void *arg)
{
	struct program *p = arg;

	flush(p);
	timer_start(&p->flush_timer, FLUSH_MS);
}

static void on_record(void *arg, const struct record *r)
{
	struct program *p = arg;

	p->sent++;
	p->answered += record_answered(r);
	p->failed += record_failed(r);
	record_write(&p->out, r);
	if (p->out.len >= FLUSH_BYTES)
		flush(p);
}

static void on_finished(void *arg)
{
	struct program *p = arg;

	loop_stop(p->loop);
}

static void on_signal(void *arg, int signo)
{
	struct program *p = arg;

	(void)signo;
	if (p->stopping)
		generator_cancel(p->generator);
	else
		generator_stop(p->generator);
	p->stopping = true;
}

static void print_summary(const struct program *p)
{
	printf("sent %ld, answered %ld, failed %ld\n", (long)p->sent, (long)p->answered,
	       (long)p->failed);
}

static int generate(struct program *p, struct err *err)
{
	struct generator_events events = {on_record, on_finished, p};

	p->fd = open(p->options.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (p->fd < 0)
		return err_set_errno(err, ERR_IO, errno, "--out: %s", p->options.out);
	p->loop = loop_new();
	loop_on_signal(p->loop, SIGTERM, on_signal, p);
	loop_on_signal(p->loop, SIGINT, on_signal, p);
	timer_init(&p->flush_timer, p->loop, on_flush, p);
	timer_start(&p->flush_timer, FLUSH_MS);
	p->generator = generator_new(p->loop, &p->options, &p->target, &events, err);
	if (!p->generator)
		return -1;
	loop_run(p->loop);
	flush(p);
	generator_free(p->generator);
	timer_release(&p->flush_timer);
	loop_free(p->loop);
	close(p->fd);
	print_summary(p);
	return 0;
}

static int run_generator(int argc, char **argv)
{
	struct program p = {.fd = -1};
	struct err err = ERR_INIT;

	if (options_parse(&p.options, argc, argv, &err)) {
		fprintf(stderr, "load: %s; see --help\n", err.msg);
		return 2;
	}
	if (p.options.help) {
		options_usage();
		return 0;
	}
	buf_init(&p.out, OUT_MAX);
	if (target_init(&p.target, &p.options, &err) || generate(&p, &err)) {
		fprintf(stderr, "load: %s\n", err.msg);
		p.exit_code = 1;
	}
	target_release(&p.target);
	buf_release(&p.out);
	return p.exit_code;
}

static int print_report(const char *file, const char *phases, bool json, struct err *err)
{
	struct report *r = report_new();
	cleanup_buf struct buf out;
	int rc = 0;

	buf_init(&out, OUT_MAX);
	if (phases)
		rc = report_read_phases(r, phases, err);
	if (rc == 0)
		rc = report_read(r, file, err);
	if (rc == 0 && (json ? report_write_json(r, &out) : report_write_table(r, &out)))
		rc = err_set(err, ERR_TOO_BIG, "the report is too long");
	if (rc == 0)
		fwrite(out.data, 1, out.len, stdout);
	report_free(r);
	return rc;
}

enum format { FORMAT_TABLE, FORMAT_JSON };
static const char *const formats[] = {[FORMAT_TABLE] = "table", [FORMAT_JSON] = "json", NULL};

struct report_options {
	const char *phases;
	enum format format;
};

static const struct option_row report_rows[] = {
	OPTION_ROW(struct report_options, phases, "phases", OPTION_TEXT),
	OPTION_ROW(struct report_options, format, "output", OPTION_WORD, .letter = 'o',
                   .words = formats),
	{.name = NULL},
};

static int run_report(int argc, char **argv)
{
	struct report_options o = {.format = FORMAT_TABLE};
	struct err err = ERR_INIT;
	int words = option_read(report_rows, &o, argc, argv, &err);

	if (words != 1) {
		if (words < 0)
			fprintf(stderr, "load: %s\n", err.msg);
		fputs("usage: load report FILE [--phases FILE] [-o table|json]\n", stderr);
		return 2;
	}
	if (print_report(argv[1], o.phases, o.format == FORMAT_JSON, &err)) {
		fprintf(stderr, "load: %s\n", err.msg);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && str_eq(argv[1], "report"))
		return run_report(argc - 1, argv + 1);
	return run_generator(argc, argv);
}
