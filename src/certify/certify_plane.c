/// Certificates on the multi-goal plane: rollouts of the learned and of the exact policy.
///
/// Each episode gives its path, the goal that it reaches within the time limit, and without the
/// limit its discounted return R = sum_t gamma^t r_t and weight D = sum_t gamma^t. States are then
/// drawn from the visited ones, with probabilities proportional to gamma^t. New actions at each
/// state give the entropy H and KL(pi, pi*) of the learned policy (certify_places.c):
///     J = E[R] + alpha E[D] mean H
///     J* - J = alpha E[D] mean KL       a second way to compute the shortfall
/// J* comes from the solution (multigoal_solve.c), not from rollouts.
/// Source: [maximum-entropy, 8.6, 8.28]; Haarnoja et al., "Reinforcement learning with deep
/// energy-based policies", 2017.
#include "certify/certify_plane.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT, LEARNED };
enum { STATES = 256, DRAWS = 512 }; // states for entropy and KL, actions at each

/// A visited state, the action there, and gamma^t.
typedef struct Met {
  float s[2], a[2];
  double weight;
} Met;

/// The episodes of one policy.
typedef struct Course {
  int64_t N, n, room;
  double *returns, *weight; ///< (N,) R and D
  float *action;            ///< (N, 2) scratch
  Met *met;                 ///< (n,) visited states
} Course;

static CelStatus course_open(Course *course, int64_t N) {
  *course = (Course){.N = N};
  CELI_TRY(celi_alloc(&course->returns, (size_t)N, sizeof(double), "returns"));
  CELI_TRY(celi_alloc(&course->weight, (size_t)N, sizeof(double), "returns"));
  memset(course->returns, 0, (size_t)N * sizeof(double));
  memset(course->weight, 0, (size_t)N * sizeof(double));
  return celi_alloc(&course->action, (size_t)(2 * N), sizeof(float), "actions");
}

static void course_close(Course *course) {
  free(course->returns);
  free(course->weight);
  free(course->action);
  free(course->met);
}

static CelStatus course_add(Course *course, const float *s, const float *a, double weight) {
  if (course->n == course->room) {
    const int64_t room = course->room ? 2 * course->room : 4096;
    CELI_TRY(celi_resize(&course->met, (size_t)room, sizeof *course->met, "states met"));
    course->room = room;
  }
  course->met[course->n++] = (Met){{s[0], s[1]}, {a[0], a[1]}, weight};
  return CEL_OK;
}

// ---- episodes

/// Draws the actions (N, 2) of the learned or the exact policy.
static CelStatus act(const CelCertificate *out, const CeliPlanePolicy *policy, int which,
                     const CeliRollouts *rollouts, float *action) {
  const float *obs = (const float *)rollouts->env.obs;
  if (which == LEARNED)
    return cel_agent_draw(policy->agent, obs, rollouts->env.N, policy->seed, rollouts->t, action);
  for (int64_t i = 0; i < rollouts->env.N; i++) {
    CelRng rng = cel_rng(policy->seed, CEL_RNG_EVAL_ACT, (uint32_t)i);
    const double s[2] = {(double)obs[2 * i], (double)obs[2 * i + 1]};
    double a[2];
    if (rollouts->done[i]) continue;
    rng.counter = 3 * (uint64_t)rollouts->t; // a draw uses three numbers
    cel_multigoal_draw(out->plane->exact, s, &rng, a);
    action[2 * i] = (float)a[0];
    action[2 * i + 1] = (float)a[1];
  }
  return CEL_OK;
}

/// The goal that contains a position, or CEL_MULTIGOAL_GOALS.
static int goal_at(const CelMultigoal *plane, const float *s) {
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double goal[2];
    cel_multigoal_goal(plane, g, goal);
    if (hypot((double)s[0] - goal[0], (double)s[1] - goal[1]) < plane->goal_radius) return g;
  }
  return CEL_MULTIGOAL_GOALS;
}

