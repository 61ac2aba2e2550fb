/// Tabular soft Q-learning: Q of a finite problem from sampled transitions, held against the exact model.
///
/// A sampled transition s, a, r, s' moves one number,
///   Q(s,a) += step (r + gamma alpha log sum exp(Q(s',.)/alpha) - Q(s,a)),
/// with the mean over s' outside of the logarithm, so that the target is unbiased; alpha = 0 is Q-learning.
/// Source: [soft-q-learning, 3.1-3.2] with the target that errata name; Watkins, Dayan, "Q-learning", 1992.
#ifndef CELSIUS_Q_LEARNING_H
#define CELSIUS_Q_LEARNING_H
#include "celsius/mdp.h"
CEL_BEGIN

typedef enum CelQSampling {
  CEL_Q_SYNCHRONOUS, ///< a round samples one transition of every pair, all with the values before it
  CEL_Q_ASYNCHRONOUS ///< a round is as many steps of one trajectory as there are pairs
} CelQSampling;

typedef enum CelQBehaviour {
  CEL_Q_BOLTZMANN, ///< pi of Q at alpha
  CEL_Q_UNIFORM
} CelQBehaviour;

/// The step of a pair that was sampled k times before.
typedef enum CelQStep {
  CEL_Q_STEP_RESCALED,   ///< 1/(1 + (1-gamma) k)
  CEL_Q_STEP_POLYNOMIAL, ///< (1 + k)^-omega
  CEL_Q_STEP_CONSTANT
} CelQStep;

/// How far it is. Q is to be read only, and only during the call.
typedef struct CelQLearningProgress {
  bool scheduled;         ///< one of the rounds of `points`; else told because time has passed
  int64_t round, samples; ///< done
  const double *Q;        ///< (pairs)
  double residual;        ///< sup-norm of TQ - Q, with the exact model
  double bound;           ///< certified sup-norm of Q - Q*
  int64_t unvisited;      ///< pairs that were never sampled
  double seconds, fraction;
} CelQLearningProgress;

/// Field table: cel_q_learning_fields().
typedef struct CelQLearningConfig {
  double alpha;      ///< temperature >= 0, reward units per nat; default 0.1
  double gamma;      ///< NAN ("auto"): the problem's own
  int64_t rounds;    ///< as many samples each as there are pairs
  int32_t sampling;  ///< CelQSampling
  int32_t behaviour; ///< CelQBehaviour, of the trajectory
  double epsilon;    ///< share of uniformly random actions in the trajectory
  int64_t
      episode_steps; ///< the trajectory starts again after so many; 0: only where an episode ends
  int32_t step;      ///< CelQStep
  double omega;      ///< exponent of the polynomial step
  double step_size;  ///< the constant step
  uint64_t seed;
  int64_t points;     ///< certificates per factor of ten of rounds
  double max_seconds; ///< 0: no limit
  bool (*progress)(void *user,
                   const CelQLearningProgress *now); ///< false: stop; NULL: none. Not a field.
  void *user;
} CelQLearningConfig;
CEL_API const CelField *cel_q_learning_fields(void);
CEL_API CelQLearningConfig cel_q_learning_config_default(void);

typedef struct CelQLearning {
  int64_t states, pairs, rounds, samples, unvisited;
  double *Q;       ///< (pairs)
  double *V;       ///< (states) of Q
  double *pi;      ///< (pairs) of Q
  int64_t *visits; ///< (pairs) samples
  double alpha, gamma;
  double value_start;     ///< J of V
  double residual, bound; ///< as in the progress
  double seconds;
} CelQLearning;

/// Learns from Q = 0; the same config gives the same bits. One that is stopped (time, progress) is CEL_OK with fewer
/// rounds. The model is used to draw transitions and, for the certificate alone, exactly.
/// Errors: CEL_E_RANGE (a field; gamma not in [0, 1); a problem that starts in terminal states alone, asynchronously),
/// CEL_E_UNSUPPORTED (a finite horizon), CEL_E_MEMORY.
CEL_API CelStatus cel_q_learning(const CelMdp *mdp, const CelQLearningConfig *config,
                                 CelQLearning **out) CEL_WARN_UNUSED;
CEL_API void cel_q_learning_destroy(CelQLearning *learned);

/// What any Q (pairs) is off by: *residual = sup-norm of TQ - Q, (TQ)(s,a) = r + gamma E[alpha log sum exp(Q(s',.)/alpha)],
/// and *bound >= sup-norm of Q - Q*, residual / (1 - gamma) with what rounding may add. Either may be NULL.
/// Source: [soft-q-learning, 2.1], T is a gamma-contraction in the sup-norm.
/// Errors: CEL_E_RANGE (alpha, gamma), CEL_E_UNSUPPORTED (a finite horizon), CEL_E_NAN (Q), CEL_E_MEMORY.
CEL_API CelStatus cel_q_certificate(const CelMdp *mdp, const double *Q, double alpha, double gamma,
                                    double *residual, double *bound) CEL_WARN_UNUSED;

CEL_END
#endif
