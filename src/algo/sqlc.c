/// Soft Q-learning with continuous actions.
///
/// Source: [soft-q-learning, 3.2, 4] in the form of docs/equations.md; Haarnoja et al.,
/// "Reinforcement learning with deep energy-based policies", 2017.
///
///   s, a, r, s'   a transition from the replay buffer       B     batch
///   Q, Q'         soft values of state and action; target   K     actions per soft value
///   f             the sampler: a = tanh(u), u = f(s, xi)    n, m  fixed and updated particles
///   q             the proposal: sqlc_value.h                      of each state
///   alpha         temperature, reward units per nat         M     samples of the sampler in q
///                                                           O, A  observation, action dimension
///
/// Actions are scaled to [-1, 1]. The entropy is that of scaled actions. One gradient step:
///   1  draw s, a, r, d = gamma (0 where terminated), s' of B transitions
///   2  V'(s') = alpha log 1/K sum_k exp(Q'(s', a_k) / alpha) / q(a_k), a_k ~ q          [3.2]
///   3  J_Q = mean 1/2 (Q(s, a) - (r + d V'(s')))^2; Adam on Q
///   4  Q' += tau (Q - Q')
///   5  u_i = f(s, xi_i) fixed, u_j = f(s, xi_j) updated, xi ~ N(0, I)
///   6  score_i = (1 - a_i^2) dQ/da (s, a_i) / alpha - 2 a_i                             [4]
///      of exp(Q/alpha) and tanh's Jacobian
///   7  phi_j = 1/n sum_i [k(u_i, u_j) score_i + grad_{u_i} k(u_i, u_j)],           [4]
///      k(u, v) = exp(-|u - v|^2 / h)
///   8  d J_f / d u_j = -phi_j / (m B); Adam on f
///
/// Line 6 uses Q after line 3.
#include "celsius/sqlc.h"
#include "algo/off_policy.h"
#include "algo/sqlc_stein.h"
#include "algo/sqlc_value.h"
#include "base/base.h"

/// Streams of noise within an update.
enum { NOISE_VALUE = 0, NOISE_FIXED = 1, NOISE_UPDATED = 2, NOISE_PROPOSAL = 3, NOISE_SPREAD = 4 };

typedef struct Sqlc {
  CeliOffPolicy off;
  const CelSqlcConfig *config;
  CelAgent *agent;
  int64_t O, A, B, K, n, m, M; ///< M: samples of the sampler in a proposal

  // Networks and their uses.
  CeliTrained critic; // the sampler is the policy
  CeliNet target;
  CeliPass q, q_next, q_fixed; ///< Q on (s,a), Q' on (s',a_k), Q on (s, a_i)
  CeliPass fixed, updated;     ///< sampler on (s, xi_i) and (s, xi_j)
  CeliPass draws;              ///< sampler on s' for a proposal, if M > 0

  CeliBatch batch;
  CeliProposal proposal;
  float *uniform;               ///< (B, K - M, A) actions in (-1, 1)
  float *xi_draws, *spread;     ///< (B, M, A), if M > 0
  float *sx_draws;              ///< (B M, O+A) sampler inputs, if M > 0
  float *sa_next, *log_q;       ///< (B K, O+A), (B, K) log-density of the proposal
  float *proposal_scratch;      ///< (shares, celi_proposal_scratch)
  float *v_next, *y, *q_loss;   ///< (B,)
  float *xi_fixed, *xi_updated; ///< (B n, A), (B m, A)
  float *sx_fixed, *sx_updated; ///< (B n, O+A), (B m, O+A) sampler inputs
  float *sa_fixed, *score;      ///< (B n, O+A), (B n, A); score first holds dQ/da
  float *norm;                  ///< (B,) sum of |phi|^2
  CeliStein stein;
  int shares;              ///< threads of the team that runs the plan
  float *stein_scratch;    ///< (shares, celi_stein_scratch)
  uint64_t *noise_counter; ///< (1,) blocks used of the updates' streams, saved
} Sqlc;

enum { M_CRITIC_LOSS, M_STEIN_NORM, M_ENT_COEF, M_VALUE, M_LEARNING_RATE, METRICS };

static Sqlc *sqlc_of(const void *args) {
  return *(Sqlc *const *)args;
}

// ---- one operation per equation.

