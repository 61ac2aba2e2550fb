/// Stein variational gradient descent. Contract: celsius/svgd.h.
///
/// With k(x, y) = exp(-|x - y|^2 / h) the repulsion is grad_x k(x, y) = -2 (x - y) k / h. It pushes
/// y away from x.
/// Source: [soft-q-learning, 4]
#include "celsius/svgd.h"
#include "base/arguments.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double squared_distance(const double *x, const double *y, int64_t d) {
  double sum = 0;
  for (int64_t k = 0; k < d; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

static CelStatus check_sizes(int64_t n, int64_t m, int64_t d) {
  if (n >= 1 && m >= 1 && d >= 1) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "svgd: %lld particles, %lld points, %lld dimensions; each must be at least 1",
                  (long long)n, (long long)m, (long long)d);
}

CelStatus cel_svgd_direction(double *phi, const double *x, const double *score, const double *y,
                             double h, int64_t n, int64_t m, int64_t d) {
  CELI_NEED(phi);
  CELI_NEED(x);
  CELI_NEED(score);
  CELI_NEED(y);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_sizes(n, m, d));
  if (!(h > 0)) return cel_fail(CEL_E_RANGE, "svgd: h is %g; it must be positive", h);
  for (int64_t j = 0; j < m; j++) {
    double *p = phi + j * d;
    const double *yj = y + j * d;
    memset(p, 0, (size_t)d * sizeof *p);
    for (int64_t i = 0; i < n; i++) {
      const double *xi = x + i * d, *s = score + i * d;
      const double k = exp(-squared_distance(xi, yj, d) / h);
      for (int64_t c = 0; c < d; c++) p[c] += k * (s[c] + 2 / h * (yj[c] - xi[c]));
    }
    for (int64_t c = 0; c < d; c++) p[c] /= (double)n;
  }
  return CEL_OK;
}

// ---- the median heuristic.

/// Moves the element of rank k to its position, with smaller ones before and larger ones after it.
static double select_rank(double *v, int64_t n, int64_t k) {
  int64_t low = 0, high = n - 1;
  while (low < high) {
    const double pivot = v[low + (high - low) / 2];
    int64_t i = low, j = high;
    while (i <= j) {
      while (v[i] < pivot) i++;
      while (v[j] > pivot) j--;
      if (i > j) break;
      const double t = v[i];
      v[i++] = v[j], v[j--] = t;
    }
    if (k <= j)
      high = j;
    else if (k >= i)
      low = i;
    else
      break;
  }
  return v[k];
}

/// The median of v (n,), n >= 1. For an even n, the mean of the middle two. Changes the order of v.
static double median(double *v, int64_t n) {
  const double upper = select_rank(v, n, n / 2);
  if (n % 2 == 1) return upper;
  double lower = v[0];
  for (int64_t i = 1; i < n / 2; i++) lower = fmax(lower, v[i]);
  return (lower + upper) / 2;
}

/// h from n particles. `distance` has space for n (n - 1) / 2 distances.
static double bandwidth(const double *x, int64_t n, int64_t d, double *distance) {
  int64_t pairs = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) distance[pairs++] = squared_distance(x + i * d, x + j * d, d);
  const double middle = pairs > 0 ? median(distance, pairs) : 0;
  return middle > 0 ? middle / log((double)n + 1) : 1;
}

CelStatus cel_svgd_bandwidth(double *h, const double *x, int64_t n, int64_t d) {
  CELI_NEED(h);
  CELI_NEED(x);
  CELI_FLOATS(CELI_IEEE);
  double *distance = NULL;
  CELI_TRY(check_sizes(n, 1, d));
  CELI_TRY(celi_alloc(&distance, (size_t)n * (size_t)n / 2 + 1, sizeof *distance, "distances"));
  *h = bandwidth(x, n, d, distance);
  free(distance);
  return CEL_OK;
}

// ---- running.

void cel_svgd_squash(double *score_u, const double *score_a, const double *a, int64_t n) {
  CELI_NEED_OR(score_u, );
  CELI_NEED_OR(score_a, );
  CELI_NEED_OR(a, );
  CELI_FLOATS(CELI_IEEE);
  for (int64_t i = 0; i < n; i++) score_u[i] = score_a[i] * (1 - a[i] * a[i]) - 2 * a[i];
}

CelSvgdOptions cel_svgd_options_default(void) {
  return (CelSvgdOptions){.steps = 1000, .step_size = 0.1, .decay = 0.9, .bandwidth = 0};
}

