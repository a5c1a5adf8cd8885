/* Runs a verb within the test, and keeps what it says. */
#ifndef TESTS_UNIT_CLI_RUN_H
#define TESTS_UNIT_CLI_RUN_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../controller/cli/cli.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"

#define ARGS_MAX 12

struct outcome {
	int code;
	struct buf out, err;
};

/* Standard output and error go to files meanwhile; errors of cmocka do not pass here. */
static inline void run(struct outcome *o, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = {xstrdup("tidegate")};
	int argc = 1, saved[3], fds[3];
	char names[3][32] = {"", "/tmp/tidegate-cli-XXXXXX", "/tmp/tidegate-cli-XXXXXX"};

	for (; *args; args++) {
		assert_true(argc <= ARGS_MAX);
		argv[argc++] = xstrdup(*args);
	}
	fflush(NULL);
	for (int fd = 1; fd <= 2; fd++) {
		fds[fd] = mkstemp(names[fd]);
		saved[fd] = dup(fd);
		dup2(fds[fd], fd);
	}
	o->code = cli_main(argc, argv);
	fflush(NULL);
	for (int fd = 1; fd <= 2; fd++) {
		dup2(saved[fd], fd);
		close(saved[fd]);
		close(fds[fd]);
		buf_init(fd == 1 ? &o->out : &o->err, 65536);
		file_read(names[fd], fd == 1 ? &o->out : &o->err, NULL);
		unlink(names[fd]);
	}
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}

static inline void release(struct outcome *o)
{
	buf_release(&o->out);
	buf_release(&o->err);
}

#endif
