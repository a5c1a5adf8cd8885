/* Any bytes as what a credential plugin prints: something that fits into a header, or an error. */
#include <stdlib.h>
#include <string.h>

#include "../../controller/kube/exec.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct exec_credential c = {.token = NULL};
	struct err err = ERR_INIT;

	if (exec_credential_parse(&c, "client.authentication.k8s.io/v1", (const char *)data, size,
	                          &err) < 0) {
		if (!err.msg[0])
			abort();
	} else if (!c.token && !c.cert_pem) {
		abort();
	} else if ((c.token && strpbrk(c.token, "\r\n")) || !c.cert_pem != !c.key_pem) {
		abort();
	}
	exec_credential_release(&c);
	return 0;
}