/// Rows [begin, end) of out (rows, O+A): the observation of the row's state, then the numbers x
/// (rows, A). Each state has `each` rows.
static void place(const Sqlc *s, float *out, const float *obs, ptrdiff_t ldo, const float *x,
                  int64_t each, int64_t begin, int64_t end) {
  const ptrdiff_t ld = s->O + s->A;
  for (int64_t i = begin; i < end; i++) {
    const float *o = obs + i / each * ldo, *a = x + i * s->A;
    float *row = out + i * ld;
    for (int64_t k = 0; k < s->O; k++) row[k] = o[k];
    for (int64_t k = 0; k < s->A; k++) row[s->O + k] = a[k];
  }
}

/// Which thread's range of the B states begins at `begin`. Each thread has its own scratch.
static int64_t thread_of(const Sqlc *s, int64_t begin) {
  int64_t first, last;
  for (int i = 0; i < s->shares; i++) {
    celi_share(s->B, CELI_ROW_GRAIN, i, s->shares, &first, &last);
    if (first == begin) return i;
  }
  CEL_ASSERT(false); // the range of another team
  return 0;
}

/// Noise in elements [begin, end) of `out`.
static void draw(const Sqlc *s, float *out, uint32_t stream, int64_t begin, int64_t end) {
  celi_ops()->normal(out, s->agent->options.seed, CEL_RNG_NOISE, stream, *s->noise_counter, begin,
                     end);
}

/// Noise for line 2's samples of the sampler: rows of B M.
static void op_draw_inputs(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  draw(s, s->xi_draws, NOISE_PROPOSAL, begin * s->A, end * s->A);
  place(s, s->sx_draws, s->batch.next_obs, s->O, s->xi_draws, s->M, begin, end);
}

/// Actions of line 2 and their log-density: states [begin, end).
static void op_value_actions(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  const int64_t A = s->A, U = (s->K - s->M) * A, M = s->M * A, ld = s->O + A;
  const float half = 1.0f / 16777216; // half the distance between uniforms, so that none is -1
  float *scratch = s->proposal_scratch + thread_of(s, begin) * celi_proposal_scratch(&s->proposal);
  celi_ops()->uniform(s->uniform, s->agent->options.seed, CEL_RNG_NOISE, NOISE_VALUE,
                      *s->noise_counter, begin * U, end * U);
  for (int64_t i = begin * U; i < end * U; i++) s->uniform[i] = 2 * s->uniform[i] - 1 + half;
  if (M > 0) draw(s, s->spread, NOISE_SPREAD, begin * M, end * M);
  for (int64_t b = begin; b < end; b++) {
    float *sa = s->sa_next + b * s->K * ld;
    for (int64_t k = 0; k < s->K; k++)
      for (int64_t i = 0; i < s->O; i++) sa[k * ld + i] = s->batch.next_obs[b * s->O + i];
    const float *center = M > 0 ? celi_pass_output(&s->draws) + b * M : NULL;
    celi_proposal_draw(&s->proposal, sa + s->O, ld, s->log_q + b * s->K, s->uniform + b * U, center,
                       M > 0 ? s->spread + b * M : NULL, scratch);
  }
}

/// Lines 2 and 3. Source: [soft-q-learning, 3.2]
static void op_critic_loss(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  const int64_t at = begin * s->K;
  float *q_next = celi_pass_output(&s->q_next) + at;
  const CelStatus status = cel_soft_value_estimate(s->v_next + begin, q_next, q_next, s->log_q + at,
                                                   s->config->ent_coef, s->K, end - begin);
  CEL_ASSERT(status == CEL_OK);
  for (int64_t b = begin; b < end; b++)
    s->y[b] = s->batch.reward[b] + s->batch.discount[b] * s->v_next[b];
  celi_ops()->squared_error(celi_pass_d_output(&s->q), s->q_loss, celi_pass_output(&s->q), s->y,
                            1.0f / (float)s->B, 1, s->B, begin, end);
}

/// Noise of line 5: rows of B n.
static void op_fixed_inputs(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  draw(s, s->xi_fixed, NOISE_FIXED, begin * s->A, end * s->A);
  place(s, s->sx_fixed, s->batch.obs, s->O + s->A, s->xi_fixed, s->n, begin, end);
}

/// Noise of line 5: rows of B m.
static void op_updated_inputs(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  draw(s, s->xi_updated, NOISE_UPDATED, begin * s->A, end * s->A);
  place(s, s->sx_updated, s->batch.obs, s->O + s->A, s->xi_updated, s->m, begin, end);
}

