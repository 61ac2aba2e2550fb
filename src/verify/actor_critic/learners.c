/// [actor-critic, 4.1-4.26] in the library's learners. The mean of the gradients of REINFORCE and
/// of actor-critic over rollouts of a small problem is compared with the exact gradient of J. The
/// two losses of actor-critic and A2C after one rollout are compared with complex steps.
///
/// On the small problem the observation is the state, one-hot. The policy is a network without
/// hidden layers, so its weights are the logits theta (S, A), and the weights of a value network
/// are V (S). The actions in the rollouts are those that the library samples.
#include "celsius/improve.h"
#include "verify/actor_critic/finite.h"
#include "verify/learner.h"
#include <math.h>

// ---- rollouts of a small problem

enum { STATES = 3, CHOICES = 2, N = 32, LONG = 40 };

#define TABULAR                                                                                    \
  "net_arch", "[]", "learning_rate", "0", "critic_learning_rate", "0", "max_grad_norm", "0"
#define REINFORCE TABULAR, "n_steps", "4", "normalize_advantage", "false", "reduction", "episodes"
static const char *const exact_reinforce[] = {REINFORCE, "baseline", "none", "discount_weight",
                                              "true",    "gamma",    "0.5",  NULL};
static const char *const with_baseline[] = {REINFORCE, "baseline", "value", "discount_weight",
                                            "true",    "gamma",    "0.5",   NULL};
static const char *const practice[] = {REINFORCE, "baseline", "none", "discount_weight",
                                       "false",   "gamma",    "0.5",  NULL};
static const char *const one_step[] = {TABULAR,           "n_steps", "40",    "reduction", "sum",
                                       "discount_weight", "true",    "gamma", "0.5",       NULL};

/// A learner, and the problem that it plays in N environments.
typedef struct Table {
  CeliLearner learner;
  CeliProblem m;
  double pi[STATES * CHOICES]; ///< the learner's policy
  int state[N];
} Table;

static void observe(const Table *table, float *obs) {
  for (int i = 0; i < N * STATES; i++) obs[i] = i % STATES == table->state[i / STATES] ? 1 : 0;
}

/// Plays T steps of all environments. The last step ends the episodes, by a time limit if `cut`.
static CelStatus play(CeliTrial *trial, Table *table, int T, bool cut) {
  const CeliProblem *m = &table->m;
  float obs[N * STATES], final[N * STATES], reward[N];
  uint8_t ended[N], none[N] = {0};
  int32_t choice[N];
  for (int i = 0; i < N; i++) table->state[i] = celi_sample_start(trial, m);
  observe(table, obs);
  for (int t = 0; t < T; t++) {
    CELI_TRY(cel_agent_act(table->learner.agent, obs, NULL, CEL_EXPLORE, choice));
    for (int i = 0; i < N; i++) {
      const int p = m->pair[table->state[i]] + choice[i], next = celi_sample_next(trial, m, p);
      reward[i] = (float)m->R[p * m->S + next], ended[i] = t == T - 1;
      table->state[i] = next;
    }
    observe(table, final);
    for (int i = 0; i < N && t == T - 1; i++) table->state[i] = celi_sample_start(trial, m);
    observe(table, obs);
    const CelOutcome outcome = {reward, cut ? none : ended, cut ? ended : none, obs, final};
    CELI_TRY(cel_agent_observe(table->learner.agent, &outcome));
  }
  return cel_agent_update_n(table->learner.agent, 1);
}

/// A problem where action a leads to state a with probability .8.
static CelStatus draw_leading(CeliTrial *trial, CeliProblem *m) {
  const int actions[STATES] = {CHOICES, CHOICES, CHOICES};
  celi_open(trial, m, STATES, actions, .5);
  for (int s = 0; s < STATES; s++)
    for (int a = 0; a < CHOICES; a++) {
      celi_arrow(m, s, a, a, .8, cel_rng_normal(&trial->rng), false);
      celi_arrow(m, s, a, 2, .2, cel_rng_normal(&trial->rng), false);
    }
  return celi_close(trial, m, 0);
}

