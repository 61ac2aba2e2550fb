/// The second way to compute a number: dense elimination for the equations of a policy, softmax in
/// long double, derivatives by complex steps. Nothing here uses the library's solvers.
///
/// Over states, with P_pi the transition probabilities under pi (0 where the episode ends):
///     (I - gamma P_pi) V = sum_a pi (r - alpha log pi),    (I - gamma P_pi') x = start.
/// A complex step gives the derivative of f at theta as Im f(theta + i h e_k) / h. It subtracts no
/// nearby numbers, so h = 1e-30 gives the derivative to rounding.
#include "verify/verify.h"
#include <math.h>

// ---- elimination

void celi_dense_solve(double *M, double *x, int n, int m) {
  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++)
      if (fabs(M[i * n + k]) > fabs(M[pivot * n + k])) pivot = i;
    CEL_ASSERT(M[pivot * n + k] != 0);
    for (int j = 0; j < n && pivot != k; j++) {
      const double swap = M[k * n + j];
      M[k * n + j] = M[pivot * n + j], M[pivot * n + j] = swap;
    }
    for (int j = 0; j < m && pivot != k; j++) {
      const double swap = x[k * m + j];
      x[k * m + j] = x[pivot * m + j], x[pivot * m + j] = swap;
    }
    for (int i = k + 1; i < n; i++) {
      const double factor = M[i * n + k] / M[k * n + k];
      if (factor == 0) continue;
      for (int j = k + 1; j < n; j++) M[i * n + j] -= factor * M[k * n + j];
      for (int j = 0; j < m; j++) x[i * m + j] -= factor * x[k * m + j];
    }
  }
  for (int k = n - 1; k >= 0; k--)
    for (int j = 0; j < m; j++) {
      double sum = x[k * m + j];
      for (int i = k + 1; i < n; i++) sum -= M[k * n + i] * x[i * m + j];
      x[k * m + j] = sum / M[k * n + k];
    }
}

void celi_dense_solve_complex(CeliComplex *M, CeliComplex *x, int n) {
  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++)
      if (cabs(M[i * n + k]) > cabs(M[pivot * n + k])) pivot = i;
    CEL_ASSERT(cabs(M[pivot * n + k]) > 0);
    for (int j = 0; j < n && pivot != k; j++) {
      const CeliComplex swap = M[k * n + j];
      M[k * n + j] = M[pivot * n + j], M[pivot * n + j] = swap;
    }
    const CeliComplex swap = x[k];
    x[k] = x[pivot], x[pivot] = swap;
    for (int i = k + 1; i < n; i++) {
      const CeliComplex factor = M[i * n + k] / M[k * n + k];
      for (int j = k + 1; j < n; j++) M[i * n + j] -= factor * M[k * n + j];
      x[i] -= factor * x[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int i = k + 1; i < n; i++) x[k] -= M[k * n + i] * x[i];
    x[k] /= M[k * n + k];
  }
}

// ---- the actions of one state

double celi_dense_log_sum_exp(const double *Q, int n, double alpha) {
  long double most = Q[0];
  for (int a = 1; a < n; a++) most = Q[a] > most ? Q[a] : most;
  long double sum = expl((Q[0] - most) / alpha);
  for (int a = 1; a < n; a++) sum += expl((Q[a] - most) / alpha);
  return (double)(most + alpha * logl(sum));
}

void celi_dense_softmax(const double *Q, int n, double alpha, double *pi) {
  long double most = Q[0], sum = 0;
  for (int a = 1; a < n; a++) most = Q[a] > most ? Q[a] : most;
  for (int a = 0; a < n; a++) sum += expl((Q[a] - most) / alpha);
  for (int a = 0; a < n; a++) pi[a] = (double)(expl((Q[a] - most) / alpha) / sum);
}

double celi_dense_entropy(const double *pi, int n) {
  long double sum = 0;
  for (int a = 0; a < n; a++)
    if (pi[a] > 0) sum -= pi[a] * logl(pi[a]);
  return (double)sum;
}

double celi_dense_kl(const double *pi, const double *q, int n) {
  long double sum = 0;
  for (int a = 0; a < n; a++)
    if (pi[a] > 0) sum += pi[a] * (logl(pi[a]) - logl(q[a]));
  return (double)sum;
}