/// Line 5: writes a = tanh(u) next to the state, and a gradient of 1 at Q's output for line 6; rows
/// of B n.
static void op_fixed_actions(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  float *a = s->score; // unused until line 6
  celi_ops()->tanh(a + begin * s->A, celi_pass_output(&s->fixed) + begin * s->A,
                   (end - begin) * s->A);
  place(s, s->sa_fixed, s->batch.obs, s->O + s->A, a, s->n, begin, end);
  celi_ops()->fill(celi_pass_d_output(&s->q_fixed) + begin, 1, end - begin);
}

/// Line 6, in place of dQ/da; rows of B n. Source: [soft-q-learning, 4]
static void op_score(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  const float alpha = (float)s->config->ent_coef;
  const ptrdiff_t ld = s->O + s->A;
  for (int64_t i = begin; i < end; i++)
    for (int64_t k = 0; k < s->A; k++) {
      const float a = s->sa_fixed[i * ld + s->O + k];
      float *score = &s->score[i * s->A + k];
      *score = *score * (1 - a * a) / alpha - 2 * a;
    }
}

/// Lines 7 and 8 for states [begin, end). Source: [soft-q-learning, 4]
static void op_stein(const void *args, int64_t begin, int64_t end) {
  const Sqlc *s = sqlc_of(args);
  const int64_t A = s->A, n = s->n, m = s->m;
  float *scratch = s->stein_scratch + thread_of(s, begin) * celi_stein_scratch(&s->stein);
  for (int64_t b = begin; b < end; b++) {
    float *phi = celi_pass_d_output(&s->updated) + b * m * A;
    celi_stein_direction(&s->stein, phi, celi_pass_output(&s->fixed) + b * n * A,
                         s->score + b * n * A, celi_pass_output(&s->updated) + b * m * A, scratch);
    s->norm[b] = celi_ops()->sum_squares(phi, m * A) / (float)m;
    celi_ops()->axpby(phi, -1.0f / (float)(m * s->B), phi, 0, m * A);
  }
}

/// The counters and the logged means.
static void op_finish(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Sqlc *s = sqlc_of(args);
  const double B = (double)s->B;
  double *mean = s->off.update.means.sum;
  mean[M_CRITIC_LOSS] += (double)celi_ops()->sum(s->q_loss, s->B) / B;
  mean[M_STEIN_NORM] += (double)celi_ops()->sum(s->norm, s->B) / B;
  mean[M_VALUE] += (double)celi_ops()->sum(s->v_next, s->B) / B;
  mean[M_ENT_COEF] += s->config->ent_coef;
  const int64_t most = s->K > s->n ? (s->K > s->m ? s->K : s->m) : (s->n > s->m ? s->n : s->m);
  *s->noise_counter += (uint64_t)(s->B * most * s->A + 3) / 4;
  celi_off_policy_count(&s->off, s->B);
}

// ---- the plan: lines 1 to 8.

