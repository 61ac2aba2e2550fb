/// A learner of the library under the check: made small, fed with transitions that are remembered, updated at a learning
/// rate of 0, so that its parameters stay and its gradients remain to be read. Beside it the same networks in complex
/// double, for derivatives by complex steps.
#ifndef CELI_VERIFY_LEARNER_H
#define CELI_VERIFY_LEARNER_H
#include "celsius/agent.h"
#include "verify/verify.h"

enum { CELI_LEARNER_O = 4, CELI_LEARNER_A = 2, CELI_LEARNER_STEPS = 24, CELI_LEARNER_WIDTH = 8 };

/// A transition that was fed.
typedef struct CeliTransition {
  double x[CELI_LEARNER_O], u[CELI_LEARNER_A], r, next[CELI_LEARNER_O];
  bool terminated, truncated; ///< the episode ended; a time limit cut it
} CeliTransition;

/// What is made.
typedef struct CeliLearnerSpec {
  const char *algo;
  int O, A; ///< observations; action dimension, or number of choices where `discrete`
  bool discrete;
  int n_envs;                  ///< 0: one
  double bound;                ///< actions lie in [-bound, bound]; 0: 1
  const char *const *settings; ///< names and values in pairs; NULL ends them
} CeliLearnerSpec;

typedef struct CeliLearner {
  CelAgent *agent;
  CelTensors *tensors;
  int O, A;
  bool discrete;
  CeliTransition fed[CELI_LEARNER_STEPS];
  int n_fed;
} CeliLearner;

/// Every parameter and target is made to differ from how it starts. The trial's seed is the agent's.
CelStatus celi_learner_create(CeliTrial *trial, const CeliLearnerSpec *spec,
                              CeliLearner *out) CEL_WARN_UNUSED;
void celi_learner_destroy(CeliLearner *learner);
/// Feeds random transitions to a learner of one environment, at most CELI_LEARNER_STEPS; some episodes end, some are cut off.
CelStatus celi_learner_feed(CeliTrial *trial, CeliLearner *learner, int steps) CEL_WARN_UNUSED;
/// The transition that row b of the learner's batch is, found by its observation among those fed. A batch tensor with ld
/// numbers a row.
const CeliTransition *celi_learner_find(const CeliLearner *learner, const char *batch, int b,
                                        int ld);
/// Element i of a float32 tensor. That there is one of the name is asserted.
double celi_learner_at(const CeliLearner *learner, const char *name, int64_t i);

/// One member's weights as complex numbers: layer l maps width[l] to width[l+1], tanh between.
typedef struct CeliCheckNet {
  int L, width[5], n; ///< n numbers in all: W (in, out) and b of each layer in turn
  double *theta;      ///< (n,)
  double *gradient;   ///< (n,) the library's, of "grad.NAME"; NULL of targets
} CeliCheckNet;

enum { CELI_CHECK_NET_MAX = 256 }; ///< numbers that a network may have

/// Network `name` ("actor", "critic", "target"), member e.
CeliCheckNet celi_check_net_read(CeliTrial *trial, const CeliLearner *learner, const char *name, int e);
/// out (width[L]) of x (width[0]) at theta (n,), which stands in for net->theta.
void celi_check_net_forward(const CeliCheckNet *net, const CeliComplex *theta, const CeliComplex *x,
                      CeliComplex *out);
/// net->theta as complex numbers, in `to` (CELI_CHECK_NET_MAX,); returns it.
const CeliComplex *celi_check_net_theta(const CeliCheckNet *net, CeliComplex *to);
/// The same in reals, at net->theta.
void celi_check_net_apply(const CeliCheckNet *net, const double *x, double *out);
/// log sigma as the learners take it from a network: held within [-20, 2], without a gradient outside.
CeliComplex celi_log_sd(CeliComplex head);
/// log(1 - tanh(u)^2), where tanh is 1 to rounding too.
CeliComplex celi_log_jacobian(CeliComplex u);
/// Hands in the library's gradient and that of `loss` by complex steps; `differs`: as it is, without a scale.
void celi_check_net_compare(CeliTrial *trial, const CeliCheckNet *net, CeliComplexFunction loss,
                      const void *user, bool differs);

#endif
