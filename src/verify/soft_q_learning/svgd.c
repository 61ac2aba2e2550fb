/// [soft-q-learning, 4]: the library's Stein variational gradient descent on densities with known
/// moments: in the right space, in two wrong ones, and a case that it cannot solve.
///
/// Densities of x are mixtures of Gaussians. The density of a in [-1, 1] is uniform, E[a^2] = 1/3.
/// Moments and distribution functions are in closed form.
#include "celsius/svgd.h"
#include "verify/verify.h"
#include <math.h>
#include <stdlib.h>

/// A mixture of Gaussians, the same in every dimension.
typedef struct Mixture {
  int n;
  double weight[2], mean[2], sd[2];
} Mixture;

static double bell(double x, double mean, double sd) {
  const double z = (x - mean) / sd;
  return exp(-z * z / 2) / (sd * 2.5066282746310005);
}

static void mixture_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  const Mixture *p = data;
  for (int64_t i = 0; i < n * d; i++) {
    double density = 0, slope = 0;
    for (int c = 0; c < p->n; c++) {
      const double part = p->weight[c] * bell(x[i], p->mean[c], p->sd[c]);
      density += part, slope += part * (p->mean[c] - x[i]) / (p->sd[c] * p->sd[c]);
    }
    score[i] = slope / density;
  }
}

static double mixture_below(const Mixture *p, double x) {
  double sum = 0;
  for (int c = 0; c < p->n; c++)
    sum += p->weight[c] * 0.5 * erfc((p->mean[c] - x) / (p->sd[c] * 1.4142135623730951));
  return sum;
}

static void flat_score(void *data, double *score, const double *x, int64_t n, int64_t d) {
  (void)data, (void)x;
  memset(score, 0, (size_t)(n * d) * sizeof *score);
}

/// The score of the density 1 - a^2: the Jacobian's part, which particles in a count a second time.
static void jacobian_score(void *data, double *score, const double *a, int64_t n, int64_t d) {
  (void)data;
  for (int64_t i = 0; i < n * d; i++) score[i] = -2 * a[i] / (1 - a[i] * a[i]);
}

static double moment(const double *x, int64_t n, double about, int power) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += pow(x[i] - about, power) / (double)n;
  return sum;
}

static CelSvgdOptions options(int64_t steps, double step_size) {
  CelSvgdOptions o = cel_svgd_options_default();
  o.steps = steps, o.step_size = step_size;
  return o;
}

// ---- a flat Q on [-1, 1]

enum { N_FLAT = 200 };

/// Starts n particles at tanh(.3 N(0, 1)).
static void start_flat(CeliTrial *trial, double *a, int64_t n) {
  celi_draw_normal(trial, a, n, .3);
  for (int64_t i = 0; i < n; i++) a[i] = tanh(a[i]);
}

static CelStatus flat(CeliTrial *trial, int64_t d) {
  double *a = celi_take(trial, N_FLAT * d);
  CelSvgdOptions o = options(150, .15);
  o.squash = true;
  start_flat(trial, a, N_FLAT * d);
  CELI_TRY(cel_svgd_run(a, N_FLAT, d, flat_score, NULL, &o));
  celi_compare(trial, moment(a, N_FLAT * d, 0, 2), 1. / 3, 1);
  return CEL_OK;
}

static CelStatus flat_line(CeliTrial *trial) {
  return flat(trial, 1);
}
static CelStatus flat_plane(CeliTrial *trial) {
  return flat(trial, 2);
}

/// Particles in u with the score of Q alone. The right density has E[u^2] = pi^2/12 = .82.
static CelStatus score_alone(CeliTrial *trial) {
  double *u = celi_take(trial, N_FLAT);
  const CelSvgdOptions o = options(100, .15);
  celi_draw_normal(trial, u, N_FLAT, .3);
  CELI_TRY(cel_svgd_run(u, N_FLAT, 1, flat_score, NULL, &o));
  celi_compare(trial, moment(u, N_FLAT, 0, 2), 0.8224670334241132, 1);
  return CEL_OK;
}

