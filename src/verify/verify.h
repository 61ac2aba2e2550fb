/// What the files of `celsius verify` share: rows, trials, random problems, and the second way to
/// compute a number.
///
/// A row is a claim of a note. It is tried on random problems. Each try compares two numbers (or
/// two vectors), and the row reports the worst of all tries. One number comes from the library's
/// functions. The other comes from code in this folder that does not use them: dense linear
/// algebra, sums over all trajectories, derivatives by complex steps, simulation, quadrature.
#ifndef CELI_VERIFY_H
#define CELI_VERIFY_H
#include "base/base.h"
#include "celsius/rng.h"
#include "celsius/solve.h"
#include "celsius/verify.h"
#include <complex.h>
#include <string.h>

typedef double complex CeliComplex;
/// re + i im. (With some C libraries clang has no CMPLX.)
static inline CeliComplex celi_complex(double re, double im) {
  const double parts[] = {re, im};
  CeliComplex z;
  memcpy(&z, parts, sizeof z);
  return z;
}

/// One case of a row.
typedef struct CeliTrial {
  const struct CeliClaim *claim;
  CelCheck *check; ///< worst case so far
  CelRng rng;      ///< of this case
  uint64_t seed;   ///< of this case
  bool compared;   ///< the row has a worst case
  bool fresh;      ///< this case has compared nothing yet
  double *block;   ///< workspace (size); each case starts with all of it
  size_t used, size;
  CelMdp **mdp; ///< (mdps) problems built for this case
  int mdps;
} CeliTrial;

/// One row of the table.
typedef struct CeliClaim {
  const char *equation; ///< "8.10-8.15", or several: "(5), (7)-(8)"
  const char *claim;    ///< one line: what holds, and the two ways to compute it
  const char *function; ///< of the library; "" if no number is the library's
  CelCheckKind kind;
  double tolerance; ///< for |Q| about 1, or in standard errors; each comparison scales it
  int cases;        ///< problems in a full run; a quick run tries an eighth of them, at least 1
  CelStatus (*run)(CeliTrial *trial);
  /// Random stream of the problems, unlike that of any other row; 0: from the equation and the
  /// claim. With a number here a new wording of the claim keeps the row's problems.
  uint32_t stream;
} CeliClaim;

/// The rows of one file, in the note's order. The last has no `run`.
typedef struct CeliSection {
  const char *file; ///< "src/verify/..."
  const CeliClaim *claims;
} CeliSection;

/// A note's sections in its order, ended by NULL.
typedef struct CeliNote {
  const char *name;
  const char *about; ///< subject, title and author, as far as the note gives them
  const CeliSection *const *sections;
} CeliNote;
extern const CeliNote celi_note_maximum_entropy, celi_note_actor_critic,
    celi_note_discrete_soft_policy_gradient, celi_note_policy_guarantees, celi_note_soft_q_learning;
/// Note i in the order of the table; NULL past the end.
const CeliNote *celi_note_at(int i);
/// Row i of a note; NULL past the end. Sets *section unless it is NULL.
const CeliClaim *celi_note_claim(const CeliNote *note, int i, const CeliSection **section);

// ---- verify.c: how a row reports its numbers

/// Whether the worst case passes. A row without a case, or with an error, fails.
bool celi_check_passes(const CelCheck *check);
/// Take n numbers of workspace, set to zero. A case may take 32 MiB in all.
double *celi_take(CeliTrial *trial, int64_t n);
CeliComplex *celi_take_complex(CeliTrial *trial, int64_t n);
int *celi_take_int(CeliTrial *trial, int64_t n);
/// Compares two numbers. The tolerance is the row's times `scale`.
void celi_compare(CeliTrial *trial, double left, double right, double scale);
/// Compares two vectors. The worst element counts: the largest |left - right|, or left - right for
/// AT_MOST and EXCEEDS.
void celi_compare_all(CeliTrial *trial, const double *left, const double *right, int64_t n,
                      double scale);

/// Running mean of samples.
typedef struct CeliMean {
  int64_t n;
  double mean, squares; ///< sum of squared distances from the mean
} CeliMean;
void celi_mean_add(CeliMean *mean, double x);
/// Compares the samples' mean with the expected one. The tolerance is the row's times the standard
/// error, or times `least` if that is larger.
void celi_mean_compare(CeliTrial *trial, const CeliMean *mean, double expected, double least);

// ---- problem.c: problems, as dense arrays and as a CelMdp

