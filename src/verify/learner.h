/// A small learner of the library for the checks. It stores the transitions that it gets and is
/// updated at a learning rate of 0. So its parameters stay the same, and its gradients can be read
/// after an update. Copies of its networks in complex double give the exact derivatives by complex
/// steps.
#ifndef CELI_VERIFY_LEARNER_H
#define CELI_VERIFY_LEARNER_H
#include "celsius/agent.h"
#include "verify/verify.h"

enum { CELI_LEARNER_O = 4, CELI_LEARNER_A = 2, CELI_LEARNER_STEPS = 24, CELI_LEARNER_WIDTH = 8 };

/// A transition that the learner got.
typedef struct CeliTransition {
  double x[CELI_LEARNER_O], u[CELI_LEARNER_A], r, next[CELI_LEARNER_O];
  bool terminated, truncated; ///< the episode ended; a time limit cut it off
} CeliTransition;

/// Which learner to create.
typedef struct CeliLearnerSpec {
  const char *algo;
  int O, A; ///< size of an observation; size of an action, or number of discrete actions
  bool discrete;
  int n_envs;                  ///< 0: one environment
  double bound;                ///< actions are in [-bound, bound]; 0: bound 1
  const char *const *settings; ///< names and values in pairs, ended by NULL
} CeliLearnerSpec;

typedef struct CeliLearner {
  CelAgent *agent;
  CelTensors *tensors;
  int O, A;
  bool discrete;
  CeliTransition fed[CELI_LEARNER_STEPS];
  int n_fed;
} CeliLearner;

/// Creates a learner. Noise is added to every parameter and target. The agent's seed is the
/// trial's.
CelStatus celi_learner_create(CeliTrial *trial, const CeliLearnerSpec *spec,
                              CeliLearner *out) CEL_WARN_UNUSED;
void celi_learner_destroy(CeliLearner *learner);
/// Gives random transitions to a learner with one environment, at most CELI_LEARNER_STEPS in all.
/// Some of the episodes terminate, some are truncated.
CelStatus celi_learner_feed(CeliTrial *trial, CeliLearner *learner, int steps) CEL_WARN_UNUSED;
/// Gives a learner with one environment the transitions of a walk through a finite problem. Its
/// states are observed one-hot; there are as many as numbers in an observation. All of them have A
/// actions or none. A continuous action in [-1, 1] is taken for the one of A equal parts of that
/// range that has its first number.
CelStatus celi_learner_walk(CeliTrial *trial, CeliLearner *learner, const CeliProblem *problem,
                            int steps) CEL_WARN_UNUSED;
/// The target r + gamma V(s') of row b of the learner's batch after such a walk, from the problem.
double celi_learner_backup(const CeliLearner *learner, const CeliProblem *problem, int b,
                           const double *V);
/// The stored transition in row b of the learner's batch, found by its observation. `batch` names a
/// batch tensor with ld numbers a row.
const CeliTransition *celi_learner_find(const CeliLearner *learner, const char *batch, int b,
                                        int ld);
/// Element i of a float32 tensor. Asserts that the tensor exists.
double celi_learner_at(const CeliLearner *learner, const char *name, int64_t i);

/// One ensemble member's weights. Layer l maps width[l] to width[l+1], with tanh between layers.
typedef struct CeliCheckNet {
  int L, width[5], n; ///< layers, widths, weights in all
  double *theta;      ///< (n,) weights: W (in, out) and b of each layer in turn
  double *gradient;   ///< (n,) the library's gradient, from tensor "grad.NAME"; NULL for targets
} CeliCheckNet;

enum { CELI_CHECK_NET_MAX = 256 }; ///< most weights of a network

/// Reads member e of network `name` ("actor", "critic", "target").
CeliCheckNet celi_check_net_read(CeliTrial *trial, const CeliLearner *learner, const char *name,
                                 int e);
/// Computes the output (width[L]) for input x (width[0]) with the weights theta (n,) in place of
/// net->theta.
void celi_check_net_forward(const CeliCheckNet *net, const CeliComplex *theta, const CeliComplex *x,
                            CeliComplex *out);
/// Copies net->theta to `to` (CELI_CHECK_NET_MAX,) as complex numbers and returns `to`.
const CeliComplex *celi_check_net_theta(const CeliCheckNet *net, CeliComplex *to);
/// The same in real numbers, with the weights net->theta.
void celi_check_net_apply(const CeliCheckNet *net, const double *x, double *out);
/// log sigma as the learners compute it from a network's output: clamped to [-20, 2], with gradient
/// 0 outside of it.
CeliComplex celi_log_sd(CeliComplex head);
/// log(1 - tanh(u)^2), accurate where tanh(u) rounds to 1.
CeliComplex celi_log_jacobian(CeliComplex u);
/// Compares the library's gradient with that of `loss` by complex steps. The tolerance is scaled by
/// the size of the gradient, unless `differs`.
void celi_check_net_compare(CeliTrial *trial, const CeliCheckNet *net, CeliComplexFunction loss,
                            const void *user, bool differs);

#endif
