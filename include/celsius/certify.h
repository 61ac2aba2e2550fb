/// Certificates: what was learned held against the exact answer, where there is one.
///
/// Three kinds of problem have one: any finite MDP (the environment mdp and those made of it), the linear-quadratic
/// regulator LQR-v0, and the plane MultiGoal-v0. The exact soft-optimal solution is that of the agent's own temperature
/// and discount, infinite horizon (time limits cut episodes off, and learners bootstrap there); learners of the hard
/// problem are held against temperature 0.
///
///     cel_certify(agent, spec, NULL, &certificate);
///     const CelMeasure *lost = cel_certificate_find(certificate, "shortfall_share");
///     printf("%.2g%% of what there is to win is lost\n", 100 * lost->off);
#ifndef CELSIUS_CERTIFY_H
#define CELSIUS_CERTIFY_H
#include "celsius/agent.h"
#include "celsius/env.h"
#include "celsius/lqr.h"
#include "celsius/mdp.h"
#include "celsius/multigoal.h"
#include "celsius/solve.h"
CEL_BEGIN

/// Table: cel_certify_fields.
typedef struct CelCertifyOptions {
  double alpha;     ///< NAN ("auto"): the agent's own temperature
  double gamma;     ///< NAN ("auto"): the agent's own discount
  int64_t episodes; ///< rollouts, where states are many: the regulator, the plane
  uint64_t seed;    ///< of the rollouts
  int64_t cells;    ///< of the plane's grid, from the middle to the bound; 0: 32 a step
} CelCertifyOptions;
CEL_API const CelField *cel_certify_fields(void);
CEL_API CelCertifyOptions cel_certify_options_default(void);

typedef enum CelCertifyProblem {
  CEL_CERTIFY_MDP,
  CEL_CERTIFY_LQR,
  CEL_CERTIFY_MULTIGOAL
} CelCertifyProblem;

/// One line of a certificate. Numbers that it does not have are NAN, and the note says why.
typedef struct CelMeasure {
  char name[32];  ///< stable: "soft_return"
  char label[56]; ///< for people
  double exact, learned;
  double off;   ///< how far the learned is off, as the label says
  double error; ///< standard error, or bound, of what was computed; NAN: none worth telling
  char note[120];
} CelMeasure;

/// What was learned on a finite MDP. `mdp` has every action that the environment takes, also where the problem itself has
/// fewer in a state and the environment repeats some.
typedef struct CelCertifiedMdp {
  const CelMdp *mdp;
  CelMdp *owned;      ///< the same, where it was made for the certificate
  CelSolution *exact; ///< V, Q, pi
  double *pi;         ///< (pairs) learned
  double *V, *Q;      ///< (states), (pairs) of the learned policy, exactly evaluated
  double *learned_V;  ///< (states) the agent's own, or NULL
  double *learned_Q;  ///< (pairs) the agent's own, or NULL
  double *visits;     ///< (states) discounted distribution under the learned policy
  uint8_t *reached;   ///< (states) something is chosen there, and some policy gets there
} CelCertifiedMdp;

/// What was learned on the regulator.
typedef struct CelCertifiedLqr {
  CelLqr lqr;
  CelLqrSolution exact;
  double K[CEL_LQR_MAX * CEL_LQR_MAX];     ///< (m, n) least-squares gain of the learned mean
  double Sigma[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (m, m) its mean covariance
  int64_t n;                               ///< states below
  float *x, *mean, *sd; ///< (n, states), (n, actions) twice: states met, the learned policy there
} CelCertifiedLqr;

enum { CEL_CERTIFY_PLACES = 3, CEL_CERTIFY_SIDE = 65, CEL_CERTIFY_DRAWS = 1000 };

/// The policy at one place of the plane; index 0 exact, 1 learned.
typedef struct CelCertifiedPlace {
  double s[2];
  double mean[2][2];       ///< of the action
  double covariance[2][4]; ///< (2, 2)
  double entropy[2], kl;   ///< nats
  double kl_error;         ///< of kl: of the quadrature (a Gaussian), else a standard error
  /// Q(s, .) at the CEL_CERTIFY_SIDE^2 actions of a lattice over [-reach, reach]^2, rows are y; NAN: none learned.
  float Q[2][CEL_CERTIFY_SIDE * CEL_CERTIFY_SIDE];
  float action[2][CEL_CERTIFY_DRAWS * 2]; ///< (CEL_CERTIFY_DRAWS, 2) drawn
} CelCertifiedPlace;

/// Episodes within the environment's time limit; index 0 exact, 1 learned.
typedef struct CelCertifiedPlane {
  CelMultigoalSolution *exact;
  int64_t episodes, limit;
  float *path[2];                           ///< (episodes, limit + 1, 2)
  int64_t *length[2];                       ///< (episodes,) steps taken
  double share[2][CEL_MULTIGOAL_GOALS + 1]; ///< of episodes that reach each goal; none
  CelCertifiedPlace place[CEL_CERTIFY_PLACES];
} CelCertifiedPlane;

enum { CEL_CERTIFY_MEASURES = 40 };

typedef struct CelCertificate {
  CelCertifyProblem problem;
  char algo[CEL_TEXT_MAX], env[CEL_TEXT_MAX];
  int64_t steps;       ///< environment steps that the agent has seen
  double alpha, gamma; ///< of the exact solution
  double exact_error;  ///< V of the exact solution is within this, sup-norm
  bool certified;      ///< that is a bound; else an estimate
  int n;
  CelMeasure measure[CEL_CERTIFY_MEASURES]; ///< (n,)
  CelCertifiedMdp *mdp;                     ///< the one of `problem`, the others are NULL
  CelCertifiedLqr *lqr;
  CelCertifiedPlane *plane;
} CelCertificate;

/// Whether an environment has an exact solution here. Errors: CEL_E_UNSUPPORTED (says which have one, or what of this one
/// keeps it from having one: a finite horizon, bounded actions of the regulator, repeated actions).
CEL_API CelStatus cel_certify_check(const CelEnvSpec *spec) CEL_WARN_UNUSED;
/// Solves the problem at the agent's temperature and discount, and measures. The agent is left as it was; `spec` must
/// outlive the certificate. `options` NULL: the defaults.
/// Source: [maximum-entropy, 8.14-8.28], [soft-q-learning, 2-3.1]; J* - J = alpha E sum gamma^t KL(pi, pi*).
/// Errors: as cel_certify_check; CEL_E_SHAPE (an agent of other spaces), CEL_E_UNSUPPORTED (a policy without a density
/// where one is needed; rewards that the learner normalises, whose temperature has another unit), CEL_E_RANGE (gamma 1),
/// CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_certify(CelAgent *agent, const CelEnvSpec *spec,
                              const CelCertifyOptions *options,
                              CelCertificate **out) CEL_WARN_UNUSED;
CEL_API void cel_certificate_destroy(CelCertificate *certificate);
/// By name, NULL when it is not there.
CEL_API const CelMeasure *cel_certificate_find(const CelCertificate *certificate, const char *name);

/// Draws what was learned beside what is exact, to a PNG or SVG by the path's ending: a grid world's values and policy,
/// the regulator's actions against its states, the plane's episodes, Q and actions. `title` NULL: made from the certificate.
/// Errors: CEL_E_ARGUMENT (another ending), CEL_E_UNSUPPORTED (a finite problem that is no grid; built without cairo),
/// CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_plot_certificate(const CelCertificate *certificate, const char *title,
                                       const char *out_path) CEL_WARN_UNUSED;

CEL_END
#endif
