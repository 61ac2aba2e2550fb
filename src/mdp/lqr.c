/// The discounted linear-quadratic regulator at a temperature.
///
/// With At = sqrt(gamma) A and Bt = sqrt(gamma) B the discounted problem becomes an undiscounted
/// one. Its value V(x) = -x'P x + constant has
///     P = Q + At'P At - At'P Bt (R + Bt'P Bt)^-1 Bt'P At.                                  (1)
/// The structure-preserving doubling algorithm starts from A_0 = At, G_0 = Bt R^-1 Bt', H_0 = Q and
/// iterates
///     W       = I + G_k H_k
///     A_{k+1} = A_k W^-1 A_k
///     G_{k+1} = G_k + A_k W^-1 G_k A_k'                                                    (2)
///     H_{k+1} = H_k + A_k' H_k W^-1 A_k
/// Step k covers 2^k steps of value iteration, and H_k converges to P quadratically. The residual
/// of (1) at the result is the certificate.
///
/// With M = R + gamma B'P B the soft-optimal policy is N(-K x, Sigma), K = gamma M^-1 B'P A, Sigma
/// = (alpha/2) M^-1, and
///     constant (1 - gamma) = alpha (m/2 log(pi alpha) - 1/2 log det M) - gamma noise^2 tr P.   (3)
/// Source: Chu, Fan, Lin, Wang, "Structure-preserving algorithms for periodic discrete-time
/// algebraic Riccati equations", Int. J. Control 2004; (3) is [maximum-entropy, 8.25] for a
/// quadratic Q.
#include "celsius/lqr.h"
#include "base/arguments.h"
#include "base/base.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX = CEL_LQR_MAX, SIZE = CEL_LQR_MAX * CEL_LQR_MAX };
enum { DOUBLINGS = 64 };               ///< 2^64 steps of value iteration
static const double converged = 1e-15; ///< relative change of H in one doubling
static const double accepted = 1e-9;   ///< relative residual of (1)

// ---- small dense matrices, row-major, without gaps

/// C (n, p) = X (n, k) Y (k, p). C must not alias X or Y.
static void multiply(double *C, const double *X, const double *Y, int n, int k, int p) {
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < p; j++) {
      double sum = 0.0;
      for (int l = 0; l < k; l++) sum += X[i * k + l] * Y[l * p + j];
      C[i * p + j] = sum;
    }
  }
}

/// T (k, n) = X' of X (n, k).
static void transpose(double *T, const double *X, int n, int k) {
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < k; j++) T[j * n + i] = X[i * k + j];
  }
}

static void symmetrise(double *X, int n) {
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) X[i * n + j] = X[j * n + i] = 0.5 * (X[i * n + j] + X[j * n + i]);
  }
}

static double largest(const double *X, int count) {
  double most = 0.0;
  for (int i = 0; i < count; i++) most = fmax(most, fabs(X[i]));
  return most;
}

/// Solves W Z = Y by Gaussian elimination with partial pivoting. Z (n, p) overwrites Y, and W (n,
/// n) is destroyed. Returns false if W is singular.
static bool solve(double *W, double *Y, int n, int p) {
  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++) {
      if (fabs(W[i * n + k]) > fabs(W[pivot * n + k])) pivot = i;
    }
    double head = W[pivot * n + k];
    if (!(fabs(head) > 0.0) || !isfinite(head)) return false;
    for (int j = 0; j < n && pivot != k; j++) {
      double swap = W[k * n + j];
      W[k * n + j] = W[pivot * n + j], W[pivot * n + j] = swap;
    }
    for (int j = 0; j < p && pivot != k; j++) {
      double swap = Y[k * p + j];
      Y[k * p + j] = Y[pivot * p + j], Y[pivot * p + j] = swap;
    }
    for (int i = k + 1; i < n; i++) {
      double factor = W[i * n + k] / head;
      for (int j = k + 1; j < n; j++) W[i * n + j] -= factor * W[k * n + j];
      for (int j = 0; j < p; j++) Y[i * p + j] -= factor * Y[k * p + j];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = 0; j < p; j++) {
      double sum = Y[k * p + j];
      for (int i = k + 1; i < n; i++) sum -= W[k * n + i] * Y[i * p + j];
      Y[k * p + j] = sum / W[k * n + k];
    }
  }
  return true;
}

/// L (n, n) lower triangular with L L' = X + shift I, and the log-determinant of that matrix.
/// Returns false if it is not positive definite.
static bool cholesky(double *L, double *log_det, const double *X, int n, double shift) {
  memset(L, 0, (size_t)(n * n) * sizeof *L);
  *log_det = 0.0;
  for (int i = 0; i < n; i++) {
    for (int j = 0; j <= i; j++) {
      double sum = X[i * n + j] + (i == j ? shift : 0.0);
      for (int k = 0; k < j; k++) sum -= L[i * n + k] * L[j * n + k];
      if (i == j && !(sum > 0.0)) return false;
      L[i * n + j] = i == j ? sqrt(sum) : sum / L[j * n + j];
    }
    *log_det += 2.0 * log(L[i * n + i]);
  }
  return true;
}

