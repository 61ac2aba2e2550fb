/// [maximum-entropy, 8.21, 8.28] as alpha -> 0 and the policy's deviation -> 0, on finite problems:
/// the losses of the library's soft actor-critic become those of its TD3. An action in [-1, 1]^2 is
/// one of three actions of the problem.
#include "verify/learner.h"
#include <math.h>
#include <stdio.h>

enum { S = CELI_LEARNER_O, A = CELI_LEARNER_A, ACTIONS = 3, B = 8, E = 2 };
static const double half_log_2pi = 0.91893853320467274178;

/// What stands for 0 in the soft value, and in the library's soft actor-critic (log sd at most
/// -12).
static const double alpha = 1e-8, sd = 1e-5;
static const char *const td3[] = {"policy_delay", "1", "target_policy_noise", "0", NULL};
static const char *const sac[] = {"ent_coef", "1e-6", "log_std_max", "-12", NULL};

typedef struct Finite {
  CeliProblem m;
  CeliLearner learner;
  CeliCheckNet actor, next_actor, critic, target[E];
  double *V; ///< (S)
} Finite;

/// Trains an agent for one update on a walk through a random problem, and reads its networks. The
/// policy of the target is TD3's target network, and soft actor-critic's own.
static CelStatus updated(CeliTrial *trial, const char *algo, const char *const *more, Finite *f) {
  const CeliDraw draw = {.S_min = S, .S_max = S, .A_min = ACTIONS, .A_max = ACTIONS, .unit = true};
  char gamma[32];
  *f = (Finite){0};
  CELI_TRY(celi_draw(trial, &draw, &f->m));
  snprintf(gamma, sizeof gamma, "%.17g", f->m.gamma);
  const char *const settings[] = {"net_arch",   "6,5",         "activation",
                                  "tanh",       "gamma",       gamma,
                                  "tau",        "0",           "learning_rate",
                                  "0",          "buffer_size", "100",
                                  "batch_size", "8",           "learning_starts",
                                  "1000000",    more[0],       more[1],
                                  more[2],      more[3],       NULL};
  const CeliLearnerSpec spec = {.algo = algo, .O = S, .A = A, .settings = settings};
  CELI_TRY(celi_learner_create(trial, &spec, &f->learner));
  CELI_TRY(celi_learner_walk(trial, &f->learner, &f->m, CELI_LEARNER_STEPS));
  CELI_TRY(cel_agent_update_n(f->learner.agent, 1));
  f->actor = celi_check_net_read(trial, &f->learner, "actor", 0);
  f->next_actor =
      more == td3 ? celi_check_net_read(trial, &f->learner, "actor_target", 0) : f->actor;
  f->critic = celi_check_net_read(trial, &f->learner, "critic", 0);
  for (int e = 0; e < E; e++) f->target[e] = celi_check_net_read(trial, &f->learner, "target", e);
  f->V = celi_take(trial, S);
  return CEL_OK;
}

/// min_e Q'_e(s, tanh(u)).
static double least(const Finite *f, int s, const double *u) {
  double in[S + A] = {0}, out, best = INFINITY;
  in[s] = 1;
  for (int k = 0; k < A; k++) in[S + k] = tanh(u[k]);
  for (int e = 0; e < E; e++) {
    celi_check_net_apply(&f->target[e], in, &out);
    best = fmin(best, out);
  }
  return best;
}

/// mean (A) of u in state s.
static void mean_of(const Finite *f, int s, double *mean) {
  double in[S] = {0}, head[2 * A];
  in[s] = 1;
  celi_check_net_apply(&f->next_actor, in, head);
  for (int k = 0; k < A; k++) mean[k] = head[k];
}

/// V(s) = E[min_e Q'_e - alpha log pi] over a squashed Gaussian with deviation sd, from the four
/// points at one deviation from the mean.
static void soft_values(Finite *f) {
  for (int s = 0; s < S; s++) {
    double mean[A], u[A];
    mean_of(f, s, mean);
    f->V[s] = 0;
    for (int i = 0; i < 4; i++) {
      double log_pi = 0;
      for (int k = 0; k < A; k++) {
        u[k] = mean[k] + (i >> k & 1 ? sd : -sd);
        log_pi -= 0.5 + log(sd) + half_log_2pi + creal(celi_log_jacobian(u[k]));
      }
      f->V[s] += (least(f, s, u) - alpha * log_pi) / 4;
    }
  }
}

static void deterministic_values(Finite *f) {
  for (int s = 0; s < S; s++) {
    double mean[A];
    mean_of(f, s, mean);
    f->V[s] = least(f, s, mean);
  }
}

/// The library's targets against r + gamma V(s').
static void compare(CeliTrial *trial, const Finite *f) {
  for (int b = 0; b < B; b++) {
    const double y = celi_learner_backup(&f->learner, &f->m, b, f->V);
    celi_compare(trial, celi_learner_at(&f->learner, "batch.y", b), y, 1 + fabs(y));
  }
}

static CelStatus target_of_td3(CeliTrial *trial) {
  Finite f;
  const CelStatus status = updated(trial, "td3", td3, &f);
  if (status == CEL_OK) {
    soft_values(&f);
    compare(trial, &f);
  }
  celi_learner_destroy(&f.learner);
  return status;
}

static CelStatus target_of_sac(CeliTrial *trial) {
  Finite f;
  const CelStatus status = updated(trial, "sac", sac, &f);
  if (status == CEL_OK) {
    deterministic_values(&f);
    compare(trial, &f);
  }
  celi_learner_destroy(&f.learner);
  return status;
}

/// alpha log pi - Q_1(s, a) of the actions a = tanh(u) at alpha = sd = 0, mean over the batch.
static CeliComplex loss_of_policy(const void *user, const CeliComplex *theta) {
  const Finite *f = user;
  CeliComplex sum = 0, critic[CELI_CHECK_NET_MAX], u[A], Q;
  celi_check_net_theta(&f->critic, critic);
  for (int b = 0; b < B; b++) {
    CeliComplex in[S + A];
    for (int k = 0; k < S; k++)
      in[k] = celi_learner_at(&f->learner, "batch.sa", (int64_t)b * (S + A) + k);
    celi_check_net_forward(&f->actor, theta, in, u);
    for (int k = 0; k < A; k++) in[S + k] = ctanh(u[k]);
    celi_check_net_forward(&f->critic, critic, in, &Q);
    sum -= Q / B;
  }
  return sum;
}

static CelStatus gradient_of_policy(CeliTrial *trial) {
  Finite f;
  const CelStatus status = updated(trial, "td3", td3, &f);
  if (status == CEL_OK) celi_check_net_compare(trial, &f.actor, loss_of_policy, &f, false);
  celi_learner_destroy(&f.learner);
  return status;
}

static const CeliClaim claims[] = {
    {"8.21",
     "TD3 on finite problems is the limit alpha -> 0: the library's target against r + gamma E[min "
     "Q' - alpha log pi] at alpha = 1e-8 and deviation 1e-5",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, target_of_td3, 0x7c3a95e1},
    {"8.21",
     "soft actor-critic on finite problems at alpha = 1e-6 and deviation exp(-12): the library's "
     "target against r + gamma min Q'(s', mu(s'))",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-3, 32, target_of_sac, 0x3fb04c68},
    {"8.28",
     "policy gradient of TD3, of alpha log pi - Q_1 at alpha = 0 and deviation 0: the library "
     "against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, gradient_of_policy, 0xa862d7b9},
    {0}};

const CeliSection celi_me_limits = {"src/verify/maximum_entropy/limits.c", claims};