double celi_dense_dot(const double *x, const double *y, int64_t n) {
  long double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (long double)x[i] * y[i];
  return (double)sum;
}

double celi_dense_distance(const double *pi, const double *q, int n) {
  double sum = 0;
  for (int a = 0; a < n; a++) sum += 0.5 * fabs(pi[a] - q[a]);
  return sum;
}

double celi_dense_furthest(const double *x, const double *y, int n) {
  double most = 0;
  for (int i = 0; i < n; i++) most = fmax(most, fabs(x[i] - y[i]));
  return most;
}

double celi_dense_soft_value(const double *pi, const double *Q, int n, double alpha) {
  return celi_dense_dot(pi, Q, n) + alpha * celi_dense_entropy(pi, n);
}

// ---- a policy

/// M (S, S) = I - gamma P_pi, or its transpose.
static void evaluation_matrix(const CeliProblem *problem, const double *pi, bool transposed,
                              double *M) {
  const int S = problem->S;
  for (int s = 0; s < S; s++) M[s * S + s] = 1;
  for (int p = 0; p < problem->n; p++)
    for (int next = 0; next < S; next++) {
      const int s = problem->state[p], at = transposed ? next * S + s : s * S + next;
      M[at] -= problem->gamma * pi[p] * problem->go[p * S + next];
    }
}

void celi_dense_backup(const CeliProblem *problem, const double *V, double *Q) {
  for (int p = 0; p < problem->n; p++)
    Q[p] = problem->r[p] +
           problem->gamma * celi_dense_dot(problem->go + p * problem->S, V, problem->S);
}

void celi_dense_values(CeliTrial *trial, const CeliProblem *problem, const double *pi, double alpha,
                       double *V, double *Q) {
  const int S = problem->S;
  double *M = celi_take(trial, (int64_t)S * S);
  evaluation_matrix(problem, pi, false, M);
  for (int s = 0; s < S; s++) {
    const int p = problem->pair[s], n = problem->pair[s + 1] - p;
    V[s] = celi_dense_soft_value(pi + p, problem->r + p, n, alpha);
  }
  celi_dense_solve(M, V, S, 1);
  if (Q) celi_dense_backup(problem, V, Q);
}

void celi_dense_visits(CeliTrial *trial, const CeliProblem *problem, const double *pi, double *x) {
  const int S = problem->S;
  double *M = celi_take(trial, (int64_t)S * S);
  evaluation_matrix(problem, pi, true, M);
  for (int s = 0; s < S; s++) x[s] = problem->start[s];
  celi_dense_solve(M, x, S, 1);
}

void celi_dense_step(const CeliProblem *problem, const double *pi, const double *p, double *next) {
  for (int s = 0; s < problem->S; s++) next[s] = 0;
  for (int k = 0; k < problem->n; k++) {
    const double mass = p[problem->state[k]] * pi[k];
    for (int s = 0; s < problem->S; s++) next[s] += mass * problem->go[k * problem->S + s];
  }
}

void celi_propagated_values(CeliTrial *trial, const CeliProblem *problem, const double *pi,
                            double alpha, double *V) {
  const int S = problem->S;
  double *p = celi_take(trial, S), *next = celi_take(trial, S), *now = celi_take(trial, S);
  for (int s = 0; s < S; s++)
    now[s] = celi_dense_soft_value(pi + problem->pair[s], problem->r + problem->pair[s],
                                   celi_actions(problem, s), alpha);
  for (int s = 0; s < S; s++) {
    V[s] = 0;
    for (int x = 0; x < S; x++) p[x] = x == s;
    double discount = 1;
    while (discount > 1e-17) {
      V[s] += discount * celi_dense_dot(p, now, S);
      discount *= problem->gamma;
      celi_dense_step(problem, pi, p, next);
      for (int x = 0; x < S; x++) p[x] = next[x];
    }
  }
}

/// Writes the greedy policy to pi (n). The first of several largest Q wins.
static void greedy(const double *Q, int n, double *pi) {
  int best = 0;
  for (int a = 1; a < n; a++) best = Q[a] > Q[best] ? a : best;
  for (int a = 0; a < n; a++) pi[a] = a == best;
}