/// Particles in a with the log-density of u: the Jacobian counts twice.
static CelStatus jacobian_twice(CeliTrial *trial) {
  double *a = celi_take(trial, N_FLAT);
  const CelSvgdOptions o = options(250, .003);
  start_flat(trial, a, N_FLAT);
  CELI_TRY(cel_svgd_run(a, N_FLAT, 1, jacobian_score, NULL, &o));
  celi_compare(trial, moment(a, N_FLAT, 0, 2), .2, 1);
  return CEL_OK;
}

// ---- Gaussians and modes

/// 300 particles in one dimension for N(.7, 1.3^2), started elsewhere: their mean, and their
/// variance divided by 1.69.
static CelStatus gaussian(CeliTrial *trial) {
  enum { N = 300 };
  Mixture p = {1, {1, 0}, {.7, 0}, {1.3, 1}};
  double *x = celi_take(trial, N);
  const CelSvgdOptions o = options(150, .15);
  celi_draw_normal(trial, x, N, .5);
  for (int i = 0; i < N; i++) x[i] -= 2;
  CELI_TRY(cel_svgd_run(x, N, 1, mixture_score, &p, &o));
  const double mean = moment(x, N, 0, 1);
  celi_compare(trial, mean, .7, 1);
  celi_compare(trial, moment(x, N, mean, 2) / 1.69, 1, 1);
  return CEL_OK;
}

static int by_size(const void *left, const void *right) {
  const double x = *(const double *)left, y = *(const double *)right;
  return (x > y) - (x < y);
}

/// The fraction of particles right of 0, and the Kolmogorov-Smirnov distance to the density's
/// distribution function.
static void shape(double *x, int n, const Mixture *p, double *right, double *distance) {
  qsort(x, (size_t)n, sizeof *x, by_size);
  *right = *distance = 0;
  for (int i = 0; i < n; i++) {
    const double below = mixture_below(p, x[i]);
    *right += (x[i] > 0) / (double)n;
    *distance = fmax(*distance, fmax(fabs((double)i / n - below), fabs((i + 1.) / n - below)));
  }
}

/// Modes at -1.5 and 1.5 with sd .7 and weights .3 and .7: mean .6, variance 2.74 - .36. The start
/// is evenly spread.
static CelStatus overlapping(CeliTrial *trial, bool distance_too) {
  enum { N = 200 };
  Mixture p = {2, {.3, .7}, {-1.5, 1.5}, {.7, .7}};
  double *x = celi_take(trial, N), right, distance;
  const CelSvgdOptions o = options(150, .15);
  for (int i = 0; i < N; i++)
    x[i] = .6 * log((i + .5) / (N - i - .5)); // a start without randomness
  CELI_TRY(cel_svgd_run(x, N, 1, mixture_score, &p, &o));
  shape(x, N, &p, &right, &distance);
  if (distance_too)
    celi_compare(trial, distance, 0, 1);
  else {
    const double mean = moment(x, N, 0, 1);
    celi_compare(trial, right, 1 - mixture_below(&p, 0), 1);
    celi_compare(trial, mean, .6, 1);
    celi_compare(trial, moment(x, N, mean, 2) / 2.38, 1, 2);
  }
  return CEL_OK;
}

static CelStatus overlapping_mass(CeliTrial *trial) {
  return overlapping(trial, false);
}
static CelStatus overlapping_distance(CeliTrial *trial) {
  return overlapping(trial, true);
}

// ---- phi is the direction in which KL falls fastest

enum { N_PHI = 400 };
static const double h_phi = 1.5; ///< bandwidth of the kernel

/// Puts particles at the quantiles of q = N(m, sd^2). Writes the score of p = N(0, 1) at them, and
/// the library's phi.
static CelStatus draw_direction(CeliTrial *trial, double *x, double *score, double *phi) {
  const double m = cel_rng_range(&trial->rng, -1, 1), sd = cel_rng_range(&trial->rng, .5, 1.5);
  const Mixture q = {1, {1, 0}, {m, 0}, {sd, 1}};
  for (int i = 0; i < N_PHI; i++) {
    double low = m - 10 * sd, high = m + 10 * sd;
    for (int k = 0; k < 60; k++) {
      const double middle = (low + high) / 2;
      if (mixture_below(&q, middle) < (i + .5) / N_PHI)
        low = middle;
      else
        high = middle;
    }
    x[i] = low, score[i] = -low;
  }
  return cel_svgd_direction(phi, x, score, x, h_phi, N_PHI, N_PHI, 1);
}