/// Lines 1 to 4. Rows of states and rows of particles are split differently. The plan recognizes
/// them by their count.
static void plan_critic(Sqlc *s) {
  CeliPlan *plan = s->off.update.plan;
  const ptrdiff_t ld = s->O + s->A;
  const int64_t A = s->A, K = s->K, M = s->M * A, U = (K - s->M) * A;
  celi_batch_plan_sample(plan, &s->batch, &s->off.experience);
  celi_net_plan_forward(plan, &s->q);
  if (s->M > 0) {
    celi_off_policy_plan_rows(&s->off, "draw inputs", op_draw_inputs, s->B * s->M);
    celi_plan_touch(plan, CELI_READ(s->noise_counter, 1), CELI_READ(s->batch.next_obs, s->B * s->O),
                    CELI_UPDATE_ROWS(s->xi_draws, A, A), CELI_WRITE_ROWS(s->sx_draws, ld, ld));
    celi_net_plan_forward(plan, &s->draws);
  }
  celi_off_policy_plan_rows(&s->off, "value actions", op_value_actions, s->B);
  celi_plan_touch(plan, CELI_READ(s->noise_counter, 1),
                  CELI_READ_ROWS(s->batch.next_obs, s->O, s->O),
                  CELI_READ_ROWS(M ? celi_pass_output(&s->draws) : NULL, M, M),
                  CELI_UPDATE_ROWS(s->spread, M, M), CELI_UPDATE_ROWS(s->uniform, U, U),
                  CELI_WRITE_ROWS(s->sa_next, K * ld, K * ld), CELI_UPDATE_ROWS(s->log_q, K, K),
                  CELI_OWN(s->proposal_scratch, s->shares * celi_proposal_scratch(&s->proposal)));
  celi_net_plan_forward(plan, &s->q_next);
  celi_off_policy_plan_rows(&s->off, "critic loss", op_critic_loss, s->B);
  celi_plan_touch(plan, CELI_UPDATE_ROWS(celi_pass_output(&s->q_next), K, K),
                  CELI_READ_ROWS(s->log_q, K, K), CELI_READ_ROWS(celi_pass_output(&s->q), 1, 1),
                  CELI_READ_ROWS(s->batch.reward, 1, 1), CELI_READ_ROWS(s->batch.discount, 1, 1),
                  CELI_UPDATE_ROWS(s->v_next, 1, 1), CELI_UPDATE_ROWS(s->y, 1, 1),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->q), 1, 1),
                  CELI_WRITE_ROWS(s->q_loss, 1, 1));
  celi_net_plan_backward_data(plan, &s->q, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->q, &s->critic.grad);
  celi_net_plan_transpose(plan, &s->off.policy.net); // of the last update's sampler, for line 8
  celi_adam_plan(plan, &s->critic.adam);
  celi_off_policy_plan_target(&s->off, &s->target, &s->critic.net, s->critic.adam.n);
  celi_net_plan_transpose(plan, &s->critic.net);
}

/// Lines 5 to 8.
static void plan_sampler(Sqlc *s) {
  CeliPlan *plan = s->off.update.plan;
  const ptrdiff_t ld = s->O + s->A;
  const int64_t A = s->A, n = s->n * A, m = s->m * A;
  celi_off_policy_plan_rows(&s->off, "fixed inputs", op_fixed_inputs, s->B * s->n);
  celi_plan_touch(plan, CELI_READ(s->noise_counter, 1), CELI_READ(s->batch.obs, s->B * ld),
                  CELI_UPDATE_ROWS(s->xi_fixed, A, A), CELI_WRITE_ROWS(s->sx_fixed, ld, ld));
  celi_net_plan_forward(plan, &s->fixed);
  celi_off_policy_plan_rows(&s->off, "fixed actions", op_fixed_actions, s->B * s->n);
  celi_plan_touch(plan, CELI_READ(s->batch.obs, s->B * ld),
                  CELI_READ_ROWS(celi_pass_output(&s->fixed), A, A),
                  CELI_UPDATE_ROWS(s->score, A, A), CELI_WRITE_ROWS(s->sa_fixed, ld, ld),
                  CELI_WRITE_ROWS(celi_pass_d_output(&s->q_fixed), 1, 1));
  celi_net_plan_input_gradient(plan, &s->q_fixed, s->score, s->A, s->O, s->O + s->A);
  celi_off_policy_plan_rows(&s->off, "score", op_score, s->B * s->n);
  celi_plan_touch(plan, CELI_READ_ROWS(s->sa_fixed + s->O, ld, A),
                  CELI_UPDATE_ROWS(s->score, A, A));
  celi_off_policy_plan_rows(&s->off, "updated inputs", op_updated_inputs, s->B * s->m);
  celi_plan_touch(plan, CELI_READ(s->noise_counter, 1), CELI_READ(s->batch.obs, s->B * ld),
                  CELI_UPDATE_ROWS(s->xi_updated, A, A), CELI_WRITE_ROWS(s->sx_updated, ld, ld));
  celi_net_plan_forward(plan, &s->updated);
  celi_off_policy_plan_rows(&s->off, "stein", op_stein, s->B);
  celi_plan_touch(
      plan, CELI_READ_ROWS(celi_pass_output(&s->fixed), n, n), CELI_READ_ROWS(s->score, n, n),
      CELI_READ_ROWS(celi_pass_output(&s->updated), m, m),
      CELI_UPDATE_ROWS(celi_pass_d_output(&s->updated), m, m), CELI_WRITE_ROWS(s->norm, 1, 1),
      CELI_OWN(s->stein_scratch, s->shares * celi_stein_scratch(&s->stein)));
  celi_net_plan_backward_data(plan, &s->updated, NULL, 0);
  celi_net_plan_backward_weight(plan, &s->updated, &s->off.policy.grad);
  celi_off_policy_plan_finish(&s->off, "finish", op_finish);
  celi_plan_touch(plan, CELI_READ(s->q_loss, s->B), CELI_READ(s->norm, s->B),
                  CELI_READ(s->v_next, s->B), CELI_UPDATE(s->noise_counter, 1));
  celi_adam_plan(plan, &s->off.actor);
}

