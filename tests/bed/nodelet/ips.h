/*
 * Addresses of a zone's pod network (IPv4). The lower ones go to pods, oldest release first, so
 * that an address does not soon mean another pod; the highest ones are the nodes' own.
 */
#ifndef BED_NODELET_IPS_H
#define BED_NODELET_IPS_H

#include <stdint.h>

#include "tidegate/base/err.h"

#define IP_TEXT_MAX 16

struct ips {
	uint32_t base; /* network address */
	uint32_t size; /* addresses, network and broadcast included */
	uint32_t reserved;
	uint32_t next;
	unsigned char *taken; /* by offset */
};

/* reserved: how many of the highest addresses ips_node() may give. */
int ips_init(struct ips *p, const char *cidr, uint32_t reserved, struct err *err);
void ips_release(struct ips *p);
/* 0, or -1 when all are taken. */
int ips_take(struct ips *p, char *out);
void ips_give(struct ips *p, const char *ip);
/* The index-th of the reserved ones, from the top. */
void ips_node(const struct ips *p, uint32_t index, char *out);

#endif