static double kernel(double x, double y) {
  return exp(-(x - y) * (x - y) / h_phi);
}

/// Writes E_q[f score + f'] for f = phi, which is -d KL(q moved along f, p)/d eps at eps = 0. The
/// derivative of phi is a central difference of the library's phi.
static CelStatus fall_along_phi(const double *x, const double *score, const double *phi,
                                double *fall) {
  const double d = 1e-4;
  double right[N_PHI], left[N_PHI], beside[N_PHI];
  for (int i = 0; i < N_PHI; i++) beside[i] = x[i] + d;
  CELI_TRY(cel_svgd_direction(right, x, score, beside, h_phi, N_PHI, N_PHI, 1));
  for (int i = 0; i < N_PHI; i++) beside[i] = x[i] - d;
  CELI_TRY(cel_svgd_direction(left, x, score, beside, h_phi, N_PHI, N_PHI, 1));
  *fall = 0;
  for (int i = 0; i < N_PHI; i++)
    *fall += (phi[i] * score[i] + (right[i] - left[i]) / (2 * d)) / N_PHI;
  return CEL_OK;
}

/// |phi|^2 in the kernel's space, the squared Stein discrepancy: the mean over pairs of k s s' + s
/// dk/dx' + s' dk/dx + d2k/dx dx'.
static double stein_discrepancy(const double *x, const double *score) {
  double sum = 0;
  for (int i = 0; i < N_PHI; i++)
    for (int j = 0; j < N_PHI; j++) {
      const double k = kernel(x[i], x[j]), off = 2 * (x[i] - x[j]) / h_phi;
      sum += k * (score[i] * score[j] + off * (score[i] - score[j]) + 2 / h_phi - off * off);
    }
  return sum / N_PHI / N_PHI;
}

/// Compares the rate at which KL falls along the library's phi with |phi|^2 from the formula.
static CelStatus fall_is_norm(CeliTrial *trial) {
  double *x = celi_take(trial, N_PHI), *score = celi_take(trial, N_PHI);
  double *phi = celi_take(trial, N_PHI), fall;
  CELI_TRY(draw_direction(trial, x, score, phi));
  CELI_TRY(fall_along_phi(x, score, phi, &fall));
  const double norm = stein_discrepancy(x, score);
  celi_compare(trial, fall, norm, fmax(norm, 1e-2));
  return CEL_OK;
}

/// The library's direction is the steepest of norm 1. Compares E_q[f score + f']/|f| with |phi|,
/// for f a sum of kernels at fixed centers: first the steepest such f, then random ones.
static CelStatus phi_is_steepest(CeliTrial *trial) {
  enum { CENTERS = 12 };
  double *x = celi_take(trial, N_PHI), *score = celi_take(trial, N_PHI);
  double *phi = celi_take(trial, N_PHI), K[CENTERS * CENTERS], c[CENTERS], b[CENTERS], fall;
  CELI_TRY(draw_direction(trial, x, score, phi));
  CELI_TRY(fall_along_phi(x, score, phi, &fall));
  for (int attempt = 0; attempt < 8; attempt++) {
    double along = 0, norm = 0;
    for (int i = 0; i < CENTERS; i++) {
      const double y = -3 + 6. * i / (CENTERS - 1);
      b[i] = 0; // the rate along k(y, .)
      for (int j = 0; j < N_PHI; j++)
        b[i] += kernel(y, x[j]) * (score[j] - 2 * (x[j] - y) / h_phi) / N_PHI;
      for (int j = 0; j < CENTERS; j++)
        K[i * CENTERS + j] =
            kernel(y, -3 + 6. * j / (CENTERS - 1)) + (i == j && attempt == 0 ? 1e-9 : 0);
      c[i] = attempt ? cel_rng_normal(&trial->rng) : b[i];
    }
    double M[CENTERS * CENTERS];
    memcpy(M, K, sizeof M);
    if (attempt == 0) celi_dense_solve(M, c, CENTERS, 1); // the steepest sum of these kernels
    for (int i = 0; i < CENTERS; i++) {
      along += c[i] * b[i];
      for (int j = 0; j < CENTERS; j++) norm += c[i] * c[j] * K[i * CENTERS + j];
    }
    celi_compare(trial, along / sqrt(norm), sqrt(fmax(fall, 0)), 1);
  }
  return CEL_OK;
}

