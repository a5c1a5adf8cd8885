#include "mann_whitney.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

/* Of a root, absolute. */
#define ROOT_TOLERANCE 1e-4
#define ROOT_STEPS_MAX 1001

/* --- ranks ------------------------------------------------------------------------------- */

/* An infinite value may become NaN by the shift or by noise; it then is the greatest of all, and
 * equal to itself: the walk below would not end at a value that is not. */
static double shifted(double v, double shift)
{
	double d = v - shift;

	return isnan(d) ? INFINITY : d;
}

/* Equal for ranking: 0 stands above -0. */
static int compare(double a, double b)
{
	if (a != b)
		return a < b ? -1 : 1;
	return (signbit(b) != 0) - (signbit(a) != 0);
}

struct ranks {
	double sum;  /* of the ranks of x, ties averaged */
	double ties; /* sum of t^3 - t over the groups of tied values */
};

/* Walks both sorted samples side by side, one group of tied values at a time. */
static struct ranks rank(const double *x, size_t m, const double *y, size_t n, double shift)
{
	struct ranks r = {0, 0};
	size_t i = 0, j = 0;

	while (i < m || j < n) {
		size_t i0 = i, j0 = j;
		double v, tied, first = (double)(i + j + 1);

		if (j == n || (i < m && compare(shifted(x[i], shift), shifted(y[j], 0)) < 0))
			v = shifted(x[i], shift);
		else
			v = shifted(y[j], 0);
		while (i < m && compare(shifted(x[i], shift), v) == 0)
			i++;
		while (j < n && compare(shifted(y[j], 0), v) == 0)
			j++;
		tied = (double)(i - i0 + j - j0);
		r.sum += (double)(i - i0) * (first + (tied - 1) / 2);
		r.ties += tied * tied * tied - tied;
	}
	return r;
}

double mann_whitney_z(const double *x, size_t m, const double *y, size_t n, double shift,
                      double quantile)
{
	struct ranks r = rank(x, m, y, n, shift);
	double a = (double)m, b = (double)n, sigma;
	double d = r.sum - a * (a + 1) / 2 - a * b / 2;
	double correction = d > 0 ? 0.5 : d < 0 ? -0.5 : 0;

	sigma = sqrt((a * b / 12) * ((a + b + 1) - r.ties / ((a + b) * (a + b - 1))));
	return sigma > 0 ? (d - correction) / sigma - quantile : NAN;
}

double mann_whitney_cles(const double *x, size_t m, const double *y, size_t n)
{
	double a = (double)m, b = (double)n;

	return (2 * rank(x, m, y, n, 0).sum - a * (a + 1)) / (2 * a * b);
}

/* --- quantile ---------------------------------------------------------------------------- */

double normal_quantile(double p)
{
	/* Newton's steps from the middle towards a tail do not overshoot: the tail is convex. */
	bool upper = p > 0.5;
	double tail = upper ? 1 - p : p, z = 0;

	for (int i = 0; i < 100; i++) {
		double density = exp(-z * z / 2) / sqrt(2 * M_PI);
		double step = (0.5 * erfc(-z / M_SQRT2) - tail) / density;

		z -= step;
		if (fabs(step) < 1e-15 * (1 + fabs(z)))
			break;
	}
	return upper ? -z : z;
}

/* --- roots ------------------------------------------------------------------------------- */

struct problem {
	const double *x, *y;
	size_t m, n;
	double quantile;
};

static double value_at(const struct problem *p, double shift)
{
	return mann_whitney_z(p->x, p->m, p->y, p->n, shift, p->quantile);
}

static bool is_zero(double f)
{
	return fabs(f) <= DBL_TRUE_MIN;
}

struct bracket {
	double previous, best, other; /* the root lies between best and other */
	double f_previous, f_best, f_other;
};

/* Keeps the end with the smaller value as the best one. */
static void bracket_order(struct bracket *b)
{
	if (!(fabs(b->f_other) < fabs(b->f_best)))
		return;
	b->previous = b->best;
	b->best = b->other;
	b->other = b->previous;
	b->f_previous = b->f_best;
	b->f_best = b->f_other;
	b->f_other = b->f_previous;
}

/* Step by secant or inverse quadratic interpolation when it is trusted, else by halves. */
static double bracket_step(const struct bracket *b, double last, double tolerance)
{
	double width = b->other - b->best, half = width / 2, p, q, s, t, u;

	if (!(fabs(last) >= tolerance && fabs(b->f_previous) > fabs(b->f_best)))
		return half;
	if (b->previous == b->other) {
		s = b->f_best / b->f_previous;
		p = width * s;
		q = 1 - s;
	} else {
		t = b->f_previous / b->f_other;
		u = b->f_best / b->f_other;
		s = b->f_best / b->f_previous;
		p = s * (width * t * (t - u) - (b->best - b->previous) * (u - 1));
		q = (t - 1) * (u - 1) * (s - 1);
	}
	if (p > 0)
		q = -q;
	else
		p = -p;
	if (p < 0.75 * width * q - fabs(tolerance * q) / 2 && p < fabs(last * q / 2))
		return p / q;
	return half;
}

/* R. P. Brent, Algorithms for minimization without derivatives, 1973, chapter 4. */
static double find_zero(const struct problem *problem, double lo, double hi, double f_lo,
                        double f_hi)
{
	struct bracket b = {lo, hi, lo, f_lo, f_hi, f_lo};
	double last, tolerance, step;

	if (is_zero(f_lo))
		return lo;
	for (int i = 0; i < ROOT_STEPS_MAX && !is_zero(b.f_best); i++) {
		last = b.best - b.previous;
		bracket_order(&b);
		tolerance = 2 * DBL_EPSILON * fabs(b.best) + ROOT_TOLERANCE / 2;
		if (fabs((b.other - b.best) / 2) <= tolerance || is_zero(b.f_best))
			break;
		step = bracket_step(&b, last, tolerance);
		if (fabs(step) < tolerance)
			step = step > 0 ? tolerance : -tolerance;
		b.previous = b.best;
		b.f_previous = b.f_best;
		b.best += step;
		b.f_best = value_at(problem, b.best);
		if ((b.f_best > 0 && b.f_other > 0) || (b.f_best < 0 && b.f_other < 0)) {
			b.other = b.previous;
			b.f_other = b.f_previous;
		}
	}
	return b.best;
}

/* The end of the range when the quantile is not reached inside, as with few observations. */
static double interval_end(const struct problem *p, double min, double max)
{
	double f_min = value_at(p, min), f_max = value_at(p, max);

	if (f_min <= 0)
		return min;
	if (f_max >= 0)
		return max;
	return find_zero(p, min, max, f_min, f_max);
}

int mann_whitney_test(const double *x, size_t m, const double *y, size_t n, double confidence,
                      struct mann_whitney *out)
{
	double z = normal_quantile((1 - confidence) / 2);
	double min = x[0] - y[n - 1], max = x[m - 1] - y[0], f_min, f_max;
	struct problem p = {x, y, m, n, 0};

	f_min = value_at(&p, min);
	f_max = value_at(&p, max);
	if (isnan(f_min) || isnan(f_max))
		return -1;
	out->estimate = find_zero(&p, min, max, f_min, f_max);
	p.quantile = -z;
	out->lower = interval_end(&p, min, max);
	p.quantile = z;
	out->upper = interval_end(&p, min, max);
	return 0;
}
