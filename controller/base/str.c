#include "tidegate/base/str.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

int str_cmp(const char *a, const char *b)
{
	if (!a || !b)
		return (a ? 1 : 0) - (b ? 1 : 0);
	return strcmp(a, b);
}

const char *str_nonempty(const char *s)
{
	return str_empty(s) ? NULL : s;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);
	bool fits = n < size;

	if (!size)
		return false;
	if (!fits)
		n = size - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return fits;
}

bool str_to_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (str_empty(s))
		return false;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

bool str_to_i64(const char *s, int64_t *out)
{
	bool negative = s && *s == '-';
	uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0), v;

	if (!str_to_u64(negative ? s + 1 : s, &v) || v > limit)
		return false;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static size_t skip_digits(const char *s)
{
	size_t n = 0;

	while (isdigit((unsigned char)s[n]))
		n++;
	return n;
}

/* [+-]digits[.digits][e[+-]digits], with digits on at least one side of the point. */
static bool is_decimal(const char *s)
{
	size_t whole, fraction = 0;

	if (*s == '+' || *s == '-')
		s++;
	whole = skip_digits(s);
	s += whole;
	if (*s == '.') {
		fraction = skip_digits(s + 1);
		s += 1 + fraction;
	}
	if (!whole && !fraction)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '+' || *s == '-')
			s++;
		if (!skip_digits(s))
			return false;
		s += skip_digits(s);
	}
	return !*s;
}

/* All of them are exact as double, and "%.15g" writes them without an exponent. */
#define WHOLE_DIGITS 15
#define WHOLE_MAX    1e15

/*
 * Most numbers are short: a tenth of strtod's time. Digits and the power of ten are both exact as
 * double, so their quotient is the double nearest to what is written.
 */