/// Creates a problem with gamma = .5, random or with actions that lead to states, and a learner for
/// it.
static CelStatus open_table(CeliTrial *trial, const char *algo, const char *const *settings,
                            bool leading, Table *table) {
  const CeliLearnerSpec spec = {
      .algo = algo, .O = STATES, .A = CHOICES, .discrete = true, .n_envs = N, .settings = settings};
  CeliDraw draw = celi_tiny_endless;
  draw.gamma = .5;
  *table = (Table){0};
  CELI_TRY(leading ? draw_leading(trial, &table->m) : celi_draw(trial, &draw, &table->m));
  CELI_TRY(celi_learner_create(trial, &spec, &table->learner));
  const CeliCheckNet actor = celi_check_net_read(trial, &table->learner, "actor", 0);
  for (int s = 0; s < STATES; s++) {
    double x[STATES] = {0}, logit[CHOICES];
    x[s] = 1;
    celi_check_net_apply(&actor, x, logit);
    celi_dense_softmax(logit, CHOICES, 1, table->pi + s * CHOICES);
  }
  return CEL_OK;
}

enum { ALONGS = 2, ROLLOUTS = 120 };

/// Compares the mean over rollouts of minus the learner's gradient, times `scale`, with `expected`,
/// along each of the given directions.
static CelStatus mean_gradient(CeliTrial *trial, Table *table, int T, bool cut, double scale,
                               double along[ALONGS][STATES * CHOICES], int alongs,
                               const double *expected) {
  CeliMean mean[ALONGS] = {0};
  for (int i = 0; i < ROLLOUTS; i++) {
    CELI_TRY(play(trial, table, T, cut));
    const size_t used = trial->used;
    const CeliCheckNet actor = celi_check_net_read(trial, &table->learner, "actor", 0);
    for (int k = 0; k < alongs; k++)
      celi_mean_add(&mean[k], -scale * celi_dense_dot(actor.gradient, along[k], STATES * CHOICES));
    trial->used = used;
  }
  for (int k = 0; k < alongs; k++)
    celi_mean_compare(trial, &mean[k], celi_dense_dot(expected, along[k], STATES * CHOICES), 1e-7);
  return CEL_OK;
}

/// Compares REINFORCE over four steps with the gradient of J, or with the form without gamma^t. One
/// direction is the difference of the two. Unless a difference is expected, the other direction is
/// the gradient itself.
static CelStatus reinforce_on(CeliTrial *trial, Table *table, const char *const *settings,
                              bool against_practice, bool differs) {
  double J[STATES * CHOICES], other[STATES * CHOICES], along[ALONGS][STATES * CHOICES];
  CELI_TRY(open_table(trial, "reinforce", settings, false, table));
  const CelMdp *mdp = table->m.mdp;
  CELI_TRY(cel_policy_gradient_horizon(mdp, table->pi, 0, .5, CELI_FINITE_STEPS, true, J));
  CELI_TRY(cel_policy_gradient_horizon(mdp, table->pi, 0, .5, CELI_FINITE_STEPS, false, other));
  for (int k = 0; k < STATES * CHOICES; k++) along[0][k] = other[k] - J[k], along[1][k] = J[k];
  return mean_gradient(trial, table, CELI_FINITE_STEPS, false, 1, along, differs ? 1 : ALONGS,
                       against_practice ? other : J);
}

static CelStatus reinforce(CeliTrial *trial, const char *const *settings, bool against_practice,
                           bool differs) {
  Table table;
  const CelStatus status = reinforce_on(trial, &table, settings, against_practice, differs);
  celi_learner_destroy(&table.learner);
  return status;
}

static CelStatus reinforce_exact(CeliTrial *trial) {
  return reinforce(trial, exact_reinforce, false, false);
}
static CelStatus reinforce_baseline(CeliTrial *trial) {
  return reinforce(trial, with_baseline, false, false);
}
static CelStatus reinforce_practice(CeliTrial *trial) {
  return reinforce(trial, practice, true, false);
}
static CelStatus reinforce_printed(CeliTrial *trial) {
  return reinforce(trial, practice, false, true);
}

