/// What the files of the check share: rows, trials, random problems, and the second ways.
///
/// A row is a claim of a note. It is tried on problems that are drawn from a seed; each try hands in two numbers (or
/// two vectors), and the worst of all is what the row reports. One number comes from the library's functions, the
/// other from what is in this folder: dense linear algebra, sums over all trajectories, derivatives by complex steps,
/// simulation, quadrature, written without them.
#ifndef CELI_VERIFY_H
#define CELI_VERIFY_H
#include "base/base.h"
#include "celsius/rng.h"
#include "celsius/solve.h"
#include "celsius/verify.h"
#include <complex.h>
#include <string.h>

typedef double complex CeliComplex;
/// re + i im. (clang has no CMPLX with every C library.)
static inline CeliComplex celi_complex(double re, double im) {
  const double parts[] = {re, im};
  CeliComplex z;
  memcpy(&z, parts, sizeof z);
  return z;
}

/// One case of one row.
typedef struct CeliTrial {
  const struct CeliClaim *claim;
  CelCheck *check; ///< the worst case so far
  CelRng rng;      ///< of this case
  uint64_t seed;   ///< of this case
  bool compared;   ///< the row has a worst case
  bool fresh;      ///< this case has handed in nothing yet
  double *block;   ///< workspace, all free again for the next case
  size_t used, size;
  CelMdp **mdp; ///< (mdps) built for this case
  int mdps;
} CeliTrial;

/// One row of the table.
typedef struct CeliClaim {
  const char *equation; ///< "8.10-8.15"; several: "(5), (7)-(8)"
  const char *claim;    ///< one line
  const char *function; ///< of the library; "" where only the note is tried
  CelCheckKind kind;
  double tolerance; ///< where |Q| is about 1, or in standard errors: each case scales it
  int cases;        ///< problems in a full run; an eighth of them in a quick one, at least 1
  CelStatus (*run)(CeliTrial *trial);
} CeliClaim;

/// The rows of one file, in the note's order; the last has no run.
typedef struct CeliSection {
  const char *file; ///< "src/verify/..."
  const CeliClaim *claims;
} CeliSection;

/// A note's sections, in its order; NULL ends them.
typedef struct CeliNote {
  const char *name;
  const char *about; ///< subject, title and author, as far as the note gives them
  const CeliSection *const *sections;
} CeliNote;
extern const CeliNote celi_note_maximum_entropy, celi_note_actor_critic,
    celi_note_discrete_soft_policy_gradient, celi_note_policy_guarantees, celi_note_soft_q_learning;
/// Note i in the order of the table, NULL past the end.
const CeliNote *celi_note_at(int i);
/// Row i of a note, NULL past the end; its section too where asked for.
const CeliClaim *celi_note_claim(const CeliNote *note, int i, const CeliSection **section);

// ---- verify.c: what a row says to the engine

/// What the worst case decides; a row without a case, or that could not be tried, fails.
bool celi_check_passes(const CelCheck *check);
/// n numbers of workspace, zero; 32 MiB a case in all.
double *celi_take(CeliTrial *trial, int64_t n);
CeliComplex *celi_take_complex(CeliTrial *trial, int64_t n);
int *celi_take_int(CeliTrial *trial, int64_t n);
/// Hands in two numbers; the tolerance is the row's times `scale`.
void celi_compare(CeliTrial *trial, double left, double right, double scale);
/// Two vectors: the element that is furthest apart (of AT_MOST and EXCEEDS: furthest above) counts.
void celi_compare_all(CeliTrial *trial, const double *left, const double *right, int64_t n,
                      double scale);

/// Samples of a number.
typedef struct CeliMean {
  int64_t n;
  double mean, squares; ///< sum of squared distances from the mean
} CeliMean;
void celi_mean_add(CeliMean *mean, double x);
/// Hands in their mean and what it should be; the tolerance is the row's in standard errors, and `least` at least.
void celi_mean_compare(CeliTrial *trial, const CeliMean *mean, double expected, double least);

// ---- problem.c: problems as dense arrays, and the same as a CelMdp

/// Everything by pair p = (s, a), numbered as CelMdp does.
typedef struct CeliProblem {
  int S, n, A;   ///< states, pairs, most actions of a state
  int *pair;     ///< (S + 1) first pair of each state
  int *state;    ///< (n) a pair's state
  double *P;     ///< (n, S) probability of the next state
  double *R;     ///< (n, S) r(s,a,s')
  double *ends;  ///< (n, S) 1: the episode ends there
  double *go;    ///< (n, S) P where the episode goes on, else 0
  double *r;     ///< (n) r(s,a)
  double *start; ///< (S)
  bool by_pair;  ///< the CelMdp gets r(s,a), not r(s,a,s')
  double gamma, alpha;
  CelMdp *mdp; ///< the trial's
} CeliProblem;