/// Stores the position of episode i after step t: its final observation if it ended in this step.
static void keep_place(CelCertifiedPlane *plane, int which, CeliRollouts *rollouts, int64_t i) {
  const int64_t t = rollouts->t, stride = 2 * (plane->limit + 1);
  const bool ended = rollouts->done[i] == 2;
  const float *at = (const float *)(ended ? rollouts->env.final_obs : rollouts->env.obs) + 2 * i;
  if (t > plane->limit) return;
  memcpy(plane->path[which] + i * stride + 2 * t, at, 2 * sizeof *at);
  plane->length[which][i] = t;
  if (ended) plane->share[which][goal_at(&plane->exact->plane, at)] += 1 / (double)plane->episodes;
}

static CelStatus step(CelCertificate *out, const CeliPlanePolicy *policy, int which, Course *course,
                      CeliRollouts *rollouts, double weight) {
  const float *obs = (const float *)rollouts->env.obs;
  CELI_TRY(act(out, policy, which, rollouts, course->action));
  for (int64_t i = 0; i < course->N; i++)
    if (!rollouts->done[i])
      CELI_TRY(course_add(course, obs + 2 * i, course->action + 2 * i, weight));
  CELI_TRY(celi_rollouts_step(rollouts, course->action));
  for (int64_t i = 0; i < course->N; i++) {
    if (rollouts->done[i] == 1) continue;
    course->returns[i] += weight * (double)rollouts->env.reward[i];
    course->weight[i] += weight;
    keep_place(out->plane, which, rollouts, i);
    rollouts->done[i] = rollouts->done[i] != 0;
  }
  return CEL_OK;
}

static CelStatus roll(CelCertificate *out, const CelEnvSpec *spec, const CeliPlanePolicy *policy,
                      int which, Course *course) {
  CelCertifiedPlane *plane = out->plane;
  CeliRollouts rollouts;
  const int64_t stride = 2 * (plane->limit + 1), length = celi_rollouts_length(out->gamma);
  const int64_t T = length > plane->limit ? length : plane->limit; // goals count up to the limit
  double weight = 1;
  CelStatus status = celi_rollouts_open(&rollouts, spec, course->N, policy->seed);
  for (int64_t i = 0; status == CEL_OK && i < course->N; i++)
    memcpy(plane->path[which] + i * stride, rollouts.env.obs + (size_t)i * rollouts.env.obs_bytes,
           rollouts.env.obs_bytes);
  for (int64_t t = 0; status == CEL_OK && t < T && rollouts.running > 0; t++, weight *= out->gamma)
    status = step(out, policy, which, course, &rollouts, weight);
  if (status == CEL_OK && rollouts.running > 0) status = celi_rollouts_check(out->gamma);
  celi_rollouts_close(&rollouts);
  double reached = 0;
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) reached += plane->share[which][g];
  plane->share[which][CEL_MULTIGOAL_GOALS] = fmax(0, 1 - reached);
  for (int g = 0; g < CEL_MULTIGOAL_GOALS && which == EXACT; g++)
    plane->share[EXACT][g] =
        reached / CEL_MULTIGOAL_GOALS; // exact by symmetry, without sampling error
  return status;
}

// ---- entropy and KL at visited states

/// Sums for a mean, its standard error and the maximum.
typedef struct Mean {
  double sum, squares, largest;
  int64_t n;
} Mean;

static void mean_add(Mean *mean, double x) {
  mean->sum += x;
  mean->squares += x * x;
  mean->n++;
  mean->largest = mean->n == 1 ? x : fmax(mean->largest, x);
}
static double mean_of(const Mean *mean) {
  return mean->sum / (double)mean->n;
}
static double mean_error(const Mean *mean) {
  const double n = (double)mean->n, m = mean->sum / n;
  return sqrt(fmax(0, mean->squares / n - m * m) / (n - 1));
}

