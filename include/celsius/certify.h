/// Certificates: compares what an agent learned with the exact answer.
///
/// Three kinds of problem have an exact answer: any finite MDP (the environment mdp and those made
/// from it), the linear-quadratic regulator LQR-v0, and the plane MultiGoal-v0. The exact solution
/// is the soft-optimal one at the agent's temperature and discount. Its horizon is infinite even if
/// the environment has a time limit, because learners bootstrap when an episode is truncated. For
/// learners of the unregularized problem, the temperature is 0.
///
///     cel_certify(agent, spec, NULL, &certificate);
///     const CelMeasure *lost = cel_certificate_find(certificate, "shortfall_share");
///     printf("the policy misses %.2g%% of the possible gain\n", 100 * lost->off);
#ifndef CELSIUS_CERTIFY_H
#define CELSIUS_CERTIFY_H
#include "celsius/agent.h"
#include "celsius/env.h"
#include "celsius/lqr.h"
#include "celsius/mdp.h"
#include "celsius/multigoal.h"
#include "celsius/solve.h"
CEL_BEGIN

/// Settings of a certificate. Start from cel_certify_options_default(); the field table is
/// cel_certify_fields().
typedef struct CelCertifyOptions {
  /// Temperature of the exact solution, reward units per nat. Range 0 to 1e9, default NAN ("auto"),
  /// which is the agent's own.
  double alpha;
  /// Discount of the exact solution. Range 0 to 1, and below 1 when solved; default NAN ("auto"),
  /// which is the agent's own.
  double gamma;
  /// Episodes that are simulated on the regulator and the plane, whose states cannot be enumerated.
  /// Range 8 to 100000, default 400. Raise it for smaller standard errors.
  int64_t episodes;
  /// Seed of those episodes. Default 10000.
  uint64_t seed;
  /// Number of grid cells from the origin of the plane to its bound. Range 0 to 4096, default 0,
  /// which makes a cell 1/32 of the largest move per step. Raise it for a smaller error.
  int64_t cells;
} CelCertifyOptions;
/// Returns the field table of CelCertifyOptions. Static; never NULL.
CEL_API const CelField *cel_certify_fields(void);
/// Returns the default options.
CEL_API CelCertifyOptions cel_certify_options_default(void);

typedef enum CelCertifyProblem {
  CEL_CERTIFY_MDP,
  CEL_CERTIFY_LQR,
  CEL_CERTIFY_MULTIGOAL
} CelCertifyProblem;

/// One row of a certificate. A number that is not available is NAN, and the note says why.
typedef struct CelMeasure {
  char name[32];         ///< stable identifier, "soft_return"
  char label[56];        ///< text for people
  double exact, learned; ///< the two values
  double off;            ///< distance of the learned value from the exact one, as the label says
  double error;          ///< standard error or error bound of the computation; NAN: negligible
  char note[120];
} CelMeasure;

/// Results on a finite MDP. In `mdp`, every state has all actions of the action space. If a state
/// of the original problem has fewer, the missing ones are copies of the actions that the
/// environment substitutes.
typedef struct CelCertifiedMdp {
  const CelMdp *mdp;
  CelMdp *owned;      ///< the same, when it was made for the certificate; else NULL
  CelSolution *exact; ///< V, Q, pi
  double *pi;         ///< (pairs) learned policy
  double *V, *Q;      ///< (states), (pairs) exact values of the learned policy, reward units
  double *learned_V;  ///< (states) the agent's own V, or NULL
  double *learned_Q;  ///< (pairs) the agent's own Q, or NULL
  CEL_EXTENSION union {
    double *state_distribution; ///< (states) discounted, of the learned policy
    double *visits CEL_OLD_NAME("state_distribution");
  };
  uint8_t *reached; ///< (states) 1: some policy reaches the state, and it has actions
} CelCertifiedMdp;

/// Results on the regulator.
typedef struct CelCertifiedLqr {
  CelLqr lqr;
  CelLqrSolution exact;
  double K[CEL_LQR_MAX * CEL_LQR_MAX];     ///< (actions, states) least-squares gain of the mean
  double Sigma[CEL_LQR_MAX * CEL_LQR_MAX]; ///< (actions, actions) mean covariance
  int64_t n;                               ///< number of sampled states below
  float *x, *mean, *sd; ///< (n, states), (n, actions) twice: states, the policy there
} CelCertifiedLqr;

enum { CEL_CERTIFY_PLACES = 3, CEL_CERTIFY_SIDE = 65, CEL_CERTIFY_DRAWS = 1000 };