/// What is drawn. Zero: S of 3 to 12, at most 4 actions, gamma of {0, .5, .9, .99}, alpha of {.01, .1, 1, 10},
/// rewards times 1 or 100, terminal states, transitions that end, any branching.
typedef struct CeliDraw {
  int S_min, S_max, A_min, A_max;
  double gamma_min, gamma_max; ///< of the list above; gamma_max 0: .99
  double gamma;                ///< > 0: this one
  double alpha;                ///< > 0: this one
  double alpha_min;            ///< of the list above
  bool hard;                   ///< alpha may be 0 too
  bool unit;                   ///< rewards times 1 only
  bool endless;       ///< no terminal state, no transition that ends, A_max actions everywhere
  bool deterministic; ///< one next state a pair
  bool full;          ///< every next state has a probability
  int horizon;        ///< of the CelMdp
} CeliDraw;
CelStatus celi_draw(CeliTrial *trial, const CeliDraw *draw, CeliProblem *out) CEL_WARN_UNUSED;
/// By hand: states with `actions` (S) actions each, then one celi_arrow a transition, then celi_close.
void celi_open(CeliTrial *trial, CeliProblem *out, int S, const int *actions, double gamma);
void celi_arrow(CeliProblem *problem, int s, int a, int next, double probability, double reward,
                bool ends);
/// Sums up r and go, and builds the CelMdp. The start is uniform over states with actions unless it was set.
CelStatus celi_close(CeliTrial *trial, CeliProblem *problem, int horizon) CEL_WARN_UNUSED;

/// pi (n): a softmax of random logits, from almost uniform to nearly deterministic (at least 1e-9 or so).
void celi_draw_policy(CeliTrial *trial, const CeliProblem *problem, double *pi);
/// pi (n): softmax of normal logits theta (n), which are of size 1.
void celi_draw_logits(CeliTrial *trial, const CeliProblem *problem, double *theta, double *pi);
/// A problem, a policy, and the library's V (S) and Q (n) of it at the problem's alpha.
typedef struct CeliEvaluated {
  CeliProblem m;
  double *pi, *V, *Q;
} CeliEvaluated;
CelStatus celi_draw_evaluated(CeliTrial *trial, const CeliDraw *draw,
                              CeliEvaluated *out) CEL_WARN_UNUSED;
static inline int celi_actions(const CeliProblem *problem, int s) {
  return problem->pair[s + 1] - problem->pair[s];
}
/// n standard normal numbers times `scale`.
void celi_draw_normal(CeliTrial *trial, double *x, int64_t n, double scale);
int celi_below(CeliTrial *trial, int n);
/// A pair of s under pi; the next state of a pair; a state of the start.
int celi_sample_pair(CeliTrial *trial, const CeliProblem *problem, const double *pi, int s);
int celi_sample_next(CeliTrial *trial, const CeliProblem *problem, int p);
int celi_sample_start(CeliTrial *trial, const CeliProblem *problem);
/// max(1, max |x|); and that over 1 - gamma (gamma < 1).
double celi_size(const double *x, int64_t n);
double celi_scale(const CeliProblem *problem, const double *Q);

/// The library's evaluation, by its direct solve where the build has one and by sweeps otherwise.
CelStatus celi_library_values(const CeliProblem *problem, const double *pi, double alpha, double *V,
                              double *Q) CEL_WARN_UNUSED;
/// The library's d (S), likewise.
CelStatus celi_library_visits(const CeliProblem *problem, const double *pi,
                              double *d) CEL_WARN_UNUSED;
/// The library's solution by `method` at alpha, tolerance 1e-12; copied to V (S), Q (n), pi (n), each may be NULL.
CelStatus celi_library_optimum(const CeliProblem *problem, CelSolveMethod method, double alpha,
                               double *V, double *Q, double *pi) CEL_WARN_UNUSED;

// ---- dense.c: linear algebra and the equations of a policy, the second way

/// x (n, m) of M x = x, by elimination with partial pivoting; M is destroyed. M is not singular: asserted.
void celi_dense_solve(double *M, double *x, int n, int m);
void celi_dense_solve_complex(CeliComplex *M, CeliComplex *x, int n);
/// V (S) of pi by a dense solve in states; Q (n), which may be NULL, from it.
void celi_dense_values(CeliTrial *trial, const CeliProblem *problem, const double *pi, double alpha,
                       double *V, double *Q);
