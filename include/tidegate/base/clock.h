/*
 * Time. Durations and monotonic instants are int64_t milliseconds; wall time is
 * int64_t milliseconds since 1970 UTC and serves only to be written down or
 * compared with what was written down (status fields, conditions).
 * Pure modules take `now` as an argument and never call these.
 */
#ifndef TIDEGATE_BASE_CLOCK_H
#define TIDEGATE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_RFC3339_MAX 40

/* CLOCK_BOOTTIME: goes on during suspend, never jumps. */
int64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);
/*
 * Virtual time, for simulation: while `v` is set, the two clocks above answer its fields, which
 * its owner moves. NULL = the system's clocks again.
 */
struct clock_virtual {
	int64_t mono_ms, wall_ms;
};
void clock_use(const struct clock_virtual *v);
/* CPU time of this process. */
int64_t clock_cpu_ms(void);

/* "2026-11-24T10:52:17Z": metav1.Time. buf needs CLOCK_RFC3339_MAX bytes; returns buf. */
char *clock_format(int64_t wall_ms, char *buf);
/* "2026-11-24T10:52:17.123Z", for logs and reports. */
char *clock_format_ms(int64_t wall_ms, char *buf);
/* "2026-11-24T10:52:17.123456Z": metav1.MicroTime (milliseconds are what we have). */
char *clock_format_micro(int64_t wall_ms, char *buf);
/* Instants outside the years 0000 to 9999 are written as the nearest that is inside. */
/* RFC 3339 with optional fraction and offset. Returns 0, or -1 on anything else. */
int clock_parse(const char *s, int64_t *wall_ms);

#endif