/// Sets the value network to V (S), plus `shift` in state 0: the weights are V, the bias is 0.
static CelStatus set_values(Table *table, double shift) {
  const CelTensor *W = cel_tensors_find(table->learner.tensors, "critic.0.weight");
  const CelTensor *b = cel_tensors_find(table->learner.tensors, "critic.0.bias");
  double V[STATES];
  CEL_ASSERT(W && W->size == STATES && b && b->size == 1);
  CELI_TRY(celi_library_values(&table->m, table->pi, 0, V, NULL));
  for (int s = 0; s < STATES; s++) ((float *)W->data)[s] = (float)(V[s] + (s == 0 ? shift : 0));
  *(float *)b->data = 0;
  return cel_agent_sync(table->learner.agent);
}

/// out = E sum_t gamma^t grad log pi delta, where the V of delta is wrong by `shift` in state 0. It
/// is x pi (A' - E_pi[A']), with x the unnormalized discounted state distribution.
static CelStatus gradient_of_wrong(CeliTrial *trial, const Table *table, double shift,
                                   double *out) {
  const CeliProblem *m = &table->m;
  double V[STATES], Q[STATES * CHOICES], x[STATES];
  CELI_TRY(celi_library_values(m, table->pi, 0, V, Q));
  celi_dense_visits(trial, m, table->pi, x);
  for (int s = 0; s < STATES; s++) {
    const double *pi = table->pi + s * CHOICES;
    double mean = 0;
    for (int k = m->pair[s]; k < m->pair[s + 1]; k++) Q[k] += m->gamma * m->go[k * STATES] * shift;
    for (int a = 0; a < CHOICES; a++) mean += pi[a] * Q[m->pair[s] + a];
    for (int a = 0; a < CHOICES; a++)
      out[s * CHOICES + a] = x[s] * pi[a] * (Q[m->pair[s] + a] - mean);
  }
  return CEL_OK;
}

/// Actor-critic over an infinite horizon, with the exact V or with one that is wrong by `shift` in
/// state 0. Rollouts are long enough that gamma^t is negligible at their end, which is a time
/// limit. The direction is random, or the difference of the two gradients.
static CelStatus actor_critic_on(CeliTrial *trial, Table *table, double shift) {
  double J[STATES * CHOICES], wrong[STATES * CHOICES], along[ALONGS][STATES * CHOICES];
  CELI_TRY(open_table(trial, "ac", one_step, shift > 0, table));
  CELI_TRY(set_values(table, shift));
  CELI_TRY(cel_policy_gradient(table->m.mdp, table->pi, 0, .5, false, J));
  CELI_TRY(gradient_of_wrong(trial, table, shift, wrong));
  celi_draw_normal(trial, along[0], STATES * CHOICES, 1);
  for (int k = 0; k < STATES * CHOICES && shift > 0; k++) along[0][k] = wrong[k] - J[k];
  return mean_gradient(trial, table, LONG, true, 1. / N, along, 1, J);
}

static CelStatus actor_critic(CeliTrial *trial, double shift) {
  Table table;
  const CelStatus status = actor_critic_on(trial, &table, shift);
  celi_learner_destroy(&table.learner);
  return status;
}

static CelStatus actor_critic_exact(CeliTrial *trial) {
  return actor_critic(trial, 0);
}
static CelStatus actor_critic_wrong(CeliTrial *trial) {
  return actor_critic(trial, 3);
}

// ---- losses after one rollout, for Gaussian actions whose sigma depends on the state

enum { O = 2, A = 2, ROWS = CELI_LEARNER_STEPS };
static const double half_log_2pi = 0.91893853320467274178;
static const char *const gaussian[] = {"net_arch",
                                       "6,5",
                                       "learning_rate",
                                       "0",
                                       "critic_learning_rate",
                                       "0",
                                       "max_grad_norm",
                                       "0",
                                       "n_steps",
                                       "24",
                                       "reduction",
                                       "mean",
                                       "gamma",
                                       "0.9",
                                       "init",
                                       "kaiming_uniform",
                                       NULL};

#define A2C                                                                                        \
  "net_arch", "6,5", "learning_rate", "0", "max_grad_norm", "0", "n_steps", "24", "gamma", "0.9",  \
      "init", "kaiming_uniform", "state_dependent_std", "true", "gae_lambda", "0.8", "ent_coef",   \
      "0.3", "vf_coef", "0.7"
static const char *const a2c[] = {A2C, NULL};
static const double lambda = .8, ent_coef = .3, vf_coef = .7; ///< must match a2c