static CelStatus write_plan(Sqlc *s) {
  CELI_TRY(celi_plan_create(&s->off.update.plan));
  plan_critic(s);
  plan_sampler(s);
  return celi_plan_end(s->off.update.plan);
}

// ---- create.

static CelStatus declare_networks(Sqlc *s, CelTensors *t) {
  const CelOffPolicyConfig *c = &s->config->common;
  const int shares = s->shares;
  const int64_t B = s->B;
  CeliMlpSpec critic = celi_off_policy_critic(c, s->O + s->A, 1);
  critic.dx_begin = s->O, critic.dx_end = s->O + s->A;
  const CeliNet *f = &s->off.policy.net, *q = &s->critic.net;
  CELI_TRY(celi_trained_declare(&s->critic, t, "critic", &critic));
  CELI_TRY(celi_mlp_declare(&s->target, t, "target", CEL_TARGET, &critic));
  CELI_TRY(celi_pass_declare(&s->q, t, "pass.q", q,
                             (CeliPassSpec){.B = B, .backward = true, .threads = shares}));
  CELI_TRY(celi_pass_declare(&s->q_next, t, "pass.q_next", &s->target,
                             (CeliPassSpec){.B = B * s->K, .threads = shares, .blockwise = true}));
  if (s->M > 0)
    CELI_TRY(
        celi_pass_declare(&s->draws, t, "pass.draws", f,
                          (CeliPassSpec){.B = B * s->M, .threads = shares, .blockwise = true}));
  CELI_TRY(celi_pass_declare(
      &s->q_fixed, t, "pass.q_fixed", q,
      (CeliPassSpec){.B = B * s->n, .backward = true, .threads = shares, .blockwise = true}));
  CELI_TRY(celi_pass_declare(&s->fixed, t, "pass.fixed", f,
                             (CeliPassSpec){.B = B * s->n, .threads = shares, .blockwise = true}));
  return celi_pass_declare(&s->updated, t, "pass.updated", f,
                           (CeliPassSpec){.B = B * s->m, .backward = true, .threads = shares});
}

static CelStatus declare_batch(Sqlc *s, CelTensors *t) {
  const int64_t B = s->B, A = s->A, D = s->O + s->A, n = s->n, m = s->m, K = s->K;
  CELI_TRY(celi_batch_declare(&s->batch, &s->off.experience, B, 1, false));
  CELI_DECLARE(t, "batch.uniform", CEL_F32, CEL_SCRATCH, &s->uniform, B, K - s->M, A);
  CELI_DECLARE(t, "batch.proposal", CEL_F32, CEL_SCRATCH, &s->proposal_scratch, s->shares,
               celi_proposal_scratch(&s->proposal));
  if (s->M > 0) {
    CELI_DECLARE(t, "batch.xi_draws", CEL_F32, CEL_SCRATCH, &s->xi_draws, B, s->M, A);
    CELI_DECLARE(t, "batch.spread", CEL_F32, CEL_SCRATCH, &s->spread, B, s->M, A);
    CELI_DECLARE(t, "batch.sx_draws", CEL_F32, CEL_SCRATCH, &s->sx_draws, B * s->M, D);
  }
  CELI_DECLARE(t, "batch.sa_next", CEL_F32, CEL_SCRATCH, &s->sa_next, B * K, D);
  CELI_DECLARE(t, "batch.log_q", CEL_F32, CEL_SCRATCH, &s->log_q, B, K);
  CELI_DECLARE(t, "batch.v_next", CEL_F32, CEL_SCRATCH, &s->v_next, B);
  CELI_DECLARE(t, "batch.y", CEL_F32, CEL_SCRATCH, &s->y, B);
  CELI_DECLARE(t, "batch.q_loss", CEL_F32, CEL_SCRATCH, &s->q_loss, B);
  CELI_DECLARE(t, "batch.xi_fixed", CEL_F32, CEL_SCRATCH, &s->xi_fixed, B * n, A);
  CELI_DECLARE(t, "batch.xi_updated", CEL_F32, CEL_SCRATCH, &s->xi_updated, B * m, A);
  CELI_DECLARE(t, "batch.sx_fixed", CEL_F32, CEL_SCRATCH, &s->sx_fixed, B * n, D);
  CELI_DECLARE(t, "batch.sx_updated", CEL_F32, CEL_SCRATCH, &s->sx_updated, B * m, D);
  CELI_DECLARE(t, "batch.sa_fixed", CEL_F32, CEL_SCRATCH, &s->sa_fixed, B * n, D);
  CELI_DECLARE(t, "batch.score", CEL_F32, CEL_SCRATCH, &s->score, B * n, A);
  CELI_DECLARE(t, "batch.stein_norm", CEL_F32, CEL_SCRATCH, &s->norm, B);
  CELI_DECLARE(t, "batch.stein", CEL_F32, CEL_SCRATCH, &s->stein_scratch, s->shares,
               celi_stein_scratch(&s->stein));
  CELI_DECLARE(t, "noise_counter", CEL_U64, CEL_STATE, &s->noise_counter, 1);
  return CEL_OK;
}

