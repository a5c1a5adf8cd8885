/* What people want of zones: the orders `evacuate` and `return`, and ZoneShifts. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "step.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/err.h"
#include "tidegate/base/str.h"

#define LOOK_AGAIN_MS 1000
#define NO_ZONE       MDEP_ZONES_MAX

static int64_t until_ms(const struct mdep_zone_status *z)
{
	return z->ordered_until_ms > z->shift_until_ms ? z->ordered_until_ms : z->shift_until_ms;
}

bool order_keeps_out(const struct step *s, unsigned i)
{
	return until_ms(&s->zones[i]) > s->in->now_ms;
}

bool failover_is_ordered(const struct mdep_zone_status *z)
{
	return str_eq(z->reason, REASON_ORDERED) || str_eq(z->reason, REASON_RETURNED);
}

/* --- can it be done ---------------------------------------------------------------------- */

static bool another_is_out(const struct step *s, unsigned self)
{
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && mdep_zone_is_out(&s->zones[i]))
			return true;
	return false;
}

static bool is_short(const struct step *s, unsigned i)
{
	return zone_ready_elsewhere(s, i) < zone_ready_needed(s);
}

/* A reason, or NULL when nothing stands in the way. */
static const char *hindrance(const struct step *s, unsigned i)
{
	if (!zone_others_healthy(s, i, 0) && !zone_standby_waits(s, i))
		return "NoHealthyZone";
	if (another_is_out(s, i) && is_short(s, i))
		return "AnotherZoneIsOut";
	return NULL;
}

/* --- orders ------------------------------------------------------------------------------ */

