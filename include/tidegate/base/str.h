/*
 * Small string helpers that the C library lacks or gets wrong (locale, errno).
 * Nothing here allocates. NULL is allowed where a comment says so.
 */
#ifndef TIDEGATE_BASE_STR_H
#define TIDEGATE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* NULL equals NULL only. Texts that differ mostly do so at once: cheaper than a call. */
static inline bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && *a == *b && !strcmp(a, b));
}
/* NULL and "" are both empty. */
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
static inline bool str_starts(const char *s, const char *prefix)
{
	return s && !strncmp(s, prefix, strlen(prefix));
}
static inline bool str_ends(const char *s, const char *suffix)
{
	size_t n = s ? strlen(s) : 0, m = strlen(suffix);

	return s && n >= m && !memcmp(s + n - m, suffix, m);
}
/* NULL sorts first. */
int str_cmp(const char *a, const char *b);
/* s, or fallback when s is NULL. */
static inline const char *str_or(const char *s, const char *fallback)
{
	return s ? s : fallback;
}
/* s, or NULL when s is empty. */
const char *str_nonempty(const char *s);
/* Copies with truncation, always terminates; returns false when it was cut. */
bool str_copy(char *dst, size_t size, const char *src);

/* Whole-string decimal parse, no blanks, no locale. False on anything else or overflow. */
bool str_to_i64(const char *s, int64_t *out);
bool str_to_u64(const char *s, uint64_t *out);
/* Whole-string, C locale; accepts "NaN", "+Inf", "-Inf" as Prometheus writes them. */
bool str_to_double(const char *s, double *out);
#define STR_I64_MAX 24
char *str_from_i64(int64_t v, char *buf); /* returns buf */
size_t str_put_i64(char *to, int64_t v);  /* without a NUL; returns the length */
/* Shortest decimal text that reads back the same; "NaN", "+Inf", "-Inf". Returns buf. */
#define STR_DOUBLE_MAX 32
char *str_from_double(double v, char *buf);

/* How many of n bytes are ASCII that stands for itself in JSON: no quote, backslash, control or
 * DEL. */
size_t str_plain_run(const char *s, size_t n);

/*
 * Length of the UTF-8 sequence at s (n bytes are there) and its code point; 0 when it is
 * not one (too short, overlong, surrogate, beyond U+10FFFF).
 */
size_t str_utf8_next(const char *s, size_t n, uint32_t *cp);

/* For tables in memory and comparisons within one run: several times as fast as str_hash(). */
uint64_t str_hash_fast(const void *p, size_t n);

/* FNV-1a 64 bit; chain by passing the last result as seed, STR_HASH_SEED first. */
#define STR_HASH_SEED 0xcbf29ce484222325ULL
uint64_t str_hash(uint64_t seed, const void *p, size_t n);
/* The vowel-free alphabet that Kubernetes uses for hashes in names. */
#define STR_SAFE_ALPHABET "bcdfghjklmnpqrstvwxz2456789"
/* Writes `n` characters of it, and a NUL. */
void str_safe_encode(uint64_t v, char *out, size_t n);

/* Standard base64; decode accepts newlines. Returns bytes written or -1 (bad input, no room). */
long base64_decode(const char *in, size_t n, unsigned char *out, size_t cap);
/* out needs 4*((n+2)/3)+1 bytes. */
void base64_encode(const void *in, size_t n, char *out);

/* RFC 1123 label / subdomain, as the API server checks names. */
bool str_is_dns_label(const char *s);
bool str_is_dns_subdomain(const char *s);

#endif