/// A problem. Arrays of length n are over pairs p = (s, a), numbered as in CelMdp.
typedef struct CeliProblem {
  int S, n, A;   ///< states, pairs, most actions of a state
  int *pair;     ///< (S + 1) first pair of each state
  int *state;    ///< (n) state of a pair
  double *P;     ///< (n, S) probability of the next state
  double *R;     ///< (n, S) r(s,a,s')
  double *ends;  ///< (n, S) 1 if the episode ends there
  double *go;    ///< (n, S) P if the episode continues, else 0
  double *r;     ///< (n) r(s,a)
  double *start; ///< (S)
  bool by_pair;  ///< the CelMdp gets r(s,a) instead of r(s,a,s')
  double gamma, alpha;
  CelMdp *mdp; ///< owned by the trial
} CeliProblem;

/// How to draw a problem. Zero fields mean: 3 to 12 states, at most 4 actions, gamma of {0, .5, .9,
/// .99}, alpha of {.01, .1, 1, 10}, rewards times 1 or 100, terminal states, transitions that end,
/// any branching.
typedef struct CeliDraw {
  int S_min, S_max, A_min, A_max;
  double gamma_min, gamma_max; ///< limits for gamma from the list; gamma_max 0: .99
  double gamma;                ///< > 0: this gamma
  double alpha;                ///< > 0: this alpha
  double alpha_min;            ///< limit for alpha from the list
  bool hard;                   ///< alpha may also be 0 (unregularized)
  bool unit;                   ///< rewards times 1 only
  bool endless;       ///< no terminal state, no ending transition, A_max actions in every state
  bool deterministic; ///< one next state for each pair
  bool full;          ///< every next state has positive probability
  int horizon;        ///< horizon of the CelMdp
} CeliDraw;
CelStatus celi_draw(CeliTrial *trial, const CeliDraw *draw, CeliProblem *out) CEL_WARN_UNUSED;
/// Builds a problem by hand: give the number of actions of each state (S), then call celi_arrow for
/// each transition, then celi_close.
void celi_open(CeliTrial *trial, CeliProblem *out, int S, const int *actions, double gamma);
void celi_arrow(CeliProblem *problem, int s, int a, int next, double probability, double reward,
                bool ends);
/// Computes r and go, and builds the CelMdp. Unless a start was set, it is uniform over the states
/// with actions.
CelStatus celi_close(CeliTrial *trial, CeliProblem *problem, int horizon) CEL_WARN_UNUSED;

/// Draws pi (n): a softmax of random logits, from nearly uniform to nearly deterministic
/// (probabilities of at least about 1e-9).
void celi_draw_policy(CeliTrial *trial, const CeliProblem *problem, double *pi);
/// Draws logits theta (n) from N(0, 1), and pi (n), their softmax.
void celi_draw_logits(CeliTrial *trial, const CeliProblem *problem, double *theta, double *pi);
/// A problem, a policy, and the policy's V (S) and Q (n) from the library at the problem's alpha.
typedef struct CeliEvaluated {
  CeliProblem m;
  double *pi, *V, *Q;
} CeliEvaluated;
CelStatus celi_draw_evaluated(CeliTrial *trial, const CeliDraw *draw,
                              CeliEvaluated *out) CEL_WARN_UNUSED;
static inline int celi_actions(const CeliProblem *problem, int s) {
  return problem->pair[s + 1] - problem->pair[s];
}
/// Draws n normal numbers with standard deviation `scale`.
void celi_draw_normal(CeliTrial *trial, double *x, int64_t n, double scale);
int celi_below(CeliTrial *trial, int n);
/// Sample a pair of state s under pi, the next state of a pair, and a start state.
int celi_sample_pair(CeliTrial *trial, const CeliProblem *problem, const double *pi, int s);
int celi_sample_next(CeliTrial *trial, const CeliProblem *problem, int p);
int celi_sample_start(CeliTrial *trial, const CeliProblem *problem);
/// max(1, max |x|); and that over 1 - gamma (gamma < 1).
double celi_size(const double *x, int64_t n);
double celi_scale(const CeliProblem *problem, const double *Q);

/// The library's V and Q of a policy: by its direct solver if the build has one, else by sweeps.
CelStatus celi_library_values(const CeliProblem *problem, const double *pi, double alpha, double *V,
                              double *Q) CEL_WARN_UNUSED;
/// The library's discounted state distribution d (S), computed likewise.
CelStatus celi_library_visits(const CeliProblem *problem, const double *pi,
                              double *d) CEL_WARN_UNUSED;
/// The library's solution by `method` at alpha with tolerance 1e-12. Copies it to V (S), Q (n), pi
/// (n), each of which may be NULL.
CelStatus celi_library_optimum(const CeliProblem *problem, CelSolveMethod method, double alpha,
                               double *V, double *Q, double *pi) CEL_WARN_UNUSED;

// ---- dense.c: the second way, linear algebra and the equations of a policy

