/*
 * Any bytes as a kubeconfig file: a configuration that can be used, or an error that names the
 * file. Nothing is run and nothing is connected to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tidegate/base/str.h"
#include "tidegate/kube/config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct kube_config *c)
{
	require(c->server &&
	        (str_starts(c->server, "http://") || str_starts(c->server, "https://")));
	require(c->server[strlen(c->server) - 1] != '/');
	require(c->namespace != NULL);
	require(!c->ca_pem || !c->ca_file);
	require(!c->exec || c->exec->command);
	for (char **h = c->as_headers; h && *h; h++)
		require(str_starts(*h, "Impersonate-") && !strpbrk(*h, "\r\n"));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	struct kube_config *c;
	char path[64];

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c = kube_config_load(path, NULL, &err);
	require(c || strstr(err.msg, path) || err.class == ERR_TOO_BIG);
	if (c)
		check(c);
	kube_config_free(c);
	close(fd);
	return 0;
}