static bool to_short(const char *s, double *out)
{
	static const double powers[WHOLE_DIGITS + 1] = {
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	int64_t v = 0;
	size_t n = 0, fraction = 0;
	bool point = false;

	for (; n < WHOLE_DIGITS; s++) {
		if (*s == '.' && !point) {
			point = true;
			continue;
		}
		if (*s < '0' || *s > '9')
			break;
		v = v * 10 + (*s - '0');
		n++;
		fraction += point;
	}
	if (!n || *s)
		return false;
	*out = (double)v / powers[fraction];
	return true;
}

bool str_to_double(const char *s, double *out)
{
	double v;

	if (str_empty(s))
		return false;
	if (to_short(s, out))
		return true;
	if (!strcmp(s, "NaN"))
		v = NAN;
	else if (!strcmp(s, "+Inf") || !strcmp(s, "Inf"))
		v = INFINITY;
	else if (!strcmp(s, "-Inf"))
		v = -INFINITY;
	else if (!is_decimal(s) || !isfinite(v = strtod(s, NULL)))
		return false;
	*out = v;
	return true;
}

static size_t count_digits(uint64_t v)
{
	size_t n = 1;

	for (uint64_t limit = 10; v >= limit && n < 19; limit *= 10)
		n++;
	return n;
}

size_t str_put_i64(char *to, int64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;
	size_t len = (v < 0) + count_digits(rest);
	char *p = to + len;

	for (; rest > 99; rest /= 100)
		memcpy(p -= 2, pairs + 2 * (rest % 100), 2);
	if (rest > 9)
		memcpy(p - 2, pairs + 2 * rest, 2);
	else
		p[-1] = (char)('0' + rest);
	if (v < 0)
		*to = '-';
	return len;
}

char *str_from_i64(int64_t v, char *buf)
{
	buf[str_put_i64(buf, v)] = '\0';
	return buf;
}

char *str_from_double(double v, char *buf)
{
	int precision;

	if (fabs(v) < WHOLE_MAX && v == trunc(v) && (v != 0 || !signbit(v)))
		return str_from_i64((int64_t)v, buf);
	if (isnan(v) || isinf(v)) {
		str_copy(buf, STR_DOUBLE_MAX, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return buf;
	}
	for (precision = 15; precision <= 17; precision++) {
		snprintf(buf, STR_DOUBLE_MAX, "%.*g", precision, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	return buf;
}

uint64_t str_hash(uint64_t seed, const void *p, size_t n)
{
	const unsigned char *c = p;

	while (n--) {
		seed ^= *c++;
		seed *= 0x100000001b3ULL;
	}
	return seed;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* The last word overlaps the one before it; of a text that is shorter, the halves do. */
uint64_t str_hash_fast(const void *p, size_t n)
{
	const unsigned char *c = p, *last;
	uint64_t h = n, word = 0;
	uint32_t half[2];

	if (n >= sizeof(word)) {
		last = c + n - sizeof(word);
		for (; c < last; c += sizeof(word)) {
			memcpy(&word, c, sizeof(word));
			h = mix(h, word);
		}
		memcpy(&word, last, sizeof(word));
	} else if (n >= sizeof(half[0])) {
		memcpy(&half[0], c, sizeof(half[0]));
		memcpy(&half[1], c + n - sizeof(half[1]), sizeof(half[1]));
		memcpy(&word, half, sizeof(word));
	} else {
		while (n--)
			word = word << 8 | c[n];
	}
	return mix(h, word);
}

void str_safe_encode(uint64_t v, char *out, size_t n)
{
	static const char alphabet[] = STR_SAFE_ALPHABET;

	for (; n; n--) {
		*out++ = alphabet[v % (sizeof(alphabet) - 1)];
		v /= sizeof(alphabet) - 1;
	}
	*out = '\0';
}

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char c)
{
	const char *p = c ? strchr(base64_alphabet, c) : NULL;

	return p ? (int)(p - base64_alphabet) : -1;
}

/* Decodes the 2 to 4 characters of one group; false when there is no room. */
static bool put_group(const int v[4], unsigned chars, unsigned char *out, size_t cap, size_t *len)
{
	uint32_t bits =
		(uint32_t)v[0] << 18 | (uint32_t)v[1] << 12 | (uint32_t)v[2] << 6 | (uint32_t)v[3];
	unsigned i;

	if (cap - *len < chars - 1)
		return false;
	for (i = 0; i < chars - 1; i++)
		out[(*len)++] = (unsigned char)(bits >> (16 - 8 * i));
	return true;
}

long base64_decode(const char *in, size_t n, unsigned char *out, size_t cap)
{
	int v[4] = {0};
	unsigned chars = 0, pads = 0;
	size_t i, len = 0;

	for (i = 0; i < n; i++) {
		if (in[i] == '\n' || in[i] == '\r')
			continue;
		if (in[i] == '=') {
			pads++;
			continue;
		}
		if (pads || (v[chars] = base64_value(in[i])) < 0)
			return -1;
		if (++chars < 4)
			continue;
		if (!put_group(v, 4, out, cap, &len))
			return -1;
		memset(v, 0, sizeof(v));
		chars = 0;
	}
	if (chars == 1 || pads != (chars ? 4 - chars : 0))
		return -1;
	if (chars && !put_group(v, chars, out, cap, &len))
		return -1;
	return (long)len;
}

void base64_encode(const void *in, size_t n, char *out)
{
	const unsigned char *p = in;

	for (; n; p += 3) {
		size_t k = n < 3 ? n : 3;
		uint32_t bits = (uint32_t)p[0] << 16 | (k > 1 ? (uint32_t)p[1] << 8 : 0) |
		                (k > 2 ? p[2] : 0);

		*out++ = base64_alphabet[bits >> 18];
		*out++ = base64_alphabet[bits >> 12 & 63];
		*out++ = k > 1 ? base64_alphabet[bits >> 6 & 63] : '=';
		*out++ = k > 2 ? base64_alphabet[bits & 63] : '=';
		n -= k;
	}
	*out = '\0';
}

static size_t plain_bytes(const char *s, size_t n)
{
	static const bool plain[256] = {
		[' ' ... '!'] = true, ['#' ... '['] = true, [']' ... '~'] = true};
	size_t i = 0;

	while (i < n && plain[(unsigned char)s[i]])
		i++;
	return i;
}

#ifdef __SSE2__
/* One bit for each byte that is not plain; what is beyond ASCII counts as negative. */
static inline unsigned specials(__m128i v)
{
	__m128i plain = _mm_cmpgt_epi8(v, _mm_set1_epi8(' ' - 1));
	__m128i others = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
	                              _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')),
	                                           _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));

	return (unsigned)_mm_movemask_epi8(_mm_andnot_si128(others, plain)) ^ 0xffff;
}

size_t str_plain_run(const char *s, size_t n)
{
	unsigned found;
	size_t i = 0;

	for (; n - i >= 16; i += 16) {
		found = specials(_mm_loadu_si128((const __m128i_u *)(s + i)));
		if (found)
			return i + (unsigned)__builtin_ctz(found);
	}
	if (n - i > 8) { /* a load of half a register clears the other half */
		found = specials(_mm_loadl_epi64((const __m128i_u *)(s + i))) & 0xff;
		if (found)
			return i + (unsigned)__builtin_ctz(found);
	}
	if (n < 8 || i == n)
		return i + plain_bytes(s + i, n - i);
	/* Those of the last eight that have been seen already are plain. */
	found = specials(_mm_loadl_epi64((const __m128i_u *)(s + n - 8))) & 0xff;
	return n - 8 + (found ? (unsigned)__builtin_ctz(found) : 8);
}
#else
#define EACH_BYTE(b) (0x0101010101010101ULL * (b))

/* Top bits of bytes that are zero. Above the lowest of them one may be wrong, by its borrow. */
static inline uint64_t zero_bytes(uint64_t w)
{
	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

/* Likewise of the bytes that are not plain. */
static inline uint64_t special_bytes(uint64_t w)
{
	uint64_t below_blank = (w - EACH_BYTE(' ')) & ~w;

	return ((below_blank | w) & EACH_BYTE(0x80)) | zero_bytes(w ^ EACH_BYTE('"')) |
	       zero_bytes(w ^ EACH_BYTE('\\')) | zero_bytes(w ^ EACH_BYTE(0x7f));
}

size_t str_plain_run(const char *s, size_t n)
{
	uint64_t w, special;
	size_t i = 0;

	for (; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, s + i, sizeof(w));
		special = special_bytes(le64toh(w));
		if (special)
			return i + (size_t)__builtin_ctzll(special) / 8;
	}
	return i + plain_bytes(s + i, n - i);
}
#endif

size_t str_utf8_next(const char *s, size_t n, uint32_t *cp)
{
	/* By length: first byte, its data bits, smallest code point that needs so many. */
	static const struct {
		unsigned char mask, lead, bits;
		uint32_t min;
	} forms[] = {
		[2] = {0xe0, 0xc0, 0x1f, 0x80},
		{0xf0, 0xe0, 0x0f, 0x800},
		{0xf8, 0xf0, 0x07, 0x10000},
	};
	const unsigned char *p = (const unsigned char *)s;
	size_t len, i;
	uint32_t v;

	if (!n)
		return 0;
	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	for (len = 2; len <= 4; len++)
		if ((p[0] & forms[len].mask) == forms[len].lead)
			break;
	if (len > 4 || len > n)
		return 0;
	v = p[0] & forms[len].bits;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < forms[len].min || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*cp = v;
	return len;
}

static bool is_name_edge(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One label of at most `max` characters at s; returns its length, 0 when it is none. */
static size_t dns_label_len(const char *s, size_t max)
{
	size_t n = 0;

	while (is_name_edge(s[n]) || s[n] == '-')
		n++;
	return n && n <= max && is_name_edge(s[0]) && is_name_edge(s[n - 1]) ? n : 0;
}

bool str_is_dns_label(const char *s)
{
	size_t n = s ? dns_label_len(s, 63) : 0;

	return n && !s[n];
}

/* The API server bounds the whole name only, not the labels in it. */
bool str_is_dns_subdomain(const char *s)
{
	size_t n;

	if (!s || strlen(s) > 253)
		return false;
	for (;;) {
		n = dns_label_len(s, 253);
		if (!n)
			return false;
		if (!s[n])
			return true;
		if (s[n] != '.')
			return false;
		s += n + 1;
	}
}