static void answer(struct failover_answer *a, const char *outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void answer(struct failover_answer *a, const char *outcome, const char *fmt, ...)
{
	va_list ap;

	a->outcome = outcome;
	va_start(ap, fmt);
	vsnprintf(a->message, sizeof(a->message), fmt, ap);
	va_end(ap);
}

/* The zone that the first word of an order names; NO_ZONE, and an answer, when it is none. */
static unsigned named_zone(const struct step *s, const char *zone, struct failover_answer *a)
{
	char list[FAILOVER_TEXT_MAX / 2] = "";
	size_t used = 0;

	for (unsigned i = 0; i < s->in->nzones; i++)
		if (str_eq(s->in->zones[i].name, zone))
			return i;
	for (unsigned i = 0; i < s->in->nzones && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
		                         s->in->zones[i].name);
	answer(a, "Ignored", "spec.zones has no zone \"%.63s\"; there are: %s", zone, list);
	return NO_ZONE;
}

/* "<zone>[,<duration>][,<reason>]": a second word that begins with a digit is a duration. */
static bool parse_evacuate(struct step *s, char *zone, int64_t *ms)
{
	struct failover_answer *a = &s->out->evacuate;
	char *rest = strchr(zone, ','), *next;
	struct err err = ERR_INIT;

	*ms = FAILOVER_ORDER_MS;
	if (!rest)
		return true;
	*rest++ = '\0';
	rest += strspn(rest, " ");
	if (*rest >= '0' && *rest <= '9') {
		next = rest + strcspn(rest, ",");
		if (*next)
			*next++ = '\0';
		if (duration_parse(rest, ms, &err)) {
			answer(a, "Ignored", "%.160s", err.msg);
			return false;
		}
		rest = next + strspn(next, " ");
	}
	str_copy(s->out->reason, sizeof(s->out->reason), rest);
	if (*ms >= FAILOVER_ORDER_MIN_MS && *ms <= FAILOVER_ORDER_MAX_MS)
		return true;
	answer(a, "Ignored", "the duration must be from 10s to 7d");
	return false;
}

static void refuse(struct step *s, unsigned i, const char *why)
{
	const char *zone = s->in->zones[i].name;

	if (str_eq(why, "NoHealthyZone"))
		answer(&s->out->evacuate, "Ignored",
		       "no other zone is healthy: %s would be the last one to go", zone);
	else
		answer(&s->out->evacuate, "Ignored",
		       "another zone is out, and without %s %d of the %d pods that minCapacity "
		       "asks "
		       "for would serve",
		       zone, zone_ready_elsewhere(s, i), zone_ready_needed(s));
}

static void take_evacuate(struct step *s)
{
	char word[FAILOVER_TEXT_MAX], stamp[CLOCK_RFC3339_MAX];
	const char *why;
	int64_t ms;
	unsigned i;

	mdep_order_word(s->in->evacuate, word, sizeof(word));
	if (!parse_evacuate(s, word, &ms))
		return;
	i = named_zone(s, word, &s->out->evacuate);
	if (i == NO_ZONE)
		return;
	why = mdep_zone_is_out(&s->zones[i]) ? NULL : hindrance(s, i);
	if (why) {
		refuse(s, i, why);
		return;
	}
	s->zones[i].ordered_until_ms = s->in->now_ms + ms;
	s->zones[i].ordered_reason = str_nonempty(s->out->reason);
	answer(&s->out->evacuate, "Done", "zone %s is kept out until %s%s", word,
	       clock_format(s->in->now_ms + ms, stamp),
	       is_short(s, i) ? "; the others cannot carry all of it yet, a part stays for now"
	                      : "");
}

static void forget_order(struct mdep_zone_status *z)
{
	z->ordered_until_ms = 0;
	z->ordered_reason = NULL;
}

static void bring_back(struct step *s, unsigned i)
{
	struct failover_answer *a = &s->out->give_back;
	struct mdep_zone_status *z = &s->zones[i];
	bool good = zone_is_good(&s->in->zones[i]);
	int64_t at_ms;

	if (failover_is_ordered(z) && !s->in->zones[i].pods) {
		zone_enter(s, i, ZONE_HEALTHY, 100, "");
		answer(a, "Done", "zone %s has no pods: it gets them as any other", z->name);
	} else if (z->state == ZONE_DEGRADED && failover_is_ordered(z)) {
		answer(a, "Done", "zone %s gets back what was taken from it", z->name);
	} else if (good && (failover_is_ordered(z) || z->state == ZONE_RECOVERING ||
	                    zone_has_recovered(s, i, &at_ms))) {
		zone_start_back(s, i, REASON_RETURNED);
		answer(a, "Done", "zone %s comes back", z->name);
	} else {
		answer(a, "Pending",
		       "zone %s comes back when its pods have answered for long enough", z->name);
	}
}

static void take_return(struct step *s)
{
	struct failover_answer *a = &s->out->give_back;
	char word[FAILOVER_TEXT_MAX], stamp[CLOCK_RFC3339_MAX];
	struct mdep_zone_status *z;
	unsigned i;

	mdep_order_word(s->in->give_back, word, sizeof(word));
	i = named_zone(s, word, a);
	if (i == NO_ZONE)
		return;
	z = &s->zones[i];
	if (z->shift_until_ms > s->in->now_ms)
		answer(a, "Ignored",
		       "ZoneShift %s keeps zone %s out until %s: delete it, or let its "
		       "selector pass this object by",
		       z->shift, word, clock_format(z->shift_until_ms, stamp));
	else if (z->state == ZONE_FAILBACK)
		answer(a, "Ignored", "zone %s is on its way back already", word);
	else if (!mdep_zone_is_out(z))
		answer(a, "Ignored", "zone %s is not out", word);
	forget_order(z);
	if (!a->outcome)
		bring_back(s, i);
}

/* --- taking up --------------------------------------------------------------------------- */

static void take_shift(struct step *s, unsigned i)
{
	const struct zone_shift *shift = &s->in->zones[i].shift;
	struct mdep_zone_status *z = &s->zones[i];

	if (s->in->shifts_known) {
		z->shift = shift->name;
		z->shift_until_ms = shift->name ? shift->until_ms : 0;
	} else if (z->shift) {
		zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	}
	if (z->shift_until_ms <= s->in->now_ms) {
		z->shift = NULL;
		z->shift_until_ms = 0;
	}
}

static void end_order(struct step *s, unsigned i)
{
	struct mdep_zone_status *z = &s->zones[i];

	if (!z->ordered_until_ms || z->ordered_until_ms > s->in->now_ms)
		return;
	forget_order(z);
	if (!order_keeps_out(s, i))
		zone_tell(s, i, false, "ZoneOrderOver");
}

void order_take_up(struct step *s)
{
	for (unsigned i = 0; i < s->in->nzones; i++) {
		take_shift(s, i);
		end_order(s, i);
	}
	if (s->in->give_back && !s->in->blind)
		take_return(s);
	else if (s->in->give_back)
		answer(&s->out->give_back, "Pending", "no zone can be seen at present");
	if (s->in->evacuate && !s->in->blind)
		take_evacuate(s);
	else if (s->in->evacuate)
		answer(&s->out->evacuate, "Pending", "no zone can be seen at present");
	for (unsigned i = 0; i < s->in->nzones; i++) {
		if (order_keeps_out(s, i))
			zone_wake_at(s, until_ms(&s->zones[i]));
		else
			s->zones[i].refused = NULL;
	}
}

static int64_t age_of(const struct step *s, unsigned i)
{
	const struct zone_shift *shift = &s->in->zones[i].shift;

	return shift->name ? shift->since_ms : 0;
}

void order_sequence(const struct step *s, unsigned *sequence)
{
	for (unsigned i = 0; i < s->in->nzones; i++) {
		unsigned j = i;

		for (; j > 0 && age_of(s, sequence[j - 1]) > age_of(s, i); j--)
			sequence[j] = sequence[j - 1];
		sequence[j] = i;
	}
}

/* --- carrying out ------------------------------------------------------------------------ */

static void leave(struct step *s, unsigned i)
{
	int have = zone_ready_elsewhere(s, i), need = zone_ready_needed(s);

	if (have >= need) {
		zone_enter(s, i, ZONE_EVACUATING, 0, REASON_ORDERED);
		zone_tell(s, i, false, "ZoneOrderedOut");
		return;
	}
	if (s->zones[i].state != ZONE_DEGRADED)
		zone_tell(s, i, true, "ZoneOrderPartial");
	zone_enter(s, i, ZONE_DEGRADED, (need - have) * 100 / need, REASON_ORDERED);
	zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
}

bool order_step(struct step *s, unsigned i)
{
	struct mdep_zone_status *z = &s->zones[i];
	const char *why;

	if (z->state == ZONE_EVACUATING)
		return false;
	z->refused = z->state == ZONE_EVACUATED ? NULL : z->refused;
	if (z->state == ZONE_EVACUATED)
		return true;
	why = mdep_zone_percent(z) > 0 ? hindrance(s, i) : NULL;
	if (why) {
		if (!str_eq(z->refused, why))
			zone_tell(s, i, true, "ZoneOrderRefused");
		z->refused = why;
		zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
		return false;
	}
	z->refused = NULL;
	leave(s, i);
	return true;
}