/// Two equal modes at -2 and 2 with sd .5. All particles start at one of them. Compares the
/// fraction right of 0 at the end.
static CelStatus separated(CeliTrial *trial) {
  enum { N = 100 };
  Mixture p = {2, {.5, .5}, {-2, 2}, {.5, .5}};
  double *x = celi_take(trial, N), right, distance;
  const CelSvgdOptions o = options(150, .1);
  for (int side = -1; side <= 1; side += 2) {
    celi_draw_normal(trial, x, N, .3);
    for (int i = 0; i < N; i++) x[i] += 2 * side;
    CELI_TRY(cel_svgd_run(x, N, 1, mixture_score, &p, &o));
    shape(x, N, &p, &right, &distance);
    celi_compare(trial, right, .5, 1);
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4",
     "flat Q on [-1, 1], particles in u with tanh's Jacobian: E[a^2] of the library's particles "
     "against 1/3",
     "cel_svgd_run", CEL_CHECK_EQUAL, .01, 1, flat_line, 0xbe4d0f07},
    {"4",
     "flat Q on [-1, 1] in two dimensions, particles in u with tanh's Jacobian: E[a^2] of the "
     "library's particles against 1/3",
     "cel_svgd_run", CEL_CHECK_EQUAL, .01, 1, flat_plane, 0x20b2cf05},
    {"4", "wrong: particles in u with the score of Q alone diverge: E[u^2] exceeds pi^2/12",
     "cel_svgd_run", CEL_CHECK_EXCEEDS, 1, 1, score_alone, 0x0611c100},
    {"4", "wrong: particles in a with the density of u count the Jacobian twice: E[a^2] against .2",
     "cel_svgd_run", CEL_CHECK_EQUAL, .01, 1, jacobian_twice, 0xc893f7d7},
    {"4",
     "along phi KL falls at the rate of the squared Stein discrepancy: the library's phi against a "
     "sum over pairs",
     "cel_svgd_direction", CEL_CHECK_EQUAL, 1e-6, 16, fall_is_norm, 0xff2e7065},
    {"4",
     "along no other direction of the kernel's space does KL fall faster: directions of norm 1 "
     "against the library's phi",
     "cel_svgd_direction", CEL_CHECK_AT_MOST, 1e-3, 16, phi_is_steepest, 0x0f7e7cd0},
    {"4", "300 particles for a Gaussian: their mean and relative variance against the exact ones",
     "cel_svgd_run", CEL_CHECK_EQUAL, .02, 1, gaussian, 0x29212bf1},
    {"4",
     "particles for two overlapping modes: mass right of 0, mean and relative variance against the "
     "exact ones",
     "cel_svgd_run", CEL_CHECK_EQUAL, .02, 1, overlapping_mass, 0x70db17a8},
    {"4",
     "particles for two overlapping modes: Kolmogorov-Smirnov distance to the exact distribution",
     "cel_svgd_run", CEL_CHECK_AT_MOST, .05, 1, overlapping_distance, 0x6eaf4569},
    {"4", "a limit: for modes far apart the mass on one side stays as it started, not 1/2",
     "cel_svgd_run", CEL_CHECK_DIFFERS, .4, 1, separated, 0xf928a0be},
    {0}};

const CeliSection celi_sq_svgd = {"src/verify/soft_q_learning/svgd.c", claims};