static void identity(double *X, int n) {
  memset(X, 0, (size_t)(n * n) * sizeof *X);
  for (int i = 0; i < n; i++) X[i * n + i] = 1.0;
}

// ---- argument checks

static bool finite_all(const double *X, int count) {
  for (int i = 0; i < count; i++) {
    if (!isfinite(X[i])) return false;
  }
  return true;
}

static bool symmetric(const double *X, int n) {
  double slack = 1e-12 * largest(X, n * n);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) {
      if (fabs(X[i * n + j] - X[j * n + i]) > slack) return false;
    }
  }
  return true;
}

static CelStatus check_matrices(const CelLqr *lqr) {
  const int n = lqr->n, m = lqr->m;
  double L[SIZE], unused;
  if (!finite_all(lqr->A, n * n) || !finite_all(lqr->B, n * m) || !finite_all(lqr->Q, n * n) ||
      !finite_all(lqr->R, m * m) || !isfinite(lqr->noise) || lqr->noise < 0.0) {
    return cel_fail(
        CEL_E_RANGE,
        "the matrices of a regulator must be finite and its noise must not be negative");
  }
  if (!symmetric(lqr->Q, n) || !symmetric(lqr->R, m)) {
    return cel_fail(CEL_E_RANGE, "the cost matrices Q and R of a regulator must be symmetric");
  }
  if (!cholesky(L, &unused, lqr->R, m, 0.0)) {
    return cel_fail(CEL_E_RANGE, "the matrix R of a regulator must be positive definite");
  }
  const double slack = 1e-12 * fmax(largest(lqr->Q, n * n), DBL_MIN);
  if (!cholesky(L, &unused, lqr->Q, n, n * slack)) {
    return cel_fail(CEL_E_RANGE, "the matrix Q of a regulator must be positive semidefinite");
  }
  return CEL_OK;
}

static CelStatus check(const CelLqr *lqr, double gamma, double alpha) {
  if (lqr->n < 1 || lqr->n > MAX || lqr->m < 1 || lqr->m > MAX) {
    return cel_fail(CEL_E_RANGE,
                    "a regulator must have 1 to %d states and actions, but has %d and %d", MAX,
                    lqr->n, lqr->m);
  }
  if (!(gamma >= 0.0 && gamma < 1.0)) {
    return cel_fail(CEL_E_RANGE, "gamma %g is not in [0, 1)", gamma);
  }
  if (!(alpha >= 0.0 && alpha < (double)INFINITY)) {
    return cel_fail(CEL_E_RANGE, "temperature %g must be finite and at least 0", alpha);
  }
  return check_matrices(lqr);
}

// ---- Riccati

/// The matrices of the doubling iteration.
typedef struct Doubling {
  double A[SIZE], G[SIZE], H[SIZE];
} Doubling;

static void start(Doubling *d, const CelLqr *lqr, double gamma) {
  const int n = lqr->n, m = lqr->m;
  double R[SIZE], Rinv_Bt[SIZE];
  for (int i = 0; i < n * n; i++) d->A[i] = sqrt(gamma) * lqr->A[i];
  memcpy(d->H, lqr->Q, sizeof d->H);
  memcpy(R, lqr->R, sizeof R);
  transpose(Rinv_Bt, lqr->B, n, m);
  const bool solved = solve(R, Rinv_Bt, m, n);
  CEL_ASSERT(solved); // R was checked to be positive definite
  multiply(d->G, lqr->B, Rinv_Bt, n, m, n);
  for (int i = 0; i < n * n; i++) d->G[i] *= gamma;
  symmetrise(d->G, n);
}

/// One step of (2). Returns the largest change of H, or NaN if W is singular.
static double double_once(Doubling *d, int n) {
  double W[SIZE], copy[SIZE], WA[SIZE], WG[SIZE], X[SIZE], Y[SIZE], At[SIZE];
  multiply(W, d->G, d->H, n, n, n);
  for (int i = 0; i < n; i++) W[i * n + i] += 1.0;
  memcpy(copy, W, sizeof W);
  memcpy(WA, d->A, sizeof WA);
  memcpy(WG, d->G, sizeof WG);
  if (!solve(W, WA, n, n) || !solve(copy, WG, n, n)) return (double)NAN;
  transpose(At, d->A, n, n);
  multiply(X, d->H, WA, n, n, n); // H += A' H W^-1 A
  multiply(Y, At, X, n, n, n);
  for (int i = 0; i < n * n; i++) d->H[i] += Y[i];
  symmetrise(d->H, n);
  const double change = largest(Y, n * n);
  multiply(X, WG, At, n, n, n); // G += A W^-1 G A'
  multiply(Y, d->A, X, n, n, n);
  for (int i = 0; i < n * n; i++) d->G[i] += Y[i];
  symmetrise(d->G, n);
  multiply(X, d->A, WA, n, n, n); // A = A W^-1 A
  memcpy(d->A, X, sizeof d->A);
  return change;
}