static CelStatus check_options(const CelSvgdOptions *o) {
  if (o->steps < 0)
    return cel_fail(CEL_E_RANGE, "svgd: steps is %lld; it must not be negative",
                    (long long)o->steps);
  if (!(o->step_size > 0) || !isfinite(o->step_size))
    return cel_fail(CEL_E_RANGE, "svgd: step_size is %g; it must be positive", o->step_size);
  if (!(o->decay >= 0 && o->decay <= 1))
    return cel_fail(CEL_E_RANGE, "svgd: decay is %g; it must be in [0, 1]", o->decay);
  if (!(o->bandwidth >= 0) || !isfinite(o->bandwidth))
    return cel_fail(CEL_E_RANGE, "svgd: bandwidth is %g; it must not be negative", o->bandwidth);
  return CEL_OK;
}

/// State of a run. Arrays are (n,d), except distance.
typedef struct Run {
  int64_t n, d;
  double *x; ///< the caller's array: the particles, or a = tanh(u)
  double *u; ///< the particles of a squashed run, otherwise x
  double *score, *phi, *mean_square, *distance;
} Run;

static void run_free(Run *run) {
  free(run->score);
  free(run->phi);
  free(run->mean_square);
  free(run->distance);
  if (run->u != run->x) free(run->u);
}

static CelStatus run_create(Run *run, const CelSvgdOptions *o) {
  const size_t size = (size_t)(run->n * run->d), pairs = (size_t)run->n * (size_t)run->n / 2 + 1;
  CELI_TRY(celi_alloc(&run->score, size, sizeof(double), "scores"));
  CELI_TRY(celi_alloc(&run->phi, size, sizeof(double), "directions"));
  CELI_TRY(celi_alloc(&run->mean_square, size, sizeof(double), "mean squares"));
  if (o->bandwidth == 0) CELI_TRY(celi_alloc(&run->distance, pairs, sizeof(double), "distances"));
  if (!o->squash) return CEL_OK;
  run->u = NULL;
  CELI_TRY(celi_alloc(&run->u, size, sizeof(double), "particles"));
  for (size_t i = 0; i < size; i++) {
    if (!(fabs(run->x[i]) < 1))
      return cel_fail(CEL_E_RANGE, "svgd: particle %lld starts at %g; it must be in (-1, 1)",
                      (long long)((int64_t)i / run->d), run->x[i]);
    run->u[i] = atanh(run->x[i]);
  }
  return CEL_OK;
}

static CelStatus check_scores(const Run *run, int64_t step) {
  for (int64_t i = 0; i < run->n * run->d; i++)
    if (!isfinite(run->score[i]))
      return cel_fail(CEL_E_NAN,
                      "svgd: the score of particle %lld at step %lld is %g; it must be finite",
                      (long long)(i / run->d), (long long)step, run->score[i]);
  return CEL_OK;
}

/// Moves the particles by phi. Each element is divided by its running root mean square.
static void advance(Run *run, const CelSvgdOptions *o, int64_t step) {
  const double size = o->step_size * (1 - (double)step / (double)o->steps);
  for (int64_t i = 0; i < run->n * run->d; i++) {
    const double phi = run->phi[i], square = phi * phi;
    run->mean_square[i] =
        step == 0 ? square : o->decay * run->mean_square[i] + (1 - o->decay) * square;
    run->u[i] += o->decay == 1 ? size * phi : size * phi / (sqrt(run->mean_square[i]) + 1e-6);
    if (o->squash) run->x[i] = tanh(run->u[i]);
  }
}

static CelStatus run_steps(Run *run, CelScore score, void *data, const CelSvgdOptions *o) {
  const int64_t n = run->n, d = run->d;
  for (int64_t step = 0; step < o->steps; step++) {
    score(data, run->score, run->x, n, d);
    CELI_TRY(check_scores(run, step));
    if (o->squash) cel_svgd_squash(run->score, run->score, run->x, n * d);
    const double h = o->bandwidth > 0 ? o->bandwidth : bandwidth(run->u, n, d, run->distance);
    CELI_TRY(cel_svgd_direction(run->phi, run->u, run->score, run->u, h, n, n, d));
    advance(run, o, step);
  }
  return CEL_OK;
}

CelStatus cel_svgd_run(double *x, int64_t n, int64_t d, CelScore score, void *data,
                       const CelSvgdOptions *options) {
  CELI_NEED(x);
  CELI_NEED(score);
  CELI_FLOATS(CELI_IEEE);
  const CelSvgdOptions chosen = options ? *options : cel_svgd_options_default();
  Run run = {.n = n, .d = d, .x = x, .u = x};
  CELI_TRY(check_sizes(n, 1, d));
  CELI_TRY(check_options(&chosen));
  CelStatus status = run_create(&run, &chosen);
  if (status == CEL_OK) status = run_steps(&run, score, data, &chosen);
  run_free(&run);
  return status;
}
