/// [maximum-entropy, 8.22-8.25] for continuous actions: the linear-quadratic problem at a
/// temperature. Its cost has no factor 1/2.
///
/// x' = A x + B u + w, reward -x'Qx - u'Ru; pi(u|x) = N(-K x, Sigma), V(x) = -x'Px + constant.
#include "celsius/lqr.h"
#include "verify/verify.h"
#include <math.h>

// ---- the linear-quadratic problem at a temperature

/// The problem in one dimension: x' = a x + b u + w.
typedef struct Line {
  double a, b, q, r, noise, gamma, alpha;
} Line;

/// One soft backup of V(x) = -P x^2 + c at x, by quadrature over u. Returns the value, and the mean
/// and variance of the policy.
static double quadrature_backup(const Line *l, double P, double c, double x, double *mean,
                                double *variance) {
  enum { NODES = 4000 };
  const double curvature = l->r + l->gamma * P * l->b * l->b;
  const double middle = -l->gamma * P * l->a * l->b * x / (l->r + l->gamma * P * l->b * l->b);
  const double width = 12 * sqrt(l->alpha / (2 * curvature)), step = 2 * width / NODES;
  long double Z = 0, first = 0, second = 0, most = -HUGE_VALL;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i <= NODES; i++) {
      const double u = middle - 0.7 * width + i * step * 0.85, next = l->a * x + l->b * u;
      const long double Q =
          -l->q * x * x - l->r * u * u + l->gamma * (c - P * (next * next + l->noise * l->noise));
      const long double weight = pass ? expl((Q - most) / l->alpha) : 0;
      most = pass == 0 && Q > most ? Q : most;
      Z += weight, first += weight * u, second += weight * u * u;
    }
  *mean = (double)(first / Z);
  *variance = (double)(second / Z - first / Z * (first / Z));
  return (double)(most + l->alpha * logl(Z * step * 0.85));
}

/// Soft value iteration by quadrature. V stays quadratic, so two points determine it.
static CelStatus line_by_quadrature(CeliTrial *trial) {
  CelRng *rng = &trial->rng;
  static const double alphas[] = {.01, .1, 1, 10};
  const Line l = {cel_rng_range(rng, -1.2, 1.2), cel_rng_range(rng, .3, 1),
                  cel_rng_range(rng, .2, 2),     cel_rng_range(rng, .2, 2),
                  cel_rng_range(rng, 0, .5),     .8,
                  alphas[celi_below(trial, 4)]};
  const CelLqr lqr = {
      .n = 1, .m = 1, .A = {l.a}, .B = {l.b}, .Q = {l.q}, .R = {l.r}, .noise = l.noise};
  CelLqrSolution solution;
  CELI_TRY(cel_lqr_solve(&lqr, l.gamma, l.alpha, &solution));
  double P = 0, c = 0, mean = 0, variance = 0;
  for (int k = 0; k < 110; k++) {
    const double at_0 = quadrature_backup(&l, P, c, 0, &mean, &variance);
    P = at_0 - quadrature_backup(&l, P, c, 1, &mean, &variance);
    c = at_0;
  }
  const double left[] = {solution.P[0], -solution.K[0], solution.Sigma[0], solution.constant};
  const double right[] = {P, mean, variance, c};
  celi_compare_all(trial, left, right, 4, celi_size(left, 4));
  return CEL_OK;
}

enum { N = 3, M = 2 };

/// out (n, p) = X (n, k) Y (k, p).
static void product(double *out, const double *X, const double *Y, int n, int k, int p) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < p; j++) {
      out[i * p + j] = 0;
      for (int l = 0; l < k; l++) out[i * p + j] += X[i * k + l] * Y[l * p + j];
    }
}

/// One Riccati step. Replaces P, and writes the gain K and H = R + gamma B'PB of the old P.
static void riccati_step(const CelLqr *lqr, double gamma, double *P, double *K, double *H) {
  double PB[N * M], PA[N * N], BPA[M * N], BPB[M * M], copy[M * M], next[N * N], Bt[M * N],
      At[N * N];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < M; j++) Bt[j * N + i] = lqr->B[i * M + j];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) At[j * N + i] = lqr->A[i * N + j];
  product(PB, P, lqr->B, N, N, M);
  product(PA, P, lqr->A, N, N, N);
  product(BPB, Bt, PB, M, N, M);
  product(BPA, Bt, PA, M, N, N);
  product(next, At, PA, N, N, N);
  for (int i = 0; i < M * M; i++) copy[i] = H[i] = lqr->R[i] + gamma * BPB[i];
  for (int i = 0; i < M * N; i++) K[i] = gamma * BPA[i];
  celi_dense_solve(copy, K, M, N);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double less = 0;
      for (int a = 0; a < M; a++) less += gamma * BPA[a * N + i] * K[a * N + j];
      P[i * N + j] = lqr->Q[i * N + j] + gamma * next[i * N + j] - less;
    }
  for (int i = 0; i < N;
       i++) // keeps P symmetric; otherwise rounding errors grow where A is unstable
    for (int j = 0; j < i; j++) P[i * N + j] = P[j * N + i] = (P[i * N + j] + P[j * N + i]) / 2;
}

static CelStatus riccati_by_steps(CeliTrial *trial) {
  CelLqr lqr = {.n = N, .m = M, .noise = .1};
  CelLqrSolution solution;
  const double gamma = .9, alpha = cel_rng_range(&trial->rng, .01, 2);
  double P[N * N] = {0}, K[M * N], H[M * M], inverse[M * M] = {1, 0, 0, 1};
  celi_draw_normal(trial, lqr.A, N * N, .5);
  celi_draw_normal(trial, lqr.B, N * M, 1);
  for (int i = 0; i < N; i++) lqr.Q[i * N + i] = cel_rng_range(&trial->rng, .1, 1);
  for (int i = 0; i < M; i++) lqr.R[i * M + i] = cel_rng_range(&trial->rng, .1, 1);
  CELI_TRY(cel_lqr_solve(&lqr, gamma, alpha, &solution));
  for (int k = 0; k < 3000; k++) riccati_step(&lqr, gamma, P, K, H);
  celi_dense_solve(H, inverse, M, M);
  for (int i = 0; i < M * M; i++) inverse[i] *= alpha / 2;
  celi_compare_all(trial, solution.K, K, M * N, celi_size(K, M * N));
  celi_compare_all(trial, solution.Sigma, inverse, M * M, celi_size(inverse, M * M));
  celi_compare_all(trial, solution.P, P, N * N, celi_size(P, N * N));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"8.22-8.25",
     "linear-quadratic problem in one dimension: the library's solution against soft value "
     "iteration by quadrature",
     "cel_lqr_solve", CEL_CHECK_EQUAL, 1e-8, 3, line_by_quadrature, 0x0a3d50d8},
    {"8.25",
     "linear-quadratic problem, gain K and covariance (alpha/2)(R + gamma B'PB)^-1: the library "
     "against 3000 Riccati steps",
     "cel_lqr_solve", CEL_CHECK_EQUAL, 1e-8, 64, riccati_by_steps, 0xb40312ab},
    {0}};

const CeliSection celi_me_linear_quadratic = {"src/verify/maximum_entropy/linear_quadratic.c",
                                              claims};