typedef struct Rollout {
  CeliLearner learner;
  CeliCheckNet actor, critic;
  double delta[ROWS], target[ROWS]; ///< held fixed
  double value_weight, entropy_weight;
  bool cut_ends; ///< leave out V at a time limit, which is wrong
} Rollout;

static CelStatus roll(CeliTrial *trial, const char *algo, const char *const *settings, Rollout *r) {
  // The bounds are wide because a clipped action would not be the one whose log-prob counts.
  const CeliLearnerSpec spec = {.algo = algo, .O = O, .A = A, .bound = 1e3, .settings = settings};
  CELI_TRY(celi_learner_create(trial, &spec, &r->learner));
  CELI_TRY(celi_learner_feed(trial, &r->learner, ROWS));
  CELI_TRY(cel_agent_update_n(r->learner.agent, 1));
  r->actor = celi_check_net_read(trial, &r->learner, "actor", 0);
  r->critic = celi_check_net_read(trial, &r->learner, "critic", 0);
  for (int i = 0; i < ROWS; i++) {
    const CeliTransition *t = &r->learner.fed[i];
    const bool over = t->terminated || (r->cut_ends && t->truncated);
    double V, V_next;
    celi_check_net_apply(&r->critic, t->x, &V);
    celi_check_net_apply(&r->critic, t->next, &V_next);
    r->target[i] = t->r + (over ? 0 : .9 * V_next);
    r->delta[i] = r->target[i] - V;
  }
  return CEL_OK;
}

/// Replaces one-step estimates by those of A2C: A = sum_k (gamma lambda)^k delta_{t+k} until the
/// episode ends, R = A + V.
static void sum_deltas(Rollout *r) {
  for (int i = 0; i < ROWS; i++) {
    double advantage = 0, weight = 1;
    for (int k = i; k < ROWS; k++, weight *= .9 * lambda) {
      advantage += weight * r->delta[k];
      if (r->learner.fed[k].terminated || r->learner.fed[k].truncated) break;
    }
    r->target[i] += advantage - r->delta[i]; // was delta + V, is now A + V
    r->delta[i] = advantage;
  }
}

/// (4.22) with (4.26): the mean of -log N(u; mu(x), sigma(x)) delta.
static CeliComplex loss_actor(const void *user, const CeliComplex *theta) {
  const Rollout *r = user;
  CeliComplex sum = 0, in[O], head[2 * A];
  for (int i = 0; i < ROWS; i++) {
    for (int k = 0; k < O; k++) in[k] = r->learner.fed[i].x[k];
    celi_check_net_forward(&r->actor, theta, in, head);
    for (int k = 0; k < A; k++) {
      const CeliComplex log_sd = celi_log_sd(head[A + k]);
      const CeliComplex z = (r->learner.fed[i].u[k] - head[k]) / cexp(log_sd);
      sum += (z * z / 2 + log_sd + half_log_2pi) * r->delta[i] / ROWS;
      sum -= r->entropy_weight * (log_sd + half_log_2pi + .5) / ROWS;
    }
  }
  return sum;
}

/// (4.20): half the mean squared distance of V from its target. The target is held fixed; with
/// `through`, the gradient flows through both V's, as printed.
static CeliComplex critic_loss(const Rollout *r, const CeliComplex *theta, bool through) {
  CeliComplex sum = 0, in[O], V, V_next;
  for (int i = 0; i < ROWS; i++) {
    const CeliTransition *t = &r->learner.fed[i];
    for (int k = 0; k < O; k++) in[k] = t->x[k];
    celi_check_net_forward(&r->critic, theta, in, &V);
    for (int k = 0; k < O; k++) in[k] = t->next[k];
    celi_check_net_forward(&r->critic, theta, in, &V_next);
    const CeliComplex y = through ? t->r + (t->terminated ? 0 : .9 * V_next) : r->target[i];
    sum += r->value_weight * (V - y) * (V - y) / ROWS;
  }
  return sum;
}

static CeliComplex loss_critic(const void *user, const CeliComplex *theta) {
  return critic_loss(user, theta, false);
}
static CeliComplex loss_residual(const void *user, const CeliComplex *theta) {
  return critic_loss(user, theta, true);
}

