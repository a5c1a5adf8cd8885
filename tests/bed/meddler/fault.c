#include "fault.h"

#include <stdint.h>
#include <string.h>

#include "tidegate/base/alloc.h"

#define HUGE_OBJECT (100u << 20)
#define EVENT       "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":"

static const struct fault faults[] = {
	{.name = "binary"},
	{.name = "half", .begin = EVENT "\"ha", .end = true},
	{.name = "huge", .begin = EVENT "\"", .filler = 'a', .fill = HUGE_OBJECT},
	{.name = "wrong-json", .begin = EVENT "nul]}}\n"},
	{.name = "unknown-error",
         .begin = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":777,"
                  "\"reason\":\"Weather\",\"message\":\"it rains\"}}\n",
         .end = true},
	{.name = "html",
         .type = "text/html",
         .begin = "<!DOCTYPE html><html><body>Please log in</body></html>\n",
         .end = true},
	{.name = "endless", .begin = " ", .filler = ' ', .fill = HUGE_OBJECT},
	{.name = "stall", .hold = true},
};

const struct fault *fault_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(faults[i].name, name))
			return &faults[i];
	return NULL;
}

void fault_noise(char *buf, size_t len)
{
	uint32_t x = 2463534242u;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		buf[i] = (char)(x >> 8 | 0x80);
	}
}
