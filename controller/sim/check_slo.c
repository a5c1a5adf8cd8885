/*
 * Objectives. Who breaks them is a bad version, or everybody while an incident lasts; a breach
 * leads to what onBreach says and to nothing else, and within a minute.
 */
#include <inttypes.h>
#include <string.h>

#include "run_priv.h"
#include "tidegate/api/core.h"

#define ACTED_ON_MS       60000
#define AFTER_INCIDENT_MS (40 * 60000LL) /* burn windows remember it */

static bool is_excused(const struct run *r)
{
	return r->check.incident_ms &&
	       (r->user.incident_until_ms || run_now(r) < r->check.incident_ms + AFTER_INCIDENT_MS);
}

/* Any of the revisions that it may be about. */
static bool is_broken(struct run *r, const struct json *status)
{
	const struct check *c = &r->check;

	return is_excused(r) || check_is_bad(r, check_version_of(r, c->target)) ||
	       check_is_bad(r, check_version_of(r, c->stable)) ||
	       check_is_bad(r, check_version_of(r, json_str(status, "targetRevision")));
}

/* Of the revision that is being released, and told without a reason to let it be. */
static bool is_breach_of_target(const struct json *status)
{
	const struct json *c = json_condition(json_get(status, "conditions"), "SLOMet");
	const char *target = json_str(status, "targetRevision"), *message = json_str(c, "message");

	return target && message && str_eq(json_str(c, "reason"), "SLOBreached") &&
	       str_starts(message, "revision ") &&
	       !strncmp(message + strlen("revision "), target, strlen(target)) &&
	       !str_eq(target, json_str(status, "stableRevision"));
}

static bool is_released(const char *phase)
{
	return str_eq(phase, "Progressing") || str_eq(phase, "Holding") ||
	       str_eq(phase, "AwaitingApproval") || str_eq(phase, "Paused");
}

static void check_act(struct run *r, const struct json *status, const char *phase,
                      const char *reason)
{
	struct check *c = &r->check;

	if (str_eq(phase, "Paused") && !str_eq(c->phase, "Paused") &&
	    str_eq(r->scene.on_breach, "Pause") && is_breach_of_target(status)) {
		c->breaches++;
		if (!is_broken(r, status))
			check_violate(r, "a good version was paused for a breach");
	}
	if (!check_is_back(phase) || check_is_back(c->phase) || !str_eq(reason, "SLOBreached"))
		return;
	if (!str_eq(r->scene.on_breach, "Rollback"))
		check_violate(r, "a breach led back, and onBreach is %s",
		              str_or(r->scene.on_breach, "not there"));
	else if (!is_broken(r, status))
		check_violate(r, "good version %" PRId64 " was taken back for a breach",
		              check_version_of(r, c->target));
}

void slo_status(struct run *r, const struct json *status)
{
	const struct json *rollout = json_get(status, "rollout");
	const char *phase = str_or(json_str(rollout, "phase"), "");

	check_act(r, status, phase, str_or(json_str(rollout, "reason"), ""));
	if (!str_eq(r->scene.on_breach, "Rollback") || !is_released(phase) ||
	    !is_breach_of_target(status) || check_zone_out(status))
		r->check.breach_ms = 0;
	else if (!r->check.breach_ms)
		r->check.breach_ms = run_now(r);
}

void slo_tick(struct run *r)
{
	if (r->check.breach_ms && run_now(r) > r->check.breach_ms + ACTED_ON_MS)
		check_violate(r, "a breach is known for %d s, and nothing is done",
		              ACTED_ON_MS / 1000);
}