/// The visited state at which the running sum of weights reaches the fraction `u` of `total`. Calls
/// must have increasing u; *at and *sum continue the search.
static const Met *met_at(const Course *course, double u, double total, int64_t *at, double *sum) {
  while (*at + 1 < course->n && *sum + course->met[*at].weight <= u * total)
    *sum += course->met[(*at)++].weight;
  return &course->met[*at];
}

static double total_weight(const Course *course) {
  double total = 0;
  for (int64_t i = 0; i < course->n; i++) total += course->met[i].weight;
  return total;
}

/// Entropy and KL of the learned policy, or entropy of the exact one, at STATES states.
static CelStatus densities(const CelCertificate *out, const CeliPlanePolicy *policy, int which,
                           const Course *course, Mean *entropy, Mean *kl) {
  const CelMultigoalSolution *exact = out->plane->exact;
  const double total = total_weight(course);
  double action[2 * DRAWS], each[DRAWS], scratch[DRAWS], sum = 0;
  int64_t at = 0;
  for (int k = 0; k < STATES; k++) {
    const Met *met = met_at(course, (k + 0.5) / STATES, total, &at, &sum);
    const double s[2] = {(double)met->s[0], (double)met->s[1]};
    double H, mean[2], covariance[4];
    if (which == EXACT) {
      celi_plane_exact_moments(exact, s, mean, covariance, &H);
      mean_add(entropy, H);
      continue;
    }
    CELI_TRY(celi_plane_policy_draw(policy, s, 2000000 + k, DRAWS, action, &H, each));
    mean_add(entropy, H);
    mean_add(kl, celi_plane_divergence(exact, s, action, DRAWS, each, scratch, NULL));
  }
  return CEL_OK;
}

// ---- measures

/// Statistics of one policy's episodes.
typedef struct Numbers {
  Mean returns, weight, soft, entropy, kl;
} Numbers;

static CelStatus numbers(const CelCertificate *out, const CeliPlanePolicy *policy, int which,
                         const Course *course, Numbers *n) {
  memset(n, 0, sizeof *n);
  if (out->alpha > 0) CELI_TRY(densities(out, policy, which, course, &n->entropy, &n->kl));
  const double bonus = out->alpha > 0 ? out->alpha * mean_of(&n->entropy) : 0;
  for (int64_t i = 0; i < course->N; i++) {
    mean_add(&n->returns, course->returns[i]);
    mean_add(&n->weight, course->weight[i]);
    mean_add(&n->soft, course->returns[i] + bonus * course->weight[i]);
  }
  return CEL_OK;
}

static void measure_returns(CelCertificate *out, const Numbers *exact, const Numbers *learned) {
  const CelMultigoalSolution *solution = out->plane->exact;
  const double none = (double)NAN, best = solution->value_start, J = mean_of(&learned->soft);
  const double D = mean_of(&learned->weight);
  const double entropy_error = out->alpha > 0 ? out->alpha * D * mean_error(&learned->entropy) : 0;
  celi_measure(
      out, "soft_return", out->alpha > 0 ? "soft return J, shortfall" : "return J, shortfall", best,
      J, best - J, hypot(hypot(mean_error(&learned->soft), entropy_error), solution->value_error));
  celi_measure(out, "shortfall_share", "shortfall, fraction of J* - J uniform", none, none,
               (best - J) / (best - solution->uniform_start), none);
  celi_measure_note(out, "J of the uniform policy is %.4g", solution->uniform_start);
  celi_measure(out, "hard_return", "return without entropy", mean_of(&exact->returns),
               mean_of(&learned->returns), mean_of(&exact->returns) - mean_of(&learned->returns),
               hypot(mean_error(&exact->returns), mean_error(&learned->returns)));
  if (!(out->alpha > 0)) {
    const char *const why = "at temperature 0 the exact policy is deterministic and has no density";
    celi_measure_absent(out, "entropy", "entropy, nats per step", why);
    celi_measure_absent(out, "kl_mean", "KL(learned, exact), discounted mean", why);
    celi_measure_absent(out, "kl_sup", "KL(learned, exact), largest observed", why);
    return;
  }
  celi_measure(out, "entropy", "entropy, nats per step", mean_of(&exact->entropy),
               mean_of(&learned->entropy),
               fabs(mean_of(&exact->entropy) - mean_of(&learned->entropy)),
               mean_error(&learned->entropy));
  celi_measure(out, "kl_mean", "KL(learned, exact), discounted mean", none, none,
               mean_of(&learned->kl), mean_error(&learned->kl));
  celi_measure(out, "shortfall_kl", "shortfall computed from the mean KL", none, none,
               out->alpha * D * mean_of(&learned->kl), out->alpha * D * mean_error(&learned->kl));
  celi_measure(out, "kl_sup", "KL(learned, exact), largest observed", none, none,
               learned->kl.largest, none);
}

