/// Tabular soft Q-learning: learns Q of a finite problem from sampled transitions, and compares it
/// with the exact model.
///
/// A sampled transition s, a, r, s' changes one number,
///   Q(s,a) += step (r + gamma alpha log sum exp(Q(s',.)/alpha) - Q(s,a)).
/// The mean over s' is outside the logarithm, so the target is unbiased. alpha = 0 is ordinary
/// Q-learning.
/// Source: [soft-q-learning, 3.1-3.2] with the target of the errata; Watkins, Dayan, "Q-learning",
/// 1992.
#ifndef CELSIUS_Q_LEARNING_H
#define CELSIUS_Q_LEARNING_H
#include "celsius/mdp.h"
CEL_BEGIN

typedef enum CelQSampling {
  CEL_Q_SYNCHRONOUS, ///< each round samples every pair once, all from the values before the round
  CEL_Q_ASYNCHRONOUS ///< each round takes as many steps of one trajectory as there are pairs
} CelQSampling;
CEL_ENUM_IS_INT32(CelQSampling);

typedef enum CelQBehavior {
  CEL_Q_BOLTZMANN, ///< pi of Q at alpha
  CEL_Q_UNIFORM    ///< uniformly random actions
} CelQBehavior;
CEL_ENUM_IS_INT32(CelQBehavior);
typedef CelQBehavior CelQBehaviour CEL_OLD_NAME("CelQBehavior");

/// Step size of a pair that was sampled k times before.
typedef enum CelQStep {
  CEL_Q_STEP_RESCALED,   ///< 1/(1 + (1-gamma) k)
  CEL_Q_STEP_POLYNOMIAL, ///< (1 + k)^-omega
  CEL_Q_STEP_CONSTANT    ///< step_size
} CelQStep;
CEL_ENUM_IS_INT32(CelQStep);

/// Progress. Q is read-only and valid only during the call.
typedef struct CelQLearningProgress {
  bool scheduled; ///< true: one of the rounds of `points`; false: reported because time passed
  int64_t round, samples; ///< done so far
  const double *Q;        ///< (pairs) reward units
  double residual;        ///< sup-norm of TQ - Q, with the exact model
  double bound;           ///< certified bound of the sup-norm of Q - Q*
  int64_t unvisited;      ///< pairs that were never sampled
  double seconds, fraction;
} CelQLearningProgress;

/// Settings. Start from cel_q_learning_config_default(); the field table is
/// cel_q_learning_fields().
typedef struct CelQLearningConfig {
  /// Temperature alpha, reward units per nat. Range 0 to 1e12, default 0.1; 0: ordinary Q-learning.
  double alpha;
  /// Discount. Range 0 to 1, below 1 when learning; default NAN ("auto"), which is the problem's.
  double gamma;
  /// Rounds. Each samples as many transitions as there are pairs. Range 1 to 1e15, default 100000.
  int64_t rounds;
  /// How transitions are sampled. Default CEL_Q_SYNCHRONOUS. Take CEL_Q_ASYNCHRONOUS to learn from
  /// one trajectory.
  CelQSampling sampling;
  CEL_EXTENSION union {
    /// How the trajectory's actions are selected. Default CEL_Q_BOLTZMANN. Only asynchronous.
    CelQBehavior behavior;
    /// The old name of behavior.
    CelQBehavior behaviour CEL_OLD_NAME("behavior");
  };
  /// Fraction of uniformly random actions in the trajectory. Range 0 to 1, default 0.1. Raise it
  /// when pairs stay unvisited.
  double epsilon;
  /// Steps after which the trajectory restarts. Range 0 to 1e15, default 1000; 0 restarts only
  /// where an episode ends.
  int64_t episode_steps;
  /// Step size. Default CEL_Q_STEP_RESCALED.
  CelQStep step;
  /// Exponent of the polynomial step. Range 1e-3 to 1, default 0.8. It converges above 1/2.
  double omega;
  /// The constant step. Range 1e-12 to 1, default 0.1. With it the error does not vanish.
  double step_size;
  /// Seed of the samples. Default 1.
  uint64_t seed;
  /// Certificates per factor of ten of rounds. Range 1 to 1000, default 4.
  int64_t points;
  /// Time limit, seconds. Range 0 to 1e12, default 0; 0 is no limit.
  double max_seconds;
  /// Called with `user` at each certificate and as time passes; NULL: not called. Returning false
  /// stops. Not a field.
  bool (*progress)(void *user, const CelQLearningProgress *now);
  /// Passed to `progress`.
  void *user;
} CelQLearningConfig;
/// Returns the field table of CelQLearningConfig. Static; never NULL.
CEL_API const CelField *cel_q_learning_fields(void);
/// Returns the default settings.
CEL_API CelQLearningConfig cel_q_learning_config_default(void);

/// The result.
typedef struct CelQLearning {
  int64_t states, pairs, rounds, samples, unvisited;
  double *Q;       ///< (pairs) reward units
  double *V;       ///< (states) soft values of Q
  double *pi;      ///< (pairs) soft policy of Q
  int64_t *visits; ///< (pairs) samples of each pair
  double alpha, gamma;
  double value_start;     ///< J of V
  double residual, bound; ///< as in the progress
  double seconds;
} CelQLearning;

/// Learns from Q = 0. The same config gives the same bits. A run that is stopped (time, progress)
/// returns CEL_OK with fewer rounds. The model serves to sample transitions; only the certificate
/// uses it exactly. `config` NULL: the defaults. Free the result with cel_q_learning_destroy.
/// Errors: CEL_E_RANGE (a field; gamma not in [0, 1); asynchronous with only terminal start
/// states), CEL_E_UNSUPPORTED (a finite horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_q_learning(const CelMdp *mdp, const CelQLearningConfig *config,
                                 CelQLearning **out) CEL_WARN_UNUSED;
/// Frees a result. Takes NULL.
CEL_API void cel_q_learning_destroy(CelQLearning *learned);

/// Computes the error of any Q (pairs): *residual = sup-norm of TQ - Q, with
/// (TQ)(s,a) = r + gamma E[alpha log sum exp(Q(s',.)/alpha)], and *bound >= sup-norm of Q - Q*,
/// which is residual / (1 - gamma) with the rounding error added. Either may be NULL.
/// Source: [soft-q-learning, 2.1], T is a gamma-contraction in the sup-norm.
/// Errors: CEL_E_RANGE (alpha, gamma), CEL_E_UNSUPPORTED (a finite horizon), CEL_E_NAN (Q),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_q_certificate(const CelMdp *mdp, const double *Q, double alpha, double gamma,
                                    double *residual, double *bound) CEL_WARN_UNUSED;

CEL_END
#endif
