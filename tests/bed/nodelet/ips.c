#include "ips.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define FIRST_POD 2 /* .1 is by custom the gateway's */

int ips_init(struct ips *p, const char *cidr, uint32_t reserved, struct err *err)
{
	const char *slash = strchr(cidr, '/');
	cleanup_free char *address = xstrndup(cidr, slash ? (size_t)(slash - cidr) : strlen(cidr));
	struct in_addr a;
	int64_t bits;

	if (!slash || !str_to_i64(slash + 1, &bits) || bits < 8 || bits > 29 ||
	    inet_pton(AF_INET, address, &a) != 1)
		return err_set(err, ERR_INVALID,
		               "--pod-cidr: \"%s\" is no IPv4 network between /8 and /29", cidr);
	*p = (struct ips){.size = 1u << (32 - bits), .reserved = reserved, .next = FIRST_POD};
	p->base = ntohl(a.s_addr) & ~(p->size - 1);
	if (p->size < reserved + FIRST_POD + 2)
		return err_set(err, ERR_INVALID, "--pod-cidr: %s is too small", cidr);
	p->taken = xcalloc(p->size, 1);
	return 0;
}

void ips_release(struct ips *p)
{
	free(p->taken);
	p->taken = NULL;
}

static void format(uint32_t address, char *out)
{
	struct in_addr a = {.s_addr = htonl(address)};

	inet_ntop(AF_INET, &a, out, IP_TEXT_MAX);
}

int ips_take(struct ips *p, char *out)
{
	uint32_t end = p->size - 1 - p->reserved; /* without broadcast and the nodes' */

	for (uint32_t tries = FIRST_POD; tries < end; tries++) {
		uint32_t at = p->next;

		p->next = at + 1 < end ? at + 1 : FIRST_POD;
		if (!p->taken[at]) {
			p->taken[at] = 1;
			format(p->base + at, out);
			return 0;
		}
	}
	return -1;
}

void ips_give(struct ips *p, const char *ip)
{
	struct in_addr a;

	if (inet_pton(AF_INET, ip, &a) == 1 && ntohl(a.s_addr) - p->base < p->size)
		p->taken[ntohl(a.s_addr) - p->base] = 0;
}

void ips_node(const struct ips *p, uint32_t index, char *out)
{
	format(p->base + p->size - 2 - index, out);
}