static void measure_goals(CelCertificate *out) {
  static const char *const names[] = {"goal_east", "goal_west", "goal_north", "goal_south",
                                      "goal_none"};
  static const char *const labels[] = {"episodes ending in the east goal",
                                       "ending in the west goal", "ending in the north goal",
                                       "ending in the south goal", "ending in no goal"};
  const CelCertifiedPlane *plane = out->plane;
  double apart = 0;
  for (int g = 0; g <= CEL_MULTIGOAL_GOALS; g++) {
    const double p = plane->share[EXACT][g], q = plane->share[LEARNED][g];
    celi_measure(out, names[g], labels[g], p, q, fabs(p - q),
                 sqrt(q * (1 - q) / (double)plane->episodes));
    apart += 0.5 * fabs(p - q);
  }
  celi_measure(out, "goal_distance", "total variation of goal frequencies", (double)NAN,
               (double)NAN, apart, (double)NAN);
}

enum { CHUNK = 512 };

/// |learned - exact| of Q or V at the visited states: the maximum, and the mean weighted by
/// gamma^t.
static CelStatus gaps(const CelCertificate *out, const CeliPlanePolicy *policy,
                      const Course *course, bool q, double *sup, double *mean) {
  const CelMultigoalSolution *exact = out->plane->exact;
  *sup = *mean = 0;
  for (int64_t first = 0; first < course->n; first += CHUNK) {
    const int64_t n = course->n - first < CHUNK ? course->n - first : CHUNK;
    float obs[2 * CHUNK], action[2 * CHUNK], value[CHUNK];
    for (int64_t i = 0; i < n; i++) {
      memcpy(obs + 2 * i, course->met[first + i].s, 2 * sizeof *obs);
      memcpy(action + 2 * i, course->met[first + i].a, 2 * sizeof *action);
    }
    CELI_TRY(q ? cel_agent_q(policy->agent, obs, action, n, value)
               : cel_agent_v(policy->agent, obs, n, value));
    for (int64_t i = 0; i < n; i++) {
      const double s[2] = {(double)obs[2 * i], (double)obs[2 * i + 1]};
      const double a[2] = {(double)action[2 * i], (double)action[2 * i + 1]};
      const double want = q ? cel_multigoal_q(exact, s, a) : cel_multigoal_v(exact, s);
      const double off = fabs((double)value[i] - want);
      *sup = fmax(*sup, off);
      *mean += course->met[first + i].weight * off;
    }
  }
  *mean /= total_weight(course);
  return CEL_OK;
}