void celi_dense_optimum(CeliTrial *trial, const CeliProblem *problem, double alpha, double *V,
                        double *Q, double *pi) {
  const size_t used = trial->used;
  for (int s = 0; s < problem->S; s++) V[s] = 0;
  for (int k = 0; k < 200; k++) {
    double change = 0;
    celi_dense_backup(problem, V, Q);
    for (int s = 0; s < problem->S; s++) {
      const int p = problem->pair[s], n = problem->pair[s + 1] - p;
      if (n && alpha > 0) celi_dense_softmax(Q + p, n, alpha, pi + p);
      if (n && !(alpha > 0)) greedy(Q + p, n, pi + p);
    }
    trial->used = used; // each iteration reuses the space of its matrix
    double *better = celi_take(trial, problem->S);
    celi_dense_values(trial, problem, pi, alpha, better, NULL);
    for (int s = 0; s < problem->S; s++) {
      change = fmax(change, fabs(better[s] - V[s]));
      V[s] = better[s];
    }
    if (change <= 1e-14 * celi_size(V, problem->S)) break;
  }
  trial->used = used;
  celi_dense_backup(problem, V, Q);
}

// ---- complex numbers, for derivatives

void celi_complex_softmax(const CeliProblem *problem, const CeliComplex *theta, CeliComplex *pi) {
  for (int s = 0; s < problem->S; s++) {
    double most = -HUGE_VAL;
    CeliComplex sum = 0;
    for (int p = problem->pair[s]; p < problem->pair[s + 1]; p++)
      most = fmax(most, creal(theta[p]));
    for (int p = problem->pair[s]; p < problem->pair[s + 1]; p++)
      sum += pi[p] = cexp(theta[p] - most);
    for (int p = problem->pair[s]; p < problem->pair[s + 1]; p++) pi[p] /= sum;
  }
}

CeliComplex celi_complex_return(CeliTrial *trial, const CeliProblem *problem, const CeliComplex *w,
                                double alpha) {
  const int S = problem->S;
  const size_t used = trial->used;
  CeliComplex *M = celi_take_complex(trial, (int64_t)S * S), *V = celi_take_complex(trial, S);
  CeliComplex J = 0;
  for (int s = 0; s < S; s++) M[s * S + s] = 1;
  for (int p = 0; p < problem->n; p++) {
    const int s = problem->state[p];
    V[s] += w[p] * (problem->r[p] - alpha * clog(w[p]));
    for (int next = 0; next < S; next++)
      M[s * S + next] -= problem->gamma * w[p] * problem->go[p * S + next];
  }
  celi_dense_solve_complex(M, V, S);
  for (int s = 0; s < S; s++) J += problem->start[s] * V[s];
  trial->used = used;
  return J;
}

CeliComplex celi_complex_return_horizon(CeliTrial *trial, const CeliProblem *problem,
                                        const CeliComplex *w, double alpha, int steps) {
  const int S = problem->S;
  const size_t used = trial->used;
  CeliComplex *V = celi_take_complex(trial, S), *next = celi_take_complex(trial, S), J = 0;
  for (int t = 0; t < steps; t++) {
    for (int s = 0; s < S; s++) next[s] = V[s], V[s] = 0;
    for (int p = 0; p < problem->n; p++) {
      CeliComplex q = problem->r[p] - (alpha > 0 ? alpha * clog(w[p]) : 0);
      for (int s = 0; s < S; s++) q += problem->gamma * problem->go[p * S + s] * next[s];
      V[problem->state[p]] += w[p] * q;
    }
  }
  for (int s = 0; s < S; s++) J += problem->start[s] * V[s];
  trial->used = used;
  return J;
}

void celi_complex_gradient(CeliTrial *trial, CeliComplexFunction f, const void *user,
                           const double *theta, int n, double *gradient) {
  const double h = 1e-30;
  CeliComplex *z = celi_take_complex(trial, n);
  for (int i = 0; i < n; i++) z[i] = theta[i];
  for (int i = 0; i < n; i++) {
    z[i] = celi_complex(theta[i], h);
    gradient[i] = cimag(f(user, z)) / h;
    z[i] = theta[i];
  }
}
