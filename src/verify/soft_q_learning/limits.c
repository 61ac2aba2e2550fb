/// [soft-q-learning, 2.1, 3.2] as alpha -> 0, on finite problems: the target of the library's soft
/// Q-learning becomes that of its DQN.
#include "verify/learner.h"
#include <math.h>
#include <stdio.h>

enum { S = CELI_LEARNER_O, A = 3, B = 8 };
static const double tiny = 1e-6; // the temperature that stands for 0

typedef struct Finite {
  CeliProblem m;
  CeliLearner learner;
  double *Q, *V; ///< (S, A) of the target network; (S)
} Finite;

/// Trains an agent for one update on a walk through a random problem, and reads its target network.
static CelStatus updated(CeliTrial *trial, const char *algo, const char *const *more, Finite *f) {
  const CeliDraw draw = {.S_min = S, .S_max = S, .A_min = A, .A_max = A, .unit = true};
  char gamma[32];
  *f = (Finite){0};
  CELI_TRY(celi_draw(trial, &draw, &f->m));
  snprintf(gamma, sizeof gamma, "%.17g", f->m.gamma);
  const char *const settings[] = {
      "net_arch",   "6,5", "activation",      "tanh",    "gamma",       gamma,
      "tau",        "0",   "learning_rate",   "0",       "buffer_size", "100",
      "batch_size", "8",   "learning_starts", "1000000", more[0],       more[1],
      NULL};
  const CeliLearnerSpec spec = {
      .algo = algo, .O = S, .A = A, .discrete = true, .settings = settings};
  CELI_TRY(celi_learner_create(trial, &spec, &f->learner));
  CELI_TRY(celi_learner_walk(trial, &f->learner, &f->m, CELI_LEARNER_STEPS));
  CELI_TRY(cel_agent_update_n(f->learner.agent, 1));
  const CeliCheckNet target = celi_check_net_read(trial, &f->learner, "target", 0);
  f->Q = celi_take(trial, S * A), f->V = celi_take(trial, S);
  for (int s = 0; s < S; s++) {
    double x[S] = {0};
    x[s] = 1;
    celi_check_net_apply(&target, x, f->Q + (ptrdiff_t)s * A);
  }
  return CEL_OK;
}

static void soft_values(Finite *f, double alpha) {
  for (int s = 0; s < S; s++) f->V[s] = celi_dense_log_sum_exp(f->Q + (ptrdiff_t)s * A, A, alpha);
}

static void hard_values(Finite *f) {
  for (int s = 0; s < S; s++) {
    f->V[s] = f->Q[s * A];
    for (int a = 1; a < A; a++) f->V[s] = fmax(f->V[s], f->Q[s * A + a]);
  }
}

/// The library's targets against r + gamma V(s').
static void compare(CeliTrial *trial, const Finite *f) {
  for (int b = 0; b < B; b++) {
    const double y = celi_learner_backup(&f->learner, &f->m, b, f->V);
    celi_compare(trial, celi_learner_at(&f->learner, "batch.y", b), y, 1 + fabs(y));
  }
}

/// DQN's target against soft Q-learning's at alpha = 1e-6.
static CelStatus target_of_dqn(CeliTrial *trial) {
  static const char *const losses[][2] = {{"loss", "huber"}, {"loss", "squared"}};
  Finite f;
  const CelStatus status = updated(trial, "dqn", losses[celi_below(trial, 2)], &f);
  if (status == CEL_OK) {
    soft_values(&f, tiny);
    compare(trial, &f);
  }
  celi_learner_destroy(&f.learner);
  return status;
}

/// Soft Q-learning's target at alpha = 1e-6 against r + gamma max Q'.
static CelStatus target_of_soft_q_learning(CeliTrial *trial) {
  static const char *const small[2] = {"ent_coef", "1e-6"};
  Finite f;
  const CelStatus status = updated(trial, "sql", small, &f);
  if (status == CEL_OK) {
    hard_values(&f);
    compare(trial, &f);
  }
  celi_learner_destroy(&f.learner);
  return status;
}

/// 0 <= soft target - DQN's target <= gamma alpha log A, at any alpha.
static CelStatus distance(CeliTrial *trial) {
  static const char *const huber[2] = {"loss", "huber"};
  static const double alphas[] = {.01, .1, 1};
  Finite f;
  const CelStatus status = updated(trial, "dqn", huber, &f);
  for (int i = 0; i < 3 && status == CEL_OK; i++) {
    soft_values(&f, alphas[i]);
    for (int b = 0; b < B; b++) {
      const double hard = celi_learner_at(&f.learner, "batch.y", b);
      const double soft = celi_learner_backup(&f.learner, &f.m, b, f.V);
      celi_compare(trial, hard, soft, 1 + fabs(hard));
      celi_compare(trial, soft, hard + f.m.gamma * alphas[i] * log(A), 1 + fabs(hard));
    }
  }
  celi_learner_destroy(&f.learner);
  return status;
}

/// Double Q-learning's target is at most DQN's, by the same target network.
static CelStatus double_is_below(CeliTrial *trial) {
  static const char *const twice[2] = {"double_q", "true"};
  Finite f;
  const CelStatus status = updated(trial, "dqn", twice, &f);
  if (status == CEL_OK) {
    hard_values(&f);
    compare(trial, &f);
  }
  celi_learner_destroy(&f.learner);
  return status;
}

static const CeliClaim claims[] = {
    {"3.2",
     "DQN on finite problems is the limit alpha -> 0: the library's target against r + gamma alpha "
     "log sum exp(Q'/alpha) at alpha = 1e-6",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, target_of_dqn, 0x5d1c02e6},
    {"3.2",
     "soft Q-learning on finite problems at alpha = 1e-6: the library's target against r + gamma "
     "max Q'",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, target_of_soft_q_learning, 0x9b7730f4},
    {"2.1",
     "soft targets exceed DQN's by 0 to gamma alpha log A: r + gamma alpha log sum exp(Q'/alpha) "
     "against the library's target",
     "cel_agent_update_n", CEL_CHECK_AT_MOST, 1e-6, 32, distance, 0x21e8a95b},
    {"2.1",
     "double Q-learning's target is at most r + gamma max Q': the library against the target "
     "network's values",
     "cel_agent_update_n", CEL_CHECK_AT_MOST, 1e-6, 32, double_is_below, 0xe40f6c1d},
    {0}};

const CeliSection celi_sq_limits = {"src/verify/soft_q_learning/limits.c", claims};