/// Solves M x = x for x (n, m) by elimination with partial pivoting. Overwrites M. Asserts that M
/// is not singular.
void celi_dense_solve(double *M, double *x, int n, int m);
void celi_dense_solve_complex(CeliComplex *M, CeliComplex *x, int n);
/// V (S) of pi by a dense solve over states, and Q (n) from it unless Q is NULL.
void celi_dense_values(CeliTrial *trial, const CeliProblem *problem, const double *pi, double alpha,
                       double *V, double *Q);
/// Q (n) of V (S).
void celi_dense_backup(const CeliProblem *problem, const double *V, double *Q);
/// x (S) = sum_t gamma^t p_t, the unnormalized discounted state distribution, by a dense solve.
void celi_dense_visits(CeliTrial *trial, const CeliProblem *problem, const double *pi, double *x);
/// next (S): the state distribution one step after p (S) under pi.
void celi_dense_step(const CeliProblem *problem, const double *pi, const double *p, double *next);
/// V (S) = sum_t gamma^t E[r + alpha H] under p_t from each state, until gamma^t is below rounding.
void celi_propagated_values(CeliTrial *trial, const CeliProblem *problem, const double *pi,
                            double alpha, double *V);
/// For the n actions of one state, in long double: alpha log sum exp(Q/alpha), and the softmax pi.
double celi_dense_log_sum_exp(const double *Q, int n, double alpha);
void celi_dense_softmax(const double *Q, int n, double alpha, double *pi);
double celi_dense_entropy(const double *pi, int n);
/// sum pi log(pi/q); infinite if q is 0 where pi is not.
double celi_dense_kl(const double *pi, const double *q, int n);
double celi_dense_dot(const double *x, const double *y, int64_t n);
/// Total variation distance.
double celi_dense_distance(const double *pi, const double *q, int n);
/// max |x - y|.
double celi_dense_furthest(const double *x, const double *y, int n);
/// E_pi[Q - alpha log pi] for the n actions of one state.
double celi_dense_soft_value(const double *pi, const double *Q, int n, double alpha);
/// Policy iteration by dense solves, soft if alpha > 0. Writes V (S), Q (n), pi (n).
void celi_dense_optimum(CeliTrial *trial, const CeliProblem *problem, double alpha, double *V,
                        double *Q, double *pi);

/// J for weights w (n) that need not be normalized: V = sum_a w (r - alpha log w + gamma P V).
CeliComplex celi_complex_return(CeliTrial *trial, const CeliProblem *problem, const CeliComplex *w,
                                double alpha);
/// The same over `steps` steps, by backward recursion.
CeliComplex celi_complex_return_horizon(CeliTrial *trial, const CeliProblem *problem,
                                        const CeliComplex *w, double alpha, int steps);
void celi_complex_softmax(const CeliProblem *problem, const CeliComplex *theta, CeliComplex *pi);
/// gradient (n) of f at theta by complex steps.
typedef CeliComplex (*CeliComplexFunction)(const void *user, const CeliComplex *theta);
void celi_complex_gradient(CeliTrial *trial, CeliComplexFunction f, const void *user,
                           const double *theta, int n, double *gradient);

// ---- library.c: the learners' arithmetic in float32

/// Input and output of celi_library_score. Gaussian: head (B, 2A) is mean and log sd, action (B,
/// A). Categorical: head (B, A) holds logits, action (B) holds whole numbers.
typedef struct CeliScore {
  bool categorical;
  int B, A;
  const double *head, *action;
  const double *d_logp, *d_entropy; ///< (B) gradients of a loss; NULL: forward only
  double *logp, *entropy;           ///< (B)
  double *d_head;                   ///< shape of head
} CeliScore;
CelStatus celi_library_score(const CeliScore *score) CEL_WARN_UNUSED;

// ---- trajectories.c: sums over all trajectories

enum { CELI_STEPS = 6 };
/// x_0, p_0, x_1, ..., p_{steps-1}, x_steps. Shorter if the episode ended; then x[steps] is -1.
typedef struct CeliTrajectory {
  int steps;
  int x[CELI_STEPS + 1], p[CELI_STEPS];
  double r[CELI_STEPS];
  double probability;
} CeliTrajectory;
typedef void (*CeliVisit)(void *user, const CeliTrajectory *trajectory);
/// Calls `visit` for every trajectory of `steps` steps under pi, which is (steps, n) if `timed`. It
/// starts in state s, or in the start distribution if s is -1. Its first pair is p, or follows pi
/// if p is -1.
void celi_enumerate(const CeliProblem *problem, const double *pi, bool timed, int steps, int s,
                    int p, CeliVisit visit, void *user);
/// E sum_t gamma^t (r_t - alpha log pi_t) over all trajectories. If `first` is false, the sum
/// leaves out log pi of t = 0.
double celi_enumerated_return(const CeliProblem *problem, const double *pi, bool timed, int steps,
                              int s, int p, double alpha, bool first);

#endif