/// M = R + gamma B'P B (m, m) and N = gamma B'P A (m, n).
static void action_quadratic(const CelLqr *lqr, double gamma, const double *P, double *M,
                             double *N) {
  const int n = lqr->n, m = lqr->m;
  double Bt[SIZE], BtP[SIZE];
  transpose(Bt, lqr->B, n, m);
  multiply(BtP, Bt, P, m, n, n);
  multiply(M, BtP, lqr->B, m, n, m);
  multiply(N, BtP, lqr->A, m, n, n);
  for (int i = 0; i < m * m; i++) M[i] = lqr->R[i] + gamma * M[i];
  for (int i = 0; i < m * n; i++) N[i] *= gamma;
  symmetrise(M, m);
}

/// Sup-norm of the residual of (1) at P, relative to P: |Q + gamma A'P A - N'K - P|.
static double residual(const CelLqr *lqr, double gamma, const double *P, const double *N,
                       const double *K) {
  const int n = lqr->n, m = lqr->m;
  double At[SIZE], AtP[SIZE], X[SIZE], Nt[SIZE], Y[SIZE];
  transpose(At, lqr->A, n, n);
  multiply(AtP, At, P, n, n, n);
  multiply(X, AtP, lqr->A, n, n, n);
  transpose(Nt, N, m, n);
  multiply(Y, Nt, K, n, m, n);
  for (int i = 0; i < n * n; i++) X[i] = lqr->Q[i] + gamma * X[i] - Y[i] - P[i];
  return largest(X, n * n) / fmax(largest(P, n * n), DBL_MIN);
}

static CelStatus riccati(const CelLqr *lqr, double gamma, CelLqrSolution *out) {
  const int n = lqr->n;
  Doubling d;
  start(&d, lqr, gamma);
  double change = (double)INFINITY;
  for (out->iterations = 0; out->iterations < DOUBLINGS;) {
    change = double_once(&d, n);
    out->iterations++;
    if (!isfinite(change) || change <= converged * largest(d.H, n * n)) break;
  }
  memcpy(out->P, d.H, sizeof out->P);
  if (!isfinite(change) || out->iterations == DOUBLINGS) {
    return cel_fail(CEL_E_RANGE,
                    "the Riccati equation does not converge (after %d doublings); check that the "
                    "system is stabilizable at this discount",
                    out->iterations);
  }
  return CEL_OK;
}

// ---- the soft policy

static void soften(const CelLqr *lqr, double gamma, double alpha, const double *M, double log_det_M,
                   CelLqrSolution *out) {
  const int n = lqr->n, m = lqr->m;
  double copy[SIZE], trace = 0.0;
  memcpy(copy, M, sizeof copy);
  identity(out->Sigma, m);
  const bool solved = solve(copy, out->Sigma, m, m);
  CEL_ASSERT(solved); // M was checked to be positive definite
  symmetrise(out->Sigma, m);
  for (int i = 0; i < m * m; i++) out->Sigma[i] *= 0.5 * alpha;
  for (int i = 0; i < n; i++) trace += out->P[i * n + i];
  const double pi = 3.14159265358979323846;
  double log_Z = 0.0; // log of the integral of exp(-u'M u / alpha)
  out->entropy = -(double)INFINITY;
  if (alpha > 0.0) {
    log_Z = 0.5 * m * log(pi * alpha) - 0.5 * log_det_M;
    out->entropy = log_Z + 0.5 * m;
  }
  out->constant = (alpha * log_Z - gamma * lqr->noise * lqr->noise * trace) / (1.0 - gamma);
}

CelStatus cel_lqr_solve(const CelLqr *lqr, double gamma, double alpha, CelLqrSolution *out) {
  CELI_NEED(lqr);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check(lqr, gamma, alpha));
  memset(out, 0, sizeof *out);
  CELI_TRY(riccati(lqr, gamma, out));
  double M[SIZE] = {0}, N[SIZE], copy[SIZE], L[SIZE], log_det_M;
  action_quadratic(lqr, gamma, out->P, M, N);
  if (!cholesky(L, &log_det_M, M, lqr->m, 0.0)) {
    return cel_fail(CEL_E_RANGE,
                    "R + gamma B'PB is not positive definite, so the computed P is wrong");
  }
  memcpy(copy, M, sizeof copy);
  memcpy(out->K, N, sizeof out->K);
  const bool solved = solve(copy, out->K, lqr->m, lqr->n);
  CEL_ASSERT(solved);
  out->residual = residual(lqr, gamma, out->P, N, out->K);
  if (!(out->residual <= accepted)) {
    return cel_fail(CEL_E_RANGE,
                    "the Riccati equation has residual %.1e relative to P after %d doublings; "
                    "rescale the problem, or check that it is stabilizable at this discount",
                    out->residual, out->iterations);
  }
  soften(lqr, gamma, alpha, M, log_det_M, out);
  return CEL_OK;
}
