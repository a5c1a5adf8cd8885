/* One entry of a status's list of conditions. */
#include "internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"

void condition_write(struct json_writer *w, const char *type, bool holds, const char *reason,
                     const char *message, int64_t generation, int64_t since_ms)
{
	char stamp[CLOCK_RFC3339_MAX];

	jw_object(w, NULL);
	jw_str(w, "type", type);
	jw_str(w, "status", holds ? "True" : "False");
	jw_str(w, "reason", reason);
	jw_str(w, "message", message);
	if (generation)
		jw_i64(w, "observedGeneration", generation);
	jw_str(w, "lastTransitionTime", clock_format(since_ms ? since_ms : clock_wall_ms(), stamp));
	jw_end_object(w);
}
