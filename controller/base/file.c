#include "tidegate/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

int file_read(const char *path, struct buf *out, struct err *err)
{
	bool standard_input = str_eq(path, "-");
	int fd cleanup_close =
		standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	char chunk[16384];

	if (standard_input)
		path = "standard input";
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open %s", path);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_IO, errno, "cannot read %s", path);
		if (n == 0)
			return 0;
		if (buf_add(out, chunk, (size_t)n) < 0)
			return err_set(err, ERR_TOO_BIG, "%s is larger than %zu bytes", path,
			               out->max);
	}
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The folder part of a path; "." when there is none. Caller frees. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* After a rename the new name is safe on disk once its folder is. Not all file systems can. */
static void sync_folder(const char *path)
{
	char *dir cleanup_free = folder_of(path);
	int fd cleanup_close = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && fsync(fd) < 0)
		return;
}

static int fill_file(int fd, const void *data, size_t len, int mode)
{
	if (fchmod(fd, (mode_t)mode) < 0 || write_all(fd, data, len) < 0)
		return -1;
	return fsync(fd);
}

int file_write(const char *path, const void *data, size_t len, int mode, struct err *err)
{
	char *tmp cleanup_free = xasprintf("%s.XXXXXX", path);
	int fd cleanup_close = mkostemp(tmp, O_CLOEXEC);
	int saved;

	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create a file beside %s", path);
	if (fill_file(fd, data, len, mode) == 0 && rename(tmp, path) == 0) {
		sync_folder(path);
		return 0;
	}
	saved = errno;
	unlink(tmp);
	return err_set_errno(err, ERR_IO, saved, "cannot write %s", path);
}

char *file_resolve(const char *base_file, const char *rel)
{
	char *cwd cleanup_free = NULL;
	char *dir cleanup_free = NULL;

	if (rel[0] == '/')
		return xstrdup(rel);
	dir = folder_of(base_file);
	if (dir[0] == '/')
		return xasprintf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", rel);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		cwd = xstrdup("/");
	if (str_eq(dir, "."))
		return xasprintf("%s%s%s", cwd, str_ends(cwd, "/") ? "" : "/", rel);
	return xasprintf("%s%s%s/%s", cwd, str_ends(cwd, "/") ? "" : "/", dir, rel);
}