/// Q (n) of V (S).
void celi_dense_backup(const CeliProblem *problem, const double *V, double *Q);
/// x (S): expected discounted visits, sum_t gamma^t p_t, by a dense solve.
void celi_dense_visits(CeliTrial *trial, const CeliProblem *problem, const double *pi, double *x);
/// next (S) = p one step on under pi.
void celi_dense_step(const CeliProblem *problem, const double *pi, const double *p, double *next);
/// V (S) = sum_t gamma^t E[r + alpha H] under p_t from each state, cut where gamma^t is below rounding.
void celi_propagated_values(CeliTrial *trial, const CeliProblem *problem, const double *pi,
                            double alpha, double *V);
/// Of one state's row of n numbers: alpha log sum exp(Q/alpha) and the softmax pi, in long double.
double celi_dense_log_sum_exp(const double *Q, int n, double alpha);
void celi_dense_softmax(const double *Q, int n, double alpha, double *pi);
double celi_dense_entropy(const double *pi, int n);
/// sum pi log(pi/q); infinite where q is 0 and pi is not.
double celi_dense_kl(const double *pi, const double *q, int n);
double celi_dense_dot(const double *x, const double *y, int64_t n);
/// Total variation.
double celi_dense_distance(const double *pi, const double *q, int n);
/// max |x - y|.
double celi_dense_furthest(const double *x, const double *y, int n);
/// E_pi[Q - alpha log pi] of one state's row.
double celi_dense_soft_value(const double *pi, const double *Q, int n, double alpha);
/// Policy iteration by dense solves, soft where alpha > 0; V (S), Q (n), pi (n).
void celi_dense_optimum(CeliTrial *trial, const CeliProblem *problem, double alpha, double *V,
                        double *Q, double *pi);

/// J of weights w (n) that need not be normalised: V = sum_a w (r - alpha log w + gamma P V).
CeliComplex celi_complex_return(CeliTrial *trial, const CeliProblem *problem, const CeliComplex *w,
                                double alpha);
/// The same over `steps` steps, by recursion.
CeliComplex celi_complex_return_horizon(CeliTrial *trial, const CeliProblem *problem,
                                        const CeliComplex *w, double alpha, int steps);
void celi_complex_softmax(const CeliProblem *problem, const CeliComplex *theta, CeliComplex *pi);
/// gradient (n) of f(theta) by complex steps.
typedef CeliComplex (*CeliComplexFunction)(const void *user, const CeliComplex *theta);
void celi_complex_gradient(CeliTrial *trial, CeliComplexFunction f, const void *user,
                           const double *theta, int n, double *gradient);

// ---- library.c: the learners' own arithmetic, in float32

/// What celi_library_score asks for and gets. Gaussian: head is mean and log sd (B, 2A), action (B, A). Categorical: head are
/// logits (B, A), action (B) whole numbers.
typedef struct CeliScore {
  bool categorical;
  int B, A;
  const double *head, *action;
  const double *d_logp, *d_entropy; ///< (B) gradients of a loss; NULL: only forward
  double *logp, *entropy;           ///< (B)
  double *d_head;                   ///< as head
} CeliScore;
CelStatus celi_library_score(const CeliScore *score) CEL_WARN_UNUSED;

// ---- trajectories.c: sums over everything that can happen

enum { CELI_STEPS = 6 };
/// x_0, p_0, x_1, ..., p_{steps-1}, x_steps; shorter where the episode ended, and then x[steps] is -1.
typedef struct CeliTrajectory {
  int steps;
  int x[CELI_STEPS + 1], p[CELI_STEPS];
  double r[CELI_STEPS];
  double probability;
} CeliTrajectory;
typedef void (*CeliVisit)(void *user, const CeliTrajectory *trajectory);
/// Visits every trajectory of `steps` steps under pi (time-indexed (steps, n) where `timed`). It begins in state s, or
/// in the start's distribution where s is -1; and with pair p, or one of pi's where p is -1.
void celi_enumerate(const CeliProblem *problem, const double *pi, bool timed, int steps, int s,
                    int p, CeliVisit visit, void *user);
/// E sum_t gamma^t (r_t - alpha log pi_t) over the trajectories; `first` false leaves out log pi of t = 0.
double celi_enumerated_return(const CeliProblem *problem, const double *pi, bool timed, int steps,
                              int s, int p, double alpha, bool first);

#endif