static CelStatus measure_values(CelCertificate *out, const CeliPlanePolicy *policy,
                                const Course *course) {
  const double none = (double)NAN;
  double sup, mean;
  if (policy->has_q) {
    CELI_TRY(gaps(out, policy, course, true, &sup, &mean));
    celi_measure(out, "q_sup", "learned Q - Q*, largest observed", none, none, sup, none);
    celi_measure(out, "q_mean", "learned Q - Q*, discounted mean", none, none, mean, none);
  } else {
    celi_measure_absent(out, "q_sup", "learned Q - Q*, largest observed", "the agent learns no Q");
    celi_measure_absent(out, "q_mean", "learned Q - Q*, discounted mean", "the agent learns no Q");
  }
  if (policy->has_v) {
    CELI_TRY(gaps(out, policy, course, false, &sup, &mean));
    celi_measure(out, "v_sup", "learned V - V*, largest observed", none, none, sup, none);
    celi_measure(out, "v_mean", "learned V - V*, discounted mean", none, none, mean, none);
  } else {
    celi_measure_absent(out, "v_sup", "learned V - V*, largest observed", "the agent learns no V");
    celi_measure_absent(out, "v_mean", "learned V - V*, discounted mean", "the agent learns no V");
  }
  return CEL_OK;
}

// ---- the certificate

static CelStatus measure(CelCertificate *out, const CelEnvSpec *spec,
                         const CeliPlanePolicy *policy) {
  Course course[2] = {{.N = 0}, {.N = 0}};
  Numbers n[2];
  CelStatus status = CEL_OK;
  for (int k = 0; k < 2 && status == CEL_OK; k++) {
    status = course_open(&course[k], out->plane->episodes);
    if (status == CEL_OK) status = roll(out, spec, policy, k, &course[k]);
    if (status == CEL_OK) status = numbers(out, policy, k, &course[k], &n[k]);
  }
  if (status == CEL_OK) {
    measure_returns(out, &n[EXACT], &n[LEARNED]);
    measure_goals(out);
    status = celi_plane_places(out, policy);
  }
  if (status == CEL_OK) status = measure_values(out, policy, &course[LEARNED]);
  for (int k = 0; k < 2; k++) course_close(&course[k]);
  return status;
}

static CelStatus allocate(CelCertifiedPlane *plane) {
  const size_t N = (size_t)plane->episodes, row = 2 * (size_t)(plane->limit + 1);
  for (int k = 0; k < 2; k++) {
    CELI_TRY(celi_alloc(&plane->path[k], N * row, sizeof(float), "episodes"));
    CELI_TRY(celi_alloc(&plane->length[k], N, sizeof(int64_t), "episodes"));
    memset(plane->path[k], 0, N * row * sizeof(float));
    memset(plane->length[k], 0, N * sizeof(int64_t));
  }
  return CEL_OK;
}

CelStatus celi_certify_plane(CelCertificate *out, CelAgent *agent, const CelEnvSpec *spec,
                             const CelCertifyOptions *options) {
  enum { UNLIMITED = 200 };
  CelCertifiedPlane *plane = out->plane = calloc(1, sizeof *out->plane);
  CelMultigoalGrid grid = cel_multigoal_grid_default();
  CelMultigoal problem;
  CeliPlanePolicy policy;
  if (!plane) return cel_fail(CEL_E_MEMORY, "not enough memory for a certificate");
  plane->episodes = options->episodes;
  plane->limit = spec->max_episode_steps > 0 ? spec->max_episode_steps : UNLIMITED;
  grid.cells = options->cells;
  CELI_TRY(celi_plane_policy_find(&policy, agent, options->seed, out->alpha));
  CELI_TRY(cel_multigoal_of_env(spec, &problem));
  CELI_TRY(cel_multigoal_solve(&problem, out->gamma, out->alpha, &grid, &plane->exact));
  out->exact_error = plane->exact->error;
  CELI_TRY(allocate(plane));
  return measure(out, spec, &policy);
}

void celi_certified_plane_destroy(CelCertifiedPlane *plane) {
  if (!plane) return;
  cel_multigoal_solution_destroy(plane->exact);
  for (int k = 0; k < 2; k++) {
    free(plane->path[k]);
    free(plane->length[k]);
  }
  free(plane);
}