static CelStatus declare(CelAgent *agent) {
  Sqlc *s = agent->self;
  const CelSqlcConfig *c = agent->config;
  CeliTrained *const trained[] = {&s->critic};
  CeliPolicyOptions sampler =
      celi_off_policy_options(&c->common, (CeliDistSpec){.kind = CELI_SQUASHED_GAUSSIAN});
  sampler.sampler = true, sampler.net.output_gain = 1;
  CELI_TRY(celi_off_policy_declare(&s->off, agent, &c->common, &sampler));
  s->agent = agent, s->config = c;
  s->O = s->off.policy.O, s->A = s->off.policy.A;
  s->B = celi_agent_batch(agent, c->common.batch_size);
  s->K = c->value_particles, s->n = c->fixed_particles, s->m = c->updated_particles;
  s->proposal = celi_proposal(c, s->A), s->M = s->K - s->proposal.U;
  s->stein = (CeliStein){s->n, s->m, s->A, c->bandwidth};
  s->shares = celi_team_size(agent->team);
  s->off.view = (CeliInspection){.kind = CELI_CRITIC_ONE_ACTION,
                                 .q = &s->critic.net,
                                 .head = {.E = 1, .M = 1},
                                 .temperature = c->ent_coef};
  CELI_TRY(declare_networks(s, agent->tensors));
  CELI_TRY(celi_off_policy_declare_training(&s->off, trained, (const char *const[]){"critic"}, 1));
  return declare_batch(s, agent->tensors);
}

/// Sets the inputs of the networks' passes.
static void bind_passes(Sqlc *s) {
  CeliPass *const passes[] = {&s->q, &s->q_next, &s->q_fixed, &s->fixed, &s->updated};
  const float *const inputs[] = {s->batch.obs, s->sa_next, s->sa_fixed, s->sx_fixed, s->sx_updated};
  for (int i = 0; i < 5; i++) passes[i]->X = inputs[i], passes[i]->ldx = s->O + s->A;
  if (s->M > 0) s->draws.X = s->sx_draws, s->draws.ldx = s->O + s->A;
}

static CelStatus prepare(CelAgent *agent) {
  static const char *const names[METRICS] = {"train/critic_loss", "train/stein_norm",
                                             "train/ent_coef", "train/value",
                                             "train/learning_rate"};
  Sqlc *s = agent->self;
  CELI_TRY(celi_off_policy_prepare(agent, names, METRICS, M_LEARNING_RATE));
  CELI_TRY(celi_off_policy_train(&s->off, &s->critic, "critic", CELI_INIT_CRITIC));
  celi_target_copy(&s->target, &s->critic.net, s->critic.adam.n);
  bind_passes(s);
  CELI_TRY(celi_off_policy_sync(agent));
  return write_plan(s);
}

const CeliAlgo celi_algo_sqlc = {
    .info = {"sqlc", "soft Q-learning with a sampler trained by SVGD; continuous actions",
             celi_sqlc_fields, sizeof(CelSqlcConfig)},
    .state_size = sizeof(Sqlc),
    CELI_OFF_POLICY_TABLE,
    .declare = declare,
    .prepare = prepare,
};