/// Compares actor-critic's gradient after one rollout with that of a loss.
static CelStatus gradient(CeliTrial *trial, bool of_actor, CeliComplexFunction loss, bool cut_ends,
                          bool differs) {
  Rollout r = {.value_weight = .5, .cut_ends = cut_ends};
  const CelStatus status = roll(trial, "ac", gaussian, &r);
  if (status == CEL_OK)
    celi_check_net_compare(trial, of_actor ? &r.actor : &r.critic, loss, &r, differs);
  celi_learner_destroy(&r.learner);
  return status;
}

static CelStatus actor_gradient(CeliTrial *trial) {
  return gradient(trial, true, loss_actor, false, false);
}
static CelStatus critic_gradient(CeliTrial *trial) {
  return gradient(trial, false, loss_critic, false, false);
}
static CelStatus critic_printed(CeliTrial *trial) {
  return gradient(trial, false, loss_residual, false, true);
}
static CelStatus critic_cut(CeliTrial *trial) {
  return gradient(trial, false, loss_critic, true, true);
}

/// A2C's losses: -mean log pi A - ent_coef mean H, and vf_coef mean (V - R)^2, with A and R held
/// fixed.
static CelStatus a2c_gradient(CeliTrial *trial, bool of_actor) {
  Rollout r = {.value_weight = vf_coef, .entropy_weight = ent_coef};
  const CelStatus status = roll(trial, "a2c", a2c, &r);
  if (status == CEL_OK) {
    sum_deltas(&r);
    celi_check_net_compare(trial, of_actor ? &r.actor : &r.critic,
                           of_actor ? loss_actor : loss_critic, &r, false);
  }
  celi_learner_destroy(&r.learner);
  return status;
}

static CelStatus a2c_actor(CeliTrial *trial) {
  return a2c_gradient(trial, true);
}
static CelStatus a2c_critic(CeliTrial *trial) {
  return a2c_gradient(trial, false);
}

static const CeliClaim claims[] = {
    {"4.1, 4.14-4.15",
     "REINFORCE's gradient with gamma^t has the mean grad J: 120 rollouts against the exact "
     "gradient (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 24, reinforce_exact, 0x16215101},
    {"4.8-4.11",
     "REINFORCE's gradient with an untrained value network as baseline has the mean grad J: 120 "
     "rollouts against the exact gradient (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 24, reinforce_baseline, 0x18c6ccf6},
    {"4.7",
     "REINFORCE's gradient without gamma^t has the mean of the form without gamma^t: 120 rollouts "
     "against the exact form (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 24, reinforce_practice, 0xb0725eff},
    {"4.7",
     "printed: REINFORCE's gradient without gamma^t does not have the mean grad J (standard "
     "errors)",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 4, 3, reinforce_printed, 0x4c2162d3},
    {"4.6, 4.13-4.17, 4.21",
     "actor-critic's gradient with the exact V has the mean grad J over an infinite horizon: 120 "
     "rollouts against the exact gradient (standard errors)",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 4, 3, actor_critic_exact, 0x3e3ac75b},
    {"4.21",
     "actor-critic's gradient with a wrong V does not have the mean grad J (standard errors)",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 4, 3, actor_critic_wrong, 0xddbc2665},
    {"4.20-4.21",
     "critic gradient of actor-critic, target r + gamma V(x') held fixed, no V after the end: the "
     "library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, critic_gradient, 0x5745810c},
    {"4.20", "printed: the gradient through both V's is not the critic gradient of actor-critic",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 32, critic_printed, 0x4d890375},
    {"4.20", "without V at a time limit the critic gradient of actor-critic is a different one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-4, 32, critic_cut, 0x485c7e0f},
    {"4.13, 4.22-4.26",
     "actor gradient of A2C, -log pi A with A a sum over deltas, plus the entropy bonus: the "
     "library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, a2c_actor, 0x7b649eab},
    {"4.20-4.21",
     "critic gradient of A2C, target A + V held fixed, no V after the end: the library against "
     "complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, a2c_critic, 0x3304f55e},
    {"4.22-4.26",
     "actor gradient of actor-critic, a Gaussian whose sigma depends on the state, delta held "
     "fixed: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, actor_gradient, 0x78e1925e},
    {0}};

const CeliSection celi_ac_learners = {"src/verify/actor_critic/learners.c", claims};