/// The policy at one place of the plane. Index 0 is exact, index 1 learned.
typedef struct CelCertifiedPlace {
  double s[2];             ///< the place
  double mean[2][2];       ///< mean action
  double covariance[2][4]; ///< (2, 2) covariance of the action
  double entropy[2], kl;   ///< nats
  double kl_error;         ///< of kl: quadrature error for a Gaussian, else a standard error
  /// Q(s, .) on a square grid of CEL_CERTIFY_SIDE^2 actions over [-reach, reach]^2, where reach is
  /// the bound of an action component. y is constant within a row. NAN if the agent learns no Q.
  float Q[2][CEL_CERTIFY_SIDE * CEL_CERTIFY_SIDE];
  float action[2][CEL_CERTIFY_DRAWS * 2]; ///< (CEL_CERTIFY_DRAWS, 2) sampled actions
} CelCertifiedPlace;

/// Episodes on the plane within the environment's time limit. Index 0 is exact, index 1 learned.
typedef struct CelCertifiedPlane {
  CelMultigoalSolution *exact;
  int64_t episodes, limit;
  float *path[2];                           ///< (episodes, limit + 1, 2) positions
  int64_t *length[2];                       ///< (episodes,) steps
  double share[2][CEL_MULTIGOAL_GOALS + 1]; ///< fraction of episodes that reach each goal; none
  CelCertifiedPlace place[CEL_CERTIFY_PLACES];
} CelCertifiedPlane;

enum { CEL_CERTIFY_MEASURES = 40 };

typedef struct CelCertificate {
  CelCertifyProblem problem;
  char algo[CEL_TEXT_MAX], env[CEL_TEXT_MAX];
  int64_t steps;                            ///< environment steps that the agent has observed
  double alpha, gamma;                      ///< of the exact solution
  double exact_error;                       ///< sup-norm error of the exact solution's V
  bool certified;                           ///< exact_error is a bound; false: an estimate
  int n;                                    ///< measures in use
  CelMeasure measure[CEL_CERTIFY_MEASURES]; ///< (n,)
  CelCertifiedMdp *mdp;                     ///< set where `problem` is that kind; else NULL
  CelCertifiedLqr *lqr;                     ///< likewise
  CelCertifiedPlane *plane;                 ///< likewise
} CelCertificate;

/// Checks that an environment has an exact solution. Errors: CEL_E_UNSUPPORTED (names the
/// environments that have one, or the obstacle: a finite horizon, bounded actions of the regulator,
/// action repeat).
CEL_API CelStatus cel_certify_check(const CelEnvSpec *spec) CEL_WARN_UNUSED;
/// Solves the problem at the agent's temperature and discount, and compares. The agent stays as it
/// is. `spec` must outlive the certificate. `options` NULL: the defaults. Free the result with
/// cel_certificate_destroy.
/// Source: [maximum-entropy, 8.14-8.28], [soft-q-learning, 2-3.1];
/// J* - J = alpha E sum gamma^t KL(pi, pi*).
/// Errors: as cel_certify_check; CEL_E_SHAPE (the agent has other spaces), CEL_E_UNSUPPORTED (a
/// density is needed and the policy has none; the learner normalizes rewards, so its temperature
/// has another unit), CEL_E_RANGE (gamma 1), CEL_E_NAN, CEL_E_MEMORY.
CEL_API CelStatus cel_certify(CelAgent *agent, const CelEnvSpec *spec,
                              const CelCertifyOptions *options,
                              CelCertificate **out) CEL_WARN_UNUSED;
/// Frees a certificate. Takes NULL.
CEL_API void cel_certificate_destroy(CelCertificate *certificate);
/// Finds a measure by name. Returns NULL when there is none. The certificate owns it.
CEL_API const CelMeasure *cel_certificate_find(const CelCertificate *certificate, const char *name);

/// Plots the learned and the exact solution side by side. The extension of the path, .png or .svg,
/// selects the format. A grid world is shown with its values and policy, and the regulator with its
/// actions over its states. The plane is shown with its episodes, Q and actions. `title` NULL: made
/// from the certificate.
/// Errors: CEL_E_ARGUMENT (another file extension), CEL_E_UNSUPPORTED (a finite problem without a
/// grid; a build without cairo), CEL_E_IO, CEL_E_MEMORY.
CEL_API CelStatus cel_plot_certificate(const CelCertificate *certificate, const char *title,
                                       const char *out_path) CEL_WARN_UNUSED;

CEL_END
#endif
